//! What SQLite does with an open file: the methods behind its `sqlite3_file`.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{Ordering, fence};

use libsqlite3_sys as sqlite;

use crate::ffi::guard::guard;
use crate::ffi::region::REGION_BYTES;
use crate::file::OpenFile;
use crate::locks::Level;

/// Bytes that a disk writes at once.
const SECTOR_BYTES: c_int = 4096;

/// SQLite's file with ours behind it.
#[repr(C)]
pub(super) struct SqliteFile {
    base: sqlite::sqlite3_file,
    open: *mut OpenFile,
}

static METHODS: sqlite::sqlite3_io_methods = sqlite::sqlite3_io_methods {
    // Without memory maps: a file that somebody cuts would end this program.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(map_wal),
    xShmLock: Some(lock_wal),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(unmap_wal),
    xFetch: None,
    xUnfetch: None,
};

/// Makes a file of SQLite's from an open one.
///
/// # Safety
/// `file` has room for a [`SqliteFile`], and is not in use.
pub(super) unsafe fn give(file: *mut sqlite::sqlite3_file, open: OpenFile) {
    let open = Box::into_raw(Box::new(open));
    let base = sqlite::sqlite3_file { pMethods: &raw const METHODS };
    // SAFETY: as the caller promises.
    unsafe { file.cast::<SqliteFile>().write(SqliteFile { base, open }) };
}

/// Runs a method on the file behind SQLite's.
///
/// # Safety
/// `file` was made by [`give`], has not been closed, and only this thread uses it.
unsafe fn with(
    file: *mut sqlite::sqlite3_file,
    method: impl FnOnce(&mut OpenFile) -> Result<(), c_int>,
) -> c_int {
    // SAFETY: as the caller promises; the box lives until `close`.
    let open = unsafe { &mut *(*file.cast::<SqliteFile>()).open };
    guard(|| method(open))
}

/// An offset or size of SQLite, which are never negative.
fn unsigned(value: i64) -> Result<u64, c_int> {
    u64::try_from(value).map_err(|_| sqlite::SQLITE_IOERR)
}

fn length(value: c_int) -> Result<usize, c_int> {
    usize::try_from(value).map_err(|_| sqlite::SQLITE_IOERR)
}

// SAFETY of all methods: SQLite calls them with a file that `give` has made and `close` has not
// taken apart, on the one thread that uses the connection, with buffers as long as it says.

unsafe extern "C" fn close(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: see above; without methods SQLite uses the file no more.
    let open = unsafe {
        (*file).pMethods = ptr::null();
        Box::from_raw((*file.cast::<SqliteFile>()).open)
    };
    guard(|| {
        drop(open);
        Ok(())
    })
}

unsafe extern "C" fn read(
    file: *mut sqlite::sqlite3_file,
    out: *mut c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    let method = |open: &mut OpenFile| {
        let (count, offset) = (length(count)?, unsigned(offset)?);
        // SAFETY: see above; the first line gives every byte a value.
        let buffer = unsafe {
            ptr::write_bytes(out.cast::<u8>(), 0, count);
            std::slice::from_raw_parts_mut(out.cast::<u8>(), count)
        };
        open.read(buffer, offset)
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn write(
    file: *mut sqlite::sqlite3_file,
    data: *const c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    let method = |open: &mut OpenFile| {
        let (count, offset) = (length(count)?, unsigned(offset)?);
        // SAFETY: see above.
        let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), count) };
        open.write(data, offset)
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn truncate(file: *mut sqlite::sqlite3_file, size: i64) -> c_int {
    // SAFETY: see above.
    unsafe { with(file, |open| open.truncate(unsigned(size)?)) }
}

unsafe extern "C" fn sync(file: *mut sqlite::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: see above.
    unsafe { with(file, |open| open.sync(flags)) }
}

unsafe extern "C" fn size(file: *mut sqlite::sqlite3_file, out: *mut i64) -> c_int {
    let method = |open: &mut OpenFile| {
        let size = open.size()?;
        // SAFETY: SQLite passes a place for the result.
        unsafe { *out = size };
        Ok(())
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn lock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    let method = |open: &mut OpenFile| match (&mut open.lock, Level::from_sqlite(level)) {
        (Some(lock), Some(level)) => lock.lock(level),
        (Some(_), None) => Err(sqlite::SQLITE_IOERR_LOCK),
        (None, _) => Ok(()),
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn unlock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    let method = |open: &mut OpenFile| match (&mut open.lock, Level::from_sqlite(level)) {
        (Some(lock), Some(level)) => lock.unlock(level),
        (Some(_), None) => Err(sqlite::SQLITE_IOERR_UNLOCK),
        (None, _) => Ok(()),
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn check_reserved(file: *mut sqlite::sqlite3_file, out: *mut c_int) -> c_int {
    let method = |open: &mut OpenFile| {
        let reserved = open.lock.as_ref().map_or(Ok(false), |lock| lock.is_reserved())?;
        // SAFETY: SQLite passes a place for the result.
        unsafe { *out = reserved.into() };
        Ok(())
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn control(_: *mut sqlite::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    sqlite::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut sqlite::sqlite3_file) -> c_int {
    SECTOR_BYTES
}

unsafe extern "C" fn characteristics(_: *mut sqlite::sqlite3_file) -> c_int {
    // As SQLite assumes of today's disks: a failing write changes nothing around it.
    sqlite::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn map_wal(
    file: *mut sqlite::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    let method = |open: &mut OpenFile| {
        // SAFETY: SQLite passes a place for the result.
        unsafe { *out = ptr::null_mut() };
        let Some(lock) = &mut open.lock else { return Err(sqlite::SQLITE_IOERR_SHMMAP) };
        if length(bytes)? != REGION_BYTES {
            return Err(sqlite::SQLITE_IOERR_SHMMAP);
        }
        if let Some(address) = lock.map_wal(length(region)?, extend != 0)? {
            // SAFETY: as above.
            unsafe { *out = address.as_ptr().cast() };
        }
        Ok(())
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn lock_wal(
    file: *mut sqlite::sqlite3_file,
    slot: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    let method = |open: &mut OpenFile| {
        let Some(lock) = &open.lock else { return Err(sqlite::SQLITE_IOERR_SHMLOCK) };
        let slot = length(slot)?;
        lock.lock_wal(slot..slot.saturating_add(length(count)?), flags)
    };
    // SAFETY: see above.
    unsafe { with(file, method) }
}

unsafe extern "C" fn barrier(_: *mut sqlite::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn unmap_wal(file: *mut sqlite::sqlite3_file, _delete: c_int) -> c_int {
    // There is no file to delete.
    // SAFETY: see above.
    unsafe { with(file, |open| open.lock.as_mut().map_or(Ok(()), |lock| lock.unmap_wal())) }
}
