//! Typed messages: the mailbox of a process as it sees it itself, and as others do.

use core::any::type_name;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::format::{Format, Postcard};
use crate::message::{self, Destination, Down, Exit, Kind, Pattern, ReceiveError, SendError, tag};
use crate::pid::Pid;

/// The mailbox of the process that runs: where its messages of type `M` arrive, written in the
/// format `F`.
///
/// A process has one mailbox; the type only says what it expects there. What does not decode is an
/// error that says from whom it came, never a panic.
///
/// ```
/// use lunatic::Mailbox;
///
/// let mailbox = Mailbox::<String>::new();
/// mailbox.this().send("hello, me".to_owned());
/// assert_eq!(mailbox.receive().unwrap(), "hello, me");
/// ```
pub struct Mailbox<M, F = Postcard>(PhantomData<fn(M, F) -> M>);

/// What can arrive in a mailbox besides messages: ends of other processes.
///
/// ```
/// use lunatic::{Mailbox, Received, spawn_monitor};
///
/// let mailbox = Mailbox::<u8>::new();
/// spawn_monitor(mailbox.this(), |parent, _: Mailbox<()>| parent.send(1));
/// for _ in 0..2 {
///     match mailbox.receive_any(None).unwrap() {
///         Received::Message(number) => println!("{number}"),
///         Received::Exit(exit) => println!("{} has ended, which is linked", exit.from),
///         Received::Down(down) => println!("{} has ended, which is watched", down.from),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received<M> {
    /// A message.
    Message(M),
    /// A linked process has ended, and this one traps exits.
    Exit(Exit),
    /// A process that is watched has ended.
    Down(Down),
}

impl<M, F> Mailbox<M, F> {
    /// The mailbox of the process that runs. Entries of processes are given theirs; a plain `main`
    /// makes it.
    pub const fn new() -> Mailbox<M, F> {
        Mailbox(PhantomData)
    }

    /// The process that runs, for others to send to.
    pub fn this(&self) -> Process<M, F> {
        Process::from_pid(Pid::this())
    }
}

impl<M, F: Format<M>> Mailbox<M, F> {
    /// Waits for the next message. Exits and downs stay where they are: see
    /// [`receive_any`](Mailbox::receive_any).
    ///
    /// # Errors
    ///
    /// Only if what came is no `M`.
    pub fn receive(&self) -> Result<M, ReceiveError> {
        self.receive_within(None)
    }

    /// Waits for the next message for at most so long; `Duration::ZERO` only looks.
    ///
    /// # Errors
    ///
    /// If there was none in time, or what came is no `M`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lunatic::{Mailbox, ReceiveError};
    ///
    /// let mailbox = Mailbox::<u8>::new();
    /// let result = mailbox.receive_timeout(Duration::from_millis(1));
    /// assert_eq!(result, Err(ReceiveError::Timeout));
    /// ```
    pub fn receive_timeout(&self, timeout: Duration) -> Result<M, ReceiveError> {
        self.receive_within(Some(timeout))
    }

    /// The same with a deadline that may be none.
    ///
    /// # Errors
    ///
    /// As for [`receive_timeout`](Mailbox::receive_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use lunatic::{Mailbox, ReceiveError};
    ///
    /// fn next(mailbox: Mailbox<u8>, patience: Option<Duration>) -> Result<u8, ReceiveError> {
    ///     mailbox.receive_within(patience)
    /// }
    ///
    /// assert_eq!(next(Mailbox::new(), Some(Duration::ZERO)), Err(ReceiveError::Timeout));
    /// ```
    pub fn receive_within(&self, timeout: Option<Duration>) -> Result<M, ReceiveError> {
        let envelope = message::receive(&[Pattern::tag(tag::NONE)], timeout);
        let envelope = envelope.ok_or(ReceiveError::Timeout)?;
        Ok(envelope.decode::<M, F>()?)
    }

    /// Waits for the next message, exit or down.
    ///
    /// # Errors
    ///
    /// If there was none in time, or what came is no `M`.
    ///
    /// ```
    /// use lunatic::{ExitReason, Mailbox, Received, process, spawn_link};
    ///
    /// process::trap_exit(true);
    /// let mailbox = Mailbox::<u8>::new();
    /// spawn_link(mailbox.this(), |parent, _: Mailbox<()>| {
    ///     parent.send(7);
    ///     lunatic::exit(ExitReason::Shutdown)
    /// });
    /// assert_eq!(mailbox.receive_any(None).unwrap(), Received::Message(7));
    /// let Received::Exit(exit) = mailbox.receive_any(None).unwrap() else { panic!() };
    /// assert_eq!(exit.reason, ExitReason::Shutdown);
    /// # process::trap_exit(false);
    /// ```
    pub fn receive_any(&self, timeout: Option<Duration>) -> Result<Received<M>, ReceiveError> {
        let patterns = [Pattern::tag(tag::NONE), Pattern::EXIT, Pattern::DOWN];
        let envelope = message::receive(&patterns, timeout).ok_or(ReceiveError::Timeout)?;
        match envelope.kind() {
            Kind::Message => Ok(Received::Message(envelope.decode::<M, F>()?)),
            Kind::Exit | Kind::Down => match (envelope.exit(), envelope.down()) {
                (Some(exit), _) => Ok(Received::Exit(exit)),
                (None, Some(down)) => Ok(Received::Down(down)),
                (None, None) => unreachable!("it is an exit or a down"),
            },
        }
    }
}

impl<M, F> Clone for Mailbox<M, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, F> Copy for Mailbox<M, F> {}

impl<M, F> Default for Mailbox<M, F> {
    fn default() -> Self {
        Mailbox::new()
    }
}

impl<M, F> fmt::Debug for Mailbox<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox<{}>", type_name::<M>())
    }
}

/// A process that takes messages of type `M`, written in the format `F`.
///
/// It is a [`Pid`] that knows a type: all methods of `Pid` (link, monitor, exit, …) are there,
/// too. It can be copied, kept, and sent to other processes, be its process alive or not.
///
/// ```
/// use lunatic::{Mailbox, Pid, Process};
///
/// let mailbox = Mailbox::<u64>::new();
/// let me: Process<u64> = mailbox.this();
/// assert_eq!((me.pid(), me), (Pid::this(), Process::from_pid(Pid::this())));
/// me.send(1);
/// me.send_within(2, Some(std::time::Duration::from_secs(1))).unwrap();
/// assert_eq!((mailbox.receive(), mailbox.receive()), (Ok(1), Ok(2)));
/// // It is a `Pid`, too.
/// assert!(me.is_alive());
/// ```
pub struct Process<M, F = Postcard> {
    pid: Pid,
    types: PhantomData<fn(M, F)>,
}

impl<M, F> Process<M, F> {
    /// The process of this pid, believed to take messages of this type.
    pub const fn from_pid(pid: Pid) -> Process<M, F> {
        Process { pid, types: PhantomData }
    }

    /// Its pid.
    pub const fn pid(self) -> Pid {
        self.pid
    }
}

impl<M, F: Format<M>> Process<M, F> {
    /// Sends a message. If the process has ended, it vanishes; if its mailbox is full, this waits.
    ///
    /// # Panics
    ///
    /// If the message cannot be written in its format: its type has no such form at all, or it
    /// holds a socket that is gone. [`send_within`](Process::send_within) gives an error then.
    #[track_caller]
    pub fn send(self, message: M) {
        if let Err(error) = self.send_within(message, None) {
            panic!("{error}");
        }
    }

    /// Sends a message, and waits for at most so long while the mailbox is full.
    ///
    /// # Errors
    ///
    /// If it was full until the deadline, or the message cannot be written in its format.
    pub fn send_within(self, message: M, timeout: Option<Duration>) -> Result<(), SendError> {
        message::send::<M, F>(Destination::Pid(self.pid), tag::NONE, &message, timeout)
    }
}

impl<M, F> Deref for Process<M, F> {
    type Target = Pid;

    fn deref(&self) -> &Pid {
        &self.pid
    }
}

impl<M, F> Clone for Process<M, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, F> Copy for Process<M, F> {}

impl<M, F> PartialEq for Process<M, F> {
    fn eq(&self, other: &Self) -> bool {
        self.pid == other.pid
    }
}

impl<M, F> Eq for Process<M, F> {}

impl<M, F> Hash for Process<M, F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pid.hash(state);
    }
}

impl<M, F> fmt::Debug for Process<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process{}", self.pid)
    }
}

impl<M, F> fmt::Display for Process<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.fmt(f)
    }
}

impl<M, F> Serialize for Process<M, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.pid.serialize(serializer)
    }
}

impl<'de, M, F> Deserialize<'de> for Process<M, F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Pid::deserialize(deserializer).map(Process::from_pid)
    }
}

impl<M, F> From<Process<M, F>> for Pid {
    fn from(process: Process<M, F>) -> Pid {
        process.pid
    }
}
