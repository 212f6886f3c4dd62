//! Names of processes. A name leads to one process and goes when its process goes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Pid;

/// Why a process was not given a name. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameRefused {
    /// The name leads to a process already.
    #[error("the name is taken by process {0}; unregister it first, or choose another")]
    Taken(Pid),
    /// The process has a name already.
    #[error("the process has the name `{0}` already; unregister that first")]
    HasName(Arc<str>),
}

/// The names of one set of processes.
#[derive(Debug, Default)]
pub struct Names {
    pids: HashMap<Arc<str>, Pid>,
    by_pid: HashMap<Pid, Vec<Arc<str>>>,
}

impl Names {
    /// The process that a name leads to.
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        self.pids.get(name).copied()
    }

    /// The names that lead to a process.
    pub fn names_of(&self, pid: Pid) -> &[Arc<str>] {
        self.by_pid.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// Gives a name that nobody has to a process without a name, as OTP's `register`.
    pub fn register(&mut self, name: &str, pid: Pid) -> Result<(), NameRefused> {
        match (self.whereis(name), self.names_of(pid)) {
            (Some(owner), _) => Err(NameRefused::Taken(owner)),
            (None, [own, ..]) => Err(NameRefused::HasName(own.clone())),
            (None, []) => {
                self.put(name, pid);
                Ok(())
            }
        }
    }

    /// The name as it is kept, and the process that it leads to.
    pub fn entry(&self, name: &str) -> Option<(&Arc<str>, Pid)> {
        self.pids.get_key_value(name).map(|(name, pid)| (name, *pid))
    }

    /// Gives a process a name and takes it from whoever had it, as the old ABI's `put`.
    pub fn put(&mut self, name: &str, pid: Pid) {
        self.remove(name);
        let name: Arc<str> = name.into();
        self.pids.insert(name.clone(), pid);
        self.by_pid.entry(pid).or_default().push(name);
    }

    /// Takes a name away; gives the process that it led to.
    pub fn remove(&mut self, name: &str) -> Option<Pid> {
        let pid = self.pids.remove(name)?;
        if let Some(names) = self.by_pid.get_mut(&pid) {
            names.retain(|own| **own != *name);
            if names.is_empty() {
                self.by_pid.remove(&pid);
            }
        }
        Some(pid)
    }

    /// Takes all names of a process away, and returns them.
    pub fn clear(&mut self, pid: Pid) -> Vec<Arc<str>> {
        let names = self.by_pid.remove(&pid).unwrap_or_default();
        for name in &names {
            self.pids.remove(name);
        }
        names
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        self.pids.len()
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty()
    }
}
