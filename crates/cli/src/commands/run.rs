//! `lunatic run TARGET`: one root process, until it ends or the operating system wants an end.
//!
//! Order matters: everything that can be refused is refused before the node starts, and signals
//! are taken over just before the root process exists, so Ctrl-C during a build simply ends it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::RunArgs;
use crate::audit::Audit;
use crate::error::CliError;
use crate::metrics::Endpoint;
use crate::os_signal::{OsSignal, OsSignals};
use crate::report::Reporter;
use crate::runtime::{Ending, Guest, Node, Program, Root};
use crate::target::{self, Target};
use crate::{project, sources, status, testing};

use super::{TestRun, file_name, guest_spec, load, start_node, wait_for};

/// The environment number that published programs see.
pub const RUN_ENVIRONMENT_ID: u64 = 1;

/// Runs the command.
pub fn run(args: &RunArgs) -> Result<u8, CliError> {
    let (path, guest_args) = args.split()?;
    let wasm = match Target::find(&path, &args.build)? {
        Target::File(path) => path,
        Target::Project(path) => project::program(&path, &args.build, args.node.quiet)?.wasm,
        Target::Sources(sources) => sources::module(&sources, args.node.quiet)?,
    };
    let spec = guest_spec(&args.guest, &args.node, Path::new("."))?;
    let bytes = target::read_module(&wasm)?;
    let metrics = args.metrics.map(Endpoint::bind).transpose()?;
    // Cargo says so by this variable when it runs the module; --bench means a benchmark.
    let may_be_test = std::env::var_os("CARGO_MANIFEST_DIR").is_some()
        && !guest_args.iter().any(|arg| arg == "--bench");
    // The start of the node decides who hears of failures, the module's exports whether this is a
    // test, and a module needs a node: so the reporter exists first and is told later.
    let reporter = reporter(args.node.quiet)?;
    let audit = args.audit.as_ref().map(Audit::start).transpose()?;
    let recorder = audit.as_ref().and_then(Audit::recorder);
    let node = start_node(&args.node, reporter.clone(), recorder)?;
    let program = load(&node, &wasm, &bytes, &args.node)?;
    drop(bytes);
    let tests = testing::tests_of(&program);
    if may_be_test && !tests.is_empty() {
        if let Some(reporter) = reporter {
            reporter.finish();
        }
        return TestRun { node: &node, program: &program, spec, args: &guest_args }.run(&tests);
    }
    let mut spec = spec;
    let program_name = file_name(&wasm);
    spec.args = std::iter::once(program_name.clone()).chain(guest_args).collect();
    let guest = Guest::open(&spec)?;
    let guest = match &audit {
        Some(audit) => guest.audited(audit.listener()),
        None => guest,
    };
    let launch = Launch {
        wasm,
        entry: args.entry.clone(),
        shutdown_timeout: args.shutdown_timeout,
        quiet: args.node.quiet,
        metrics,
    };
    let status = launch.run(&node, &program, &guest, reporter)?;
    if let Some(audit) = audit {
        eprint!("{}", audit.finish(&program_name, &spec.preopens)?);
    }
    Ok(status)
}

/// Who prints reports of failures; nobody if the user wants quiet.
pub fn reporter(quiet: bool) -> Result<Option<Reporter>, CliError> {
    if quiet {
        return Ok(None);
    }
    let started = Reporter::start().map_err(|error| {
        CliError::failure("the operating system gives no thread for reports").because(&error)
    })?;
    Ok(Some(started))
}

/// How to run a module as a program.
pub struct Launch {
    /// The module's file.
    pub wasm: PathBuf,
    /// Where the root process starts.
    pub entry: String,
    /// How long it may take to shut down.
    pub shutdown_timeout: Duration,
    /// Say nothing beyond errors.
    pub quiet: bool,
    /// Where figures are served meanwhile.
    pub metrics: Option<Endpoint>,
}

impl Launch {
    /// Runs it to its end, and gives the exit status.
    pub fn run(
        mut self,
        node: &Node,
        program: &Program,
        guest: &Guest,
        reporter: Option<Reporter>,
    ) -> Result<u8, CliError> {
        program.check_entry(&target::shown(&self.wasm), &self.entry)?;
        let (ending, asked) = wait_for(async {
            let mut signals = OsSignals::listen().map_err(|error| {
                CliError::failure("the operating system refuses to hand over Ctrl-C")
                    .because(&error)
            })?;
            if let Some(endpoint) = self.metrics.take() {
                self.serve(endpoint, node);
            }
            let root = self.spawn(node, program, guest, &mut signals).await?;
            let ended = self.wait(&root, signals).await;
            for sentence in guest.finish(self.shutdown_timeout).await {
                eprintln!("{sentence}");
            }
            for sentence in node.finish(self.shutdown_timeout).await {
                eprintln!("{sentence}");
            }
            Ok(ended)
        })?;
        if let Some(reporter) = reporter {
            reporter.finish();
        }
        // Reports are about processes that fail by themselves. If another one ended the root, say
        // so: a status alone would be a riddle.
        let riddle = matches!(ending, Ending::Killed | Ending::Shutdown | Ending::Failed(_));
        if riddle && asked.is_none() && !node.root_was_reported() && !self.quiet {
            eprintln!("{ending}");
        }
        Ok(status::of_ending(&ending, asked))
    }

    /// Serves figures as long as this program runs.
    fn serve(&self, endpoint: Endpoint, node: &Node) {
        if !self.quiet {
            eprintln!("note: metrics are served at {}", endpoint.url());
        }
        let node = node.clone();
        tokio::spawn(async move {
            let Err(error) = endpoint.serve(move || node.metrics()).await;
            tracing::error!("metrics are not served any more: {error}");
        });
    }

    /// Spawns the root. Its start section may take its time, so this happens on another thread;
    /// as long as there is no process to ask, a signal ends this program on the spot.
    async fn spawn(
        &self,
        node: &Node,
        program: &Program,
        guest: &Guest,
        signals: &mut OsSignals,
    ) -> Result<Root, CliError> {
        let (node, program, guest) = (node.clone(), program.clone(), guest.clone());
        let entry = self.entry.clone();
        let spawning = tokio::task::spawn_blocking(move || {
            node.spawn(&program, &entry, &guest, RUN_ENVIRONMENT_ID)
        });
        tokio::select! {
            spawned = spawning => spawned.unwrap_or_else(|bug| {
                Err(CliError::failure("a bug of the runtime kept the root from starting")
                    .because(&bug))
            }),
            signal = signals.next() => end_now(signal),
        }
    }

    /// Waits for the end of the root. A first signal asks it to shut down and gives it time, a
    /// second one ends this program on the spot.
    async fn wait(&self, root: &Root, mut signals: OsSignals) -> (Ending, Option<OsSignal>) {
        let asked = tokio::select! {
            biased;
            ending = root.ended() => return (ending, None),
            signal = signals.next() => signal,
        };
        root.shut_down();
        let ending = tokio::select! {
            biased;
            ending = root.ended() => ending,
            second = signals.next() => end_now(second),
            () = tokio::time::sleep(self.shutdown_timeout) => {
                if !self.quiet {
                    let seconds = self.shutdown_timeout.as_secs_f64();
                    eprintln!("the root process did not shut down within {seconds} s: killing it");
                }
                root.kill_all();
                Ending::Killed
            }
        };
        (ending, Some(asked))
    }
}

/// Ends this program as the operating system wants it, whatever still runs.
fn end_now(signal: OsSignal) -> ! {
    std::process::exit(i32::from(status::of_signal(signal)))
}
