//! Guest memory: every bounds check, every integer and every scattered buffer goes through here.
//!
//! Addresses are `u64` so that adding an offset to a guest pointer can't wrap. Integers are
//! little-endian and may be unaligned. Address 0 is an ordinary address. An empty range is legal
//! anywhere up to and including the end of the memory.

use std::ops::Range;

use crate::errno::Errno;
use crate::guest::{Fault, Stop};
use crate::limits::{IO_BYTES_MAX, IOVECS_MAX, PATH_BYTES_MAX};

/// Guest memory from this address on has all its pages; below, some may come only when they are
/// touched by an instruction.
pub const LAZY_BYTES_MAX: usize = 8 << 20;

/// So far apart are bytes of which one must be touched.
const PAGE_BYTES: usize = 4096;

/// The checked range of `length` bytes at `address`.
pub(crate) fn range(memory: &[u8], address: u64, length: u64) -> Result<Range<usize>, Fault> {
    let size = memory.len() as u64;
    match address.checked_add(length) {
        // Both ends are at most `memory.len()`, so they fit a usize.
        Some(end) if end <= size => Ok(address as usize..end as usize),
        _ => Err(Fault::OutOfBounds { address, length, memory: size }),
    }
}

/// Fails as a later write of `length` bytes would, so that a call can refuse before its effect.
pub(crate) fn check(memory: &[u8], address: u32, length: u32) -> Result<(), Fault> {
    range(memory, u64::from(address), u64::from(length)).map(drop)
}

pub(crate) fn bytes(memory: &[u8], address: u64, length: u64) -> Result<&[u8], Fault> {
    let range = range(memory, address, length)?;
    touch(memory, &range);
    Ok(&memory[range])
}

/// Brings the pages of a range of guest memory: the system cannot, when it reads or writes there.
/// What lies beyond [`LAZY_BYTES_MAX`] is left alone: a guest may name gigabytes.
pub fn touch(memory: &[u8], range: &Range<usize>) {
    let part = memory.get(range.start..range.end.min(LAZY_BYTES_MAX)).unwrap_or_default();
    let ends = part.iter().step_by(PAGE_BYTES).chain(part.last());
    ends.for_each(|byte| {
        std::hint::black_box(*byte);
    });
}

pub(crate) fn bytes_mut(memory: &mut [u8], address: u64, length: u64) -> Result<&mut [u8], Fault> {
    let range = range(memory, address, length)?;
    touch(memory, &range);
    Ok(&mut memory[range])
}

pub(crate) fn write(memory: &mut [u8], address: u64, data: &[u8]) -> Result<(), Fault> {
    bytes_mut(memory, address, data.len() as u64)?.copy_from_slice(data);
    Ok(())
}

pub(crate) fn write_u32(memory: &mut [u8], address: u32, value: u32) -> Result<(), Fault> {
    write(memory, u64::from(address), &value.to_le_bytes())
}

pub(crate) fn write_u64(memory: &mut [u8], address: u32, value: u64) -> Result<(), Fault> {
    write(memory, u64::from(address), &value.to_le_bytes())
}

fn array<const N: usize>(memory: &[u8], address: u64) -> Result<[u8; N], Fault> {
    let mut out = [0; N];
    out.copy_from_slice(bytes(memory, address, N as u64)?);
    Ok(out)
}

pub(crate) fn read_u8(memory: &[u8], address: u64) -> Result<u8, Fault> {
    array(memory, address).map(u8::from_le_bytes)
}

pub(crate) fn read_u16(memory: &[u8], address: u64) -> Result<u16, Fault> {
    array(memory, address).map(u16::from_le_bytes)
}

pub(crate) fn read_u32(memory: &[u8], address: u64) -> Result<u32, Fault> {
    array(memory, address).map(u32::from_le_bytes)
}

pub(crate) fn read_u64(memory: &[u8], address: u64) -> Result<u64, Fault> {
    array(memory, address).map(u64::from_le_bytes)
}

/// A path or link text: bounded, UTF-8, not empty, without NUL.
pub(crate) fn path(memory: &[u8], address: u32, length: u32) -> Result<String, Stop> {
    let raw = bytes(memory, u64::from(address), u64::from(length))?;
    if raw.len() > PATH_BYTES_MAX {
        return Err(Errno::Nametoolong.into());
    }
    let text = std::str::from_utf8(raw).map_err(|_| Errno::Ilseq)?;
    if text.is_empty() {
        return Err(Errno::Noent.into());
    }
    if text.contains('\0') {
        return Err(Errno::Inval.into());
    }
    Ok(text.to_owned())
}

/// A decoded iovec array: in-bounds, non-empty pieces whose sum is at most [`IO_BYTES_MAX`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Buffers {
    parts: Vec<Range<usize>>,
    length: usize,
}

impl Buffers {
    /// Decodes `count` pairs of pointer and length. The array itself and each piece that is
    /// looked at must lie in memory, even where the limits make the call shorter than that.
    pub(crate) fn decode(memory: &[u8], array: u32, count: u32) -> Result<Buffers, Fault> {
        let array = u64::from(array);
        range(memory, array, u64::from(count) * 8)?;
        let mut buffers = Buffers::default();
        for index in 0..u64::from(count).min(IOVECS_MAX as u64) {
            let pointer = read_u32(memory, array + index * 8)?;
            let length = read_u32(memory, array + index * 8 + 4)?;
            let part = range(memory, u64::from(pointer), u64::from(length))?;
            let wanted = part.len().min(IO_BYTES_MAX - buffers.length);
            if wanted > 0 {
                buffers.parts.push(part.start..part.start + wanted);
                buffers.length += wanted;
            }
        }
        Ok(buffers)
    }

    /// Bytes in all pieces.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Copies the pieces out of memory, in order.
    pub(crate) fn gather(&self, memory: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length);
        for part in &self.parts {
            // A linear memory never shrinks; were it to, less is written.
            out.extend_from_slice(memory.get(part.clone()).unwrap_or_default());
        }
        out
    }

    /// Copies `data` into the pieces, in order; returns how much found room.
    pub(crate) fn scatter(&self, memory: &mut [u8], data: &[u8]) -> Result<usize, Fault> {
        let mut rest = data;
        for part in &self.parts {
            let (now, later) = rest.split_at(part.len().min(rest.len()));
            write(memory, part.start as u64, now)?;
            rest = later;
        }
        Ok(data.len() - rest.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_iovecs(size: usize, iovecs: &[(u32, u32)]) -> Vec<u8> {
        let mut memory: Vec<u8> = (0..size).map(|i| i as u8).collect();
        for (index, (pointer, length)) in iovecs.iter().enumerate() {
            memory[index * 8..index * 8 + 4].copy_from_slice(&pointer.to_le_bytes());
            memory[index * 8 + 4..index * 8 + 8].copy_from_slice(&length.to_le_bytes());
        }
        memory
    }

    #[test]
    fn ranges_may_touch_the_end_but_not_pass_it() {
        let memory = [0; 16];
        assert_eq!(range(&memory, 16, 0), Ok(16..16));
        assert_eq!(range(&memory, 8, 8), Ok(8..16));
        assert!(range(&memory, 17, 0).is_err());
        assert!(range(&memory, 8, 9).is_err());
        assert!(range(&memory, u64::MAX, 2).is_err());
    }

    #[test]
    fn an_iovec_array_that_wraps_32_bits_is_out_of_bounds() {
        assert!(Buffers::decode(&[0; 64], 8, u32::MAX).is_err());
    }

    #[test]
    fn a_piece_beyond_the_byte_limit_is_still_checked() {
        let whole = IO_BYTES_MAX as u32;
        let memory = with_iovecs(IO_BYTES_MAX + 64, &[(64, whole), (u32::MAX, 1)]);
        assert!(Buffers::decode(&memory, 0, 2).is_err());
    }

    #[test]
    fn paths_are_bounded_text_without_nul() {
        let errno = |raw: &[u8]| match path(raw, 0, raw.len() as u32) {
            Err(Stop::Errno(errno)) => Some(errno),
            _ => None,
        };
        assert_eq!(errno(b"a/b"), None);
        assert_eq!(errno(b""), Some(Errno::Noent));
        assert_eq!(errno(b"a\0b"), Some(Errno::Inval));
        assert_eq!(errno(&[0xff]), Some(Errno::Ilseq));
        assert_eq!(errno(&[b'a'; PATH_BYTES_MAX + 1]), Some(Errno::Nametoolong));
    }

    proptest! {
        #[test]
        fn decoding_equals_a_naive_model(
            iovecs in prop::collection::vec((0u32..700, 0u32..300), 0..20),
        ) {
            let memory = with_iovecs(512, &iovecs);
            let fits = iovecs.iter().all(|(p, l)| p + l <= 512);
            match Buffers::decode(&memory, 0, iovecs.len() as u32) {
                Err(_) => prop_assert!(!fits),
                Ok(buffers) => {
                    prop_assert!(fits);
                    let mut naive = Vec::new();
                    for (p, l) in &iovecs {
                        naive.extend_from_slice(&memory[*p as usize..(p + l) as usize]);
                    }
                    prop_assert_eq!(buffers.len(), naive.len());
                    prop_assert_eq!(buffers.gather(&memory), naive);
                }
            }
        }

        #[test]
        fn scatter_then_gather_of_disjoint_pieces_returns_the_data(
            lengths in prop::collection::vec(0u32..40, 0..12),
            data in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let mut next = 128;
            let iovecs: Vec<_> = lengths.iter().map(|length| {
                let start = next;
                next += length;
                (start, *length)
            }).collect();
            let mut memory = with_iovecs(1024, &iovecs);
            let buffers = Buffers::decode(&memory, 0, iovecs.len() as u32).unwrap();
            let count = buffers.scatter(&mut memory, &data).unwrap();
            prop_assert_eq!(count, data.len().min(buffers.len()));
            prop_assert_eq!(&buffers.gather(&memory)[..count], &data[..count]);
        }

        #[test]
        fn hostile_iovecs_never_panic_and_never_exceed_the_limits(
            memory in prop::collection::vec(any::<u8>(), 0..256),
            array in any::<u32>(),
            count in any::<u32>(),
        ) {
            if let Ok(buffers) = Buffers::decode(&memory, array, count) {
                prop_assert!(buffers.len() <= IO_BYTES_MAX);
                prop_assert!(buffers.parts.len() <= IOVECS_MAX);
            }
        }
    }
}
