//! The commands, one file each, and what those that run guests have in common.

use std::path::Path;
use std::sync::Arc;

use crate::args::{self, GuestArgs, NodeArgs};
use crate::audit::Recorder;
use crate::error::CliError;
use crate::guest::{self, GuestSpec};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::report::{Reporter, printable};
use crate::runtime::{Cache, Node, NodeOptions, Program};
use crate::{status, target, testing};

pub mod info;
pub mod init;
pub mod new;
pub mod run;
pub mod test;

use testing::Session;
use testing::options::Options;

/// What the flags give to the guest, but for its arguments.
fn guest_spec(
    guest: &GuestArgs,
    node: &NodeArgs,
    default_dir: &Path,
) -> Result<GuestSpec, CliError> {
    let note = |text: String| {
        if !node.quiet {
            eprintln!("note: {text}");
        }
    };
    let policy = Policy::of(guest)?;
    Ok(GuestSpec {
        args: Vec::new(),
        env: guest::environment(guest, &policy, std::env::vars_os(), note)?,
        preopens: guest::directories(guest, &policy, default_dir)?,
        grant: policy.grant()?,
        limits: limits(node),
        budgets: policy.budgets,
        redirections: policy.redirections,
    })
}

/// The limits that flags set, by name.
fn limits(flags: &NodeArgs) -> Vec<(String, u64)> {
    let memory = flags.max_memory.map(|bytes| ("memory_bytes_max".to_owned(), bytes));
    flags.limits.iter().cloned().chain(memory).collect()
}

/// Starts a node as the flags say.
fn start_node(
    flags: &NodeArgs,
    reporter: Option<Reporter>,
    recorder: Option<Arc<Recorder>>,
) -> Result<Node, CliError> {
    let cache = match (&flags.cache_dir, flags.no_cache) {
        (_, true) => Cache::Off,
        (Some(directory), false) => Cache::Directory(directory.clone()),
        (None, false) => Cache::Default,
    };
    let workers = flags.workers.map(usize::from);
    Node::start(NodeOptions { workers, cache, limits: limits(flags), reporter, recorder })
}

/// Compiles a module under a progress line.
fn load(node: &Node, path: &Path, bytes: &[u8], flags: &NodeArgs) -> Result<Program, CliError> {
    let name = file_name(path);
    let _progress = Progress::start(&format!("Compiling {}", printable(&name)), !flags.quiet);
    node.load(&target::shown(path), bytes, flags.tier.into())
}

/// The last part of a path, which is what a guest gets as its own name.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Waits for what guests, signals and time bring. Guests themselves run elsewhere.
fn wait_for<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(|error| {
        CliError::failure("the operating system refuses what waiting needs").because(&error)
    })?;
    let result = runtime.block_on(future);
    // A spawn that never comes back holds a thread: nobody waits for that one.
    runtime.shutdown_background();
    result
}

/// What test mode needs, whichever command it was asked of.
struct TestRun<'a> {
    node: &'a Node,
    program: &'a Program,
    spec: GuestSpec,
    /// The flags of the test harness, which are the guest's arguments too.
    args: &'a [String],
}

impl TestRun<'_> {
    /// Runs the tests of a module.
    fn run(self, tests: &[testing::name::Test]) -> Result<u8, CliError> {
        let options = match Options::parse_from_args(self.args) {
            Ok(options) => options,
            Err(error) => return Ok(print_clap(&error)),
        };
        let mut spec = self.spec;
        spec.args = self.args.to_vec();
        for dir in &options.dirs {
            spec.preopens.push(guest::preopen(dir)?);
        }
        let guest = crate::runtime::Guest::open(&spec)?;
        let (node, program) = (self.node, self.program);
        let session = Session { node, program, guest: &guest, options: &options };
        let all_passed = wait_for(async {
            let all_passed = session.run(tests).await?;
            for sentence in guest.finish(args::SHUTDOWN_TIMEOUT_DEFAULT).await {
                eprintln!("{sentence}");
            }
            for sentence in node.finish(args::SHUTDOWN_TIMEOUT_DEFAULT).await {
                eprintln!("{sentence}");
            }
            Ok(all_passed)
        })?;
        Ok(if all_passed { status::OK } else { status::TESTS_FAILED })
    }
}

/// Prints what clap has to say: an error, a help text or the version. Gives the exit status.
pub fn print_clap(error: &clap::Error) -> u8 {
    let _ = error.print();
    status::of_code(error.exit_code())
}
