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
mod options;
mod run;

use core::fmt;
use core::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use crate::behaviour::StartError;
use crate::behaviour::send;
pub use crate::call::CallError;
use crate::format::DecodeCause;
use crate::message::{Destination, Down, Envelope, Exit, tag};
use crate::process::whereis;
use crate::sys::{self, Term};
use crate::{ExitReason, Pid, behaviour};

pub use caller::Caller;
pub use next::{Init, Next};
pub use options::Options;

/// How long [`ServerRef::call`] waits for an answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a server receives beside calls and casts.
///
/// ```
/// use lunatic::server::{Info, Init, Next, Server};
/// use lunatic::{ExitReason, Mailbox, Pid, process, sys};
/// use std::time::Duration;
///
/// /// Ends with the first process of those that it is told to watch, or when nobody tells it.
/// struct Watch;
///
/// impl Server for Watch {
/// #   type Argument = ();
/// #   type Call = ();
/// #   type Cast = ();
///     type Message = Pid;
///
///     fn init((): ()) -> Init<Self> {
///         process::trap_exit(true);
///         Init::ok_then(Watch, Next::wait_for(Duration::from_secs(60)))
///     }
///
///     fn handle_info(&mut self, info: Info<Pid>) -> Next<Self> {
///         match info {
///             Info::Message(pid) => {
///                 pid.monitor();
///                 Next::wait()
///             }
///             Info::Down(down) => Next::stop(down.reason),
///             Info::Exit(exit) => Next::stop(exit.reason),
///             Info::Timeout => Next::stop(ExitReason::Normal),
///         }
///     }
/// #   fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// }
///
/// let watch = Watch::start(()).unwrap();
/// let end = watch.pid().monitor();
/// let child = lunatic::spawn((), |(), mailbox: Mailbox<()>| drop(mailbox.receive()));
/// watch.send(&child.pid());
/// sys::get_status(watch.pid()).unwrap(); // by now it watches
/// child.exit(ExitReason::Shutdown);
/// assert_eq!(end.wait(None).unwrap().reason, ExitReason::Shutdown);
/// ```
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
///
/// With all callbacks:
///
/// ```
/// use lunatic::server::{Caller, Init, Next, Server};
/// use lunatic::sys::{self, Term};
/// use lunatic::ExitReason;
/// use serde::{Deserialize, Serialize};
///
/// struct Shelf(Vec<String>);
///
/// #[derive(Serialize, Deserialize)]
/// enum Cast {
///     Put(String),
///     Close,
/// }
///
/// impl Server for Shelf {
///     type Argument = ();
///     type Call = Caller<usize>;
///     type Cast = Cast;
///     type Message = ();
///
///     fn init((): ()) -> Init<Self> {
///         Init::ok(Shelf(Vec::new()))
///     }
///
///     fn handle_call(&mut self, caller: Caller<usize>) -> Next<Self> {
///         caller.reply(&self.0.len());
///         Next::wait()
///     }
///
///     fn handle_cast(&mut self, cast: Cast) -> Next<Self> {
///         match cast {
///             Cast::Put(thing) => {
///                 self.0.push(thing);
///                 Next::wait()
///             }
///             Cast::Close => Next::stop(ExitReason::Shutdown),
///         }
///     }
///
///     fn terminate(&mut self, reason: &ExitReason) {
///         println!("{} things, and {reason}", self.0.len());
///     }
///
///     fn state(&self) -> Term {
///         Term::of(&self.0)
///     }
///
///     fn replace_state(&mut self, state: &Term) -> Result<(), String> {
///         self.0 = state.decode().map_err(|cause| cause.to_string())?;
///         Ok(())
///     }
///
///     fn code_change(&mut self, old_version: &str, _extra: &Term) -> Result<(), String> {
///         if old_version == "0.1" { Err("too old".into()) } else { Ok(()) }
///     }
///
///     fn format_status(&self) -> String {
///         format!("a shelf of {}", self.0.len())
///     }
/// }
///
/// let shelf = Shelf::start(()).unwrap();
/// let (pid, end) = (shelf.pid(), shelf.pid().monitor());
/// shelf.cast(&Cast::Put("a book".into()));
/// assert_eq!(sys::get_state::<Vec<String>>(pid).unwrap(), ["a book"]);
/// sys::replace_state(pid, &vec!["a lamp", "a cup"]).unwrap().unwrap();
/// assert_eq!(shelf.call(|caller| caller).unwrap(), 2);
/// sys::suspend(pid).unwrap();
/// assert_eq!(sys::code_change(pid, "0.1", &()).unwrap(), Err("too old".into()));
/// assert_eq!(sys::get_status(pid).unwrap(), "suspended, a shelf of 2");
/// sys::resume(pid).unwrap();
/// shelf.cast(&Cast::Close);
/// assert_eq!(end.wait(None).unwrap().reason, ExitReason::Shutdown);
/// ```
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

/// A server, for those that call it. It can be sent in messages.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Echo;
/// # impl Server for Echo {
/// #     type Argument = ();
/// #     type Call = (u8, Caller<u8>);
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(_: ()) -> Init<Self> { Init::ok(Echo) }
/// #     fn handle_call(&mut self, (n, caller): (u8, Caller<u8>)) -> Next<Self> {
/// #         caller.reply(&n);
/// #         Next::wait()
/// #     }
/// # }
/// use lunatic::server::{Caller, ServerRef};
/// use lunatic::{CallError, ExitReason};
///
/// let echo = Echo::start(()).unwrap();
/// assert_eq!(echo.call(|caller| (7, caller)), Ok(7));
/// // However long it takes.
/// assert_eq!(echo.call_with(None, |caller| (8, caller)), Ok(8));
/// let same = ServerRef::<Echo>::from_pid(echo.pid());
/// same.stop().unwrap();
/// let gone = Err(CallError::Down(ExitReason::NoProcess));
/// assert_eq!(echo.call(|caller| (9, caller)), gone);
/// ```
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
