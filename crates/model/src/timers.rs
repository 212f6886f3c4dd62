//! A queue of deadlines. Time comes in as an argument; nothing here reads a clock.

use std::collections::BTreeMap;

/// Names one entry of a [`TimerQueue`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimerKey {
    /// When it is due, in the unit of the caller's clock.
    pub deadline: u64,
    sequence: u64,
}

/// Entries by deadline; equal deadlines fire in the order in which they were set.
#[derive(Debug)]
pub struct TimerQueue<T> {
    entries: BTreeMap<TimerKey, T>,
    next: u64,
}

impl<T> Default for TimerQueue<T> {
    fn default() -> Self {
        TimerQueue { entries: BTreeMap::new(), next: 0 }
    }
}

impl<T> TimerQueue<T> {
    /// Adds an entry.
    pub fn set(&mut self, deadline: u64, value: T) -> TimerKey {
        let key = TimerKey { deadline, sequence: self.next };
        self.next += 1;
        self.entries.insert(key, value);
        key
    }

    /// Takes an entry out before it fires; `None` when it has fired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.entries.remove(&key)
    }

    /// The next deadline.
    pub fn next_deadline(&self) -> Option<u64> {
        self.entries.first_key_value().map(|(key, _)| key.deadline)
    }

    /// Takes the first entry that is due at `now`.
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        let entry = self.entries.first_entry()?;
        (entry.key().deadline <= now).then(|| entry.remove())
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
