//! Lineage and reach: who descends from whom, and with whom a process may do what.
//!
//! What must stay true: a process whose reach is the whole environment, without an ancestor whose
//! is not, carries nothing. A chain names live ancestors, and dead ones that nobody has passed over
//! yet: it has at most [`GENERATIONS_MAX`] links, however many have ended in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lunatic_model::{Deed, Extent, Pid, Reach};

use crate::environment::{Environment, SpawnError};
use crate::lock;
use crate::process::{Info, Process};

/// Links of a chain. A process with so many live ancestors below a restricted one spawns nothing.
pub(crate) const GENERATIONS_MAX: usize = 256;

/// Processes that one was given, beside those that it reaches anyway.
pub(crate) const GIVEN_MAX: usize = 65_536;

/// One process in its chain of ancestors.
pub(crate) struct Lineage {
    pid: Pid,
    alive: AtomicBool,
    parent: Mutex<Option<Arc<Lineage>>>,
    /// What it may do with processes that were handed over to it.
    given: Mutex<BTreeMap<Pid, Handed>>,
}

/// What goes over with a process that is handed to somebody else: to send to it, to watch it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Handed {
    /// It may be sent to.
    pub send: bool,
    /// It may be watched.
    pub monitor: bool,
}

impl Handed {
    fn includes(self, deed: Deed) -> bool {
        match deed {
            Deed::Send => self.send,
            Deed::Monitor => self.monitor,
            Deed::Link | Deed::Exit | Deed::Inspect => false,
        }
    }
}

impl Lineage {
    /// The place of a new process below its parent's, if it needs one.
    pub(crate) fn of(
        parent: Option<&Process>,
        reach: Reach,
        pid: Pid,
    ) -> Result<Option<Arc<Lineage>>, SpawnError> {
        match parent.and_then(|parent| parent.lineage.as_ref()) {
            None if reach == Reach::WHOLE => Ok(None),
            above => Lineage::below(above, pid).map(Some),
        }
    }

    #[cold]
    fn below(parent: Option<&Arc<Lineage>>, pid: Pid) -> Result<Arc<Lineage>, SpawnError> {
        let (mut length, mut next) = (1, parent.cloned());
        while let Some(ancestor) = next {
            length += 1;
            next = ancestor.pass_over_the_dead();
        }
        if length > GENERATIONS_MAX {
            return Err(SpawnError::Generations(GENERATIONS_MAX));
        }
        let (parent, given) = (Mutex::new(parent.cloned()), Mutex::default());
        Ok(Arc::new(Lineage { pid, alive: true.into(), parent, given }))
    }

    /// The dead never ask who descends from them. Gives the next one above that lives.
    fn pass_over_the_dead(&self) -> Option<Arc<Lineage>> {
        let mut next = lock(&self.parent).clone();
        let is_dead = |one: &mut Arc<Lineage>| !one.alive.load(Ordering::Relaxed);
        let mut changed = false;
        while let Some(dead) = next.take_if(is_dead) {
            next = lock(&dead.parent).clone();
            changed = true;
        }
        if changed {
            // Dropped after the lock is free: it may be the last one that holds what is above.
            let before = std::mem::replace(&mut *lock(&self.parent), next.clone());
            drop(before);
        }
        next
    }

    pub(crate) fn has_ended(&self) {
        self.alive.store(false, Ordering::Relaxed);
        lock(&self.given).clear();
    }

    fn descends_from(&self, pid: Pid) -> bool {
        // Nobody is older than who spawned him.
        let mut next = lock(&self.parent).clone();
        while let Some(ancestor) = next.take_if(|ancestor| ancestor.pid.serial >= pid.serial) {
            if ancestor.pid == pid {
                return true;
            }
            next = lock(&ancestor.parent).clone();
        }
        false
    }
}

impl Process {
    /// How far it reaches.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether it may do that with another process. Who does not exist is out of reach of all but
    /// those who reach the whole environment.
    #[inline]
    pub fn reaches(&self, deed: Deed, to: Pid) -> bool {
        matches!(self.reach.of(deed), Extent::Tree) || self.reaches_narrowly(deed, to)
    }

    /// The same for who is about to do it: that it may not is told.
    #[inline]
    pub fn may(&self, deed: Deed, to: Pid) -> bool {
        matches!(self.reach.of(deed), Extent::Tree) || self.may_narrowly(deed, to)
    }

    #[cold]
    #[inline(never)]
    fn may_narrowly(&self, deed: Deed, to: Pid) -> bool {
        let may = self.reaches_narrowly(deed, to);
        // Who has ended is nobody's secret, but for the guest.
        if !may && self.environment().find(to).is_some() {
            let (_, name) = Deed::EACH[deed as usize];
            self.deny(name, || (format!("{name}:tree"), format!("{name} {to}")));
        }
        may
    }

    #[cold]
    #[inline(never)]
    fn reaches_narrowly(&self, deed: Deed, to: Pid) -> bool {
        self.is_within(self.reach.of(deed), to) || self.was_given(deed, to)
    }

    /// Whether a name that leads to this process leads anywhere for it: what it can do nothing
    /// with is not told.
    pub fn sees(&self, to: Pid) -> bool {
        self.is_within(self.reach.widest(), to)
            || Deed::EACH.iter().any(|(deed, _)| self.was_given(*deed, to))
    }

    fn is_within(&self, extent: Extent, to: Pid) -> bool {
        match extent {
            Extent::Tree => true,
            _ if to == self.pid() => true,
            Extent::None => false,
            Extent::Family if self.parent() == Some(to) => true,
            Extent::Family | Extent::Descendants => {
                let target = self.environment().find(to);
                target
                    .as_ref()
                    .and_then(|target| target.lineage.as_ref())
                    .is_some_and(|lineage| lineage.descends_from(self.pid()))
            }
        }
    }

    fn was_given(&self, deed: Deed, to: Pid) -> bool {
        self.lineage
            .as_ref()
            .and_then(|lineage| lock(&lineage.given).get(&to).copied())
            .is_some_and(|handed| handed.includes(deed))
    }

    /// What this process can hand over of another.
    pub fn hand_over(&self, pid: Pid) -> Handed {
        let [send, monitor] = [Deed::Send, Deed::Monitor].map(|deed| self.reaches(deed, pid));
        Handed { send, monitor }
    }

    /// Takes a process that somebody has handed over: from now on it is within reach for that.
    /// False, and nothing is taken, if this one was given too many that live.
    pub fn take_over(&self, pid: Pid, handed: Handed) -> bool {
        let Some(lineage) = &self.lineage else { return true };
        let mut given = lock(&lineage.given);
        if given.len() >= GIVEN_MAX {
            given.retain(|pid, _| self.environment().find(*pid).is_some());
        }
        if given.len() >= GIVEN_MAX {
            return false;
        }
        let known = given.entry(pid).or_default();
        known.send |= handed.send;
        known.monitor |= handed.monitor;
        true
    }

    /// The process that a name leads to, for this one.
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        self.environment().whereis(name).filter(|pid| self.sees(*pid))
    }

    /// Whether a process lives, as far as this one may know.
    pub fn exists(&self, pid: Pid) -> bool {
        self.may(Deed::Inspect, pid) && self.environment().exists(pid)
    }

    /// What can be seen of a process; `None` also if this one may not.
    pub fn inspect(&self, pid: Pid) -> Option<Info> {
        self.may(Deed::Inspect, pid).then(|| self.environment().info(pid)).flatten()
    }

    /// The processes that this one may inspect, all at one moment.
    pub fn processes(&self) -> Vec<Pid> {
        let mut pids = self.environment().processes();
        if self.reach.of(Deed::Inspect) != Extent::Tree {
            // The parent is the only one that is older.
            let (own, parent) = (self.pid(), self.parent());
            pids.retain(|pid| pid.serial >= own.serial || parent == Some(*pid));
            pids.retain(|pid| self.reaches(Deed::Inspect, *pid));
        }
        pids
    }

    /// Waits as [`Environment::settled`], for a process that this one may inspect.
    pub async fn settled(&self, pid: Pid) {
        if pid != self.pid() && self.reaches(Deed::Inspect, pid) {
            Environment::settled(self.environment(), pid).await;
        }
    }
}
