//! Names of an environment, and the claims that make "find it or spawn it" one step.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use lunatic_model::{NameRefused, Names, Pid};

use crate::environment::Environment;
use crate::lock;
use crate::process::{Info, Process};

/// Why a process was not given a name. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegisterError {
    /// The rules of names refuse it.
    #[error(transparent)]
    Refused(#[from] NameRefused),
    /// The process does not exist, or it is ending.
    #[error("process {0} does not exist, or it is ending")]
    NoProcess(Pid),
}

#[derive(Default)]
pub(crate) struct Directory {
    names: Mutex<Names>,
    /// Names whose process is being spawned, and who waits for that.
    claims: Mutex<HashMap<Arc<str>, Vec<Waker>>>,
}

/// What a claim of a name found.
pub enum Claim {
    /// The name leads to this process.
    Taken(Pid),
    /// Nobody has it, and whoever else claims it waits for the reservation.
    Reserved(Reservation),
}

/// The right to give a name to a process that is being spawned. Dropped without a process, it lets
/// the next claimant try.
pub struct Reservation {
    environment: Arc<Environment>,
    name: Arc<str>,
}

impl Reservation {
    /// Gives the name to the process.
    pub fn fulfil(self, pid: Pid) {
        self.environment.put_name(&self.name, pid);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let waiting = lock(&self.environment.directory().claims).remove(&self.name);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Environment {
    /// The process that a name leads to.
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        lock(&self.directory().names).whereis(name)
    }

    /// Gives a live process a name, and takes it from whoever had it. No effect if the process is
    /// not alive: a name never leads to the dead. False at the limit of names of one process.
    pub fn put_name(&self, name: &str, pid: Pid) -> bool {
        let Some(process) = self.find(pid) else { return true };
        let mut names = lock(&self.directory().names);
        // Read under the lock under which the end of a process takes its names away.
        if process.is_releasing() {
            return true;
        }
        if names.names_of(pid).len() >= process.limits().names_max
            && names.whereis(name) != Some(pid)
        {
            return false;
        }
        names.put(name, pid);
        true
    }

    /// How many names lead to processes.
    pub(crate) fn names(&self) -> usize {
        lock(&self.directory().names).len()
    }

    /// Gives a name that nobody has to a live process that has none, as OTP's `register`.
    pub fn register(&self, name: &str, pid: Pid) -> Result<(), RegisterError> {
        let process = self.find(pid).ok_or(RegisterError::NoProcess(pid))?;
        let mut names = lock(&self.directory().names);
        // Both read under the lock under which the end of a process takes its names away.
        if process.is_releasing() || process.is_exiting() {
            return Err(RegisterError::NoProcess(pid));
        }
        Ok(names.register(name, pid)?)
    }

    /// Takes a name away; false if nobody had it.
    pub fn remove_name(&self, name: &str) -> bool {
        lock(&self.directory().names).remove(name).is_some()
    }

    /// A name as it is kept, and the process that it leads to.
    pub(crate) fn name_entry(&self, name: &str) -> Option<(Arc<str>, Pid)> {
        lock(&self.directory().names).entry(name).map(|(name, pid)| (name.clone(), pid))
    }

    /// What can be seen of a process; `None` if it does not exist or is about to end.
    pub fn info(&self, pid: Pid) -> Option<Info> {
        let process = self.find(pid)?;
        // Locked before the process, so that its names are those of the same moment.
        let names = lock(&self.directory().names);
        process.info(names.names_of(pid))
    }

    /// Finds the process with this name, or reserves the name for one that is about to be spawned.
    /// Waits while somebody else spawns it.
    pub async fn claim_name(self: &Arc<Self>, name: &str) -> Claim {
        let name: Arc<str> = name.into();
        std::future::poll_fn(|cx| {
            // Claims are locked first: a reservation gives the name before it ends.
            let mut claims = lock(&self.directory().claims);
            if let Some(waiting) = claims.get_mut(&name) {
                waiting.retain(|waker| !waker.will_wake(cx.waker()));
                waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
            if let Some(pid) = self.whereis(&name) {
                return Poll::Ready(Claim::Taken(pid));
            }
            claims.insert(name.clone(), Vec::new());
            let reservation = Reservation { environment: self.clone(), name: name.clone() };
            Poll::Ready(Claim::Reserved(reservation))
        })
        .await
    }

    /// The last step before a process leaves the table: nobody can give it a name from now on.
    pub(crate) fn release_names(&self, process: &Process) -> Vec<Arc<str>> {
        let mut names = lock(&self.directory().names);
        process.set_releasing();
        names.clear(process.pid())
    }
}
