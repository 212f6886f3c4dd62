//! What all callbacks from C do: keep panics on this side, and turn results into codes.

use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use libsqlite3_sys as sqlite;

/// Runs a callback; a panic becomes `SQLITE_INTERNAL`. What it has touched is dropped with the
/// connection, which can do nothing after that code that would harm others.
pub(super) fn guard(callback: impl FnOnce() -> Result<(), c_int>) -> c_int {
    match catch_unwind(AssertUnwindSafe(callback)) {
        Ok(Ok(())) => sqlite::SQLITE_OK,
        Ok(Err(code)) => code,
        Err(_) => sqlite::SQLITE_INTERNAL,
    }
}

/// A string of SQLite, or `None` if it is null or not UTF-8.
///
/// # Safety
/// `text` is null or points to a string with a NUL at its end that stays as it is for `'a`.
pub(super) unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
