//! What callbacks of a machine give back.

use std::time::Duration;

use crate::ExitReason;

use super::queue::Timer;
use super::{Event, Machine};

/// What a machine does after a callback: where it goes, and what it does on the way.
#[must_use]
pub struct Step<M: Machine> {
    pub(super) to: To<M::State>,
    pub(super) postponed: Option<Event<M>>,
    pub(super) next: Vec<Event<M>>,
    pub(super) timers: Vec<(Timer, Option<Duration>)>,
}

pub(super) enum To<S> {
    Keep,
    /// Enter the state again.
    Repeat,
    State(S),
    Stop(ExitReason),
}

impl<M: Machine> Step<M> {
    fn new(to: To<M::State>) -> Self {
        Self { to, postponed: None, next: Vec::new(), timers: Vec::new() }
    }

    /// Stays in the state.
    pub fn keep() -> Self {
        Self::new(To::Keep)
    }

    /// Enters the same state again. That is no change of the state: what was postponed waits on,
    /// and a timeout of the state goes on.
    pub fn repeat() -> Self {
        Self::new(To::Repeat)
    }

    /// Goes to a state; to the same one is to keep it.
    pub fn to(state: M::State) -> Self {
        Self::new(To::State(state))
    }

    /// Ends the machine with this reason, after `terminate`.
    pub fn stop(reason: ExitReason) -> Self {
        Self::new(To::Stop(reason))
    }

    /// Handles this event, which is the one that was given, when the state has changed.
    pub fn postpone(mut self, event: Event<M>) -> Self {
        self.postponed = Some(event);
        self
    }

    /// Handles this before anything else, as [`Event::Internal`]; several in their order.
    pub fn next(mut self, event: M::Cast) -> Self {
        self.next.push(Event::Internal(event));
        self
    }

    /// Gives [`Event::EventTimeout`] if nothing happens within this time.
    pub fn event_timeout(mut self, time: Duration) -> Self {
        self.timers.push((Timer::Event, Some(time)));
        self
    }

    /// Gives [`Event::StateTimeout`] after this time, unless the state changes.
    pub fn state_timeout(mut self, time: Duration) -> Self {
        self.timers.push((Timer::State, Some(time)));
        self
    }

    /// Gives [`Event::Timeout`] with this name after this time, whatever happens. One of the same
    /// name that runs is replaced.
    pub fn timeout(mut self, name: impl Into<String>, time: Duration) -> Self {
        self.timers.push((Timer::Named(name.into()), Some(time)));
        self
    }

    /// Cancels a timeout of this name.
    pub fn cancel(mut self, name: impl Into<String>) -> Self {
        self.timers.push((Timer::Named(name.into()), None));
        self
    }
}

/// How `init` of a machine went.
#[must_use]
pub struct Start<M: Machine>(pub(super) StartStep<M>);

pub(super) enum StartStep<M: Machine> {
    Ok(M, M::State),
    Ignore,
    Stop(ExitReason),
}

impl<M: Machine> Start<M> {
    /// The machine runs, with this data and in this state, which is entered.
    pub fn ok(machine: M, state: M::State) -> Self {
        Self(StartStep::Ok(machine, state))
    }

    /// The machine does not want to run; that is no failure. It ends with reason normal.
    pub fn ignore() -> Self {
        Self(StartStep::Ignore)
    }

    /// The machine cannot run, and ends with this reason.
    pub fn stop(reason: ExitReason) -> Self {
        Self(StartStep::Stop(reason))
    }
}
