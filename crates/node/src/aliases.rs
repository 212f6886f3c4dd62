//! Aliases of an environment: which process each leads to.
//!
//! Whether an alias is active is decided by its owner's state, under its lock. An entry here is
//! made before anybody can know the alias, and goes when it ends, however it ends.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lunatic_model::{AliasMode, Deed, Delivery, ExitReason, Extent, Pid, Ref};

use crate::environment::SerialHasher;
use crate::lock;
use crate::process::Process;

const SHARDS: usize = 16;

/// Live processes that were given one alias. Further ones are not granted it.
const GRANTED_MAX: usize = 65_536;

struct Entry {
    reference: Ref,
    owner: Pid,
    ends_with_monitor: bool,
    /// Whom a monitor of the same reference watches: it may answer.
    watched: Option<Pid>,
    /// Who else may use it although the owner is out of reach. It goes with the alias.
    granted: Option<BTreeSet<Pid>>,
}

type Shard = Mutex<HashMap<u64, Entry, BuildHasherDefault<SerialHasher>>>;

#[derive(Default)]
pub(crate) struct Aliases {
    shards: [Shard; SHARDS],
    /// All entries, to be read without a lock.
    count: AtomicUsize,
}

impl Aliases {
    fn shard(&self, reference: Ref) -> &Shard {
        &self.shards[(reference.serial % SHARDS as u64) as usize]
    }

    /// The process that a monitor watches may answer through the alias that comes with it.
    pub(crate) fn insert(
        &self,
        reference: Ref,
        owner: Pid,
        ends_with_monitor: bool,
        watched: Option<Pid>,
    ) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { reference, owner, ends_with_monitor, watched, granted: None };
        lock(self.shard(reference)).insert(reference.serial, entry);
    }

    /// Whom it leads to, if `user` may use it: everybody who may send to all, and else its owner
    /// and who was given it. A reference that is guessed leads nowhere.
    pub(crate) fn owner(&self, reference: Ref, user: &Process) -> Option<Pid> {
        let shard = lock(self.shard(reference));
        let entry = shard.get(&reference.serial).filter(|entry| entry.reference == reference)?;
        let user_pid = user.pid();
        let may = user.reach().of(Deed::Send) == Extent::Tree
            || entry.owner == user_pid
            || entry.watched == Some(user_pid)
            || entry.granted.as_ref().is_some_and(|granted| granted.contains(&user_pid));
        may.then_some(entry.owner)
    }

    /// Lets `to` use an alias. At the limit those who have ended, as `lives` says, make room.
    fn grant(&self, reference: Ref, to: Pid, lives: impl Fn(Pid) -> bool) {
        let mut shard = lock(self.shard(reference));
        let entry = shard.get_mut(&reference.serial).filter(|entry| entry.reference == reference);
        let Some(entry) = entry else { return };
        let granted = entry.granted.get_or_insert_default();
        if granted.len() >= GRANTED_MAX {
            granted.retain(|pid| lives(*pid));
        }
        if granted.len() < GRANTED_MAX {
            granted.insert(to);
        }
    }

    pub(crate) fn remove(&self, reference: Ref) {
        self.remove_if(reference, |_| true);
    }

    pub(crate) fn remove_all(&self, references: &[Ref]) {
        references.iter().for_each(|reference| self.remove(*reference));
    }

    /// A monitor of this reference has ended, and with it an alias that was made for that.
    pub(crate) fn monitor_ended(&self, reference: Ref) {
        // Most programs have no alias at all, and downs are many.
        if self.count.load(Ordering::Relaxed) > 0 {
            self.remove_if(reference, |entry| entry.ends_with_monitor);
        }
    }

    fn remove_if(&self, reference: Ref, unwanted: impl Fn(&Entry) -> bool) {
        let mut shard = lock(self.shard(reference));
        let entry = shard.get(&reference.serial);
        if entry.is_some_and(|entry| entry.reference == reference && unwanted(entry)) {
            shard.remove(&reference.serial);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Process {
    /// Makes an alias by which any process can send to this one until it ends; with `priority`,
    /// one that takes priority messages. At the limit of aliases this process ends.
    pub fn alias(&self, mode: AliasMode, priority: bool) -> Ref {
        let environment = self.environment();
        let reference = environment.node().next_ref();
        let active = self.with_state(|state| {
            state.alias(reference, mode, priority);
            state.has_alias(reference)
        });
        if active {
            let ends = mode.ends_with_monitor();
            environment.aliases().insert(reference, self.pid(), ends, None);
        }
        reference
    }

    /// Whether this process may use an alias, and so may pass it on.
    pub fn may_use_alias(&self, reference: Ref) -> bool {
        self.environment().aliases().owner(reference, self).is_some()
    }

    /// Lets this process use an alias that somebody who may has passed on to it.
    pub fn take_alias(&self, reference: Ref) {
        if self.reach().of(Deed::Send) != Extent::Tree {
            let environment = self.environment();
            let lives = |pid| environment.find(pid).is_some();
            environment.aliases().grant(reference, self.pid(), lives);
        }
    }

    /// Sends an exit signal through an alias; through one that is not active it vanishes. With
    /// `priority` a trapped one goes before ordinary messages, if the alias takes such.
    pub fn exit_alias(self: &Arc<Self>, reference: Ref, reason: ExitReason, priority: bool) {
        let environment = self.environment();
        let Some(owner) = environment.aliases().owner(reference, self) else { return };
        // An alias is for answers; to end its owner takes the right to.
        if !self.may(Deed::Exit, owner) {
            return;
        }
        // In its start section a process is not in the table yet.
        let own = || (owner == self.pid()).then(|| self.clone());
        let Some(owner) = own().or_else(|| environment.find(owner)) else { return };
        let done =
            owner.with_state(|state| state.exit_by_alias(reference, self.pid(), reason, priority));
        if let Some(Delivery::Wake) = done {
            owner.wake_by_ref();
        }
    }

    /// Ends an alias of this process: what is sent to it from now on is dropped. False if it was
    /// not active.
    pub fn unalias(&self, reference: Ref) -> bool {
        let ended = self.with_state(|state| state.unalias(reference));
        if ended {
            self.environment().aliases().remove(reference);
        }
        ended
    }
}

#[cfg(test)]
#[path = "aliases_tests.rs"]
mod tests;
