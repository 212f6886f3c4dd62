//! From the bytes of a module to code that can be instantiated, through the cache.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use wasmparser::{ExternalKind, Operator, Payload, TypeRef};
use wasmtime::{Engine, InstancePre, Linker, Module};

use crate::bulk;
use crate::cache::Cache;
use crate::engines::{Engines, Kind, Tier};
use crate::exit;
use crate::host;
use crate::reuse::{Reuse, prepare};
use crate::stack;
use crate::state::State;

/// Why a module cannot be used. Nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// It is larger than the node allows.
    #[error("the module has {bytes} bytes, but module_bytes_max is {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The text format has a mistake.
    #[error("the module's text does not parse: {0}")]
    Text(String),
    /// A component, not a core module.
    #[error(
        "this is a WebAssembly component, but processes are spawned from core modules: build it \
         for wasm32-wasip1 instead of wasm32-wasip2"
    )]
    Component,
    /// It is not a valid module, or uses what is not supported.
    #[error("this is not a valid WebAssembly module: {0}")]
    Invalid(String),
    /// It needs something of the host that does not exist, or with another type.
    #[error("the module needs something that this runtime does not provide: {0}")]
    Import(String),
    /// The compiler failed.
    #[error("the compiler failed on this module, which is a bug of the runtime: {0}")]
    CompilerFailed(String),
}

/// A module's code in one engine, linked with the host functions.
pub(crate) struct Artifact {
    pub(crate) pre: InstancePre<State>,
    /// What the pointer of the stack in memory is at first, if the module exports it.
    pub(crate) stack_top: Option<i32>,
    /// The host functions, for who has to wrap them.
    pub(crate) linker: Arc<Linker<State>>,
    /// What its instances begin with, and those that wait for a process, if the module allows.
    pub(crate) reuse: Option<Arc<Reuse>>,
}

impl Artifact {
    pub(crate) fn module(&self) -> &Module {
        self.pre.module()
    }
}

/// What compiling has taken since the runtime started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compiling {
    /// Times that the compiler made code; a module used in two kinds of engine counts twice.
    pub compiled: u64,
    /// How long that took all together, refused modules included.
    pub time: Duration,
    /// Times that the code came from the cache.
    pub cache_hits: u64,
    /// Times that there was a cache, but not this code in it.
    pub cache_misses: u64,
}

/// The same, while it is counted.
#[derive(Default)]
struct Counters {
    compiled: AtomicU64,
    nanoseconds: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
}

/// Makes artifacts.
pub(crate) struct Artifacts {
    engines: Arc<Engines>,
    linkers: [OnceLock<Arc<Linker<State>>>; 4],
    cache: Option<Cache>,
    module_bytes_max: usize,
    counters: Counters,
    /// Those of all modules.
    reuses: Mutex<Vec<Weak<Reuse>>>,
    /// How many instances wait in them.
    waiting: Arc<AtomicUsize>,
}

impl Artifacts {
    pub(crate) fn new(
        engines: Arc<Engines>,
        cache: Option<Cache>,
        module_bytes_max: usize,
    ) -> Artifacts {
        Artifacts {
            engines,
            linkers: Default::default(),
            cache,
            module_bytes_max,
            counters: Counters::default(),
            reuses: Mutex::default(),
            waiting: Arc::default(),
        }
    }

    /// The binary form of a module given as binary or text.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Vec<u8>, ModuleError> {
        let max = self.module_bytes_max;
        if bytes.len() > max {
            return Err(ModuleError::TooLarge { bytes: bytes.len(), max });
        }
        let wasm = wat::parse_bytes(bytes).map_err(|error| ModuleError::Text(error.to_string()))?;
        if wasmparser::Parser::is_component(&wasm) {
            return Err(ModuleError::Component);
        }
        Ok(wasm.into_owned())
    }

    /// What compiling has taken so far.
    pub(crate) fn compiling(&self) -> Compiling {
        let Counters { compiled, nanoseconds, cache_hits, cache_misses } = &self.counters;
        Compiling {
            compiled: compiled.load(Ordering::Relaxed),
            time: Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)),
            cache_hits: cache_hits.load(Ordering::Relaxed),
            cache_misses: cache_misses.load(Ordering::Relaxed),
        }
    }

    /// Compiles and links. Blocks for as long as the compiler takes.
    pub(crate) fn build(&self, wasm: &[u8], kind: Kind) -> Result<Artifact, ModuleError> {
        let failed = |error: wasmtime::Error| ModuleError::CompilerFailed(exit::text(&error));
        let engine = self.engines.get(kind).map_err(failed)?;
        let cached = self.cache.as_ref().and_then(|cache| cache.load(engine, wasm));
        let module = match cached {
            Some(module) => {
                self.counters.cache_hits.fetch_add(1, Ordering::Relaxed);
                module
            }
            None => {
                let begin = Instant::now();
                let module = compile(engine, wasm);
                let nanoseconds = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.counters.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
                let module = module?;
                self.counters.compiled.fetch_add(1, Ordering::Relaxed);
                if let Some(cache) = &self.cache {
                    self.counters.cache_misses.fetch_add(1, Ordering::Relaxed);
                    cache.store(engine, wasm, &module);
                }
                module
            }
        };
        self.link(kind, &module, wasm)
    }

    /// Drops instances that no process has needed for a while. Not to be called on a worker.
    pub(crate) fn sweep(&self) {
        let mut reuses = self.reuses.lock().unwrap_or_else(PoisonError::into_inner);
        reuses.retain(|reuse| reuse.strong_count() > 0);
        let live: Vec<_> = reuses.iter().filter_map(Weak::upgrade).collect();
        drop(reuses);
        live.iter().for_each(|reuse| reuse.sweep());
    }

    /// Instances that wait for a process.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn link(&self, kind: Kind, module: &Module, wasm: &[u8]) -> Result<Artifact, ModuleError> {
        let place = &self.linkers[kind.index()];
        let linker = match place.get() {
            Some(linker) => linker,
            None => {
                let linker = host::linker(module.engine())
                    .map_err(|error| ModuleError::CompilerFailed(exit::text(&error)))?;
                place.get_or_init(|| Arc::new(linker))
            }
        };
        let pre = linker
            .instantiate_pre(module)
            .map_err(|error| ModuleError::Import(exit::text(&error)))?;
        let dense = kind.tier == Tier::Dense;
        let reuse = Reuse::of(module, wasm, dense && !kind.metered, &self.waiting);
        if let Some(reuse) = &reuse {
            let mut reuses = self.reuses.lock().unwrap_or_else(PoisonError::into_inner);
            reuses.push(Arc::downgrade(reuse));
        }
        Ok(Artifact { pre, stack_top: stack_top(wasm), linker: linker.clone(), reuse })
    }
}

/// Where the stack of LLVM's programs begins, if the module exports a variable for it. What has no
/// such thing, or another, has none; the module is valid.
fn stack_top(wasm: &[u8]) -> Option<i32> {
    let (mut imported, mut tops, mut exported) = (0, Vec::new(), None);
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                let globals = section.into_imports().flatten();
                imported = globals.filter(|each| matches!(each.ty, TypeRef::Global(_))).count();
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global.ok()?;
                    let first = global.init_expr.get_operators_reader().read().ok()?;
                    tops.push(match first {
                        Operator::I32Const { value } if global.ty.mutable => Some(value),
                        _ => None,
                    });
                }
            }
            Payload::ExportSection(section) => {
                let pointer =
                    section.into_iter().flatten().find(|each| each.name == stack::POINTER);
                exported = pointer.filter(|each| each.kind == ExternalKind::Global);
                break;
            }
            _ => {}
        }
    }
    let index = usize::try_from(exported?.index).ok()?.checked_sub(imported)?;
    tops.get(index).copied().flatten()
}

/// Code for one engine.
fn compile(engine: &Engine, wasm: &[u8]) -> Result<Module, ModuleError> {
    Module::validate(engine, wasm).map_err(|error| ModuleError::Invalid(exit::text(&error)))?;
    Module::from_binary(engine, &rewritten(wasm)?)
        .map_err(|error| ModuleError::CompilerFailed(exit::text(&error)))
}

/// The module as it is compiled: a change of what is made here is a new [`bulk::REVISION`].
fn rewritten(wasm: &[u8]) -> Result<Vec<u8>, ModuleError> {
    let failed = |error: String| ModuleError::CompilerFailed(error);
    let renamed = host::legacy::rename_imports(wasm).map_err(|error| failed(error.to_string()))?;
    let bounded = bulk::bound_bulk_memory(&renamed).map_err(|error| failed(error.to_string()))?;
    let prepared = prepare(&bounded).map_err(|error| failed(error.to_string()))?;
    Ok(prepared.into_owned())
}
