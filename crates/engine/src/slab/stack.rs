//! Fiber stacks in dense slots: Wasmtime's `StackCreator`.
//!
//! A slot is one guard page and above it the stack, which grows down towards the guard. A stack
//! that is returned stays as it is while the warm memory allows it (half of the limit, each stack
//! counted whole because how deep it went is unknown and asking costs a system call), so that a
//! process that ends and one that starts exchange a stack without any system call. Beyond that
//! only the top stays, which every process touches, and beyond the limit nothing.
//!
//! What must stay true: the guard is set before a slot is first used and stays for ever; a stack
//! asked for `zeroed` reads as zero. Without that wish it may hold what its last user left, which
//! compiled code never reads: it writes each stack slot before it reads it.
//!
//! Windows does not take stacks from its host: see [`Stacks::SUPPORTED`].

use super::arena::{Arena, Slot, SlotState};
use super::budget::{Budget, Limits, Usage};
use super::{SlabError, platform, wipe};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{StackCreator, StackMemory};

/// System pages at the top of a stack that stay resident when the rest is given back: what a
/// waiting process touches.
const TOP_PAGES: usize = 1;

/// Most bytes of a stack that are zeroed by hand, when zeroes are asked for.
const ZERO_BYTES_MAX: usize = 128 * 1024;

/// At most so many processes are between their promise and their stack at once: as many as there
/// are workers on the largest machines.
const STARTING_MAX: usize = 64;

/// Creates fiber stacks. Clones share the same slots.
#[derive(Clone)]
pub struct Stacks {
    pool: Arc<Pool>,
}

struct Pool {
    budget: Arc<Budget>,
    /// One for each stack size in use, by its bytes. An engine asks for one size only.
    arenas: Mutex<BTreeMap<usize, Arc<Arena>>>,
    /// Stacks that have been promised and not been asked for.
    promised: AtomicUsize,
    /// For so many stacks address space is reserved.
    room: AtomicUsize,
}

/// The promise of a stack to a process that has not started: a stack is made when the process
/// starts, when nobody is left who could be told that there is none. Dropped just before that.
pub struct Promise {
    pool: Arc<Pool>,
}

/// One stack. Owns its slot and keeps its arena alive.
struct SlabStack {
    arena: Arc<Arena>,
    /// Where the slot and its guard page start.
    base: NonNull<u8>,
}

impl Stacks {
    /// Whether Wasmtime takes stacks from its host on this system. Where it is false, leave
    /// `Config::with_host_stack` alone.
    pub const SUPPORTED: bool = cfg!(unix);

    /// An empty slab within `limits`. Nothing is reserved before the first stack.
    pub fn new(limits: Limits) -> Self {
        let budget = Arc::new(Budget::new(limits));
        let zero = || AtomicUsize::new(0);
        let (promised, room) = (zero(), zero());
        Self { pool: Arc::new(Pool { budget, arenas: Mutex::default(), promised, room }) }
    }

    /// What is in use now.
    pub fn usage(&self) -> Usage {
        let used_bytes = self.pool.lock().values().map(|arena| arena.used_bytes()).sum();
        self.pool.budget.usage(used_bytes)
    }

    /// Makes sure that there is a stack of so many bytes for one process more; the error is for
    /// whoever spawns it.
    pub fn promise(&self, bytes: usize) -> Result<Promise, String> {
        let pool = &self.pool;
        let promised = pool.promised.fetch_add(1, Relaxed) + 1;
        let promise = Promise { pool: pool.clone() };
        let needed = pool.budget.live() + promised + STARTING_MAX;
        if Self::SUPPORTED && needed > pool.room.load(Relaxed) {
            let room = pool.arena(bytes).and_then(|arena| arena.make_room(needed));
            pool.room.store(room.map_err(|refused| refused.describe())?, Relaxed);
        }
        Ok(promise)
    }

    /// Gives back the warm memory that no process needed since the last call, and says of how many
    /// slots. Call it every second or so, off the workers: after a burst it takes a system call for
    /// each idle slot.
    pub fn give_back_idle(&self) -> usize {
        let mut idle = 0;
        let arenas: Vec<_> = self.pool.lock().values().cloned().collect();
        for arena in arenas {
            for base in arena.idle() {
                idle += 1;
                // SAFETY: the slot is on no list, so it is ours alone.
                if unsafe { cool(base, arena.slot_bytes(), 0) } {
                    arena.put(base, 0);
                }
            }
        }
        idle
    }

    /// A stack of at least `bytes` above its guard page.
    fn create(&self, bytes: usize, zeroed: bool) -> Result<SlabStack, SlabError> {
        let arena = self.pool.arena(bytes)?;
        let slot = arena.take()?;
        prepare(&arena, &slot, zeroed)?;
        Ok(SlabStack { arena, base: slot.base })
    }
}

impl fmt::Debug for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stacks").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

// SAFETY: each stack is a slot of its own, page aligned, above a guard page, and zeroed when
// that is asked for.
unsafe impl StackCreator for Stacks {
    fn new_stack(
        &self,
        size: usize,
        zeroed: bool,
    ) -> Result<Box<dyn StackMemory>, wasmtime::Error> {
        Ok(Box::new(self.create(size, zeroed)?))
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Arena>>> {
        self.arenas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arena(&self, bytes: usize) -> Result<Arc<Arena>, SlabError> {
        let page = platform::page_bytes();
        let slot_bytes = bytes
            .max(1)
            .checked_next_multiple_of(page)
            .and_then(|stack| stack.checked_add(page))
            .filter(|slot| *slot <= self.budget.limits().reserved_bytes_max);
        let Some(slot_bytes) = slot_bytes else {
            let reserved = self.budget.reserved_bytes();
            let max = self.budget.limits().reserved_bytes_max;
            return Err(SlabError::ReservedMax { what: "fiber stacks", bytes, reserved, max });
        };
        let mut arenas = self.lock();
        let arena = arenas.entry(slot_bytes).or_insert_with(|| {
            Arc::new(Arena::new("fiber stacks", slot_bytes, self.budget.clone()))
        });
        Ok(arena.clone())
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.pool.promised.fetch_sub(1, Relaxed);
    }
}

// SAFETY: the pointer is that of a slot which this value alone owns.
unsafe impl Send for SlabStack {}
// SAFETY: shared access reads fields only.
unsafe impl Sync for SlabStack {}

// SAFETY: the range is page aligned, readable and writable, and the page below it is a guard.
unsafe impl StackMemory for SlabStack {
    fn top(&self) -> *mut u8 {
        self.base.as_ptr().wrapping_add(self.arena.slot_bytes())
    }

    fn range(&self) -> Range<usize> {
        self.bottom().as_ptr() as usize..self.top() as usize
    }

    fn guard_range(&self) -> Range<*mut u8> {
        self.base.as_ptr()..self.bottom().as_ptr()
    }
}

impl SlabStack {
    fn bottom(&self) -> NonNull<u8> {
        above_guard(self.base)
    }
}

impl Drop for SlabStack {
    fn drop(&mut self) {
        let (arena, slot_bytes) = (&self.arena, self.arena.slot_bytes());
        let budget = arena.budget();
        // Half of the warm memory holds stacks as they are, half holds tops only.
        if budget.take_warm_below(slot_bytes, budget.limits().warm_bytes_max / 2) {
            return arena.give(self.base, slot_bytes);
        }
        let top_bytes = (TOP_PAGES * platform::page_bytes()).min(slot_bytes);
        let keep = if budget.take_warm(top_bytes) { top_bytes } else { 0 };
        // SAFETY: the fiber is gone, so the slot is ours alone.
        if unsafe { cool(self.base, slot_bytes, keep) } {
            arena.give(self.base, keep);
        } else {
            // Still fit for stacks, but not for the list of cold ones, which read as zero.
            budget.return_warm(keep);
            arena.retire();
        }
    }
}

/// Sets the guard of a fresh slot, and wipes a used one if zeroes are wanted. After an error the
/// slot is back in its arena, or retired.
fn prepare(arena: &Arena, slot: &Slot, zeroed: bool) -> Result<(), SlabError> {
    match slot.state {
        SlotState::Fresh => {
            // SAFETY: the lowest page of a slot that nobody uses yet.
            unsafe { platform::protect_guard(slot.base, platform::page_bytes()) }.map_err(
                |source| {
                    arena.give_unprepared(slot.base);
                    SlabError::Guard { source }
                },
            )
        }
        SlotState::Warm(_) if zeroed => {
            let bytes = arena.slot_bytes() - platform::page_bytes();
            // SAFETY: the whole stack above its guard, ours alone.
            match unsafe { wipe::wipe(above_guard(slot.base), bytes, ZERO_BYTES_MAX) } {
                Ok(_resident) => Ok(()),
                Err(source) => {
                    arena.retire();
                    Err(SlabError::Wipe { source })
                }
            }
        }
        SlotState::Warm(_) | SlotState::Cold => Ok(()),
    }
}

/// Gives a stack's memory back but for its top `keep` bytes; `false` when the system refused.
///
/// # Safety
/// The slot has its guard and is the caller's alone.
unsafe fn cool(base: NonNull<u8>, slot_bytes: usize, keep: usize) -> bool {
    let rest = slot_bytes.saturating_sub(platform::page_bytes() + keep);
    // SAFETY: from the guard up to the kept top, inside the slot.
    rest == 0 || unsafe { platform::decommit(above_guard(base), rest) }.is_ok()
}

fn above_guard(base: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: a slot holds its guard page and at least one page above it.
    unsafe { base.add(platform::page_bytes()) }
}
