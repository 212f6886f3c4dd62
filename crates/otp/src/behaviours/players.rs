//! Who plays behaviour scenarios: OTP in `erl`, and the Rust library for guests on this runtime.
//!
//! What must stay true: both get the same text; what hangs or fails is an error, never a trace.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lunatic_engine::{CachePolicy, Module, Options, ProcessConfig, Runtime};
use lunatic_model::ExitReason;
use lunatic_wasi::WasiConfig;
use lunatic_wasi::provider::{Output, Reply, StreamKind};

use crate::beam::Beam;
use crate::erl::ErlError;
use crate::wasm::{WasmError, build_guest};

use super::Trace;
use super::mutants;
use super::script::Script;

/// Scenarios that are on their way to `erl` at once.
const AT_ONCE: usize = 16;
/// Far longer than any scenario takes.
const WATCHDOG: Duration = Duration::from_secs(120);
/// The modules that play in `erl`, that with `main` first.
const MODULES: &[&str] = &[
    "behaviours",
    "behaviour_events",
    "behaviour_groups",
    "behaviour_machine",
    "behaviour_recorder",
    "behaviour_server",
    "behaviour_supervision",
    "behaviour_words",
];

/// OTP's own behaviours.
pub struct Oracle {
    beam: Beam,
}

impl Oracle {
    /// Compiles the player and starts `erl` with it.
    pub fn start() -> Result<Oracle, ErlError> {
        Ok(Oracle { beam: Beam::start(MODULES)? })
    }

    /// Plays scenarios one after the other; gives a trace for each.
    pub fn play(&mut self, scripts: &[&Script]) -> Result<Vec<Trace>, ErlError> {
        let mut traces = Vec::new();
        for chunk in scripts.chunks(AT_ONCE) {
            for script in chunk {
                self.beam.send(&[text(script).as_bytes()])?;
            }
            for script in chunk {
                let frame = String::from_utf8(self.beam.receive()?);
                let seen = frame.map_err(|error| ErlError::Silent(error.to_string()))?;
                traces.push(trace(script, &seen));
            }
        }
        Ok(traces)
    }
}

/// The lines that are played.
fn text(script: &Script) -> String {
    let lines: Vec<String> = script.lines.iter().map(super::script::Line::text).collect();
    lines.join("\n")
}

fn trace(script: &Script, seen: &str) -> Trace {
    seen.split('\n').map(|step| script.canonical(step)).collect()
}

/// The Rust library for guests.
pub struct Library {
    runtime: Runtime,
    module: Module,
}

impl Library {
    /// Builds the guest and starts a runtime with this many threads.
    pub fn start(workers: usize) -> Result<Library, WasmError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("behaviours-guest");
        Library::of(&std::fs::read(build_guest(&folder, "behaviours-guest.wasm")?)?, workers)
    }

    /// The same with a library that breaks the rule which [`play`](Library::play) names.
    pub fn mutated(workers: usize) -> Result<Library, WasmError> {
        let folder = mutants::write()?;
        Library::of(&std::fs::read(build_guest(&folder, "behaviours-mutant.wasm")?)?, workers)
    }

    fn of(bytes: &[u8], workers: usize) -> Result<Library, WasmError> {
        let (cache, workers) = (CachePolicy::Off, Some(workers));
        let runtime = Runtime::new(Options { workers, cache, ..Options::default() })?;
        let module = runtime.compile(bytes)?;
        Ok(Library { runtime, module })
    }

    /// Plays a scenario. The number is that of the rule that a mutated library breaks; 0 for none.
    ///
    /// # Errors
    ///
    /// If the guest fails or hangs: what it said.
    pub fn play(&self, script: &Script, mutation: usize) -> Result<Trace, String> {
        self.play_within(script, mutation, WATCHDOG)
    }

    /// Plays a scenario of applications: what it tells.
    ///
    /// # Errors
    ///
    /// As [`play`](Library::play).
    pub fn play_applications(&self, text: &str) -> Result<Trace, String> {
        let seen = self.output(text.to_owned(), 0, WATCHDOG)?;
        let mut told: Trace = seen.lines().map(str::to_owned).collect();
        // The end of the guest stops what still runs, which is no part of the scenario.
        if let Some(last) = told.iter().position(|line| line == "all is played") {
            told.truncate(last + 1);
        }
        Ok(told)
    }

    /// The same for a guest that is expected to hang now and then.
    ///
    /// # Errors
    ///
    /// As [`play`](Library::play).
    pub fn play_within(
        &self,
        script: &Script,
        mutation: usize,
        time: Duration,
    ) -> Result<Trace, String> {
        self.output(text(script), mutation, time).map(|seen| trace(script, &seen))
    }

    /// What the guest writes that plays this text.
    fn output(&self, text: String, mutation: usize, time: Duration) -> Result<String, String> {
        let environment = self.runtime.environment(1);
        let [output, errors] = [(); 2].map(|()| Arc::new(Capture::default()));
        let mut wasi = WasiConfig::default();
        for arg in [text, mutation.to_string()] {
            wasi.push_arg(arg).map_err(|error| error.to_string())?;
        }
        wasi.set_stdout(output.clone());
        wasi.set_stderr(errors.clone());
        let config = ProcessConfig::root(wasi);
        let root = self.runtime.spawn_root(&environment, &self.module, "_start", config);
        let root = root.map_err(|error| error.to_string())?;
        let (sender, end) = channel();
        let waits = std::thread::Builder::new().spawn(move || {
            // Whoever waited has given up if nobody listens.
            let _ = sender.send(root.wait());
        });
        waits.map_err(|error| error.to_string())?;
        let end = end.recv_timeout(time);
        environment.kill_all();
        match end {
            Ok(ExitReason::Normal) => Ok(output.text()),
            Ok(reason) => Err(format!("the guest ended with {reason:?}\n{}", errors.text())),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(format!("the guest hangs\n{}", errors.text()))
            }
        }
    }
}

/// What guests write.
#[derive(Default)]
struct Capture(Mutex<Vec<u8>>);

impl Capture {
    fn text(&self) -> String {
        // What is behind the lock is whole between any two statements.
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Output for Capture {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        let count = data.len();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(data);
        Box::pin(async move { Ok(count) })
    }
}
