//! Deadlines: sleeping processes and messages that are to be sent later.
//!
//! One queue for the node. Workers fire what is due between two turns; a thread of its own fires
//! it while all of them sleep or run long. Precision is that of the system's clock, not of a tick.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lunatic_model::{Deed, ExitReason, Message, Pid, Signal, TimerKey, TimerQueue};

use crate::account::Charged;
use crate::environment::Environment;
use crate::lock;
use crate::process::Process;
use crate::send::Recipient;

/// Due entries taken from the queue at once, so that its lock is never held for long.
const BATCH: usize = 64;
const NEVER: u64 = u64::MAX;

pub(crate) struct Timers {
    origin: Instant,
    queue: Mutex<Queue>,
    /// Held while entries fire: two threads that fire at once would overtake each other.
    firing: Mutex<()>,
    /// The first deadline, to be read without the lock; [`NEVER`] if there is none.
    next: AtomicU64,
    earlier: Condvar,
    stopping: AtomicBool,
    max: usize,
}

#[derive(Default)]
struct Queue {
    due: TimerQueue<Due>,
    /// Messages to be sent later, by the id that their creator knows.
    keys: HashMap<u64, (Pid, TimerKey)>,
}

impl Queue {
    fn key_of(&self, owner: &Process, id: u64) -> Option<TimerKey> {
        let (of, key) = self.keys.get(&id).copied()?;
        (of == owner.pid()).then_some(key)
    }
}

/// A message that is to be sent.
struct Later {
    id: u64,
    owner: Arc<Process>,
    environment: Weak<Environment>,
    to: Recipient,
    message: Message,
    /// What the message counts for in the account of its owner until then.
    _memory: Charged,
}

enum Due {
    Wake(Waker),
    Send(Later),
}

impl Timers {
    pub(crate) fn new(max: usize) -> Arc<Timers> {
        Arc::new(Timers {
            origin: Instant::now(),
            queue: Mutex::default(),
            firing: Mutex::default(),
            next: AtomicU64::new(NEVER),
            earlier: Condvar::new(),
            stopping: AtomicBool::new(false),
            max,
        })
    }

    /// Starts the thread that fires timers while no worker does.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let timers = self.clone();
        std::thread::Builder::new().name("timers".into()).spawn(move || {
            while !timers.stopping.load(Ordering::SeqCst) {
                let firing = lock(&timers.firing);
                timers.fire_while_due(&firing);
                drop(firing);
                timers.wait();
            }
        })
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _queue = lock(&self.queue);
        self.earlier.notify_all();
    }

    fn wait(&self) {
        let queue = lock(&self.queue);
        if self.stopping.load(Ordering::SeqCst) {
            return;
        }
        match queue.due.next_deadline() {
            None => drop(self.earlier.wait(queue).unwrap_or_else(PoisonError::into_inner)),
            Some(deadline) => {
                let wait = Duration::from_nanos(deadline.saturating_sub(self.now()));
                let waited = self.earlier.wait_timeout(queue, wait);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Nanoseconds since the start of the node.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(NEVER - 1)
    }

    fn deadline_in(&self, delay: Duration) -> u64 {
        let delay = u64::try_from(delay.as_nanos()).unwrap_or(NEVER);
        self.now().saturating_add(delay).min(NEVER - 1)
    }

    /// Fires everything that is due, unless another thread is at it.
    pub(crate) fn fire_due(&self) {
        let next = self.next.load(Ordering::Relaxed);
        if next == NEVER || self.now() < next {
            return;
        }
        match self.firing.try_lock() {
            Ok(firing) => self.fire_while_due(&firing),
            Err(TryLockError::Poisoned(firing)) => self.fire_while_due(&firing.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    fn fire_while_due(&self, _firing: &MutexGuard<'_, ()>) {
        loop {
            let mut batch = Vec::new();
            {
                let mut queue = lock(&self.queue);
                let now = self.now();
                while batch.len() < BATCH {
                    let Some(due) = queue.due.pop_due(now) else { break };
                    if let Due::Send(Later { id, .. }) = &due {
                        queue.keys.remove(id);
                    }
                    batch.push(due);
                }
                self.publish_next(&queue);
            }
            let finished = batch.len() < BATCH;
            batch.into_iter().for_each(fire);
            if finished {
                return;
            }
        }
    }

    fn publish_next(&self, queue: &Queue) {
        self.next.store(queue.due.next_deadline().unwrap_or(NEVER), Ordering::Relaxed);
    }

    fn set(&self, queue: &mut Queue, deadline: u64, due: Due) -> TimerKey {
        let first = queue.due.next_deadline().is_none_or(|next| deadline < next);
        let key = queue.due.set(deadline, due);
        if first {
            self.publish_next(queue);
            self.earlier.notify_one();
        }
        key
    }

    /// Wakes at a time of [`Timers::now`].
    pub(crate) fn set_wake(&self, deadline: u64, waker: Waker) -> TimerKey {
        self.set(&mut lock(&self.queue), deadline.min(NEVER - 1), Due::Wake(waker))
    }

    pub(crate) fn cancel_wake(&self, key: TimerKey) {
        let cancelled = {
            let mut queue = lock(&self.queue);
            let cancelled = queue.due.cancel(key);
            self.publish_next(&queue);
            cancelled
        };
        // A waker may own the last handle of its process: it is dropped outside of the lock.
        drop(cancelled);
    }

    /// Deadlines that are still to come.
    pub(crate) fn len(&self) -> usize {
        lock(&self.queue).due.len()
    }

    /// A future that ends after `delay`.
    pub(crate) fn sleep(self: &Arc<Self>, delay: Duration) -> Sleep {
        Sleep { timers: self.clone(), deadline: self.deadline_in(delay), key: None }
    }

    /// A future that ends at a time of [`Timers::now`].
    pub(crate) fn sleep_until(self: &Arc<Self>, deadline: u64) -> Sleep {
        Sleep { timers: self.clone(), deadline, key: None }
    }

    /// Sends `message` to `to` after `delay`. The `id` is for [`Timers::cancel_send`]. At a limit
    /// the owner ends.
    pub(crate) fn send_after(
        &self,
        owner: &Arc<Process>,
        id: u64,
        to: Recipient,
        message: Message,
        delay: Duration,
    ) -> Result<(), ExitReason> {
        if owner.timers_running() >= owner.limits().timers_max {
            return Err(ExitReason::Limit("timers_max"));
        }
        let charged = Charged::new(owner.account(), message.bytes());
        let memory = charged.map_err(|over| ExitReason::Limit(over.limit))?;
        let mut queue = lock(&self.queue);
        if queue.due.len() >= self.max {
            return Err(ExitReason::Limit("node_timers_max"));
        }
        let environment = Arc::downgrade(owner.environment());
        owner.count_timer(1);
        let pid = owner.pid();
        let owner = owner.clone();
        let due = Due::Send(Later { id, owner, environment, to, message, _memory: memory });
        let key = self.set(&mut queue, self.deadline_in(delay), due);
        queue.keys.insert(id, (pid, key));
        Ok(())
    }

    /// Cancels a timer of `owner` and gives the time that was left; `None` if it has fired, was
    /// cancelled or is another's.
    pub(crate) fn cancel_send(&self, owner: &Process, id: u64) -> Option<Duration> {
        let (key, cancelled) = {
            let mut queue = lock(&self.queue);
            let key = queue.key_of(owner, id)?;
            queue.keys.remove(&id);
            let cancelled = queue.due.cancel(key);
            self.publish_next(&queue);
            (key, cancelled?)
        };
        if let Due::Send(Later { owner, .. }) = &cancelled {
            owner.count_timer(-1);
        }
        Some(self.until(key))
    }

    /// The time that is left for a timer of `owner`, as [`Timers::cancel_send`] tells it.
    pub(crate) fn read_send(&self, owner: &Process, id: u64) -> Option<Duration> {
        let key = lock(&self.queue).key_of(owner, id)?;
        Some(self.until(key))
    }

    fn until(&self, key: TimerKey) -> Duration {
        Duration::from_nanos(key.deadline.saturating_sub(self.now()))
    }
}

fn fire(due: Due) {
    match due {
        Due::Wake(waker) => waker.wake(),
        Due::Send(Later { owner, environment, to, message, .. }) => {
            owner.count_timer(-1);
            let Some(environment) = environment.upgrade() else { return };
            let to = match to {
                Recipient::Process(to) => Some(to),
                Recipient::Name(name) => environment.whereis(&name),
            };
            let to = to.filter(|to| owner.may(Deed::Send, *to));
            match to {
                Some(to) => environment.signal(to, Signal::Timer(message)),
                None => environment.count_message(false),
            }
        }
    }
}

/// Ends at a deadline.
pub struct Sleep {
    timers: Arc<Timers>,
    deadline: u64,
    key: Option<TimerKey>,
}

impl Sleep {
    pub(crate) fn has_passed(&self) -> bool {
        self.timers.now() >= self.deadline
    }

    /// Makes sure that the waker is woken at the deadline.
    pub(crate) fn arm(&mut self, waker: &Waker) {
        if self.key.is_none() {
            self.key = Some(self.timers.set_wake(self.deadline, waker.clone()));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_passed() {
            return Poll::Ready(());
        }
        self.arm(cx.waker());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timers.cancel_wake(key);
        }
    }
}
