//! The runtime as others see it: load modules, make environments, spawn first processes.

use std::sync::{Arc, Once};
use std::time::Duration;

use lunatic_model::{ExitReason, NodeLimits, Pid};
use lunatic_node::{Environment, Node, NodeOptions, Observer, Process};
use wasmtime::Engine;

use crate::artifact::{Artifacts, Compiling, ModuleError};
use crate::cache::{Cache, CacheError, CachePolicy};
use crate::config::ProcessConfig;
use crate::cpu_clock;
use crate::engines::{Engines, Tier};
use crate::host::metrics::{Metric, Metrics};
use crate::instance::{self, SpawnError, SpawnRequest};
use crate::module::Module;
use crate::net::names::{LookUp, Names};
use crate::net::platform;
use crate::prompt;
use crate::redirect::Outside;
use crate::redirect::wiring::Wiring;
use crate::slab;

/// Slots of memory that nobody needed for this long go back to the system.
const IDLE_MEMORY_INTERVAL: Duration = Duration::from_secs(1);

/// So many idle slots at once are what a burst leaves: then the heap is looked through, too, for
/// whole pages of what its processes had there. That holds up allocations for some milliseconds.
const IDLE_SLOTS_OF_A_BURST: usize = 1_000;

/// How a runtime is set up.
#[derive(Default)]
pub struct Options {
    /// Threads that run processes; `None` means one for each core.
    pub workers: Option<usize>,
    /// Where compiled code is kept.
    pub cache: CachePolicy,
    /// The bounds of the node.
    pub limits: NodeLimits,
    /// Hears of failures.
    pub observer: Option<Arc<dyn Observer>>,
    /// What looks up names for programs; `None` means the system.
    pub look_up: Option<LookUp>,
    /// What has sinks for redirections that programs choose; `None` means that there are none.
    pub outside: Option<Arc<dyn Outside>>,
}

/// Why a runtime did not start. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Compiled code cannot be kept safely.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Wasmtime does not work on this machine.
    #[error("WebAssembly cannot be compiled on this machine: {0}")]
    Engine(String),
    /// The node did not start.
    #[error(transparent)]
    Node(#[from] lunatic_node::StartError),
}

/// Current figures of a runtime.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Figures of the node.
    pub node: lunatic_node::Figures,
    /// Linear memories of the dense tier, those of waiting instances included.
    pub memories: slab::Usage,
    /// Stacks, those of waiting instances included.
    pub stacks: slab::Usage,
    /// Instances of processes that have ended, which wait for the next ones.
    pub instances_waiting: usize,
    /// Compiled code.
    pub compiling: Compiling,
    /// Counter: what programs recorded under names for which there was no room.
    pub metrics_dropped: u64,
}

/// A runtime. Cloning it is cheap; the last handle that goes stops it.
#[derive(Clone)]
pub struct Runtime {
    node: Arc<Node>,
    shared: Arc<Shared>,
}

/// What processes know of their runtime.
pub(crate) struct Shared {
    pub(crate) artifacts: Artifacts,
    pub(crate) metrics: Metrics,
    pub(crate) limits: NodeLimits,
    pub(crate) names: Names,
    pub(crate) outside: Option<Arc<dyn Outside>>,
    pub(crate) wiring: Wiring,
    memories: Arc<slab::Memories>,
    pub(crate) stacks: Arc<slab::Stacks>,
}

impl Runtime {
    /// Starts a runtime with threads of its own. On Unix, the program may have as many descriptors
    /// as the system allows from then on.
    pub fn new(options: Options) -> Result<Runtime, StartError> {
        platform::raise_descriptor_limit();
        let cache = Cache::open(&options.cache)?;
        let memories = Arc::new(slab::Memories::new(slab::Limits::default()));
        let stacks = Arc::new(slab::Stacks::new(slab::Limits::default()));
        let engines = Engines::new(memories.clone(), stacks.clone())
            .map_err(|error| StartError::Engine(crate::exit::text(&error)))?;
        let engines = Arc::new(engines);
        let (pulse, prompt) = (engines.clone(), Once::new());
        let node = Node::start(NodeOptions {
            workers: options.workers,
            limits: options.limits,
            observer: options.observer,
            cpu_clock: cpu_clock::thread_nanoseconds,
            on_worker_start: Engine::tls_eager_initialize,
            on_pulse: Box::new(move || {
                prompt.call_once(prompt::ask_for_short_slices);
                pulse.beat();
            }),
        })?;
        let shared = Arc::new(Shared {
            artifacts: Artifacts::new(engines, cache, options.limits.module_bytes_max),
            metrics: Metrics::default(),
            limits: options.limits,
            names: Names::new(options.look_up),
            outside: options.outside,
            wiring: Wiring::default(),
            memories,
            stacks,
        });
        give_back_idle_memory(&shared)?;
        Ok(Runtime { node: Arc::new(node), shared })
    }

    /// Compiles a module in binary or text form, or takes it from the cache. Blocks for as long as
    /// that takes: call it on a thread of your own.
    pub fn compile(&self, bytes: &[u8]) -> Result<Module, ModuleError> {
        self.compile_for(bytes, Tier::default())
    }

    /// The same for a tier of memories.
    pub fn compile_for(&self, bytes: &[u8], tier: Tier) -> Result<Module, ModuleError> {
        Module::new(&self.shared, bytes, tier, None)
    }

    /// A set of processes with names of its own. Old programs see `public_id`.
    pub fn environment(&self, public_id: u64) -> Arc<Environment> {
        self.node.environment(public_id)
    }

    /// Spawns the first process of an environment. Blocks while its start section runs.
    pub fn spawn_root(
        &self,
        environment: &Arc<Environment>,
        module: &Module,
        entry: &str,
        config: ProcessConfig,
    ) -> Result<Root, SpawnError> {
        let request = SpawnRequest {
            module: module.clone(),
            budgets: config.budgets.clone(),
            config: Arc::new(config),
            entry: entry.into(),
            params: Vec::new(),
        };
        let spawn = instance::spawn(&self.shared, environment, request, None);
        let (process, _) = self.node.with_io(|| futures::executor::block_on(spawn))?;
        Ok(Root { process })
    }

    /// The figures of the node that cost next to nothing to look up.
    pub fn usage(&self) -> lunatic_node::Usage {
        self.node.usage()
    }

    /// All figures. Looks at every process, so it takes a while: never call it on a worker.
    pub fn figures(&self) -> Figures {
        Figures {
            node: self.node.figures(),
            memories: self.shared.memories.usage(),
            stacks: self.shared.stacks.usage(),
            instances_waiting: self.shared.artifacts.waiting(),
            compiling: self.shared.artifacts.compiling(),
            metrics_dropped: self.shared.metrics.dropped(),
        }
    }

    /// The metrics that programs have recorded, in the order of their names.
    pub fn metrics(&self) -> Vec<Metric> {
        self.shared.metrics.snapshot()
    }
}

/// Starts the thread that returns memory after a burst. It ends soon after the runtime.
fn give_back_idle_memory(shared: &Arc<Shared>) -> Result<(), StartError> {
    let shared = Arc::downgrade(shared);
    let thread = std::thread::Builder::new().name("memory".into()).spawn(move || {
        while let Some(shared) = shared.upgrade() {
            shared.artifacts.sweep();
            let idle = shared.memories.give_back_idle() + shared.stacks.give_back_idle();
            drop(shared);
            if idle >= IDLE_SLOTS_OF_A_BURST {
                slab::give_back_heap();
            }
            std::thread::sleep(IDLE_MEMORY_INTERVAL);
        }
    });
    thread.map(drop).map_err(|error| StartError::Node(error.into()))
}

/// The first process of an environment, as seen from outside.
pub struct Root {
    process: Arc<Process>,
}

impl Root {
    /// Its identity.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Waits until it has ended and everybody has been told.
    pub async fn ended(&self) -> ExitReason {
        self.process.join().await
    }

    /// The same for a thread that has nothing else to do.
    pub fn wait(&self) -> ExitReason {
        futures::executor::block_on(self.ended())
    }

    /// Sends it an exit signal, as from a process that it does not know.
    pub fn exit(&self, reason: ExitReason) {
        let outside = self.process.environment().pid_of(0);
        let signal = lunatic_model::Signal::Exit { from: outside, reason, link: false };
        self.process.environment().signal(self.pid(), signal);
    }

    /// Kills it.
    pub fn kill(&self) {
        self.process.kill();
    }
}
