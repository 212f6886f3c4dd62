//! What a handler is: its callbacks, what they are told and what they give.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ExitReason;
use crate::server::Info;
#[cfg(doc)]
use crate::sys;
use crate::sys::Term;

use super::erased::New;
use super::roster::Wish;

/// A type can be an event if it can be a message.
pub trait Event: Serialize + DeserializeOwned + 'static {}

impl<E: Serialize + DeserializeOwned + 'static> Event for E {}

/// A handler's callbacks. See the [module](super) for an example.
///
/// A callback that panics removes the handler. What it had begun to change stays as it was then,
/// which `terminate` must expect if it is told [`Ending::Crashed`].
pub trait Handler: Sized + 'static {
    /// What the manager passes on, and what its plain messages are.
    type Event: Event;
    /// What its start needs.
    type Argument: Serialize + DeserializeOwned;
    /// Requests to this handler.
    type Call: Serialize + DeserializeOwned;
    /// Answers to them.
    type Answer: Serialize + DeserializeOwned;

    /// Makes the state, in the manager's process, while somebody waits who adds it.
    ///
    /// # Errors
    ///
    /// Why it is not added.
    fn init(argument: Self::Argument) -> Result<Self, ExitReason>;

    /// The same in the place of another handler, with what that one's [`terminate`] gave: none if
    /// there was no such handler, or it crashed there.
    ///
    /// [`terminate`]: Handler::terminate
    ///
    /// # Errors
    ///
    /// Why it is not added; the other one is gone all the same.
    fn init_instead(
        argument: Self::Argument,
        _handed_over: Option<Term>,
    ) -> Result<Self, ExitReason> {
        Self::init(argument)
    }

    /// Handles an event.
    fn handle_event(&mut self, event: &Self::Event) -> Next<Self::Event>;

    /// Handles a request to this handler alone.
    fn handle_call(&mut self, call: Self::Call) -> (Self::Answer, Next<Self::Event>);

    /// Handles what else comes: plain messages, exits and downs. Does nothing by default.
    fn handle_info(&mut self, _info: &Info<Self::Event>) -> Next<Self::Event> {
        Next::keep()
    }

    /// The handler goes. What it gives is handed to whoever deletes it, or to the handler that
    /// takes its place.
    fn terminate(&mut self, _ending: &Ending) -> Term {
        Term::default()
    }

    /// The state for [`sys::get_state`], which gives a list of pairs: the id, and this.
    fn state(&self) -> Term {
        Term::default()
    }

    /// The code has changed, as [`sys::code_change`] tells.
    ///
    /// # Errors
    ///
    /// If the state cannot be converted, in words for the caller.
    fn code_change(&mut self, _old_version: &str, _extra: &Term) -> Result<(), String> {
        Ok(())
    }
}

/// Why a handler goes, as its [`Handler::terminate`] is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Somebody deletes it, or gives its place to another one, with this argument.
    Argument(Term),
    /// It asked for that, with [`Next::remove`].
    Removed,
    /// The manager ends.
    Stop,
    /// The process that supervises it has ended with this reason.
    SupervisorEnded(ExitReason),
    /// It panicked.
    Crashed(ExitReason),
}

/// What happens to a handler after a callback.
#[must_use]
pub struct Next<E>(pub(super) Wish<Replace<E>>);

/// Another handler, in the place of one that goes with this argument.
pub(super) struct Replace<E> {
    pub(super) argument: Term,
    pub(super) new: New<E>,
}

impl<E: Event> Next<E> {
    /// It stays.
    pub fn keep() -> Self {
        Self(Wish::Keep)
    }

    /// It goes.
    pub fn remove() -> Self {
        Self(Wish::Remove)
    }

    /// It goes, its `terminate` being told this, and the other one takes its place, with what that
    /// gives. The other one does not get the event that is being handled.
    ///
    /// # Panics
    ///
    /// If an argument cannot be serialised.
    pub fn swap<H: Handler<Event = E>>(
        ending: &(impl Serialize + ?Sized),
        id: &str,
        argument: &H::Argument,
    ) -> Self {
        Self(Wish::Swap(Replace { argument: Term::of(ending), new: New::of::<H>(id, argument) }))
    }
}
