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
use crate::pid::{Pid, Ref};

/// Tags below 0 belong to the libraries: `guest/wire.md` says what each is for.
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

/// Which messages a receive takes.
///
/// ```
/// use std::time::Duration;
/// use lunatic::message::{self, Pattern};
///
/// let nobody = lunatic::Pid::new(0, 999_999_999);
/// let monitor = nobody.monitor();
/// // The down of this monitor, or a message through its alias.
/// let envelope = message::receive(&[Pattern::reference(monitor.reference())], None).unwrap();
/// assert!(envelope.kind() == message::Kind::Down);
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Pattern {
    kinds: u32,
    equal: u32,
    tag: i64,
    sender: Pid,
    reference: Ref,
}

const MESSAGES: u32 = 1;
const EXITS: u32 = 2;
const DOWNS: u32 = 4;
const TAG: u32 = 1;
const SENDER: u32 = 2;
const REFERENCE: u32 = 4;

impl Pattern {
    /// Messages, exits and downs.
    pub const ANY: Pattern = Pattern::kinds(MESSAGES | EXITS | DOWNS);
    /// Messages.
    pub const MESSAGE: Pattern = Pattern::kinds(MESSAGES);
    /// Exits of linked processes that were trapped.
    pub const EXIT: Pattern = Pattern::kinds(EXITS);
    /// Downs of monitors.
    pub const DOWN: Pattern = Pattern::kinds(DOWNS);

    const fn kinds(kinds: u32) -> Pattern {
        Pattern { kinds, equal: 0, tag: 0, sender: Pid::NONE, reference: Ref::NONE }
    }

    /// Messages with this tag.
    pub const fn tag(tag: i64) -> Pattern {
        Pattern { equal: TAG, tag, ..Pattern::MESSAGE }
    }

    /// What belongs to this reference: the down of a monitor, or a message through an alias or of a
    /// timer.
    pub const fn reference(reference: Ref) -> Pattern {
        Pattern { equal: REFERENCE, reference, ..Pattern::kinds(MESSAGES | DOWNS) }
    }

    /// The same, but only with this tag: of a message, or of the link of an exit.
    #[must_use]
    pub const fn and_tag(self, tag: i64) -> Pattern {
        Pattern { equal: self.equal | TAG, tag, ..self }
    }

    /// The same, but only from this process: who sent it, set the timer, or ended.
    #[must_use]
    pub const fn and_sender(self, sender: Pid) -> Pattern {
        Pattern { equal: self.equal | SENDER, sender, ..self }
    }

    /// The same, but only with this reference.
    #[must_use]
    pub const fn and_reference(self, reference: Ref) -> Pattern {
        Pattern { equal: self.equal | REFERENCE, reference, ..self }
    }
}

/// What the runtime tells of what was received.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Header {
    pub(crate) kind: u32,
    pub(crate) reason: u32,
    pub(crate) tag: i64,
    pub(crate) sender: Pid,
    pub(crate) reference: Ref,
    pub(crate) bytes: u64,
    pub(crate) resources: u32,
    pub(crate) name_bytes: u32,
}

/// Takes the oldest message that one of the patterns takes; without patterns, the oldest of all.
/// `None` if there was none within the timeout.
///
/// # Panics
///
/// Traps if there are more than 256 patterns.
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
pub fn mark() {
    // SAFETY: no pointers.
    unsafe { abi::message::mark() }
}

/// Where a message can be sent.
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
    fn structures_have_the_sizes_of_the_abi() {
        assert_eq!((size_of::<Pattern>(), size_of::<Header>()), (48, 64));
    }

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
