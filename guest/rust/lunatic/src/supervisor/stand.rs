//! A stand-in for the runtime, for tests of a supervisor's decisions: it starts and stops children
//! that are letters, and keeps a list of what was asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{ExitReason, Pid};

use super::children::Children;
use super::decisions::{Again, Effects, Event, Outcome, Report};
use super::spec::{ChildSpec, Shutdown};
use super::{Start, StartError, Started};

/// A stand-in for the runtime: children are called by the first byte of their argument.
#[derive(Default)]
pub(super) struct Stand {
    pub(super) log: Vec<String>,
    pub(super) reports: Vec<(Event, String)>,
    pub(super) alive: BTreeMap<Pid, char>,
    /// How many starts of a child will fail.
    pub(super) failing: BTreeMap<char, u32>,
    /// Children that ignore their start.
    pub(super) ignoring: BTreeSet<char>,
    /// Children that end otherwise than asked.
    pub(super) stubborn: BTreeSet<char>,
    pub(super) again: Vec<Again>,
    pub(super) next: u64,
}

impl Effects for Stand {
    fn start(&mut self, start: &Start) -> Result<Started, StartError> {
        let name = char::from(start.argument[0]);
        if let Some(left) = self.failing.get_mut(&name).filter(|left| **left > 0) {
            *left -= 1;
            self.log.push(format!("{name}!"));
            return Err(StartError::Exit(ExitReason::Error("no luck".to_string())));
        }
        if self.ignoring.contains(&name) {
            self.log.push(format!("{name}?"));
            return Ok(Started::Ignore);
        }
        self.next += 1;
        let pid = Pid::new(0, self.next);
        self.alive.insert(pid, name);
        self.log.push(format!("+{name}"));
        Ok(Started::Running(pid))
    }

    fn stop(&mut self, pid: Pid, how: Shutdown) -> ExitReason {
        let name = self.alive.remove(&pid).expect("only what runs is stopped");
        self.log.push(format!("-{name}"));
        if self.stubborn.contains(&name) || how == Shutdown::BrutalKill {
            ExitReason::Killed
        } else {
            ExitReason::Shutdown
        }
    }

    fn stop_together(&mut self, pids: &[Pid], how: Shutdown) -> Vec<ExitReason> {
        pids.iter().map(|pid| self.stop(*pid, how)).collect()
    }

    fn is_alive(&mut self, pid: Pid) -> bool {
        self.alive.contains_key(&pid)
    }

    fn report(&mut self, report: Report<'_>) {
        self.reports.push((report.event, report.child.id().to_string()));
    }

    fn try_again(&mut self, child: Again) {
        self.again.push(child);
    }
}

impl Stand {
    pub(super) fn pid(&self, name: char) -> Pid {
        let found = self.alive.iter().find(|(_, other)| **other == name);
        *found.unwrap_or_else(|| panic!("{name} does not run: {:?}", self.log)).0
    }

    pub(super) fn take_log(&mut self) -> String {
        std::mem::take(&mut self.log).join(" ")
    }

    /// The child ends by itself.
    pub(super) fn ends(
        &mut self,
        children: &mut Children,
        name: char,
        reason: &ExitReason,
    ) -> Outcome {
        let pid = self.pid(name);
        self.alive.remove(&pid);
        children.exited(pid, reason, Duration::ZERO, self)
    }

    /// What `try_again` asked for, as long as it asks.
    pub(super) fn settle(&mut self, children: &mut Children) -> Outcome {
        while let Some(again) = self.again.pop() {
            let Again::Id(id) = again else { panic!("a static child goes by its id") };
            if children.try_again(&id, Duration::ZERO, self) == Outcome::Shutdown {
                return Outcome::Shutdown;
            }
        }
        Outcome::Continue
    }
}

pub(super) fn failure() -> ExitReason {
    ExitReason::Error("it broke".to_string())
}

pub(super) fn orderly_with_detail() -> ExitReason {
    ExitReason::ShutdownWith(vec![1])
}

pub(super) fn child(name: char) -> ChildSpec {
    ChildSpec::from_start(name, Start::stand_in(vec![name as u8]))
}
