//! Messages below types: tags, patterns, envelopes. Mailboxes, calls and behaviours are built on
//! this; programs rarely need it.
//!
//! The runtime has one slot for the message that a process writes or has received last. An
//! [`Envelope`] stands for what lies in that slot; reading it after something else was written or
//! received is an error, which a number that counts these makes sure of.

use core::any::type_name;
use core::cell::Cell;
use core::fmt;
use core::mem::MaybeUninit;
use std::error::Error;
use std::time::Duration;

use crate::abi::{self, TIMED_OUT};
use crate::format::{DecodeCause, EncodeError, Format, Output, Postcard};
use crate::pid::{Pid, Ref};
use crate::reason::ExitReason;

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

/// Messages that are read without memory of the heap.
const ON_STACK_BYTES: usize = 512;

thread_local! {
    /// Counts what came into the slot.
    static SLOT: Cell<u32> = const { Cell::new(0) };
    /// Resources of the message that is being decoded; `None` while none is.
    static DECODING: Cell<Option<u32>> = const { Cell::new(None) };
    /// Whether a message is being encoded into the slot.
    static ENCODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether resources can be put into a message now.
#[allow(dead_code)]
pub(crate) fn is_encoding() -> bool {
    ENCODING.get()
}

/// How many resources the message has that is being decoded now.
#[allow(dead_code)]
pub(crate) fn resources_of_decoding() -> Option<u32> {
    DECODING.get()
}

fn next_slot() -> u32 {
    let number = SLOT.get().wrapping_add(1);
    SLOT.set(number);
    number
}

/// A deadline as the ABI wants it: milliseconds, rounded up.
pub(crate) fn milliseconds(timeout: Option<Duration>) -> u64 {
    let Some(timeout) = timeout else { return u64::MAX };
    let whole = timeout.as_nanos().div_ceil(1_000_000);
    u64::try_from(whole).unwrap_or(u64::MAX).min(u64::MAX - 1)
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
    kind: u32,
    reason: u32,
    tag: i64,
    sender: Pid,
    reference: Ref,
    bytes: u64,
    resources: u32,
    name_bytes: u32,
}

/// What was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A message.
    Message,
    /// The exit of a linked process, or a request to exit, that was trapped.
    Exit,
    /// The end of a process that was watched.
    Down,
}

/// A linked process has ended, or somebody asks this one to; and this one traps exits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Who has ended, or asks.
    pub from: Pid,
    /// The tag of the link; 0 without one.
    pub tag: i64,
    /// Why.
    pub reason: ExitReason,
}

/// A process that was watched has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Down {
    /// Who; [`Pid::NONE`] if it was watched by a name that nobody had.
    pub from: Pid,
    /// The monitor.
    pub reference: Ref,
    /// Why.
    pub reason: ExitReason,
    /// The name, if it was watched by name.
    pub name: Option<String>,
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
    Some(Envelope { header: unsafe { header.assume_init() }, slot: next_slot() })
}

/// Remembers what is in the mailbox now, for [`receive_marked`]: who waits for an answer to what it
/// is about to send need not look at what was there before.
pub fn mark() {
    // SAFETY: no pointers.
    unsafe { abi::message::mark() }
}

/// What was received, before it is decoded. It can be read until the process receives or sends
/// something else.
#[derive(Debug)]
#[must_use = "what was received is lost"]
pub struct Envelope {
    header: Header,
    slot: u32,
}

impl Envelope {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self.header.kind {
            0 => Kind::Message,
            1 => Kind::Exit,
            _ => Kind::Down,
        }
    }

    /// The tag of the message or of the link; 0 without one.
    pub fn tag(&self) -> i64 {
        self.header.tag
    }

    /// Who sent it, set the timer, ended, or asks this process to exit.
    pub fn sender(&self) -> Pid {
        self.header.sender
    }

    /// The monitor of a down; the alias or timer of a message; [`Ref::NONE`] without one.
    pub fn reference(&self) -> Ref {
        self.header.reference
    }

    /// Bytes of the message.
    pub fn len(&self) -> u64 {
        self.header.bytes
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.header.bytes == 0
    }

    /// Reads the message.
    ///
    /// # Errors
    ///
    /// If it is no `T`; the error says from whom it came.
    pub fn decode<T, F: Format<T>>(self) -> Result<T, DecodeError> {
        self.decode_rest::<T, F>(0)
    }

    /// Reads a message that begins with the reference to answer to: a call or a system message.
    ///
    /// # Errors
    ///
    /// If it is none, or the request is no `T`.
    pub fn decode_call<T, F: Format<T>>(self) -> Result<(Ref, T), DecodeError> {
        let mut bytes = [0; 16];
        if self.header.bytes < 16 || self.is_gone() {
            return Err(self.error::<T>(DecodeCause::new("there is no reference to answer to")));
        }
        // SAFETY: the place has the length that is given.
        unsafe { abi::message::read_data(bytes.as_mut_ptr(), bytes.len()) };
        let value = self.decode_rest::<T, F>(16)?;
        Ok((Ref::from_bytes(bytes), value))
    }

    /// The bytes of the message, as they are.
    ///
    /// # Errors
    ///
    /// If something else was received or sent since.
    pub fn into_bytes(self) -> Result<Vec<u8>, DecodeError> {
        if self.is_gone() {
            return Err(self.error::<Vec<u8>>(DecodeCause::new(GONE)));
        }
        Ok(read_vec(self.header.bytes))
    }

    /// The exit that this is; `None` if it is something else.
    pub fn exit(&self) -> Option<Exit> {
        (self.kind() == Kind::Exit).then(|| Exit {
            from: self.header.sender,
            tag: self.header.tag,
            reason: self.reason(),
        })
    }

    /// The down that this is; `None` if it is something else.
    pub fn down(&self) -> Option<Down> {
        (self.kind() == Kind::Down).then(|| Down {
            from: self.header.sender,
            reference: self.header.reference,
            reason: self.reason(),
            name: self.name(),
        })
    }

    fn reason(&self) -> ExitReason {
        if self.is_gone() {
            return ExitReason::Error(GONE.into());
        }
        // SAFETY: no pointers; the slot holds an exit or a down.
        unsafe { abi::message::seek_data(0) };
        ExitReason::from_parts(self.header.reason, &read_vec(self.header.bytes))
    }

    fn name(&self) -> Option<String> {
        let length = self.header.name_bytes as usize;
        if length == 0 || self.is_gone() {
            return None;
        }
        let mut name = vec![0; length];
        // SAFETY: the place has the length that is given.
        unsafe { abi::message::monitored_name(name.as_mut_ptr(), length) };
        String::from_utf8(name).ok()
    }

    fn is_gone(&self) -> bool {
        self.slot != SLOT.get()
    }

    #[inline]
    fn decode_rest<T, F: Format<T>>(self, read: u64) -> Result<T, DecodeError> {
        if self.is_gone() {
            return Err(self.error::<T>(DecodeCause::new(GONE)));
        }
        let length = self.header.bytes - read;
        DECODING.set(Some(self.header.resources));
        let result = if !F::KEEPS_BYTES && length <= ON_STACK_BYTES as u64 {
            let mut bytes = [const { MaybeUninit::<u8>::uninit() }; ON_STACK_BYTES];
            // SAFETY: the place is large enough; the host stores so many bytes.
            let bytes = unsafe {
                abi::message::read_data(bytes.as_mut_ptr().cast(), length as usize);
                core::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), length as usize)
            };
            F::decode(bytes)
        } else {
            F::decode_owned(read_vec(length))
        };
        DECODING.set(None);
        result.map_err(|cause| self.error::<T>(cause))
    }

    #[cold]
    fn error<T>(&self, cause: DecodeCause) -> DecodeError {
        DecodeError {
            expected: type_name::<T>(),
            sender: self.header.sender,
            tag: self.header.tag,
            bytes: self.header.bytes,
            cause,
        }
    }
}

const GONE: &str = "something else was received or sent before it was read";

fn read_vec(length: u64) -> Vec<u8> {
    let length = length as usize;
    let mut bytes = Vec::with_capacity(length);
    // SAFETY: there is room for what the host stores, and it says how much that was.
    unsafe {
        let stored = abi::message::read_data(bytes.as_mut_ptr(), length);
        bytes.set_len(stored.min(length));
    }
    bytes
}

/// A message was not what the receiver expects. Nothing is lost but the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// The type that was expected.
    pub expected: &'static str,
    /// Who sent it.
    pub sender: Pid,
    /// Its tag.
    pub tag: i64,
    /// Its length in bytes.
    pub bytes: u64,
    /// What the format said.
    pub cause: DecodeCause,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DecodeError { expected, sender, tag, bytes, cause } = self;
        write!(f, "a message of {bytes} bytes (tag {tag}) from {sender} is no {expected}: {cause}")
    }
}

impl Error for DecodeError {}

/// Why nothing was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReceiveError {
    /// There was nothing within the time.
    Timeout,
    /// There was something, but not what is expected. It was taken out of the mailbox.
    Decode(DecodeError),
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReceiveError::Timeout => f.write_str("no message came in time"),
            ReceiveError::Decode(error) => error.fmt(f),
        }
    }
}

impl Error for ReceiveError {}

impl From<DecodeError> for ReceiveError {
    fn from(error: DecodeError) -> ReceiveError {
        ReceiveError::Decode(error)
    }
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
#[derive(Clone, PartialEq, Eq, Debug)]
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
