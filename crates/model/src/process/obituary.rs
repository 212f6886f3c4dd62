//! What a dead process leaves to be told.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Rare;
use crate::{Mailbox, Pid, Ref, Signal};

/// What a dead process leaves to be told, in this order.
#[derive(Debug)]
pub struct Obituary {
    /// Linked processes: each gets an exit signal.
    pub links: Vec<Pid>,
    /// Monitors that watch it: each gets a down.
    pub watchers: Vec<(Ref, Pid)>,
    /// Its own monitors: each is removed at the other end.
    pub monitors: Vec<(Ref, Pid)>,
    /// Senders that wait at its full mailbox, to be woken.
    pub senders: VecDeque<Pid>,
    /// What was never received; resources are released with it.
    pub unread: Mailbox,
    /// What few processes leave.
    pub leftovers: Option<Box<Leftovers>>,
}

/// What few processes leave to be told or taken away.
#[derive(Debug)]
pub struct Leftovers {
    /// Its active aliases.
    pub aliases: Vec<Ref>,
    /// Processes that it suspends: each is resumed.
    pub suspending: Vec<Pid>,
    /// Processes that suspend it: each forgets that.
    pub suspenders: Vec<Pid>,
    /// The text by which people know it.
    pub label: Option<Arc<str>>,
    /// Links and monitors that came when its end had begun: each is answered with `noproc`.
    pub late: VecDeque<Signal>,
}

impl Rare {
    pub(super) fn leftovers(self) -> Leftovers {
        Leftovers {
            aliases: self.aliases.into_keys().collect(),
            suspending: self.suspending.into_keys().collect(),
            suspenders: self.suspenders.into_iter().collect(),
            label: self.label,
            late: self.late.into_questions(),
        }
    }
}
