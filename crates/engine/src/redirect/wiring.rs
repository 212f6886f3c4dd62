//! What the processes of a runtime have to do with each other by redirections: who is redirected to
//! whom, and changes on their way to processes that run.
//!
//! A change waits here until its process makes its next call. **Invariant:** what stands here is of
//! processes that live; a process takes its own away when it ends, and a change that comes too late
//! for that is taken back by who made it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lunatic_model::{Pid, Routes};
use lunatic_node::Environment;

use crate::redirect::Resolved;

/// Changes that wait for one process.
const CHANGES_MAX: usize = 64;

/// Why a redirection was not made. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum WiringError {
    #[error(
        "the redirection would close a circle: the process is redirected, by whatever way, to one \
         that is redirected to it, and each could wait for the other for ever"
    )]
    Circle,
    #[error("{CHANGES_MAX} changes wait for the process already, until it makes its next call")]
    TooManyChanges,
    #[error("there is no such process, or it is ending")]
    NoProcess,
}

#[derive(Default)]
pub(crate) struct Wiring {
    inner: Mutex<Inner>,
    /// Processes for which changes wait; so that all others pay for one load.
    changed: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    routes: Routes,
    changes: HashMap<Pid, Vec<Resolved>>,
}

impl Wiring {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each section leaves its data whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process is redirected to these. It closes no circle, since nobody knows it yet.
    pub(crate) fn enter(&self, process: Pid, targets: &[Pid]) {
        if !targets.is_empty() {
            self.lock().routes.set(process, targets.to_vec());
        }
    }

    /// Whether changes wait for anybody.
    #[inline]
    pub(crate) fn has_changes(&self) -> bool {
        self.changed.load(Ordering::Relaxed) > 0
    }

    /// Lets a change wait for a process that runs.
    pub(crate) fn change(
        &self,
        environment: &Environment,
        process: Pid,
        change: Resolved,
    ) -> Result<(), WiringError> {
        {
            let mut inner = self.lock();
            if inner.changes.get(&process).is_some_and(|changes| changes.len() >= CHANGES_MAX) {
                return Err(WiringError::TooManyChanges);
            }
            if !inner.routes.add_all(process, &change.targets) {
                return Err(WiringError::Circle);
            }
            inner.changes.entry(process).or_default().push(change);
            self.changed.store(inner.changes.len(), Ordering::Relaxed);
        }
        // One that lives now takes its own away at its end, which comes later.
        if environment.exists(process) {
            return Ok(());
        }
        self.forget(process);
        Err(WiringError::NoProcess)
    }

    /// Takes the changes that wait for a process.
    pub(crate) fn take(&self, process: Pid) -> Vec<Resolved> {
        let mut inner = self.lock();
        let changes = inner.changes.remove(&process).unwrap_or_default();
        self.changed.store(inner.changes.len(), Ordering::Relaxed);
        changes
    }

    /// Its changes are made: this is all that it is redirected to now, but for what waits already.
    pub(crate) fn settle(&self, process: Pid, mut targets: Vec<Pid>) {
        let mut inner = self.lock();
        let waiting = inner.changes.get(&process).into_iter().flatten();
        targets.extend(waiting.flat_map(|change| change.targets.iter().copied()));
        inner.routes.set(process, targets);
    }

    /// A process has ended.
    pub(crate) fn forget(&self, process: Pid) {
        let mut inner = self.lock();
        inner.routes.set(process, Vec::new());
        inner.changes.remove(&process);
        self.changed.store(inner.changes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lunatic_model::{ExitReason, Limits, What};
    use lunatic_node::{Node, NodeOptions, Process};
    use lunatic_wasi::Replacement;

    use super::*;
    use crate::redirect::Effect;

    fn change(targets: &[Pid]) -> Resolved {
        let effect = Effect::Wasi(Replacement::Variable("A".to_owned(), None));
        let what = What::Variable("A".to_owned());
        Resolved { what, effect, targets: targets.to_vec(), alone: false }
    }

    fn started(environment: &Arc<Environment>) -> Arc<Process> {
        let process = environment.prepare("test", Arc::new(Limits::default())).expect("room");
        let body = Box::pin(std::future::pending::<ExitReason>());
        environment.start(process.clone(), body, None);
        process
    }

    fn is_empty(wiring: &Wiring) -> bool {
        let inner = wiring.lock();
        inner.routes.is_empty() && inner.changes.is_empty()
    }

    #[test]
    fn nothing_is_left_of_a_change_for_a_process_that_has_ended() {
        let node = Node::start(NodeOptions::default()).expect("a node");
        let environment = node.environment(1);
        let (ended, other) = (started(&environment), started(&environment));
        ended.kill();
        futures::executor::block_on(ended.join());
        let wiring = Wiring::default();
        let refused = wiring.change(&environment, ended.pid(), change(&[other.pid()]));
        assert_eq!(refused, Err(WiringError::NoProcess));
        assert!(is_empty(&wiring) && !wiring.has_changes());
        environment.kill_all();
    }

    #[test]
    fn changes_wait_in_order_and_so_many_at_most() {
        let node = Node::start(NodeOptions::default()).expect("a node");
        let environment = node.environment(1);
        let process = started(&environment);
        let wiring = Wiring::default();
        for _ in 0..CHANGES_MAX {
            assert_eq!(wiring.change(&environment, process.pid(), change(&[])), Ok(()));
        }
        let more = wiring.change(&environment, process.pid(), change(&[]));
        assert_eq!(more, Err(WiringError::TooManyChanges));
        assert!(wiring.has_changes());
        assert_eq!(wiring.take(process.pid()).len(), CHANGES_MAX);
        assert!(!wiring.has_changes());
        environment.kill_all();
    }

    #[test]
    fn what_waits_counts_for_circles_and_what_is_made_replaces_it() {
        let node = Node::start(NodeOptions::default()).expect("a node");
        let environment = node.environment(1);
        let [one, two, three] = [(); 3].map(|()| started(&environment).pid());
        let wiring = Wiring::default();
        assert_eq!(wiring.change(&environment, one, change(&[two])), Ok(()));
        let circle = wiring.change(&environment, two, change(&[one]));
        assert_eq!(circle, Err(WiringError::Circle));
        wiring.take(one);
        // While it was taken, another change came.
        assert_eq!(wiring.change(&environment, one, change(&[three])), Ok(()));
        wiring.settle(one, vec![two]);
        let circle = wiring.change(&environment, three, change(&[one]));
        assert_eq!(circle, Err(WiringError::Circle));
        wiring.take(one);
        wiring.settle(one, vec![three]);
        assert_eq!(wiring.change(&environment, two, change(&[one])), Ok(()));
        environment.kill_all();
    }
}
