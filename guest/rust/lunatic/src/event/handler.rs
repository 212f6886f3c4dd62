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
///
/// ```
/// use lunatic::event::{Event, EventManager};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum Weather {
///     Rain { millimetres: u32 },
///     Sun,
/// }
///
/// /// Takes a manager of any events.
/// fn is_quiet<E: Event>(manager: EventManager<E>) -> bool {
///     manager.handlers().unwrap().is_empty()
/// }
///
/// let manager = EventManager::<Weather>::start_link().unwrap();
/// manager.notify(&Weather::Rain { millimetres: 3 });
/// assert!(is_quiet(manager));
/// ```
pub trait Event: Serialize + DeserializeOwned + 'static {}

impl<E: Serialize + DeserializeOwned + 'static> Event for E {}

/// A handler's callbacks. See the [module](super) for an example.
///
/// A callback that panics removes the handler. What it had begun to change stays as it was then,
/// which `terminate` must expect if it is told [`Ending::Crashed`].
///
/// ```
/// use lunatic::event::{EventManager, Handler, Info, Next};
/// use lunatic::sys::{self, Term};
/// use lunatic::ExitReason;
///
/// /// A handler with all that it may have besides what it must.
/// struct Sum(u64);
///
/// impl Handler for Sum {
///     type Event = u64;
///     type Argument = ();
///     type Call = ();
///     type Answer = u64;
///
///     fn init((): ()) -> Result<Self, ExitReason> {
///         Ok(Sum(0))
///     }
///
///     fn handle_event(&mut self, number: &u64) -> Next<u64> {
///         self.0 += number;
///         Next::keep()
///     }
///
///     fn handle_call(&mut self, (): ()) -> (u64, Next<u64>) {
///         (self.0, Next::remove())
///     }
///
///     fn handle_info(&mut self, info: &Info<u64>) -> Next<u64> {
///         if let Info::Message(number) = info {
///             self.0 += 100 * number;
///         }
///         Next::keep()
///     }
///
///     fn state(&self) -> Term {
///         Term::of(&self.0)
///     }
///
///     fn code_change(&mut self, _old_version: &str, factor: &Term) -> Result<(), String> {
///         self.0 *= factor.decode::<u64>().map_err(|cause| cause.to_string())?;
///         Ok(())
///     }
/// }
///
/// let manager = EventManager::<u64>::start_link().unwrap();
/// manager.add::<Sum>("sum", &()).unwrap();
/// manager.notify(&1);
/// manager.send(&2);
/// let states: Vec<(String, Term)> = sys::get_state(manager.pid()).unwrap();
/// assert_eq!(states[0].1.decode::<u64>().unwrap(), 201);
/// sys::suspend(manager.pid()).unwrap();
/// sys::code_change(manager.pid(), "1", &2u64).unwrap().unwrap();
/// sys::resume(manager.pid()).unwrap();
/// assert_eq!(manager.call::<Sum>("sum", &()).unwrap(), 402);
/// assert!(manager.handlers().unwrap().is_empty());
/// ```
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
///
/// ```
/// use lunatic::event::{Ending, EventManager, Handler, Next};
/// use lunatic::sys::Term;
/// use lunatic::ExitReason;
///
/// struct Log(Vec<String>);
///
/// impl Handler for Log {
/// #   type Event = String;
/// #   type Argument = ();
/// #   type Call = ();
/// #   type Answer = ();
///     fn init((): ()) -> Result<Self, ExitReason> {
///         Ok(Log(Vec::new()))
///     }
///
///     fn init_instead((): (), handed_over: Option<Term>) -> Result<Self, ExitReason> {
///         // What the other one's `terminate` has given.
///         Ok(Log(handed_over.and_then(|term| term.decode().ok()).unwrap_or_default()))
///     }
///
///     fn handle_event(&mut self, line: &String) -> Next<String> {
///         self.0.push(line.clone());
///         Next::keep()
///     }
///
///     fn terminate(&mut self, ending: &Ending) -> Term {
///         match ending {
///             Ending::Crashed(_) => Term::default(),
///             _ => Term::of(&self.0),
///         }
///     }
/// #   fn handle_call(&mut self, (): ()) -> ((), Next<String>) { ((), Next::keep()) }
/// }
///
/// let manager = EventManager::<String>::start_link().unwrap();
/// manager.add::<Log>("first", &()).unwrap();
/// manager.sync_notify(&"hello".to_owned()).unwrap();
/// manager.swap::<Log>("first", &(), "second", &()).unwrap();
/// let lines: Vec<String> = manager.delete("second", &()).unwrap().decode().unwrap();
/// assert_eq!(lines, ["hello"]);
/// manager.stop().unwrap();
/// ```
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
///
/// ```
/// use lunatic::event::Next;
///
/// /// What a handler gives that wants three events and no more.
/// fn after(events: u32) -> Next<String> {
///     if events < 3 { Next::keep() } else { Next::remove() }
/// }
/// # let _ = (after(1), after(3));
/// ```
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
    ///
    /// ```
    /// # use lunatic::event::{EventManager, Handler, Next};
    /// # use lunatic::ExitReason;
    /// /// Is named by what it was told last.
    /// struct Relay;
    ///
    /// impl Handler for Relay {
    /// #   type Event = String;
    /// #   type Argument = ();
    /// #   type Call = ();
    /// #   type Answer = ();
    /// #   fn init((): ()) -> Result<Self, ExitReason> { Ok(Relay) }
    ///     fn handle_event(&mut self, name: &String) -> Next<String> {
    ///         Next::swap::<Relay>(&(), name, &())
    ///     }
    /// #   fn handle_call(&mut self, (): ()) -> ((), Next<String>) { ((), Next::keep()) }
    /// }
    ///
    /// let manager = EventManager::<String>::start_link().unwrap();
    /// manager.add::<Relay>("first", &()).unwrap();
    /// manager.sync_notify(&"second".to_owned()).unwrap();
    /// assert_eq!(manager.handlers().unwrap(), ["second"]);
    /// ```
    pub fn swap<H: Handler<Event = E>>(
        ending: &(impl Serialize + ?Sized),
        id: &str,
        argument: &H::Argument,
    ) -> Self {
        Self(Wish::Swap(Replace { argument: Term::of(ending), new: New::of::<H>(id, argument) }))
    }
}
