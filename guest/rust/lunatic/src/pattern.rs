//! What a receive takes, and what the runtime tells of what was taken: structures of the ABI.

use crate::pid::{Pid, Ref};

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
///
/// Patterns can be made narrower, and several can be given:
///
/// ```
/// use std::time::Duration;
/// use lunatic::Pid;
/// use lunatic::message::{self, Pattern};
///
/// let me = Pid::this();
/// lunatic::send(me, 1u8).unwrap();
/// let mine = Pattern::MESSAGE.and_sender(me).and_tag(0);
/// let not_mine = Pattern::tag(0).and_sender(Pid::new(0, 999_999_999));
/// assert!(message::receive(&[not_mine], Some(Duration::ZERO)).is_none());
/// let envelope = message::receive(&[mine, not_mine], Some(Duration::ZERO)).unwrap();
/// // An exit of a process that is linked with the tag 4, or the down of a monitor.
/// let monitor = me.monitor();
/// let _ends = [Pattern::EXIT.and_tag(4), Pattern::DOWN.and_reference(monitor.reference())];
/// # drop(envelope.into_bytes());
/// # monitor.demonitor();
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
///
/// ```
/// use std::mem::MaybeUninit;
/// use lunatic::abi;
/// use lunatic::message::{Header, Pattern};
///
/// // What `message::receive` does.
/// let mut header = MaybeUninit::<Header>::uninit();
/// let result = unsafe {
///     abi::message::receive_with(&Pattern::tag(77), 1, 0, 0, header.as_mut_ptr())
/// };
/// assert_eq!(result, abi::TIMED_OUT);
/// ```
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_abi() {
        assert_eq!((size_of::<Pattern>(), size_of::<Header>()), (48, 64));
    }
}
