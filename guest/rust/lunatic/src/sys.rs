//! System messages: what every behaviour of this crate understands beside its own requests. OTP's
//! `sys`.
//!
//! What must stay true: a suspended process handles system messages and the end of its parent, and
//! nothing else; its mailbox keeps the rest in order.
//!
//! ```no_run
//! use lunatic::{Pid, sys};
//!
//! fn look(pid: Pid) -> Result<(), lunatic::CallError> {
//!     sys::suspend(pid)?;
//!     println!("{}", sys::get_status(pid)?);
//!     sys::resume(pid)
//! }
//! ```

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::behaviour::{self, Received, receive, send};
use crate::call::CallError;
use crate::format::{self, Bytes, DecodeCause, Postcard};
use crate::message::{self, DecodeError, Destination, Envelope, Exit, Pattern, tag};
use crate::{ExitReason, Pid, Ref};

/// How long system calls wait.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A system request on the wire.
#[derive(Serialize, Deserialize)]
enum Request {
    Suspend,
    Resume,
    GetState,
    ReplaceState(Bytes),
    GetStatus,
    CodeChange(String, Bytes),
    Terminate(ExitReason),
}

/// A state, or what else a behaviour gives and takes without the caller knowing its type: bytes in
/// the format [`Postcard`].
///
/// ```
/// use lunatic::sys::Term;
///
/// let term = Term::of(&(1u8, "one"));
/// assert_eq!(term.decode::<(u8, String)>().unwrap(), (1, "one".to_string()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term(Bytes);

impl Term {
    /// A value as bytes; no bytes for one that cannot be serialised.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(format::to_vec(value).unwrap_or_default().into())
    }

    /// The value that the bytes are.
    ///
    /// # Errors
    ///
    /// If they are no such value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeCause> {
        format::from_slice(&self.0)
    }
}

/// Makes a process handle nothing but system messages. Twice is no error.
///
/// # Errors
///
/// If the process has ended or does not answer within five seconds; so for all functions here.
pub fn suspend(pid: Pid) -> Result<(), CallError> {
    request(pid, &Request::Suspend)
}

/// Makes a suspended process go on.
///
/// # Errors
///
/// See [`suspend`].
pub fn resume(pid: Pid) -> Result<(), CallError> {
    request(pid, &Request::Resume)
}

/// The state of a process, as its `state` callback gives it.
///
/// # Errors
///
/// See [`suspend`]; and if the state is of another type.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # use lunatic::sys::Term;
/// # struct Clock(u64);
/// impl Server for Clock {
/// #     type Argument = u64;
/// #     type Call = ();
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(time: u64) -> Init<Self> { Init::ok(Clock(time)) }
/// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
///     fn state(&self) -> Term {
///         Term::of(&self.0)
///     }
///
///     fn replace_state(&mut self, state: &Term) -> Result<(), String> {
///         self.0 = state.decode().map_err(|cause| cause.to_string())?;
///         Ok(())
///     }
///
///     fn code_change(&mut self, _old_version: &str, hours: &Term) -> Result<(), String> {
///         self.0 += hours.decode::<u64>().map_err(|cause| cause.to_string())?;
///         Ok(())
///     }
/// }
///
/// use lunatic::sys;
///
/// let clock = Clock::start_link(12).unwrap().pid();
/// assert_eq!(sys::get_state::<u64>(clock), Ok(12));
/// sys::replace_state(clock, &14u64).unwrap().unwrap();
/// assert!(sys::replace_state(clock, "no time").unwrap().is_err());
/// // Summer: while nothing else is handled, the clock is set.
/// sys::suspend(clock).unwrap();
/// sys::code_change(clock, "winter", &1u64).unwrap().unwrap();
/// sys::resume(clock).unwrap();
/// assert_eq!(sys::get_state::<u64>(clock), Ok(15));
/// ```
pub fn get_state<T: DeserializeOwned>(pid: Pid) -> Result<T, CallError> {
    let state: Term = request(pid, &Request::GetState)?;
    state.decode().map_err(|cause| {
        let (expected, bytes) = (core::any::type_name::<T>(), state.0.len() as u64);
        CallError::Decode(DecodeError { expected, sender: pid, tag: tag::REPLY, bytes, cause })
    })
}

/// Gives a process another state, through its `replace_state` callback.
///
/// # Errors
///
/// See [`suspend`]; inside, what the callback says.
pub fn replace_state<T: Serialize + ?Sized>(
    pid: Pid,
    state: &T,
) -> Result<Result<(), String>, CallError> {
    request(pid, &Request::ReplaceState(Term::of(state).0))
}

/// What can be said of a process, for people.
///
/// # Errors
///
/// See [`suspend`].
pub fn get_status(pid: Pid) -> Result<String, CallError> {
    request(pid, &Request::GetStatus)
}

/// Tells a suspended process that its code has changed, through its `code_change` callback.
///
/// # Errors
///
/// See [`suspend`]; inside, what the callback says, or that the process is not suspended.
pub fn code_change<T: Serialize + ?Sized>(
    pid: Pid,
    old_version: &str,
    extra: &T,
) -> Result<Result<(), String>, CallError> {
    request(pid, &Request::CodeChange(old_version.to_owned(), Term::of(extra).0))
}

/// Ends a process in an orderly way, with its `terminate` callback, and waits for its end.
///
/// # Errors
///
/// If it had ended before, ended with another reason than this, or still runs after the timeout
/// (`None` waits for ever).
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
/// use std::time::Duration;
/// use lunatic::{CallError, ExitReason, sys};
///
/// let clock = Clock::start(()).unwrap().pid();
/// sys::stop(clock, &ExitReason::Shutdown, Some(Duration::from_secs(5))).unwrap();
/// let again = sys::stop(clock, &ExitReason::Shutdown, None);
/// assert_eq!(again, Err(CallError::Down(ExitReason::NoProcess)));
/// ```
pub fn stop(pid: Pid, reason: &ExitReason, timeout: Option<Duration>) -> Result<(), CallError> {
    let monitor = pid.monitor();
    let (to, request) = (Destination::Pid(pid), Request::Terminate(reason.clone()));
    let sent = message::send_call::<_, Postcard>(to, tag::SYSTEM, Ref::NONE, &request, timeout);
    let down = sent.ok().and_then(|()| monitor.wait(timeout));
    match down {
        Some(down) if down.reason == *reason => Ok(()),
        Some(down) => Err(CallError::Down(down.reason)),
        None => {
            monitor.demonitor();
            Err(CallError::Timeout)
        }
    }
}

fn request<R>(pid: Pid, request: &Request) -> Result<R, CallError>
where
    R: Serialize + DeserializeOwned,
{
    behaviour::call(pid, tag::SYSTEM, request, Some(TIMEOUT))
}

/// What a behaviour does for system messages.
pub(crate) trait System {
    fn state(&self) -> Term;
    fn replace_state(&mut self, state: &Term) -> Result<(), String>;
    fn code_change(&mut self, old_version: &str, extra: &Term) -> Result<(), String>;
    fn format_status(&self) -> String;
}

/// What a behaviour does after a system message.
pub(crate) enum After {
    /// It goes on as before.
    Continue,
    /// It ends.
    Terminate(ExitReason),
}

/// Handles a system message; if it suspends, also those that come until the process is resumed.
pub(crate) fn handle(first: Envelope, parent: Pid, system: &mut dyn System) -> After {
    let patterns = [Pattern::tag(tag::SYSTEM), Pattern::EXIT.and_sender(parent)];
    let mut suspended = false;
    let mut envelope = first;
    loop {
        match envelope.decode_call::<Request, Postcard>() {
            Ok((caller, request)) => match serve(request, caller, &mut suspended, system) {
                After::Continue => {}
                After::Terminate(reason) => return After::Terminate(reason),
            },
            Err(error) => log::error!("not a system request: {error}"),
        }
        if !suspended {
            return After::Continue;
        }
        match receive(&patterns, None) {
            Some(Received::Message(next)) => envelope = next,
            Some(Received::Exit(Exit { reason, .. })) => return After::Terminate(reason),
            Some(Received::Down(_)) | None => unreachable!("no pattern takes a down"),
        }
    }
}

fn serve(request: Request, caller: Ref, suspended: &mut bool, system: &mut dyn System) -> After {
    match request {
        Request::Suspend => {
            *suspended = true;
            answer(caller, &());
        }
        Request::Resume => {
            *suspended = false;
            answer(caller, &());
        }
        Request::GetState => answer(caller, &system.state()),
        Request::ReplaceState(state) => answer(caller, &system.replace_state(&Term(state))),
        Request::GetStatus => {
            let state = if *suspended { "suspended" } else { "running" };
            answer(caller, &format!("{state}, {}", system.format_status()));
        }
        Request::CodeChange(old_version, extra) => {
            let result = if *suspended {
                system.code_change(&old_version, &Term(extra))
            } else {
                Err("the process must be suspended first".to_owned())
            };
            answer(caller, &result);
        }
        Request::Terminate(reason) => return After::Terminate(reason),
    }
    After::Continue
}

fn answer<T: Serialize + DeserializeOwned>(caller: Ref, value: &T) {
    if !caller.is_none() {
        send(Destination::Alias(caller), tag::REPLY, value);
    }
}
