//! The heap on memory of a test: sequences of requests at random, against what must be so. All
//! places are ones that the heap has given out, and are given back once.

#![allow(clippy::undocumented_unsafe_blocks)]

use super::*;

/// Memory that grows as a test wants it.
struct Arena {
    memory: Vec<u128>,
    given: usize,
    /// Each so many-th growth leaves a gap that somebody else has taken; 0 for never.
    gap_every: usize,
    growths: usize,
}

impl Arena {
    fn new(bytes: usize, gap_every: usize) -> Arena {
        Arena { memory: vec![0; bytes / 16], given: 8, gap_every, growths: 0 }
    }
}

impl Source for Arena {
    fn grow(&mut self, bytes: usize) -> Option<Range<usize>> {
        self.growths += 1;
        if self.gap_every > 0 && self.growths.is_multiple_of(self.gap_every) {
            self.given += 40;
        }
        let granted = bytes.next_multiple_of(512);
        let begin = self.memory.as_mut_ptr().expose_provenance() + self.given;
        if self.given + granted > self.memory.len() * 16 {
            return None;
        }
        self.given += granted;
        Some(begin..begin + granted)
    }
}

/// What a test holds: where, how much, and the byte that it is filled with.
type Held = (*mut u8, usize, u8);

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn size(&mut self) -> usize {
        match self.below(10) {
            0 => 0,
            1..=6 => self.below(100),
            7 | 8 => self.below(1_000),
            _ => self.below(20_000),
        }
    }
}

fn fill(held: Held) {
    unsafe { held.0.write_bytes(held.2, held.1) };
}

fn is_whole(held: Held) -> bool {
    let bytes = unsafe { core::slice::from_raw_parts(held.0, held.1) };
    bytes.iter().all(|byte| *byte == held.2)
}

/// Walks over the bins: what is free must be what the chunks beside it say.
fn check(heap: &Heap<Arena>) {
    for (number, &first) in heap.bins.iter().enumerate() {
        assert_eq!(heap.filled >> number & 1 == 1, first != 0, "bit of bin {number}");
        let (mut chunk, mut before) = (first, 0);
        while chunk != 0 {
            assert_eq!(bin(size(chunk)), number);
            assert_eq!(read(chunk) & FLAGS, 0, "a free chunk behind a free one");
            let next = chunk + size(chunk);
            assert_ne!(next, heap.top, "a free chunk below the top");
            assert_eq!(read(next) & FLAGS, USED | BEFORE_IS_FREE);
            assert_eq!(read(next - WORD), size(chunk));
            assert_eq!(read(before_in_bin(chunk)), before);
            (before, chunk) = (chunk, read(next_in_bin(chunk)));
        }
    }
}

fn play(seed: u64, gap_every: usize, steps: usize) {
    println!("seed {seed}, a gap at every {gap_every}th growth");
    let mut random = Random(seed);
    let mut heap = Heap::new(Arena::new(1 << 20, gap_every));
    let mut held: Vec<Held> = Vec::new();
    for step in 0..steps {
        let byte = step as u8;
        let pick = |random: &mut Random, held: &mut Vec<Held>| {
            let at = random.below(held.len());
            held.swap_remove(at)
        };
        match random.below(if held.is_empty() { 4 } else { 10 }) {
            0 | 1 => {
                let bytes = random.size();
                held.push((heap.allocate(bytes), bytes, byte));
            }
            2 => {
                let bytes = random.size();
                let place = heap.allocate_zeroed(bytes);
                assert!(place.is_null() || is_whole((place, bytes, 0)), "it is all zero");
                held.push((place, bytes, byte));
            }
            3 => {
                let align = 1 << random.below(10);
                let bytes = random.size();
                let place = heap.allocate_aligned(bytes, align);
                assert_eq!(place.addr() % align, 0);
                held.push((place, bytes, byte));
            }
            4..=6 => {
                let (place, bytes, old) = pick(&mut random, &mut held);
                let wanted = random.size();
                let other = unsafe { heap.resize(place, wanted) };
                if other.is_null() {
                    held.push((place, bytes, old));
                } else {
                    assert!(is_whole((other, bytes.min(wanted), old)), "what was there stays");
                    held.push((other, wanted, byte));
                }
            }
            _ => {
                let old = pick(&mut random, &mut held);
                assert!(is_whole(old), "nobody else writes to it");
                unsafe { heap.free(old.0) };
            }
        }
        match held.last_mut() {
            Some((place, ..)) if place.is_null() => drop(held.pop()),
            Some(last) => {
                assert!(last.0.addr().is_multiple_of(UNIT));
                let room = Heap::<Arena>::room(last.0);
                assert!(room >= last.1);
                // All that there is room for may be written to.
                last.1 = room;
                fill(*last);
            }
            None => {}
        }
        check(&heap);
    }
    for old in held {
        assert!(is_whole(old));
        unsafe { heap.free(old.0) };
        check(&heap);
    }
    if gap_every == 0 {
        assert_eq!(heap.filled, 0, "all is one piece again");
    }
}

#[test]
fn what_is_held_stays_whole_and_what_is_freed_becomes_one_piece() {
    for seed in 1..=6 {
        play(seed, 0, 600);
    }
}

#[test]
fn memory_that_others_take_in_between_is_never_touched() {
    for seed in 1..=6 {
        play(seed, 3, 600);
        play(seed, 1, 600);
    }
}

#[test]
fn nothing_behind_the_top_is_written_to() {
    let mut heap = Heap::new(Arena::new(1 << 16, 0));
    let places: Vec<_> = (0..20).map(|n| heap.allocate(n * 10)).collect();
    for place in places.into_iter().rev() {
        unsafe { heap.free(place) };
    }
    let highest = 20 * 200 / 16;
    assert!(heap.source.memory[highest..].iter().all(|word| *word == 0));
    let top = heap.top;
    assert_eq!(heap.allocate(1).addr() - WORD, top);
    let first = heap.source.memory.as_ptr().addr() + UNIT + 8;
    assert!(top <= first, "the top has come down again");
}

#[test]
fn what_cannot_be_had_is_refused_and_changes_nothing() {
    let mut heap = Heap::new(Arena::new(1 << 12, 0));
    let place = heap.allocate(100);
    for bytes in [1 << 12, isize::MAX as usize, isize::MAX as usize + 1, usize::MAX] {
        assert!(heap.allocate(bytes).is_null());
        assert!(heap.allocate_zeroed(bytes).is_null());
        assert!(heap.allocate_aligned(bytes, 4096).is_null());
        assert!(unsafe { heap.resize(place, bytes) }.is_null());
    }
    assert!(heap.allocate_aligned(1, 1 << (usize::BITS - 1)).is_null());
    check(&heap);
    assert!(Heap::<Arena>::room(place) >= 100);
    assert!(!heap.allocate(1_000).is_null());
}

#[test]
fn the_last_place_grows_where_it_is() {
    let mut heap = Heap::new(Arena::new(1 << 16, 0));
    let place = heap.allocate(1);
    for bytes in [10, 100, 1_000, 10_000] {
        assert_eq!(unsafe { heap.resize(place, bytes) }, place);
    }
}

#[test]
fn larger_sizes_have_larger_bins() {
    let bins: Vec<_> = (1..1 << 16).map(|units| bin(units * UNIT)).collect();
    assert!(bins.is_sorted());
    assert!(bins.iter().all(|bin| *bin < BINS));
    assert_eq!(bin(usize::MAX & !FLAGS), BINS - 1);
}
