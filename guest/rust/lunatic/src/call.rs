//! Calls: a request and its answer, as `guest/wire.md` says. Servers are built on it; it leaves
//! nothing behind whatever happens: a late answer vanishes.

use core::fmt;
use std::error::Error;
use std::time::Duration;

use crate::format::{EncodeError, Format};
use crate::message::{self, DecodeError, Destination, Kind, Pattern, SendError, tag};
use crate::process::{Monitor, MonitorOptions};
use crate::reason::ExitReason;

/// Why a call has no answer.
///
/// ```
/// use lunatic::{CallError, ExitReason, Pid, Postcard, call};
///
/// let nobody = Pid::new(0, 999_999_999);
/// let error = call::<(), (), Postcard>(nobody, &(), None).unwrap_err();
/// assert_eq!(error, CallError::Down(ExitReason::NoProcess));
/// assert_eq!(error.to_string(), "the server has ended: noproc");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum CallError {
    /// There was none in time. If it comes later, it vanishes.
    Timeout,
    /// The server has ended, or there is none ([`ExitReason::NoProcess`]).
    Down(ExitReason),
    /// The answer is not what is expected.
    Decode(DecodeError),
    /// The request cannot be written.
    Encode(EncodeError),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Timeout => f.write_str("the server did not answer in time"),
            CallError::Down(reason) => write!(f, "the server has ended: {reason}"),
            CallError::Decode(error) => error.fmt(f),
            CallError::Encode(error) => error.fmt(f),
        }
    }
}

impl Error for CallError {}

/// Asks a process, given by pid or by name, and waits for its answer. Without a timeout, for ever
/// or until it ends.
///
/// # Errors
///
/// If there is no answer, and why.
///
/// ```
/// use std::time::Duration;
/// use lunatic::message::{self, Pattern, tag};
/// use lunatic::{Mailbox, Postcard, call, spawn_link};
///
/// // A server by hand: it doubles one number.
/// let server = spawn_link((), |(), _: Mailbox<()>| {
///     let envelope = message::receive(&[Pattern::tag(tag::CALL)], None).unwrap();
///     let (from, number) = envelope.decode_call::<u32, Postcard>().unwrap();
///     message::reply_postcard(from, &(number * 2)).unwrap();
/// });
/// let answer = call::<u32, u32, Postcard>(server.pid(), &21, Some(Duration::from_secs(5)));
/// assert_eq!(answer, Ok(42));
/// ```
pub fn call<'a, Q, A, F>(
    server: impl Into<Destination<'a>>,
    request: &Q,
    timeout: Option<Duration>,
) -> Result<A, CallError>
where
    F: Format<Q> + Format<A>,
{
    call_tagged::<Q, A, F>(server.into(), tag::CALL, request, timeout)
}

/// The same with another tag: for system messages.
///
/// # Errors
///
/// As [`call`].
///
/// ```
/// use lunatic::message::{self, Destination, Pattern};
/// use lunatic::{Mailbox, Postcard, call_tagged, spawn_link};
///
/// let server = spawn_link((), |(), _: Mailbox<()>| {
///     let envelope = message::receive(&[Pattern::tag(7)], None).unwrap();
///     let (from, text) = envelope.decode_call::<String, Postcard>().unwrap();
///     message::reply_postcard(from, &text.len()).unwrap();
/// });
/// let to = Destination::Pid(server.pid());
/// let answer = call_tagged::<_, usize, Postcard>(to, 7, &"hello".to_owned(), None);
/// assert_eq!(answer, Ok(5));
/// ```
pub fn call_tagged<Q, A, F>(
    server: Destination<'_>,
    tag: i64,
    request: &Q,
    timeout: Option<Duration>,
) -> Result<A, CallError>
where
    F: Format<Q> + Format<A>,
{
    let monitor = match server {
        Destination::Pid(pid) => pid.monitor_with(MonitorOptions::CALL),
        Destination::Name(name) => Monitor::of_name(name, MonitorOptions::CALL),
        // Nobody can watch through an alias.
        Destination::Alias(_) | Destination::Urgent(_) => {
            return Err(CallError::Down(ExitReason::NoProcess));
        }
    };
    let reference = monitor.reference();
    match message::send_call::<Q, F>(server, tag, reference, request, timeout) {
        Ok(()) | Err(SendError::NoName) => {}
        Err(SendError::Timeout) => {
            monitor.demonitor();
            return Err(CallError::Timeout);
        }
        Err(SendError::Encode(error)) => {
            monitor.demonitor();
            return Err(CallError::Encode(error));
        }
    }
    let pattern = [Pattern::reference(reference)];
    let envelope = match message::receive(&pattern, timeout) {
        Some(envelope) => envelope,
        None => {
            monitor.demonitor();
            // The answer may have come between the two.
            let last = message::receive(&pattern, Some(Duration::ZERO));
            last.ok_or(CallError::Timeout)?
        }
    };
    if envelope.kind() == Kind::Message {
        return envelope.decode::<A, F>().map_err(CallError::Decode);
    }
    Err(CallError::Down(envelope.down().map_or(ExitReason::NoProcess, |down| down.reason)))
}
