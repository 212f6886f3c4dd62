//! What a node tells about itself: counters that are kept while it runs, and figures that are
//! looked up when somebody asks.
//!
//! A counter is a sum over shards. Each worker has a shard of its own, on cache lines that no other
//! thread writes: counting a message is a load and a store there, and never waits for another core.
//! All other threads share one shard, with atomic additions. So nothing is lost as long as a thread
//! finds its own shard only in the counters of its own node, which it is told once, at its start.
//!
//! What can be looked up is not counted: the depths of mailboxes are read by walking the tables of
//! processes, with each lock held for a moment only. Such figures are no snapshot: each is true,
//! but not all of them at the same moment.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use lunatic_model::ExitReason;

use crate::lock;

/// Figures of a node. Counters start from 0 with the node and never decrease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Processes that live or are being spawned: what `processes_max` bounds.
    pub processes: usize,
    /// Threads that run processes.
    pub workers: usize,
    /// Counter: processes that were started.
    pub spawns: u64,
    /// Counters: processes that ended, each reason once, and each limit once that was ever met.
    pub ends: Vec<Ends>,
    /// Counter: processes that a bug of the runtime ended; those linked to them are not among them.
    pub host_panics: u64,
    /// Counter: messages that left their senders, timers' included.
    pub messages_sent: u64,
    /// Counter: those of them that got into a mailbox. The others met nobody.
    pub messages_delivered: u64,
    /// What lies in all mailboxes now.
    pub mailboxes: Mailboxes,
    /// Processes that could run and wait for a worker, without the one that each worker runs next.
    pub run_queue: usize,
    /// Deadlines still to come: sleeps, receives with a timeout, messages to be sent later.
    pub timers: usize,
    /// Names of processes.
    pub names: usize,
}

/// How many processes ended for one reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The kind of the reason, in one word.
    pub reason: &'static str,
    /// If the reason is a limit: which.
    pub limit: Option<&'static str>,
    /// So many.
    pub count: u64,
}

/// What lies in mailboxes, trapped exits and downs included.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Mailboxes {
    /// Messages that nobody has received yet.
    pub messages: u64,
    /// What they count for, in bytes.
    pub bytes: u64,
    /// Messages in the fullest of the mailboxes.
    pub deepest: usize,
}

impl Mailboxes {
    /// Adds one mailbox.
    pub(crate) fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
        self.deepest = self.deepest.max(messages);
    }
}

/// The words for reasons, by [`kind`].
const REASONS: [&str; 11] = [
    "normal",
    "shutdown",
    "killed",
    "noproc",
    "noconnection",
    "exit",
    "trap",
    "error",
    "host_panic",
    "limit",
    "custom",
];
/// The place of limits among [`REASONS`].
const LIMIT: usize = 9;

fn kind(reason: &ExitReason) -> usize {
    match reason {
        ExitReason::Normal => 0,
        ExitReason::Shutdown => 1,
        ExitReason::Kill | ExitReason::Killed => 2,
        ExitReason::NoProcess => 3,
        ExitReason::NoConnection => 4,
        ExitReason::Exit(_) => 5,
        ExitReason::Trap(_) => 6,
        ExitReason::Error(_) => 7,
        ExitReason::HostPanic(_) => 8,
        ExitReason::Limit(_) => LIMIT,
        ExitReason::Custom(_) => 10,
    }
}

/// One thread's part of all counters. Aligned to the two cache lines that processors fetch at once.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Shard {
    pub(crate) spawns: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) unheard: AtomicU64,
    host_panics: AtomicU64,
    ends: [AtomicU64; REASONS.len()],
}

/// The counters of a node.
pub(crate) struct Counters {
    workers: Box<[Shard]>,
    others: Shard,
    /// Ends by the name of the limit: far too rare for shards.
    limits: Mutex<BTreeMap<&'static str, u64>>,
}

thread_local! {
    /// The address of the counters of this worker's node, and its place among them.
    static OWN: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

impl Counters {
    pub(crate) fn new(workers: usize) -> Counters {
        Counters {
            workers: (0..workers).map(|_| Shard::default()).collect(),
            others: Shard::default(),
            limits: Mutex::default(),
        }
    }

    /// Gives the shard of a worker to this thread. No other thread may ask for the same, and the
    /// thread must keep the counters alive from now on: they are known by their address.
    pub(crate) fn adopt(&self, worker: usize) {
        OWN.set((ptr::from_ref(self).addr(), worker));
    }

    /// Adds one to a counter.
    pub(crate) fn count(&self, counter: impl Fn(&Shard) -> &AtomicU64) {
        let (address, worker) = OWN.get();
        if address == ptr::from_ref(self).addr() {
            let counter = counter(&self.workers[worker]);
            counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        } else {
            counter(&self.others).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the end of a process; `own` says whether it failed on its own account.
    pub(crate) fn count_end(&self, reason: &ExitReason, own: bool) {
        if let ExitReason::Limit(name) = reason {
            *lock(&self.limits).entry(*name).or_default() += 1;
        }
        if own && matches!(reason, ExitReason::HostPanic(_)) {
            self.count(|shard| &shard.host_panics);
        }
        self.count(|shard| &shard.ends[kind(reason)]);
    }

    pub(crate) fn sum(&self, counter: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        let shards = self.workers.iter().chain([&self.others]);
        shards.map(|shard| counter(shard).load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn host_panics(&self) -> u64 {
        self.sum(|shard| &shard.host_panics)
    }

    /// All ends together.
    pub(crate) fn exits(&self) -> u64 {
        (0..REASONS.len()).map(|kind| self.sum(|shard| &shard.ends[kind])).sum()
    }

    pub(crate) fn ends(&self) -> Vec<Ends> {
        let kinds = (0..REASONS.len()).filter(|kind| *kind != LIMIT).map(|kind| Ends {
            reason: REASONS[kind],
            limit: None,
            count: self.sum(|shard| &shard.ends[kind]),
        });
        let limits = lock(&self.limits);
        let of_limit = |(name, count): (&&'static str, &u64)| Ends {
            reason: REASONS[LIMIT],
            limit: Some(name),
            count: *count,
        };
        kinds.chain(limits.iter().map(of_limit)).collect()
    }
}
