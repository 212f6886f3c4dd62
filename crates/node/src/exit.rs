//! What is told about a process that failed on its own account.

use std::sync::Arc;

use lunatic_model::{ExitReason, LinkOutcome, Pid};

use crate::denials::Denial;

/// How many linked processes a report names; the rest is counted.
pub(crate) const LINKS_REPORTED_MAX: usize = 16;

/// The end of one process.
#[derive(Clone, Debug)]
pub struct ExitReport {
    /// Who ended.
    pub pid: Pid,
    /// The names that led to it.
    pub names: Vec<Arc<str>>,
    /// The text by which people know it.
    pub label: Option<Arc<str>>,
    /// The function in which it started.
    pub entry: Arc<str>,
    /// Why.
    pub reason: ExitReason,
    /// What its end did to the processes linked to it, at most the first sixteen.
    pub links: Vec<(Pid, LinkOutcome)>,
    /// Linked processes that `links` does not list.
    pub links_unlisted: usize,
}

/// Hears of what operators want to know. Processes that failed on their own account: by a trap, a
/// status other than 0, a limit, a bug of the runtime; those that a link or a request ended are
/// part of another's report. And what processes were denied.
pub trait Observer: Send + Sync {
    /// Called by a worker, so it must not block for long.
    fn exited(&self, report: &ExitReport);

    /// A process lacked a right: once for each right when that comes up, and with the number of
    /// times when the process ends. Called by a worker, or by whoever called for the process.
    fn denied(&self, _denial: &Denial) {}
}
