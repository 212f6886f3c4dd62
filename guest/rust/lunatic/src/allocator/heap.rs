//! The heap: chunks one after the other, from its beginning up to a top that moves.
//!
//! Nothing behind the top is written to, so a process pays for the pages that it uses and for no
//! other; and what is freed at the top lowers it. Free chunks lie in bins by size, with a bit for
//! each bin that is not empty.
//!
//! What must stay true: no two free chunks lie side by side, and none lies below the top; a chunk
//! says in its header whether the one before it is free, which then has its size in its last word.

use core::ops::Range;
use core::ptr::{self, with_exposed_provenance_mut};

const WORD: usize = size_of::<usize>();
/// Sizes of chunks are multiples of this, and what is given out is aligned to it.
pub(super) const UNIT: usize = 4 * WORD;
const BINS: usize = 64;
/// How many chunks of a bin are looked at, where not all of them are large enough.
const LOOKS: usize = 8;

/// In a header: the chunk is given out.
const USED: usize = 1;
/// In a header: the chunk before this one is free.
const BEFORE_IS_FREE: usize = 2;
const FLAGS: usize = UNIT - 1;

/// Where the heap gets its memory.
pub(super) trait Source {
    /// At least one byte more of memory that is all zero, above all that was given before, and if
    /// there is no reason against it `bytes` of it right behind that. `None` if there is no more.
    fn grow(&mut self, bytes: usize) -> Option<Range<usize>>;
}

/// A heap. A chunk is known by the address of its header, a word; what is given out begins behind
/// it and ends with the chunk. A free chunk has the next and the one before in its bin there.
pub(super) struct Heap<S> {
    source: S,
    /// Where the next chunk begins that comes from nowhere else.
    top: usize,
    /// Where the memory ends that the top may move in.
    end: usize,
    /// All from here on is zero.
    fresh: usize,
    /// Which bins have chunks.
    filled: u64,
    bins: [usize; BINS],
}

fn read(at: usize) -> usize {
    // SAFETY: all addresses that get here are those of words in chunks, which are in memory that
    // the source has given to this heap alone.
    unsafe { with_exposed_provenance_mut::<usize>(at).read() }
}

fn write(at: usize, word: usize) {
    // SAFETY: as for `read`.
    unsafe { with_exposed_provenance_mut::<usize>(at).write(word) }
}

fn size(chunk: usize) -> usize {
    read(chunk) & !FLAGS
}

fn next_in_bin(chunk: usize) -> usize {
    chunk + WORD
}

fn before_in_bin(chunk: usize) -> usize {
    chunk + 2 * WORD
}

/// The bin of a size: one each for the small sizes, then two for each power of two.
fn bin(size: usize) -> usize {
    let units = size / UNIT;
    if units < 16 {
        return units;
    }
    let log = units.ilog2() as usize;
    (16 + (log - 4) * 2 + (units >> (log - 1) & 1)).min(BINS - 1)
}

/// The size of a chunk with room for so many bytes.
fn chunk_size(bytes: usize) -> Option<usize> {
    if bytes > isize::MAX as usize {
        return None;
    }
    Some((bytes + WORD).next_multiple_of(UNIT))
}

impl<S: Source> Heap<S> {
    pub(super) const fn new(source: S) -> Heap<S> {
        Heap { source, top: 0, end: 0, fresh: 0, filled: 0, bins: [0; BINS] }
    }

    /// Memory for so many bytes; null if there is none.
    pub(super) fn allocate(&mut self, bytes: usize) -> *mut u8 {
        let chunk = chunk_size(bytes).and_then(|size| {
            self.take_free(size, LOOKS).or_else(|| {
                if self.has_room(size) || self.grow(size) {
                    return Some(self.take_top(size));
                }
                self.take_free(size, usize::MAX)
            })
        });
        chunk.map_or(ptr::null_mut(), |chunk| with_exposed_provenance_mut(chunk + WORD))
    }

    /// The same, all zero. What was never used is not written to.
    pub(super) fn allocate_zeroed(&mut self, bytes: usize) -> *mut u8 {
        let fresh = self.fresh;
        let place = self.allocate(bytes);
        if !place.is_null() {
            let used = bytes.min(fresh.saturating_sub(place.addr()));
            // SAFETY: the place has room for more bytes than that.
            unsafe { place.write_bytes(0, used) };
        }
        place
    }

    /// The same, aligned to a power of two.
    pub(super) fn allocate_aligned(&mut self, bytes: usize, align: usize) -> *mut u8 {
        if align <= UNIT {
            return self.allocate(bytes);
        }
        let (Some(wanted), Some(more)) = (chunk_size(bytes), bytes.checked_add(align)) else {
            return ptr::null_mut();
        };
        let place = self.allocate(more);
        if place.is_null() {
            return place;
        }
        let (mut chunk, lead) = (place.addr() - WORD, place.align_offset(align));
        if lead > 0 {
            let (head, all) = (chunk, size(chunk));
            chunk += lead;
            write(chunk, (all - lead) | USED);
            write(head, lead | read(head) & FLAGS);
            self.free_chunk(head);
        }
        self.trim(chunk, wanted);
        with_exposed_provenance_mut(chunk + WORD)
    }

    /// Takes back what was given out.
    ///
    /// # Safety
    ///
    /// The place is one that this heap has given out, and was not taken back yet.
    pub(super) unsafe fn free(&mut self, place: *mut u8) {
        self.free_chunk(place.addr() - WORD);
    }

    /// Makes a place larger or smaller, elsewhere if need be. Null, and nothing changed, if there
    /// is no memory.
    ///
    /// # Safety
    ///
    /// As for `free`; the old place is taken back if another one is given.
    pub(super) unsafe fn resize(&mut self, place: *mut u8, bytes: usize) -> *mut u8 {
        let Some(wanted) = chunk_size(bytes) else { return ptr::null_mut() };
        let chunk = place.addr() - WORD;
        if self.resize_here(chunk, wanted) {
            return place;
        }
        let other = self.allocate(bytes);
        if !other.is_null() {
            // SAFETY: both have room for as much as the smaller one, and do not overlap.
            unsafe { other.copy_from_nonoverlapping(place, size(chunk) - WORD) };
            self.free_chunk(chunk);
        }
        other
    }

    /// How many bytes there is room for.
    pub(super) fn room(place: *mut u8) -> usize {
        size(place.addr() - WORD) - WORD
    }

    fn resize_here(&mut self, chunk: usize, wanted: usize) -> bool {
        let had = size(chunk);
        let next = chunk + had;
        if wanted > had {
            if next == self.top {
                let more = wanted - had;
                if !self.has_room(more) && (!self.grow(more) || next != self.top) {
                    return false;
                }
                self.take_top(more);
            } else if read(next) & USED == 0 && had + size(next) >= wanted {
                let all = had + size(next);
                self.unlink(next);
                write(chunk, all | read(chunk) & FLAGS);
                write(chunk + all, read(chunk + all) & !BEFORE_IS_FREE);
                self.trim(chunk, wanted);
                return true;
            } else {
                return false;
            }
            write(chunk, wanted | read(chunk) & FLAGS);
        }
        self.trim(chunk, wanted);
        true
    }

    /// Frees what a chunk has more than the size that is wanted.
    fn trim(&mut self, chunk: usize, wanted: usize) {
        let rest = size(chunk) - wanted;
        if rest > 0 {
            write(chunk, wanted | read(chunk) & FLAGS);
            write(chunk + wanted, rest | USED);
            self.free_chunk(chunk + wanted);
        }
    }

    fn take_free(&mut self, wanted: usize, looks: usize) -> Option<usize> {
        let own = bin(wanted);
        let mut chunk = self.bins[own];
        for _ in 0..looks {
            if chunk == 0 || size(chunk) >= wanted {
                break;
            }
            chunk = read(next_in_bin(chunk));
        }
        if chunk == 0 || size(chunk) < wanted {
            // All chunks of larger bins are large enough.
            let larger = self.filled & (!1 << own);
            chunk = *self.bins.get(larger.trailing_zeros() as usize)?;
        }
        self.unlink(chunk);
        let next = chunk + size(chunk);
        write(chunk, read(chunk) | USED);
        write(next, read(next) & !BEFORE_IS_FREE);
        self.trim(chunk, wanted);
        Some(chunk)
    }

    fn free_chunk(&mut self, mut chunk: usize) {
        let mut all = size(chunk);
        let next = chunk + all;
        if read(chunk) & BEFORE_IS_FREE != 0 {
            let before = chunk - read(chunk - WORD);
            self.unlink(before);
            all += chunk - before;
            chunk = before;
        }
        if next == self.top {
            self.top = chunk;
            return;
        }
        if read(next) & USED == 0 {
            self.unlink(next);
            all += size(next);
        }
        let next = chunk + all;
        write(next, read(next) | BEFORE_IS_FREE);
        write(next - WORD, all);
        write(chunk, all);
        self.link(chunk, all);
    }

    fn link(&mut self, chunk: usize, size: usize) {
        let bin = bin(size);
        let first = self.bins[bin];
        write(next_in_bin(chunk), first);
        write(before_in_bin(chunk), 0);
        if first != 0 {
            write(before_in_bin(first), chunk);
        }
        self.bins[bin] = chunk;
        self.filled |= 1 << bin;
    }

    fn unlink(&mut self, chunk: usize) {
        let (next, before) = (read(next_in_bin(chunk)), read(before_in_bin(chunk)));
        if next != 0 {
            write(before_in_bin(next), before);
        }
        if before != 0 {
            write(next_in_bin(before), next);
            return;
        }
        let bin = bin(size(chunk));
        self.bins[bin] = next;
        if next == 0 {
            self.filled &= !(1 << bin);
        }
    }

    /// Whether the top can move so far. A word behind it stays free for the mark of an end.
    fn has_room(&self, size: usize) -> bool {
        self.end - self.top >= size + WORD
    }

    fn take_top(&mut self, size: usize) -> usize {
        let chunk = self.top;
        self.top += size;
        self.fresh = self.fresh.max(self.top + WORD);
        write(chunk, size | USED);
        chunk
    }

    /// Gets memory until the top can move so far.
    fn grow(&mut self, size: usize) -> bool {
        while !self.has_room(size) {
            let missing = size + 2 * UNIT - (self.end - self.top);
            let Some(more) = self.source.grow(missing) else { return false };
            if more.start != self.end || self.end == 0 {
                self.leave();
                self.top = (more.start + WORD).next_multiple_of(UNIT) - WORD;
                self.fresh = self.top;
            }
            self.end = more.end.max(self.top);
        }
        true
    }

    /// Makes what is left above the top a free chunk, with a mark behind it that cannot be freed.
    fn leave(&mut self) {
        let Some(left) = (self.end - self.top).checked_sub(WORD) else { return };
        let (chunk, left) = (self.top, left & !FLAGS);
        write(chunk + left, USED);
        // The top goes elsewhere: nothing may be merged with it.
        self.top = 0;
        self.end = 0;
        if left > 0 {
            write(chunk, left | USED);
            self.free_chunk(chunk);
        }
    }
}

#[cfg(test)]
#[path = "heap_tests.rs"]
mod tests;
