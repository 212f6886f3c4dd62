//! What can be seen of a process from outside.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lunatic_model::{Pid, Priority, Snapshot};

use super::{NOTIFIED, Process, QUEUED, RUNNING};

/// What a process is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It waits: for a message, a time, or the system.
    Waiting = 0,
    /// A worker runs it.
    Running = 1,
    /// It could run and waits for a worker.
    Runnable = 2,
    /// It is suspended.
    Suspended = 3,
}

/// What can be seen of a process: one moment of it, but for the status and the memory, which may be
/// newer.
#[derive(Clone, Debug)]
pub struct Info {
    /// What the model knows.
    pub state: Snapshot,
    /// What it is doing.
    pub status: Status,
    /// Names that lead to it, oldest first.
    pub names: Vec<Arc<str>>,
    /// How often it runs.
    pub priority: Priority,
    /// Bytes of its linear memories.
    pub memory_bytes: u64,
    /// Who spawned it, if a process did.
    pub parent: Option<Pid>,
    /// The function in which it started.
    pub entry: Arc<str>,
}

impl Process {
    /// What can be seen of it now; `None` if it has ended or is about to. `names` must not change
    /// meanwhile.
    pub(crate) fn info(&self, names: &[Arc<str>]) -> Option<Info> {
        let state = self.with_state(|state| state.snapshot())?;
        let status = match self.turn.load(Ordering::Acquire) {
            _ if state.suspended => Status::Suspended,
            RUNNING | NOTIFIED => Status::Running,
            QUEUED => Status::Runnable,
            _ => Status::Waiting,
        };
        Some(Info {
            state,
            status,
            names: names.to_vec(),
            priority: self.priority(),
            memory_bytes: self.memory_bytes.load(Ordering::Relaxed),
            parent: self.parent.get().copied(),
            entry: self.entry.clone(),
        })
    }

    /// Says how much linear memory its body has.
    pub fn set_memory_bytes(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
    }

    /// A text by which people know the process.
    pub fn set_label(&self, label: Option<Arc<str>>) {
        self.with_state(|state| state.set_label(label));
    }

    /// The function in which it started.
    pub(crate) fn entry(&self) -> &Arc<str> {
        &self.entry
    }

    /// Who spawned it, if a process did.
    pub fn parent(&self) -> Option<Pid> {
        self.parent.get().copied()
    }

    pub(crate) fn set_parent(&self, parent: Pid) {
        // A process is started once, by one parent.
        let _ = self.parent.set(parent);
    }
}
