//! The children of a supervisor with specifications: who runs, and what is done when one ends.
//!
//! Owns their list, in the order of start, and the three strategies. What must stay true: children
//! are started in that order and stopped in the reverse; those that go with another stop before any
//! of them starts again; a temporary child that does not run is not in the list; a restart that
//! fails leaves the child marked, is tried again, and counts. All of it follows OTP's supervisor.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ExitReason, Pid};

use super::decisions::{Again, Effects, Event, Outcome, Report, stopped_well};
use super::restarts::Restarts;
use super::spec::{
    AutoShutdown, ChildKind, ChildSpec, Flags, Restart, SpecError, Strategy, check_child,
    check_flags,
};
use super::{ManageError, StartError, Started};

/// What a child does at the moment.
///
/// ```
/// use lunatic::Pid;
/// use lunatic::supervisor::ChildState;
///
/// fn pid(state: ChildState) -> Option<Pid> {
///     match state {
///         ChildState::Running(pid) => Some(pid),
///         ChildState::Stopped | ChildState::Restarting => None,
///     }
/// }
///
/// assert_eq!(pid(ChildState::Stopped), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildState {
    /// It runs as this process.
    Running(Pid),
    /// It does not run: it was ignored at its start, was stopped, or ended as it should.
    Stopped,
    /// Its restart has failed and is about to be tried again.
    Restarting,
}

/// How many children a supervisor has.
///
/// ```
/// use lunatic::supervisor::{Counts, Strategy, Supervisor};
///
/// let supervisor = Supervisor::new(Strategy::OneForOne).start_link().unwrap();
/// assert_eq!(supervisor.count_children(), Ok(Counts::default()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Specifications, of children that run or not; 1 for a dynamic supervisor.
    pub specs: u64,
    /// Processes that are alive.
    pub active: u64,
    /// Children that are supervisors, running or not.
    pub supervisors: u64,
    /// Children that are workers, running or not.
    pub workers: u64,
}

#[derive(Debug)]
struct Child {
    spec: ChildSpec,
    state: ChildState,
}

/// The children of one supervisor.
#[derive(Debug)]
pub(crate) struct Children {
    flags: Flags,
    restarts: Restarts,
    list: Vec<Child>,
}

/// The start of the child at `index` has failed.
struct FailedAt {
    index: usize,
    error: StartError,
}

impl Children {
    /// Children that were not started yet.
    pub(crate) fn new(flags: Flags, specs: Vec<ChildSpec>) -> Result<Self, SpecError> {
        check_flags(&flags)?;
        let restarts = Restarts::new(flags.intensity, flags.period);
        let mut children = Self { flags, restarts, list: Vec::with_capacity(specs.len()) };
        for spec in specs {
            check_child(&spec, &flags)?;
            if children.find(&spec.id).is_some() {
                return Err(SpecError::DuplicateId(spec.id));
            }
            children.list.push(Child { spec, state: ChildState::Stopped });
        }
        Ok(children)
    }

    /// Starts all. If one fails, those before it are stopped again, and its id and error are given.
    pub(crate) fn start_all(
        &mut self,
        effects: &mut impl Effects,
    ) -> Result<(), (String, StartError)> {
        let all = self.list.len();
        self.start_range(0, all, effects).map_err(|failed| {
            let id = self.list[failed.index].spec.id.clone();
            self.stop_all(effects);
            (id, failed.error)
        })
    }

    /// Stops all, the last started first.
    pub(crate) fn stop_all(&mut self, effects: &mut impl Effects) {
        self.stop_from(0, effects);
    }

    /// A linked process has ended, at the time `now`. What is no child changes nothing.
    pub(crate) fn exited(
        &mut self,
        pid: Pid,
        reason: &ExitReason,
        now: Duration,
        effects: &mut impl Effects,
    ) -> Outcome {
        let running = ChildState::Running(pid);
        let Some(index) = self.list.iter().position(|child| child.state == running) else {
            return Outcome::Continue;
        };
        let restart = self.list[index].spec.restart;
        let orderly = reason.is_orderly();
        if restart == Restart::Permanent || !orderly {
            let reason = reason.to_string();
            self.report(index, Event::ChildTerminated, Some(pid), reason, effects);
        }
        match restart {
            Restart::Permanent => self.restart(index, now, effects),
            Restart::Transient if !orderly => self.restart(index, now, effects),
            Restart::Transient | Restart::Temporary => {
                let significant = self.list[index].spec.significant;
                self.forget_process(index);
                self.auto_shutdown(significant)
            }
        }
    }

    /// Tries a restart again that has failed before, unless the child was taken care of meanwhile.
    pub(crate) fn try_again(
        &mut self,
        id: &str,
        now: Duration,
        effects: &mut impl Effects,
    ) -> Outcome {
        match self.find(id) {
            Some(index) if self.list[index].state == ChildState::Restarting => {
                self.restart(index, now, effects)
            }
            Some(_) | None => Outcome::Continue,
        }
    }

    /// Adds a child as the last one and starts it. A failed start leaves nothing.
    pub(crate) fn start_child(
        &mut self,
        spec: ChildSpec,
        effects: &mut impl Effects,
    ) -> Result<Started, ManageError> {
        check_child(&spec, &self.flags).map_err(ManageError::Spec)?;
        if let Some(index) = self.find(&spec.id) {
            return Err(match self.list[index].state {
                ChildState::Running(pid) => ManageError::AlreadyStarted(pid),
                ChildState::Stopped | ChildState::Restarting => ManageError::AlreadyPresent,
            });
        }
        let started = effects.start(&spec.start).map_err(ManageError::Start)?;
        let state = match started {
            Started::Ignore if spec.restart == Restart::Temporary => return Ok(started),
            Started::Ignore => ChildState::Stopped,
            Started::Running(pid) => ChildState::Running(pid),
        };
        self.list.push(Child { spec, state });
        self.report_start(self.list.len() - 1, effects);
        Ok(started)
    }

    /// Stops a child, if it runs. Its specification stays, unless it is temporary. This is not an
    /// end by itself: the supervisor does not shut down for it.
    pub(crate) fn terminate_child(
        &mut self,
        id: &str,
        effects: &mut impl Effects,
    ) -> Result<(), ManageError> {
        let index = self.find(id).ok_or(ManageError::NotFound)?;
        self.stop_one(index, effects);
        self.forget_process(index);
        Ok(())
    }

    /// Starts a child that was stopped.
    pub(crate) fn restart_child(
        &mut self,
        id: &str,
        effects: &mut impl Effects,
    ) -> Result<Started, ManageError> {
        let index = self.stopped(id)?;
        let started = effects.start(&self.list[index].spec.start).map_err(ManageError::Start)?;
        if let Started::Running(pid) = started {
            self.list[index].state = ChildState::Running(pid);
        }
        self.report_start(index, effects);
        Ok(started)
    }

    /// Forgets a child that was stopped.
    pub(crate) fn delete_child(&mut self, id: &str) -> Result<(), ManageError> {
        let index = self.stopped(id)?;
        self.list.remove(index);
        Ok(())
    }

    /// The specification of a child.
    pub(crate) fn spec(&self, id: &str) -> Result<&ChildSpec, ManageError> {
        let index = self.find(id).ok_or(ManageError::NotFound)?;
        Ok(&self.list[index].spec)
    }

    /// All children, the last started first, as OTP lists them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ChildSpec, ChildState)> {
        self.list.iter().rev().map(|child| (&child.spec, child.state))
    }

    /// How many there are.
    pub(crate) fn count(&self, effects: &mut impl Effects) -> Counts {
        let mut counts = Counts::default();
        for child in &self.list {
            counts.specs += 1;
            match child.spec.kind {
                ChildKind::Worker => counts.workers += 1,
                ChildKind::Supervisor => counts.supervisors += 1,
            }
            if let ChildState::Running(pid) = child.state {
                counts.active += u64::from(effects.is_alive(pid));
            }
        }
        counts
    }

    /// The flags that hold.
    pub(crate) fn flags(&self) -> &Flags {
        &self.flags
    }

    /// Replaces flags and specifications while the children run, as a change of code does: a child
    /// whose id stays keeps its process; one whose id is new does not run yet; one whose id is gone
    /// stays as it is, after the others. Nothing changes if the new ones are not valid.
    pub(crate) fn change(&mut self, flags: Flags, specs: Vec<ChildSpec>) -> Result<(), SpecError> {
        let mut new = Self::new(flags, specs)?;
        for child in &mut new.list {
            if let Some(old) = self.find(&child.spec.id) {
                child.state = self.list[old].state;
            }
        }
        self.list.retain(|old| new.find(&old.spec.id).is_none());
        new.list.append(&mut self.list);
        self.list = new.list;
        self.flags = flags;
        self.restarts.change(flags.intensity, flags.period);
        Ok(())
    }

    /// Counts a restart of the child at `index` and makes it, with the others that the strategy
    /// names.
    fn restart(&mut self, index: usize, now: Duration, effects: &mut impl Effects) -> Outcome {
        if !self.restarts.add(now) {
            let pid = self.process(index);
            let why = "reached the maximum of its restart intensity".to_string();
            self.report(index, Event::MaxIntensity, pid, why, effects);
            self.forget_process(index);
            return Outcome::Shutdown;
        }
        // The one that ended must not be stopped again.
        self.list[index].state = ChildState::Stopped;
        let from = match self.flags.strategy {
            Strategy::OneForOne | Strategy::RestForOne => index,
            Strategy::OneForAll => 0,
        };
        let to = match self.flags.strategy {
            Strategy::OneForOne => index + 1,
            Strategy::RestForOne | Strategy::OneForAll => {
                self.stop_from(from, effects);
                self.list.len()
            }
        };
        if let Err(failed) = self.start_range(from, to, effects) {
            let child = &mut self.list[failed.index];
            child.state = ChildState::Restarting;
            effects.try_again(Again::Id(child.spec.id.clone()));
        }
        Outcome::Continue
    }

    /// Starts the children from `from` to before `to`; stops at the first that fails. A temporary
    /// one that ignores its start leaves the list.
    fn start_range(
        &mut self,
        from: usize,
        to: usize,
        effects: &mut impl Effects,
    ) -> Result<(), FailedAt> {
        let (mut index, mut to) = (from, to);
        while index < to {
            let child = &mut self.list[index];
            match effects.start(&child.spec.start) {
                Ok(Started::Ignore) if child.spec.restart == Restart::Temporary => {
                    self.list.remove(index);
                    to -= 1;
                    continue;
                }
                Ok(Started::Ignore) => child.state = ChildState::Stopped,
                Ok(Started::Running(pid)) => child.state = ChildState::Running(pid),
                Err(error) => {
                    self.report(index, Event::StartError, None, error.to_string(), effects);
                    return Err(FailedAt { index, error });
                }
            }
            self.report_start(index, effects);
            index += 1;
        }
        Ok(())
    }

    /// Stops the children from the last back to `from`. Temporary ones leave the list.
    fn stop_from(&mut self, from: usize, effects: &mut impl Effects) {
        for index in (from..self.list.len()).rev() {
            self.stop_one(index, effects);
            self.forget_process(index);
        }
    }

    fn stop_one(&mut self, index: usize, effects: &mut impl Effects) {
        let child = &self.list[index];
        let ChildState::Running(pid) = child.state else { return };
        let how = child.spec.shutdown_type();
        let reason = effects.stop(pid, how);
        if !stopped_well(&reason, how, child.spec.restart) {
            self.report(index, Event::ShutdownError, Some(pid), reason.to_string(), effects);
        }
    }

    /// The child at `index` does not run any more.
    fn forget_process(&mut self, index: usize) {
        match self.list[index].spec.restart {
            Restart::Temporary => {
                self.list.remove(index);
            }
            Restart::Permanent | Restart::Transient => {
                self.list[index].state = ChildState::Stopped;
            }
        }
    }

    /// What becomes of the supervisor when a child has ended by itself and is not restarted.
    fn auto_shutdown(&self, significant: bool) -> Outcome {
        let ends = significant
            && match self.flags.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => !self
                    .list
                    .iter()
                    .any(|child| child.spec.significant && child.state != ChildState::Stopped),
            };
        if ends { Outcome::Shutdown } else { Outcome::Continue }
    }

    fn find(&self, id: &str) -> Option<usize> {
        self.list.iter().position(|child| child.spec.id == id)
    }

    fn stopped(&self, id: &str) -> Result<usize, ManageError> {
        let index = self.find(id).ok_or(ManageError::NotFound)?;
        match self.list[index].state {
            ChildState::Stopped => Ok(index),
            ChildState::Running(_) => Err(ManageError::Running),
            ChildState::Restarting => Err(ManageError::Restarting),
        }
    }

    fn process(&self, index: usize) -> Option<Pid> {
        match self.list[index].state {
            ChildState::Running(pid) => Some(pid),
            ChildState::Stopped | ChildState::Restarting => None,
        }
    }

    fn report_start(&self, index: usize, effects: &mut impl Effects) {
        if let ChildState::Running(pid) = self.list[index].state {
            self.report(index, Event::Started, Some(pid), String::new(), effects);
        }
    }

    fn report(
        &self,
        index: usize,
        event: Event,
        pid: Option<Pid>,
        reason: String,
        effects: &mut impl Effects,
    ) {
        effects.report(Report { event, child: &self.list[index].spec, pid, reason });
    }
}
