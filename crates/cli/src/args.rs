//! The command line: what each command accepts, as data. Its doc comments are the `--help` texts.
//!
//! Two rules make it convenient without making it ambiguous. A first argument that is no command
//! and no flag of `lunatic` itself means `run`. And everything after TARGET belongs to the guest,
//! hyphens included, so a flag of ours must stand before TARGET.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::audit;
use crate::error::CliError;
use crate::runtime::{self, NetworkRule, Permit, Redirection, Rights};
use crate::status;

/// Where a root process starts unless `--entry` says otherwise.
pub const ENTRY_DEFAULT: &str = "_start";
/// How long a root process may take to shut down unless a flag says otherwise.
pub const SHUTDOWN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Run WebAssembly modules as Erlang-like processes
///
/// `lunatic TARGET` is short for `lunatic run TARGET`.
#[derive(Parser, Debug)]
#[command(
    name = "lunatic-runtime",
    bin_name = "lunatic",
    version,
    override_usage = "lunatic <COMMAND>\n       lunatic [FLAGS] TARGET [ARGS]...",
    after_help = status::help(),
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    Run(RunArgs),
    Test(TestArgs),
    Init(InitArgs),
    New(NewArgs),
    Info(InfoArgs),
}

/// Run a module, a source file or a project
///
/// Under `cargo test` (with `runner = "lunatic run"`) a module that exports Lunatic tests is
/// tested, and what follows TARGET are the test harness's flags.
#[derive(Args, Debug)]
#[command(after_help = status::help())]
pub struct RunArgs {
    /// The exported function in which the root process starts
    #[arg(long, value_name = "NAME", default_value = ENTRY_DEFAULT)]
    pub entry: String,

    /// How long the root may take to end after Ctrl-C or SIGTERM before it is killed
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub shutdown_timeout: Duration,

    /// Serve figures for Prometheus at http://ADDR/metrics, to everybody who can reach that address,
    /// such as 127.0.0.1:9464 (port 0: any that is free)
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub metrics: Option<SocketAddr>,

    /// Tell what the program did: the rights that it used or lacked (without a value), the smallest
    /// policy that grants them (policy, or policy:FILE), or every call of the host, as lines of
    /// JSON (calls:FILE); docs/audit.md has more
    #[arg(long, value_name = "WHAT", require_equals = true, num_args = 0..=1,
        default_missing_value = "rights")]
    pub audit: Option<audit::Wish>,

    /// Passed on to the guest; older runtimes took it before TARGET
    #[arg(long, hide = true)]
    pub bench: bool,

    /// A .wasm or .wat file, a project (the directory of a Cargo.toml, package.json or Makefile),
    /// or a source file (.c, .ts), then the arguments for the guest
    #[arg(value_names = ["TARGET", "ARGS"], required = true, num_args = 1..,
        trailing_var_arg = true)]
    pub target_and_args: Vec<OsString>,

    #[command(flatten)]
    pub guest: GuestArgs,
    #[command(flatten)]
    pub node: NodeArgs,
    #[command(flatten)]
    pub build: BuildArgs,
}

/// Run the tests of a module, a source file or a project
///
/// What is not a module is built first. What follows TARGET are libtest's usual flags; see
/// `lunatic test TARGET --help`.
#[derive(Args, Debug)]
#[command(after_help = status::help())]
pub struct TestArgs {
    /// A .wasm or .wat file, a project (its directory; the current one if none is given) or a
    /// source file, then flags for the test harness
    #[arg(value_names = ["TARGET", "FLAGS"], num_args = 0.., trailing_var_arg = true)]
    pub target_and_args: Vec<OsString>,

    #[command(flatten)]
    pub guest: GuestArgs,
    #[command(flatten)]
    pub node: NodeArgs,
    #[command(flatten)]
    pub build: BuildArgs,
}

/// Make the Cargo project in the current directory run on Lunatic
///
/// Writes the build target and the runner to .cargo/config.toml, and changes nothing else.
#[derive(Args, Debug)]
pub struct InitArgs {}

/// Make a new project, in Rust, C or AssemblyScript
///
/// The library of the language is written into it, as source.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// The language
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub lang: Language,

    /// The directory to make; its last part is the project's name
    #[arg(value_name = "NAME")]
    pub path: PathBuf,
}

/// Print what a node would run on
///
/// The version, the system and its limits, and which ways are taken where systems differ.
#[derive(Args, Debug)]
pub struct InfoArgs {}

/// A language for which there is a library and a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Language {
    /// A Cargo project.
    Rust,
    /// A Makefile.
    C,
    /// A package.json.
    #[value(name = "assemblyscript", alias = "as")]
    AssemblyScript,
}

/// What the root process is given.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What the guest may see")]
pub struct GuestArgs {
    /// Let the guest use a directory, under another name if one is given (repeatable)
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    pub dirs: Vec<OsString>,

    /// Don't give the guest the current directory as "."
    #[arg(long)]
    pub no_default_dir: bool,

    /// Set an environment variable, or pass on the one of this name (repeatable)
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,

    /// Start from an empty environment instead of this command's
    #[arg(long)]
    pub no_inherit_env: bool,

    /// Give the guest no rights: no streams, time, random numbers, spawning, names, network,
    /// current directory or inherited environment
    #[arg(long)]
    pub sandbox: bool,

    /// The same but for this right, and streams, clocks, random numbers and spawning (repeatable),
    /// such as names, read:DIR, files:DIR, env:NAME, connect:tcp:*:443; docs/rights.md lists them.
    /// --allow-names is short for --allow names
    #[arg(long, value_name = "RIGHT")]
    pub allow: Vec<Permit>,

    /// Take this right away in the end (repeatable), such as names, write:., env:NAME
    #[arg(long, value_name = "RIGHT")]
    pub deny: Vec<Permit>,

    /// Take rights, budgets and redirections from a file in TOML; flags add to it. docs/rights.md
    /// has the form
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Give the guest no network; short for --deny 'connect:*' --deny 'bind:*' --deny resolve
    #[arg(long, conflicts_with_all = ["allow_connect", "allow_bind"])]
    pub deny_network: bool,

    /// As --allow: let the guest connect and send to these addresses, and look up names
    /// (repeatable); RULE is PROTOCOL:ADDRESSES:PORTS, such as tcp:10.0.0.0/8:8000-8999,
    /// udp:*:53, tcp:[2001:db8::/32] or *
    #[arg(long, value_name = "RULE")]
    pub allow_connect: Vec<NetworkRule>,

    /// As --allow: let the guest listen and receive at these addresses (repeatable); port 0 is one
    /// of the system's choice
    #[arg(long, value_name = "RULE")]
    pub allow_bind: Vec<NetworkRule>,

    /// Send something elsewhere, or let it come from there, without the guest knowing (repeatable),
    /// such as clock=fixed:2026-01-01T00:00:00Z, random=seed:1, stdout=file:out.txt or
    /// 'file:log/*=elasticsearch:127.0.0.1:9200/logs'; docs/redirection.md has all forms
    #[arg(long, value_name = "WHAT=WHERE")]
    pub redirect: Vec<Redirection>,
}

/// How the node runs.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How the node runs")]
pub struct NodeArgs {
    /// Largest linear memory of the root process in bytes, or with a suffix K, M or G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<u64>,

    /// Set a limit by its name, such as mailbox_messages_max=1000 (repeatable; docs/semantics.md
    /// lists them); it holds for the root and, as at most, for all its descendants. Budgets that
    /// begin with tree_ are for all of them together
    #[arg(long = "limit", value_name = "NAME=N", value_parser = limit)]
    pub limits: Vec<(String, u64)>,

    /// Threads that run processes (one for each CPU)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub workers: Option<u16>,

    /// How memories are laid out: dense holds as many processes as memory allows; guarded is for
    /// few that compute much, with 4 GiB of addresses and guard pages for each memory and faster
    /// code
    #[arg(long, value_enum, default_value_t)]
    pub tier: Tier,

    /// Compile anew instead of using the cache of compiled code
    #[arg(long)]
    pub no_cache: bool,

    /// Keep compiled code in this directory, which only you may be able to write
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    pub cache_dir: Option<PathBuf>,

    /// Print no progress, no notes and no reports of processes that fail
    #[arg(short, long)]
    pub quiet: bool,
}

/// How linear memories are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Tier {
    /// Side by side.
    #[default]
    Dense,
    /// With guard pages.
    Guarded,
}

impl From<Tier> for runtime::Tier {
    fn from(tier: Tier) -> runtime::Tier {
        match tier {
            Tier::Dense => runtime::Tier::Dense,
            Tier::Guarded => runtime::Tier::Guarded,
        }
    }
}

/// How a Cargo project is built.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "If TARGET is a Cargo project")]
pub struct BuildArgs {
    /// Build with optimisations
    #[arg(long)]
    pub release: bool,

    /// Use the program of this name
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,

    /// Use this package of the workspace
    #[arg(short, long, value_name = "NAME")]
    pub package: Option<String>,

    /// Build with these features, with commas between them (repeatable)
    #[arg(short = 'F', long, value_name = "LIST")]
    pub features: Vec<String>,
}

impl BuildArgs {
    /// Whether any of them was given.
    pub fn is_given(&self) -> bool {
        let named = self.bin.is_some() || self.package.is_some();
        self.release || named || !self.features.is_empty()
    }
}

impl RunArgs {
    /// TARGET, and the arguments that belong to the guest. A `--` right after TARGET, which older
    /// runtimes demanded before hyphens, is not one of them.
    pub fn split(&self) -> Result<(PathBuf, Vec<String>), CliError> {
        let (target, mut args) = split(&self.target_and_args)?;
        if self.bench {
            args.push("--bench".into());
        }
        Ok((target, args))
    }
}

impl TestArgs {
    /// TARGET, and the flags of the test harness.
    pub fn split(&self) -> Result<(PathBuf, Vec<String>), CliError> {
        if self.target_and_args.is_empty() {
            return Ok((PathBuf::from("."), Vec::new()));
        }
        split(&self.target_and_args)
    }
}

fn split(target_and_args: &[OsString]) -> Result<(PathBuf, Vec<String>), CliError> {
    let Some((target, args)) = target_and_args.split_first() else {
        return Err(CliError::usage("there is no TARGET"));
    };
    let args = match args.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => args,
    };
    let args = args.iter().map(|arg| {
        arg.to_str().map(String::from).ok_or_else(|| {
            let text = arg.to_string_lossy();
            CliError::usage(format!("the guest's argument `{text}` is not Unicode"))
                .hint("WebAssembly programs get their arguments as UTF-8")
        })
    });
    Ok((PathBuf::from(target), args.collect::<Result<_, _>>()?))
}

/// The whole command line with `run` put in where it is implied. `args` starts with the name of
/// the program.
pub fn with_implied_run(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|first| !is_own(first)) {
        args.insert(1, "run".into());
    }
    spell_out_rights(&mut args);
    args
}

/// `--allow-names` is `--allow=names`, and so for each right without a parameter and for `--deny`.
/// Only before TARGET: what follows belongs to the guest.
fn spell_out_rights(args: &mut [OsString]) {
    let mut takes_value = false;
    for arg in args.iter_mut().skip(2) {
        let Some(text) = arg.to_str() else { return };
        if std::mem::take(&mut takes_value) {
            continue;
        }
        if text == "--" || !text.starts_with('-') {
            return;
        }
        let [allow, deny] = ["--allow-", "--deny-"].map(|flag| text.strip_prefix(flag));
        let is_right =
            |name: &&str| *name == "resolve" || Rights::EACH.iter().any(|(_, known)| known == name);
        if let Some(name) = allow.filter(is_right) {
            *arg = format!("--allow={name}").into();
        } else if let Some(name) = deny.filter(is_right) {
            *arg = format!("--deny={name}").into();
        } else {
            takes_value = !text.contains('=') && takes_a_value(text);
        }
    }
}

/// Whether a flag takes the argument behind it as its value.
fn takes_a_value(flag: &str) -> bool {
    use clap::CommandFactory;
    let command = Cli::command();
    let commands = command.get_subcommands();
    let mut flags = commands.flat_map(|command| command.get_arguments());
    flags.any(|arg| {
        let long = arg.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long));
        let short = arg.get_short().is_some_and(|short| flag == format!("-{short}"));
        (long || short) && arg.get_action().takes_values()
    })
}

/// Names of commands, for a hint when one is misspelt.
pub const COMMANDS: [&str; 6] = ["run", "test", "init", "new", "info", "help"];

fn is_own(first: &OsStr) -> bool {
    const FLAGS: [&str; 4] = ["-h", "--help", "-V", "--version"];
    first.to_str().is_some_and(|first| COMMANDS.contains(&first) || FLAGS.contains(&first))
}

/// Reads a span of time in seconds, fractions allowed.
pub fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds, such as 5 or 0.5".into())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port, such as 127.0.0.1:9464 or [::1]:9464".into()
    })
}

/// Reads a size in bytes; K, M and G stand for powers of 1024.
fn limit(text: &str) -> Result<(String, u64), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("expected NAME=N, such as mailbox_messages_max=1000".into());
    };
    let known: Vec<_> = runtime::limit_names().collect();
    if !known.contains(&name) {
        return Err(format!("there is no limit of this name; there are {}", known.join(", ")));
    }
    Ok((name.to_owned(), size(value)?))
}

pub fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "expected a number of bytes, such as 65536, 512K, 64M or 1G".into())
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
