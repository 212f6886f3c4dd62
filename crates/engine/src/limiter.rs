//! What an instance may allocate: linear memory and tables, by the limits of its process.

use std::ops::Range;

use lunatic_model::{ExitReason, MemoryPolicy};
use wasmtime::{ResourceLimiter, Result};

use crate::exit::HostExit;
use crate::state::State;

/// At most so many memories and tables: each costs the host something even when it is empty.
const MEMORIES_MAX: usize = 16;
const TABLES_MAX: usize = 64;
/// What an element of a table counts for in memory.
const ELEMENT_BYTES: u64 = 8;

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let max = self.process.limits().memory_bytes_max.min(self.own_memory_bytes_max);
        let change = desired.saturating_sub(current) as u64;
        if self.memory_bytes.saturating_add(change) > max {
            match self.memory_policy {
                MemoryPolicy::Refuse => {}
                MemoryPolicy::End => return Err(HostExit::limit("memory_bytes_max")),
                MemoryPolicy::Kill => return Err(HostExit::error(ExitReason::Killed)),
            }
        }
        let before = self.memory_bytes;
        let mut grows = grows(&mut self.memory_bytes, current..desired, maximum, max);
        if grows && !self.may_hold(self.memory_bytes - before)? {
            (self.memory_bytes, grows) = (before, false);
        }
        self.process.set_memory_bytes(self.memory_bytes);
        Ok(grows)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let max = self.process.limits().table_elements_max;
        let before = self.table_elements;
        let mut grows = grows(&mut self.table_elements, current..desired, maximum, max);
        let bytes = (self.table_elements - before).saturating_mul(ELEMENT_BYTES);
        if grows && !self.may_hold(bytes)? {
            (self.table_elements, grows) = (before, false);
        }
        Ok(grows)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }
}

impl State {
    /// Whether the budgets have so much memory, which counts from now on. Where they say so, the
    /// process ends instead.
    fn may_hold(&mut self, bytes: u64) -> Result<bool> {
        match self.hold(bytes) {
            Ok(()) => Ok(true),
            Err(over) if over.ends => Err(HostExit::limit(over.limit)),
            Err(_) => Ok(false),
        }
    }
}

/// Adds a growth to what all memories (or tables) of a process have, if it may grow.
///
/// Nobody tells whether an allowed growth succeeded, and failures are told also for growth that was
/// never asked here, so what is counted once stays counted. Hence the declared maximum is checked
/// here, too: only growth for which the machine has no memory is counted for nothing.
fn grows(total: &mut u64, change: Range<usize>, maximum: Option<usize>, max: u64) -> bool {
    let new = total.saturating_add(change.len() as u64);
    let allowed = new <= max && maximum.is_none_or(|maximum| change.end <= maximum);
    if allowed {
        *total = new;
    }
    allowed
}
