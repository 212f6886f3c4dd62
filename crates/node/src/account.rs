//! Accounts: what processes use of their budgets, counted for each and for whole subtrees.
//!
//! A process has an account if its configuration, or that of a process above it, asked for one; all
//! others pay for a look at an empty place. Accounts form chains: a process's own, then those of
//! the subtrees in which it lives. What is used counts in each of a chain, or, where one refuses,
//! in none.
//!
//! Processor time is known only after it was used. So a rate is a bucket that may be in debt; a
//! process whose chain has a debt does not run, stands in the line of that bucket, and is let go in
//! its turn. Its end never waits for that.
//!
//! Invariants: no lock of a process is taken while one of an account is held; a line that is not
//! empty has a deadline set.

mod flow;
mod holding;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use lunatic_model::{Bucket, Budget, Budgeted, Budgets, ExitReason, Policy, Scope, TimerKey};

use crate::environment::SpawnError;
use crate::lock;
use crate::process::Process;
use crate::scheduler::PULSE;
use crate::timers::Timers;
use flow::Flow;

pub(crate) use holding::Membership;
pub use holding::{Charged, OpenDescriptor};

/// Accounts above one process: whoever nests subtrees without end would make each step dear.
const CHAIN_MAX: usize = 16;
/// What a process counts for in memory, beside what it asks for: its stack, its tables, its place
/// with the scheduler.
const PROCESS_BYTES: u64 = 16 << 10;
/// A rate's burst: what may be used at once after a pause, as the time in which it comes back.
const BURST: Duration = Duration::from_millis(50);

/// The limit of a budget that stood in the way, and whether the process is to end for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it would go beyond {limit}, the limit of a budget")]
pub struct OverBudget {
    /// The name of the limit.
    pub limit: &'static str,
    /// The configuration says that the process ends there.
    pub ends: bool,
}

/// What an account says: of each kind what is used, in the kind's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountUsage {
    /// Bytes of memory now.
    pub memory: u64,
    /// Nanoseconds of processor time so far.
    pub cpu_nanoseconds: u64,
    /// How often a process had to wait for its share of a core.
    pub held: u64,
    /// Live children, or descendants.
    pub children: u64,
    /// Messages sent so far.
    pub sent: u64,
    /// Messages received so far.
    pub received: u64,
    /// Bytes sent and received on the network so far.
    pub network: u64,
    /// Sockets, files and databases that are open.
    pub descriptors: u64,
    /// Time since the account was opened.
    pub age: Duration,
    /// What there may be.
    pub budget: Budget,
}

/// What one process, or one subtree, uses of its budget.
pub struct Account {
    scope: Scope,
    budget: Budget,
    /// The subtree around it.
    above: Option<Arc<Account>>,
    /// The account of the process that spawned it, where this process counts as a child.
    spawner: Option<Arc<Account>>,
    length: usize,
    timers: Arc<Timers>,
    opened: u64,
    memory: AtomicU64,
    cpu: AtomicU64,
    held: AtomicU64,
    children: AtomicU64,
    descriptors: AtomicU64,
    /// What of `memory` lies in the mailbox of the process.
    mailbox: AtomicU64,
    left: AtomicBool,
    rate: Mutex<Rate>,
    /// Processes whose mailboxes had no room for want of memory, by serial.
    starved: Mutex<BTreeMap<u64, Weak<Process>>>,
    is_starved: AtomicBool,
    deadline: Mutex<Option<TimerKey>>,
    flow: Flow,
}

struct Rate {
    bucket: Bucket,
    line: VecDeque<Weak<Process>>,
    /// A deadline is set at which the line moves.
    armed: bool,
}

impl Account {
    /// The account of a new process: `None` if nobody asked for one. A child is counted in those of
    /// its parent from here on.
    pub(crate) fn open(
        timers: &Arc<Timers>,
        parent: Option<&Arc<Account>>,
        budgets: &Budgets,
    ) -> Result<Option<Arc<Account>>, SpawnError> {
        let around = parent.and_then(|parent| parent.above.clone());
        if parent.is_none() && budgets.process.is_none() && budgets.subtree.is_none() {
            return Ok(None);
        }
        let above = match budgets.subtree.as_deref().copied() {
            Some(budget) => Some(Arc::new(Account::new(timers, Scope::Subtree, budget, around))),
            None => around,
        };
        let own = budgets.process.as_deref().copied().unwrap_or_default();
        let mut account = Account::new(timers, Scope::Process, own, above);
        account.spawner = parent.cloned();
        let account = Arc::new(account);
        if account.length > CHAIN_MAX {
            return Err(SpawnError::NestedBudgets(CHAIN_MAX));
        }
        account.charge_memory(PROCESS_BYTES).map_err(SpawnError::OverBudget)?;
        if let Some(parent) = parent
            && let Err(over) = parent.charge(Counter::Children, 1)
        {
            account.release_memory(PROCESS_BYTES);
            return Err(SpawnError::OverBudget(over));
        }
        Ok(Some(account))
    }

    fn new(
        timers: &Arc<Timers>,
        scope: Scope,
        budget: Budget,
        above: Option<Arc<Account>>,
    ) -> Account {
        let opened = timers.now();
        // A thousandth of a core is a million nanoseconds in a second.
        let rate = budget.amount(Budgeted::CpuRate).saturating_mul(1_000_000);
        let burst = (u128::from(rate) * BURST.as_millis() / 1000).max(1);
        let burst = u64::try_from(burst).unwrap_or(u64::MAX);
        Account {
            scope,
            budget,
            length: above.as_ref().map_or(0, |above| above.length) + 1,
            above,
            spawner: None,
            timers: timers.clone(),
            opened,
            memory: AtomicU64::new(0),
            cpu: AtomicU64::new(0),
            held: AtomicU64::new(0),
            children: AtomicU64::new(0),
            descriptors: AtomicU64::new(0),
            mailbox: AtomicU64::new(0),
            left: AtomicBool::new(false),
            rate: Mutex::new(Rate {
                bucket: Bucket::new(rate, burst, opened),
                line: VecDeque::new(),
                armed: false,
            }),
            starved: Mutex::default(),
            is_starved: AtomicBool::new(false),
            deadline: Mutex::default(),
            flow: Flow::new(&budget, opened),
        }
    }

    /// This account and those of the subtrees around it, inner ones first.
    fn chain(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Account>> {
        std::iter::successors(Some(self), |account| account.above.as_ref())
    }

    /// The account of the innermost subtree of which its process is the first.
    pub fn subtree(self: &Arc<Self>) -> Option<&Arc<Account>> {
        let around = self.spawner.as_ref().and_then(|spawner| spawner.above.as_ref());
        let above = self.above.as_ref()?;
        around.is_none_or(|around| !Arc::ptr_eq(around, above)).then_some(above)
    }

    /// What is used now.
    pub fn usage(&self) -> AccountUsage {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AccountUsage {
            memory: load(&self.memory),
            cpu_nanoseconds: load(&self.cpu),
            held: load(&self.held),
            children: load(&self.children),
            sent: load(&self.flow.sent),
            received: load(&self.flow.received),
            network: load(&self.flow.network),
            descriptors: load(&self.descriptors),
            age: Duration::from_nanos(self.timers.now().saturating_sub(self.opened)),
            budget: self.budget,
        }
    }

    fn over(&self, kind: Budgeted) -> OverBudget {
        let ends = self.budget.policy(kind) == Policy::End;
        OverBudget { limit: kind.limit(self.scope), ends }
    }

    fn counter(&self, counter: Counter) -> (&AtomicU64, Budgeted) {
        match counter {
            Counter::Memory => (&self.memory, Budgeted::Memory),
            Counter::Children => (&self.children, Budgeted::Children),
            Counter::Descriptors => (&self.descriptors, Budgeted::Descriptors),
        }
    }

    /// Counts in the whole chain, or nowhere.
    fn charge(self: &Arc<Self>, what: Counter, amount: u64) -> Result<(), OverBudget> {
        for (index, account) in self.chain().enumerate() {
            let (counter, kind) = account.counter(what);
            let max = account.budget.amount(kind);
            let more = |used: u64| used.checked_add(amount).filter(|new| *new <= max);
            if counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
                for below in self.chain().take(index) {
                    below.counter(what).0.fetch_sub(amount, Ordering::Relaxed);
                }
                return Err(account.over(kind));
            }
        }
        Ok(())
    }

    fn discharge(self: &Arc<Self>, what: Counter, amount: u64) {
        for account in self.chain() {
            account.counter(what).0.fetch_sub(amount, Ordering::Relaxed);
        }
    }

    /// Counts bytes that the process has or that the host holds for it, if there may be so many.
    pub fn charge_memory(self: &Arc<Self>, bytes: u64) -> Result<(), OverBudget> {
        self.charge(Counter::Memory, bytes)
    }

    /// Counts bytes that are there already.
    pub fn add_memory(self: &Arc<Self>, bytes: u64) {
        for account in self.chain() {
            account.memory.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes back what was counted.
    pub fn release_memory(self: &Arc<Self>, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.discharge(Counter::Memory, bytes);
        for account in self.chain() {
            // Ordered after the discharge: who starves looks at both the other way round.
            if account.is_starved.load(Ordering::SeqCst) {
                account.feed();
            }
        }
    }

    /// Bytes of memory that are left in the whole chain.
    pub(crate) fn room(self: &Arc<Self>) -> usize {
        let left = |account: &Arc<Account>| {
            let used = account.memory.load(Ordering::SeqCst);
            account.budget.amount(Budgeted::Memory).saturating_sub(used)
        };
        usize::try_from(self.chain().map(left).min().unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
    }

    /// Says how many bytes lie in the mailbox of its process now.
    pub(crate) fn set_mailbox(self: &Arc<Self>, bytes: usize) {
        let bytes = bytes as u64;
        let before = self.mailbox.swap(bytes, Ordering::Relaxed);
        match bytes.checked_sub(before) {
            Some(0) => {}
            Some(more) => self.add_memory(more),
            None => self.release_memory(before - bytes),
        }
    }

    /// A message of so many bytes had no room in the mailbox of this process. If that was for want
    /// of memory, its senders try again when some is free.
    pub(crate) fn starves(self: &Arc<Self>, process: &Arc<Process>, bytes: usize) {
        if self.room() >= bytes {
            return;
        }
        for account in self.chain() {
            let serial = process.pid().serial;
            lock(&account.starved).insert(serial, Arc::downgrade(process));
            account.is_starved.store(true, Ordering::SeqCst);
        }
        if self.room() >= bytes {
            self.chain().for_each(|account| account.feed());
        }
    }

    /// Lets senders of starved processes try again soon, but not from here, where the lock of a
    /// process may be held.
    fn feed(self: &Arc<Self>) {
        if self.is_starved.swap(false, Ordering::SeqCst) {
            self.timers.set_wake(self.timers.now(), Waker::from(Arc::new(Feed(self.clone()))));
        }
    }

    /// Whether the process may run now. If not, it stands in a line and is woken in its turn.
    pub(crate) fn may_run(self: &Arc<Self>, process: &Arc<Process>) -> bool {
        self.chain().all(|account| {
            account.budget.amount(Budgeted::CpuRate) == Budget::UNBOUNDED || account.admits(process)
        })
    }

    fn admits(self: &Arc<Self>, process: &Arc<Process>) -> bool {
        let mut rate = lock(&self.rate);
        let now = self.timers.now();
        if rate.bucket.level(now) > 0 {
            return true;
        }
        if process.stand_in_line() {
            self.held.fetch_add(1, Ordering::Relaxed);
            rate.line.push_back(Arc::downgrade(process));
        }
        self.arm(&mut rate, now);
        false
    }

    fn arm(self: &Arc<Self>, rate: &mut Rate, not_before: u64) {
        if !rate.armed {
            rate.armed = true;
            let at = rate.bucket.ready_at(self.timers.now()).max(not_before);
            self.timers.set_wake(at, Waker::from(self.clone()));
        }
    }

    /// Counts processor time. Gives the limit of the first total that it used up.
    pub(crate) fn charge_cpu(self: &Arc<Self>, nanoseconds: u64) -> Option<&'static str> {
        let mut over = None;
        for account in self.chain() {
            let used = account.cpu.fetch_add(nanoseconds, Ordering::Relaxed) + nanoseconds;
            let max = account.budget.amount(Budgeted::CpuTime);
            if used > max.saturating_mul(1_000_000) {
                over = over.or(Some(Budgeted::CpuTime.limit(account.scope)));
            }
            if account.budget.amount(Budgeted::CpuRate) != Budget::UNBOUNDED {
                lock(&account.rate).bucket.take(account.timers.now(), nanoseconds);
            }
        }
        over
    }

    /// The process begins: it ends when the first lifetime of its chain is over.
    pub(crate) fn begin(self: &Arc<Self>, process: &Arc<Process>) {
        let ends =
            self.chain().filter_map(|account| match account.budget.amount(Budgeted::Lifetime) {
                Budget::UNBOUNDED => None,
                life => {
                    let life = life.saturating_mul(1_000_000);
                    Some((account.opened.saturating_add(life), account.scope))
                }
            });
        let Some((end, scope)) = ends.min_by_key(|(end, _)| *end) else { return };
        let process = Arc::downgrade(process);
        let reason = ExitReason::Limit(Budgeted::Lifetime.limit(scope));
        let mut deadline = lock(&self.deadline);
        *deadline =
            Some(self.timers.set_wake(end, Waker::from(Arc::new(Lifetime { process, reason }))));
    }

    /// The process has ended, or never began: it counts as a child no more, and its lifetime is
    /// nobody's business.
    pub(crate) fn leave(self: &Arc<Self>) {
        let deadline = lock(&self.deadline).take();
        if let Some(key) = deadline {
            self.timers.cancel_wake(key);
        }
        if !self.left.swap(true, Ordering::Relaxed) {
            self.set_mailbox(0);
            self.release_memory(PROCESS_BYTES);
            if let Some(spawner) = &self.spawner {
                spawner.discharge(Counter::Children, 1);
            }
        }
    }
}

/// What is counted and taken back.
#[derive(Clone, Copy)]
enum Counter {
    Memory,
    Children,
    Descriptors,
}

/// The deadline of a line: so many go on as what is in the bucket lasts for.
impl Wake for Account {
    fn wake(self: Arc<Self>) {
        let mut released = Vec::new();
        {
            let mut rate = lock(&self.rate);
            rate.armed = false;
            let now = self.timers.now();
            let slice = PULSE.as_nanos() as i64;
            let level = rate.bucket.level(now);
            let turns = if level > 0 { level / slice + 1 } else { 0 };
            for _ in 0..turns {
                match rate.line.pop_front().map(|process| process.upgrade()) {
                    Some(process) => released.extend(process),
                    None => break,
                }
            }
            if !rate.line.is_empty() {
                let later = now.saturating_add(PULSE.as_nanos() as u64);
                self.arm(&mut rate, later);
            }
        }
        for process in released {
            process.leave_line();
            process.wake_by_ref();
        }
    }
}

/// Memory is free again.
struct Feed(Arc<Account>);

impl Wake for Feed {
    fn wake(self: Arc<Self>) {
        let starved = std::mem::take(&mut *lock(&self.0.starved));
        for process in starved.into_values().filter_map(|process| process.upgrade()) {
            if let Some(sender) = process.with_state(|state| state.next_sender()) {
                process.environment().wake(sender);
            }
        }
    }
}

/// The end of a lifetime.
struct Lifetime {
    process: Weak<Process>,
    reason: ExitReason,
}

impl Wake for Lifetime {
    fn wake(self: Arc<Self>) {
        if let Some(process) = self.process.upgrade() {
            process.end(self.reason.clone());
            process.wake_by_ref();
        }
    }
}
