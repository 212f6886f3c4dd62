//! What can be seen of a process from outside, all at one moment.

use std::sync::Arc;

use super::{Process, TrapExit};
use crate::{Pid, Ref};

/// The state of a process at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Which exit signals become messages.
    pub trap_exit: TrapExit,
    /// Messages in the mailbox.
    pub messages: usize,
    /// What they count for, in bytes.
    pub message_bytes: usize,
    /// Whether it waits for a message.
    pub waiting: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Processes that it is linked to.
    pub links: Vec<Pid>,
    /// Its monitors.
    pub monitors: Vec<(Ref, Pid)>,
    /// Monitors of others that watch it.
    pub monitored_by: Vec<(Ref, Pid)>,
    /// How often it has suspended others.
    pub suspending: Vec<(Pid, u64)>,
    /// Its label.
    pub label: Option<Arc<str>>,
}

impl Process {
    /// The state of the process; `None` if it has ended or is about to.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let pairs = |(reference, pid): (&Ref, &Pid)| (*reference, *pid);
        self.is_alive().then(|| Snapshot {
            trap_exit: self.trap_exit,
            messages: self.mailbox.len(),
            message_bytes: self.mailbox.bytes(),
            waiting: self.waiting.is_some(),
            suspended: self.is_suspended(),
            links: self.links().collect(),
            monitors: self.monitors.iter().map(pairs).collect(),
            monitored_by: self.watchers.iter().map(pairs).collect(),
            suspending: self
                .rare
                .iter()
                .flat_map(|rare| &rare.suspending)
                .map(|(pid, count)| (*pid, *count))
                .collect(),
            label: self.rare.as_ref().and_then(|rare| rare.label.clone()),
        })
    }
}
