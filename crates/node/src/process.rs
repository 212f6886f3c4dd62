//! One process as the scheduler sees it: its state behind a lock, its body, and its turn.
//!
//! `turn` says who may touch the body: nobody while it is IDLE or QUEUED, the worker that runs it
//! while RUNNING or NOTIFIED. Waking moves IDLE to QUEUED (and queues it, once) and RUNNING to
//! NOTIFIED (the worker queues it again after the turn).
//!
//! The end of a process, always in this order: its body is dropped with all that it owns; names
//! and aliases are taken away and it leaves the table; unread messages are dropped; linked
//! processes get exit signals, watchers get downs, what it suspended goes on; then whoever joined
//! it is woken. The last steps take several turns when there are many to tell, so that a worker is
//! never held.

mod bonds;
mod budget;
mod end;
mod info;
mod suspend;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lunatic_model::{
    Deed, Delivery, ExitReason, Limits, LinkOutcome, Pid, Priority, Process as State, Reach,
    Signal, TrapExit,
};

pub use info::{Info, Status};
pub use suspend::SuspendError;

use crate::account::{Account, Membership};
use crate::denials::Denials;
use crate::environment::Environment;
use crate::exit::ExitReport;
use crate::lineage::Lineage;
use crate::lock;
use crate::node::Place;
use crate::timers::Sleep;
use end::Announcement;

/// What a process runs.
pub type Body = Pin<Box<dyn Future<Output = ExitReason> + Send>>;

/// A process of low priority has one turn in so many.
const LOW_TURNS: u8 = 8;

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const NOTIFIED: u8 = 3;

/// A process.
pub struct Process {
    pid: Pid,
    entry: Arc<str>,
    environment: Arc<Environment>,
    limits: Arc<Limits>,
    state: Mutex<State>,
    turn: AtomicU8,
    /// Turns so far, wrapping. Only the worker that runs the process writes it.
    turns: AtomicU32,
    /// Follows the state, to be read without the lock.
    exiting: AtomicBool,
    releasing: AtomicBool,
    /// Follows the state, and is written under its lock. A turn reads it after it has said that it
    /// runs, and a suspender the other way round, so that one of the two sees the other.
    suspended: AtomicBool,
    /// A [`Priority`], which the scheduler reads.
    priority: AtomicU8,
    /// Of low priority: how often it was its turn, wrapping.
    stood_back: AtomicU8,
    timers: AtomicUsize,
    /// What it uses of its budgets, if it has such.
    account: Option<Membership>,
    /// It stands in the line of an account.
    in_line: AtomicBool,
    /// What its body says of it, for [`Info`].
    memory_bytes: AtomicU64,
    parent: OnceLock<Pid>,
    pub(crate) reach: Reach,
    /// Of processes that are restricted, or descend from one that is.
    pub(crate) lineage: Option<Arc<Lineage>>,
    /// What it was denied, if it was.
    pub(crate) denials: OnceLock<Box<Denials>>,
    phase: Mutex<Phase>,
    ended: OnceLock<ExitReason>,
    joiners: Mutex<Vec<Waker>>,
    _place: Place,
}

enum Phase {
    Prepared,
    Running(Body),
    Announcing(Box<Announcement>),
    Done,
}

impl Process {
    pub(crate) fn new(
        environment: Arc<Environment>,
        pid: Pid,
        entry: Arc<str>,
        limits: Arc<Limits>,
        (place, reach, lineage): (Place, Reach, Option<Arc<Lineage>>),
        account: Option<Arc<Account>>,
    ) -> Arc<Process> {
        Arc::new(Process {
            reach,
            lineage,
            denials: OnceLock::new(),
            pid,
            entry,
            environment,
            state: Mutex::new(State::new(pid, limits.clone())),
            limits,
            turn: AtomicU8::new(IDLE),
            turns: AtomicU32::new(0),
            exiting: AtomicBool::new(false),
            releasing: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            priority: AtomicU8::new(Priority::Normal as u8),
            stood_back: AtomicU8::new(0),
            memory_bytes: AtomicU64::new(0),
            parent: OnceLock::new(),
            timers: AtomicUsize::new(0),
            account: account.map(Membership),
            in_line: AtomicBool::new(false),
            phase: Mutex::new(Phase::Prepared),
            ended: OnceLock::new(),
            joiners: Mutex::default(),
            _place: place,
        })
    }

    /// Its identity.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Where it lives.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Its limits.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Its reason to end, from the moment at which others can hear of it.
    pub fn ended(&self) -> Option<&ExitReason> {
        self.ended.get()
    }

    /// Waits until the process has ended and everybody has been told.
    pub async fn join(&self) -> ExitReason {
        std::future::poll_fn(|cx| {
            let mut joiners = lock(&self.joiners);
            match self.ended.get() {
                Some(reason) => Poll::Ready(reason.clone()),
                None => {
                    joiners.retain(|waker| !waker.will_wake(cx.waker()));
                    joiners.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Whether the process must end as soon as it can.
    pub fn is_exiting(&self) -> bool {
        self.exiting.load(Ordering::Acquire)
    }

    /// The reason with which the process must end, as soon as it is known.
    pub fn exit_reason(&self) -> Option<ExitReason> {
        if !self.is_exiting() {
            return None;
        }
        self.with_state(|state| state.exiting().cloned())
    }

    pub(crate) fn with_state<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        if self.account.is_some() {
            return self.with_counted_state(act);
        }
        let mut state = lock(&self.state);
        let result = act(&mut state);
        self.follow(&state);
        result
    }

    /// The same for the few that have an account.
    #[cold]
    fn with_counted_state<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = lock(&self.state);
        self.tell_room(&mut state);
        let result = act(&mut state);
        self.count_mailbox(&state);
        self.follow(&state);
        result
    }

    fn follow(&self, state: &State) {
        if state.exiting().is_some() {
            self.exiting.store(true, Ordering::Release);
        }
    }

    /// Sends an exit signal.
    pub fn exit(self: &Arc<Self>, to: Pid, reason: ExitReason) {
        let signal = Signal::Exit { from: self.pid, reason, link: false };
        if to == self.pid {
            // Not by way of the table, where it is not yet while its start section runs.
            self.deliver(signal);
        } else if self.may(Deed::Exit, to) {
            self.environment.signal(to, signal);
        }
    }

    /// Kills this process.
    pub fn kill(self: &Arc<Self>) {
        let (from, reason) = (self.pid, ExitReason::Kill);
        self.deliver(Signal::Exit { from, reason, link: false });
    }

    /// Ends this process on its own account, for example at a limit. Its body must return soon.
    pub fn end(&self, reason: ExitReason) {
        self.with_state(|state| state.end(reason));
    }

    /// Which exit signals become messages, for the signals handled from now on. Gives what was
    /// set before.
    pub fn set_trap_exit(&self, trap_exit: TrapExit) -> TrapExit {
        self.with_state(|state| {
            let before = state.trap_exit();
            state.set_trap_exit(trap_exit);
            before
        })
    }

    /// How often it runs beside others.
    pub fn priority(&self) -> Priority {
        Priority::from_number(self.priority.load(Ordering::Relaxed).into()).unwrap_or_default()
    }

    /// Takes effect when the process is queued next. Gives what was set before.
    pub fn set_priority(&self, priority: Priority) -> Priority {
        let before = self.priority.swap(priority as u8, Ordering::Relaxed);
        Priority::from_number(before.into()).unwrap_or_default()
    }

    /// Whether it lets others pass although it is its turn: of low priority, most of the time.
    pub(crate) fn stands_back(&self) -> bool {
        self.priority.load(Ordering::Relaxed) == Priority::Low as u8
            && self.stood_back.fetch_add(1, Ordering::Relaxed) % LOW_TURNS != LOW_TURNS - 1
    }

    /// A future that ends after `delay`.
    pub fn sleep(&self, delay: Duration) -> Sleep {
        self.environment.node().timers().sleep(delay)
    }

    /// Cancels a timer of this process, by its id or the serial of its reference. Gives the time
    /// that was left; `None` if it is too late.
    pub fn cancel_timer(&self, id: u64) -> Option<Duration> {
        self.environment.node().timers().cancel_send(self, id)
    }

    /// The time that is left for a timer of this process; `None` if it has fired or was cancelled.
    pub fn read_timer(&self, id: u64) -> Option<Duration> {
        self.environment.node().timers().read_send(self, id)
    }

    pub(crate) fn timers_running(&self) -> usize {
        self.timers.load(Ordering::Relaxed)
    }

    pub(crate) fn count_timer(&self, change: isize) {
        self.timers.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
    }

    pub(crate) fn is_releasing(&self) -> bool {
        self.releasing.load(Ordering::Acquire)
    }

    pub(crate) fn set_releasing(&self) {
        self.releasing.store(true, Ordering::Release);
    }

    pub(crate) fn set_body(&self, body: Body) {
        *lock(&self.phase) = Phase::Running(body);
    }

    /// Handles a signal and lets the process run if it must.
    pub(crate) fn deliver(self: &Arc<Self>, signal: Signal) -> Delivery {
        let delivery = self.with_state(|state| state.deliver(signal));
        if let Delivery::Wake = delivery {
            self.wake_by_ref();
        }
        delivery
    }

    /// Handles an exit through a link and says what it did.
    pub(crate) fn link_exit(self: &Arc<Self>, from: Pid, reason: ExitReason) -> LinkOutcome {
        let (outcome, wake) = self.with_state(|state| {
            let (alive, messages) = (state.is_alive(), state.mailbox_len());
            match state.deliver(Signal::Exit { from, reason, link: true }) {
                Delivery::Dead(_) => (LinkOutcome::Gone, false),
                delivery => {
                    let outcome = if alive && !state.is_alive() {
                        LinkOutcome::Died
                    } else if state.mailbox_len() > messages {
                        LinkOutcome::Told
                    } else {
                        LinkOutcome::Ignored
                    };
                    (outcome, matches!(delivery, Delivery::Wake))
                }
            }
        });
        if wake {
            self.wake_by_ref();
        }
        outcome
    }

    /// Lets the process run.
    pub(crate) fn wake_by_ref(self: &Arc<Self>) {
        let mut turn = self.turn.load(Ordering::Acquire);
        loop {
            let next = match turn {
                IDLE => QUEUED,
                RUNNING => NOTIFIED,
                // Written all the same: the turn that is coming reads it, and so is sure to see
                // what the waker did before.
                unchanged => unchanged,
            };
            let exchange = Ordering::AcqRel;
            match self.turn.compare_exchange_weak(turn, next, exchange, Ordering::Acquire) {
                Ok(IDLE) => return self.environment.node().ready(self.clone()),
                Ok(_) => return,
                Err(now) => turn = now,
            }
        }
    }

    /// The number of the current turn, wrapping: a body that is asked to give way can tell whether
    /// it has just begun.
    pub fn turns(&self) -> u32 {
        self.turns.load(Ordering::Relaxed)
    }

    /// One turn.
    pub(crate) fn run(self: Arc<Self>) {
        self.turn.swap(RUNNING, Ordering::SeqCst);
        self.turns.store(self.turns().wrapping_add(1), Ordering::Relaxed);
        // Its end is not held up: what the process owned must be free for others.
        let held = self.suspended.load(Ordering::SeqCst) && !self.is_exiting();
        let again = !held
            && match &self.account {
                None => self.take_turn(),
                Some(Membership(account)) => self.take_counted_turn(account),
            };
        // Never IDLE between two turns: a waker would queue it a second time.
        let idle = || {
            let exchange = Ordering::SeqCst;
            self.turn.compare_exchange(RUNNING, IDLE, exchange, Ordering::Acquire).is_ok()
        };
        let queued = again || !idle();
        if queued {
            self.turn.swap(QUEUED, Ordering::SeqCst);
        }
        if self.suspended.load(Ordering::SeqCst) {
            self.tell_suspenders();
        }
        if queued {
            let node = self.environment.node().clone();
            node.requeue(self);
        }
    }

    /// Returns whether the process has more to do at once.
    fn take_turn(self: &Arc<Self>) -> bool {
        let mut phase = lock(&self.phase);
        if let Phase::Running(body) = &mut *phase {
            let reason = if self.is_exiting() { None } else { Some(self.poll(body)) };
            match reason {
                Some(Poll::Ready(reason)) => self.end(reason),
                // A step of its own may have ended it, at a limit: nobody else lets it run again.
                Some(Poll::Pending) if !self.is_exiting() => return false,
                Some(Poll::Pending) | None => {}
            }
            let body = std::mem::replace(&mut *phase, Phase::Done);
            *phase = Phase::Announcing(Box::new(self.release(body)));
        }
        match &mut *phase {
            Phase::Announcing(announcement) => {
                if !announcement.tell(self) {
                    return true;
                }
                let Phase::Announcing(announcement) = std::mem::replace(&mut *phase, Phase::Done)
                else {
                    return false;
                };
                drop(phase);
                self.conclude(*announcement);
                false
            }
            Phase::Prepared | Phase::Running(_) | Phase::Done => false,
        }
    }

    fn poll(self: &Arc<Self>, body: &mut Body) -> Poll<ExitReason> {
        let waker = Waker::from(self.clone());
        let mut context = Context::from_waker(&waker);
        catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(&mut context)))
            .unwrap_or_else(|panic| Poll::Ready(ExitReason::HostPanic(panic_text(&*panic))))
    }

    /// Drops what the process owns and takes it out of sight.
    fn release(self: &Arc<Self>, body: Phase) -> Announcement {
        self.drop_guarded(body);
        let names = self.environment.release_names(self);
        self.environment.remove(self.pid);
        if let Some(lineage) = &self.lineage {
            lineage.has_ended();
        }
        let (mut obituary, reason, by) = self.with_state(|state| {
            let reason = state.exiting().cloned().unwrap_or(ExitReason::Normal);
            (state.die(), reason, state.ended_by())
        });
        if let Some(leftovers) = &obituary.leftovers {
            self.environment.aliases().remove_all(&leftovers.aliases);
        }
        // Resources in messages that nobody read are free before anybody hears of the end.
        self.drop_guarded(std::mem::take(&mut obituary.unread));
        if let Some(Membership(account)) = &self.account {
            account.leave();
        }
        Announcement {
            own_failure: by.is_none() && reason.is_failure(),
            report: ExitReport {
                pid: self.pid,
                names,
                label: obituary.leftovers.as_mut().and_then(|left| left.label.take()),
                entry: self.entry.clone(),
                reason,
                links: Vec::new(),
                links_unlisted: 0,
            },
            obituary,
        }
    }

    /// Drops what the process owned: a bug in there must not end the worker.
    fn drop_guarded<T>(&self, owned: T) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(owned))) {
            tracing::error!(pid = %self.pid, "bug while ending a process: {}", panic_text(&*panic));
        }
    }

    fn conclude(&self, announcement: Announcement) {
        let node = self.environment.node();
        self.tell_denials();
        node.counters().count_end(&announcement.report.reason, announcement.own_failure);
        if announcement.own_failure {
            node.observe(&announcement.report);
        }
        let joiners = {
            let mut joiners = lock(&self.joiners);
            let _ = self.ended.set(announcement.report.reason);
            std::mem::take(&mut *joiners)
        };
        joiners.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Process {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Process::wake_by_ref(self);
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> Arc<str> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").into()
}
