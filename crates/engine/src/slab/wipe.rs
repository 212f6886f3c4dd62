//! Makes memory that a process has used read as zero again, cheaply.
//!
//! Zeroing a resident page by hand costs a tenth of throwing it away and faulting it in for the
//! next process, so the first dirty pages are zeroed and stay, the rest goes back to the system.
//! What must stay true: after an `Ok` every byte of the range reads as zero; after an `Err` the
//! range must not be used again.

use super::lazy::{self, Pages};
use super::platform;
use std::io;
use std::ptr::NonNull;

/// Runs of neighbouring dirty pages that one look at the page tables can report.
pub const DIRTY_RUNS_MAX: usize = 32;

/// A run of neighbouring pages that may hold something else than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirtyRun {
    pub base: NonNull<u8>,
    pub bytes: usize,
    /// In main memory; otherwise swapped out.
    pub resident: bool,
}

/// Answer of [`platform::dirty_pages`].
#[derive(Debug)]
pub struct Dirty {
    pub runs: [Option<DirtyRun>; DIRTY_RUNS_MAX],
    /// Bytes from the start of the range up to which the runs are complete.
    pub scanned_bytes: usize,
}

/// Wipes `bytes` bytes at `base` and answers how many of them stay resident: at most
/// `keep_bytes_max`, and none where the system does not tell which pages are dirty.
///
/// # Safety
/// The range starts and ends at page boundaries, lies inside one slot above its guard, and nobody
/// else reads or writes it during the call.
pub unsafe fn wipe(base: NonNull<u8>, bytes: usize, keep_bytes_max: usize) -> io::Result<usize> {
    let page_bytes = platform::page_bytes();
    if bytes == 0 {
        return Ok(0);
    }
    let look = match keep_bytes_max / page_bytes {
        0 => None,
        // SAFETY: the caller's promise is what `dirty_pages` asks for.
        pages => unsafe { platform::dirty_pages(base, bytes, pages) },
    };
    let Some(dirty) = look else {
        // SAFETY: the caller owns the whole range.
        unsafe { platform::decommit(base, bytes)? };
        return Ok(0);
    };
    let mut kept = 0;
    for run in dirty.runs.iter().flatten() {
        if run.resident && kept + run.bytes <= keep_bytes_max {
            // SAFETY: a run lies inside the range that the caller owns.
            unsafe { run.base.write_bytes(0, run.bytes) };
            kept += run.bytes;
        } else {
            // SAFETY: as above.
            unsafe { platform::decommit(run.base, run.bytes)? };
        }
    }
    if dirty.scanned_bytes < bytes {
        // SAFETY: the rest of the caller's range.
        unsafe { platform::decommit(base.add(dirty.scanned_bytes), bytes - dirty.scanned_bytes)? };
    }
    Ok(kept)
}

/// Makes a memory what it was at first, if at most `max` bytes of it were touched. After a `false`
/// the memory must not be used again.
pub fn restore(memory: &mut [u8], pages: &Pages, max: usize) -> bool {
    lazy::restore(memory, max).unwrap_or_else(|| restore_dirty(memory, pages, max))
}

/// The same for a memory that is not lazy, if the system tells which pages were touched.
pub fn restore_dirty(memory: &mut [u8], pages: &Pages, max: usize) -> bool {
    let page_bytes = platform::page_bytes();
    let Some(base) = NonNull::new(memory.as_mut_ptr()) else { return false };
    if memory.is_empty() {
        return true;
    }
    if !base.as_ptr().addr().is_multiple_of(page_bytes) || !memory.len().is_multiple_of(page_bytes)
    {
        return false;
    }
    // SAFETY: the memory is the caller's alone, and whole pages.
    let look = unsafe { platform::dirty_pages(base, memory.len(), max / page_bytes) };
    let Some(dirty) = look.filter(|dirty| dirty.scanned_bytes == memory.len()) else {
        return false;
    };
    for run in dirty.runs.iter().flatten() {
        let at = run.base.as_ptr().addr() - base.as_ptr().addr();
        pages.write(at, &mut memory[at..at + run.bytes]);
    }
    true
}

/// Whether at most `max` of `bytes` bytes at `base` may differ from zero. Where the system does
/// not tell which pages are dirty, all of them may.
///
/// # Safety
/// As for [`wipe`].
pub unsafe fn dirty_at_most(base: NonNull<u8>, bytes: usize, max: usize) -> bool {
    let (mut scanned, mut dirty_bytes) = (0, 0);
    while bytes > max && scanned < bytes && dirty_bytes <= max {
        // SAFETY: a part of the caller's range.
        let look = unsafe { platform::dirty_pages(base.add(scanned), bytes - scanned, usize::MAX) };
        let Some(dirty) = look.filter(|dirty| dirty.scanned_bytes > 0) else {
            return false;
        };
        dirty_bytes += dirty.runs.iter().flatten().map(|run| run.bytes).sum::<usize>();
        scanned += dirty.scanned_bytes;
    }
    dirty_bytes <= max
}

/// Copies what differs from zero from one range to another that reads as zero.
///
/// # Safety
/// Both ranges are `bytes` long, start at page boundaries and belong to the caller alone.
pub unsafe fn copy_dirty(from: NonNull<u8>, to: NonNull<u8>, bytes: usize) {
    let mut done = 0;
    while done < bytes {
        // SAFETY: a part of the caller's range.
        let look = unsafe { platform::dirty_pages(from.add(done), bytes - done, usize::MAX) };
        let Some(dirty) = look.filter(|dirty| dirty.scanned_bytes > 0) else {
            // SAFETY: the rest of both ranges, which are distinct slots.
            unsafe { to.add(done).copy_from_nonoverlapping(from.add(done), bytes - done) };
            return;
        };
        for run in dirty.runs.iter().flatten() {
            let offset = run.base.as_ptr() as usize - from.as_ptr() as usize;
            // SAFETY: the run lies inside `from`, so the same offset lies inside `to`.
            unsafe { to.add(offset).copy_from_nonoverlapping(run.base, run.bytes) };
        }
        done += dirty.scanned_bytes;
    }
}
