//! Signals: the closed list of what can reach a process.

use crate::{ExitReason, Message, Pid, Ref, Tag};

/// What can reach a process. Signals from one process to another are handled in the order in which
/// they were sent; nothing is promised between different senders.
#[derive(Debug)]
pub enum Signal {
    /// A message of a process. The only signal that waits at a full mailbox.
    Message(Message),
    /// A message whose timer ran out. Bounded by the timers of its creator, so it never waits.
    Timer(Message),
    /// An exit signal, by a link (`link`) or by a request to exit.
    Exit {
        /// Who ended, or who asks.
        from: Pid,
        /// Why.
        reason: ExitReason,
        /// Whether it comes through a link.
        link: bool,
    },
    /// The sender has linked itself to the receiver.
    Link {
        /// The other end.
        from: Pid,
        /// What the receiver finds on the trapped exit.
        tag: Tag,
    },
    /// The sender removes the link. Answered by [`Signal::UnlinkAck`].
    Unlink {
        /// The other end.
        from: Pid,
        /// Tells this unlink from earlier ones of the same pair.
        id: u64,
    },
    /// The link is removed at the other end, too: exits of a later link count again.
    UnlinkAck {
        /// The other end.
        from: Pid,
        /// The id of the [`Signal::Unlink`].
        id: u64,
    },
    /// The sender wants to hear of the receiver's end.
    Monitor {
        /// Who watches.
        from: Pid,
        /// Names this one monitor.
        reference: Ref,
    },
    /// The sender no longer wants to hear of it.
    Demonitor {
        /// Names the monitor.
        reference: Ref,
    },
    /// A monitored process has ended.
    Down {
        /// Names the monitor.
        reference: Ref,
        /// Who ended.
        from: Pid,
        /// Why.
        reason: ExitReason,
    },
}
