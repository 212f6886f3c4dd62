//! How often a supervisor has restarted lately: its intensity.
//!
//! Owns the times of the restarts that still count. What must stay true: it reads no clock, so that
//! the rule can be tested; and it never holds more times than the intensity allows, plus one.

use std::collections::VecDeque;
use std::time::Duration;

/// The restarts of one supervisor that still count.
#[derive(Clone, Debug)]
pub(crate) struct Restarts {
    intensity: u32,
    period: Duration,
    times: VecDeque<Duration>,
}

impl Restarts {
    /// A supervisor that may restart `intensity` times within `period`, and has not restarted yet.
    pub(crate) fn new(intensity: u32, period: Duration) -> Self {
        Self { intensity, period, times: VecDeque::new() }
    }

    /// Counts a restart at the time `now`, on a clock that never goes back. Gives whether it may be
    /// made; if not, the supervisor ends.
    pub(crate) fn add(&mut self, now: Duration) -> bool {
        let oldest = now.saturating_sub(self.period);
        while self.times.front().is_some_and(|time| *time < oldest) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.times.len() <= self.intensity as usize
    }

    /// Other bounds hold from now on, for the restarts of before, too.
    pub(crate) fn change(&mut self, intensity: u32, period: Duration) {
        self.intensity = intensity;
        self.period = period;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(intensity: u32, period: u64, times: &[u64]) -> Vec<bool> {
        let mut restarts = Restarts::new(intensity, Duration::from_secs(period));
        times.iter().map(|time| restarts.add(Duration::from_secs(*time))).collect()
    }

    #[test]
    fn one_restart_more_than_the_intensity_is_too_many() {
        let cases: &[(u32, u64, &[u64], &[bool])] = &[
            (0, 5, &[0], &[false]),
            (1, 5, &[0, 1], &[true, false]),
            (1, 5, &[0, 5], &[true, false]),
            (1, 5, &[0, 6], &[true, true]),
            (3, 5, &[0, 1, 2, 3], &[true, true, true, false]),
            (3, 5, &[0, 1, 2, 6], &[true, true, true, true]),
            (2, 10, &[0, 0, 11, 11, 11], &[true, true, true, true, false]),
        ];
        for (intensity, period, times, expected) in cases {
            assert_eq!(
                verdicts(*intensity, *period, times),
                *expected,
                "intensity {intensity}, period {period}, restarts at {times:?}"
            );
        }
    }

    #[test]
    fn what_is_kept_is_bounded_by_the_intensity() {
        let mut restarts = Restarts::new(3, Duration::from_secs(1));
        for time in 0..10_000 {
            assert!(restarts.add(Duration::from_secs(time)));
            assert!(restarts.times.len() <= 4, "times that no longer count are forgotten");
        }
    }
}
