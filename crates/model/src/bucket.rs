//! A token bucket: how much of something there may be in the long run, with given times.
//!
//! What is taken may be known only afterwards, so a bucket can be in debt; until that is paid off
//! by time, nobody may take more. Over any span of time, what is taken is at most the rate times
//! the span, the burst, and one last amount that went into debt.

/// Nanoseconds of a second.
const SECOND: u128 = 1_000_000_000;

/// Tokens that come back at a rate, up to a burst.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Tokens in a second.
    rate: u64,
    burst: i64,
    level: i64,
    /// The time up to which tokens have been added, in nanoseconds.
    filled: u64,
}

impl Bucket {
    /// A full bucket. A rate of 0 never gives anything back.
    pub fn new(rate: u64, burst: u64, now: u64) -> Bucket {
        let burst = i64::try_from(burst).unwrap_or(i64::MAX);
        Bucket { rate, burst, level: burst, filled: now }
    }

    /// Adds what time has brought; what is there, negative for a debt. Time never runs back.
    pub fn level(&mut self, now: u64) -> i64 {
        let span = now.saturating_sub(self.filled);
        let gained = u128::from(self.rate) * u128::from(span) / SECOND;
        if gained == 0 {
            return self.level;
        }
        let level = i128::from(self.level).saturating_add_unsigned(gained);
        if level >= i128::from(self.burst) {
            (self.level, self.filled) = (self.burst, now);
        } else {
            // Only the time of whole tokens is used up: asking often must not lose any.
            self.level = level as i64;
            self.filled += (gained * SECOND / u128::from(self.rate)) as u64;
        }
        self.level
    }

    /// Takes tokens, be they there or not.
    pub fn take(&mut self, now: u64, tokens: u64) {
        let level = self.level(now);
        self.level = level.saturating_sub(i64::try_from(tokens).unwrap_or(i64::MAX));
    }

    /// The time at which there is at least one token; never, where that is beyond all time.
    pub fn ready_at(&mut self, now: u64) -> u64 {
        let level = self.level(now);
        if level > 0 {
            return now;
        }
        if self.rate == 0 {
            return u64::MAX;
        }
        let missing = u128::from(level.unsigned_abs()) + 1;
        let wait = (missing * SECOND).div_ceil(u128::from(self.rate));
        u64::try_from(u128::from(self.filled).saturating_add(wait)).unwrap_or(u64::MAX)
    }
}
