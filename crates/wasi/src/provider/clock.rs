//! The machine's clock.
//!
//! Sleeping uses Tokio's timers; a runtime with timers of its own wraps [`SystemClock`] and
//! replaces [`Clock::sleep_until`].

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::Clock;

/// Longest single sleep; longer ones are slept in pieces, by the contract of `sleep_until`.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The machine's realtime and monotonic clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> SystemClock {
        SystemClock { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn realtime(&self) -> u64 {
        // A machine that believes to be before 1970 is at its beginning.
        nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn monotonic(&self) -> u64 {
        nanoseconds(self.origin.elapsed())
    }

    fn sleep_until(&self, deadline: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let now = Instant::now();
        let elapsed = nanoseconds(now.duration_since(self.origin));
        let wait = Duration::from_nanos(deadline.saturating_sub(elapsed)).min(SLEEP_MAX);
        Box::pin(tokio::time::sleep_until(now + wait))
    }
}

/// Saturates after 584 years.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
