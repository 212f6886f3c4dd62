//! A node: the scheduler, the timers and the I/O runtime that all its environments share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use lunatic_model::{NodeLimits, Pid, Ref};

use crate::denials::Denial;
use crate::environment::{Environment, SpawnError};
use crate::exit::{ExitReport, Observer};
use crate::figures::{Counters, Figures, Mailboxes};
use crate::lock;
use crate::process::Process;
use crate::scheduler::{Hooks, OnPulse, Scheduler};
use crate::timers::Timers;

/// How a node is set up.
pub struct NodeOptions {
    /// Threads that run processes; `None` means one for each core.
    pub workers: Option<usize>,
    /// The bounds of the node.
    pub limits: NodeLimits,
    /// Hears of failures.
    pub observer: Option<Arc<dyn Observer>>,
    /// The processor time of the calling thread in nanoseconds, by which processes with a budget
    /// are measured.
    pub cpu_clock: fn() -> u64,
    /// Called by each worker before its first turn: for what a thread needs to run bodies, and
    /// could not get any more when the system has run out of it.
    pub on_worker_start: fn(),
    /// Makes running bodies yield soon; called by a thread of its own while processes run.
    pub on_pulse: OnPulse,
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions {
            workers: None,
            limits: NodeLimits::default(),
            observer: None,
            cpu_clock: time_since_first_call,
            on_worker_start: || {},
            on_pulse: Box::new(|| {}),
        }
    }
}

/// Stands in where nobody knows the processor time of a thread: the time that passes.
fn time_since_first_call() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = FIRST.get_or_init(Instant::now);
    u64::try_from(first.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Why a node did not start. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system refused a thread or an event queue.
    #[error("the system gives the node no more threads or descriptors")]
    System(#[from] std::io::Error),
}

/// The figures of a node that cost next to nothing to look up.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Processes that live or are being spawned.
    pub processes: usize,
    /// Processes that have ended.
    pub exits: u64,
}

/// A node. Dropping it ends its threads; processes that still live are cut off.
pub struct Node {
    inner: Arc<Inner>,
    timer_thread: Mutex<Option<JoinHandle<()>>>,
    /// Taken at the end, since the I/O runtime must not be dropped where it would wait.
    io: Mutex<Option<tokio::runtime::Runtime>>,
}

/// What processes and environments know of their node.
pub(crate) struct Inner {
    limits: NodeLimits,
    observer: Option<Arc<dyn Observer>>,
    cpu_clock: fn() -> u64,
    timers: Arc<Timers>,
    scheduler: OnceLock<Scheduler>,
    counters: Arc<Counters>,
    /// Those that live, and some that are gone.
    environments: Mutex<Vec<Weak<Environment>>>,
    places: AtomicUsize,
    serials: AtomicU64,
    refs: AtomicU64,
}

impl Node {
    /// Starts the threads of a node.
    pub fn start(options: NodeOptions) -> Result<Node, StartError> {
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("io")
            .enable_all()
            .build()?;
        let timers = Timers::new(options.limits.node_timers_max);
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = options.workers.unwrap_or_else(cores).max(1);
        let counters = Arc::new(Counters::new(workers));
        let inner = Arc::new(Inner {
            limits: options.limits,
            observer: options.observer,
            cpu_clock: options.cpu_clock,
            timers: timers.clone(),
            scheduler: OnceLock::new(),
            counters: counters.clone(),
            environments: Mutex::default(),
            places: AtomicUsize::new(0),
            serials: AtomicU64::new(0),
            refs: AtomicU64::new(0),
        });
        let hooks = Hooks { on_worker_start: options.on_worker_start, on_pulse: options.on_pulse };
        let scheduler = Scheduler::start(counters, io.handle(), timers.clone(), hooks)?;
        let _ = inner.scheduler.set(scheduler);
        let timer_thread = Mutex::new(Some(timers.start()?));
        Ok(Node { inner, timer_thread, io: Mutex::new(Some(io)) })
    }

    /// A new environment; old programs see `public_id`.
    pub fn environment(&self, public_id: u64) -> Arc<Environment> {
        let environment = Environment::new(self.inner.clone(), public_id);
        let mut environments = lock(&self.inner.environments);
        environments.retain(|environment| environment.strong_count() > 0);
        environments.push(Arc::downgrade(&environment));
        environment
    }

    /// Runs `act` with the I/O runtime at hand, as it is on workers.
    pub fn with_io<R>(&self, act: impl FnOnce() -> R) -> R {
        let handle = lock(&self.io).as_ref().map(|io| io.handle().clone());
        let _context = handle.as_ref().map(tokio::runtime::Handle::enter);
        act()
    }

    /// Figures that cost next to nothing to look up.
    pub fn usage(&self) -> Usage {
        Usage {
            processes: self.inner.places.load(Ordering::Relaxed),
            exits: self.inner.counters.exits(),
        }
    }

    /// All figures. Looks at every process, so it takes a while: never call it on a worker.
    pub fn figures(&self) -> Figures {
        let Inner { counters, scheduler, timers, environments, places, .. } = &*self.inner;
        let environments = lock(environments).clone();
        let (mut mailboxes, mut names) = (Mailboxes::default(), 0);
        for environment in environments.iter().filter_map(Weak::upgrade) {
            environment.add_mailboxes(&mut mailboxes);
            names += environment.names();
        }
        let messages_delivered = counters.sum(|shard| &shard.delivered);
        Figures {
            processes: places.load(Ordering::Relaxed),
            workers: counters.workers(),
            spawns: counters.sum(|shard| &shard.spawns),
            ends: counters.ends(),
            host_panics: counters.host_panics(),
            messages_sent: messages_delivered + counters.sum(|shard| &shard.unheard),
            messages_delivered,
            mailboxes,
            run_queue: scheduler.get().map_or(0, Scheduler::queued),
            timers: timers.len(),
            names,
        }
    }

    /// The bounds of the node.
    pub fn limits(&self) -> &NodeLimits {
        &self.inner.limits
    }

    /// Ends all threads of the node.
    pub fn stop(&self) {
        if let Some(scheduler) = self.inner.scheduler.get() {
            scheduler.stop();
        }
        self.inner.timers.stop();
        if let Some(thread) = lock(&self.timer_thread).take() {
            let _ = thread.join();
        }
        if let Some(io) = lock(&self.io).take() {
            // A guest's file operation may hang for ever: nobody waits for it.
            io.shutdown_background();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A process's place among `processes_max`, given back when the last handle of the process goes.
pub(crate) struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    pub(crate) fn reserve_place(self: &Arc<Self>) -> Result<Place, SpawnError> {
        let max = self.limits.processes_max;
        if self.places.fetch_add(1, Ordering::Relaxed) >= max {
            self.places.fetch_sub(1, Ordering::Relaxed);
            return Err(SpawnError::ProcessesMax(max));
        }
        Ok(Place(self.clone()))
    }

    /// The node part of every pid made here.
    pub(crate) fn pid_base(&self) -> Pid {
        Pid { node: 0, incarnation: 0, serial: 0 }
    }

    pub(crate) fn next_pid(&self) -> Pid {
        Pid { serial: self.serials.fetch_add(1, Ordering::Relaxed) + 1, ..self.pid_base() }
    }

    pub(crate) fn next_ref(&self) -> Ref {
        let serial = self.refs.fetch_add(1, Ordering::Relaxed) + 1;
        Ref { node: 0, incarnation: 0, serial }
    }

    pub(crate) fn cpu_clock(&self) -> u64 {
        (self.cpu_clock)()
    }

    pub(crate) fn timers(&self) -> &Arc<Timers> {
        &self.timers
    }

    pub(crate) fn ready(&self, process: Arc<Process>) {
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.ready(process);
        }
    }

    pub(crate) fn requeue(&self, process: Arc<Process>) {
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.requeue(process);
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn observe(&self, report: &ExitReport) {
        if let Some(observer) = &self.observer {
            observer.exited(report);
        }
    }

    pub(crate) fn tell_denied(&self, denial: &Denial) {
        if let Some(observer) = &self.observer {
            observer.denied(denial);
        }
    }
}
