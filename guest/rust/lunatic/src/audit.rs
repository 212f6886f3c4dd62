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
/// // What children themselves are denied, and which rights they make use of.
/// let audit = Audit::new().denied().used().alone();
/// assert_ne!(audit, Audit::default());
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
/// use lunatic::audit::{Event, Report};
/// use lunatic::Pid;
///
/// /// One line of a log.
/// fn line(report: &Report) -> String {
///     let Report { left_out, process, event } = report;
///     let what = match event {
///         Event::Denied { right, call } => format!("wanted {call} and lacks {right}"),
///         Event::Used { right, call } => format!("used {right} for {call}"),
///         Event::Called(call) => format!("called {}", call.name),
///     };
///     format!("{left_out} lost; {process} {what}")
/// }
///
/// let event = Event::Used { right: "stdout".into(), call: "fd_write".into() };
/// let report = Report { left_out: 0, process: Pid::new(0, 7), event };
/// assert_eq!(line(&report), "0 lost; <0.7> used stdout for fd_write");
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
/// fn is_denied(event: &Event, wanted: &str) -> bool {
///     matches!(event, Event::Denied { right, .. } if right == wanted)
/// }
///
/// let event = Event::Denied { right: "spawn".into(), call: "spawn_with".into() };
/// assert!(is_denied(&event, "spawn"));
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
/// use std::time::{Duration, SystemTime};
/// use lunatic::audit::{Audit, Event, Outcome, Report, Value};
/// use lunatic::{Config, Mailbox, Spawn};
///
/// let reports = Mailbox::<Report>::new();
/// let config = Config::new().unwrap().audit(&reports, Audit::new().calls()).unwrap();
/// let (_, end) = Spawn::new()
///     .config(&config)
///     .spawn_monitor((), |(), _: Mailbox<()>| lunatic::sleep(Duration::from_millis(1)))
///     .unwrap();
/// loop {
///     let Event::Called(call) = reports.receive().unwrap().event else { continue };
///     if call.name == "lunatic::process.sleep_ms" {
///         assert_eq!(call.arguments, [Value::Integer(1)]);
///         assert_eq!(call.outcome, Outcome::Returned(Vec::new()));
///         assert!(call.took() >= Duration::from_millis(1) && call.at() < SystemTime::now());
///         break;
///     }
/// }
/// # end.wait(None);
/// # while reports.receive_timeout(Duration::ZERO).is_ok() {}
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
/// fn shown(value: &Value) -> String {
///     match value {
///         Value::Integer(number) => number.to_string(),
///         Value::Float(number) => number.to_string(),
///         Value::Text(text) => format!("{text:?}"),
///         Value::Other => "?".to_owned(),
///     }
/// }
///
/// assert_eq!(shown(&Value::Text("a".into())), "\"a\"");
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
/// let went_well = matches!(&outcome, Outcome::Returned(values) if values[0] == Value::Integer(0));
/// assert!(went_well);
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
