//! Linear memories in dense slots: Wasmtime's `MemoryCreator`.
//!
//! Needs an engine with `memory_reservation(0)`, `memory_guard_size(0)`, `memory_may_move(true)`
//! and `memory_init_cow(false)`: compiled code then checks bounds itself, which is what makes
//! neighbours without a guard between them safe.
//!
//! A memory starts in the class of its first size and grows for free to the end of its slot. When
//! it outgrows it, it moves to a slot of at least twice the size, so that a memory which grows
//! page by page is moved a logarithmic number of times. Small contents are copied, page by page as
//! far as they were touched; large ones are relocated by the system, which costs two mappings
//! while the memory lives and is therefore bounded by [`RELOCATED_SLOTS_MAX`].
//!
//! What must stay true: every byte of a slot beyond the memory's size was never written, so
//! wiping the memory's bytes wipes the slot.

use super::arena::Arena;
use super::budget::{Budget, Limits, Usage};
use super::{SlabError, class, lazy, platform, wipe};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Most bytes of one freed memory that are zeroed by hand and stay resident.
const WARM_SLOT_BYTES_MAX: usize = 128 * 1024;

/// A memory with more dirty bytes than this is relocated by the system when it moves. Copying so
/// much takes as long as ten relocations, and such memories are few: they need that much of RAM.
const COPY_BYTES_MAX: usize = 1 << 20;

/// Most memories that sit in a relocated slot at once; each costs two mappings, and the system
/// allows about 65,000 of them. More are copied.
const RELOCATED_SLOTS_MAX: usize = 8_192;

/// Creates linear memories. Clones share the same slots.
#[derive(Clone)]
pub struct Memories {
    pool: Arc<Pool>,
}

struct Pool {
    budget: Arc<Budget>,
    /// One for each size class, by its index.
    arenas: Vec<Arena>,
    relocated: AtomicUsize,
}

/// One linear memory. Owns its slot and keeps the pool alive.
struct SlabMemory {
    pool: Arc<Pool>,
    base: NonNull<u8>,
    class: usize,
    /// Size in bytes as the guest sees it, at most that of the class.
    bytes: usize,
    /// The most it may ever grow to, as declared; `None` when the module declares no maximum.
    bytes_max: Option<usize>,
    relocated: bool,
}

impl Memories {
    /// An empty slab within `limits`. Nothing is reserved before the first memory.
    pub fn new(limits: Limits) -> Self {
        let budget = Arc::new(Budget::new(limits));
        let arena =
            |index| Arena::new("linear memories", class::bytes(index), budget.clone()).lazy();
        let arenas = (0..class::COUNT).map(arena).collect();
        Self { pool: Arc::new(Pool { budget, arenas, relocated: AtomicUsize::new(0) }) }
    }

    /// What is in use now.
    pub fn usage(&self) -> Usage {
        let used_bytes = self.pool.arenas.iter().map(Arena::used_bytes).sum();
        self.pool.budget.usage(used_bytes)
    }

    /// Gives back the warm memory that no process needed since the last call, and says of how many
    /// slots. Call it every second or so, off the workers: after a burst it takes a system call for
    /// each idle slot.
    pub fn give_back_idle(&self) -> usize {
        let mut idle = 0;
        for arena in &self.pool.arenas {
            for base in arena.idle() {
                idle += 1;
                // SAFETY: the slot is on no list, so it is ours alone.
                if unsafe { platform::decommit(base, arena.slot_bytes()) }.is_ok() {
                    arena.put(base, 0);
                }
            }
        }
        idle
    }

    /// A memory of `bytes` zeroes which may grow to `bytes_max`.
    fn create(&self, bytes: usize, bytes_max: Option<usize>) -> Result<SlabMemory, SlabError> {
        let class = class_of(bytes)?;
        let base = self.pool.arenas[class].take()?.base;
        let pool = self.pool.clone();
        Ok(SlabMemory { pool, base, class, bytes, bytes_max, relocated: false })
    }
}

impl fmt::Debug for Memories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memories").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

// SAFETY: each memory is a slot of its own that reads as zero and stays valid until it is
// dropped or moved by its own `grow_to`; guards and reservations it can't honour are refused.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        // A shared memory may never move, which a dense one must be able to.
        let fixed = reserved_size_in_bytes.is_some_and(|bytes| bytes > 0) || ty.is_shared();
        if fixed || guard_size_in_bytes > 0 {
            return Err(SlabError::NotDense.describe());
        }
        let memory = self.create(minimum, maximum).map_err(|refused| refused.describe())?;
        Ok(Box::new(memory))
    }
}

// SAFETY: the pointer is that of a slot which this value alone owns.
unsafe impl Send for SlabMemory {}
// SAFETY: shared access reads fields only.
unsafe impl Sync for SlabMemory {}

// SAFETY: `as_ptr` is valid for `byte_capacity` bytes, and only `grow_to` beyond the capacity
// changes it.
unsafe impl LinearMemory for SlabMemory {
    fn byte_size(&self) -> usize {
        self.bytes
    }

    fn byte_capacity(&self) -> usize {
        class::bytes(self.class)
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > self.byte_capacity() {
            self.move_to_hold(new_size)?;
        }
        self.bytes = self.bytes.max(new_size);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }
}

impl SlabMemory {
    /// Moves to a larger slot. An error leaves the memory where and as it was.
    fn move_to_hold(&mut self, bytes: usize) -> Result<(), SlabError> {
        let (class, base) = self.larger_slot(bytes)?;
        lazy::settle(self.base);
        let used = page_aligned(self.bytes);
        // SAFETY: the slot is ours, and nobody runs in it while it grows.
        let copy = unsafe { wipe::dirty_at_most(self.base, used, COPY_BYTES_MAX) };
        let relocate = !copy && self.pool.take_relocated();
        // SAFETY: both slots are ours, hold `used` bytes, and differ.
        let relocated = relocate && unsafe { platform::relocate(self.base, base, used) };
        if relocate && !relocated {
            self.pool.relocated.fetch_sub(1, Relaxed);
        }
        if !relocated {
            // SAFETY: as above, and a slot just taken reads as zero.
            unsafe { wipe::copy_dirty(self.base, base, used) };
        }
        let old = SlabMemory {
            pool: self.pool.clone(),
            // After a relocation the old slot reads as zero: there is nothing to wipe.
            bytes: if relocated { 0 } else { self.bytes },
            bytes_max: None,
            ..*self
        };
        (self.base, self.class, self.relocated) = (base, class, relocated);
        drop(old);
        Ok(())
    }

    /// A slot that holds `bytes`, and twice the present slot if the memory may grow so far and
    /// the address space allows.
    fn larger_slot(&self, bytes: usize) -> Result<(usize, NonNull<u8>), SlabError> {
        let most = self.bytes_max.unwrap_or(usize::MAX).min(class::bytes(class::COUNT - 1));
        let wished = class_of(bytes.max(self.byte_capacity().saturating_mul(2).min(most)))?;
        if let Ok(slot) = self.pool.arenas[wished].take() {
            return Ok((wished, slot.base));
        }
        let needed = class_of(bytes)?;
        Ok((needed, self.pool.arenas[needed].take()?.base))
    }
}

impl Drop for SlabMemory {
    fn drop(&mut self) {
        self.pool.recycle(self.base, self.class, self.bytes, self.relocated);
    }
}

impl Pool {
    /// Takes a slot back whose first `bytes` may have been written.
    fn recycle(&self, base: NonNull<u8>, class: usize, bytes: usize, relocated: bool) {
        let arena = &self.arenas[class];
        lazy::forget(base);
        if relocated {
            self.relocated.fetch_sub(1, Relaxed);
            // SAFETY: the memory is gone, so the slot is ours alone. The new mapping is like its
            // neighbours, with which the system then merges it.
            let renewed = unsafe { platform::renew(base, arena.slot_bytes(), arena.huge_pages()) };
            return match renewed {
                Ok(()) => arena.give(base, 0),
                Err(_) => arena.retire(),
            };
        }
        let granted =
            if self.budget.take_warm(WARM_SLOT_BYTES_MAX) { WARM_SLOT_BYTES_MAX } else { 0 };
        // SAFETY: the memory is gone, so the slot is ours alone.
        match unsafe { wipe::wipe(base, page_aligned(bytes), granted) } {
            Ok(kept) => {
                debug_assert!(kept <= granted, "a wipe kept more than it was granted");
                self.budget.return_warm(granted - kept);
                arena.give(base, kept);
            }
            Err(_) => {
                self.budget.return_warm(granted);
                arena.retire();
            }
        }
    }

    fn take_relocated(&self) -> bool {
        let add = |now: usize| (now < RELOCATED_SLOTS_MAX).then_some(now + 1);
        self.relocated.fetch_update(Relaxed, Relaxed, add).is_ok()
    }
}

fn class_of(bytes: usize) -> Result<usize, SlabError> {
    let max = class::bytes(class::COUNT - 1);
    class::of_bytes(bytes).ok_or(SlabError::TooLarge { bytes, max })
}

/// Memories with tiny custom pages may end inside a system page.
fn page_aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(platform::page_bytes())
}
