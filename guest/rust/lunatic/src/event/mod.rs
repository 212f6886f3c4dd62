//! Event managers: processes that pass events to handlers, which come and go while they run. OTP's
//! `gen_event`.
//!
//! What must stay true, as in OTP: a handler that panics is removed, and the others do not notice;
//! the handler that was added last gets an event first; the end of a handler that a process
//! supervises is told to that process, and its end ends the handler; `terminate` runs whenever a
//! handler goes, also after it has panicked. A handler that ends its process (`exit`) ends the
//! manager, which OTP catches.
//!
//! ```
//! use lunatic::event::{EventManager, Handler, Next};
//! use lunatic::ExitReason;
//!
//! /// Counts what was said.
//! struct Count(u32);
//!
//! impl Handler for Count {
//!     type Event = String;
//!     type Argument = u32;
//!     type Call = ();
//!     type Answer = u32;
//!
//!     fn init(start: u32) -> Result<Self, ExitReason> {
//!         Ok(Count(start))
//!     }
//!
//!     fn handle_event(&mut self, said: &String) -> Next<String> {
//!         assert_ne!(said, "crash");
//!         self.0 += 1;
//!         Next::keep()
//!     }
//!
//!     fn handle_call(&mut self, (): ()) -> (u32, Next<String>) {
//!         (self.0, Next::keep())
//!     }
//! }
//!
//! let manager = EventManager::<String>::start_link().unwrap();
//! manager.add::<Count>("count", &10).unwrap();
//! manager.notify(&"hello".to_owned());
//! assert_eq!(manager.call::<Count>("count", &()).unwrap(), 11);
//! manager.sync_notify(&"crash".to_owned()).unwrap();
//! assert!(manager.handlers().unwrap().is_empty());
//! ```

mod erased;
mod handler;
mod process;
mod roster;

use core::fmt;
use core::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::call::CallError;
use crate::format::{self, Bytes};
pub use crate::server::Info;
use crate::server::{CALL_TIMEOUT, Options, ServerRef, StartError};
use crate::sys::{self, Term};
use crate::{ExitReason, Pid};

use erased::{New, Supervision};
use handler::Replace;
pub use handler::{Ending, Event, Handler, Next};
use process::{Call, Failure, Process};
pub use roster::Gone;

/// What became of a handler that a process supervises: what that process receives.
///
/// ```
/// use lunatic::Pid;
/// use lunatic::event::{Gone, HandlerGone};
/// use serde::{Deserialize, Serialize};
///
/// /// What a process receives that supervises handlers with `HandlerGone` as a variant.
/// #[derive(Serialize, Deserialize)]
/// enum Message {
///     Work(u32),
///     Gone(HandlerGone),
/// }
///
/// let gone = HandlerGone { manager: Pid::this(), id: "log".into(), why: Gone::Shutdown };
/// let Message::Gone(HandlerGone { id, .. }) = Message::Gone(gone) else { panic!() };
/// assert_eq!(id, "log");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerGone {
    /// The manager.
    pub manager: Pid,
    /// The handler.
    pub id: String,
    /// Why it is no longer there.
    pub why: Gone,
}

/// A handler did not do what was asked for.
///
/// ```
/// # use lunatic::event::{EventManager, Handler, HandlerError, Next};
/// # struct Never;
/// # impl Handler for Never {
/// #     type Event = ();
/// #     type Argument = ();
/// #     type Call = ();
/// #     type Answer = ();
/// #     fn init(_: ()) -> Result<Self, lunatic::ExitReason> { Err("not today".into()) }
/// #     fn handle_event(&mut self, _: &()) -> Next<()> { Next::remove() }
/// #     fn handle_call(&mut self, _: ()) -> ((), Next<()>) { ((), Next::keep()) }
/// # }
/// let manager = EventManager::<()>::start_link().unwrap();
/// let refused = manager.add::<Never>("never", &());
/// assert_eq!(refused, Err(HandlerError::Refused("not today".into())));
/// assert_eq!(manager.call::<Never>("never", &()), Err(HandlerError::NotFound));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum HandlerError {
    /// There is none of this id.
    NotFound,
    /// Its `init` gave this.
    Refused(ExitReason),
    /// It panicked, and is gone.
    Crashed(ExitReason),
    /// The request, the argument or the answer is of another type: which, for people. The handler
    /// stays.
    Type(String),
    /// The manager did not answer.
    Call(CallError),
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("the event manager has no such handler"),
            Self::Refused(reason) => write!(f, "the handler was not added: {reason}"),
            Self::Crashed(reason) => write!(f, "the handler crashed: {reason}"),
            Self::Type(text) => f.write_str(text),
            Self::Call(error) => write!(f, "the event manager did not answer: {error}"),
        }
    }
}

impl std::error::Error for HandlerError {}

impl From<Failure> for HandlerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotFound => Self::NotFound,
            Failure::Refused(reason) => Self::Refused(reason),
            Failure::Crashed(reason) => Self::Crashed(reason),
            Failure::Type(text) => Self::Type(text),
        }
    }
}

/// An event manager, for those that use it. It can be sent in messages.
///
/// ```
/// use lunatic::event::EventManager;
/// use lunatic::server::Options;
///
/// let manager =
///     EventManager::<String>::start_link_with(&Options::new().name("announcer")).unwrap();
/// assert_eq!(EventManager::<String>::find("announcer").unwrap().pid(), manager.pid());
/// assert_eq!(EventManager::<String>::from_pid(manager.pid()).handlers().unwrap().len(), 0);
/// let other = EventManager::<String>::start_with(&Options::new()).unwrap();
/// for manager in [manager, other] {
///     manager.stop().unwrap();
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct EventManager<E> {
    server: ServerRef<Process<E>>,
    event: PhantomData<fn(E)>,
}

impl<E> Clone for EventManager<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for EventManager<E> {}

impl<E> fmt::Debug for EventManager<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventManager({})", self.server.pid())
    }
}

impl<E: Event> EventManager<E> {
    /// Starts a manager without handlers that is linked to this process.
    ///
    /// # Errors
    ///
    /// If it did not start.
    pub fn start_link() -> Result<Self, StartError> {
        Self::start_link_with(&Options::new())
    }

    /// The same with options: a name, a timeout.
    ///
    /// # Errors
    ///
    /// If it did not start, or another process has the name.
    pub fn start_link_with(options: &Options) -> Result<Self, StartError> {
        options.start_link::<Process<E>>(()).map(Self::of)
    }

    /// The same without a link.
    ///
    /// # Errors
    ///
    /// If it did not start, or another process has the name.
    pub fn start_with(options: &Options) -> Result<Self, StartError> {
        options.start::<Process<E>>(()).map(Self::of)
    }

    /// Says that a process is such a manager.
    pub fn from_pid(pid: Pid) -> Self {
        Self::of(ServerRef::from_pid(pid))
    }

    /// The manager that has a name now.
    pub fn find(name: &str) -> Option<Self> {
        ServerRef::find(name).map(Self::of)
    }

    fn of(server: ServerRef<Process<E>>) -> Self {
        Self { server, event: PhantomData }
    }

    /// Its pid.
    pub fn pid(self) -> Pid {
        self.server.pid()
    }

    /// Adds a handler, before those that are there. If one has its id, both are there.
    ///
    /// # Errors
    ///
    /// If its `init` says so or panics, or the manager has ended.
    pub fn add<H: Handler<Event = E>>(
        self,
        id: &str,
        argument: &H::Argument,
    ) -> Result<(), HandlerError> {
        let new = New::of::<H>(id, argument);
        self.ask(None, |caller| Call::Add(new, None, caller))
    }

    /// The same; this process supervises the handler. It is linked with the manager; when it ends,
    /// so does the handler; when the handler goes before, this process gets a plain message, which
    /// `message` makes: mostly the name of a variant.
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add).
    ///
    /// ```
    /// # use lunatic::event::{EventManager, Handler, Next};
    /// # struct Once;
    /// # impl Handler for Once {
    /// #     type Event = ();
    /// #     type Argument = ();
    /// #     type Call = ();
    /// #     type Answer = ();
    /// #     fn init(_: ()) -> Result<Self, lunatic::ExitReason> { Ok(Once) }
    /// #     fn handle_event(&mut self, _: &()) -> Next<()> { Next::remove() }
    /// #     fn handle_call(&mut self, _: ()) -> ((), Next<()>) { ((), Next::keep()) }
    /// # }
    /// use lunatic::Mailbox;
    /// use lunatic::event::{Gone, HandlerGone};
    ///
    /// let manager = EventManager::<()>::start_link().unwrap();
    /// manager.add_supervised::<Once, HandlerGone>("once", &(), |gone| gone).unwrap();
    /// manager.notify(&());
    /// let gone = Mailbox::<HandlerGone>::new().receive().unwrap();
    /// assert_eq!((gone.id.as_str(), gone.why), ("once", Gone::Normal));
    /// ```
    pub fn add_supervised<H, M>(
        self,
        id: &str,
        argument: &H::Argument,
        message: fn(HandlerGone) -> M,
    ) -> Result<(), HandlerError>
    where
        H: Handler<Event = E>,
        M: Serialize + DeserializeOwned,
    {
        let new = New::of::<H>(id, argument);
        self.ask(None, |caller| Call::Add(new, Some(Supervision::here(message)), caller))
    }

    /// Deletes a handler, and gives what its `terminate` gives when it is told this argument.
    ///
    /// # Errors
    ///
    /// If there is none, its `terminate` panics (it is gone all the same), or the manager has
    /// ended.
    ///
    /// ```
    /// # use lunatic::event::{EventManager, Handler, Next};
    /// # struct Quiet;
    /// # impl Handler for Quiet {
    /// #     type Event = ();
    /// #     type Argument = ();
    /// #     type Call = ();
    /// #     type Answer = ();
    /// #     fn init(_: ()) -> Result<Self, lunatic::ExitReason> { Ok(Quiet) }
    /// #     fn handle_event(&mut self, _: &()) -> Next<()> { Next::keep() }
    /// #     fn handle_call(&mut self, _: ()) -> ((), Next<()>) { ((), Next::keep()) }
    /// # }
    /// let manager = EventManager::<()>::start_link().unwrap();
    /// manager.add::<Quiet>("old", &()).unwrap();
    /// manager.swap::<Quiet>("old", "make room", "new", &()).unwrap();
    /// assert_eq!(manager.handlers().unwrap(), ["new"]);
    /// manager.delete("new", "good bye").unwrap();
    /// manager.send(&()); // nobody is there to handle it
    /// assert!(manager.handlers().unwrap().is_empty());
    /// ```
    pub fn delete(
        self,
        id: &str,
        argument: &(impl Serialize + ?Sized),
    ) -> Result<Term, HandlerError> {
        let argument = Term::of(argument);
        self.ask(None, |caller| Call::Delete(id.to_owned(), argument, caller))
    }

    /// Puts a handler in the place of another one, whose `terminate` is told `ending`; what that
    /// gives is handed over. A process that supervised the other one supervises this one. If the
    /// other one is not there, this one is added all the same.
    ///
    /// # Errors
    ///
    /// If `init_instead` says so or panics; the other one is gone all the same.
    pub fn swap<H: Handler<Event = E>>(
        self,
        old: &str,
        ending: &(impl Serialize + ?Sized),
        id: &str,
        argument: &H::Argument,
    ) -> Result<(), HandlerError> {
        let (ending, new) = (Term::of(ending), New::of::<H>(id, argument));
        self.ask(None, |caller| Call::Swap(old.to_owned(), ending, new, None, caller))
    }

    /// The same; this process supervises the new handler.
    ///
    /// # Errors
    ///
    /// As for [`swap`](Self::swap).
    ///
    /// ```
    /// # use lunatic::event::{EventManager, Handler, Next};
    /// # struct Once;
    /// # impl Handler for Once {
    /// #     type Event = ();
    /// #     type Argument = ();
    /// #     type Call = ();
    /// #     type Answer = u8;
    /// #     fn init(_: ()) -> Result<Self, lunatic::ExitReason> { Ok(Once) }
    /// #     fn handle_event(&mut self, _: &()) -> Next<()> { Next::remove() }
    /// #     fn handle_call(&mut self, _: ()) -> (u8, Next<()>) { (1, Next::keep()) }
    /// # }
    /// use lunatic::Mailbox;
    /// use lunatic::event::{Gone, HandlerGone};
    ///
    /// let manager = EventManager::<()>::start_link().unwrap();
    /// manager.add::<Once>("old", &()).unwrap();
    /// manager.swap_supervised::<Once, HandlerGone>("old", &(), "new", &(), |gone| gone).unwrap();
    /// assert_eq!(manager.call_within::<Once>("new", &(), None).unwrap(), 1);
    /// manager.notify(&());
    /// let gone = Mailbox::<HandlerGone>::new().receive().unwrap();
    /// assert_eq!((gone.id.as_str(), gone.why), ("new", Gone::Normal));
    /// ```
    pub fn swap_supervised<H, M>(
        self,
        old: &str,
        ending: &(impl Serialize + ?Sized),
        id: &str,
        argument: &H::Argument,
        message: fn(HandlerGone) -> M,
    ) -> Result<(), HandlerError>
    where
        H: Handler<Event = E>,
        M: Serialize + DeserializeOwned,
    {
        let (ending, new) = (Term::of(ending), New::of::<H>(id, argument));
        let supervision = Some(Supervision::here(message));
        self.ask(None, |caller| Call::Swap(old.to_owned(), ending, new, supervision, caller))
    }

    /// Passes an event to all handlers, and does not wait for them. This never fails; nobody knows
    /// whether it arrived.
    pub fn notify(self, event: &E) {
        self.server.cast(event);
    }

    /// The same, and waits until all have handled it, however long that takes.
    ///
    /// # Errors
    ///
    /// If the manager has ended, or ends before that.
    pub fn sync_notify(self, event: &E) -> Result<(), CallError> {
        let event = Term::of(event);
        self.server.call_with(None, |caller| Call::SyncNotify(event, caller))
    }

    /// Asks one handler, and waits five seconds for the answer.
    ///
    /// # Errors
    ///
    /// If there is none, it panics, or does not answer in time.
    pub fn call<H: Handler<Event = E>>(
        self,
        id: &str,
        request: &H::Call,
    ) -> Result<H::Answer, HandlerError> {
        self.call_within::<H>(id, request, Some(CALL_TIMEOUT))
    }

    /// The same with another timeout; `None` waits for ever.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    pub fn call_within<H: Handler<Event = E>>(
        self,
        id: &str,
        request: &H::Call,
        timeout: Option<Duration>,
    ) -> Result<H::Answer, HandlerError> {
        let request =
            format::to_vec(request).map_err(|error| HandlerError::Type(error.to_string()));
        let (id, request) = (id.to_owned(), Bytes(request?));
        let answer: Bytes = self.ask(timeout, |caller| Call::Handler(id, request, caller))?;
        format::from_slice(&answer)
            .map_err(|cause| HandlerError::Type(format!("the answer is of another type: {cause}")))
    }

    /// The ids of all handlers, the one that was added last first.
    ///
    /// # Errors
    ///
    /// If the manager has ended.
    pub fn handlers(self) -> Result<Vec<String>, CallError> {
        self.server.call_with(None, Call::Which)
    }

    /// Sends a plain message, for [`Handler::handle_info`].
    pub fn send(self, message: &E) {
        self.server.send(message);
    }

    /// Stops the manager with reason normal, after its handlers, and waits for its end.
    ///
    /// # Errors
    ///
    /// See [`sys::stop`].
    pub fn stop(self) -> Result<(), CallError> {
        sys::stop(self.pid(), &ExitReason::Normal, None)
    }

    fn ask<R: Serialize + DeserializeOwned>(
        self,
        timeout: Option<Duration>,
        make: impl FnOnce(crate::server::Caller<Result<R, Failure>>) -> Call<E>,
    ) -> Result<R, HandlerError> {
        match self.server.call_with(timeout, make) {
            Ok(result) => result.map_err(HandlerError::from),
            Err(error) => Err(HandlerError::Call(error)),
        }
    }
}
