//! Names of an environment, and the claims that make "find it or spawn it" one step.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use lunatic_model::{Names, Pid};

use crate::environment::Environment;
use crate::lock;
use crate::process::Process;

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

    /// Takes a name away.
    pub fn remove_name(&self, name: &str) {
        lock(&self.directory().names).remove(name);
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
