//! State machines: processes whose state decides what an event does. OTP's `gen_statem`.
//!
//! A machine is a type that implements [`Machine`]; the value holds its data, [`Machine::State`] is
//! where it stands. What must stay true, as in OTP: postponed events are tried again when the state
//! changes; a state is entered before anything else is handled; the three kinds of timeouts end
//! with the event, with the state, or when they are cancelled. Calls and casts are those of
//! servers.
//!
//! ```
//! use std::time::Duration;
//! use lunatic::server::Caller;
//! use lunatic::statem::{Event, Machine, Start, Step};
//! use serde::{Deserialize, Serialize};
//!
//! struct Door;
//!
//! #[derive(Clone, PartialEq)]
//! enum State {
//!     Open,
//!     Closed,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Call {
//!     Close(Caller<()>),
//!     WalkThrough(Caller<String>),
//! }
//!
//! impl Machine for Door {
//!     type Argument = ();
//!     type State = State;
//!     type Call = Call;
//!     type Cast = ();
//!     type Message = ();
//!
//!     fn init((): ()) -> Start<Self> {
//!         Start::ok(Door, State::Open)
//!     }
//!
//!     fn handle(&mut self, state: &State, event: Event<Self>) -> Step<Self> {
//!         match (state, event) {
//!             (State::Open, Event::Call(Call::WalkThrough(caller))) => {
//!                 caller.reply(&"welcome".to_owned());
//!                 Step::keep()
//!             }
//!             (_, Event::Call(Call::Close(caller))) => {
//!                 caller.reply(&());
//!                 Step::to(State::Closed).state_timeout(Duration::from_millis(1))
//!             }
//!             // Whoever wants to walk through a closed door waits.
//!             (State::Closed, Event::Call(call)) => Step::keep().postpone(Event::Call(call)),
//!             (State::Closed, Event::StateTimeout) => Step::to(State::Open),
//!             (_, _) => Step::keep(),
//!         }
//!     }
//! }
//!
//! let door = Door::start_link(()).unwrap();
//! door.call(Call::Close).unwrap();
//! assert_eq!(door.call(Call::WalkThrough).unwrap(), "welcome");
//! ```

mod queue;
mod run;
mod step;

use core::fmt;
use core::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::behaviour::{self, StartOptions};
use crate::message::{Destination, tag};
use crate::server::{CALL_TIMEOUT, Caller, make_call};
use crate::sys::{self, Term};
use crate::{CallError, Down, Exit, ExitReason, Pid, format};

pub use crate::behaviour::StartError;
pub use step::{Start, Step};

/// What happens to a machine.
///
/// ```
/// use std::time::Duration;
/// use lunatic::server::Caller;
/// use lunatic::statem::{Event, Machine, Start, Step};
/// use lunatic::{ExitReason, process};
///
/// /// Says what happens to it.
/// struct Ear(Vec<&'static str>);
///
/// impl Machine for Ear {
/// #   type Argument = ();
///     type State = ();
///     type Call = Caller<Vec<String>>;
///     type Cast = u8;
///     type Message = u16;
///
///     fn init((): ()) -> Start<Self> {
///         process::trap_exit(true);
///         Start::ok(Ear(Vec::new()), ())
///     }
///
///     fn handle(&mut self, (): &(), event: Event<Self>) -> Step<Self> {
///         self.0.push(match event {
///             Event::Call(caller) => {
///                 caller.reply(&self.0.iter().map(|&what| what.to_owned()).collect());
///                 return Step::keep();
///             }
///             Event::Cast(1) => {
///                 self.0.push("cast");
///                 return Step::keep().next(2).event_timeout(Duration::ZERO);
///             }
///             Event::Cast(_) => return Step::stop(ExitReason::Normal),
///             Event::Internal(_) => "internal",
///             Event::Message(_) => "message",
///             Event::Exit(_) => "exit",
///             Event::Down(_) => "down",
///             Event::EventTimeout => "event timeout",
///             Event::StateTimeout => "state timeout",
///             Event::Timeout(_) => "timeout",
///         });
///         Step::keep()
///     }
/// }
///
/// let ear = Ear::start(()).unwrap();
/// ear.send(&1000);
/// assert_eq!(ear.call(|caller| caller).unwrap(), ["message"]);
/// ear.cast(&1);
/// assert_eq!(ear.call(|caller| caller).unwrap()[..3], ["message", "cast", "internal"]);
/// ear.cast(&2);
/// ```
pub enum Event<M: Machine> {
    /// A call. The answer can be given later.
    Call(M::Call),
    /// A cast.
    Cast(M::Cast),
    /// A cast that the machine has given itself by [`Step::next`].
    Internal(M::Cast),
    /// A plain message.
    Message(M::Message),
    /// A linked process has ended while the machine traps exits.
    Exit(Exit),
    /// A process that is monitored has ended.
    Down(Down),
    /// Nothing has happened since [`Step::event_timeout`].
    EventTimeout,
    /// The time of [`Step::state_timeout`] is over, in the same state.
    StateTimeout,
    /// The time of [`Step::timeout`] with this name is over.
    Timeout(String),
}

/// A machine's callbacks. See the [module](self) for an example.
///
/// With what else there is:
///
/// ```
/// use lunatic::statem::{Event, Machine, Start, Step};
/// use lunatic::sys::{self, Term};
/// use lunatic::ExitReason;
///
/// struct Light {
///     switched: u32,
/// }
///
/// impl Machine for Light {
///     type Argument = ();
///     type State = bool;
///     type Call = ();
///     type Cast = ();
///     type Message = ();
///
///     fn init((): ()) -> Start<Self> {
///         Start::ok(Light { switched: 0 }, false)
///     }
///
///     fn handle(&mut self, on: &bool, _: Event<Self>) -> Step<Self> {
///         Step::to(!on)
///     }
///
///     fn enter(&mut self, on: &bool, old: &bool) -> Step<Self> {
///         self.switched += u32::from(on != old);
///         Step::keep()
///     }
///
///     fn terminate(&mut self, on: &bool, reason: &ExitReason) {
///         println!("{reason} with light: {on}");
///     }
///
///     fn snapshot(&self, on: &bool) -> Term {
///         Term::of(&(on, self.switched))
///     }
///
///     fn restore(&mut self, on: &mut bool, snapshot: &Term) -> Result<(), String> {
///         (*on, self.switched) = snapshot.decode().map_err(|cause| cause.to_string())?;
///         Ok(())
///     }
///
///     fn code_change(&mut self, on: &mut bool, _old: &str, _extra: &Term) -> Result<(), String> {
///         *on = false;
///         Ok(())
///     }
///
///     fn format_status(&self, on: &bool) -> String {
///         format!("light: {on}")
///     }
/// }
///
/// let light = Light::start_link(()).unwrap();
/// light.cast(&());
/// assert_eq!(sys::get_state::<(bool, u32)>(light.pid()).unwrap(), (true, 1));
/// sys::replace_state(light.pid(), &(true, 70u32)).unwrap().unwrap();
/// light.cast(&());
/// assert_eq!(sys::get_state::<(bool, u32)>(light.pid()).unwrap(), (false, 71));
/// assert_eq!(sys::get_status(light.pid()).unwrap(), "running, light: false");
/// light.stop().unwrap();
/// ```
pub trait Machine: Sized + 'static {
    /// What its start needs.
    type Argument: Serialize + DeserializeOwned;
    /// Where it can stand.
    type State: Clone + PartialEq;
    /// Requests that are answered, as for a [`Server`](crate::server::Server).
    type Call: Serialize + DeserializeOwned;
    /// Requests that are not answered.
    type Cast: Serialize + DeserializeOwned;
    /// Plain messages.
    type Message: Serialize + DeserializeOwned;

    /// Makes the data and the first state, in the new process, while its starter waits.
    fn init(argument: Self::Argument) -> Start<Self>;

    /// Handles an event.
    fn handle(&mut self, state: &Self::State, event: Event<Self>) -> Step<Self>;

    /// A state was entered, from `old`; the first one from itself. The step may start timeouts,
    /// give events and stop; a state that it names is not gone to.
    fn enter(&mut self, _state: &Self::State, _old: &Self::State) -> Step<Self> {
        Step::keep()
    }

    /// The machine is about to end with this reason.
    fn terminate(&mut self, _state: &Self::State, _reason: &ExitReason) {}

    /// State and data for [`sys::get_state`].
    fn snapshot(&self, _state: &Self::State) -> Term {
        Term::default()
    }

    /// Takes other ones, from [`sys::replace_state`]. The state is not entered.
    ///
    /// # Errors
    ///
    /// If it cannot, in words for the caller.
    fn restore(&mut self, _state: &mut Self::State, _snapshot: &Term) -> Result<(), String> {
        Err("this machine does not take another state".to_owned())
    }

    /// The code has changed, as [`sys::code_change`] tells.
    ///
    /// # Errors
    ///
    /// If state or data cannot be converted, in words for the caller.
    fn code_change(
        &mut self,
        _state: &mut Self::State,
        _old_version: &str,
        _extra: &Term,
    ) -> Result<(), String> {
        Ok(())
    }

    /// What is said of the machine in [`sys::get_status`].
    fn format_status(&self, _state: &Self::State) -> String {
        core::any::type_name::<Self>().to_owned()
    }

    /// Starts a machine that is linked to this process, and waits for its `init`.
    ///
    /// # Errors
    ///
    /// If it did not start; see [`Server::start_link`](crate::server::Server::start_link).
    fn start_link(argument: Self::Argument) -> Result<MachineRef<Self>, StartError> {
        start(argument, true)
    }

    /// The same without a link.
    ///
    /// # Errors
    ///
    /// If it did not start.
    fn start(argument: Self::Argument) -> Result<MachineRef<Self>, StartError> {
        start(argument, false)
    }
}

fn start<M: Machine>(argument: M::Argument, link: bool) -> Result<MachineRef<M>, StartError> {
    let body = format::to_vec(&argument)
        .map_err(|error| StartError::Spawn(format!("the argument cannot be sent: {error}")))?;
    let options = StartOptions { link, name: None, timeout: None };
    behaviour::start(run::entry::<M>, body.into(), &options).map(MachineRef::from_pid)
}

/// A machine, for those that use it.
///
/// ```
/// # use lunatic::statem::{Event, Machine, Start, Step};
/// # struct Echo;
/// # impl Machine for Echo {
/// #     type Argument = ();
/// #     type State = ();
/// #     type Call = (u8, Caller<u8>);
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init((): ()) -> Start<Self> { Start::ok(Echo, ()) }
/// #     fn handle(&mut self, (): &(), event: Event<Self>) -> Step<Self> {
/// #         if let Event::Call((n, caller)) = event { caller.reply(&n) }
/// #         Step::keep()
/// #     }
/// # }
/// use lunatic::server::Caller;
/// use lunatic::statem::MachineRef;
///
/// let echo = Echo::start(()).unwrap();
/// assert_eq!(echo.call(|caller| (7, caller)), Ok(7));
/// assert_eq!(echo.call_with(None, |caller| (8, caller)), Ok(8));
/// MachineRef::<Echo>::from_pid(echo.pid()).stop().unwrap();
/// ```
pub struct MachineRef<M> {
    pid: Pid,
    machine: PhantomData<fn(M)>,
}

impl<M> Clone for MachineRef<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for MachineRef<M> {}

impl<M> fmt::Debug for MachineRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineRef({})", self.pid)
    }
}

impl<M> MachineRef<M> {
    /// Says that a process is such a machine.
    pub fn from_pid(pid: Pid) -> Self {
        Self { pid, machine: PhantomData }
    }

    /// Its pid.
    pub fn pid(self) -> Pid {
        self.pid
    }
}

impl<M: Machine> MachineRef<M> {
    /// Calls the machine, as [`ServerRef::call`](crate::server::ServerRef::call) does a server.
    ///
    /// # Errors
    ///
    /// If it ends before it answers, or does not answer within five seconds.
    pub fn call<R: Serialize + DeserializeOwned>(
        self,
        make: impl FnOnce(Caller<R>) -> M::Call,
    ) -> Result<R, CallError> {
        self.call_with(Some(CALL_TIMEOUT), make)
    }

    /// The same with another timeout; `None` waits for ever.
    ///
    /// # Errors
    ///
    /// See [`call`](Self::call).
    pub fn call_with<R: Serialize + DeserializeOwned>(
        self,
        timeout: Option<Duration>,
        make: impl FnOnce(Caller<R>) -> M::Call,
    ) -> Result<R, CallError> {
        make_call(self.pid, timeout, make)
    }

    /// Sends a request without an answer. This never fails; nobody knows whether it arrived.
    pub fn cast(self, cast: &M::Cast) {
        behaviour::send(Destination::Pid(self.pid), tag::CAST, cast);
    }

    /// Sends a plain message.
    pub fn send(self, message: &M::Message) {
        behaviour::send(Destination::Pid(self.pid), tag::NONE, message);
    }

    /// Stops the machine with reason normal and waits for its end.
    ///
    /// # Errors
    ///
    /// See [`sys::stop`].
    pub fn stop(self) -> Result<(), CallError> {
        sys::stop(self.pid, &ExitReason::Normal, None)
    }
}
