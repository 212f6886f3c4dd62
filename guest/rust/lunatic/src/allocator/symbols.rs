//! The functions of C that hand out memory.

use core::arch::wasm32;
use core::cell::UnsafeCell;
use core::ops::Range;
use core::ptr;

use super::heap::{Heap, Source};

const PAGE_BYTES: usize = 64 << 10;

/// Error numbers of WASI.
const INVALID: i32 = 28;
const NO_MEMORY: i32 = 48;

unsafe extern "C" {
    /// Where the linker has put the end of the program's data and stack.
    static __heap_base: u8;
}

/// The linear memory: first what is behind the program's data, then what it grows by.
struct LinearMemory {
    begun: bool,
}

impl Source for LinearMemory {
    fn grow(&mut self, bytes: usize) -> Option<Range<usize>> {
        let end = wasm32::memory_size(0) * PAGE_BYTES;
        if !self.begun {
            self.begun = true;
            let begin = (&raw const __heap_base).addr();
            if begin < end {
                return Some(begin..end);
            }
        }
        let pages = bytes.div_ceil(PAGE_BYTES);
        let before = wasm32::memory_grow(0, pages);
        (before != usize::MAX).then(|| {
            let begin = before * PAGE_BYTES;
            // A memory of four gigabytes ends where addresses do.
            begin..(begin - 1 + pages * PAGE_BYTES).saturating_add(1)
        })
    }
}

/// The heap of the process.
struct Global(UnsafeCell<Heap<LinearMemory>>);

// SAFETY: a process has one thread.
unsafe impl Sync for Global {}

static HEAP: Global = Global(UnsafeCell::new(Heap::new(LinearMemory { begun: false })));

fn heap() -> &'static mut Heap<LinearMemory> {
    // SAFETY: a process has one thread, and nothing in the heap calls out of it, so that no two of
    // these exist at once.
    unsafe { &mut *HEAP.0.get() }
}

#[unsafe(no_mangle)]
extern "C" fn malloc(bytes: usize) -> *mut u8 {
    heap().allocate(bytes)
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, bytes: usize) -> *mut u8 {
    match count.checked_mul(bytes) {
        Some(all) => heap().allocate_zeroed(all),
        None => ptr::null_mut(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(place: *mut u8, bytes: usize) -> *mut u8 {
    if place.is_null() {
        return heap().allocate(bytes);
    }
    // SAFETY: the caller gives a place that is its own.
    unsafe { heap().resize(place, bytes) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(place: *mut u8) {
    if !place.is_null() {
        // SAFETY: the caller gives a place that is its own.
        unsafe { heap().free(place) }
    }
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, bytes: usize) -> *mut u8 {
    if align.is_power_of_two() { heap().allocate_aligned(bytes, align) } else { ptr::null_mut() }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(result: *mut *mut u8, align: usize, bytes: usize) -> i32 {
    if !align.is_power_of_two() || align < size_of::<usize>() {
        return INVALID;
    }
    let place = heap().allocate_aligned(bytes, align);
    if place.is_null() {
        return NO_MEMORY;
    }
    // SAFETY: the caller gives a place for the result.
    unsafe { result.write(place) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(place: *mut u8) -> usize {
    if place.is_null() { 0 } else { Heap::<LinearMemory>::room(place) }
}
