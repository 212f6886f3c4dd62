//! The scheduler: worker threads that run processes, and the pulse that makes them take turns.
//!
//! Each worker owns a queue that others may steal from, and one slot that nobody steals from. What
//! a running process wakes goes into the slot of its worker: a receiver runs where its message is
//! warm, and a spawned child does not start before its parent pauses. What other threads wake goes
//! into a queue that all share.
//!
//! Processes of high and max priority have queues of their own, shared by all workers and looked at
//! before the others in all but one of [`URGENT_TURNS`] turns. Those of low priority stand in line
//! as all others do and let them pass most of the time.
//!
//! Nothing is lost between a worker that falls asleep and a thread that queues work:
//! * queueing makes the work visible, then looks for sleepers;
//! * falling asleep makes the sleeper visible, then looks for work once more.
//!
//! A fence on both sides makes one of the two see the other. While some worker searches, no other
//! is woken: a searcher that finds nothing looks once more on its way to sleep, and one that finds
//! something wakes the next, if more is queued.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crossbeam_deque::{Injector, Steal, Stealer, Worker};

use lunatic_model::Priority;

use crate::figures::Counters;
use crate::lock;
use crate::process::Process;
use crate::timers::Timers;

/// How often a running process is asked to let others run.
pub(crate) const PULSE: Duration = Duration::from_micros(500);

/// After this many turns from the slot, the queues have theirs: two processes that wake each other
/// for ever must not starve the rest.
const SLOT_TURNS_MAX: u32 = 16;

/// Of so many turns of a worker one belongs to ordinary processes, whatever urgent ones there are:
/// a program that makes itself urgent must not keep the others of its node from running.
const URGENT_TURNS: u32 = 16;

/// What the pulse does: it makes running bodies yield soon.
pub(crate) type OnPulse = Box<dyn Fn() + Send + Sync>;

/// What threads of the scheduler call of those above.
pub(crate) struct Hooks {
    pub(crate) on_worker_start: fn(),
    pub(crate) on_pulse: OnPulse,
}

pub(crate) struct Scheduler {
    shared: Arc<Shared>,
    /// The workers, then the pulse.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    injector: Injector<Arc<Process>>,
    /// Of max and of high priority.
    urgent: [Injector<Arc<Process>>; 2],
    /// How many are in `urgent`, or a moment from it: almost always 0, and cheap to read.
    urgent_count: AtomicUsize,
    stealers: Vec<Stealer<Arc<Process>>>,
    /// Workers that sleep.
    sleepers: Mutex<Vec<usize>>,
    /// The length of `sleepers`, to be read without the lock.
    sleeping: AtomicUsize,
    searching: AtomicUsize,
    workers: OnceLock<Vec<Thread>>,
    pulse: OnceLock<Thread>,
    pulsing: AtomicBool,
    stopping: AtomicBool,
    /// The last worker has ended.
    stopped: AtomicBool,
    timers: Arc<Timers>,
    counters: Arc<Counters>,
}

struct Local {
    shared: Arc<Shared>,
    queue: Worker<Arc<Process>>,
    slot: Option<Arc<Process>>,
    slot_turns: u32,
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

impl Scheduler {
    /// Starts a thread for each worker that has counters, inside the context of the I/O runtime,
    /// and the pulse.
    pub(crate) fn start(
        counters: Arc<Counters>,
        io: &tokio::runtime::Handle,
        timers: Arc<Timers>,
        hooks: Hooks,
    ) -> std::io::Result<Scheduler> {
        let workers = counters.workers();
        let queues: Vec<_> = (0..workers).map(|_| Worker::new_fifo()).collect();
        let shared = Arc::new(Shared {
            injector: Injector::new(),
            urgent: [Injector::new(), Injector::new()],
            urgent_count: AtomicUsize::new(0),
            stealers: queues.iter().map(Worker::stealer).collect(),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
            sleeping: AtomicUsize::new(0),
            searching: AtomicUsize::new(0),
            workers: OnceLock::new(),
            pulse: OnceLock::new(),
            pulsing: AtomicBool::new(true),
            stopping: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            timers,
            counters,
        });
        let mut threads = Vec::with_capacity(workers + 1);
        for (index, queue) in queues.into_iter().enumerate() {
            let (shared, io) = (shared.clone(), io.clone());
            let on_worker_start = hooks.on_worker_start;
            threads.push(thread::Builder::new().name(format!("worker-{index}")).spawn(
                move || {
                    let _context = io.enter();
                    on_worker_start();
                    work(shared, queue, index);
                },
            )?);
        }
        let handles = threads.iter().map(|worker| worker.thread().clone()).collect();
        // Set once, here; workers wait for it before they first look for sleepers.
        let _ = shared.workers.set(handles);
        let pulse = {
            let shared = shared.clone();
            thread::Builder::new()
                .name("pulse".into())
                .spawn(move || pulse(&shared, &hooks.on_pulse))?
        };
        let _ = shared.pulse.set(pulse.thread().clone());
        threads.push(pulse);
        Ok(Scheduler { shared, threads: Mutex::new(threads) })
    }

    /// Queues a process that became ready: in the slot of the running worker, if this thread is
    /// one.
    pub(crate) fn ready(&self, process: Arc<Process>) {
        self.shared.ready(process);
    }

    /// Queues a process that gave way to others: behind those that wait on this worker.
    pub(crate) fn requeue(&self, process: Arc<Process>) {
        self.shared.requeue(process);
    }

    /// Processes in the queues; those in slots are not seen from outside.
    pub(crate) fn queued(&self) -> usize {
        let Shared { injector, urgent, stealers, .. } = &*self.shared;
        let urgent: usize = urgent.iter().map(Injector::len).sum();
        injector.len() + urgent + stealers.iter().map(Stealer::len).sum::<usize>()
    }

    /// Lets all workers end after what they run now, and waits for them.
    pub(crate) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for worker in self.shared.workers.get().into_iter().flatten() {
            worker.unpark();
        }
        let mut threads = std::mem::take(&mut *lock(&self.threads));
        let pulse = threads.pop();
        // A thread that panicked outside of a process has been reported by the panic itself.
        for worker in threads {
            if worker.thread().id() != thread::current().id() {
                let _ = worker.join();
            }
        }
        // The pulse goes on until then: without it a body that loops would never let its worker
        // end.
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(pulse) = pulse {
            pulse.thread().unpark();
            let _ = pulse.join();
        }
    }
}

impl Shared {
    fn ready(self: &Arc<Self>, process: Arc<Process>) {
        let Some(process) = self.unless_urgent(process) else { return };
        let left = self.with_local(process, |local, process| {
            // The one that was in the slot is older: it goes where others can steal it.
            match local.slot.replace(process) {
                Some(displaced) => {
                    local.queue.push(displaced);
                    true
                }
                None => false,
            }
        });
        match left {
            Ok(false) => {}
            Ok(true) => self.wake_worker(),
            Err(process) => {
                self.injector.push(process);
                self.wake_worker();
            }
        }
    }

    /// Queues an urgent process, and gives others back.
    fn unless_urgent(&self, process: Arc<Process>) -> Option<Arc<Process>> {
        let queue = match process.priority() {
            Priority::Low | Priority::Normal => return Some(process),
            Priority::High => &self.urgent[1],
            Priority::Max => &self.urgent[0],
        };
        queue.push(process);
        self.urgent_count.fetch_add(1, Ordering::Relaxed);
        self.wake_worker();
        None
    }

    fn pop_urgent(&self) -> Option<Arc<Process>> {
        if self.urgent_count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let process = self.urgent.iter().find_map(|queue| steal_from(|| queue.steal()))?;
        self.urgent_count.fetch_sub(1, Ordering::Relaxed);
        Some(process)
    }

    fn requeue(self: &Arc<Self>, process: Arc<Process>) {
        let Some(process) = self.unless_urgent(process) else { return };
        self.put_back(process);
        self.wake_worker();
    }

    /// Queues a process behind the others of this worker, which looks for work at once: no other is
    /// woken.
    fn put_back(self: &Arc<Self>, process: Arc<Process>) {
        if let Err(process) = self.with_local(process, |local, process| local.queue.push(process)) {
            self.injector.push(process);
        }
    }

    /// Runs `act` with this thread's queue, or gives the process back if the thread is no worker of
    /// this scheduler.
    fn with_local<R>(
        self: &Arc<Self>,
        process: Arc<Process>,
        act: impl FnOnce(&mut Local, Arc<Process>) -> R,
    ) -> Result<R, Arc<Process>> {
        // A thread that is ending has no locals any more: it counts as no worker.
        let mut process = Some(process);
        let done = LOCAL.try_with(|local| match &mut *local.borrow_mut() {
            Some(local) if Arc::ptr_eq(&local.shared, self) => {
                process.take().map(|process| act(local, process))
            }
            Some(_) | None => None,
        });
        match (done, process) {
            (Ok(Some(done)), _) => Ok(done),
            (_, Some(process)) => Err(process),
            (_, None) => unreachable!("the process is taken only together with a result"),
        }
    }

    fn wake_worker(&self) {
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) == 0 || self.searching.load(Ordering::Relaxed) > 0
        {
            return;
        }
        let sleeper = {
            let mut sleepers = lock(&self.sleepers);
            let sleeper = sleepers.pop();
            self.sleeping.store(sleepers.len(), Ordering::SeqCst);
            if sleeper.is_some() {
                self.searching.fetch_add(1, Ordering::SeqCst);
            }
            sleeper
        };
        if let (Some(index), Some(workers)) = (sleeper, self.workers.get()) {
            workers[index].unpark();
        }
    }

    fn has_work(&self) -> bool {
        !self.injector.is_empty()
            || self.urgent_count.load(Ordering::Relaxed) > 0
            || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }

    fn start_pulse(&self) {
        // Ordered after this worker left the sleepers: the pulse looks at both the other way round.
        if !self.pulsing.load(Ordering::SeqCst)
            && !self.pulsing.swap(true, Ordering::SeqCst)
            && let Some(pulse) = self.pulse.get()
        {
            pulse.unpark();
        }
    }
}

/// The life of a worker.
fn work(shared: Arc<Shared>, queue: Worker<Arc<Process>>, index: usize) {
    shared.counters.adopt(index);
    LOCAL.set(Some(Local { shared: shared.clone(), queue, slot: None, slot_turns: 0 }));
    let mut turn = 0_u32;
    let mut searching = false;
    while !shared.stopping.load(Ordering::Relaxed) {
        shared.timers.fire_due();
        turn = turn.wrapping_add(1);
        let next = next_local(&shared, turn)
            .or_else(|| steal(&shared, index))
            .or_else(|| shared.pop_urgent());
        if searching {
            searching = false;
            let last = shared.searching.fetch_sub(1, Ordering::SeqCst) == 1;
            if next.is_some() && last && shared.has_work() {
                shared.wake_worker();
            }
        }
        match next {
            Some(process) if process.stands_back() => shared.put_back(process),
            Some(process) => {
                shared.start_pulse();
                process.run();
            }
            None => searching = sleep(&shared, index),
        }
    }
    // Processes that are still queued end with the node; their memory goes with the queue.
    // Dropped when it is no longer borrowed, since what a process owns may wake others.
    drop(LOCAL.take());
}

fn next_local(shared: &Shared, turn: u32) -> Option<Arc<Process>> {
    if !turn.is_multiple_of(URGENT_TURNS)
        && let Some(process) = shared.pop_urgent()
    {
        return Some(process);
    }
    // Every other turn belongs to what timers and I/O woke, so that it waits for one slice at most
    // beside processes that never pause.
    if turn.is_multiple_of(2)
        && !shared.injector.is_empty()
        && let Some(process) = steal_from(|| shared.injector.steal())
    {
        return Some(process);
    }
    LOCAL.with_borrow_mut(|local| {
        let local = local.as_mut()?;
        if local.slot_turns < SLOT_TURNS_MAX
            && let Some(process) = local.slot.take()
        {
            local.slot_turns += 1;
            return Some(process);
        }
        local.slot_turns = 0;
        local.queue.pop().or_else(|| local.slot.take())
    })
}

fn steal(shared: &Shared, index: usize) -> Option<Arc<Process>> {
    let others = shared.stealers.len();
    LOCAL.with_borrow(|local| {
        let queue = &local.as_ref()?.queue;
        steal_from(|| shared.injector.steal_batch_and_pop(queue)).or_else(|| {
            (1..others).find_map(|offset| {
                let victim = &shared.stealers[(index + offset) % others];
                steal_from(|| victim.steal_batch_and_pop(queue))
            })
        })
    })
}

fn steal_from(mut attempt: impl FnMut() -> Steal<Arc<Process>>) -> Option<Arc<Process>> {
    loop {
        match attempt() {
            Steal::Success(process) => return Some(process),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}

/// Sleeps until there may be work. Returns whether this worker now counts as a searcher.
fn sleep(shared: &Shared, index: usize) -> bool {
    {
        let mut sleepers = lock(&shared.sleepers);
        sleepers.push(index);
        shared.sleeping.store(sleepers.len(), Ordering::SeqCst);
    }
    fence(Ordering::SeqCst);
    loop {
        let awake = shared.has_work() || shared.stopping.load(Ordering::SeqCst);
        let mut sleepers = lock(&shared.sleepers);
        let Some(place) = sleepers.iter().position(|sleeper| *sleeper == index) else {
            // Whoever took this worker off the list counted it as a searcher.
            return true;
        };
        if awake {
            sleepers.swap_remove(place);
            shared.sleeping.store(sleepers.len(), Ordering::SeqCst);
            return false;
        }
        drop(sleepers);
        thread::park();
    }
}

/// The life of the pulse: it beats while some worker is awake.
fn pulse(shared: &Shared, on_pulse: &OnPulse) {
    let workers = shared.stealers.len();
    while !shared.stopped.load(Ordering::Relaxed) {
        thread::sleep(PULSE);
        on_pulse();
        if shared.sleeping.load(Ordering::SeqCst) == workers {
            shared.pulsing.store(false, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            // A worker that woke before it could see that the pulse had stopped is seen here.
            while !shared.pulsing.load(Ordering::SeqCst)
                && shared.sleeping.load(Ordering::SeqCst) == workers
                && !shared.stopped.load(Ordering::SeqCst)
            {
                thread::park();
            }
            shared.pulsing.store(true, Ordering::SeqCst);
        }
    }
}
