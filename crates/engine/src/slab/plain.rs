//! What no system but Linux does for us, answered so: which pages are dirty is unknown, nothing is
//! relocated or lazy, and the heap is the allocator's business.

use super::wipe::Dirty;
use std::ptr::NonNull;

/// Gives back whole pages of the heap that hold nothing any more: left to the allocator here.
pub fn give_back_heap() {}

/// Which pages of the range may hold something else than zero: unknown here.
///
/// # Safety
/// None: nothing is touched.
pub unsafe fn dirty_pages(_base: NonNull<u8>, _bytes: usize, _pages: usize) -> Option<Dirty> {
    None
}

/// Whether touching a guard can bring its page: not here.
pub fn lazy_works() -> bool {
    false
}

/// Makes all pages of the range guards: not possible here.
///
/// # Safety
/// None: nothing is touched.
pub unsafe fn install_guards(_base: *mut u8, _bytes: usize) -> bool {
    false
}

/// Makes pages of guards: there are none here.
///
/// # Safety
/// None: nothing is touched.
pub unsafe fn remove_guards(_base: *mut u8, _bytes: usize) -> bool {
    false
}

/// Whether [`dirty_pages`] has answers.
pub fn tells_dirty_pages() -> bool {
    false
}

/// Moves the pages of one range to another: not possible here.
///
/// # Safety
/// None: nothing is touched.
pub unsafe fn relocate(_from: NonNull<u8>, _to: NonNull<u8>, _bytes: usize) -> bool {
    false
}
