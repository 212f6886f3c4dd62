//! Raw memory on any Unix: what POSIX offers, plus what Linux builds on.
//!
//! Here a range is emptied by mapping fresh memory over it, because `madvise` promises zeroes on
//! Linux only, and a guard page is protected, which costs a mapping. Which pages are dirty is
//! unknown, and nothing is relocated.

#![cfg_attr(target_os = "linux", allow(dead_code))] // Linux replaces the portable half.

#[cfg(not(target_os = "linux"))]
pub use super::plain::{
    dirty_pages, give_back_heap, install_guards, lazy_works, relocate, remove_guards,
    tells_dirty_pages,
};

use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// One reservation may hold many slots: untouched pages cost nothing.
pub const CHUNKS_HOLD_MANY_SLOTS: bool = true;

/// Reserved address space is not charged as memory where the system knows the flag.
const PRIVATE_ANONYMOUS: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;

const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

/// Size of a system page in bytes.
pub fn page_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| {
        // SAFETY: a plain question to the system.
        let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(answer).ok().filter(|bytes| bytes.is_power_of_two()).unwrap_or(4096)
    })
}

/// What this system offers, for people: what is done, and how.
#[cfg(not(target_os = "linux"))]
pub fn paths() -> [(&'static str, &'static str); 4] {
    [
        ("guards of stacks", "mprotect, a mapping for each stack"),
        ("first contents of memory", "copied when a process starts"),
        ("memory of ended processes", "mapped anew and faulted in again"),
        ("memory that moves", "contents are copied"),
    ]
}

/// Reserves readable and writable memory that reads as zero and costs nothing until touched.
pub fn reserve(bytes: usize, _huge_pages: bool) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the system's choice touches no other memory.
    unsafe { map(std::ptr::null_mut(), bytes, 0) }
}

/// Ends a reservation.
///
/// # Safety
/// `base` and `bytes` are those of one [`reserve`], and nobody uses its memory any more.
pub unsafe fn release(base: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller gives up the whole mapping. A failure leaves addresses unused for ever,
    // which harms nobody.
    unsafe { libc::munmap(base.as_ptr().cast(), bytes) };
}

/// Gives the range's memory back; it reads as zero afterwards.
///
/// # Safety
/// The range is page aligned, inside one reservation, without a guard, and the caller's alone.
pub unsafe fn decommit(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller owns what is mapped there.
    unsafe { renew(base, bytes, false) }
}

/// Replaces the range's mapping by a new one, as [`reserve`] makes it.
///
/// # Safety
/// As for [`decommit`].
pub unsafe fn renew(base: NonNull<u8>, bytes: usize, _huge_pages: bool) -> io::Result<()> {
    // SAFETY: the caller owns what is mapped there, so mapping over it harms nobody.
    unsafe { map(base.as_ptr().cast(), bytes, libc::MAP_FIXED)? };
    Ok(())
}

/// Makes each access to the range a fault.
///
/// # Safety
/// As for [`decommit`]; the range stays inaccessible for the life of the reservation.
pub unsafe fn protect_guard(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller owns the range and will not use it.
    match unsafe { libc::mprotect(base.as_ptr().cast(), bytes, libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// # Safety
/// With `MAP_FIXED` the caller owns what is mapped at `at`.
unsafe fn map(at: *mut libc::c_void, bytes: usize, extra: libc::c_int) -> io::Result<NonNull<u8>> {
    // SAFETY: promised by the caller.
    let base = unsafe { libc::mmap(at, bytes, READ_WRITE, PRIVATE_ANONYMOUS | extra, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast())
        .ok_or_else(|| io::Error::other("the system mapped memory at address zero"))
}
