//! What the tests of this room share: nodes with native bodies, and waiting without sleeping.
//!
//! A test waits for events only. The watchdog is no requirement on speed: it turns a lost wake-up,
//! which would hang the run, into a failure that names what was waited for.
#![allow(dead_code)] // each test file uses a part of it

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lunatic_model::{Envelope, ExitReason, Filter, Limits, Message, Pid, Tag};
use lunatic_node::{Environment, Node, NodeOptions, Process};

/// Far longer than any test takes: what has not happened by then never will.
const WATCHDOG: Duration = Duration::from_secs(60);

/// The tag of a message that lets a process go on.
pub const GO: Tag = Tag(1);
/// The tag of a message that says how far a process is.
pub const READY: Tag = Tag(2);

/// A node with this many workers.
pub fn node(workers: usize) -> Node {
    let options = NodeOptions { workers: Some(workers), ..NodeOptions::default() };
    Node::start(options).expect("the machine has threads to spare")
}

/// Prepares a process without starting it.
pub fn prepare(environment: &Arc<Environment>, limits: Limits) -> Arc<Process> {
    environment.prepare("test", Arc::new(limits)).expect("the environment takes processes")
}

/// Spawns a process that runs what `body` makes of its own handle.
pub fn spawn<F, Fut>(environment: &Arc<Environment>, body: F) -> Arc<Process>
where
    F: FnOnce(Arc<Process>) -> Fut,
    Fut: Future<Output = ExitReason> + Send + 'static,
{
    spawn_with(environment, Limits::default(), body)
}

/// The same, with limits.
pub fn spawn_with<F, Fut>(environment: &Arc<Environment>, limits: Limits, body: F) -> Arc<Process>
where
    F: FnOnce(Arc<Process>) -> Fut,
    Fut: Future<Output = ExitReason> + Send + 'static,
{
    let process = prepare(environment, limits);
    environment.start(process.clone(), Box::pin(body(process.clone())), None);
    process
}

/// A process that waits for [`GO`] and then ends with `reason`.
pub fn spawn_waiting(environment: &Arc<Environment>, reason: ExitReason) -> Arc<Process> {
    spawn(environment, |me| async move {
        me.receive(Filter::Reply(GO), None).await;
        reason
    })
}

/// Runs `main` as a process of a new node and returns its result.
pub fn run<T, F, Fut>(workers: usize, main: F) -> T
where
    T: Send + 'static,
    F: FnOnce(Arc<Process>) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let node = node(workers);
    run_in(&node.environment(1), main)
}

/// Runs `main` as a process of the environment and returns its result.
pub fn run_in<T, F, Fut>(environment: &Arc<Environment>, main: F) -> T
where
    T: Send + 'static,
    F: FnOnce(Arc<Process>) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let root = spawn(environment, |me| {
        let main = main(me);
        async move {
            let value = main.await;
            *slot.lock().unwrap() = Some(value);
            ExitReason::Normal
        }
    });
    assert_eq!(block_on(root.join()), ExitReason::Normal, "the test's own process failed");
    let value = result.lock().unwrap().take();
    value.expect("a process that ends normally has left its result")
}

/// Waits on this thread for a future.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let start = Instant::now();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        thread::park_timeout(WATCHDOG);
        assert!(start.elapsed() < WATCHDOG, "hang: a future was never woken");
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread for something that nobody announces.
pub fn eventually(what: &str, happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !happened() {
        thread::yield_now();
        assert!(start.elapsed() < WATCHDOG, "hang: waited for {what}");
    }
}

/// Gives way to other processes once.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A message with this tag and number.
pub fn message(tag: Tag, number: u64) -> Message {
    Message { tag, data: number.to_le_bytes().to_vec(), ..Message::default() }
}

/// The sender and the number of a message that [`message`] made.
pub fn read(envelope: &Envelope) -> (Pid, u64) {
    let Envelope::Message(message) = envelope else { panic!("no message: {envelope:?}") };
    let number = message.data.as_slice().try_into().expect("eight bytes");
    (message.from.expect("a process sent it"), u64::from_le_bytes(number))
}

/// Receives the oldest envelope of any kind.
pub async fn next(me: &Arc<Process>) -> Envelope {
    me.receive(Filter::Any, None).await.expect("there is no deadline")
}

/// Takes everything that lies in the mailbox now.
pub async fn drain(me: &Arc<Process>) -> Vec<Envelope> {
    let mut all = Vec::new();
    while let Some(envelope) = me.receive(Filter::Any, Some(Duration::ZERO)).await {
        all.push(envelope);
    }
    all
}

/// A reason of a program's own.
pub fn custom(text: &str) -> ExitReason {
    ExitReason::Custom(text.as_bytes().into())
}

/// Random numbers, the same for the same seed (xorshift64*).
pub struct Random(u64);

impl Random {
    /// Prints its seed; set `LUNATIC_TEST_SEED` to that number to see the same choices again.
    pub fn new() -> Random {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let given = std::env::var("LUNATIC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let call = CALLS.fetch_add(1, Ordering::Relaxed);
            u64::try_from(now.as_nanos() & u128::from(u64::MAX >> 1)).unwrap_or(1) ^ (call << 40)
        });
        println!("LUNATIC_TEST_SEED={seed}");
        Random(seed | 1)
    }

    /// A generator for another process, decided by this one.
    pub fn fork(&mut self) -> Random {
        Random(self.next().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
