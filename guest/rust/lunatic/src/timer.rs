//! Messages later: once, or again and again.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::abi;
use crate::format::{Bytes, EncodeError, Format, Output, Raw};
use crate::mailbox::{Mailbox, Process};
use crate::message::{self, Destination, Pattern, tag};
use crate::pid::{Pair, Pid, Ref};
use crate::spawn::{Spawn, SpawnError};

/// A message that is on its way.
///
/// ```
/// use std::time::Duration;
/// use lunatic::message::{self, Pattern};
/// use lunatic::timer::Timer;
/// use lunatic::{Mailbox, timer::send_after};
///
/// let me = Mailbox::<u8>::new().this();
/// let timer: Timer = send_after(me, 1, Duration::from_millis(1)).unwrap();
/// // Its message alone.
/// let envelope = message::receive(&[Pattern::reference(timer.reference())], None).unwrap();
/// assert_eq!(envelope.into_bytes().unwrap(), [1]);
/// assert_eq!(timer.left(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timer {
    reference: Ref,
}

/// Sends a message later, not before its time. It survives the process that sends it.
///
/// # Errors
///
/// If the message cannot be written.
///
/// ```
/// use std::time::Duration;
/// use lunatic::{Mailbox, timer::send_after};
///
/// let mailbox = Mailbox::<String>::new();
/// send_after(mailbox.this(), "tick".into(), Duration::from_millis(1)).unwrap();
/// assert_eq!(mailbox.receive().unwrap(), "tick");
/// ```
pub fn send_after<M, F: Format<M>>(
    to: Process<M, F>,
    message: M,
    after: Duration,
) -> Result<Timer, EncodeError> {
    message::create::<M, F>(tag::NONE, &[], &message)?;
    let pid = to.pid();
    let mut pair: Pair = [0; 2];
    let after = message::milliseconds(Some(after));
    // SAFETY: the place has 16 bytes.
    unsafe { abi::timer::start(pid.node(), pid.id(), after, pair.as_mut_ptr()) };
    Ok(Timer { reference: pair.into() })
}

impl Timer {
    /// Its reference, which its message carries.
    pub const fn reference(self) -> Ref {
        self.reference
    }

    /// Stops it. Gives the time that was left; `None` if it has fired, was stopped before, or is
    /// another process's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lunatic::{Mailbox, timer::send_after};
    ///
    /// let timer = send_after(Mailbox::<u8>::new().this(), 1, Duration::from_secs(60)).unwrap();
    /// assert!(timer.left().unwrap() <= Duration::from_secs(60));
    /// assert!(timer.cancel().is_some());
    /// assert!(timer.cancel().is_none());
    /// ```
    pub fn cancel(self) -> Option<Duration> {
        let mut left = 0;
        // SAFETY: the place has eight bytes.
        let result = unsafe {
            abi::timer::cancel(self.reference.node(), self.reference.id(), &raw mut left)
        };
        (result == 0).then(|| Duration::from_millis(left))
    }

    /// The time that is left; `None` if there is none.
    pub fn left(self) -> Option<Duration> {
        let mut left = 0;
        // SAFETY: the place has eight bytes.
        let result =
            unsafe { abi::timer::read(self.reference.node(), self.reference.id(), &raw mut left) };
        (result == 0).then(|| Duration::from_millis(left))
    }
}

/// Messages that come again and again.
///
/// ```
/// use std::time::Duration;
/// use lunatic::timer::{Interval, send_interval};
/// use lunatic::{Mailbox, spawn};
///
/// let other = spawn((), |(), mailbox: Mailbox<u8>| drop(mailbox.receive()));
/// let hourly: Interval = send_interval(other, 1, Duration::from_secs(3600)).unwrap();
/// let end = hourly.process().monitor();
/// // An interval ends with whom it sends to.
/// other.kill();
/// end.wait(None).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    process: Pid,
}

/// What the process of an interval needs.
#[derive(Serialize, Deserialize)]
struct Ticks {
    to: Pid,
    owner: Pid,
    period: Duration,
    message: Bytes,
}

/// Sends the same message every `period`, which is at least a millisecond, from a process of its
/// own. It ends when the receiver or the process that called this ends, or with
/// [`Interval::cancel`]. If a tick is late, the next ones keep to their times.
///
/// # Errors
///
/// If the message cannot be written, or the node takes no more processes.
///
/// ```
/// use std::time::Duration;
/// use lunatic::{Mailbox, timer::send_interval};
///
/// let mailbox = Mailbox::<String>::new();
/// let interval =
///     send_interval(mailbox.this(), "tick".to_owned(), Duration::from_millis(1)).unwrap();
/// for _ in 0..3 {
///     assert_eq!(mailbox.receive().unwrap(), "tick");
/// }
/// interval.cancel();
/// # interval.process().monitor().wait(None);
/// # while mailbox.receive_timeout(Duration::ZERO).is_ok() {}
/// ```
pub fn send_interval<M, F: Format<M>>(
    to: Process<M, F>,
    message: M,
    period: Duration,
) -> Result<Interval, SpawnError> {
    let mut output = Output::in_memory();
    F::encode(&message, &mut output)?;
    let ticks = Ticks {
        to: to.pid(),
        owner: Pid::this(),
        period: period.max(Duration::from_millis(1)),
        message: Bytes(output.into_bytes()),
    };
    let process = Spawn::new().label("interval").spawn(ticks, tick)?;
    Ok(Interval { process: process.pid() })
}

fn tick(ticks: Ticks, _: Mailbox<()>) {
    let Ticks { to, owner, period, message } = ticks;
    to.monitor();
    owner.monitor();
    let mut next = Instant::now() + period;
    loop {
        let wait = next.saturating_duration_since(Instant::now());
        if message::receive(&[Pattern::DOWN], Some(wait)).is_some() {
            return;
        }
        // A receiver whose mailbox is full gets the tick when there is room; none is lost.
        let _ = message::send::<Vec<u8>, Raw>(Destination::Pid(to), tag::NONE, &message, None);
        next += period;
    }
}

impl Interval {
    /// The process that sends.
    pub const fn process(self) -> Pid {
        self.process
    }

    /// Ends it. A message may lie in the mailbox of the receiver already.
    pub fn cancel(self) {
        self.process.kill();
    }
}
