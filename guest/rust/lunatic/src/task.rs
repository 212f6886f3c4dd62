//! Tasks: a function that runs in a process of its own, and whose result is waited for. Elixir's
//! `Task`.
//!
//! What must stay true: a task is linked to the process that started it, so that none is left
//! behind; its result comes through an alias, so that one that is not waited for any more vanishes;
//! whoever waits for a task that ends without a result hears why.
//!
//! ```
//! use std::time::Duration;
//! use lunatic::task::{self, Task};
//!
//! let double = |number: u32| number * 2;
//! let task = Task::start(&21, double).unwrap();
//! assert_eq!(task.wait(Some(Duration::from_secs(5))), Ok(42));
//! let results: Vec<_> = task::stream([1, 2, 3], 2, double).map(Result::unwrap).collect();
//! assert_eq!(results, [2, 4, 6]);
//! ```

use core::fmt;
use core::marker::PhantomData;
use core::mem::transmute;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::behaviour::{left, unlink_flush};
use crate::mailbox::Mailbox;
use crate::message::{self, DecodeError, Kind, Pattern};
use crate::process::MonitorOptions;
use crate::spawn::{Spawn, SpawnError};
use crate::{ExitReason, Monitor, Pid, Postcard, Ref};

/// A task has no result.
///
/// ```
/// use std::time::Duration;
/// use lunatic::task::{Task, TaskError};
///
/// let task = Task::start(&(), |()| lunatic::sleep(Duration::MAX)).unwrap();
/// assert_eq!(task.wait(Some(Duration::from_millis(1))), Err(TaskError::Timeout));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum TaskError {
    /// It could not be started.
    Start(SpawnError),
    /// It ended with this reason.
    Exited(ExitReason),
    /// There was no result in time; the task was killed.
    Timeout,
    /// The result cannot be read.
    Decode(DecodeError),
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Exited(reason) => write!(f, "the task ended without a result: {reason}"),
            Self::Timeout => f.write_str("the task had no result in time, and was killed"),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TaskError {}

/// A function that runs in a process of its own.
///
/// ```
/// use std::time::Duration;
/// use lunatic::task::Task;
///
/// let slow = |text: String| {
///     lunatic::sleep(Duration::from_millis(5));
///     text.to_uppercase()
/// };
/// let mut task = Task::start(&"hello".to_owned(), slow).unwrap();
/// println!("{} works", task.pid());
/// let text = loop {
///     match task.wait_more(Some(Duration::from_millis(1))) {
///         Ok(result) => break result.unwrap(),
///         Err(not_yet) => task = not_yet,
///     }
/// };
/// assert_eq!(text, "HELLO");
/// // One that nobody needs any more.
/// let task = Task::start(&String::new(), slow).unwrap();
/// task.stop().ok();
/// ```
#[must_use = "the result is to be waited for"]
#[derive(Debug)]
pub struct Task<R> {
    pid: Pid,
    monitor: Monitor,
    result: PhantomData<fn() -> R>,
}

impl<R: Serialize + DeserializeOwned> Task<R> {
    /// Starts a task. The function cannot capture anything; it gets the argument.
    ///
    /// # Errors
    ///
    /// If the process cannot be made, or the argument cannot be written.
    pub fn start<A>(argument: &A, function: fn(A) -> R) -> Result<Self, TaskError>
    where
        A: Serialize + DeserializeOwned,
    {
        let body = crate::format::to_vec(argument)
            .map_err(|error| TaskError::Start(SpawnError::Argument(error)))?;
        let (process, monitor) = Spawn::new()
            .link()
            .monitor_options(MonitorOptions::CALL)
            .spawn_reporting(|reference| (reference, function as usize, body), run::<A, R>)
            .map_err(TaskError::Start)?;
        Ok(Self { pid: process.pid(), monitor, result: PhantomData })
    }

    /// The process that it runs in.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the result. When the time is over the task is killed.
    ///
    /// # Errors
    ///
    /// If the task ends without a result, or has none in time. A process that does not trap exits
    /// ends with a task that fails, as with any link.
    pub fn wait(self, timeout: Option<Duration>) -> Result<R, TaskError> {
        self.wait_more(timeout).unwrap_or_else(Self::stop)
    }

    /// Waits for the result; gives the task back when the time is over, to be waited for again.
    ///
    /// # Errors
    ///
    /// The task, if there is no result yet.
    pub fn wait_more(self, timeout: Option<Duration>) -> Result<Result<R, TaskError>, Self> {
        let pattern = [Pattern::reference(self.monitor.reference())];
        let Some(envelope) = message::receive(&pattern, timeout) else { return Err(self) };
        if envelope.kind() == Kind::Message {
            return Ok(envelope.decode::<R, Postcard>().map_err(TaskError::Decode));
        }
        let reason = envelope.down().map_or(ExitReason::NoProcess, |down| down.reason);
        Ok(Err(TaskError::Exited(reason)))
    }

    /// Kills the task, unless it has a result already, which is given then.
    ///
    /// # Errors
    ///
    /// [`TaskError::Timeout`] if it had none.
    pub fn stop(self) -> Result<R, TaskError> {
        let pid = self.pid;
        self.monitor.demonitor();
        let last = self.wait_more(Some(Duration::ZERO));
        pid.unlink();
        pid.kill();
        unlink_flush(pid);
        last.unwrap_or(Err(TaskError::Timeout))
    }
}

/// Waits for all tasks, with one time for all of them. The results have the order of the tasks.
///
/// ```
/// use std::time::Duration;
/// use lunatic::task::{Task, wait_many};
///
/// let tasks = (1..=3u32).map(|number| Task::start(&number, |number| number * number).unwrap());
/// let tasks: Vec<_> = tasks.collect();
/// let results = wait_many(tasks, Some(Duration::from_secs(5)));
/// assert_eq!(results, [Ok(1), Ok(4), Ok(9)]);
/// ```
pub fn wait_many<R>(
    tasks: impl IntoIterator<Item = Task<R>>,
    timeout: Option<Duration>,
) -> Vec<Result<R, TaskError>>
where
    R: Serialize + DeserializeOwned,
{
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    tasks.into_iter().map(|task| task.wait(left(deadline))).collect()
}

/// Runs the function for each item, in at most `concurrency` tasks at once (at least one). The
/// results come in the order of the items; tasks are started as results are taken.
///
/// ```
/// use lunatic::task::stream;
///
/// let squares = stream(1..=100u64, 8, |number| number * number);
/// assert_eq!(squares.map(Result::unwrap).sum::<u64>(), 338_350);
/// ```
pub fn stream<A, R, I>(
    items: I,
    concurrency: usize,
    function: fn(A) -> R,
) -> Stream<A, R, I::IntoIter>
where
    I: IntoIterator<Item = A>,
{
    let items = items.into_iter();
    Stream { items, concurrency: concurrency.max(1), function, running: VecDeque::new() }
}

/// See [`stream`].
///
/// ```
/// use lunatic::task::{Stream, stream};
///
/// let mut lengths: Stream<_, usize, _> =
///     stream(["a".to_owned(), "bc".to_owned()], 4, |text: String| text.len());
/// assert_eq!(lengths.next(), Some(Ok(1)));
/// assert_eq!(lengths.next(), Some(Ok(2)));
/// assert_eq!(lengths.next(), None);
/// ```
pub struct Stream<A, R, I> {
    items: I,
    concurrency: usize,
    function: fn(A) -> R,
    running: VecDeque<Result<Task<R>, TaskError>>,
}

impl<A, R, I> Iterator for Stream<A, R, I>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
    I: Iterator<Item = A>,
{
    type Item = Result<R, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.running.len() < self.concurrency
            && let Some(item) = self.items.next()
        {
            self.running.push_back(Task::start(&item, self.function));
        }
        Some(self.running.pop_front()?.and_then(|task| task.wait(None)))
    }
}

/// The process of a task.
fn run<A, R>(
    (starter, function, body): (Ref, usize, Vec<u8>),
    _: Mailbox<()>,
) -> Result<(), ExitReason>
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    // SAFETY: `Task::start` has stored a function of this type, in the same module.
    let function = unsafe { transmute::<usize, fn(A) -> R>(function) };
    let argument =
        crate::format::from_slice(&body).map_err(|cause| ExitReason::Error(cause.to_string()))?;
    message::reply_postcard(starter, &function(argument))
        .map_err(|error| ExitReason::Error(error.to_string()))
}
