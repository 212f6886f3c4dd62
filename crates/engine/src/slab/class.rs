//! Size classes of linear memories: pure arithmetic over wasm pages.
//!
//! Classes hold 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, … wasm pages: four steps to each
//! doubling, so a slot wastes at most a quarter of its memory's size in addresses (never in
//! memory, untouched pages cost nothing). What must stay true: classes grow strictly, the last
//! one holds a whole 32-bit memory.

/// Bytes of one WebAssembly page.
pub const WASM_PAGE_BYTES: usize = 64 * 1024;

/// Wasm pages of the largest class: all that a 32-bit memory can address.
pub const PAGES_MAX: usize = 65_536;

/// Number of classes: 8 of one page steps, then 4 for each of the 13 doublings up to the largest.
pub const COUNT: usize = 8 + 4 * 13;

/// Index of the smallest class that holds `bytes`; an empty memory gets the smallest class.
/// `None` when not even the largest one does.
pub fn of_bytes(bytes: usize) -> Option<usize> {
    let pages = bytes.div_ceil(WASM_PAGE_BYTES).max(1);
    if pages <= 8 {
        return Some(pages - 1);
    }
    if pages > PAGES_MAX {
        return None;
    }
    // 9..=16 lie in doubling 3, 17..=32 in doubling 4, …: a class's upper end belongs to it.
    let doubling = (pages - 1).ilog2();
    let step = 1 << (doubling - 2);
    let steps = (pages - (1 << doubling)).div_ceil(step);
    Some(8 + 4 * (doubling as usize - 3) + steps - 1)
}

/// Wasm pages that a slot of class `index` holds. `index` is below [`COUNT`].
pub fn pages(index: usize) -> usize {
    debug_assert!(index < COUNT, "there is no memory class {index}");
    if index < 8 {
        return index + 1;
    }
    let (doubling, steps) = ((index - 8) / 4 + 3, (index - 8) % 4 + 1);
    (1 << doubling) + steps * (1 << (doubling - 2))
}

/// Bytes that a slot of class `index` holds.
pub fn bytes(index: usize) -> usize {
    pages(index) * WASM_PAGE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_have_four_steps_to_a_doubling_and_end_at_a_whole_memory() {
        let first: Vec<usize> = (0..18).map(pages).collect();
        assert_eq!(first, [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48]);
        assert_eq!(pages(COUNT - 1), PAGES_MAX);
        assert!((1..COUNT).all(|i| pages(i) > pages(i - 1)));
    }

    #[test]
    fn more_than_a_whole_memory_has_no_class() {
        assert_eq!(of_bytes(0), Some(0));
        assert_eq!(of_bytes(PAGES_MAX * WASM_PAGE_BYTES), Some(COUNT - 1));
        assert_eq!(of_bytes(PAGES_MAX * WASM_PAGE_BYTES + 1), None);
        assert_eq!(of_bytes(usize::MAX), None);
    }

    proptest! {
        #[test]
        fn the_class_of_a_size_is_the_smallest_that_holds_it(
            size in 1usize..=PAGES_MAX * WASM_PAGE_BYTES,
        ) {
            let index = of_bytes(size).unwrap();
            prop_assert!(bytes(index) >= size);
            prop_assert!(index == 0 || bytes(index - 1) < size);
        }

        #[test]
        fn a_slot_wastes_at_most_a_quarter_of_its_memory(count in 1usize..=PAGES_MAX) {
            let slot = pages(of_bytes(count * WASM_PAGE_BYTES).unwrap());
            prop_assert!((slot - count) * 4 <= count);
        }
    }
}
