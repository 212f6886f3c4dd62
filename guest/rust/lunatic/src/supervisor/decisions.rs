//! What the decisions of a supervisor need from outside, and what they say: the border between the
//! part without host calls and the process.
//!
//! Owns the words of that border. What must stay true: decisions reach children through
//! [`Effects`] alone, so that a test can stand in for the whole runtime.

use serde::{Deserialize, Serialize};

use crate::{ExitReason, Pid};

use super::spec::{ChildSpec, Restart, Shutdown};
use super::{Start, StartError, Started};

/// What a supervisor does to its children.
pub(crate) trait Effects {
    /// Starts a child and waits until it has said how that went.
    fn start(&mut self, start: &Start) -> Result<Started, StartError>;

    /// Stops a child as `how` says and waits for its end. Gives the reason with which it ended.
    fn stop(&mut self, pid: Pid, how: Shutdown) -> ExitReason;

    /// Stops children at once, with one time for all of them. Gives the reason of each.
    fn stop_together(&mut self, pids: &[Pid], how: Shutdown) -> Vec<ExitReason>;

    /// Whether a child still runs.
    fn is_alive(&mut self, pid: Pid) -> bool;

    /// Tells people what has happened.
    fn report(&mut self, report: Report<'_>);

    /// A restart of this child has failed: the supervisor handles what it has received until now,
    /// and tries again then.
    fn try_again(&mut self, child: Again);
}

/// Which child's restart has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Again {
    /// The one with this id.
    Id(String),
    /// The dynamic one that ran as this process.
    Was(Pid),
}

/// What is worth telling people of a supervisor's work.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) event: Event,
    pub(crate) child: &'a ChildSpec,
    /// The process that the child is, or was.
    pub(crate) pid: Option<Pid>,
    /// Why, in words; empty for [`Event::Started`].
    pub(crate) reason: String,
}

/// What has happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It runs.
    Started,
    /// It could not be started.
    StartError,
    /// It ended although it should run.
    ChildTerminated,
    /// It ended otherwise than it should when it was stopped.
    ShutdownError,
    /// It ended once too often.
    MaxIntensity,
}

/// What becomes of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Outcome {
    /// It goes on.
    Continue,
    /// It ends with the reason shutdown, and stops its children.
    Shutdown,
}

/// Whether a child that ended with this reason when it was stopped did what was asked of it. What
/// did not is reported.
pub(crate) fn stopped_well(reason: &ExitReason, how: Shutdown, restart: Restart) -> bool {
    match (how, reason) {
        (Shutdown::BrutalKill, ExitReason::Killed) => true,
        (Shutdown::Timeout(_) | Shutdown::Infinity, ExitReason::Shutdown) => true,
        (_, reason) => restart != Restart::Permanent && reason.is_orderly(),
    }
}
