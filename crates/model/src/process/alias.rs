//! Aliases (EEP 53): references by which a process can be sent to until it, or a reply, ends them.
//!
//! Only the owner makes one or ends it. A message through an alias that is no longer active is
//! dropped before it reaches the mailbox; one that is in the mailbox already stays.

use super::{Delivery, Process};
use crate::{ExitReason, Message, Pid, Ref, Signal};

/// What ends an alias, besides [`Process::unalias`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AliasMode {
    /// Nothing else.
    ExplicitUnalias,
    /// The first message through it.
    Reply,
    /// The end of the monitor that it was made with.
    Demonitor,
    /// The end of that monitor, and the first message, which ends the monitor, too.
    ReplyDemonitor,
}

impl AliasMode {
    /// Whether the alias ends when its monitor does: by a down, or removed.
    pub fn ends_with_monitor(self) -> bool {
        match self {
            AliasMode::ExplicitUnalias | AliasMode::Reply => false,
            AliasMode::Demonitor | AliasMode::ReplyDemonitor => true,
        }
    }

    fn ends_with_message(self) -> bool {
        match self {
            AliasMode::ExplicitUnalias | AliasMode::Demonitor => false,
            AliasMode::Reply | AliasMode::ReplyDemonitor => true,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Alias {
    pub(super) mode: AliasMode,
    /// It takes priority messages.
    pub(super) priority: bool,
}

/// What a message through an alias did.
#[derive(Debug)]
pub struct AliasDelivery {
    /// What it did to the process; [`Delivery::Dead`] if the alias was not active.
    pub delivery: Delivery,
    /// The alias is not active, or no longer.
    pub ended: bool,
    /// The monitor of this process ended with the alias: it gets [`Signal::Demonitor`].
    pub demonitor: Option<Pid>,
}

impl Process {
    /// Makes an alias; with `priority`, one that takes priority messages (EEP 76). At the limit the
    /// process ends.
    pub fn alias(&mut self, reference: Ref, mode: AliasMode, priority: bool) {
        // Without an alias the process ends, which is all that could be told.
        let _ = self.insert_alias(reference, Alias { mode, priority });
    }

    pub(super) fn insert_alias(&mut self, reference: Ref, alias: Alias) -> Option<()> {
        let aliases = self.rare.as_ref().map_or(0, |rare| rare.aliases.len());
        if aliases >= self.limits.aliases_max {
            self.end(ExitReason::Limit("aliases_max"));
            return None;
        }
        self.rare.get_or_insert_default().aliases.insert(reference, alias);
        Some(())
    }

    /// Ends an alias; a monitor that it was made with stays. False if it is not active.
    pub fn unalias(&mut self, reference: Ref) -> bool {
        self.rare.as_mut().is_some_and(|rare| rare.aliases.remove(&reference).is_some())
    }

    /// Whether the alias is active.
    pub fn has_alias(&self, reference: Ref) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.aliases.contains_key(&reference))
    }

    /// Handles a message through an alias, in the order of the line as
    /// [`Process::deliver_in_line`]. With `priority` it goes before ordinary messages, if the
    /// alias was made for that.
    pub fn deliver_by_alias(
        &mut self,
        reference: Ref,
        mut message: Message,
        priority: bool,
        place: Option<u64>,
    ) -> AliasDelivery {
        // The dead have no aliases.
        let rare = self.rare.as_ref();
        let Some(alias) = rare.and_then(|rare| rare.aliases.get(&reference)).copied() else {
            // It goes back, so that what it holds is not released under the lock.
            let delivery = Delivery::Dead(Signal::Message(message));
            return AliasDelivery { delivery, ended: true, demonitor: None };
        };
        message.reference = Some(Box::new(reference));
        let first_in_line = self.is_first_in_line(place);
        let delivery = self.message(message, first_in_line, priority && alias.priority);
        let ended = alias.mode.ends_with_message() && !matches!(delivery, Delivery::Full(_));
        let demonitor = ended.then(|| {
            self.unalias(reference);
            // Mode `Reply` has no monitor of this reference.
            self.demonitor(reference, false)
        });
        AliasDelivery { delivery, ended, demonitor: demonitor.flatten() }
    }

    /// Handles a request to exit that came through an alias; `None` if that is not active. It is
    /// no message, so the alias stays. With `priority` a trapped one goes before ordinary
    /// messages, if the alias was made for that.
    pub fn exit_by_alias(
        &mut self,
        reference: Ref,
        from: Pid,
        reason: ExitReason,
        priority: bool,
    ) -> Option<Delivery> {
        let alias = self.rare.as_ref()?.aliases.get(&reference).copied()?;
        Some(self.exit_request(from, reason, priority && alias.priority))
    }
}
