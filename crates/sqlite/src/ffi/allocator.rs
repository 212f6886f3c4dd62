//! SQLite's heap: each piece is charged to the owner of the section in which it is taken.
//!
//! A piece begins with who pays for it and how long it is. What is allocated outside of a section
//! (the library's own few structures) is charged to nobody.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;

use libsqlite3_sys as sqlite;

use crate::owner::Owner;

/// Keeps what follows it aligned for everything.
const HEADER_BYTES: usize = 16;

#[repr(C)]
struct Header {
    /// From `Arc::into_raw`, or null.
    owner: *const Owner,
    /// Of the whole piece.
    bytes: usize,
}

const _: () = assert!(size_of::<Header>() <= HEADER_BYTES);

/// The functions of this heap.
pub(super) fn methods() -> sqlite::sqlite3_mem_methods {
    sqlite::sqlite3_mem_methods {
        xMalloc: Some(take),
        xFree: Some(give_back),
        xRealloc: Some(resize),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(start),
        xShutdown: Some(stop),
        pAppData: ptr::null_mut(),
    }
}

/// The layout of a piece for so many bytes of SQLite.
fn layout(bytes: c_int) -> Option<Layout> {
    let bytes = usize::try_from(bytes).ok()?.checked_add(HEADER_BYTES)?;
    Layout::from_size_align(bytes, HEADER_BYTES).ok()
}

unsafe extern "C" fn take(bytes: c_int) -> *mut c_void {
    let Some(layout) = layout(bytes) else { return ptr::null_mut() };
    let owner = Owner::current();
    if owner.as_ref().is_some_and(|owner| !owner.charge(layout.size())) {
        return ptr::null_mut();
    }
    // SAFETY: the layout is not empty.
    let piece = unsafe { alloc(layout) };
    if piece.is_null() {
        if let Some(owner) = owner {
            owner.release(layout.size());
        }
        return ptr::null_mut();
    }
    let owner = owner.map_or(ptr::null(), Arc::into_raw);
    // SAFETY: the piece begins with room for a header, and is aligned for it.
    unsafe {
        piece.cast::<Header>().write(Header { owner, bytes: layout.size() });
        piece.add(HEADER_BYTES).cast()
    }
}

/// The beginning of a piece.
///
/// # Safety
/// `memory` comes from `take` or `resize`, and has not been given back.
unsafe fn header(memory: *mut c_void) -> *mut Header {
    // SAFETY: a header stands in front of what was given out.
    unsafe { memory.cast::<u8>().sub(HEADER_BYTES).cast() }
}

unsafe extern "C" fn give_back(memory: *mut c_void) {
    if memory.is_null() {
        return;
    }
    // SAFETY: SQLite passes what it was given, once. The header holds what `take` wrote: a
    // reference to the owner that nobody else gives up, and the size that was allocated.
    unsafe {
        let piece = header(memory);
        let Header { owner, bytes } = piece.read();
        dealloc(piece.cast(), Layout::from_size_align_unchecked(bytes, HEADER_BYTES));
        if !owner.is_null() {
            Arc::from_raw(owner).release(bytes);
        }
    }
}

unsafe extern "C" fn resize(memory: *mut c_void, bytes: c_int) -> *mut c_void {
    let Some(new) = layout(bytes) else { return ptr::null_mut() };
    // SAFETY: SQLite passes what it was given and not given back, so that its header is whole, and
    // the owner lives by the reference in it.
    unsafe {
        let piece = header(memory);
        let old = (*piece).bytes;
        let owner = (*piece).owner.as_ref();
        let more = new.size().saturating_sub(old);
        if owner.is_some_and(|owner| !owner.charge(more)) {
            return ptr::null_mut();
        }
        let old_layout = Layout::from_size_align_unchecked(old, HEADER_BYTES);
        let moved = realloc(piece.cast(), old_layout, new.size()).cast::<Header>();
        let spare = if moved.is_null() { more } else { old.saturating_sub(new.size()) };
        if let Some(owner) = owner {
            owner.release(spare);
        }
        if moved.is_null() {
            return ptr::null_mut();
        }
        (*moved).bytes = new.size();
        moved.cast::<u8>().add(HEADER_BYTES).cast()
    }
}

unsafe extern "C" fn size(memory: *mut c_void) -> c_int {
    if memory.is_null() {
        return 0;
    }
    // SAFETY: SQLite passes what it was given and not given back.
    let bytes = unsafe { (*header(memory)).bytes } - HEADER_BYTES;
    // It was asked for as a C integer.
    c_int::try_from(bytes).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

unsafe extern "C" fn start(_: *mut c_void) -> c_int {
    sqlite::SQLITE_OK
}

unsafe extern "C" fn stop(_: *mut c_void) {}
