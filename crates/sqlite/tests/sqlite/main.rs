//! SQLite behind directory handles: what it can do, what nobody can do with it, and that it stops.
//!
//! Databases lie in a temporary directory, of which processes have the subdirectory `inside`.

mod accounts;
mod escapes;
mod hostile;
mod locks;
mod recovery;
mod statements;
mod stopping;
mod support;
mod wal;
