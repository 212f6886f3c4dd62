//! What flows through a process: messages in and out by the second, bytes on the network in all.
//!
//! Whoever sends faster than a budget says waits for the bucket; so does whoever sends to a process
//! that may not receive so fast, in the line of its mailbox.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use lunatic_model::{Bucket, Budget, Budgeted};

use super::{Account, Feed, OverBudget};
use crate::lock;
use crate::process::Process;

/// The counters and buckets of one account.
pub(super) struct Flow {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) network: AtomicU64,
    out: Option<Mutex<Bucket>>,
    r#in: Option<Mutex<Bucket>>,
}

impl Flow {
    pub(super) fn new(budget: &Budget, now: u64) -> Flow {
        let bucket = |kind| match budget.amount(kind) {
            Budget::UNBOUNDED => None,
            // What may come in a second may come at once.
            rate => Some(Mutex::new(Bucket::new(rate, rate, now))),
        };
        Flow {
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            network: AtomicU64::new(0),
            out: bucket(Budgeted::MessagesOut),
            r#in: bucket(Budgeted::MessagesIn),
        }
    }
}

impl Account {
    /// The latest time at which one of these buckets has a token; `None` if all have one now.
    fn ready_at(self: &Arc<Self>, which: fn(&Flow) -> &Option<Mutex<Bucket>>) -> Option<u64> {
        let now = self.timers.now();
        let buckets = self.chain().filter_map(|account| which(&account.flow).as_ref());
        let later = buckets.map(|bucket| lock(bucket).ready_at(now)).filter(|at| *at > now);
        later.max()
    }

    fn take(self: &Arc<Self>, which: fn(&Flow) -> &Option<Mutex<Bucket>>) {
        let now = self.timers.now();
        for bucket in self.chain().filter_map(|account| which(&account.flow).as_ref()) {
            lock(bucket).take(now, 1);
        }
    }

    /// Counts a message that the process sends; or says when it may.
    pub(crate) fn take_send(self: &Arc<Self>) -> Result<(), u64> {
        if let Some(at) = self.ready_at(|flow| &flow.out) {
            return Err(at);
        }
        self.take(|flow| &flow.out);
        self.chain().for_each(|account| {
            account.flow.sent.fetch_add(1, Ordering::Relaxed);
        });
        Ok(())
    }

    /// Whether the process may receive a message now.
    pub(crate) fn may_receive(self: &Arc<Self>) -> bool {
        self.ready_at(|flow| &flow.r#in).is_none()
    }

    /// Counts a message that the process has received.
    pub(crate) fn count_received(self: &Arc<Self>) {
        self.take(|flow| &flow.r#in);
        self.chain().for_each(|account| {
            account.flow.received.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// A message had to wait. Where that may have been for the rate of this process,
    /// the first of those who wait
    /// tries again when there is a token; whoever succeeds lets the next one try.
    pub(crate) fn receives_later(self: &Arc<Self>, process: &Arc<Process>) {
        if self.chain().any(|account| account.flow.r#in.is_some()) {
            // A token may have come since.
            let at = self.ready_at(|flow| &flow.r#in).unwrap_or_else(|| self.timers.now());
            lock(&self.starved).insert(process.pid().serial, Arc::downgrade(process));
            self.timers.set_wake(at, Waker::from(Arc::new(Feed(self.clone()))));
        }
    }

    /// Whether the process may move bytes over the network: it may begin, if something is left.
    pub fn may_use_network(self: &Arc<Self>) -> Result<(), OverBudget> {
        let used_up = |account: &&Arc<Account>| {
            let used = account.flow.network.load(Ordering::Relaxed);
            used >= account.budget.amount(Budgeted::Network)
        };
        match self.chain().find(used_up) {
            Some(account) => Err(account.over(Budgeted::Network)),
            None => Ok(()),
        }
    }

    /// Counts bytes that were moved over the network.
    pub fn count_network(self: &Arc<Self>, bytes: u64) {
        for account in self.chain() {
            account.flow.network.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}
