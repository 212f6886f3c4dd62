//! What runs processes on one machine: the scheduler, process tables, delivery, timers.
//!
//! A process's body is any future that ends with an [`ExitReason`]; this room does not know that
//! it is WebAssembly. The rules of what a signal does are the model's ([`lunatic_model`]): here
//! they are applied under the lock of the receiving process, by the thread that sends.
//!
//! Invariants of this room:
//! * a thread holds the lock of one process at a time, or of two in the order of their pids, never
//!   across an await;
//! * whoever changes what a process waits for wakes it after unlocking;
//! * everything that a dead process owned is released before others hear of its end.
#![forbid(unsafe_code)]

mod account;
mod aliases;
mod ask;
mod deadline;
mod denials;
mod environment;
mod exit;
mod figures;
mod lineage;
mod names;
mod node;
mod process;
mod receive;
mod scheduler;
mod send;
mod timers;

pub use account::{Account, AccountUsage, Charged, OpenDescriptor, OverBudget};
pub use ask::Unanswered;
pub use deadline::Destination;
pub use denials::{DENIED_ADDRESSES_MAX, Denial, missing};
pub use environment::{Bonds, Environment, SpawnError, Terms};
pub use exit::{ExitReport, Observer};
pub use figures::{Ends, Figures, Mailboxes};
pub use lineage::Handed;
pub use names::{Claim, RegisterError, Reservation};
pub use node::{Node, NodeOptions, StartError, Usage};
pub use process::{Body, Info, Process, Status, SuspendError};
pub use receive::Receive;
pub use send::Recipient;
pub use timers::Sleep;

pub use lunatic_model::ExitReason;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic: every section under a lock of this room leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
