//! SQLite for processes that share a node: whatever a query does, it harms its process alone.
//!
//! This room owns the bundled SQLite library and everything that it asks of the system. It knows
//! no WebAssembly engine, no scheduler and no other room: an [`Owner`] says which directories a
//! process has and how much memory its databases may use, and a [`Connection`] blocks the thread
//! it is used on, until it is done or its [`Stopper`] is used.
//!
//! What must stay true:
//! * Every file (database, journal, WAL, attached, `VACUUM INTO`) is opened below a directory
//!   handle of the owner, by cap-std. Temporary files are memory. SQLite's own file systems are
//!   taken away before the first connection, so that no text can choose another one.
//! * Memory that SQLite takes for a connection is charged to its owner, and given back to the same.
//! * A query ends within a few thousand steps of SQLite's machine after [`Stopper::stop`]. Waiting
//!   for a lock takes no thread: who has to is told ([`Error::may_wait`]) and tries again. Only a
//!   writer that is done gives the last readers a moment.
//! * What SQLite keeps for the whole program is out of reach of SQL.
//! * `unsafe` stands below `ffi` alone.
#![deny(unsafe_code)]

mod connection;
mod directories;
mod error;
mod ffi;
mod file;
pub mod limits;
mod locks;
mod owner;
mod platform;
mod value;
mod wal_index;

pub use connection::Connection;
pub use directories::Directory;
pub use error::Error;
pub use ffi::{Step, Stopper};
pub use owner::Owner;
pub use value::{Key, Value};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. Every section leaves its data whole, so that a panic within one harms nobody else.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
