//! The Wasmtime engines of a runtime, one for each kind that is used, and their settings.
//!
//! A module's compiled code belongs to one kind. Which kind a process gets is decided when it is
//! spawned: metering is paid for only by processes with a limit of instructions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails};

use crate::slab::{self, Memories, Stacks};

/// Bytes of stack for wasm code, as in every Wasmtime by default: recursion of existing programs
/// must not end earlier here.
pub(crate) const WASM_STACK_BYTES: usize = 512 << 10;
/// Bytes of stack for host functions below the wasm code that calls them.
const HOST_STACK_BYTES: usize = 128 << 10;
/// Bytes of the stack of a process.
pub(crate) const STACK_BYTES: usize = WASM_STACK_BYTES + HOST_STACK_BYTES;

/// How linear memories are laid out, which decides what code checks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Tier {
    /// Memories side by side in few mappings: as many processes as memory allows. Compiled code
    /// checks bounds itself.
    #[default]
    Dense,
    /// Four gigabytes of address space and guard pages for each memory: faster code, a few thousand
    /// processes.
    Guarded,
}

/// What compiled code depends on, beside the module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Kind {
    /// The layout of memories.
    pub tier: Tier,
    /// Whether instructions are counted.
    pub metered: bool,
}

impl Kind {
    const COUNT: usize = 4;

    pub(crate) fn index(self) -> usize {
        usize::from(self.metered) * 2 + usize::from(self.tier == Tier::Guarded)
    }
}

pub(crate) struct Engines {
    engines: [OnceLock<Engine>; Kind::COUNT],
    /// Beats so far: an engine made later starts with the same epoch as the others.
    beats: AtomicU64,
    memories: Arc<Memories>,
    stacks: Arc<Stacks>,
}

impl Engines {
    /// Makes the dense engine at once, so that a machine on which none works is told at the start.
    pub(crate) fn new(
        memories: Arc<Memories>,
        stacks: Arc<Stacks>,
    ) -> Result<Engines, wasmtime::Error> {
        let engines =
            Engines { engines: Default::default(), beats: AtomicU64::new(0), memories, stacks };
        engines.get(Kind::default())?;
        slab::allow_lazy();
        Ok(engines)
    }

    pub(crate) fn get(&self, kind: Kind) -> Result<&Engine, wasmtime::Error> {
        let place = &self.engines[kind.index()];
        if let Some(engine) = place.get() {
            return Ok(engine);
        }
        let engine = Engine::new(&self.config(kind))?;
        Ok(place.get_or_init(|| engine))
    }

    /// Makes all running wasm code yield at its next check.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
        for engine in self.engines.iter().filter_map(OnceLock::get) {
            engine.increment_epoch();
        }
    }

    fn config(&self, kind: Kind) -> Config {
        let mut config = Config::new();
        config
            .cranelift_opt_level(OptLevel::Speed)
            .epoch_interruption(true)
            .consume_fuel(kind.metered)
            .max_wasm_stack(WASM_STACK_BYTES)
            .async_stack_size(STACK_BYTES)
            // Reading debug information takes tens of milliseconds, before anybody hears of the
            // trap; names of functions come without it.
            .wasm_backtrace_details(WasmBacktraceDetails::Disable)
            .wasm_backtrace_max_frames(std::num::NonZero::new(64))
            .wasm_multi_memory(true)
            .wasm_memory64(false);
        if Stacks::SUPPORTED {
            config.with_host_stack(self.stacks.clone());
        }
        match kind.tier {
            Tier::Dense => {
                config
                    .with_host_memory(self.memories.clone())
                    .memory_reservation(0)
                    .memory_reservation_for_growth(0)
                    .memory_guard_size(0)
                    .memory_may_move(true)
                    .memory_init_cow(false);
            }
            Tier::Guarded => {}
        }
        config
    }
}
