//! What was received: an envelope that is decoded once, or the end of another process.
//!
//! The bytes stay in the runtime's slot until they are read; `message.rs` counts what comes into
//! the slot, and an envelope that was overtaken gives an error instead of another message's bytes.

use core::any::type_name;
use core::fmt;
use core::mem::MaybeUninit;
use std::error::Error;

use crate::abi;
use crate::format::{DecodeCause, Format};
use crate::message::{DECODING, Header, SLOT};
use crate::pid::{Pid, Ref};
use crate::reason::ExitReason;

/// Messages that are read without memory of the heap.
const ON_STACK_BYTES: usize = 512;

/// What was received.
///
/// ```
/// use lunatic::Pid;
/// use lunatic::message::{self, Kind, Pattern};
///
/// let monitor = Pid::new(0, 999_999_999).monitor();
/// let envelope = message::receive(&[Pattern::reference(monitor.reference())], None).unwrap();
/// assert_eq!(envelope.kind(), Kind::Down);
/// ```
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
///
/// ```
/// use lunatic::message::Exit;
/// use lunatic::{ExitReason, Mailbox, Received, process, spawn_link};
///
/// let before = process::trap_exit(true);
/// let mailbox = Mailbox::<()>::new();
/// let child = spawn_link((), |(), _: Mailbox<()>| -> ExitReason { "no paper".into() });
/// let Ok(Received::Exit(Exit { from, tag, reason })) = mailbox.receive_any(None) else {
///     unreachable!("nothing else comes")
/// };
/// assert_eq!((from, tag, reason), (child.pid(), 0, "no paper".into()));
/// # process::trap_exit(before);
/// ```
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
///
/// ```
/// use lunatic::message::Down;
/// use lunatic::{ExitReason, Mailbox, spawn_monitor};
///
/// let (child, monitor) = spawn_monitor((), |(), _: Mailbox<()>| ());
/// let Down { from, reference, reason, name } = monitor.wait(None).unwrap();
/// assert_eq!((from, reference), (child.pid(), monitor.reference()));
/// assert_eq!((reason, name), (ExitReason::Normal, None));
/// ```
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

/// What was received, before it is decoded. It can be read until the process receives or sends
/// something else.
///
/// ```
/// use lunatic::message::{self, Destination, Pattern};
/// use lunatic::{Pid, Postcard, Ref};
///
/// let me = Destination::Pid(Pid::this());
/// message::send::<u32, Postcard>(me, 5, &300, None).unwrap();
/// let envelope = message::receive(&[Pattern::tag(5)], None).unwrap();
/// assert_eq!((envelope.tag(), envelope.sender()), (5, Pid::this()));
/// assert_eq!((envelope.len(), envelope.is_empty()), (2, false));
/// assert_eq!((envelope.reference(), envelope.exit(), envelope.down()), (Ref::NONE, None, None));
/// assert_eq!(envelope.decode::<u32, Postcard>(), Ok(300));
///
/// message::send::<u32, Postcard>(me, 5, &300, None).unwrap();
/// let bytes = message::receive(&[Pattern::tag(5)], None).unwrap().into_bytes();
/// assert_eq!(bytes, Ok(vec![0xac, 2]));
///
/// // A message that begins with the reference to answer to.
/// message::send_call::<u8, Postcard>(me, 5, Ref::new(0, 7), &1, None).unwrap();
/// let call = message::receive(&[Pattern::tag(5)], None).unwrap();
/// assert_eq!(call.decode_call::<u8, Postcard>(), Ok((Ref::new(0, 7), 1)));
/// ```
#[derive(Debug)]
#[must_use = "what was received is lost"]
pub struct Envelope {
    header: Header,
    slot: u32,
}

impl Envelope {
    pub(crate) fn new(header: Header, slot: u32) -> Envelope {
        Envelope { header, slot }
    }

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
///
/// ```
/// use lunatic::{Mailbox, Pid, ReceiveError};
///
/// lunatic::send(Pid::this(), 7u8).unwrap();
/// let Err(ReceiveError::Decode(error)) = Mailbox::<String>::new().receive() else {
///     unreachable!("a byte is no text")
/// };
/// assert_eq!((error.sender, error.bytes, error.tag), (Pid::this(), 1, 0));
/// assert!(error.expected.ends_with("String"));
/// ```
#[derive(Clone, PartialEq, Eq)]
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
///
/// ```
/// use std::time::Duration;
/// use lunatic::{Mailbox, ReceiveError};
///
/// let mailbox = Mailbox::<u8>::new();
/// match mailbox.receive_timeout(Duration::ZERO) {
///     Ok(byte) => println!("{byte}"),
///     Err(ReceiveError::Timeout) => println!("nothing there"),
///     Err(ReceiveError::Decode(error)) => println!("from {}: {error}", error.sender),
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
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
