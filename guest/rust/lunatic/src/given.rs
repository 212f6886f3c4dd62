//! Processes and aliases that bring the right to send to them: for processes whose reach is
//! restricted (`docs/rights.md`), to which a pid or a reference in a message is worth nothing.

use core::fmt;
use core::ops::Deref;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::abi;
use crate::mailbox::Process;
use crate::message::{is_encoding, take_resource};
use crate::pid::{Pair, Pid, Ref};
use crate::process::Alias;

/// What can be given: a [`Pid`], a [`Process`], or a [`Ref`] that is an alias.
///
/// ```
/// use lunatic::{Alias, Give, Given, Mailbox, Pid, Ref};
///
/// fn give<T: Give>(to: lunatic::Process<Given<T>>, what: T) {
///     to.send(Given(what));
/// }
///
/// let mailbox = Mailbox::<Given<Pid>>::new();
/// give(mailbox.this(), Pid::this());
/// assert_eq!(mailbox.receive().unwrap(), Given(Pid::this()));
/// let mailbox = Mailbox::<Given<Ref>>::new();
/// let alias = Alias::new(Default::default());
/// give(mailbox.this(), alias.reference());
/// assert_eq!(*mailbox.receive().unwrap(), alias.reference());
/// # alias.end();
/// ```
pub trait Give: Copy + sealed::Resource {}

mod sealed {
    use crate::pid::Pair;

    pub trait Resource {
        fn push(self) -> u64;
        /// # Safety
        ///
        /// A message is being read.
        unsafe fn take(index: u64, pair: *mut u64);
        fn of(pair: Pair) -> Self;
    }
}

/// A process or an alias that may be used by whoever receives it.
///
/// In a message it is a resource, not a number: a process that reaches only some others reaches
/// this one, too, from then on, to send and to monitor, as far as the one that gave it may.
///
/// ```
/// use lunatic::{Config, Given, Mailbox, Process, Spawn, spawn};
///
/// let mailbox = Mailbox::<String>::new();
/// let printer = spawn(mailbox.this(), |to, mailbox: Mailbox<String>| {
///     to.send(format!("printed: {}", mailbox.receive().unwrap()));
/// });
/// // A guest that reaches its parent, its descendants, and what it is given.
/// let config = Config::new().unwrap();
/// Spawn::new()
///     .config(&config)
///     .spawn(Given(printer), |Given(printer): Given<Process<String>>, _: Mailbox<()>| {
///         printer.send("a page".to_owned());
///     })
///     .unwrap();
/// assert_eq!(mailbox.receive().unwrap(), "printed: a page");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Given<T>(pub T);

impl Give for Pid {}

impl sealed::Resource for Pid {
    fn push(self) -> u64 {
        // SAFETY: no pointers; `Given` asks whether a message is being written.
        unsafe { abi::message::push_process(self.node(), self.id()) }
    }

    unsafe fn take(index: u64, pair: *mut u64) {
        // SAFETY: the place has 16 bytes.
        unsafe { abi::message::take_process(index, pair) }
    }

    fn of(pair: Pair) -> Pid {
        pair.into()
    }
}

impl<M, F> Give for Process<M, F> {}

impl<M, F> sealed::Resource for Process<M, F> {
    fn push(self) -> u64 {
        self.pid().push()
    }

    unsafe fn take(index: u64, pair: *mut u64) {
        // SAFETY: as the caller says.
        unsafe { Pid::take(index, pair) }
    }

    fn of(pair: Pair) -> Process<M, F> {
        Process::from_pid(pair.into())
    }
}

impl Give for Ref {}

impl sealed::Resource for Ref {
    fn push(self) -> u64 {
        // SAFETY: no pointers; `Given` asks whether a message is being written.
        unsafe { abi::message::push_alias(self.node(), self.id()) }
    }

    unsafe fn take(index: u64, pair: *mut u64) {
        // SAFETY: the place has 16 bytes.
        unsafe { abi::message::take_alias(index, pair) }
    }

    fn of(pair: Pair) -> Ref {
        pair.into()
    }
}

impl<T> Deref for Given<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl From<Alias> for Given<Ref> {
    fn from(alias: Alias) -> Self {
        Given(alias.reference())
    }
}

impl<T: fmt::Debug> fmt::Debug for Given<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Give> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !is_encoding() {
            return Err(S::Error::custom("what is given can only be written to a message"));
        }
        let index = u32::try_from(self.0.push()).map_err(S::Error::custom)?;
        serializer.serialize_u32(index)
    }
}

impl<'de, T: Give> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let index = u32::deserialize(deserializer)?;
        let mut pair: Pair = [0; 2];
        take_resource::<D::Error>(index, |index| {
            // SAFETY: a message is being read; the place has 16 bytes.
            unsafe { T::take(index, pair.as_mut_ptr()) };
            index
        })?;
        if pair == [0; 2] {
            return Err(D::Error::custom("nothing was given"));
        }
        Ok(Given(T::of(pair)))
    }
}
