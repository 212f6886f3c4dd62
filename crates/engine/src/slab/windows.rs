//! Raw memory on Windows, one system allocation for each slot.
//!
//! Windows charges committed memory when it is committed, not when it is touched, so a chunk
//! holds one slot only (`CHUNKS_HOLD_MANY_SLOTS`). Wasmtime makes its own fiber stacks here, so
//! guard pages are offered for completeness. Dirty pages are unknown and nothing is relocated.

pub use super::plain::{
    dirty_pages, give_back_heap, install_guards, lazy_works, relocate, remove_guards,
    tells_dirty_pages,
};

use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;

/// A chunk is one slot.
pub const CHUNKS_HOLD_MANY_SLOTS: bool = false;

const MEM_COMMIT: u32 = 0x1000;
const MEM_RESERVE: u32 = 0x2000;
const MEM_DECOMMIT: u32 = 0x4000;
const MEM_RELEASE: u32 = 0x8000;
const PAGE_NOACCESS: u32 = 0x01;
const PAGE_READWRITE: u32 = 0x04;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn VirtualAlloc(at: *mut c_void, bytes: usize, kind: u32, protection: u32) -> *mut c_void;
    fn VirtualFree(at: *mut c_void, bytes: usize, kind: u32) -> i32;
    fn VirtualProtect(at: *mut c_void, bytes: usize, protection: u32, old: *mut u32) -> i32;
}

/// Size of a system page in bytes: 4 KiB on every Windows that Wasmtime runs on.
pub fn page_bytes() -> usize {
    4096
}

/// Allocates readable and writable memory that reads as zero.
pub fn reserve(bytes: usize, _huge_pages: bool) -> io::Result<NonNull<u8>> {
    let kind = MEM_RESERVE | MEM_COMMIT;
    // SAFETY: a new allocation at an address of the system's choice touches no other memory.
    let base = unsafe { VirtualAlloc(std::ptr::null_mut(), bytes, kind, PAGE_READWRITE) };
    NonNull::new(base.cast()).ok_or_else(io::Error::last_os_error)
}

/// What this system offers, for people: what is done, and how.
pub fn paths() -> [(&'static str, &'static str); 4] {
    [
        ("guards of stacks", "Wasmtime's own stacks"),
        ("first contents of memory", "copied when a process starts"),
        ("memory of ended processes", "decommitted and committed anew"),
        ("memory that moves", "contents are copied"),
    ]
}

/// Ends an allocation.
///
/// # Safety
/// `base` is that of one [`reserve`], and nobody uses its memory any more.
pub unsafe fn release(base: NonNull<u8>, _bytes: usize) {
    // SAFETY: the caller gives up the whole allocation.
    unsafe { VirtualFree(base.as_ptr().cast(), 0, MEM_RELEASE) };
}

/// Gives the range's memory back and commits it anew; it reads as zero afterwards.
///
/// # Safety
/// The range is page aligned, inside one allocation, without a guard, and the caller's alone.
pub unsafe fn decommit(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    let at = base.as_ptr().cast();
    // SAFETY: the caller owns the range and wants its contents gone.
    if unsafe { VirtualFree(at, bytes, MEM_DECOMMIT) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range stays reserved, so nothing else can live there.
    match unsafe { VirtualAlloc(at, bytes, MEM_COMMIT, PAGE_READWRITE) }.is_null() {
        false => Ok(()),
        true => Err(io::Error::last_os_error()),
    }
}

/// Replaces the range by zeroes, as [`reserve`] makes them.
///
/// # Safety
/// As for [`decommit`].
pub unsafe fn renew(base: NonNull<u8>, bytes: usize, _huge_pages: bool) -> io::Result<()> {
    // SAFETY: promised by the caller.
    unsafe { decommit(base, bytes) }
}

/// Makes each access to the range a fault.
///
/// # Safety
/// As for [`decommit`]; the range stays inaccessible for the life of the allocation.
pub unsafe fn protect_guard(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    let mut old = 0;
    // SAFETY: the caller owns the range and will not use it; `old` outlives the call.
    match unsafe { VirtualProtect(base.as_ptr().cast(), bytes, PAGE_NOACCESS, &raw mut old) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
