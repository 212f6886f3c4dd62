//! What processes were denied. All denials of the runtime come to [`Process::deny`].
//!
//! For each process and right the first denial is told to the observer at once, and how many there
//! were when the process ends. What is kept is bounded by the number of rights, and a denial that
//! is known costs a count.

use std::sync::{Arc, Mutex};

use lunatic_model::Pid;

use crate::lock;
use crate::process::Process;

/// One right that a process lacked, as an observer hears of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// Who was denied it.
    pub pid: Pid,
    /// Where that process began.
    pub entry: Arc<str>,
    /// The kind of right, such as `connect`.
    pub right: &'static str,
    /// What would have allowed the first call, as it is written in `--allow` and policies.
    pub grant: String,
    /// What was tried first.
    pub tried: String,
    /// How often so far.
    pub count: u64,
    /// The process has ended, so there will be no more.
    pub ended: bool,
}

/// The denials of one process.
#[derive(Default)]
pub(crate) struct Denials(Mutex<Vec<Counted>>);

struct Counted {
    right: &'static str,
    grant: String,
    tried: String,
    text: Arc<str>,
    count: u64,
}

impl Process {
    /// This process was denied something for want of a right. `first` gives what would have
    /// allowed it and what was tried; it is asked once for each right of a process. Gives the text
    /// of an error for the guest, which speaks of the first denial.
    #[cold]
    pub fn deny(&self, right: &'static str, first: impl FnOnce() -> (String, String)) -> Arc<str> {
        let denials = self.denials.get_or_init(Box::default);
        let mut counted = lock(&denials.0);
        if let Some(known) = counted.iter_mut().find(|known| known.right == right) {
            known.count = known.count.saturating_add(1);
            return known.text.clone();
        }
        let (grant, tried) = first();
        let text: Arc<str> = missing(&grant).into();
        let new = Counted { right, grant, tried, text: text.clone(), count: 1 };
        let told = self.denial(&new, false);
        counted.push(new);
        drop(counted);
        self.environment().node().tell_denied(&told);
        text
    }

    fn denial(&self, counted: &Counted, ended: bool) -> Denial {
        Denial {
            pid: self.pid(),
            entry: self.entry().clone(),
            right: counted.right,
            grant: counted.grant.clone(),
            tried: counted.tried.clone(),
            count: counted.count,
            ended,
        }
    }

    /// Tells how many there were of those that came more than once.
    pub(crate) fn tell_denials(&self) {
        let Some(denials) = self.denials.get() else { return };
        let counted = std::mem::take(&mut *lock(&denials.0));
        for known in counted.iter().filter(|known| known.count > 1) {
            self.environment().node().tell_denied(&self.denial(known, true));
        }
    }
}

/// The text for a guest that lacks a right.
pub fn missing(grant: &str) -> String {
    format!(
        "this process may not do this: it lacks the right `{grant}`; grant it in the configuration \
         with which it is spawned (config_allow), or with `lunatic run --allow '{grant}'`"
    )
}
