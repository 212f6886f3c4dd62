//! Pids and references: the two kinds of names that the runtime gives out. Both are pairs of 64
//! bits, are never used again while the node lives, and travel in messages.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The name of a process, whatever messages it takes: what Erlang calls a pid.
///
/// Anything can be done with a pid but sending typed messages, which takes a
/// [`Process`](crate::Process). A pid whose process has ended stays valid: sending to it does
/// nothing, and a monitor of it answers at once. Its methods stand in [`process`](crate::process).
///
/// ```
/// let me = lunatic::Pid::this();
/// assert!(me.is_alive());
/// println!("I am {me}"); // <0.1>
/// ```
///
/// What a pid is made of:
///
/// ```
/// use lunatic::{Mailbox, Pid};
///
/// let me = Pid::this();
/// assert_eq!(Pid::new(me.node(), me.id()), me);
/// assert!(me != Pid::NONE && !Pid::new(0, 999_999_999).is_alive());
/// // It travels in messages.
/// let mailbox = Mailbox::<Pid>::new();
/// mailbox.this().send(me);
/// assert_eq!(mailbox.receive().unwrap(), me);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(C)]
pub struct Pid {
    node: u64,
    id: u64,
}

/// The name of a monitor, an alias or a timer.
///
/// The methods that belong to each of them are on [`Monitor`](crate::Monitor),
/// [`Alias`](crate::Alias) and [`Timer`](crate::timer::Timer); a `Ref` is what they have in common
/// in messages and patterns.
///
/// ```
/// use lunatic::{Alias, Ref};
///
/// let alias = Alias::new(Default::default());
/// let reference = alias.reference();
/// assert_eq!(Ref::new(reference.node(), reference.id()), reference);
/// assert_eq!(Ref::from_bytes(reference.to_bytes()), reference);
/// assert!(Ref::NONE.is_none() && !reference.is_none());
/// println!("{reference}"); // #Ref<0.7>
/// # alias.end();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(C)]
pub struct Ref {
    node: u64,
    id: u64,
}

impl Pid {
    /// No process: what a down of a name that nobody had comes from.
    pub const NONE: Pid = Pid { node: 0, id: 0 };

    /// A pid from its two numbers. Inventing one is no error: no process may have it.
    pub const fn new(node: u64, id: u64) -> Pid {
        Pid { node, id }
    }

    /// The number of the node and its incarnation; 0 without a cluster.
    pub const fn node(self) -> u64 {
        self.node
    }

    /// The number on its node.
    pub const fn id(self) -> u64 {
        self.id
    }
}

impl Ref {
    /// No reference: nobody waits.
    pub const NONE: Ref = Ref { node: 0, id: 0 };

    /// A reference from its two numbers.
    pub const fn new(node: u64, id: u64) -> Ref {
        Ref { node, id }
    }

    /// The number of the node and its incarnation; 0 without a cluster.
    pub const fn node(self) -> u64 {
        self.node
    }

    /// The number on its node.
    pub const fn id(self) -> u64 {
        self.id
    }

    /// Whether this is [`Ref::NONE`].
    pub const fn is_none(self) -> bool {
        self.node == 0 && self.id == 0
    }

    /// The 16 bytes that stand before the body of a call.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.node.to_le_bytes());
        bytes[8..].copy_from_slice(&self.id.to_le_bytes());
        bytes
    }

    /// The reference that [`Ref::to_bytes`] has written.
    pub fn from_bytes(bytes: [u8; 16]) -> Ref {
        let number = |at: usize| u64::from_le_bytes(core::array::from_fn(|n| bytes[at + n]));
        Ref { node: number(0), id: number(8) }
    }
}

/// The place where a host function stores a pair of numbers.
pub(crate) type Pair = [u64; 2];

impl From<Pair> for Pid {
    fn from([node, id]: Pair) -> Pid {
        Pid { node, id }
    }
}

impl From<Pair> for Ref {
    fn from([node, id]: Pair) -> Ref {
        Ref { node, id }
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.node, self.id)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Ref<{}.{}>", self.node, self.id)
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
