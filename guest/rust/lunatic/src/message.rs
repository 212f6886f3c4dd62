//! Messages below types: tags, patterns, envelopes. Mailboxes, calls and behaviours are built on
//! this; programs rarely need it.
//!
//! The runtime has one slot for the message that a process writes or has received last. An
//! [`Envelope`] stands for what lies in that slot; reading it after something else was written or
//! received is an error, which a number that counts these makes sure of.

use core::cell::Cell;
use core::fmt;
use core::mem::MaybeUninit;
use std::error::Error;
use std::time::Duration;

use crate::abi::{self, TIMED_OUT};
pub use crate::envelope::{DecodeError, Down, Envelope, Exit, Kind, ReceiveError};
use crate::format::{EncodeError, Format, Output, Postcard};
pub use crate::pattern::{Header, Pattern};
use crate::pid::{Pid, Ref};

/// Tags below 0 belong to the libraries: `guest/wire.md` says what each is for.
///
/// ```
/// use std::time::Duration;
/// use lunatic::message::{Destination, Pattern, receive, send, tag};
/// use lunatic::{Mailbox, Pid, Postcard};
///
/// // Tags above 0 are the program's own; a mailbox takes those without one.
/// const URGENT: i64 = 1;
/// let me = Destination::Pid(Pid::this());
/// send::<u8, Postcard>(me, tag::NONE, &1, None).unwrap();
/// send::<u8, Postcard>(me, URGENT, &2, None).unwrap();
/// let first = receive(&[Pattern::tag(URGENT)], Some(Duration::ZERO)).unwrap();
/// assert_eq!(first.decode::<u8, Postcard>(), Ok(2));
/// assert_eq!(Mailbox::<u8>::new().receive(), Ok(1));
/// ```
pub mod tag {
    /// No tag: plain messages.
    pub const NONE: i64 = 0;
    /// A call: 16 bytes of the reference to answer to, then the request.
    pub const CALL: i64 = -1;
    /// A request without an answer.
    pub const CAST: i64 = -2;
    /// The answer to a call.
    pub const REPLY: i64 = -3;
    /// What the entry of a spawned process needs.
    pub const ARGUMENT: i64 = -4;
    /// How a synchronous start went.
    pub const STARTED: i64 = -5;
    /// What every behaviour understands: 16 bytes of the reference to answer to, then the request.
    pub const SYSTEM: i64 = -6;
}

thread_local! {
    /// Counts what came into the slot.
    pub(crate) static SLOT: Cell<u32> = const { Cell::new(0) };
    /// Resources of the message that is being decoded; `None` while none is.
    pub(crate) static DECODING: Cell<Option<u32>> = const { Cell::new(None) };
    /// Whether a message is being encoded into the slot.
    static ENCODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether resources can be put into a message now.
pub(crate) fn is_encoding() -> bool {
    ENCODING.get()
}

/// Takes a resource out of the message that is being decoded.
pub(crate) fn take_resource<E: serde::de::Error>(
    index: u32,
    take: impl FnOnce(u64) -> u64,
) -> Result<u64, E> {
    match DECODING.get() {
        Some(resources) if index < resources => {}
        Some(_) => return Err(E::custom("the message has no such resource")),
        None => return Err(E::custom("a resource can only be read from a message")),
    }
    // The host traps where it has another kind of resource, or none any more: what a stranger has
    // sent must not end this process.
    crate::panic::catch(|| take(index.into())).map_err(|_| {
        E::custom("the resource in the message is of another kind, or was taken before")
    })
}

/// What was being read or written when a trap was caught is over.
pub(crate) fn forget_what_was_begun() {
    DECODING.set(None);
    ENCODING.set(false);
    next_slot();
}

fn next_slot() -> u32 {
    let number = SLOT.get().wrapping_add(1);
    SLOT.set(number);
    number
}

/// A deadline as the ABI wants it: milliseconds, rounded up.
pub(crate) fn milliseconds(timeout: Option<Duration>) -> u64 {
    let Some(timeout) = timeout else { return u64::MAX };
    let rest = u64::from(timeout.subsec_nanos().div_ceil(1_000_000));
    timeout.as_secs().saturating_mul(1000).saturating_add(rest).min(u64::MAX - 1)
}

/// Takes the oldest message that one of the patterns takes; without patterns, the oldest of all.
/// `None` if there was none within the timeout.
///
/// # Panics
///
/// Traps if there are more than 256 patterns.
///
/// ```
/// use std::time::Duration;
/// use lunatic::Pid;
/// use lunatic::message::{receive, Kind, Pattern};
///
/// lunatic::send(Pid::this(), 1u8).unwrap();
/// let envelope = receive(&[Pattern::MESSAGE, Pattern::DOWN], Some(Duration::ZERO)).unwrap();
/// assert_eq!(envelope.kind(), Kind::Message);
/// assert_eq!(envelope.into_bytes().unwrap(), [1]);
/// ```
pub fn receive(patterns: &[Pattern], timeout: Option<Duration>) -> Option<Envelope> {
    receive_flags(patterns, 0, timeout)
}

/// The same among what has arrived since [`mark`].
pub fn receive_marked(patterns: &[Pattern], timeout: Option<Duration>) -> Option<Envelope> {
    receive_flags(patterns, 1, timeout)
}

#[inline]
fn receive_flags(patterns: &[Pattern], flags: u32, timeout: Option<Duration>) -> Option<Envelope> {
    let mut header = MaybeUninit::<Header>::uninit();
    let timeout = milliseconds(timeout);
    // SAFETY: patterns and header have the layout of the ABI (a test holds their sizes).
    let result = unsafe {
        abi::message::receive_with(
            patterns.as_ptr(),
            patterns.len(),
            flags,
            timeout,
            header.as_mut_ptr(),
        )
    };
    if result == TIMED_OUT {
        return None;
    }
    // SAFETY: all other results have stored the header.
    Some(Envelope::new(unsafe { header.assume_init() }, next_slot()))
}

/// Remembers what is in the mailbox now, for [`receive_marked`]: who waits for an answer to what it
/// is about to send need not look at what was there before.
///
/// ```
/// use std::time::Duration;
/// use lunatic::message::{self, Pattern};
/// use lunatic::Pid;
///
/// for number in 1..=3u8 {
///     lunatic::send(Pid::this(), number).unwrap();
/// }
/// message::mark();
/// lunatic::send(Pid::this(), 4u8).unwrap();
/// // What was there before is not even looked at.
/// let envelope = message::receive_marked(&[Pattern::MESSAGE], None).unwrap();
/// assert_eq!(envelope.into_bytes().unwrap(), [4]);
/// # while let Some(envelope) = message::receive(&[Pattern::MESSAGE], Some(Duration::ZERO)) {
/// #     drop(envelope.into_bytes());
/// # }
/// ```
pub fn mark() {
    // SAFETY: no pointers.
    unsafe { abi::message::mark() }
}

/// Where a message can be sent.
///
/// ```
/// use lunatic::message::Destination;
/// use lunatic::process::AliasOptions;
/// use lunatic::{Alias, Mailbox, Pid, register, send, unregister};
///
/// let alias = Alias::new(AliasOptions { urgent_messages: true, ..Default::default() });
/// register("here", Pid::this()).unwrap();
/// send(Destination::Pid(Pid::this()), 1u8).unwrap();
/// send(Destination::Name("here"), 2u8).unwrap();
/// send(Destination::Alias(alias.reference()), 3u8).unwrap();
/// send(Destination::Urgent(alias.reference()), 4u8).unwrap();
/// let mailbox = Mailbox::<u8>::new();
/// let order = [(); 4].map(|()| mailbox.receive().unwrap());
/// assert_eq!(order, [4, 1, 2, 3]);
/// # unregister("here");
/// # alias.end();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination<'a> {
    /// A process. What is sent to one that does not exist vanishes.
    Pid(Pid),
    /// The process that has the name now.
    Name(&'a str),
    /// The process that made the alias, or the monitor that is one.
    Alias(Ref),
    /// The same, before ordinary messages, if the alias takes such.
    Urgent(Ref),
}

impl From<Pid> for Destination<'_> {
    fn from(pid: Pid) -> Self {
        Destination::Pid(pid)
    }
}

impl<'a> From<&'a str> for Destination<'a> {
    fn from(name: &'a str) -> Self {
        Destination::Name(name)
    }
}

/// Why a message was not sent.
///
/// ```
/// use lunatic::SendError;
///
/// assert_eq!(lunatic::send("nobody", 1u8), Err(SendError::NoName));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum SendError {
    /// The mailbox was full until the deadline.
    Timeout,
    /// Nobody has the name.
    NoName,
    /// The message cannot be written in its format.
    Encode(EncodeError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Timeout => f.write_str("the mailbox was full until the deadline"),
            SendError::NoName => f.write_str("nobody has the name"),
            SendError::Encode(error) => error.fmt(f),
        }
    }
}

impl Error for SendError {}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> SendError {
        SendError::Encode(error)
    }
}

/// Makes a message and puts it into the slot: tag, what stands before the body, the body.
#[inline]
pub(crate) fn create<T, F: Format<T>>(tag: i64, head: &[u8], body: &T) -> Result<(), EncodeError> {
    next_slot();
    // SAFETY: no pointers.
    unsafe { abi::message::create_data(tag, 0) };
    let mut output = Output::into_message();
    output.write(head);
    ENCODING.set(true);
    let result = F::encode(body, &mut output);
    ENCODING.set(false);
    output.flush();
    result
}

/// Sends what is in the slot.
#[inline]
pub(crate) fn send_created(
    to: Destination<'_>,
    timeout: Option<Duration>,
) -> Result<(), SendError> {
    let timeout = milliseconds(timeout);
    // SAFETY: the name is a string that lives during the call.
    let result = unsafe {
        match to {
            Destination::Pid(pid) => abi::message::send_pid(pid.node(), pid.id(), timeout),
            Destination::Name(name) => abi::message::send_name(name.as_ptr(), name.len(), timeout),
            Destination::Alias(alias) => {
                abi::message::send_alias(alias.node(), alias.id(), 0, timeout)
            }
            Destination::Urgent(alias) => {
                abi::message::send_alias(alias.node(), alias.id(), 1, timeout)
            }
        }
    };
    match result {
        0 => Ok(()),
        TIMED_OUT => Err(SendError::Timeout),
        _ => Err(SendError::NoName),
    }
}

/// Sends a message with a tag. Without a timeout it waits while the mailbox of the receiver is
/// full.
///
/// # Errors
///
/// If it was full until the timeout, nobody has the name, or the body cannot be written.
pub fn send<T, F: Format<T>>(
    to: Destination<'_>,
    tag: i64,
    body: &T,
    timeout: Option<Duration>,
) -> Result<(), SendError> {
    create::<T, F>(tag, &[], body)?;
    send_created(to, timeout)
}

/// The same for a message that begins with the reference to answer to: a call or a system message.
///
/// # Errors
///
/// As for [`send`].
///
/// ```
/// use lunatic::message::{self, Destination, Pattern, tag};
/// use lunatic::{Mailbox, Pid, Postcard, process::MonitorOptions, spawn};
///
/// let server = spawn((), |(), _: Mailbox<()>| {
///     let envelope = message::receive(&[Pattern::tag(tag::CALL)], None).unwrap();
///     let (from, number) = envelope.decode_call::<u8, Postcard>().unwrap();
///     message::reply::<u8, Postcard>(from, &(number + 1)).unwrap();
/// });
/// // What `lunatic::call` does: the reference of a monitor is the place for one answer.
/// let monitor = server.monitor_with(MonitorOptions::CALL);
/// let (to, answer) = (Destination::Pid(server.pid()), monitor.reference());
/// message::send_call::<u8, Postcard>(to, tag::CALL, answer, &1, None).unwrap();
/// let envelope = message::receive(&[Pattern::reference(answer)], None).unwrap();
/// assert_eq!(envelope.decode::<u8, Postcard>(), Ok(2));
/// ```
pub fn send_call<T, F: Format<T>>(
    to: Destination<'_>,
    tag: i64,
    answer_to: Ref,
    body: &T,
    timeout: Option<Duration>,
) -> Result<(), SendError> {
    create::<T, F>(tag, &answer_to.to_bytes(), body)?;
    send_created(to, timeout)
}

/// Answers a call. If the caller no longer waits, the answer vanishes.
///
/// # Errors
///
/// If the body cannot be written.
pub fn reply<T, F: Format<T>>(to: Ref, body: &T) -> Result<(), SendError> {
    send::<T, F>(Destination::Alias(to), tag::REPLY, body, None)
}

/// Answers a call in the format of the libraries.
///
/// # Errors
///
/// If the body cannot be written.
///
/// ```
/// use lunatic::message::{self, Pattern, tag};
/// use lunatic::{Mailbox, Postcard, call, spawn};
///
/// let server = spawn((), |(), _: Mailbox<()>| {
///     let envelope = message::receive(&[Pattern::tag(tag::CALL)], None).unwrap();
///     let (from, ()) = envelope.decode_call::<(), Postcard>().unwrap();
///     message::reply_postcard(from, &"here".to_owned()).unwrap();
/// });
/// assert_eq!(call::<(), String, Postcard>(server.pid(), &(), None).as_deref(), Ok("here"));
/// ```
pub fn reply_postcard<T>(to: Ref, body: &T) -> Result<(), SendError>
where
    Postcard: Format<T>,
{
    reply::<T, Postcard>(to, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_rounded_up_and_never_become_none() {
        let cases = [
            (None, u64::MAX),
            (Some(Duration::ZERO), 0),
            (Some(Duration::from_nanos(1)), 1),
            (Some(Duration::from_millis(5)), 5),
            (Some(Duration::from_micros(5001)), 6),
            (Some(Duration::MAX), u64::MAX - 1),
        ];
        for (timeout, expected) in cases {
            assert_eq!(milliseconds(timeout), expected, "{timeout:?}");
        }
    }
}
