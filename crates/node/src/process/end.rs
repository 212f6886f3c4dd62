//! Telling others of the end of a process, some of them in each turn, so that no worker is held.

use lunatic_model::{Leftovers, Obituary, Signal};

use super::Process;
use crate::exit::{ExitReport, LINKS_REPORTED_MAX};

/// How many processes are told of an end in one turn.
const TOLD_PER_TURN: usize = 512;

pub(super) struct Announcement {
    pub(super) obituary: Obituary,
    pub(super) report: ExitReport,
    pub(super) own_failure: bool,
}

impl Announcement {
    /// Tells some of those who are to be told; true when all have been.
    pub(super) fn tell(&mut self, process: &Process) -> bool {
        let (environment, from) = (&process.environment, process.pid);
        let obituary = &mut self.obituary;
        let reason = &self.report.reason;
        for _ in 0..TOLD_PER_TURN {
            if let Some(peer) = obituary.links.pop() {
                let outcome = environment.tell_link(peer, from, reason.clone());
                if self.report.links.len() < LINKS_REPORTED_MAX {
                    self.report.links.push((peer, outcome));
                } else {
                    self.report.links_unlisted += 1;
                }
            } else if let Some((reference, watcher)) = obituary.watchers.pop() {
                let reason = reason.clone();
                environment.signal(watcher, Signal::Down { reference, from, reason });
            } else if let Some((reference, target)) = obituary.monitors.pop() {
                environment.signal(target, Signal::Demonitor { reference });
            } else if let Some(sender) = obituary.senders.pop_front() {
                environment.wake(sender);
            } else if let Some(late) =
                obituary.leftovers.as_mut().and_then(|left| left.late.pop_front())
            {
                environment.answer_for_the_dead(from, late);
            } else if let Some(leftovers) = obituary.leftovers.take() {
                free_suspended(process, &leftovers);
            } else {
                return true;
            }
        }
        false
    }
}

/// Resumes what the dead process suspended, and lets its suspenders forget it. Both are few.
fn free_suspended(process: &Process, leftovers: &Leftovers) {
    let (environment, dead) = (&process.environment, process.pid);
    for target in leftovers.suspending.iter().filter_map(|pid| environment.find(*pid)) {
        target.forget_suspender(dead);
    }
    for suspender in leftovers.suspenders.iter().filter_map(|pid| environment.find(*pid)) {
        suspender.with_state(|state| state.forget_suspended(dead));
        suspender.wake_by_ref();
    }
}
