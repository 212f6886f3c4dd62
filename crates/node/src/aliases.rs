//! Aliases of an environment: which process each leads to.
//!
//! Whether an alias is active is decided by its owner's state, under its lock. An entry here is
//! made before anybody can know the alias, and goes when it ends, however it ends.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lunatic_model::{AliasMode, Delivery, ExitReason, Pid, Ref};

use crate::environment::SerialHasher;
use crate::lock;
use crate::process::Process;

const SHARDS: usize = 16;

#[derive(Clone, Copy)]
struct Entry {
    reference: Ref,
    owner: Pid,
    ends_with_monitor: bool,
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

    pub(crate) fn insert(&self, reference: Ref, owner: Pid, ends_with_monitor: bool) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { reference, owner, ends_with_monitor };
        lock(self.shard(reference)).insert(reference.serial, entry);
    }

    pub(crate) fn owner(&self, reference: Ref) -> Option<Pid> {
        let entry = lock(self.shard(reference)).get(&reference.serial).copied()?;
        (entry.reference == reference).then_some(entry.owner)
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
            environment.aliases().insert(reference, self.pid(), mode.ends_with_monitor());
        }
        reference
    }

    /// Sends an exit signal through an alias; through one that is not active it vanishes. With
    /// `priority` a trapped one goes before ordinary messages, if the alias takes such.
    pub fn exit_alias(self: &Arc<Self>, reference: Ref, reason: ExitReason, priority: bool) {
        let environment = self.environment();
        let Some(owner) = environment.aliases().owner(reference) else { return };
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
