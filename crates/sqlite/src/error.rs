//! What went wrong in SQLite, as a guest may see it.

use std::ffi::c_int;

/// A failed call. It has changed nothing, unless SQLite says otherwise for its code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// SQLite's primary result code, for example 5 (`SQLITE_BUSY`).
    pub code: i32,
    /// What SQLite says about it, and what this room knows beyond that.
    pub message: String,
    pub(crate) waits: bool,
}

impl Error {
    pub(crate) fn new(code: c_int, message: impl Into<String>) -> Error {
        // Extended codes have more in the upper bits.
        Error { code: code & 0xff, message: message.into(), waits: false }
    }

    /// Another connection has a lock, and SQLite would wait for it: the same call may succeed
    /// later. Where waiting could only end in a deadlock, SQLite does not ask for it.
    pub fn may_wait(&self) -> bool {
        self.waits
    }
}
