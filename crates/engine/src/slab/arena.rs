//! Slots of one size: hands them out, takes them back, reserves more address space.
//!
//! Address space comes in chunks that double from [`CHUNK_BYTES_FIRST`] to [`CHUNK_BYTES_MAX`], so
//! a handful of mappings hold any number of slots. A free slot is *warm* (some of its pages are
//! resident), *cold* (none is) or *fresh* (never used). Warm ones are handed out first and last
//! in, first out: they are the cheapest to use again, and those that nobody needed collect at the
//! bottom of the list, where [`Arena::idle`] finds them.
//!
//! An arena knows addresses only; whoever returns a slot has made it ready for the next user. All
//! state is behind one lock that is held for a few instructions, or for one `mmap` when a chunk
//! is used up.

use super::budget::Budget;
use super::{SlabError, lazy, platform};
use std::io;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Size of an arena's first chunk, in bytes (one slot if that is larger).
const CHUNK_BYTES_FIRST: usize = 16 << 20;

/// Chunks stop doubling here, in bytes (or at [`CHUNK_SLOTS_MIN`] slots if that is larger).
const CHUNK_BYTES_MAX: usize = 4 << 30;

/// Chunks of very large slots still grow to so many slots.
const CHUNK_SLOTS_MIN: usize = 16;

/// Slots below this size never get huge pages: with them one touched page would cost 2 MiB.
const HUGE_PAGES_SLOT_BYTES_MIN: usize = 16 << 20;

/// A chunk is only taken if so much address space is left behind it: for what the processes in its
/// slots need on the heap (a hundredth of their slots), and for threads. Without it the first thing
/// that fails for lack of addresses would be an allocation, which ends the program.
const HEADROOM_BYTES: usize = 128 << 20;

/// A slot handed out by an arena. Not `Clone`: it is returned once.
#[derive(Debug)]
pub(super) struct Slot {
    pub base: NonNull<u8>,
    pub state: SlotState,
}

/// What a slot was when it was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotState {
    /// Never prepared before; all zero.
    Fresh,
    /// Prepared once, no page resident; all zero above its guard.
    Cold,
    /// Up to so many bytes are resident.
    Warm(usize),
}

// SAFETY: a slot is a range of addresses that has exactly one owner; it may change threads.
unsafe impl Send for Slot {}
// SAFETY: a shared slot gives no access to its memory without further `unsafe`.
unsafe impl Sync for Slot {}

pub(super) struct Arena {
    what: &'static str,
    slot_bytes: usize,
    budget: Arc<Budget>,
    /// What is in its slots may be lazy.
    lazy: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    chunks: Vec<(NonNull<u8>, usize)>,
    /// Slots that were never handed out, by chunk: the next one, and how many are left.
    fresh: Vec<(NonNull<u8>, usize)>,
    /// Fresh slots that came back before they were prepared.
    unprepared: Vec<NonNull<u8>>,
    cold: Vec<NonNull<u8>>,
    warm: Vec<(NonNull<u8>, usize)>,
    /// So many slots at the bottom of `warm` were not needed since [`Arena::idle`] asked last.
    warm_idle: usize,
}

// SAFETY: the pointers are addresses of chunks that the state owns; they belong to no thread.
unsafe impl Send for State {}

impl Arena {
    /// An arena without any chunk yet. `slot_bytes` is a multiple of the system's page size;
    /// `what` names its slots in errors, in the plural.
    pub fn new(what: &'static str, slot_bytes: usize, budget: Arc<Budget>) -> Self {
        debug_assert!(slot_bytes > 0 && slot_bytes.is_multiple_of(platform::page_bytes()));
        Self { what, slot_bytes, budget, lazy: false, state: Mutex::default() }
    }

    /// The same for slots whose contents may be lazy.
    pub fn lazy(mut self) -> Self {
        self.lazy = true;
        self
    }

    pub fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether the system may back this arena's slots with huge pages.
    pub fn huge_pages(&self) -> bool {
        self.slot_bytes >= HUGE_PAGES_SLOT_BYTES_MIN
    }

    /// Bytes of address space in slots that are not free. It is looked up rather than counted, so
    /// that handing out costs nothing for it; slots that are being cooled are in it for a moment.
    pub fn used_bytes(&self) -> usize {
        let state = self.lock();
        let all = self.slots(&state);
        let fresh: usize = state.fresh.iter().map(|(_, left)| left).sum();
        let free = fresh + state.unprepared.len() + state.cold.len() + state.warm.len();
        (all - free) * self.slot_bytes
    }

    /// Reserves address space for so many slots in all, and says for how many there is.
    pub fn make_room(&self, slots: usize) -> Result<usize, SlabError> {
        let mut state = self.lock();
        while self.slots(&state) < slots {
            let chunk = self.add_chunk(&mut state)?;
            state.fresh.push(chunk);
        }
        Ok(self.slots(&state))
    }

    fn slots(&self, state: &State) -> usize {
        state.chunks.iter().map(|(_, bytes)| bytes / self.slot_bytes).sum()
    }

    /// Hands out a slot: a warm one if there is one, else a cold one, else a fresh one.
    pub fn take(&self) -> Result<Slot, SlabError> {
        let mut state = self.lock();
        let slot = if let Some((base, bytes)) = state.warm.pop() {
            state.warm_idle = state.warm_idle.min(state.warm.len());
            self.budget.return_warm(bytes);
            Slot { base, state: SlotState::Warm(bytes) }
        } else if let Some(base) = state.cold.pop() {
            Slot { base, state: SlotState::Cold }
        } else if let Some(base) = state.unprepared.pop() {
            Slot { base, state: SlotState::Fresh }
        } else {
            Slot { base: self.next_fresh(&mut state)?, state: SlotState::Fresh }
        };
        drop(state);
        self.budget.slot_taken();
        Ok(slot)
    }

    /// Takes back a slot of which `warm_bytes` are resident, which its owner took from the
    /// budget before; 0 means that it is cold.
    pub fn give(&self, base: NonNull<u8>, warm_bytes: usize) {
        self.budget.slot_returned();
        self.put(base, warm_bytes);
    }

    /// Takes back a fresh slot that could not be prepared.
    pub fn give_unprepared(&self, base: NonNull<u8>) {
        self.budget.slot_returned();
        self.lock().unprepared.push(base);
    }

    /// Counts a slot as returned that can never be used again, because it could not be wiped.
    pub fn retire(&self) {
        self.budget.slot_returned();
    }

    /// Takes the warm slots that nobody needed since the last call off the list. The caller
    /// cools them and passes each to [`Arena::put`].
    pub fn idle(&self) -> Vec<NonNull<u8>> {
        let mut state = self.lock();
        let idle = state.warm_idle;
        let taken: Vec<_> = state.warm.drain(..idle).collect();
        state.warm_idle = state.warm.len();
        drop(state);
        self.budget.return_warm(taken.iter().map(|(_, bytes)| bytes).sum());
        taken.into_iter().map(|(base, _)| base).collect()
    }

    /// Puts a slot that is not counted as live on the list where it belongs.
    pub fn put(&self, base: NonNull<u8>, warm_bytes: usize) {
        let mut state = self.lock();
        match warm_bytes {
            0 => state.cold.push(base),
            bytes => state.warm.push((base, bytes)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves the lists half changed, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fresh(&self, state: &mut State) -> Result<NonNull<u8>, SlabError> {
        let (base, left) = match state.fresh.pop() {
            Some(fresh) => fresh,
            None => self.add_chunk(state)?,
        };
        if left > 1 {
            // SAFETY: `left` slots start at `base` inside one chunk, so the next one does too.
            state.fresh.push((unsafe { base.add(self.slot_bytes) }, left - 1));
        }
        Ok(base)
    }

    /// Reserves the next chunk; when there is no room for one as large as planned, smaller ones
    /// are tried down to a single slot.
    fn add_chunk(&self, state: &mut State) -> Result<(NonNull<u8>, usize), SlabError> {
        let mut slots = self.planned_slots(state.chunks.last().map(|chunk| chunk.1));
        loop {
            let refused = match self.reserve(slots * self.slot_bytes) {
                Ok(base) => {
                    state.chunks.push((base, slots * self.slot_bytes));
                    if self.lazy {
                        lazy::register(base, slots * self.slot_bytes, self.slot_bytes);
                    }
                    return Ok((base, slots));
                }
                Err(refused) => refused,
            };
            if slots == 1 {
                return Err(refused);
            }
            slots /= 2;
        }
    }

    fn planned_slots(&self, last_chunk_bytes: Option<usize>) -> usize {
        if !platform::CHUNKS_HOLD_MANY_SLOTS {
            return 1;
        }
        let max = CHUNK_BYTES_MAX.max(CHUNK_SLOTS_MIN.saturating_mul(self.slot_bytes));
        let planned = last_chunk_bytes.map_or(CHUNK_BYTES_FIRST, |last| last.saturating_mul(2));
        (planned.min(max) / self.slot_bytes).max(1)
    }

    fn reserve(&self, bytes: usize) -> Result<NonNull<u8>, SlabError> {
        let what = self.what;
        if !self.budget.take_reserved(bytes) {
            let (reserved, max) =
                (self.budget.reserved_bytes(), self.budget.limits().reserved_bytes_max);
            return Err(SlabError::ReservedMax { what, bytes, reserved, max });
        }
        self.reserve_below_headroom(bytes).map_err(|source| {
            self.budget.return_reserved(bytes);
            SlabError::Reserve { what, bytes, source }
        })
    }

    fn reserve_below_headroom(&self, bytes: usize) -> io::Result<NonNull<u8>> {
        let base = platform::reserve(bytes, self.huge_pages())?;
        if !platform::CHUNKS_HOLD_MANY_SLOTS {
            return Ok(base);
        }
        match platform::reserve(HEADROOM_BYTES, false) {
            Ok(headroom) => {
                // SAFETY: reserved a line ago and passed to nobody.
                unsafe { platform::release(headroom, HEADROOM_BYTES) };
                Ok(base)
            }
            Err(source) => {
                // SAFETY: as above.
                unsafe { platform::release(base, bytes) };
                Err(source)
            }
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (base, bytes) in state.chunks.drain(..) {
            if self.lazy {
                lazy::unregister(base);
            }
            // SAFETY: the chunk was reserved by this arena, and whoever holds a slot holds the
            // slab and so the arena: no slot is in use any more.
            unsafe { platform::release(base, bytes) };
            self.budget.return_reserved(bytes);
        }
    }
}
