//! Links and monitors: this process's end of them, and what the end of another does here.
//!
//! What this end has removed has no effect from then on, whatever is still on its way.

use std::sync::Arc;

use super::alias::{Alias, AliasMode};
use super::{Delivery, Process, TrapExit};
use crate::{Envelope, ExitReason, Pid, Ref, Signal, Tag};

#[derive(Debug)]
pub(super) struct Link {
    pub(super) tag: Tag,
    /// The link counts. False only while an unlink waits for its acknowledgement.
    pub(super) active: bool,
    /// The latest unlink of this pair that is not acknowledged: until then, exits come from the
    /// link that was removed and are dropped.
    pub(super) unlinking: Option<u64>,
    /// Linked again from here since that unlink.
    pub(super) relinked: bool,
    /// A trapped exit goes before ordinary messages.
    priority: bool,
}

/// What a monitor may be besides.
#[derive(Clone, Debug, Default)]
pub struct MonitorOptions {
    /// The name that led to the target; the down carries it.
    pub name: Option<Arc<str>>,
    /// The reference is an alias of the process, too, which takes priority messages if the second
    /// is true.
    pub alias: Option<(AliasMode, bool)>,
    /// The down goes before ordinary messages.
    pub priority: bool,
}

#[derive(Debug)]
pub(super) struct MonitorNote {
    name: Option<Arc<str>>,
    priority: bool,
}

impl Process {
    /// This end of a link; the caller sends [`Signal::Link`] to the other. At most one link for a
    /// pair: a repeated one only replaces the tag. At the limit the process ends.
    pub fn link(&mut self, to: Pid, tag: Tag) -> Option<Signal> {
        self.link_with(to, tag, false)
    }

    /// The same; with `priority`, a trapped exit of this link goes before ordinary messages.
    pub fn link_with(&mut self, to: Pid, tag: Tag, priority: bool) -> Option<Signal> {
        if to == self.pid {
            return None;
        }
        // A trapped exit that nobody has received counts as the link that it came from: links to
        // the dead would fill the mailbox otherwise.
        let links = self.links.len() + self.mailbox.exits();
        if links >= self.limits.links_max && !self.links.contains_key(&to) {
            self.end(ExitReason::Limit("links_max"));
            return None;
        }
        let link = self.insert_link(to, tag);
        link.relinked = true;
        link.priority = priority;
        Some(Signal::Link { from: self.pid, tag })
    }

    pub(super) fn insert_link(&mut self, peer: Pid, tag: Tag) -> &mut Link {
        let new = Link { tag, active: true, unlinking: None, relinked: false, priority: false };
        let link = self.links.entry(peer).or_insert(new);
        link.tag = tag;
        link.active = true;
        link
    }

    /// The child's end of a link that is made with it. It stands also if somebody has ended the
    /// child already: nothing comes before its beginning.
    pub fn begin_linked(&mut self, parent: Pid) {
        self.insert_link(parent, Tag::NONE);
    }

    /// The same for a monitor.
    pub fn begin_watched(&mut self, reference: Ref, parent: Pid) {
        self.watchers.insert(reference, parent);
    }

    /// Removes this end of a link; the caller sends what it returns to the other. From now on no
    /// exit signal of this link has an effect here.
    pub fn unlink(&mut self, peer: Pid) -> Option<Signal> {
        let link = self.links.get_mut(&peer).filter(|link| link.active)?;
        self.unlinks += 1;
        link.active = false;
        link.unlinking = Some(self.unlinks);
        link.relinked = false;
        Some(Signal::Unlink { from: self.pid, id: self.unlinks })
    }

    /// The processes that it is linked to.
    pub fn links(&self) -> impl Iterator<Item = Pid> + '_ {
        self.links.iter().filter(|(_, link)| link.active).map(|(pid, _)| *pid)
    }

    pub(super) fn link_exit(&mut self, from: Pid, reason: ExitReason) -> Delivery {
        // An exit of a link that was removed here counts no more, also while the unlink is not
        // acknowledged yet: that is what `unlink` promises.
        let (tag, priority) = match self.links.get(&from) {
            Some(Link { tag, active: true, unlinking: None, priority, .. }) => (*tag, *priority),
            Some(_) | None => return Delivery::Done,
        };
        self.links.remove(&from);
        match (self.trap_exit, &reason) {
            (TrapExit::Off | TrapExit::Failures, ExitReason::Normal) => Delivery::Done,
            (TrapExit::All | TrapExit::Failures, _) => {
                self.notice(Envelope::Exit { from, reason, tag }, priority)
            }
            // Not rewritten to `killed`, even if it is `kill`: only a direct request is.
            (TrapExit::Off, _) => self.end_by(Some(from), reason),
        }
    }

    /// This end of a new monitor; the caller sends [`Signal::Monitor`] to the other. Nothing, if it
    /// is itself: nobody would be told. At the limit the process ends.
    pub fn monitor(&mut self, reference: Ref, target: Pid) -> Option<Signal> {
        if target == self.pid {
            return None;
        }
        // A down that nobody has received counts as the monitor that it came from.
        if self.monitors.len() + self.mailbox.downs() >= self.limits.monitors_max {
            self.end(ExitReason::Limit("monitors_max"));
            return None;
        }
        self.monitors.insert(reference, target);
        Some(Signal::Monitor { from: self.pid, reference })
    }

    /// The same with options. At the limit of aliases the process ends, too.
    pub fn monitor_with(
        &mut self,
        reference: Ref,
        target: Pid,
        options: MonitorOptions,
    ) -> Option<Signal> {
        // As in OTP, the reference of a monitor of oneself is good for nothing, not for an alias
        // either.
        if target == self.pid {
            return None;
        }
        let MonitorOptions { name, alias, priority } = options;
        if let Some((mode, priority)) = alias {
            self.insert_alias(reference, Alias { mode, priority })?;
        }
        let signal = self.monitor(reference, target)?;
        if name.is_some() || priority {
            let notes = &mut self.rare.get_or_insert_default().monitor_notes;
            notes.insert(reference, MonitorNote { name, priority });
        }
        Some(signal)
    }

    /// Removes a monitor; from now on its down is dropped, and an alias that ends with the monitor
    /// ends. With `flush`, a down that lies in the mailbox goes, too. The caller sends
    /// [`Signal::Demonitor`] to the process that it returns.
    pub fn demonitor(&mut self, reference: Ref, flush: bool) -> Option<Pid> {
        let target = self.remove_monitor(reference);
        if flush && target.is_none() && self.mailbox.downs() > 0 {
            self.mailbox.discard(|envelope| {
                matches!(envelope, Envelope::Down { reference: other, .. } if *other == reference)
            });
        }
        target
    }

    fn remove_monitor(&mut self, reference: Ref) -> Option<Pid> {
        let target = self.monitors.remove(&reference)?;
        if let Some(rare) = &mut self.rare {
            rare.monitor_notes.remove(&reference);
            if rare.aliases.get(&reference).is_some_and(|alias| alias.mode.ends_with_monitor()) {
                rare.aliases.remove(&reference);
            }
        }
        Some(target)
    }

    /// The references of all monitors of `target`.
    pub fn monitors_of(&self, target: Pid) -> Vec<Ref> {
        let of_target = self.monitors.iter().filter(|(_, pid)| **pid == target);
        of_target.map(|(reference, _)| *reference).collect()
    }

    pub(super) fn down(&mut self, reference: Ref, from: Pid, reason: ExitReason) -> Delivery {
        let rare = self.rare.as_mut();
        let note = rare.and_then(|rare| rare.monitor_notes.remove(&reference));
        if self.remove_monitor(reference).is_none() {
            return Delivery::Done;
        }
        let (name, priority) = note.map_or((None, false), |note| (note.name, note.priority));
        self.notice(Envelope::Down { reference, from, name, reason }, priority)
    }
}
