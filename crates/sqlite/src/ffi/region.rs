//! Memory that several connections read and write at once, as SQLite's protocol tells them to.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Bytes of a region: fixed by SQLite.
pub(crate) const REGION_BYTES: usize = 32 * 1024;

const LAYOUT: Layout = match Layout::from_size_align(REGION_BYTES, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("8 is a power of two"),
};

/// A region, all zero at first. Rust never looks into it.
pub(crate) struct Region(NonNull<u8>);

// SAFETY: the memory belongs to nobody but SQLite, which accesses it from several threads by a
// protocol of its own; here it is only allocated and given back.
unsafe impl Send for Region {}

impl Region {
    /// `None` if there is no memory.
    pub(crate) fn new() -> Option<Region> {
        // SAFETY: the layout is not empty.
        NonNull::new(unsafe { alloc_zeroed(LAYOUT) }).map(Region)
    }

    pub(crate) fn address(&self) -> NonNull<u8> {
        self.0
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed once. Who drops it sees to it that
        // no connection uses it any more.
        unsafe { dealloc(self.0.as_ptr(), LAYOUT) }
    }
}
