//! What the memory of a module's instances holds at first.

use std::ops::Range;

use wasmparser::{Parser, Payload};

use super::prepare;
use crate::slab::First;

/// Runs begin and end at multiples of so many bytes, so that pages of the system are whole.
const GRAIN_BYTES: usize = 4096;

/// The bytes of the active segments; all others are zero.
#[derive(Default)]
pub(crate) struct Image {
    /// In ascending order, without gaps smaller than a grain.
    runs: Vec<Run>,
}

struct Run {
    at: usize,
    data: Vec<u8>,
}

impl Run {
    fn range(&self) -> Range<usize> {
        self.at..self.at + self.data.len()
    }
}

impl Image {
    /// That of a module which was rewritten: all its active segments are plain.
    pub(crate) fn of(wasm: &[u8]) -> Image {
        let mut segments = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            if let Ok(Payload::DataSection(section)) = payload {
                // What cannot be read is no valid module, and has not come here.
                segments.extend(section.into_iter().flatten().filter_map(|data| {
                    prepare::active(&data).map(|segment| (segment.offset, segment.data))
                }));
                break;
            }
        }
        Image::new(&segments)
    }

    fn new(segments: &[(usize, &[u8])]) -> Image {
        let grains = |(at, data): &(usize, &[u8])| {
            at / GRAIN_BYTES * GRAIN_BYTES..(at + data.len()).next_multiple_of(GRAIN_BYTES)
        };
        let mut ranges: Vec<_> =
            segments.iter().filter(|(_, data)| !data.is_empty()).map(grains).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut runs: Vec<Run> = Vec::new();
        for range in ranges {
            match runs.last_mut() {
                Some(last) if range.start <= last.range().end => {
                    let length = range.end.max(last.range().end) - last.at;
                    last.data.resize(length, 0);
                }
                _ => runs.push(Run { at: range.start, data: vec![0; range.len()] }),
            }
        }
        // In the order of the module: a later segment writes over an earlier one.
        for (at, data) in segments.iter().filter(|(_, data)| !data.is_empty()) {
            let run = runs.partition_point(|run| run.at <= *at) - 1;
            let Run { at: start, data: bytes } = &mut runs[run];
            bytes[at - *start..][..data.len()].copy_from_slice(data);
        }
        Image { runs }
    }

    /// What of it lies in a part of the memory: where in that part, and the bytes.
    fn inside(&self, at: usize, length: usize) -> impl Iterator<Item = (Range<usize>, &[u8])> {
        let first = self.runs.partition_point(|run| run.range().end <= at);
        let runs = self.runs[first..].iter().take_while(move |run| run.at < at + length);
        runs.map(move |run| {
            let (from, to) = (run.at.max(at), run.range().end.min(at + length));
            (from - at..to - at, &run.data[from - run.at..to - run.at])
        })
    }
}

impl First for Image {
    fn fill(&self, at: usize, part: &mut [u8]) {
        for (place, data) in self.inside(at, part.len()) {
            part[place].copy_from_slice(data);
        }
    }

    fn write(&self, at: usize, part: &mut [u8]) {
        let mut done = 0;
        for (place, data) in self.inside(at, part.len()) {
            part[done..place.start].fill(0);
            done = place.end;
            part[place].copy_from_slice(data);
        }
        part[done..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEMORY_BYTES: usize = 64 << 10;

    fn segments() -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
        let segment = (0..MEMORY_BYTES - 9_000, prop::collection::vec(any::<u8>(), 0..9_000));
        prop::collection::vec(segment, 0..8)
    }

    proptest! {
        #[test]
        fn an_image_is_what_the_segments_write_one_after_the_other(segments in segments()) {
            let mut expected = vec![0; MEMORY_BYTES];
            for (at, data) in &segments {
                expected[*at..at + data.len()].copy_from_slice(data);
            }
            let segments: Vec<_> = segments.iter().map(|(at, data)| (*at, &data[..])).collect();
            let mut memory = vec![0; MEMORY_BYTES];
            Image::new(&segments).fill(0, &mut memory);
            prop_assert!(memory == expected);
        }

        #[test]
        fn any_part_is_restored_to_what_it_was(
            segments in segments(), at in 0..MEMORY_BYTES, length in 0..MEMORY_BYTES,
        ) {
            let segments: Vec<_> = segments.iter().map(|(at, data)| (*at, &data[..])).collect();
            let image = Image::new(&segments);
            let mut first = vec![0; MEMORY_BYTES];
            image.fill(0, &mut first);
            let mut changed = first.clone();
            let end = (at + length).min(MEMORY_BYTES);
            changed[at..end].fill(0xA5);
            image.write(at, &mut changed[at..end]);
            prop_assert!(changed == first);
        }
    }
}
