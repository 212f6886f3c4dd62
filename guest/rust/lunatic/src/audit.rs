//! Audits: a process hears what its children do, which rights they lack or use, and each call of
//! the host. `abi/audit.md` of the runtime has the rules.
//!
//! ```
//! use lunatic::audit::{Audit, Event, Report};
//! use lunatic::{Config, Mailbox, Spawn};
//!
//! let reports = Mailbox::<Report>::new();
//! let config = Config::new().unwrap().audit(&reports, Audit::new().denied()).unwrap();
//! // It has no right to print.
//! let child = Spawn::new().config(&config).spawn((), |(), _: Mailbox<()>| println!("hello"));
//! let report = reports.receive().unwrap();
//! assert_eq!(report.process, child.unwrap().pid());
//! let Event::Denied { right, call } = report.event else { panic!("{report:?}") };
//! assert_eq!((&*right, &*call), ("stdout", "fd_write"));
//! ```

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::abi;
use crate::config::Config;
use crate::host_error::HostError;
use crate::mailbox::Mailbox;
use crate::pid::Pid;

const DENIED: u32 = 1;
const USED: u32 = 1 << 1;
const CALLS: u32 = 1 << 2;
const ALONE: u32 = 1 << 3;

/// What is heard: nothing at first.
///
/// ```
/// use lunatic::audit::Audit;
///
/// let rights = Audit::new().denied().used();
/// let everything = rights.calls();
/// assert_ne!(everything, everything.alone());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Audit {
    flags: u32,
}

impl Audit {
    /// Nothing, of children and all their descendants.
    pub const fn new() -> Audit {
        Audit { flags: 0 }
    }

    /// Each time that a process lacks a right.
    pub const fn denied(self) -> Audit {
        Audit { flags: self.flags | DENIED }
    }

    /// Each use of a right.
    pub const fn used(self) -> Audit {
        Audit { flags: self.flags | USED }
    }

    /// Every call of a host function.
    pub const fn calls(self) -> Audit {
        Audit { flags: self.flags | CALLS }
    }

    /// Of children alone, not of theirs.
    pub const fn alone(self) -> Audit {
        Audit { flags: self.flags | ALONE }
    }
}

impl Config {
    /// Lets this process hear of children that are spawned with this configuration. A later call
    /// takes the place of an earlier one; with [`Audit::new`] nothing is heard.
    ///
    /// What comes is a plain message, so that a process that is to receive others, too, needs
    /// another process to hear. Nobody waits for it: what its mailbox has no room for is dropped,
    /// and counted in the next report.
    ///
    /// # Errors
    ///
    /// If this process may inspect nobody, or if the children would have more than 8 listeners.
    pub fn audit(self, _reports: &Mailbox<Report>, audit: Audit) -> Result<Config, HostError> {
        let mut error = 0;
        // SAFETY: the place has eight bytes.
        let result = unsafe {
            let tag = crate::message::tag::NONE;
            abi::process::config_audit(self.id(), tag, audit.flags, &raw mut error)
        };
        HostError::check(result, error)?;
        Ok(self)
    }
}

/// Something that a process did, or tried to do.
///
/// ```
/// use lunatic::audit::Report;
///
/// fn print(report: &Report) {
///     if report.left_out > 0 {
///         println!("… {} left out", report.left_out);
///     }
///     println!("{:?}: {:?}", report.process, report.event);
/// }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// So many were dropped before it, for want of room in the mailbox.
    pub left_out: u64,
    /// Who did it.
    pub process: Pid,
    /// What it did.
    pub event: Event,
}

/// What a process did.
///
/// ```
/// use lunatic::audit::Event;
///
/// fn line(event: &Event) -> String {
///     match event {
///         Event::Denied { right, call } => format!("{call}: lacks {right}"),
///         Event::Used { right, call } => format!("{call}: uses {right}"),
///         Event::Called(call) => format!("{} took {:?}", call.name, call.took()),
///     }
/// }
///
/// let denied = Event::Denied { right: "stdout".into(), call: "fd_write".into() };
/// assert_eq!(line(&denied), "fd_write: lacks stdout");
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// It lacked a right.
    Denied {
        /// What would have allowed it, as configurations, flags and policies have it.
        right: String,
        /// What it tried.
        call: String,
    },
    /// It made use of a right.
    Used {
        /// The right, no wider than needed.
        right: String,
        /// For what.
        call: String,
    },
    /// It called the host, and that is over.
    Called(Call),
}

/// One call of a host function.
///
/// ```
/// use lunatic::audit::Call;
/// use std::time::{Duration, SystemTime};
///
/// /// Calls of the last minute that kept their process for longer than a second.
/// fn is_slow(call: &Call) -> bool {
///     let recent = SystemTime::now() - Duration::from_secs(60);
///     call.at() > recent && call.took() > Duration::from_secs(1)
/// }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call {
    at: u64,
    took: u64,
    /// Namespace and name of the function, such as `lunatic::timer.send_after`.
    pub name: String,
    /// What it was given. A text is one argument, and an address, too.
    pub arguments: Vec<Value>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Call {
    /// When it began.
    pub fn at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.at)
    }

    /// How long it took, waiting included.
    pub fn took(&self) -> Duration {
        Duration::from_micros(self.took)
    }
}

/// A value that went in or came out.
///
/// ```
/// use lunatic::audit::Value;
///
/// let value = Value::Text("data/a.txt".into());
/// assert!(matches!(&value, Value::Text(path) if path.starts_with("data/")));
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Value {
    /// An integer of 32 or 64 bits, read as signed.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text, of which there are at most 256 bytes.
    Text(String),
    /// Something that has no simple form.
    Other,
}

/// How a call ended.
///
/// ```
/// use lunatic::audit::{Outcome, Value};
///
/// let outcome = Outcome::Returned(vec![Value::Integer(0)]);
/// let worked = matches!(&outcome, Outcome::Returned(results) if *results == [Value::Integer(0)]);
/// assert!(worked);
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// It gave these results.
    Returned(Vec<Value>),
    /// It trapped, or ended its process, for this reason.
    Failed(String),
    /// Its process was ended while it waited.
    Ended,
}
