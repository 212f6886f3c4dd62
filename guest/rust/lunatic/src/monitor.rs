//! Monitors and aliases: what a process is told of the end of another, and the names that it gives
//! itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::abi;
use crate::message::{self, Down, Pattern};
use crate::pid::{Pair, Pid, Ref};
use crate::reason::ExitReason;

/// What a monitor is besides a monitor.
///
/// ```
/// use lunatic::message::Destination;
/// use lunatic::process::{AliasOf, MonitorOptions};
/// use lunatic::{Mailbox, send, spawn};
///
/// let child = spawn((), |(), mailbox: Mailbox<()>| drop(mailbox.receive()));
/// let options = MonitorOptions { alias: AliasOf::Monitor, ..Default::default() };
/// let monitor = child.monitor_with(options);
/// let mailbox = Mailbox::<u8>::new();
/// // Its reference is a name of this process, as long as it watches.
/// send(Destination::Alias(monitor.reference()), 1u8).unwrap();
/// assert_eq!(mailbox.receive().unwrap(), 1);
/// assert!(monitor.demonitor());
/// send(Destination::Alias(monitor.reference()), 2u8).unwrap();
/// assert!(mailbox.receive_timeout(std::time::Duration::ZERO).is_err());
/// # child.kill();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MonitorOptions {
    /// Whether its reference is an alias of this process, too, and how long.
    pub alias: AliasOf,
    /// The down goes before ordinary messages.
    pub urgent_down: bool,
    /// The alias takes urgent messages.
    pub urgent_messages: bool,
}

/// How long the reference of a monitor is an alias.
///
/// ```
/// use lunatic::process::{AliasOf, MonitorOptions};
///
/// assert_eq!(MonitorOptions::default().alias, AliasOf::None);
/// assert_eq!(MonitorOptions::CALL.alias, AliasOf::OneReply);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum AliasOf {
    /// It is none.
    #[default]
    None = 0,
    /// Until it is taken away.
    Explicit = 1,
    /// As long as the monitor.
    Monitor = 2,
    /// As long as the monitor, or until the first message through it, which ends the monitor, too:
    /// what a call needs.
    OneReply = 3,
}

impl MonitorOptions {
    /// What a call needs: an alias for one answer.
    pub const CALL: MonitorOptions =
        MonitorOptions { alias: AliasOf::OneReply, urgent_down: false, urgent_messages: false };

    pub(crate) const fn bits(self) -> u32 {
        self.alias as u32 | (self.urgent_down as u32) << 2 | (self.urgent_messages as u32) << 3
    }
}

/// A monitor of a process. It stays when this value is dropped, as in Erlang.
///
/// ```
/// use std::time::Duration;
/// use lunatic::{ExitReason, Mailbox, Monitor, spawn};
///
/// let child = spawn((), |(), mailbox: Mailbox<()>| drop(mailbox.receive()));
/// let monitor = child.monitor();
/// assert_eq!(monitor.wait(Some(Duration::from_millis(1))), None);
/// assert!(monitor.demonitor());
/// let monitor = child.monitor();
/// child.kill();
/// // A reference is all that there is of it.
/// let down = Monitor::from_reference(monitor.reference()).wait(None).unwrap();
/// assert_eq!(down.reason, ExitReason::Killed);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Monitor {
    reference: Ref,
}

impl Monitor {
    pub(crate) fn of_pid(pid: Pid, options: MonitorOptions) -> Monitor {
        let mut pair: Pair = [0; 2];
        // SAFETY: the place has 16 bytes.
        unsafe {
            abi::process::monitor_pid(pid.node(), pid.id(), options.bits(), pair.as_mut_ptr())
        };
        Monitor { reference: pair.into() }
    }

    /// Watches the process that has the name now. If nobody has it, the down comes at once.
    ///
    /// # Panics
    ///
    /// Traps if the name is longer than 4,096 bytes.
    ///
    /// ```
    /// use lunatic::{ExitReason, Monitor};
    ///
    /// let down = Monitor::of_name("nobody", Default::default()).wait(None).unwrap();
    /// assert_eq!((down.reason, down.name.as_deref()), (ExitReason::NoProcess, Some("nobody")));
    /// ```
    pub fn of_name(name: &str, options: MonitorOptions) -> Monitor {
        let mut pair: Pair = [0; 2];
        // SAFETY: the text lives during the call; the place has 16 bytes.
        unsafe {
            abi::process::monitor_name(name.as_ptr(), name.len(), options.bits(), pair.as_mut_ptr())
        };
        Monitor { reference: pair.into() }
    }

    /// The monitor of this reference.
    pub const fn from_reference(reference: Ref) -> Monitor {
        Monitor { reference }
    }

    /// Its reference, which its down carries; the alias, if it was made as one.
    pub const fn reference(self) -> Ref {
        self.reference
    }

    /// Stops watching, and takes a down out of the mailbox that is there already. `false` if the
    /// process had ended, or the monitor was taken away before.
    pub fn demonitor(self) -> bool {
        // SAFETY: no pointers.
        unsafe { abi::process::demonitor(self.reference.node(), self.reference.id(), 1) != 0 }
    }

    /// Waits for the end of the process. `None` if it has not ended in time.
    pub fn wait(self, timeout: Option<Duration>) -> Option<Down> {
        let pattern = Pattern::DOWN.and_reference(self.reference);
        message::receive(&[pattern], timeout)?.down()
    }
}

/// A name that this process gives itself (EEP 53): who has it can send to it, and only its owner
/// can end it. What comes afterwards vanishes.
///
/// ```
/// use lunatic::{Alias, Mailbox, message::Destination};
///
/// let alias = Alias::new(Default::default());
/// let mailbox = Mailbox::<u8>::new();
/// lunatic::send(Destination::Alias(alias.reference()), 1u8).unwrap();
/// assert_eq!(mailbox.receive().unwrap(), 1);
/// assert!(alias.end());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Alias {
    reference: Ref,
}

/// What an alias takes.
///
/// ```
/// use std::time::Duration;
/// use lunatic::message::Destination;
/// use lunatic::process::AliasOptions;
/// use lunatic::{Alias, Mailbox, send};
///
/// let alias = Alias::new(AliasOptions { once: true, ..Default::default() });
/// for number in [1u8, 2] {
///     send(Destination::Alias(alias.reference()), number).unwrap();
/// }
/// let mailbox = Mailbox::<u8>::new();
/// assert_eq!(mailbox.receive().unwrap(), 1);
/// assert!(mailbox.receive_timeout(Duration::ZERO).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AliasOptions {
    /// The first message through it ends it.
    pub once: bool,
    /// It takes urgent messages.
    pub urgent_messages: bool,
}

impl Alias {
    /// Makes an alias of the process that runs.
    pub fn new(options: AliasOptions) -> Alias {
        let flags = u32::from(options.once) | u32::from(options.urgent_messages) << 1;
        let mut pair: Pair = [0; 2];
        // SAFETY: the place has 16 bytes.
        unsafe { abi::process::alias(flags, pair.as_mut_ptr()) };
        Alias { reference: pair.into() }
    }

    /// Its reference.
    pub const fn reference(self) -> Ref {
        self.reference
    }

    /// Asks its owner to exit, through the alias, as Erlang's `exit/3`; nothing happens if that
    /// has ended. If it is urgent, the owner traps exits and the alias takes urgent messages, the
    /// exit goes before ordinary messages.
    ///
    /// ```
    /// use lunatic::{Alias, ExitReason, Mailbox, Ref, spawn_monitor};
    ///
    /// let mailbox = Mailbox::<Ref>::new();
    /// let (_, monitor) = spawn_monitor(mailbox.this(), |parent, mailbox: Mailbox<()>| {
    ///     parent.send(Alias::new(Default::default()).reference());
    ///     mailbox.receive().ok();
    /// });
    /// Alias::exit(mailbox.receive().unwrap(), ExitReason::Shutdown, false);
    /// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Shutdown);
    /// ```
    pub fn exit(reference: Ref, reason: ExitReason, urgent: bool) {
        let (node, id) = (reference.node(), reference.id());
        let (kind, data) = reason.parts_to_give();
        // SAFETY: the data lives during the call.
        unsafe {
            abi::process::exit_alias(node, id, urgent.into(), kind, data.as_ptr(), data.len())
        }
    }

    /// Ends it. `false` if it was no alias of this process any more.
    pub fn end(self) -> bool {
        // SAFETY: no pointers.
        unsafe { abi::process::unalias(self.reference.node(), self.reference.id()) != 0 }
    }
}
