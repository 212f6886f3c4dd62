//! The children of a dynamic supervisor: any number of one kind, each with an argument of its own.
//!
//! Owns who runs, and what is done when one ends. What must stay true: there is no order among
//! them; they stop all at once; what is remembered of a child goes when it is not restarted. All of
//! it follows OTP's simple_one_for_one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::format::Bytes;
use crate::{ExitReason, Pid};

use super::decisions::{Again, Effects, Event, Outcome, Report, stopped_well};
use super::restarts::Restarts;
use super::spec::{
    AutoShutdown, ChildKind, ChildSpec, Flags, Restart, SpecError, check_child, check_flags,
};
use super::{ChildState, Counts, ManageError, StartError, Started};

/// One child.
#[derive(Debug)]
struct Child {
    /// With what it was started; kept for those alone that may be restarted.
    argument: Option<Bytes>,
    /// Its restart has failed: the process that it is filed under has ended.
    restarting: bool,
}

/// The children of one dynamic supervisor.
#[derive(Debug)]
pub(crate) struct DynamicChildren {
    flags: Flags,
    restarts: Restarts,
    template: ChildSpec,
    children: BTreeMap<Pid, Child>,
}

impl DynamicChildren {
    /// No children yet. The strategy of the flags has no meaning: each child is for itself.
    pub(crate) fn new(flags: Flags, template: ChildSpec) -> Result<Self, SpecError> {
        check_flags(&flags)?;
        check_child(&template, &flags)?;
        let restarts = Restarts::new(flags.intensity, flags.period);
        Ok(Self { flags, restarts, template, children: BTreeMap::new() })
    }

    /// Starts a child.
    pub(crate) fn start_child(
        &mut self,
        argument: Bytes,
        effects: &mut impl Effects,
    ) -> Result<Started, StartError> {
        let start = self.template.start.with_argument(argument);
        let started = effects.start(&start)?;
        if let Started::Running(pid) = started {
            self.store(pid, Some(start.argument));
        }
        Ok(started)
    }

    /// Stops a child and forgets it. A process that has ended counts as one that was a child.
    pub(crate) fn terminate_child(
        &mut self,
        pid: Pid,
        effects: &mut impl Effects,
    ) -> Result<(), ManageError> {
        let Some(child) = self.children.remove(&pid) else {
            return if effects.is_alive(pid) { Err(ManageError::NotFound) } else { Ok(()) };
        };
        if !child.restarting {
            let how = self.template.shutdown_type();
            let reason = effects.stop(pid, how);
            if !stopped_well(&reason, how, self.template.restart) {
                self.report(Event::ShutdownError, Some(pid), reason.to_string(), effects);
            }
        }
        Ok(())
    }

    /// A linked process has ended, at the time `now`. What is no child changes nothing.
    pub(crate) fn exited(
        &mut self,
        pid: Pid,
        reason: &ExitReason,
        now: Duration,
        effects: &mut impl Effects,
    ) -> Outcome {
        if self.children.get(&pid).is_none_or(|child| child.restarting) {
            return Outcome::Continue;
        }
        let restart = self.template.restart;
        let orderly = reason.is_orderly();
        if restart == Restart::Permanent || !orderly {
            self.report(Event::ChildTerminated, Some(pid), reason.to_string(), effects);
        }
        match restart {
            Restart::Permanent => self.restart(pid, now, effects),
            Restart::Transient if !orderly => self.restart(pid, now, effects),
            Restart::Transient | Restart::Temporary => {
                self.children.remove(&pid);
                self.auto_shutdown()
            }
        }
    }

    /// Tries a restart again that has failed before, unless the child was stopped meanwhile.
    pub(crate) fn try_again(
        &mut self,
        was: Pid,
        now: Duration,
        effects: &mut impl Effects,
    ) -> Outcome {
        match self.children.get(&was) {
            Some(child) if child.restarting => self.restart(was, now, effects),
            Some(_) | None => Outcome::Continue,
        }
    }

    /// Stops all children.
    pub(crate) fn stop_all(&mut self, effects: &mut impl Effects) {
        let running = self.children.iter().filter(|(_, child)| !child.restarting);
        let pids: Vec<Pid> = running.map(|(pid, _)| *pid).collect();
        self.children.clear();
        let how = self.template.shutdown_type();
        let reasons = effects.stop_together(&pids, how);
        let mut badly: BTreeMap<String, Vec<Pid>> = BTreeMap::new();
        for (pid, reason) in pids.iter().zip(&reasons) {
            if !stopped_well(reason, how, self.template.restart) {
                badly.entry(reason.to_string()).or_default().push(*pid);
            }
        }
        for (reason, pids) in badly {
            let one = if let [pid] = pids[..] { Some(pid) } else { None };
            let reason = if one.is_some() {
                reason
            } else {
                format!("{} children ended with: {reason}", pids.len())
            };
            self.report(Event::ShutdownError, one, reason, effects);
        }
    }

    /// All children.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ChildSpec, ChildState)> {
        self.children.iter().map(|(pid, child)| {
            let state =
                if child.restarting { ChildState::Restarting } else { ChildState::Running(*pid) };
            (&self.template, state)
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> Counts {
        let all = self.children.len() as u64;
        let active = self.children.values().filter(|child| !child.restarting).count() as u64;
        let (supervisors, workers) = match self.template.kind {
            ChildKind::Worker => (0, all),
            ChildKind::Supervisor => (all, 0),
        };
        Counts { specs: 1, active, supervisors, workers }
    }

    /// The specification that all children have.
    pub(crate) fn template(&self) -> &ChildSpec {
        &self.template
    }

    /// The flags that hold.
    pub(crate) fn flags(&self) -> &Flags {
        &self.flags
    }

    /// Replaces flags and template while the children run, as a change of code does. Nothing
    /// changes if they are not valid.
    pub(crate) fn change(&mut self, flags: Flags, template: ChildSpec) -> Result<(), SpecError> {
        check_flags(&flags)?;
        check_child(&template, &flags)?;
        self.flags = flags;
        self.template = template;
        self.restarts.change(flags.intensity, flags.period);
        Ok(())
    }

    fn restart(&mut self, pid: Pid, now: Duration, effects: &mut impl Effects) -> Outcome {
        let child = self.children.remove(&pid);
        if !self.restarts.add(now) {
            let why = "reached the maximum of its restart intensity".to_string();
            self.report(Event::MaxIntensity, Some(pid), why, effects);
            return Outcome::Shutdown;
        }
        // A template that became permanent may meet a child whose argument was not kept.
        let Some(argument) = child.and_then(|child| child.argument) else {
            return Outcome::Continue;
        };
        let start = self.template.start.with_argument(argument);
        match effects.start(&start) {
            Ok(Started::Running(new)) => self.store(new, Some(start.argument)),
            Ok(Started::Ignore) => {}
            Err(error) => {
                let child = Child { argument: Some(start.argument), restarting: true };
                self.children.insert(pid, child);
                self.report(Event::StartError, Some(pid), error.to_string(), effects);
                effects.try_again(Again::Was(pid));
            }
        }
        Outcome::Continue
    }

    fn store(&mut self, pid: Pid, argument: Option<Bytes>) {
        let argument = match self.template.restart {
            Restart::Temporary => None,
            Restart::Permanent | Restart::Transient => argument,
        };
        self.children.insert(pid, Child { argument, restarting: false });
    }

    fn auto_shutdown(&self) -> Outcome {
        let ends = self.template.significant
            && match self.flags.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => self.children.is_empty(),
            };
        if ends { Outcome::Shutdown } else { Outcome::Continue }
    }

    fn report(&self, event: Event, pid: Option<Pid>, reason: String, effects: &mut impl Effects) {
        effects.report(Report { event, child: &self.template, pid, reason });
    }
}
