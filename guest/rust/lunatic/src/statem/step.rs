//! What callbacks of a machine give back.

use std::time::Duration;

use crate::ExitReason;

use super::queue::Timer;
use super::{Event, Machine};

/// What a machine does after a callback: where it goes, and what it does on the way.
///
/// ```
/// use std::time::Duration;
/// use lunatic::server::Caller;
/// use lunatic::statem::{Event, Machine, Start, Step};
///
/// /// Is entered three times, and tells who asks.
/// struct Blink {
///     times: u32,
///     asking: Option<Caller<u32>>,
/// }
///
/// impl Machine for Blink {
/// #   type Argument = ();
///     type State = ();
///     type Call = Caller<u32>;
/// #   type Cast = ();
/// #   type Message = ();
///
///     fn init((): ()) -> Start<Self> {
///         Start::ok(Blink { times: 0, asking: None }, ())
///     }
///
///     fn enter(&mut self, (): &(), (): &()) -> Step<Self> {
///         self.times += 1;
///         Step::keep()
///             .timeout("blink", Duration::from_millis(1))
///             .timeout("never", Duration::from_millis(2))
///             .cancel("never")
///     }
///
///     fn handle(&mut self, (): &(), event: Event<Self>) -> Step<Self> {
///         match event {
///             Event::Timeout(name) if name == "blink" && self.times < 3 => return Step::repeat(),
///             Event::Call(caller) => self.asking = Some(caller),
///             _ => {}
///         }
///         match self.asking.take_if(|_| self.times == 3) {
///             Some(caller) => {
///                 caller.reply(&self.times);
///                 Step::stop("it has blinked".into())
///             }
///             None => Step::keep(),
///         }
///     }
/// }
///
/// let blink = Blink::start(()).unwrap();
/// assert_eq!(blink.call(|caller| caller), Ok(3));
/// ```
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
///
/// ```
/// use lunatic::server::StartError;
/// use lunatic::statem::{Event, Machine, Start, Step};
///
/// struct Lift;
///
/// impl Machine for Lift {
///     type Argument = u8;
///     type State = u8;
/// #   type Call = ();
/// #   type Cast = ();
/// #   type Message = ();
///
///     fn init(floor: u8) -> Start<Self> {
///         match floor {
///             13 => Start::ignore(),
///             100.. => Start::stop("so high is no house".into()),
///             floor => Start::ok(Lift, floor),
///         }
///     }
/// #   fn handle(&mut self, _: &u8, _: Event<Self>) -> Step<Self> { Step::keep() }
/// }
///
/// assert!(Lift::start(3).is_ok());
/// assert_eq!(Lift::start(13).unwrap_err(), StartError::Ignored);
/// assert!(matches!(Lift::start(100).unwrap_err(), StartError::Exit(_)));
/// ```
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
