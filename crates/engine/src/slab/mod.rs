//! Where the linear memories and fiber stacks of processes live.
//!
//! The system allows a program only some 65,000 mappings and 47 bits of addresses, so a mapping
//! for each process ends near 12,000 of them. Here all linear memories and all stacks live in a
//! few large arenas, each cut into equal slots:
//!
//! * [`Memories`] gives Wasmtime its linear memories: slots in size classes (`class`), dense
//!   neighbours, no guard, moved when they outgrow their slot.
//! * [`Stacks`] gives Wasmtime its fiber stacks: slots with one guard page at the bottom.
//!
//! A memory need not have its first contents from the start (`lazy`), where the system allows.
//!
//! Under them: `arena` hands out slots of one size and takes them back, `budget` counts and
//! limits, `wipe` makes used memory read as zero again, and one platform module (`linux`, `unix`,
//! `windows`, all with the same functions; `plain` has what only Linux can do, undone) talks to the
//! system.
//!
//! What must stay true:
//!
//! * A memory that is handed out reads as zero everywhere: nothing of one process is readable by
//!   the next. A slot that could not be wiped is never used again.
//! * The number of mappings grows with the logarithm of the number of processes. Two exceptions
//!   are bounded by name: `RELOCATED_SLOTS_MAX`, and guard pages on systems without
//!   `MADV_GUARD_INSTALL` (Linux before 6.13, macOS), which cost a mapping each.
//! * Memory kept ready for the next process is at most [`Limits::warm_bytes_max`].
//! * Running out of anything is an error for the caller, never an abort.
//!
//! Measured on two cores (Linux 6.18), as ratios: a slot of 17 wasm pages of which a process
//! touched 4 system pages costs 1 unit to reuse when its dirty pages are found (`PAGEMAP_SCAN`)
//! and zeroed by hand, 8–10 units when it is thrown away (`MADV_DONTNEED`) and faulted in again.
//! Moving 1 MiB of touched memory costs 1 unit by `mremap` and 12 by copying, 4 MiB 1 and 40.
#![allow(unsafe_code)] // The only place in this room that owns raw memory.

mod arena;
mod budget;
mod class;
#[cfg(target_os = "linux")]
mod fault;
mod lazy;
mod memory;
mod stack;
mod wipe;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
mod plain;
#[cfg(unix)]
mod unix;
#[cfg(all(unix, not(target_os = "linux")))]
use unix as platform;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

pub use budget::{Limits, Usage};
pub use class::WASM_PAGE_BYTES;
pub use lazy::{First, Pages, fill};
pub use memory::Memories;
pub use stack::{Promise, Stacks};
pub use wipe::restore;

/// Gives the heap's empty pages back to the system.
pub fn give_back_heap() {
    platform::give_back_heap();
}

/// Which ways are taken on this system, for people: what is done, and how.
pub fn paths() -> [(&'static str, &'static str); 4] {
    platform::paths()
}

/// Why a slot could not be handed out. Nothing has changed when one of these is returned.
#[derive(Debug, thiserror::Error)]
enum SlabError {
    #[error(
        "a linear memory of {bytes} bytes was asked for, but {max} bytes is the most a memory can \
         have here: lower the memory's size"
    )]
    TooLarge { bytes: usize, max: usize },
    #[error(
        "{what} need {bytes} more bytes of address space, but {reserved} of {max} bytes are \
         reserved already: end some processes or raise the address space limit"
    )]
    ReservedMax { what: &'static str, bytes: usize, reserved: usize, max: usize },
    #[error(
        "the system gave no address space for {what} ({bytes} bytes): end some processes, or \
         raise `ulimit -v`, vm.max_map_count or the memory limit of the container"
    )]
    Reserve { what: &'static str, bytes: usize, source: std::io::Error },
    #[error(
        "the guard page of a stack could not be set: on Linux before 6.13 each stack needs a \
         mapping of its own, raise vm.max_map_count or end some processes"
    )]
    Guard { source: std::io::Error },
    #[error(
        "a used stack could not be made zero again: the system refused to take its memory back; \
         try again, the next one comes from elsewhere"
    )]
    Wipe { source: std::io::Error },
    #[error(
        "this memory was asked for with guard pages or a fixed reservation, which dense memories \
         do not have: set memory_reservation and memory_guard_size to 0 in the engine's config"
    )]
    NotDense,
}

/// Whether [`restore`] can work on this system.
pub fn can_restore() -> bool {
    platform::lazy_works() || platform::tells_dirty_pages()
}

/// Lets memories be lazy where the system can do that. To be called when Wasmtime has its handlers
/// of signals in place, which an engine puts there.
pub fn allow_lazy() {
    #[cfg(target_os = "linux")]
    fault::install();
}

impl SlabError {
    /// The sentence with its cause, for callers that take text only.
    fn describe(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self} ({cause})"),
            None => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
