//! The seam between the command and the rooms below: every use of the engine and of the WASI
//! layer stands in this file, translated into values of the command's own. Figures alone are
//! translated elsewhere, straight into text (`metrics/figures.rs`), and what redirections need of
//! the outside (`redirect.rs`).
//!
//! Invariants: a [`Node`] is started only when everything that can be checked before has been; a
//! [`Root`] is the first process of an environment of its own, and dropping it ends nothing;
//! nothing here waits for guests to stop when the program ends.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lunatic_engine as engine;
use lunatic_model::{Budgeted, Budgets, ExitReason, Limits, LinkOutcome, NodeLimits, Scope};
use lunatic_node::{Denial, ExitReport, Observer};
use lunatic_wasi as wasi;
use lunatic_wasi::provider::{capture::Capture, fs::HostDirectory, stdio};

// Values already: the command adds nothing to them.
pub use lunatic_engine::{ChosenPath, Tier, chosen_paths, default_cache_directory};
pub use lunatic_model::{Access, Grant, NetworkRule, Permit, Reach, Redirection, Right, Rights};
pub use lunatic_wasi::Access as FileAccess;

use crate::audit::Recorder;
use crate::error::CliError;
use crate::guest::{GuestSpec, Preopen};
use crate::metrics;
use crate::policy::BudgetLine;
use crate::redirect::{SECRETS, Sinks};
use crate::report::{self, Denied, Failure, Reporter, printable};
use crate::target::shown;

/// Bytes of a test's output that are kept, as much from its beginning as from its end.
const CAPTURE_BYTES_MAX: usize = 16 << 20;
/// Exports that an error message lists.
const EXPORTS_LISTED_MAX: usize = 8;
/// The serial of the first process of a node: the root of `lunatic run`.
const FIRST_SERIAL: u64 = 1;

/// How a root process ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Its entry returned, or it called `proc_exit(0)`.
    Normal,
    /// It was asked to shut down, and did.
    Shutdown,
    /// It was killed.
    Killed,
    /// It called `proc_exit` with this status.
    Exit(i32),
    /// It failed in another way: a sentence, and the lines of a backtrace if there is one.
    Failed(String),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Normal => f.write_str("the root process ended normally"),
            Ending::Shutdown => f.write_str("the root process was asked to shut down"),
            Ending::Killed => f.write_str("the root process was killed"),
            Ending::Exit(code) => write!(f, "the root process exited with status {code}"),
            Ending::Failed(why) => write!(f, "the root process failed: {why}"),
        }
    }
}

impl Ending {
    fn of(reason: &ExitReason) -> Ending {
        match reason {
            ExitReason::Normal => Ending::Normal,
            ExitReason::Shutdown => Ending::Shutdown,
            ExitReason::Kill | ExitReason::Killed => Ending::Killed,
            ExitReason::Exit(code) => Ending::Exit(*code),
            ExitReason::NoProcess
            | ExitReason::NoConnection
            | ExitReason::Trap(_)
            | ExitReason::Error(_)
            | ExitReason::HostPanic(_)
            | ExitReason::Limit(_)
            | ExitReason::Custom(_) => {
                let mut text = printable(&reason.to_string());
                let frames = frames(reason);
                if !frames.is_empty() {
                    text.push('\n');
                    report::push_frames(&mut text, &frames);
                }
                Ending::Failed(text.trim_end().to_owned())
            }
        }
    }
}

/// Where compiled code is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cache {
    /// In the user's cache directory.
    Default,
    /// In this directory.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}

/// The names of all limits that can be set.
pub fn limit_names() -> impl Iterator<Item = &'static str> {
    let budgets = [Scope::Process, Scope::Subtree]
        .into_iter()
        .flat_map(|scope| Budgeted::ALL.map(|kind| kind.limit(scope)));
    Limits::NAMES.iter().chain(NodeLimits::NAMES).copied().chain(budgets)
}

/// How to start a node.
pub struct NodeOptions {
    /// Threads that run processes; `None` for one on each CPU.
    pub workers: Option<usize>,
    /// Where compiled code is kept.
    pub cache: Cache,
    /// Limits that are not the default, by name; those of processes are none of the node's.
    pub limits: Vec<(String, u64)>,
    /// Who prints the reports of processes that fail, if anybody.
    pub reporter: Option<Reporter>,
    /// Who keeps what processes are denied, if anybody.
    pub recorder: Option<Arc<Recorder>>,
}

/// A running node. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    /// Never dropped: that would wait for workers that a guest may hold, while all that is left to
    /// do is to end this program, which ends them anyway.
    runtime: &'static engine::Runtime,
    root_reported: Arc<AtomicBool>,
    /// Those that programs have chosen.
    sinks: Sinks,
}

impl Node {
    /// Starts the node's threads. An error leaves none.
    pub fn start(options: NodeOptions) -> Result<Node, CliError> {
        let root_reported = Arc::new(AtomicBool::new(false));
        let NodeOptions { reporter, recorder, .. } = &options;
        let observer = (reporter.is_some() || recorder.is_some()).then(|| {
            let (reporter, recorder) = (reporter.clone(), recorder.clone());
            let root_reported = root_reported.clone();
            Arc::new(Reports { reporter, recorder, root_reported }) as Arc<dyn Observer>
        });
        let cache = match options.cache {
            Cache::Default => engine::CachePolicy::Default,
            Cache::Directory(path) => engine::CachePolicy::Directory(path),
            Cache::Off => engine::CachePolicy::Off,
        };
        let mut limits = NodeLimits::default();
        for (name, value) in &options.limits {
            limits.set(name, *value);
        }
        let workers = options.workers;
        let sinks = Sinks::default();
        let outside: Option<Arc<dyn engine::Outside>> = Some(Arc::new(sinks.clone()));
        let look_up = None;
        let options = engine::Options { workers, cache, limits, observer, look_up, outside };
        match engine::Runtime::new(options) {
            Ok(runtime) => Ok(Node { runtime: Box::leak(Box::new(runtime)), root_reported, sinks }),
            Err(error) => Err(CliError::failure("the node cannot start").because(&error)),
        }
    }

    /// Compiles a module, which may take seconds. `name` is for messages.
    pub fn load(&self, name: &str, bytes: &[u8], tier: Tier) -> Result<Program, CliError> {
        let module = self.runtime.compile_for(bytes, tier).map_err(|error| {
            CliError::module(format!("`{}` cannot be loaded", printable(name))).because(&error)
        })?;
        let exports = module.exports().collect();
        Ok(Program { module, exports })
    }

    /// Starts a root process in an environment of its own, which old programs see as
    /// `environment_id`. An error leaves nothing behind. Blocks while the module's start section
    /// runs, which may be for ever: call it where somebody else can give up waiting.
    pub fn spawn(
        &self,
        program: &Program,
        entry: &str,
        guest: &Guest,
        environment_id: u64,
    ) -> Result<Root, CliError> {
        let environment = self.runtime.environment(environment_id);
        let mut config = engine::ProcessConfig::root(guest.wasi.clone())
            .with_redirected(guest.redirected.clone())
            .with_limits(guest.limits)
            .with_budgets(guest.budgets.clone())
            .confined(guest.grant.clone());
        config.audit = guest.audit.clone();
        match self.runtime.spawn_root(&environment, &program.module, entry, config) {
            Ok(root) => Ok(Root { root, environment, capture: guest.capture.clone() }),
            Err(error) => {
                let message = format!("`{}` cannot be started", printable(entry));
                Err(CliError::module(message).because(&error))
            }
        }
    }

    /// All figures, as a text for Prometheus. Looks at every process, so it takes a while.
    pub fn metrics(&self) -> String {
        metrics::text(&self.runtime.figures(), &self.runtime.metrics())
    }

    /// Sends what still waits in sinks that programs have chosen, as [`Guest::finish`] does.
    pub async fn finish(&self, time_max: Duration) -> Vec<String> {
        self.sinks.finish(time_max).await
    }

    /// Whether a report about the first process of this node was printed.
    pub fn root_was_reported(&self) -> bool {
        self.root_reported.load(Ordering::SeqCst)
    }
}

/// A compiled module. Clones share it.
#[derive(Clone)]
pub struct Program {
    module: engine::Module,
    /// Each exported function, and whether it has neither parameters nor results.
    exports: Arc<[(String, bool)]>,
}

impl Program {
    /// The exported functions that a process can start in without arguments.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().filter(|(_, is_entry)| *is_entry).map(|(name, _)| name.as_str())
    }

    /// Makes sure that a process can start in `entry`, and says what else it could start in.
    pub fn check_entry(&self, name: &str, entry: &str) -> Result<(), CliError> {
        let (name, shown) = (printable(name), printable(entry));
        let why = match self.exports.iter().find(|(export, _)| export == entry) {
            Some((_, true)) => return Ok(()),
            Some((_, false)) => "exports no function of this name without parameters and results",
            None => "does not export it",
        };
        let others: Vec<_> = self.entries().take(EXPORTS_LISTED_MAX).map(printable).collect();
        let hint = if others.is_empty() {
            "it exports no function to start in: is it a library?".to_owned()
        } else {
            format!("it could start in: {} (see --entry)", others.join(", "))
        };
        let message = format!("a process cannot start in `{shown}`: `{name}` {why}");
        Err(CliError::module(message).hint(hint))
    }
}

/// What a root process is given, with its directories open.
#[derive(Clone)]
pub struct Guest {
    wasi: wasi::WasiConfig,
    grant: Grant,
    limits: Limits,
    budgets: Budgets,
    capture: Option<Capture>,
    redirected: Option<Arc<engine::Redirected>>,
    sinks: Sinks,
    audit: Option<engine::Audit>,
}

impl Guest {
    /// Opens the directories. The streams are those of this command.
    pub fn open(spec: &GuestSpec) -> Result<Guest, CliError> {
        let refused = |error: wasi::ConfigError| {
            CliError::usage("the guest cannot be given what was asked for").because(&error)
        };
        let mut config = wasi::WasiConfig::default();
        for arg in &spec.args {
            config.push_arg(arg.as_str()).map_err(refused)?;
        }
        for (name, value) in &spec.env {
            config.push_env(name.as_str(), value.as_str()).map_err(refused)?;
        }
        for preopen in &spec.preopens {
            config.push_preopen(open(preopen)?).map_err(refused)?;
        }
        config.set_stdin(stdio::stdin());
        config.set_stdout(stdio::stdout());
        config.set_stderr(stdio::stderr());
        let (sinks, redirected) = redirected(&spec.redirections, &mut config)?;
        let (mut limits, mut budgets) = (Limits::default(), Budgets::default());
        for BudgetLine { scope, kind, amount, at_limit } in &spec.budgets {
            // Whoever read it has looked whether the kind can have that.
            budgets.of(*scope).set(*kind, *amount, *at_limit);
        }
        for (name, value) in &spec.limits {
            limits.set(name, *value);
            if let Some((scope, kind)) = Budgeted::from_limit(name) {
                budgets.of(scope).set(kind, *value, kind.usual_policy());
            }
        }
        let grant = spec.grant.clone();
        let (wasi, capture, audit) = (config, None, None);
        Ok(Guest { wasi, grant, limits, budgets, capture, redirected, sinks, audit })
    }

    /// The same with somebody who hears of its calls.
    #[must_use]
    pub fn audited(mut self, listener: Arc<dyn engine::Listener>) -> Guest {
        self.audit = engine::Audit::default().with(listener);
        self
    }

    /// Sends what still waits in sinks, for `time_max` at most for each of them. Gives a sentence
    /// for each whose lines did not all arrive.
    pub async fn finish(&self, time_max: Duration) -> Vec<String> {
        self.sinks.finish(time_max).await
    }

    /// The same with a fresh buffer instead of standard output and error. With `echo`, what goes
    /// into the buffer is also printed at once.
    #[must_use]
    pub fn captured(&self, echo: bool) -> Guest {
        let capture = if echo {
            Capture::with_echo(CAPTURE_BYTES_MAX, stdio::stdout())
        } else {
            Capture::new(CAPTURE_BYTES_MAX)
        };
        let mut guest = self.clone();
        guest.wasi.set_stdout(Arc::new(capture.clone()));
        guest.wasi.set_stderr(Arc::new(capture.clone()));
        guest.capture = Some(capture);
        guest
    }
}

/// Applies redirections in order: of two for the same thing, the later one counts.
fn redirected(
    redirections: &[Redirection],
    config: &mut wasi::WasiConfig,
) -> Result<(Sinks, Option<Arc<engine::Redirected>>), CliError> {
    let sinks = Sinks::default();
    let unusable = |why: &str| CliError::usage(format!("what --redirect says is refused: {why}"));
    for secret in SECRETS {
        let secret = wasi::Replacement::Variable(secret.to_owned(), None);
        config.replace(&secret).map_err(|error| unusable(&error.to_string()))?;
    }
    if redirections.is_empty() {
        return Ok((sinks, None));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| {
        CliError::failure("the operating system refuses what waiting needs").because(&error)
    })?;
    let redirected = runtime.block_on(engine::redirect_root(redirections, config, &sinks));
    Ok((sinks, redirected.map_err(|why| unusable(&why))?))
}

fn open(preopen: &Preopen) -> Result<wasi::Preopen, CliError> {
    let shown = shown(&preopen.host);
    let directory = HostDirectory::open_ambient(&preopen.host).map_err(|error| {
        CliError::usage(format!("the directory `{shown}` cannot be opened for the guest"))
            .because(&error)
            .hint("check --dir; --no-default-dir leaves out the current directory")
    })?;
    wasi::Preopen::new(&preopen.guest, directory, preopen.access).map_err(|error| {
        CliError::usage(format!("the directory `{shown}` cannot be given to the guest"))
            .because(&error)
    })
}

/// A root process and its environment.
pub struct Root {
    root: engine::Root,
    environment: Arc<engine::Environment>,
    capture: Option<Capture>,
}

impl Root {
    /// Waits for the end of the process.
    pub async fn ended(&self) -> Ending {
        Ending::of(&self.root.ended().await)
    }

    /// Asks the process to shut down, by an exit signal that it can trap.
    pub fn shut_down(&self) {
        self.root.exit(ExitReason::Shutdown);
    }

    /// Kills every process of the environment.
    pub fn kill_all(&self) {
        self.environment.kill_all();
    }

    /// What the process printed so far; empty if it was not captured.
    pub fn output(&self) -> String {
        self.capture.as_ref().map(Capture::contents).unwrap_or_default()
    }
}

/// Turns the node's reports into text.
struct Reports {
    reporter: Option<Reporter>,
    recorder: Option<Arc<Recorder>>,
    root_reported: Arc<AtomicBool>,
}

impl Observer for Reports {
    fn exited(&self, report: &ExitReport) {
        let Some(reporter) = &self.reporter else { return };
        if report.pid.serial == FIRST_SERIAL {
            self.root_reported.store(true, Ordering::SeqCst);
            // A program's own status is its answer to whoever called it, not a defect to report.
            if matches!(report.reason, ExitReason::Exit(_)) {
                return;
            }
        }
        reporter.failed(&failure(report));
    }

    fn denied(&self, denial: &Denial) {
        if let Some(recorder) = &self.recorder {
            recorder.denied(denial);
        }
        let Some(reporter) = &self.reporter else { return };
        reporter.denied(&Denied {
            pid: denial.pid.to_string(),
            entry: denial.entry.to_string(),
            right: denial.right,
            grant: denial.grant.clone(),
            tried: denial.tried.clone(),
            in_all: denial.ended.then_some(denial.count),
        });
    }
}

fn failure(report: &ExitReport) -> Failure {
    let outcomes = [
        (LinkOutcome::Died, "died with it"),
        (LinkOutcome::Told, "received a message"),
        (LinkOutcome::Ignored, "ignored it"),
        (LinkOutcome::Gone, "had ended already"),
    ];
    let with = |outcome| {
        let links = report.links.iter().filter(move |(_, happened)| *happened == outcome);
        links.map(|(pid, _)| pid.to_string()).collect()
    };
    Failure {
        pid: report.pid.to_string(),
        names: report.names.iter().map(|name| name.to_string()).collect(),
        label: report.label.as_deref().map(str::to_owned),
        entry: report.entry.to_string(),
        reason: report.reason.to_string(),
        frames: frames(&report.reason),
        links: outcomes.into_iter().map(|(outcome, text)| (text, with(outcome))).collect(),
        links_unlisted: report.links_unlisted,
    }
}

fn frames(reason: &ExitReason) -> Vec<String> {
    let ExitReason::Trap(trap) = reason else { return Vec::new() };
    trap.frames.iter().map(|frame| frame.function.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lunatic_model::{Frame, Pid, Trap};

    #[test]
    fn each_reason_is_an_ending() {
        let cases = [
            (ExitReason::Normal, Ending::Normal),
            (ExitReason::Shutdown, Ending::Shutdown),
            (ExitReason::Killed, Ending::Killed),
            (ExitReason::Kill, Ending::Killed),
            (ExitReason::Exit(3), Ending::Exit(3)),
            (ExitReason::NoProcess, Ending::Failed("noproc".into())),
            (ExitReason::Error("no entry".into()), Ending::Failed("error: no entry".into())),
        ];
        for (reason, ending) in cases {
            assert_eq!(Ending::of(&reason), ending, "{reason}");
        }
    }

    #[test]
    fn a_report_of_the_node_is_translated_whole() {
        let pid = |serial| Pid { node: 0, incarnation: 0, serial };
        let frame = Frame { function: "f".into() };
        let trap = Trap { message: "unreachable".into(), frames: vec![frame] };
        let report = ExitReport {
            pid: pid(7),
            names: vec!["worker".into()],
            label: Some("for order 12".into()),
            entry: "go".into(),
            reason: ExitReason::Trap(Arc::new(trap)),
            links: vec![(pid(8), LinkOutcome::Died), (pid(9), LinkOutcome::Told)],
            links_unlisted: 4,
        };
        let text = failure(&report).text();
        for part in
            ["<0.7>", "worker", "for order 12", "go", "unreachable", "0: f", "<0.8>", "<0.9>"]
        {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert!(text.contains("4 more"));
    }
}
