//! What an instance may allocate: linear memory and tables, by the limits of its process.

use wasmtime::{ResourceLimiter, Result};

use crate::state::State;

/// At most so many memories and tables: each costs the host something even when it is empty.
const MEMORIES_MAX: usize = 16;
const TABLES_MAX: usize = 64;

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let growth = (desired - current) as u64;
        let total = self.memory_bytes.saturating_add(growth);
        let allowed = total <= self.process.limits().memory_bytes_max;
        if allowed {
            self.memory_bytes = total;
            self.memory_growth = growth;
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> Result<()> {
        tracing::warn!(pid = %self.process.pid(), "no memory for a process: {error}");
        self.memory_bytes -= std::mem::take(&mut self.memory_growth);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let growth = (desired - current) as u64;
        let total = self.table_elements.saturating_add(growth);
        let allowed = total <= self.process.limits().table_elements_max;
        if allowed {
            self.table_elements = total;
            self.table_growth = growth;
        }
        Ok(allowed)
    }

    /// The table's own maximum is checked after the limit.
    fn table_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.table_elements -= std::mem::take(&mut self.table_growth);
        Ok(())
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
