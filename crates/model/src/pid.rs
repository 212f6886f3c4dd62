//! Identities: processes, references and message tags.
//!
//! A pid carries its node and that node's incarnation, so that a pid kept over a restart of its
//! node never reaches a new process. Serials are never reused while a node lives.

use std::fmt;

/// The identity of a process. Old programs see only the `serial`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Pid {
    /// The node that the process lives on; 0 while the node is not part of a cluster.
    pub node: u32,
    /// Which life of that node.
    pub incarnation: u32,
    /// Counts from 1 within one life of the node.
    pub serial: u64,
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.node, self.serial)
    }
}

/// A reference that is unique within the life of a node: monitors and timers are known by one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ref {
    /// The node that made the reference.
    pub node: u32,
    /// Which life of that node.
    pub incarnation: u32,
    /// Counts from 1 within one life of the node.
    pub serial: u64,
}

/// The label of a message or link that selective receive looks at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Tag(pub i64);

impl Tag {
    /// No tag. It matches only receives without a list of tags.
    pub const NONE: Tag = Tag(0);

    /// Whether a tag is present.
    pub fn is_some(self) -> bool {
        self != Tag::NONE
    }
}
