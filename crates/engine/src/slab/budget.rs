//! Counts and limits of one slab: address space, warm memory, live slots.
//!
//! Owns the counters that all arenas of a slab share. What must stay true: `reserved` and `warm`
//! never exceed their limit, because room is taken before it is used. Counters are atomic and
//! independent of each other; a reader sees values that were true a moment ago.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bounds of one slab ([`super::Memories`] or [`super::Stacks`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most address space the slab reserves, in bytes. Reserved space costs no memory until a
    /// process touches it. Default: 32 TiB, a quarter of what 47 bits can address.
    pub reserved_bytes_max: usize,
    /// Most memory kept resident in free slots for the next processes, in bytes.
    /// 0 gives everything back at once. Default: 64 MiB.
    pub warm_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Saturates where pointers are too narrow for the figure.
        let reserved_bytes_max = usize::try_from(32_u64 << 40).unwrap_or(usize::MAX / 2);
        Self { reserved_bytes_max, warm_bytes_max: 64 << 20 }
    }
}

/// What a slab holds at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Slots handed out and not yet returned.
    pub live: usize,
    /// Address space in bytes of those slots, and of slots that cannot be used any more.
    pub used_bytes: usize,
    /// Reserved address space in bytes; never shrinks while the slab lives.
    pub reserved_bytes: usize,
    /// At most so many bytes are resident in free slots.
    pub warm_bytes: usize,
}

/// The shared counters. `take_*` functions answer whether there was room, and take it if so.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    live: AtomicUsize,
    reserved: AtomicUsize,
    warm: AtomicUsize,
}

impl Budget {
    pub fn new(limits: Limits) -> Self {
        let zero = || AtomicUsize::new(0);
        Self { limits, live: zero(), reserved: zero(), warm: zero() }
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What is in use, of which the arenas know that `used_bytes` are handed out.
    pub fn usage(&self, used_bytes: usize) -> Usage {
        Usage {
            live: self.live(),
            used_bytes,
            reserved_bytes: self.reserved_bytes(),
            warm_bytes: self.warm.load(Relaxed),
        }
    }

    /// Slots handed out and not yet returned.
    pub fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    pub fn reserved_bytes(&self) -> usize {
        self.reserved.load(Relaxed)
    }

    pub fn slot_taken(&self) {
        self.live.fetch_add(1, Relaxed);
    }

    pub fn slot_returned(&self) {
        self.live.fetch_sub(1, Relaxed);
    }

    pub fn take_reserved(&self, bytes: usize) -> bool {
        take(&self.reserved, bytes, self.limits.reserved_bytes_max)
    }

    pub fn return_reserved(&self, bytes: usize) {
        self.reserved.fetch_sub(bytes, Relaxed);
    }

    /// Takes room for `bytes` more of warm memory as long as at most `max` bytes are warm after.
    pub fn take_warm_below(&self, bytes: usize, max: usize) -> bool {
        take(&self.warm, bytes, max.min(self.limits.warm_bytes_max))
    }

    pub fn take_warm(&self, bytes: usize) -> bool {
        self.take_warm_below(bytes, self.limits.warm_bytes_max)
    }

    pub fn return_warm(&self, bytes: usize) {
        self.warm.fetch_sub(bytes, Relaxed);
    }
}

fn take(counter: &AtomicUsize, amount: usize, max: usize) -> bool {
    let add = |now: usize| now.checked_add(amount).filter(|after| *after <= max);
    counter.fetch_update(Relaxed, Relaxed, add).is_ok()
}
