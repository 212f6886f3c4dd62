//! Clocks and random numbers that are the same in every run.
//!
//! Each process has its own: what others read changes nothing. A scripted clock never waits: a
//! sleep sets it forward, so that a program which sleeps goes on at once and sees that time passed.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Clock, Random};
use crate::errno::Errno;

/// A clock that shows what it was told to.
pub struct ScriptedClock {
    /// Nanoseconds since 1970 that are shown one after the other; the last one stays.
    times: Arc<[u64]>,
    /// By how much each reading sets the clock forward.
    step: u64,
    shown: AtomicUsize,
    /// How far readings and sleeps have set it forward.
    ahead: AtomicU64,
}

impl ScriptedClock {
    /// A clock that stands at `time`, in nanoseconds since 1970.
    pub fn fixed(time: u64) -> ScriptedClock {
        ScriptedClock::stepped(time, 0)
    }

    /// One that goes on by `step` nanoseconds with each reading.
    pub fn stepped(time: u64, step: u64) -> ScriptedClock {
        ScriptedClock::new([time].into(), step)
    }

    /// One that shows these times one after the other. It never goes back: a time before the one
    /// that was shown counts as that. No times are the first moment of 1970.
    pub fn script(times: impl IntoIterator<Item = u64>) -> ScriptedClock {
        let mut latest = 0;
        let later = times.into_iter().map(|time| {
            latest = time.max(latest);
            latest
        });
        let mut times: Vec<u64> = later.collect();
        if times.is_empty() {
            times.push(0);
        }
        ScriptedClock::new(times.into(), 0)
    }

    fn new(times: Arc<[u64]>, step: u64) -> ScriptedClock {
        ScriptedClock { times, step, shown: AtomicUsize::new(0), ahead: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        let last = self.times.len() - 1;
        let index = self.shown.load(Ordering::Relaxed).min(last);
        self.times[index].saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    fn read(&self) -> u64 {
        let now = self.now();
        self.shown.fetch_add(1, Ordering::Relaxed);
        self.ahead.fetch_add(self.step, Ordering::Relaxed);
        now
    }
}

impl Clock for ScriptedClock {
    fn realtime(&self) -> u64 {
        self.read()
    }

    fn monotonic(&self) -> u64 {
        self.read()
    }

    fn origin(&self) -> u64 {
        self.now()
    }

    fn sleep_until(&self, deadline: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let ahead = deadline.saturating_sub(self.now());
        self.ahead.fetch_add(ahead, Ordering::Relaxed);
        Box::pin(async {})
    }

    fn for_process(&self) -> Option<Arc<dyn Clock>> {
        Some(Arc::new(ScriptedClock::new(self.times.clone(), self.step)))
    }
}

/// Numbers that follow from a seed: the bytes of SplitMix64 in little-endian order, the same
/// whatever the lengths in which they are asked for. They are no secret, so they are not for keys.
pub struct SeededRandom {
    seed: u64,
    /// The state, and bytes of the last number that nobody has had yet.
    state: Mutex<(u64, Vec<u8>)>,
}

impl SeededRandom {
    /// The numbers that follow from this seed.
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom { seed, state: Mutex::new((seed, Vec::new())) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in buffer {
            if state.1.is_empty() {
                state.0 = state.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut mixed = state.0;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                mixed ^= mixed >> 31;
                state.1.extend(mixed.to_be_bytes());
            }
            *byte = state.1.pop().unwrap_or_default();
        }
        Ok(())
    }

    fn for_process(&self) -> Option<Arc<dyn Random>> {
        Some(Arc::new(SeededRandom::new(self.seed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_stands_but_for_sleeps() {
        let clock = ScriptedClock::fixed(100);
        assert_eq!((clock.realtime(), clock.monotonic()), (100, 100));
        drop(clock.sleep_until(150));
        assert_eq!((clock.realtime(), clock.monotonic()), (150, 150));
    }

    #[test]
    fn a_stepped_clock_goes_on_with_each_reading() {
        let clock = ScriptedClock::stepped(100, 7);
        assert_eq!([clock.realtime(), clock.monotonic(), clock.realtime()], [100, 107, 114]);
    }

    #[test]
    fn a_script_is_shown_in_order_and_never_goes_back() {
        let clock = ScriptedClock::script([5, 3, 9]);
        assert_eq!([(); 5].map(|()| clock.realtime()), [5, 5, 9, 9, 9]);
    }

    #[test]
    fn each_process_begins_anew() {
        let clock = ScriptedClock::stepped(100, 7);
        clock.realtime();
        let own = Clock::for_process(&clock).expect("a clock of its own");
        assert_eq!((own.origin(), own.realtime()), (100, 100));
        let random = SeededRandom::new(4);
        let mut first = [0; 16];
        random.fill(&mut first).unwrap();
        let mut again = [0; 16];
        Random::for_process(&random).expect("numbers of its own").fill(&mut again).unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn seeded_bytes_are_those_of_splitmix64_in_any_pieces() {
        let mut whole = [0; 16];
        SeededRandom::new(1_234_567).fill(&mut whole).unwrap();
        // The first two numbers of the published generator for this seed.
        let expected = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973];
        assert_eq!(whole, *expected.map(u64::to_le_bytes).as_flattened());
        let pieces = SeededRandom::new(1_234_567);
        let mut joined = Vec::new();
        for length in [1, 6, 2, 7] {
            let mut piece = vec![0; length];
            pieces.fill(&mut piece).unwrap();
            joined.extend(piece);
        }
        assert_eq!(joined, whole);
    }
}
