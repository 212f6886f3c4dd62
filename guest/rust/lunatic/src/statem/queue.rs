//! What waits to be handled by a state machine: events that were put first, events that were
//! postponed, and timeouts.
//!
//! What must stay true, as in OTP's gen_statem: postponed events are handled again, in their order,
//! when the state changes, and before what has not been received; events that a machine gives
//! itself come before those; a timeout of the state ends with the state, one of the event with the
//! next event. Nothing here reads a clock: `now` is given, on a clock that never goes back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The timeouts of a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Event,
    State,
    Named(String),
}

/// What a transition does to the queue.
pub(super) struct Change<E> {
    /// The state is another one; one that is entered again is the same.
    pub(super) changes: bool,
    /// The event that was handled is to be handled again in another state.
    pub(super) postponed: Option<E>,
    /// Events to be handled first, in this order.
    pub(super) next: Vec<E>,
    /// Timeouts to start; `None` cancels.
    pub(super) timers: Vec<(Timer, Option<Duration>)>,
}

/// All that waits.
pub(super) struct Queue<E> {
    pending: VecDeque<E>,
    postponed: Vec<E>,
    /// When each fires, and the order of their starts for those that fire at one time.
    timers: BTreeMap<Timer, (Duration, u64)>,
    started: u64,
}

impl<E> Queue<E> {
    pub(super) fn new() -> Self {
        let (pending, postponed) = (VecDeque::new(), Vec::new());
        Self { pending, postponed, timers: BTreeMap::new(), started: 0 }
    }

    /// An event was handled, at the time `now`, and this came of it.
    pub(super) fn handled(&mut self, change: Change<E>, now: Duration) {
        self.timers.remove(&Timer::Event);
        self.postponed.extend(change.postponed);
        if change.changes {
            self.timers.remove(&Timer::State);
            for event in self.postponed.drain(..).rev() {
                self.pending.push_front(event);
            }
        }
        self.entered(change.next, change.timers, now);
    }

    /// A state was entered, and this came of it.
    pub(super) fn entered(
        &mut self,
        next: Vec<E>,
        timers: Vec<(Timer, Option<Duration>)>,
        now: Duration,
    ) {
        for event in next.into_iter().rev() {
            self.pending.push_front(event);
        }
        for (timer, time) in timers {
            self.timers.remove(&timer);
            if let Some(time) = time {
                self.started += 1;
                self.timers.insert(timer, (now.saturating_add(time), self.started));
            }
        }
    }

    /// The next event that need not be received.
    pub(super) fn pop(&mut self) -> Option<E> {
        self.pending.pop_front()
    }

    /// The next timeout that is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<Timer> {
        let (timer, (time, _)) = self.first()?;
        let timer = (time <= now).then(|| timer.clone())?;
        self.timers.remove(&timer);
        Some(timer)
    }

    /// How long to wait for the next timeout; `None` if there is none.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        self.first().map(|(_, (time, _))| time.saturating_sub(now))
    }

    fn first(&self) -> Option<(&Timer, (Duration, u64))> {
        let timers = self.timers.iter().map(|(timer, time)| (timer, *time));
        timers.min_by_key(|(_, time)| *time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(changes: bool) -> Change<u8> {
        Change { changes, postponed: None, next: Vec::new(), timers: Vec::new() }
    }

    fn drain(queue: &mut Queue<u8>) -> Vec<u8> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn postponed_events_come_back_in_their_order_when_the_state_changes() {
        let mut queue = Queue::new();
        for event in [1, 2, 3] {
            queue.handled(Change { postponed: Some(event), ..change(false) }, SECOND);
        }
        assert!(drain(&mut queue).is_empty(), "the state is the same");
        queue.handled(Change { next: vec![8, 9], ..change(true) }, SECOND);
        assert_eq!(drain(&mut queue), [8, 9, 1, 2, 3], "own events come first");
        queue.handled(change(true), SECOND);
        assert!(drain(&mut queue).is_empty(), "each comes back once");
    }

    #[test]
    fn an_event_that_is_postponed_while_the_state_changes_comes_back_at_once() {
        let mut queue = Queue::new();
        queue.handled(Change { postponed: Some(1), ..change(true) }, SECOND);
        assert_eq!(drain(&mut queue), [1]);
    }

    #[test]
    fn timeouts_end_with_what_they_belong_to() {
        let all = |time| {
            [Timer::Event, Timer::State, Timer::Named("n".into())].map(|timer| (timer, Some(time)))
        };
        let cases: [(bool, &[Timer]); 2] = [
            (false, &[Timer::State, Timer::Named("n".into())]),
            (true, &[Timer::Named("n".into())]),
        ];
        for (changes, expected) in cases {
            let mut queue = Queue::new();
            queue.handled(Change { timers: all(SECOND).to_vec(), ..change(false) }, SECOND);
            queue.handled(change(changes), SECOND);
            let due: Vec<_> = std::iter::from_fn(|| queue.due(2 * SECOND)).collect();
            assert_eq!(due, expected, "changes {changes}");
        }
    }

    #[test]
    fn a_timeout_fires_not_before_its_time_and_a_new_one_replaces_it() {
        let mut queue = Queue::<u8>::new();
        let state = |time| vec![(Timer::State, time)];
        queue.handled(Change { timers: state(Some(SECOND)), ..change(false) }, SECOND);
        assert_eq!((queue.due(SECOND), queue.wait(SECOND)), (None, Some(SECOND)));
        queue.handled(Change { timers: state(Some(3 * SECOND)), ..change(false) }, SECOND);
        assert_eq!(queue.due(2 * SECOND), None);
        queue.handled(Change { timers: state(None), ..change(false) }, SECOND);
        assert_eq!((queue.due(9 * SECOND), queue.wait(SECOND)), (None, None));
    }
}
