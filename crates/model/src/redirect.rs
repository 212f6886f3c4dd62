//! Redirections: what of a process goes where, and how that is written.
//!
//! `WHAT=WHERE` with options behind it, such as `stdout=null`, `clock=fixed:2026-01-01T00:00:00Z`
//! or `file:log/*=elasticsearch:127.0.0.1:9200/logs,loss=drop-oldest`. **Invariant:** a value of
//! [`Redirection`] makes sense: its target can stand for what it redirects. Nothing here opens
//! anything; `docs/redirection.md` is the contract.

use std::net::IpAddr;
use std::str::FromStr;

use crate::NetworkRule;

pub use pattern::PathPattern;
pub use routes::Routes;

mod pattern;
mod routes;
mod text;

/// Bytes of a written redirection.
pub const REDIRECTION_BYTES_MAX: usize = 4096;

/// One redirection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirection {
    /// What is redirected.
    pub what: What,
    /// Where it goes, or comes from.
    pub target: Target,
    /// Options as they were written: a known name, and its value.
    pub options: Vec<(SinkOption, u64)>,
    /// What happens to a line for which a sink has no room.
    pub loss: LossPolicy,
}

/// What can be redirected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Both clocks.
    Clock,
    /// Random numbers.
    Random,
    /// An environment variable.
    Variable(String),
    /// Files, by the names that the program uses.
    Files(PathPattern),
    /// A whole directory that the program is given, by its name.
    Directory(String),
    /// Connections and datagrams to addresses.
    Connect(NetworkRule),
    /// Names of hosts that are looked up: one, or all without a name.
    Host(Option<String>),
}

/// Where it can go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Nowhere; for a variable: it is not there.
    Null,
    /// A file of the host.
    File(String),
    /// A text of the redirection's own.
    Text(String),
    /// A clock that stands at this time, in nanoseconds since 1970.
    FixedTime(u64),
    /// A clock that starts here and goes on by so many nanoseconds each time it is read.
    SteppedTime(u64, u64),
    /// A clock that shows these times one after the other, and then the last.
    ScriptedTime(Vec<u64>),
    /// Numbers that follow from this one.
    Seed(u64),
    /// Lines over TCP to `host:port`.
    Tcp(String),
    /// Lines over TLS to `host:port`.
    Tls(String),
    /// Syslog over TCP to `host:port`.
    SyslogTcp(String),
    /// Syslog over TLS to `host:port`.
    SyslogTls(String),
    /// Syslog over UDP to `host:port`.
    SyslogUdp(String),
    /// Elasticsearch.
    Elasticsearch {
        /// `host:port`.
        address: String,
        /// The index or data stream.
        index: String,
        /// Over TLS.
        tls: bool,
    },
    /// Lines that are posted.
    Http {
        /// `host:port`.
        address: String,
        /// The path, with a query if there is one.
        path: String,
        /// Over TLS.
        tls: bool,
    },
    /// What who redirects has himself.
    Own,
    /// Another address, and a port where it is another one.
    Address(IpAddr, Option<u16>),
    /// A fixed list of addresses for a name.
    Addresses(Vec<IpAddr>),
    /// A process, to be named beside the text: it is sent what is written, or asked.
    Process,
}

/// Numbers that options of sinks set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SinkOption {
    /// Lines in the queue.
    QueueLines,
    /// Bytes in the queue.
    QueueBytes,
    /// Lines sent at once.
    BatchLines,
    /// Bytes sent at once.
    BatchBytes,
    /// Milliseconds for which a line waits for others.
    BatchMilliseconds,
    /// Milliseconds before the first repetition.
    RetryMilliseconds,
    /// Milliseconds between repetitions at most.
    RetryMaxMilliseconds,
}

/// What happens to a line for which a sink has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LossPolicy {
    /// Its writer waits.
    #[default]
    Block,
    /// It is dropped.
    DropNewest,
    /// The oldest is dropped.
    DropOldest,
}

/// Why a text is no redirection.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RedirectionError {
    /// Longer than [`REDIRECTION_BYTES_MAX`].
    #[error("a redirection has at most {REDIRECTION_BYTES_MAX} bytes")]
    TooLong,
    /// Without an equals sign.
    #[error("`{0}` is no redirection: write WHAT=WHERE, such as stdout=null")]
    Form(String),
    /// The part before the equals sign.
    #[error(
        "`{0}` cannot be redirected: there are stdin, stdout, stderr, clock, random, env:NAME, \
         file:PATTERN, dir:NAME, connect:RULE and host:NAME"
    )]
    What(String),
    /// Something that is never redirected, and what to do instead.
    #[error("`{0}` cannot be redirected: {1}")]
    Never(String, &'static str),
    /// The part behind it.
    #[error("`{0}` is no target: {1}")]
    Target(String, &'static str),
    /// An option with a value that it cannot have.
    #[error("the option `{0}` cannot have this value: {1}")]
    Value(String, &'static str),
    /// Both are known, but not for each other.
    #[error("`{0}` cannot go to `{1}`: {2}")]
    Unfit(String, String, &'static str),
}

impl Redirection {
    /// Reads its two parts: WHAT, and WHERE with options behind it.
    pub fn of(what: &str, target: &str) -> Result<Redirection, RedirectionError> {
        text::parse(what, target)
    }

    /// A redirection to a process.
    pub fn to_process(what: &str) -> Result<Redirection, RedirectionError> {
        text::to_process(what)
    }
}

impl FromStr for Redirection {
    type Err = RedirectionError;

    fn from_str(text: &str) -> Result<Redirection, RedirectionError> {
        let form = || RedirectionError::Form(text.chars().take(80).collect());
        let (what, target) = text.split_once('=').ok_or_else(form)?;
        text::parse(what, target)
    }
}

impl Target {
    /// Whether it takes lines, from as many writers as there are.
    pub fn is_sink(&self) -> bool {
        matches!(
            self,
            Target::Tcp(_)
                | Target::Tls(_)
                | Target::SyslogTcp(_)
                | Target::SyslogTls(_)
                | Target::SyslogUdp(_)
                | Target::Elasticsearch { .. }
                | Target::Http { .. }
        )
    }

    /// Why it cannot stand for that, if so.
    fn unfit(&self, what: &What) -> Option<&'static str> {
        use Target::{
            Address, Addresses, FixedTime, Null, Own, Process, ScriptedTime, SteppedTime,
        };
        let fits = match what {
            What::Stdin => matches!(self, Null | Target::File(_) | Target::Text(_) | Own | Process),
            What::Stdout | What::Stderr => {
                matches!(self, Null | Target::File(_) | Own | Process) || self.is_sink()
            }
            What::Files(_) => matches!(self, Null | Target::File(_) | Process) || self.is_sink(),
            What::Directory(_) => matches!(self, Process),
            What::Clock => {
                matches!(self, FixedTime(_) | SteppedTime(..) | ScriptedTime(_) | Own | Process)
            }
            What::Random => matches!(self, Target::Seed(_) | Own | Process),
            What::Variable(_) => matches!(self, Null | Target::Text(_) | Own),
            What::Connect(_) => matches!(self, Null | Address(..) | Process),
            What::Host(_) => matches!(self, Null | Addresses(_) | Process),
        };
        (!fits).then_some(match what {
            What::Stdin => "input comes from null, file: or text:",
            What::Stdout | What::Stderr | What::Files(_) => {
                "output goes to null, file:, tcp:, tls:, syslog:, elasticsearch: or http:"
            }
            What::Directory(_) => "a directory is served by a process, which only guests can name",
            What::Clock => "a clock is fixed:, step: or script:",
            What::Random => "random numbers come from seed:",
            What::Variable(_) => "a variable is null or text:",
            What::Connect(_) => "a connection goes to null or address:",
            What::Host(_) => "a name is null or addresses:",
        })
    }
}
