//! Memories whose pages come into being when they are touched.
//!
//! Most pages that a program's data segments fill are never looked at, and most of its memory is
//! never touched: so each page of a new memory is a guard page without a mapping of its own
//! (`MADV_GUARD_INSTALL`). Touching one raises SIGSEGV, and the handler here takes the guard away,
//! puts the page's first contents there and lets the instruction run again. Which pages of a memory
//! were touched is then known without asking the system.
//!
//! Pages that several memories of a module needed are there from the start in the next ones
//! ([`Pages`]): else each would pay for the signals anew.
//!
//! What must stay true:
//! * the handler only reads what is published with `Release` before the guards are set, takes no
//!   lock and allocates nothing; what is not about such a page goes to the handler before it;
//! * a slot leaves its process without guards and without an entry here ([`forget`]), so that no
//!   page of it can get another module's contents;
//! * memories larger than [`LAZY_BYTES_MAX`] are not lazy: setting their guards takes too long;
//! * the system refuses to read or write guarded pages for us (`EFAULT`), so whoever passes guest
//!   memory to a system call touches it first.

use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use super::platform;
use lunatic_wasi::LAZY_BYTES_MAX;

/// Bytes of a page. Where the system's pages are others, nothing is lazy.
pub const PAGE_BYTES: usize = 4096;

/// A page that so many memories had to be given is there from the start, if that is one of
/// [`OFTEN`] of them at least.
const FAULTS_MIN: u32 = 2;
const OFTEN: u32 = 4;
/// At most so many pages are there from the start.
const EAGER_PAGES_MAX: u32 = 16;
/// Chunks of slots that can be known in the life of the program; slots of others are not lazy.
const CHUNKS_MAX: usize = 4096;

/// What a memory holds at first. Parts of it begin at multiples of [`PAGE_BYTES`].
pub trait First: Send + Sync {
    /// Puts it into a part of zeroes. Runs in a signal handler: it must neither lock nor allocate
    /// nor panic.
    fn fill(&self, at: usize, part: &mut [u8]);

    /// Makes a part what it was at first.
    fn write(&self, at: usize, part: &mut [u8]);
}

/// The pages of all memories of a module: their first contents, and which ones are needed.
pub struct Pages {
    first: Box<dyn First>,
    memories: AtomicU32,
    faults: Box<[AtomicU32]>,
    eager: Box<[AtomicU64]>,
    eager_count: AtomicU32,
}

/// A memory that is lazy.
struct Slot {
    pages: Arc<Pages>,
    /// A bit for each page that has no guard any more.
    touched: Box<[AtomicU64]>,
}

/// Slots side by side, as the handler sees them.
struct Chunk {
    base: AtomicUsize,
    /// 0 until it is published, and when it is gone.
    end: AtomicUsize,
    slot_bytes: AtomicUsize,
    /// A pointer for each slot.
    slots: AtomicPtr<AtomicPtr<Slot>>,
}

static CHUNKS: [Chunk; CHUNKS_MAX] = [const {
    Chunk {
        base: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        slot_bytes: AtomicUsize::new(0),
        slots: AtomicPtr::new(std::ptr::null_mut()),
    }
}; CHUNKS_MAX];
static CHUNKS_KNOWN: AtomicUsize = AtomicUsize::new(0);
static REGISTERING: Mutex<()> = Mutex::new(());

impl Pages {
    /// Those of memories of `bytes` bytes at first.
    pub fn new(bytes: usize, first: Box<dyn First>) -> Arc<Pages> {
        let count = bytes.min(LAZY_BYTES_MAX).div_ceil(PAGE_BYTES);
        let (memories, eager_count) = (AtomicU32::new(0), AtomicU32::new(0));
        let faults = (0..count).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Pages { first, memories, faults, eager: bits(count), eager_count })
    }

    /// Writes the first contents of a part of a memory.
    pub fn write(&self, at: usize, part: &mut [u8]) {
        self.first.write(at, part);
    }

    /// A memory had to be given this page.
    fn note(&self, page: usize) {
        let faults = self.faults[page].fetch_add(1, Relaxed).saturating_add(1);
        let often = faults.saturating_mul(OFTEN) >= self.memories.load(Relaxed);
        if faults >= FAULTS_MIN && often && self.eager_count.load(Relaxed) < EAGER_PAGES_MAX {
            self.eager_count.fetch_add(1, Relaxed);
            set(&self.eager, page);
        }
    }
}

fn bits(count: usize) -> Box<[AtomicU64]> {
    (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect()
}

fn set(bits: &[AtomicU64], index: usize) {
    bits[index / 64].fetch_or(1 << (index % 64), Relaxed);
}

fn is_set(bits: &[AtomicU64], index: usize) -> bool {
    bits[index / 64].load(Relaxed) & (1 << (index % 64)) != 0
}

/// The indices that are set, in ascending order.
fn all_set(bits: &[AtomicU64]) -> impl Iterator<Item = usize> {
    bits.iter().enumerate().flat_map(|(word, bits)| {
        let mut rest = bits.load(Relaxed);
        std::iter::from_fn(move || {
            let bit = NonZero::new(rest)?.trailing_zeros() as usize;
            rest &= rest - 1;
            Some(word * 64 + bit)
        })
    })
}

/// Makes slots known that may become lazy.
pub fn register(base: NonNull<u8>, bytes: usize, slot_bytes: usize) {
    if !platform::lazy_works() || slot_bytes > LAZY_BYTES_MAX {
        return;
    }
    let _one = REGISTERING.lock().unwrap_or_else(PoisonError::into_inner);
    let known = CHUNKS_KNOWN.load(Relaxed);
    let Some(chunk) = CHUNKS.get(known) else { return };
    let slots: Box<[AtomicPtr<Slot>]> =
        (0..bytes / slot_bytes).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect();
    chunk.slots.store(Box::into_raw(slots).cast(), Relaxed);
    chunk.slot_bytes.store(slot_bytes, Relaxed);
    let start = base.as_ptr().expose_provenance();
    chunk.base.store(start, Relaxed);
    chunk.end.store(start + bytes, Release);
    CHUNKS_KNOWN.store(known + 1, Release);
}

/// Forgets slots that nobody will use again.
pub fn unregister(base: NonNull<u8>) {
    let _one = REGISTERING.lock().unwrap_or_else(PoisonError::into_inner);
    let known = &CHUNKS[..CHUNKS_KNOWN.load(Relaxed)];
    let found = known.iter().find(|chunk| {
        chunk.end.load(Relaxed) != 0 && chunk.base.load(Relaxed) == base.as_ptr().addr()
    });
    let Some(chunk) = found else { return };
    let bytes = chunk.end.load(Relaxed) - base.as_ptr().addr();
    let count = bytes / chunk.slot_bytes.load(Relaxed);
    // Others may still look, but never for an address in here: it stays unused. So the entry is
    // not used again, and what it points to can go.
    chunk.end.store(0, Release);
    let slots = chunk.slots.swap(std::ptr::null_mut(), Relaxed);
    // SAFETY: it came from a box of so many; all slots are empty, since they are not in use.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(slots, count)) });
}

/// Where a slot that holds `address` begins, and its entry.
fn find(address: usize) -> Option<(usize, &'static AtomicPtr<Slot>)> {
    let known = &CHUNKS[..CHUNKS_KNOWN.load(Acquire)];
    // The newest is the largest.
    let chunk = known
        .iter()
        .rev()
        .find(|chunk| address < chunk.end.load(Acquire) && address >= chunk.base.load(Relaxed))?;
    let (base, slot_bytes) = (chunk.base.load(Relaxed), chunk.slot_bytes.load(Relaxed));
    let index = (address - base) / slot_bytes;
    // SAFETY: the chunk has an entry for each of its slots, and lives as long as a slot of it is
    // in use, as this one is.
    let entry = unsafe { &*chunk.slots.load(Relaxed).add(index) };
    Some((base + index * slot_bytes, entry))
}

/// The entry of a memory that is lazy.
fn of(base: *const u8) -> Option<&'static AtomicPtr<Slot>> {
    let (start, entry) = find(base.addr())?;
    (start == base.addr() && !entry.load(Acquire).is_null()).then_some(entry)
}

/// Gives a memory of zeroes its first contents: now, or when a page of it is touched.
pub fn fill(memory: &mut [u8], pages: &Arc<Pages>) {
    if !make_lazy(memory, pages) {
        pages.first.fill(0, memory);
    }
}

fn make_lazy(memory: &mut [u8], pages: &Arc<Pages>) -> bool {
    let base = memory.as_mut_ptr();
    let count = memory.len() / PAGE_BYTES;
    if count == 0 || count != pages.faults.len() || !memory.len().is_multiple_of(PAGE_BYTES) {
        return false;
    }
    let Some((start, entry)) = find(base.addr()) else { return false };
    if start != base.addr() || !entry.load(Acquire).is_null() {
        return false;
    }
    pages.memories.fetch_add(1, Relaxed);
    let touched = bits(count);
    touched.iter().zip(&pages.eager).for_each(|(touched, eager)| {
        touched.store(eager.load(Relaxed), Relaxed);
    });
    let slot = Box::into_raw(Box::new(Slot { pages: pages.clone(), touched }));
    entry.store(slot, Release);
    // SAFETY: the memory is the caller's, is all zero, and reading a guard brings its page back.
    if !unsafe { platform::install_guards(base, memory.len()) } {
        entry.store(std::ptr::null_mut(), Release);
        // SAFETY: it was made above, and nobody has seen it: this thread alone uses the memory.
        drop(unsafe { Box::from_raw(slot) });
        return false;
    }
    // SAFETY: as long as the memory lives nobody but its own calls takes the entry away.
    let touched = unsafe { &(*slot).touched };
    for page in all_set(touched) {
        let at = page * PAGE_BYTES;
        // SAFETY: a page of the memory.
        if unsafe { platform::remove_guards(base.add(at), PAGE_BYTES) } {
            pages.first.fill(at, &mut memory[at..at + PAGE_BYTES]);
        } else {
            // It is as lazy as the others.
            touched[page / 64].fetch_and(!(1 << (page % 64)), Relaxed);
        }
    }
    true
}

/// Makes a lazy memory what it was at first; `false`, if more than `max` bytes of it were touched.
/// `None`, if it is not lazy.
pub fn restore(memory: &mut [u8], max: usize) -> Option<bool> {
    let entry = of(memory.as_ptr())?;
    // SAFETY: the entry stays until its memory goes, which the caller has.
    let slot = unsafe { &*entry.load(Acquire) };
    let touched: u32 = slot.touched.iter().map(|bits| bits.load(Relaxed).count_ones()).sum();
    if touched as usize * PAGE_BYTES > max {
        return Some(false);
    }
    for page in all_set(&slot.touched) {
        let at = page * PAGE_BYTES;
        slot.pages.write(at, &mut memory[at..at + PAGE_BYTES]);
    }
    Some(true)
}

/// Gives a lazy memory all its pages, because it is about to move. Others are left alone.
pub fn settle(base: NonNull<u8>) {
    let Some(entry) = of(base.as_ptr()) else { return };
    // SAFETY: the entry stays until its memory goes, which the caller has.
    let slot = unsafe { &*entry.load(Acquire) };
    let count = slot.pages.faults.len();
    // All at once: a signal for each page would take a hundred times as long.
    // SAFETY: the range is that of the memory, of which nothing is borrowed while it moves.
    let open = unsafe { platform::remove_guards(base.as_ptr(), count * PAGE_BYTES) };
    for page in (0..count).filter(|page| !is_set(&slot.touched, *page)) {
        // SAFETY: a page of the memory.
        let start = unsafe { base.add(page * PAGE_BYTES) };
        if open {
            // SAFETY: the page has no guard any more, and nobody else uses it.
            let part = unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), PAGE_BYTES) };
            slot.pages.first.fill(page * PAGE_BYTES, part);
        } else {
            // SAFETY: reading a page brings it.
            unsafe { start.read_volatile() };
        }
    }
    forget(base);
}

/// Takes guards and contents away from a slot that its memory leaves. It must be wiped after that.
pub fn forget(base: NonNull<u8>) {
    let Some(entry) = of(base.as_ptr()) else { return };
    // SAFETY: made by `make_lazy`, and the memory is not used while it is dropped or moved.
    let slot = unsafe { Box::from_raw(entry.load(Acquire)) };
    // SAFETY: the range is that of the memory.
    unsafe { platform::remove_guards(base.as_ptr(), slot.pages.faults.len() * PAGE_BYTES) };
    entry.store(std::ptr::null_mut(), Release);
}

/// A fault at this address: whether the page is there now. Runs in a signal handler.
pub fn resolve(address: usize) -> bool {
    let Some((start, entry)) = find(address) else { return false };
    let slot = entry.load(Acquire);
    if slot.is_null() {
        return false;
    }
    // SAFETY: the thread that touches the memory is the one that runs this, so that nobody drops
    // the memory or its entry meanwhile.
    let slot = unsafe { &*slot };
    let page = (address - start) / PAGE_BYTES;
    if page >= slot.pages.faults.len() || is_set(&slot.touched, page) {
        return false;
    }
    let at = page * PAGE_BYTES;
    let base = std::ptr::with_exposed_provenance_mut::<u8>(start + at);
    // SAFETY: a page of this memory.
    if !unsafe { platform::remove_guards(base, PAGE_BYTES) } {
        return false;
    }
    set(&slot.touched, page);
    // SAFETY: the page is there now, and the instruction that faulted waits.
    slot.pages.first.fill(at, unsafe { std::slice::from_raw_parts_mut(base, PAGE_BYTES) });
    slot.pages.note(page);
    true
}
