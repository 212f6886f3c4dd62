//! Suspending: a suspended process handles signals and does not run.
//!
//! The suspender counts, so that suspending nests; the suspended process knows who suspends it.
//! Both ends change in one step, under both locks, and the end of either removes it from the other.

use super::Process;
use crate::Pid;

/// A process was to be resumed that this one has not suspended. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this process has not suspended that one")]
pub struct NotSuspended;

impl Process {
    /// Suspends `target`, once more if it has done so before.
    pub fn suspend(&mut self, target: &mut Process) {
        let suspending = &mut self.rare.get_or_insert_default().suspending;
        let count = suspending.entry(target.pid).or_default();
        *count = count.saturating_add(1);
        target.rare.get_or_insert_default().suspenders.insert(self.pid);
    }

    /// Takes back one [`Process::suspend`].
    pub fn resume(&mut self, target: &mut Process) -> Result<(), NotSuspended> {
        let suspending = self.rare.as_mut().map(|rare| &mut rare.suspending).ok_or(NotSuspended)?;
        let count = suspending.get_mut(&target.pid).ok_or(NotSuspended)?;
        *count -= 1;
        if *count == 0 {
            suspending.remove(&target.pid);
            target.forget_suspender(self.pid);
        }
        Ok(())
    }

    /// Whether any process suspends this one.
    pub fn is_suspended(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.suspenders.is_empty())
    }

    /// Who suspends this process.
    pub fn suspenders(&self) -> impl Iterator<Item = Pid> + '_ {
        self.rare.iter().flat_map(|rare| rare.suspenders.iter().copied())
    }

    /// A suspender has ended, or has resumed this process for the last time.
    pub fn forget_suspender(&mut self, suspender: Pid) {
        if let Some(rare) = &mut self.rare {
            rare.suspenders.remove(&suspender);
        }
    }

    /// A process that this one suspends has ended.
    pub fn forget_suspended(&mut self, target: Pid) {
        if let Some(rare) = &mut self.rare {
            rare.suspending.remove(&target);
        }
    }
}
