//! What stands in for a stream or a source of random numbers that a process has no right to.
//!
//! Streams refuse with `Notcapable`. Random numbers are fixed ones, since standard libraries cannot
//! bear an error there.

use std::sync::Arc;

use lunatic_model::Rights;
use lunatic_wasi::provider::{Input, Output, Random, Ready, Reply, StreamKind};
use lunatic_wasi::{Errno, WasiConfig};

/// A stream that is not granted.
struct Refused;

impl Input for Refused {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, _length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async { Err(Errno::Notcapable) })
    }

    fn ready(&self) -> Reply<'_, Ready> {
        Box::pin(async { Err(Errno::Notcapable) })
    }
}

impl Output for Refused {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, _data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async { Err(Errno::Notcapable) })
    }
}

/// The same numbers at every call.
struct Fixed;

impl Random for Fixed {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut state = 0u64;
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64: no long runs, so that loops which wait for another number end.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut number = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(number ^ (number >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Takes out of a process's view of the world what it has no right to.
pub(crate) fn confine(wasi: &mut WasiConfig, rights: Rights) {
    if !rights.contains(Rights::STDIN) {
        wasi.set_stdin(Arc::new(Refused));
    }
    if !rights.contains(Rights::STDOUT) {
        wasi.set_stdout(Arc::new(Refused));
    }
    if !rights.contains(Rights::STDERR) {
        wasi.set_stderr(Arc::new(Refused));
    }
    if !rights.contains(Rights::RANDOM) {
        wasi.set_random(Arc::new(Fixed));
    }
    if !rights.contains(Rights::CLOCKS) {
        wasi.hide_time();
    }
}
