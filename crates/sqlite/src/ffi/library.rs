//! Setting SQLite up, once for the whole program.

use std::ffi::c_int;
use std::ptr;
use std::sync::OnceLock;

use libsqlite3_sys as sqlite;

use crate::error::Error;
use crate::ffi::{allocator, vfs};

/// Before the first connection. All later calls give the result of the first one.
pub(super) fn start() -> Result<(), Error> {
    static STARTED: OnceLock<c_int> = OnceLock::new();
    match *STARTED.get_or_init(|| set_up().err().unwrap_or(sqlite::SQLITE_OK)) {
        sqlite::SQLITE_OK => Ok(()),
        code => Err(Error::new(code, "SQLite cannot be set up in this program")),
    }
}

fn set_up() -> Result<(), c_int> {
    let checked = |code: c_int| if code == sqlite::SQLITE_OK { Ok(()) } else { Err(code) };
    let off: c_int = 0;
    let never: c_int = -1;
    let heap = allocator::methods();
    // SAFETY: `start` runs this once, before anything else uses SQLite; each option is followed by
    // the arguments that it takes, and the struct is copied.
    unsafe {
        checked(sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_MULTITHREAD))?;
        checked(sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_MALLOC, &raw const heap))?;
        // Counted by the allocator instead, and bounded for each owner.
        checked(sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_MEMSTATUS, off))?;
        // A path is a path: `file:a?vfs=other` must not choose anything.
        checked(sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_URI, off))?;
        // Journals of statements stay in memory.
        checked(sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_STMTJRNL_SPILL, never))?;
        checked(sqlite::sqlite3_initialize())?;
        // Whatever could open a file by its path on the host goes.
        loop {
            let builtin = sqlite::sqlite3_vfs_find(ptr::null());
            if builtin.is_null() {
                break;
            }
            checked(sqlite::sqlite3_vfs_unregister(builtin))?;
        }
        checked(sqlite::sqlite3_vfs_register(vfs::new(), 1))
    }
}
