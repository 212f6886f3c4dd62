//! Rights: what a process may do. A child's set is the intersection of its parent's and what was
//! asked for, so it is equal or narrower by construction.

use std::ops::BitOr;

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights(u32);

impl Rights {
    /// Nothing.
    pub const NONE: Rights = Rights(0);
    /// Spawn processes.
    pub const SPAWN: Rights = Rights(1);
    /// Compile modules.
    pub const COMPILE_MODULES: Rights = Rights(1 << 1);
    /// Make configurations for children.
    pub const CREATE_CONFIGS: Rights = Rights(1 << 2);
    /// Everything.
    pub const ALL: Rights = Rights(0b111);

    /// Whether all of `wanted` is in the set.
    pub fn contains(self, wanted: Rights) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// The set with `right` added or removed.
    #[must_use]
    pub fn with(self, right: Rights, granted: bool) -> Rights {
        if granted { Rights(self.0 | right.0) } else { Rights(self.0 & !right.0) }
    }

    /// What is in both sets: what a parent with `self` gives to a child that asks for `wish`.
    #[must_use]
    pub fn narrowed(self, wish: Rights) -> Rights {
        Rights(self.0 & wish.0)
    }
}

impl BitOr for Rights {
    type Output = Rights;

    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}
