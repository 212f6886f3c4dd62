//! SQLite's file system: paths are those of the owner for whom the thread works.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libsqlite3_sys as sqlite;

use crate::directories::full_path;
use crate::ffi::guard::{guard, text};
use crate::ffi::io::{self, SqliteFile};
use crate::file;
use crate::limits::PATH_BYTES_MAX;
use crate::owner::{Owner, refuse};

/// The name of the file system, and of nothing else that could open files.
pub(super) const NAME: &CStr = c"lunatic";

/// SQLite appends `-journal` and the like to paths of at most [`PATH_BYTES_MAX`].
const SUFFIX_BYTES: usize = 64;

/// Milliseconds between the beginning of the Julian calendar's day 0 and 1970.
const JULIAN_MS: u128 = 210_866_760_000_000;

/// A file system that lives for ever, as SQLite wants it.
pub(super) fn new() -> *mut sqlite::sqlite3_vfs {
    Box::leak(Box::new(sqlite::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<SqliteFile>() as c_int,
        mxPathname: (PATH_BYTES_MAX + SUFFIX_BYTES) as c_int,
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        // Nothing can be loaded.
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: None,
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }))
}

unsafe extern "C" fn open(
    _: *mut sqlite::sqlite3_vfs,
    name: sqlite::sqlite3_filename,
    file: *mut sqlite::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes room for a file of `szOsFile` bytes. Without methods it is not closed.
    unsafe { (*file).pMethods = ptr::null() };
    guard(|| {
        // SAFETY: the name is null or a string that stays for the call.
        let path = unsafe { text(name) };
        // Temporary files have no name; they are kept in memory, so nobody asks for one.
        let owner = Owner::current().ok_or(sqlite::SQLITE_CANTOPEN)?;
        let (opened, flags) = file::open(&owner, path.ok_or(sqlite::SQLITE_CANTOPEN)?, flags)?;
        // SAFETY: as above; the place for flags may be null.
        unsafe {
            io::give(file, opened);
            if let Some(out_flags) = out_flags.as_mut() {
                *out_flags = flags;
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn delete(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    sync: c_int,
) -> c_int {
    guard(|| {
        let owner = Owner::current().ok_or(sqlite::SQLITE_IOERR_DELETE)?;
        // SAFETY: a string that stays for the call.
        let path = unsafe { text(name) }.ok_or(sqlite::SQLITE_IOERR_DELETE)?;
        file::delete(&owner, path, sync != 0)
    })
}

unsafe extern "C" fn access(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    result: *mut c_int,
) -> c_int {
    guard(|| {
        let owner = Owner::current().ok_or(sqlite::SQLITE_IOERR_ACCESS)?;
        // SAFETY: a string that stays for the call.
        let path = unsafe { text(name) }.ok_or(sqlite::SQLITE_IOERR_ACCESS)?;
        let answer = file::access(&owner, path, flags == sqlite::SQLITE_ACCESS_READWRITE)?;
        // SAFETY: SQLite passes a place for the result.
        unsafe { *result = answer.into() };
        Ok(())
    })
}

unsafe extern "C" fn full_pathname(
    _: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    guard(|| {
        // SAFETY: a string that stays for the call.
        let path = unsafe { text(name) }.ok_or(sqlite::SQLITE_CANTOPEN)?;
        let full = full_path(path);
        let room = usize::try_from(size).unwrap_or(0);
        if full.len() > PATH_BYTES_MAX || full.len() >= room {
            refuse(format!("a path has at most {PATH_BYTES_MAX} bytes"));
            return Err(sqlite::SQLITE_CANTOPEN_FULLPATH);
        }
        // SAFETY: SQLite passes room for `size` bytes; the path and a NUL are not more.
        unsafe {
            ptr::copy_nonoverlapping(full.as_ptr(), out.cast(), full.len());
            out.add(full.len()).write(0);
        }
        Ok(())
    })
}

unsafe extern "C" fn randomness(
    _: *mut sqlite::sqlite3_vfs,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    let Ok(length) = usize::try_from(size) else { return 0 };
    // SAFETY: SQLite passes room for `size` bytes, which the first line gives a value.
    let buffer = unsafe {
        ptr::write_bytes(out, 0, length);
        std::slice::from_raw_parts_mut(out.cast::<u8>(), length)
    };
    // Without randomness SQLite's numbers can be foretold, which its contract allows.
    if getrandom::fill(buffer).is_ok() { size } else { 0 }
}

/// Only a reader that meets a change of the write-ahead log again and again sleeps, for less than a
/// second.
unsafe extern "C" fn sleep(_: *mut sqlite::sqlite3_vfs, microseconds: c_int) -> c_int {
    let time = Duration::from_micros(u64::try_from(microseconds).unwrap_or(0));
    std::thread::sleep(time.min(Duration::from_secs(1)));
    microseconds
}

unsafe extern "C" fn current_time(
    _: *mut sqlite::sqlite3_vfs,
    out: *mut sqlite::sqlite3_int64,
) -> c_int {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = i64::try_from(since_1970.as_millis() + JULIAN_MS).unwrap_or(i64::MAX);
    // SAFETY: SQLite passes a place for the result.
    unsafe { *out = time };
    sqlite::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut sqlite::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
