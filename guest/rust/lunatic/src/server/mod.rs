//! Servers: processes that answer calls, take casts, and keep a state. OTP's `gen_server`.
//!
//! A server is a type that implements [`Server`]. What must stay true, as in OTP: its start is
//! synchronous; it handles one thing at a time, in the order of arrival; a call is a monitor and an
//! alias, so that the caller hears of the server's end and late answers vanish; a cast never fails;
//! `terminate` runs when the server stops, and when it traps exits and its parent ends. A panic
//! ends a server at once, since WebAssembly does not unwind: `terminate` does not run then.
//!
//! ```
//! use lunatic::server::{Caller, Init, Next, Server};
//! use serde::{Deserialize, Serialize};
//!
//! struct Counter(i64);
//!
//! #[derive(Serialize, Deserialize)]
//! enum Call {
//!     Add(i64, Caller<i64>),
//!     Get(Caller<i64>),
//! }
//!
//! impl Server for Counter {
//!     type Argument = i64;
//!     type Call = Call;
//!     type Cast = ();
//!     type Message = ();
//!
//!     fn init(start: i64) -> Init<Self> {
//!         Init::ok(Counter(start))
//!     }
//!
//!     fn handle_call(&mut self, call: Call) -> Next<Self> {
//!         match call {
//!             Call::Add(number, caller) => {
//!                 self.0 += number;
//!                 caller.reply(&self.0);
//!             }
//!             Call::Get(caller) => caller.reply(&self.0),
//!         }
//!         Next::wait()
//!     }
//! }
//!
//! let counter = Counter::start_link(5).unwrap();
//! assert_eq!(counter.call(|caller| Call::Add(2, caller)).unwrap(), 7);
//! assert_eq!(counter.call(Call::Get).unwrap(), 7);
//! ```

mod caller;
mod next;
mod run;

use core::fmt;
use core::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use crate::behaviour::StartError;
use crate::behaviour::{StartOptions, send, start};
pub use crate::call::CallError;
use crate::format::DecodeCause;
use crate::message::{Destination, Down, Envelope, Exit, tag};
use crate::process::whereis;
use crate::sys::{self, Term};
use crate::{ExitReason, Pid, behaviour, format};

pub use caller::Caller;
pub use next::{Init, Next};

/// How long [`ServerRef::call`] waits for an answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a server receives beside calls and casts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Info<M> {
    /// A plain message.
    Message(M),
    /// A linked process has ended, or asks this one to end, while this one traps exits.
    Exit(Exit),
    /// A process that is monitored has ended.
    Down(Down),
    /// Nothing has come within the time that [`Next::wait_for`] gave.
    Timeout,
}

/// A server's callbacks. See the [module](self) for an example.
pub trait Server: Sized + 'static {
    /// What its start needs.
    type Argument: Serialize + DeserializeOwned;
    /// Requests that are answered: an enum whose variants have a [`Caller`] each.
    type Call: Serialize + DeserializeOwned;
    /// Requests that are not answered.
    type Cast: Serialize + DeserializeOwned;
    /// Plain messages.
    type Message: Serialize + DeserializeOwned;

    /// Makes the state, in the new process, while its starter waits.
    fn init(argument: Self::Argument) -> Init<Self>;

    /// Handles a call. The answer can be given later, by anybody who has the [`Caller`].
    fn handle_call(&mut self, call: Self::Call) -> Next<Self>;

    /// Handles a cast.
    fn handle_cast(&mut self, _cast: Self::Cast) -> Next<Self> {
        Next::wait()
    }

    /// Handles what else comes. What nobody handles is logged.
    fn handle_info(&mut self, info: Info<Self::Message>) -> Next<Self> {
        let what = match info {
            Info::Message(_) => "a message",
            Info::Exit(_) => "an exit",
            Info::Down(_) => "a down",
            Info::Timeout => "a timeout",
        };
        log::warn!("{} got {what} that it does not handle", core::any::type_name::<Self>());
        Next::wait()
    }

    /// The server is about to end with this reason.
    fn terminate(&mut self, _reason: &ExitReason) {}

    /// The state for [`sys::get_state`].
    fn state(&self) -> Term {
        Term::default()
    }

    /// Takes another state, from [`sys::replace_state`].
    ///
    /// # Errors
    ///
    /// If it cannot, in words for the caller.
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("this server does not take another state".to_owned())
    }

    /// The code has changed, as [`sys::code_change`] tells.
    ///
    /// # Errors
    ///
    /// If the state cannot be converted, in words for the caller.
    fn code_change(&mut self, _old_version: &str, _extra: &Term) -> Result<(), String> {
        Ok(())
    }

    /// What is said of the server in [`sys::get_status`].
    fn format_status(&self) -> String {
        core::any::type_name::<Self>().to_owned()
    }

    /// Starts a server that is linked to this process, and waits for its `init`.
    ///
    /// # Errors
    ///
    /// If it did not start. Its exit signal comes, too, as with any link: a process that does not
    /// trap exits ends with the server's failed start, unless its reason is normal.
    fn start_link(argument: Self::Argument) -> Result<ServerRef<Self>, StartError> {
        Options::new().start_link(argument)
    }

    /// The same without a link.
    ///
    /// # Errors
    ///
    /// If it did not start.
    fn start(argument: Self::Argument) -> Result<ServerRef<Self>, StartError> {
        Options::new().start(argument)
    }
}

/// How a server is started: with a name, with a timeout.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Clock;
/// # impl Server for Clock {
/// #     type Argument = ();
/// #     type Call = ();
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(_: ()) -> Init<Self> { Init::ok(Clock) }
/// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// # }
/// use lunatic::server::{Options, ServerRef};
///
/// Options::new().name("clock").start_link::<Clock>(()).unwrap();
/// let clock = ServerRef::<Clock>::find("clock").unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    name: Option<String>,
    timeout: Option<Duration>,
}

impl Options {
    /// No name, no timeout.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name that the server has before its `init` runs. If somebody has it, `init` does not
    /// run, and the start gives [`StartError::AlreadyStarted`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long the start may take; then the server is killed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Starts a server with a link.
    ///
    /// # Errors
    ///
    /// See [`Server::start_link`].
    pub fn start_link<S: Server>(&self, argument: S::Argument) -> Result<ServerRef<S>, StartError> {
        self.start_with(argument, true)
    }

    /// Starts a server without a link.
    ///
    /// # Errors
    ///
    /// See [`Server::start`].
    pub fn start<S: Server>(&self, argument: S::Argument) -> Result<ServerRef<S>, StartError> {
        self.start_with(argument, false)
    }

    fn start_with<S: Server>(
        &self,
        argument: S::Argument,
        link: bool,
    ) -> Result<ServerRef<S>, StartError> {
        let body = format::to_vec(&argument)
            .map_err(|error| StartError::Spawn(format!("the argument cannot be sent: {error}")))?;
        let options = StartOptions { link, name: self.name.as_deref(), timeout: self.timeout };
        start(run::entry::<S>, body.into(), &options).map(ServerRef::from_pid)
    }
}

/// A server, for those that call it. It can be sent in messages.
#[derive(Serialize, Deserialize)]
pub struct ServerRef<S> {
    pid: Pid,
    server: PhantomData<fn(S)>,
}

impl<S> Clone for ServerRef<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for ServerRef<S> {}

impl<S> fmt::Debug for ServerRef<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerRef({})", self.pid)
    }
}

impl<S> PartialEq for ServerRef<S> {
    fn eq(&self, other: &Self) -> bool {
        self.pid == other.pid
    }
}

impl<S> Eq for ServerRef<S> {}

impl<S> ServerRef<S> {
    /// Says that a process is such a server. What is no request for it is logged there.
    pub fn from_pid(pid: Pid) -> Self {
        Self { pid, server: PhantomData }
    }

    /// Its pid.
    pub fn pid(self) -> Pid {
        self.pid
    }
}

impl<S: Server> ServerRef<S> {
    /// The server that has a name now.
    pub fn find(name: &str) -> Option<Self> {
        whereis(name).map(Self::from_pid)
    }

    /// Calls the server and waits [`CALL_TIMEOUT`] for the answer. `make` makes the request from
    /// the token to answer with: mostly it is the name of a variant.
    ///
    /// # Errors
    ///
    /// If the server has ended or ends before it answers, or does not answer in time.
    pub fn call<R: Serialize + DeserializeOwned>(
        self,
        make: impl FnOnce(Caller<R>) -> S::Call,
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
        make: impl FnOnce(Caller<R>) -> S::Call,
    ) -> Result<R, CallError> {
        make_call(self.pid, timeout, make)
    }

    /// Sends a request without an answer. This never fails; nobody knows whether it arrived.
    pub fn cast(self, cast: &S::Cast) {
        send(Destination::Pid(self.pid), tag::CAST, cast);
    }

    /// Sends a plain message, for [`Server::handle_info`].
    pub fn send(self, message: &S::Message) {
        send(Destination::Pid(self.pid), tag::NONE, message);
    }

    /// Stops the server with reason normal and waits for its end.
    ///
    /// # Errors
    ///
    /// See [`sys::stop`].
    pub fn stop(self) -> Result<(), CallError> {
        sys::stop(self.pid, &ExitReason::Normal, None)
    }
}

/// A call of a behaviour.
pub(crate) fn make_call<C, R>(
    pid: Pid,
    timeout: Option<Duration>,
    make: impl FnOnce(Caller<R>) -> C,
) -> Result<R, CallError>
where
    C: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    let request = make(Caller::of_this_call());
    caller::writing(|| behaviour::call(pid, tag::CALL, &request, timeout))
}

/// The request of a call that was received.
pub(crate) fn decode_call<C: DeserializeOwned>(envelope: Envelope) -> Result<C, DecodeCause> {
    let sender = envelope.sender();
    let data = envelope.into_bytes().map_err(|error| error.cause)?;
    caller::decode(sender, &data)
}
