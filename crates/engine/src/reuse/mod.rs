//! Instances that are used again: a process that has returned leaves its store, instance, memory
//! and stack to the next one of the same module.
//!
//! Making an instance takes several times as long as putting one back to where it began. What a
//! program can change is known, since the module was rewritten for that before it was compiled
//! (`prepare`): the memory, whose pages that were touched get what they held at first (`image`),
//! and variables. What had more than that (a memory that has grown, a trap) is dropped.
//!
//! What must stay true:
//! * nothing of one process can be seen by the next: an instance of which that is not certain is
//!   never kept;
//! * what a process owns is dropped when it ends, not when its instance is used again
//!   ([`State::vacant`]);
//! * what waits here is bounded by [`INSTANCES_MAX`] and [`DIRTY_BYTES_MAX`], and goes when nobody
//!   has needed it for a while.

mod image;
mod prepare;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use wasmtime::{
    Extern, Func, Global, Instance, Memory, Module, ModuleExport, ResourceLimiter, Store, Val,
};

use crate::slab;
use crate::state::State;
use image::Image;
pub(crate) use prepare::prepare;

/// At most so many instances of a module wait for their next process, and of all modules together
/// eight times as many.
const INSTANCES_MAX: usize = 512;
const INSTANCES_OF_ALL_MAX: usize = 8 * INSTANCES_MAX;

/// A memory with more touched bytes than this is not put back: dropping it is no slower.
const DIRTY_BYTES_MAX: usize = 128 << 10;

/// What all instances of a module begin with, and those that wait for a process.
pub(crate) struct Reuse {
    pages: Arc<slab::Pages>,
    memory: ModuleExport,
    variables: Vec<ModuleExport>,
    /// Whether programs and host functions know the memory as `memory`.
    memory_is_known: bool,
    /// Whether an instance can be put back, or only its memory filled.
    can_restore: bool,
    /// The first values of the variables, once an instance has been made.
    first: OnceLock<Vec<Val>>,
    idle: Mutex<Idle>,
    /// Of all modules.
    waiting: Arc<AtomicUsize>,
}

/// Last in, first out: the one that was used last is warm.
#[derive(Default)]
struct Idle {
    ready: Vec<Ready>,
    /// So many at the bottom were not needed since the last sweep.
    unused: usize,
}

/// An instance that a process can run in.
pub(crate) struct Ready {
    pub(crate) store: Store<State>,
    pub(crate) instance: Instance,
    /// Until the process starts, if the store has no stack yet.
    pub(crate) stack: Option<slab::Promise>,
    parts: Option<Parts>,
    /// The function that the last process began in: as a rule it is that of the next one.
    entry: Option<(Arc<str>, Func)>,
}

/// What is put back and what counts for the limits of a process.
struct Parts {
    memory: Memory,
    variables: Box<[Global]>,
    memory_bytes: u64,
    table_elements: u64,
}

impl Ready {
    /// An instance that ends with its process.
    pub(crate) fn once(store: Store<State>, instance: Instance, stack: slab::Promise) -> Ready {
        Ready { store, instance, stack: Some(stack), parts: None, entry: None }
    }

    /// The exported function with this name.
    pub(crate) fn function(&mut self, name: &Arc<str>) -> Option<Func> {
        match &self.entry {
            Some((known, function)) if known == name => Some(*function),
            _ => {
                let function = self.instance.get_func(&mut self.store, name)?;
                self.entry = Some((name.clone(), function));
                Some(function)
            }
        }
    }
}

impl Reuse {
    /// Nothing, if the module is not one that was rewritten. `waiting` counts for all modules.
    pub(crate) fn of(
        module: &Module,
        wasm: &[u8],
        dense: bool,
        waiting: &Arc<AtomicUsize>,
    ) -> Option<Arc<Reuse>> {
        let memory = module.get_export_index(prepare::MEMORY)?;
        let variables = (0..).map_while(|n| module.get_export_index(&prepare::variable(n)));
        let known = module.get_export("memory");
        let ty = module.get_export(prepare::MEMORY)?;
        let wasm_pages = usize::try_from(ty.memory()?.minimum()).ok()?;
        let bytes = wasm_pages.checked_mul(slab::WASM_PAGE_BYTES)?;
        Some(Arc::new(Reuse {
            pages: slab::Pages::new(bytes, Box::new(Image::of(wasm))),
            memory,
            variables: variables.collect(),
            memory_is_known: known.is_some_and(|export| export.memory().is_some()),
            can_restore: dense && slab::can_restore(),
            first: OnceLock::new(),
            idle: Mutex::default(),
            waiting: waiting.clone(),
        }))
    }

    /// An instance that waits, for a process with this state. If its limits do not allow what the
    /// instance has, there is none: making one has the words for what is wrong.
    pub(crate) fn take(&self, state: impl FnOnce() -> State) -> Option<Ready> {
        let mut ready = {
            let mut idle = self.lock();
            let ready = idle.ready.pop()?;
            idle.unused = idle.unused.min(idle.ready.len());
            ready
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        *ready.store.data_mut() = state();
        let parts = ready.parts.as_ref()?;
        if !parts.count(ready.store.data_mut()) {
            return None;
        }
        self.tell_memory(&mut ready.store, parts.memory);
        ready.store.set_epoch_deadline(1);
        Some(ready)
    }

    /// Fills the memory of an instance that was just made, and looks up what is to be put back.
    pub(crate) fn complete(&self, mut ready: Ready) -> Ready {
        let Ready { store, instance, parts, .. } = &mut ready;
        let export = instance.get_module_export(&mut *store, &self.memory);
        let memory = export.and_then(Extern::into_memory).expect("it was exported by `prepare`");
        slab::fill(memory.data_mut(&mut *store), &self.pages);
        self.tell_memory(store, memory);
        // Who is audited calls host functions that were made for it alone.
        if self.can_restore && store.data().audited.is_none() {
            let variables = self.variables.iter().filter_map(|export| {
                instance.get_module_export(&mut *store, export).and_then(Extern::into_global)
            });
            let variables: Box<[Global]> = variables.collect();
            self.first.get_or_init(|| {
                variables.iter().map(|variable| variable.get(&mut *store)).collect()
            });
            let State { memory_bytes, table_elements, .. } = *store.data();
            *parts = Some(Parts { memory, variables, memory_bytes, table_elements });
        }
        ready
    }

    /// The process of this instance has returned: drops what it owned, and keeps the instance if
    /// it can be put back.
    pub(crate) fn give(&self, mut ready: Ready) {
        let state = ready.store.data_mut();
        let vacant = State::vacant(state.runtime.clone());
        drop(std::mem::replace(state, vacant));
        let all = self.waiting.fetch_add(1, Ordering::Relaxed);
        if all < INSTANCES_OF_ALL_MAX && self.restore(&mut ready) {
            let mut idle = self.lock();
            if idle.ready.len() < INSTANCES_MAX {
                return idle.ready.push(ready);
            }
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether everything is again as it was at first.
    fn restore(&self, ready: &mut Ready) -> bool {
        let (Some(parts), Some(first)) = (&ready.parts, self.first.get()) else { return false };
        let memory = parts.memory.data_mut(&mut ready.store);
        let as_large = memory.len() as u64 == parts.memory_bytes;
        if !as_large || !slab::restore(memory, &self.pages, DIRTY_BYTES_MAX) {
            return false;
        }
        let mut variables = parts.variables.iter().zip(first);
        variables.all(|(variable, value)| variable.set(&mut ready.store, *value).is_ok())
    }

    /// Drops what nobody has needed since the last call. To be called off the workers.
    pub(crate) fn sweep(&self) {
        let unused: Vec<_> = {
            let mut idle = self.lock();
            let unused = idle.unused;
            let taken = idle.ready.drain(..unused).collect();
            idle.unused = idle.ready.len();
            taken
        };
        let count = unused.len();
        // Whoever sees that none waits sees that nothing of it is left.
        drop(unused);
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    /// Programs and host functions know the memory by its usual name only.
    fn tell_memory(&self, store: &mut Store<State>, memory: Memory) {
        store.data_mut().memory = self.memory_is_known.then_some(memory);
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reuse {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.lock().ready.len(), Ordering::Relaxed);
    }
}

impl Parts {
    /// Counts for a new process what making the instance would count, if its limits allow it.
    fn count(&self, state: &mut State) -> bool {
        let [memory, table] = [self.memory_bytes, self.table_elements].map(usize::try_from);
        let (Ok(memory), Ok(table)) = (memory, table) else { return false };
        matches!(state.memory_growing(0, memory, None), Ok(true))
            && matches!(state.table_growing(0, table, None), Ok(true))
    }
}
