//! What processes rely on: zeroes, kept contents, few mappings, errors instead of aborts.

use super::lazy::PAGE_BYTES;
use super::{First, Limits, Memories, Pages, Stacks, platform, wipe};
use wasmtime::{
    Config, Engine, Instance, LinearMemory, MemoryCreator, MemoryType, Module, StackCreator, Store,
    Trap,
};

const PAGE: usize = 64 * 1024;
const NO_WARM: Limits = Limits { reserved_bytes_max: 1 << 40, warm_bytes_max: 0 };

fn memory(slab: &Memories, bytes: usize) -> Box<dyn LinearMemory> {
    slab.new_memory(MemoryType::new(1, None), bytes, None, Some(0), 0).unwrap()
}

fn fill(memory: &mut dyn LinearMemory, byte: u8) {
    // SAFETY: the memory holds so many bytes and is borrowed for the call.
    unsafe { memory.as_ptr().write_bytes(byte, memory.byte_size()) };
}

/// The whole slot, not only the memory's size: growth hands the rest to the guest.
fn slot(memory: &dyn LinearMemory) -> &[u8] {
    // SAFETY: the capacity is readable as long as the memory lives.
    unsafe { std::slice::from_raw_parts(memory.as_ptr(), memory.byte_capacity()) }
}

fn is_zero(memory: &dyn LinearMemory) -> bool {
    slot(memory).chunks(PAGE).all(|page| page == [0; PAGE])
}

/// Fills a memory of `pages`, drops it, and answers whether the next one had the same slot; the
/// next one must be zero.
fn reuse(slab: &Memories, pages: usize) -> bool {
    let mut first = memory(slab, pages * PAGE);
    fill(&mut *first, 0xAA);
    let base = first.as_ptr();
    drop(first);
    let second = memory(slab, pages * PAGE);
    assert!(is_zero(&*second), "a memory of {pages} pages was not zero when it was reused");
    second.as_ptr() == base
}

#[test]
fn a_warm_slot_reads_as_zero_when_it_is_reused() {
    let slab = Memories::new(Limits::default());
    assert!([1, 2, 17, 40].into_iter().all(|pages| reuse(&slab, pages)));
}

/// A memory that begins with an 8 in each byte of its third page.
struct Eights;

impl First for Eights {
    fn fill(&self, at: usize, part: &mut [u8]) {
        let page = 2 * PAGE_BYTES..3 * PAGE_BYTES;
        let (from, to) = (page.start.max(at), page.end.min(at + part.len()));
        if from < to {
            part[from - at..to - at].fill(8);
        }
    }

    fn write(&self, at: usize, part: &mut [u8]) {
        part.fill(0);
        self.fill(at, part);
    }
}

#[test]
fn a_memory_whose_dirty_pages_the_system_tells_is_put_back_or_refused() {
    let (slab, pages) = (Memories::new(Limits::default()), Pages::new(PAGE, Box::new(Eights)));
    let memory = memory(&slab, PAGE);
    // SAFETY: the memory is borrowed by nobody else until the end of the test.
    let bytes = unsafe { std::slice::from_raw_parts_mut(memory.as_ptr(), PAGE) };
    Eights.fill(0, bytes);
    let first = bytes.to_vec();
    bytes[100..9_000].fill(1);
    bytes[PAGE - 1] = 1;
    let told = platform::tells_dirty_pages();
    assert_eq!(wipe::restore_dirty(bytes, &pages, 4 * PAGE_BYTES), told);
    assert_eq!(bytes == first, told);
    bytes.fill(1);
    assert!(!wipe::restore_dirty(bytes, &pages, 4 * PAGE_BYTES), "more is dirty than that");
}

#[test]
fn a_sparsely_touched_slot_reads_as_zero_when_it_is_reused() {
    let slab = Memories::new(Limits::default());
    let first = memory(&slab, 64 * PAGE);
    for offset in (0..64 * PAGE).step_by(3 * 4096) {
        // SAFETY: inside the memory. More runs than one look reports.
        unsafe { first.as_ptr().add(offset).write(7) };
    }
    // SAFETY: reading maps the shared page of zeroes.
    assert_eq!(unsafe { first.as_ptr().add(5000).read_volatile() }, 0);
    drop(first);
    assert!(is_zero(&*memory(&slab, 64 * PAGE)));
}

#[test]
fn a_slot_given_back_to_the_system_reads_as_zero_when_it_is_reused() {
    let slab = Memories::new(NO_WARM);
    assert!([1, 17, 300].into_iter().all(|pages| reuse(&slab, pages)));
    assert_eq!(slab.usage().warm_bytes, 0);
}

#[test]
fn idle_warm_slots_are_given_back_and_read_as_zero() {
    let slab = Memories::new(Limits::default());
    let burst: Vec<_> = (0..50).map(|_| memory(&slab, PAGE)).collect();
    for mut memory in burst {
        fill(&mut *memory, 1);
    }
    assert!(slab.usage().warm_bytes > 0 || !cfg!(target_os = "linux"));
    slab.give_back_idle(); // Everything was needed since the start: nothing is idle yet.
    slab.give_back_idle();
    assert_eq!(slab.usage().warm_bytes, 0);
    assert!((0..60).all(|_| is_zero(&*memory(&slab, PAGE))));
}

#[test]
fn the_bytes_in_use_are_those_of_the_slots_that_are_handed_out() {
    let slab = Memories::new(Limits::default());
    assert_eq!(slab.usage().used_bytes, 0);
    let one = memory(&slab, PAGE);
    let used = slab.usage().used_bytes;
    assert!((PAGE..slab.usage().reserved_bytes).contains(&used), "{used}");
    let others: Vec<_> = (0..99).map(|_| memory(&slab, PAGE)).collect();
    assert_eq!(slab.usage().used_bytes, 100 * used);
    drop(others);
    // Warm and cold slots are free, also after one is used again.
    assert_eq!(slab.usage().used_bytes, used);
    slab.give_back_idle();
    slab.give_back_idle();
    assert_eq!(slab.usage().used_bytes, used);
    drop((one, memory(&slab, PAGE)));
    assert_eq!(slab.usage().used_bytes, 0);
    let stacks = Stacks::new(Limits::default());
    let stack = stacks.new_stack(10 * PAGE, false).unwrap();
    assert!(stacks.usage().used_bytes > 10 * PAGE);
    drop(stack);
    assert_eq!(stacks.usage().used_bytes, 0);
}

#[test]
fn growth_keeps_the_contents_across_copies_and_relocations() {
    let slab = Memories::new(Limits::default());
    let mut grown = memory(&slab, PAGE);
    let mut pages = 1;
    while pages < 400 {
        let fresh = &slot(&*grown)[(pages - 1) * PAGE..pages * PAGE];
        assert!(fresh == [0; PAGE], "page {pages} is not zero after growth");
        // SAFETY: the last page of the memory.
        unsafe { grown.as_ptr().add((pages - 1) * PAGE).write_bytes(pages as u8, PAGE) };
        pages += 1;
        grown.grow_to(pages * PAGE).unwrap();
        assert_eq!(grown.byte_size(), pages * PAGE);
    }
    for page in 1..pages {
        let contents = &slot(&*grown)[(page - 1) * PAGE..page * PAGE];
        assert!(contents == [page as u8; PAGE], "page {page} was lost");
    }
    drop(grown);
    let mut left_behind: Vec<_> = (0..12).map(|step| memory(&slab, PAGE << step)).collect();
    assert!(left_behind.iter_mut().all(|memory| is_zero(&**memory)));
    assert_eq!(slab.usage().live, 12);
}

#[test]
fn a_memory_grows_in_place_to_the_end_of_its_slot() {
    let slab = Memories::new(Limits::default());
    let mut grown = memory(&slab, 17 * PAGE);
    let base = grown.as_ptr();
    assert_eq!(grown.byte_capacity(), 20 * PAGE);
    grown.grow_to(20 * PAGE).unwrap();
    assert_eq!((grown.as_ptr(), grown.byte_size()), (base, 20 * PAGE));
}

#[test]
fn a_used_up_address_limit_is_an_error_and_recovers() {
    let slab = Memories::new(Limits { reserved_bytes_max: 256 * PAGE, ..Limits::default() });
    let all: Vec<_> = (0..256).map(|_| memory(&slab, PAGE)).collect();
    let refused = slab.new_memory(MemoryType::new(1, None), PAGE, None, Some(0), 0);
    assert!(refused.err().unwrap().contains("raise the address space limit"));
    drop(all);
    let mut again = memory(&slab, PAGE);
    fill(&mut *again, 3);
    assert!(again.grow_to(2 * PAGE).is_err());
    assert_eq!((again.byte_size(), slot(&*again)[PAGE - 1]), (PAGE, 3));
}

#[test]
fn what_dense_memories_cannot_promise_is_refused() {
    let slab = Memories::new(Limits::default());
    let ask = |bytes, reserved, guard| {
        slab.new_memory(MemoryType::new(1, None), bytes, None, reserved, guard).err().unwrap()
    };
    assert!(ask(PAGE, Some(1 << 32), 0).contains("memory_reservation"));
    assert!(ask(PAGE, Some(0), 4096).contains("memory_guard_size"));
    assert!(ask((1 << 32) + 1, Some(0), 0).contains("lower the memory's size"));
    assert_eq!(slab.usage().live, 0);
}

#[test]
fn the_largest_memory_is_handed_out() {
    let slab = Memories::new(Limits::default());
    let largest = memory(&slab, 1 << 32);
    // SAFETY: the last byte of the memory.
    unsafe { largest.as_ptr().add((1 << 32) - 1).write(1) };
    assert_eq!(largest.byte_capacity(), 1 << 32);
}

#[cfg(unix)]
#[test]
fn a_stack_is_aligned_above_its_guard_and_zeroed_on_request() {
    for limits in [Limits::default(), NO_WARM] {
        let slab = Stacks::new(limits);
        for _ in 0..3 {
            let stack = slab.new_stack(100_000, true).unwrap();
            let (range, guard) = (stack.range(), stack.guard_range());
            assert_eq!((guard.end as usize, stack.top() as usize), (range.start, range.end));
            assert!(range.len() >= 100_000 && range.start % 4096 == 0 && !guard.is_empty());
            // SAFETY: the stack is ours and used by no fiber.
            let bytes =
                unsafe { std::slice::from_raw_parts_mut(range.start as *mut u8, range.len()) };
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(0xAA);
        }
        assert_eq!(slab.usage().live, 0);
        assert!(slab.usage().warm_bytes <= limits.warm_bytes_max);
    }
}

#[cfg(unix)]
#[test]
fn stacks_beyond_the_limit_are_an_error() {
    let limits = Limits { reserved_bytes_max: 1 << 20, ..Limits::default() };
    let slab = Stacks::new(limits);
    let all: Vec<_> = std::iter::from_fn(|| slab.new_stack(60 * 1024, false).ok()).collect();
    assert_eq!(all.len(), 16);
    assert!(slab.new_stack(usize::MAX, false).is_err());
}

#[cfg(unix)]
#[test]
fn as_many_stacks_can_be_made_as_were_promised() {
    const BYTES: usize = 60 * 1024;
    let slab = Stacks::new(Limits { reserved_bytes_max: 64 << 20, ..Limits::default() });
    let promises: Vec<_> = std::iter::from_fn(|| slab.promise(BYTES).ok()).collect();
    assert!(promises.len() > 500, "{}", promises.len());
    assert!(slab.promise(BYTES).err().unwrap().contains("end some processes"));
    let make = |promise| {
        drop(promise);
        slab.new_stack(BYTES, false).unwrap()
    };
    let stacks: Vec<_> = promises.into_iter().map(make).collect();
    assert!(slab.promise(BYTES).is_err(), "all that were promised are in use");
    drop(stacks);
    drop(slab.promise(BYTES).unwrap());
    // A promise that nobody made use of is no more.
    let again: Vec<_> = std::iter::from_fn(|| slab.promise(BYTES).ok()).collect();
    assert!(again.len() > 500, "{}", again.len());
}

/// One test for all counts: others would disturb them if they ran beside it, so it compares with
/// what thousands of mappings for thousands of processes would be.
#[cfg(target_os = "linux")]
#[test]
fn mappings_do_not_grow_with_memories_and_stacks() {
    let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let (memories, stacks) = (Memories::new(Limits::default()), Stacks::new(Limits::default()));
    let before = mappings();
    let mut live = Vec::new();
    for _ in 0..20_000 {
        let memory = memory(&memories, 17 * PAGE);
        // SAFETY: inside the memory.
        unsafe { memory.as_ptr().add(PAGE).write(1) };
        let stack = stacks.new_stack(60 * 1024, false).unwrap();
        // SAFETY: the top of a stack that no fiber uses.
        unsafe { stack.top().sub(8).write(1) };
        live.push((memory, stack));
    }
    let during = mappings();
    assert_eq!((memories.usage().live, stacks.usage().live), (20_000, 20_000));
    if super::linux::guards_without_mappings() {
        assert!(during < before + 150, "{before} mappings became {during}");
    }
    drop(live);
    // Each is relocated twice, which costs mappings only as long as it lives.
    let mut moved: Vec<_> = (0..100).map(|_| memory(&memories, 20 * PAGE)).collect();
    for memory in &mut moved {
        fill(&mut **memory, 1);
        memory.grow_to(60 * PAGE).unwrap();
        memory.grow_to(200 * PAGE).unwrap();
    }
    let during = mappings();
    assert!(during < before + 600, "{before} mappings became {during}");
    drop(moved);
    let after = mappings();
    assert!(after < before + 150, "{before} mappings became {after}");
}

fn engine(memories: &Memories, stacks: &Stacks) -> Engine {
    let mut config = Config::new();
    config
        .memory_reservation(0)
        .memory_guard_size(0)
        .memory_may_move(true)
        .memory_init_cow(false)
        .with_host_memory(std::sync::Arc::new(memories.clone()));
    if Stacks::SUPPORTED {
        config.max_wasm_stack(48 * 1024).async_stack_size(120 * 1024);
        config.with_host_stack(std::sync::Arc::new(stacks.clone()));
    }
    Engine::new(&config).unwrap()
}

/// Runs a future that is always ready when it is polled again.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

#[test]
fn a_guest_grows_its_memory_and_survives_its_own_stack_overflow() {
    let (memories, stacks) = (Memories::new(Limits::default()), Stacks::new(Limits::default()));
    let engine = engine(&memories, &stacks);
    let module = Module::new(
        &engine,
        r#"(module (memory 1 100) (data (i32.const 8) "kept")
            (func $deep (export "deep") (param i64) (result i64)
                (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
            (func (export "grow") (param i32) (result i32)
                (drop (memory.grow (local.get 0)))
                (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))
                    (i32.const 77))
                (i32.load (i32.const 8)))
            (func (export "out") (result i32)
                (i32.load (i32.mul (memory.size) (i32.const 65536)))))"#,
    )
    .unwrap();
    for _ in 0..3 {
        let mut store = Store::new(&engine, ());
        let instance = finish(Instance::new_async(&mut store, &module, &[])).unwrap();
        let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
        for pages in [1, 2, 60, 1000] {
            let kept = finish(grow.call_async(&mut store, pages)).unwrap();
            assert_eq!(kept.to_le_bytes(), *b"kept");
        }
        let deep = instance.get_typed_func::<i64, i64>(&mut store, "deep").unwrap();
        let trap = finish(deep.call_async(&mut store, 0)).unwrap_err();
        assert_eq!(trap.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
        let out = instance.get_typed_func::<(), i32>(&mut store, "out").unwrap();
        let trap = finish(out.call_async(&mut store, ())).unwrap_err();
        assert_eq!(trap.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
        assert_eq!(memories.usage().live, 1);
    }
    assert_eq!((memories.usage().live, stacks.usage().live), (0, 0));
}
