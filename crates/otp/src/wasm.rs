//! This runtime with WebAssembly guests: each process is an instance of `guest/`, which does the
//! steps of its script with the imports of `abi/process.md`.
//!
//! The guest tells what it does in records on its standard output, and asks its standard input who
//! is who; both end here. What must stay true: nothing else connects guest and harness, and a
//! record is written down before its process goes on.

use std::env;
use std::future::{pending, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use lunatic_engine::{
    CachePolicy, Environment, ModuleError, Options, ProcessConfig, Runtime, StartError,
};
use lunatic_engine::{Module, Pid};
use lunatic_wasi::WasiConfig;
use lunatic_wasi::provider::{Input, Output, Ready, Reply, StreamKind};

use crate::board::{Board, run_out};
use crate::codec::{encode, reason_of};
use crate::generator::Random;
use crate::program::{Item, NOBODY, Outcome, Program, Trace, Watch, Who};

const TARGET: &str = "wasm32-wasip1";
/// Bytes of one record.
const RECORD_BYTES: usize = 32;
/// Processes, and aliases, in the table that a guest reads.
const ENTRIES: usize = 32;

/// Why no guest can be run.
#[derive(Debug, thiserror::Error)]
pub enum WasmError {
    /// There is no standard library for the target.
    #[error("guests need the target {TARGET}; next: rustup target add {TARGET}")]
    Target,
    /// The guest does not compile.
    #[error("the guest does not compile:\n{0}")]
    Build(String),
    /// The system refused.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The runtime did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The runtime refuses the guest.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

/// A runtime with the guest.
pub struct Wasm {
    runtime: Runtime,
    module: Module,
}

impl Wasm {
    /// Builds the guest and starts a runtime with this many threads.
    pub fn start(workers: usize) -> Result<Wasm, WasmError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
        let bytes = std::fs::read(build_guest(&folder, "otp_guest.wasm")?)?;
        let cache = CachePolicy::Off;
        let runtime =
            Runtime::new(Options { workers: Some(workers), cache, ..Options::default() })?;
        let module = runtime.compile(&bytes)?;
        Ok(Wasm { runtime, module })
    }

    /// Plays a program. The seed decides where its processes pause.
    pub fn play(&self, program: &Program, seed: u64) -> Trace {
        let environment = self.runtime.environment(1);
        let board = Board::new(program);
        let wire = Arc::new(Wire {
            board: board.clone(),
            environment: environment.clone(),
            aliases: Mutex::new(vec![[0; 2]; ENTRIES]),
            random: Mutex::new(Random::new(seed)),
        });
        let hex: String = encode(program).iter().map(|byte| format!("{byte:02x}")).collect();
        for root in program.roots() {
            let mut wasi = WasiConfig::default();
            for arg in [hex.clone(), root.0.to_string()] {
                wasi.push_arg(arg).expect("digits are a valid argument, and programs are short");
            }
            wasi.set_stdin(wire.clone());
            wasi.set_stdout(wire.clone());
            let config = ProcessConfig::root(wasi);
            let spawned = self.runtime.spawn_root(&environment, &self.module, "root", config);
            let pid = spawned.expect("a new environment takes the guest").pid();
            let process = environment.find(pid).expect("it waits until it may begin");
            board.born(root, process);
        }
        board.go(&environment);
        board.finish(&environment, || run_out(&self.runtime.environment(1)))
    }
}

/// Where guests are built.
pub(crate) fn guests_target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root.join(target).join("guests"),
        None => root.join("target/guests"),
    }
}

/// Builds the guest of a folder, unless that has been done, and tells where its file of this name
/// is.
pub(crate) fn build_guest(folder: &Path, file: &str) -> Result<PathBuf, WasmError> {
    let target = guests_target();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(folder)
        .args(["build", "--release", "--locked", "--target", TARGET])
        .env("CARGO_TARGET_DIR", &target)
        .output()?;
    if !built.status.success() {
        let text = String::from_utf8_lossy(&built.stderr).into_owned();
        let missing = text.contains("E0463") || text.contains("may not be installed");
        return Err(if missing { WasmError::Target } else { WasmError::Build(text) });
    }
    Ok(target.join(TARGET).join("release").join(file))
}

/// The standard streams of all guests of one run.
struct Wire {
    board: Arc<Board>,
    environment: Arc<Environment>,
    /// References of aliases.
    aliases: Mutex<Vec<[u64; 2]>>,
    random: Mutex<Random>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pid_of([node, id]: [u64; 2]) -> Pid {
    // The halves of the number.
    Pid { node: node as u32, incarnation: (node >> 32) as u32, serial: id }
}

impl Wire {
    /// Takes a record. False if its process must end, and go no further.
    fn take(&self, record: &[u8; RECORD_BYTES]) -> bool {
        let [kind, who, a, b, c, ..] = *record;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| record[at + byte]));
        let (pair, last) = ([number(8), number(16)], number(24));
        let who = Who(who);
        let exiting = self.board.process(who).is_some_and(|process| process.is_exiting());
        match kind {
            0 => self.meet(who, pid_of(pair)),
            1 => {}
            2 => {
                self.meet(Who(a), pid_of(pair));
                self.see(who, exiting, Outcome::Ok);
            }
            3 => locked(&self.aliases)[usize::from(a)] = pair,
            4 => self.see(who, exiting, self.outcome([a, b, c], pid_of(pair))),
            5 => self.board.waits(who),
            6 => self.board.answer(who, last),
            7 => self.board.found(who),
            _ => {
                let count = usize::try_from(last).unwrap_or(usize::MAX);
                // The number of messages is the first query.
                let count = if b == 0 { self.board.messages(Who(a), || count) } else { count };
                let count = u8::try_from(count).unwrap_or(u8::MAX);
                self.see(who, exiting, Outcome::Count(count));
            }
        }
        !exiting
    }

    /// It may have been ended in the middle of the step, which then proves nothing.
    fn see(&self, who: Who, exiting: bool, outcome: Outcome) {
        if !exiting {
            self.board.seen(who, outcome);
        }
    }

    fn meet(&self, who: Who, pid: Pid) {
        match self.environment.find(pid) {
            Some(process) => self.board.born(who, process),
            None if self.board.pid(who).is_none() => self.board.gone(who, pid),
            None => {}
        }
    }

    fn outcome(&self, [code, a, b]: [u8; 3], pid: Pid) -> Outcome {
        let from = || self.board.who(pid).unwrap_or(NOBODY);
        match code {
            0 => Outcome::Ok,
            1 => Outcome::Is(true),
            2 => Outcome::Is(false),
            3 => Outcome::Badarg,
            4 => Outcome::Timeout,
            5 => Outcome::Got(Item::Message { from: from(), tag: a }),
            6 => Outcome::Got(Item::Exit { from: from(), reason: reason_of(b) }),
            7 => Outcome::Got(Item::Down { watch: Watch(a), reason: reason_of(b) }),
            8 => Outcome::Leads(Some(from())),
            _ => Outcome::Leads(None),
        }
    }
}

impl Output for Wire {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move {
            let count = data.len();
            for record in data.as_chunks().0 {
                if !self.take(record) {
                    pending::<()>().await;
                }
                // A step is about to be done: others may run before.
                let mut pauses = match record[0] {
                    1 => locked(&self.random).below(12).saturating_sub(7),
                    _ => 0,
                };
                poll_fn(|context| {
                    if pauses == 0 {
                        return Poll::Ready(());
                    }
                    pauses -= 1;
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
            Ok(count)
        })
    }
}

impl Input for Wire {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, _length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            let pids = (0..ENTRIES).map(|who| {
                let pid = self.board.pid(Who(who as u8));
                let node = |pid: Pid| u64::from(pid.incarnation) << 32 | u64::from(pid.node);
                pid.map_or([0, 0], |pid| [node(pid), pid.serial])
            });
            let aliases = locked(&self.aliases).clone();
            let pairs = pids.chain(aliases).flatten();
            Ok(pairs.flat_map(u64::to_le_bytes).collect())
        })
    }

    fn ready(&self) -> Reply<'_, Ready> {
        Box::pin(async { Ok(Ready { bytes: 1, ended: false }) })
    }
}
