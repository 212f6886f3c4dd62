//! The words of programs and those of the model: processes and pids, reasons, what lies in a
//! mailbox.

use std::sync::Arc;

use lunatic_model::{Envelope, ExitReason, Message, Pid, Ref, Tag, Trap};

use crate::program::{Item, NOBODY, Reason, Watch, Who};

/// The pid of a process in a world.
pub fn pid(Who(who): Who) -> Pid {
    Pid { node: 0, incarnation: 0, serial: u64::from(who) + 1 }
}

/// The process of a pid in a world.
pub(crate) fn who_of(pid: Pid) -> Who {
    Who(u8::try_from(pid.serial.saturating_sub(1)).unwrap_or(u8::MAX))
}

/// The reference of a monitor in a world.
pub(crate) fn reference(Watch(watch): Watch) -> Ref {
    Ref { node: 0, incarnation: 0, serial: u64::from(watch) }
}

pub(crate) fn message(from: Who, tag: u8) -> Message {
    Message { tag: Tag(i64::from(tag)), from: Some(pid(from)), ..Message::default() }
}

pub(crate) fn item(envelope: &Envelope) -> Item {
    match envelope {
        Envelope::Message(message) => Item::Message {
            from: message.from.map_or(NOBODY, who_of),
            tag: u8::try_from(message.tag.0).unwrap_or(0),
        },
        Envelope::Exit { from, reason, .. } => {
            Item::Exit { from: who_of(*from), reason: reason_of(reason) }
        }
        Envelope::Down { reference, reason, .. } => Item::Down {
            watch: Watch(u8::try_from(reference.serial).unwrap_or(u8::MAX)),
            reason: reason_of(reason),
        },
    }
}

/// The model's reason for one of a program.
pub fn exit_reason(reason: Reason) -> ExitReason {
    match reason {
        Reason::Normal => ExitReason::Normal,
        Reason::Kill => ExitReason::Kill,
        Reason::Killed => ExitReason::Killed,
        Reason::Shutdown => ExitReason::Shutdown,
        Reason::Noproc => ExitReason::NoProcess,
        Reason::Crash => ExitReason::Trap(Arc::new(Trap::default())),
        Reason::Custom(index) => ExitReason::Custom(Arc::new([index])),
        Reason::Unknown => ExitReason::HostPanic("no program asks for this".into()),
    }
}

/// A program's reason for one of the model.
pub fn reason_of(reason: &ExitReason) -> Reason {
    match reason {
        ExitReason::Normal => Reason::Normal,
        ExitReason::Kill => Reason::Kill,
        ExitReason::Killed => Reason::Killed,
        ExitReason::Shutdown => Reason::Shutdown,
        ExitReason::NoProcess => Reason::Noproc,
        ExitReason::Trap(_) => Reason::Crash,
        ExitReason::Custom(data) => match data[..] {
            [index] if usize::from(index) < Reason::CUSTOM.len() => Reason::Custom(index),
            _ => Reason::Unknown,
        },
        ExitReason::NoConnection
        | ExitReason::Exit(_)
        | ExitReason::Error(_)
        | ExitReason::HostPanic(_)
        | ExitReason::Limit(_) => Reason::Unknown,
    }
}
