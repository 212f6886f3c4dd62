//! The named bounds on what SQL can make this room allocate, loop over or wait for.
//!
//! What a whole process may allocate is given with its [`Owner`](crate::Owner).

use std::time::Duration;

/// Bytes of one text, blob or row; beyond it the result is `SQLITE_TOOBIG`.
pub const VALUE_BYTES_MAX: usize = 64 << 20;

/// Bytes of one SQL text, be it many statements; beyond it the result is `SQLITE_TOOBIG`.
pub const SQL_BYTES_MAX: usize = 16 << 20;

/// Databases attached to one connection.
pub const ATTACHED_MAX: usize = 10;

/// Nesting of an expression. SQLite recurses on the stack of its thread, which has 2 MiB.
pub const EXPRESSION_DEPTH_MAX: usize = 500;

/// Bytes of the path of a database.
pub const PATH_BYTES_MAX: usize = 4096;

/// Steps of SQLite's machine between two looks at whether it has to stop.
pub const STEPS_BETWEEN_CHECKS: usize = 1000;

/// How long a connection waits for the lock of another one unless `PRAGMA busy_timeout` says
/// otherwise.
pub const BUSY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// How long a writer that is done waits on its thread for those who still read, in milliseconds.
pub const READERS_WAIT_MS: usize = 100;

/// Regions of 32 KiB of the index of one write-ahead log: enough for 16 million pages in the log.
pub const WAL_REGIONS_MAX: usize = 4096;
