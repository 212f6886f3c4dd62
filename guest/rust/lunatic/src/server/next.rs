//! What callbacks of a server give back.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ExitReason;

use super::Caller;
use super::caller::Reply;

/// What a server does after a callback.
///
/// ```
/// use std::time::Duration;
/// use lunatic::server::{Caller, Info, Init, Next, Server};
/// use lunatic::ExitReason;
/// use serde::{Deserialize, Serialize};
///
/// struct Shop {
///     open: bool,
/// }
///
/// #[derive(Serialize, Deserialize)]
/// enum Call {
///     Open(Caller<bool>),
///     Close(Caller<String>),
/// }
///
/// impl Shop {
///     fn sweep(&mut self) -> Next<Self> {
///         self.open = true;
///         Next::hibernate()
///     }
/// }
///
/// impl Server for Shop {
/// #   type Argument = ();
///     type Call = Call;
/// #   type Cast = ();
/// #   type Message = ();
///
///     fn init((): ()) -> Init<Self> {
///         // Whoever has started it does not wait for the broom.
///         Init::ok_then(Shop { open: false }, Next::then(Shop::sweep))
///     }
///
///     fn handle_call(&mut self, call: Call) -> Next<Self> {
///         match call {
///             Call::Open(caller) => {
///                 caller.reply(&self.open);
///                 Next::wait_for(Duration::from_secs(3600))
///             }
///             Call::Close(caller) => {
///                 Next::stop_with_reply(ExitReason::Shutdown, caller, &"good night".to_owned())
///             }
///         }
///     }
///
///     fn handle_info(&mut self, info: Info<()>) -> Next<Self> {
///         match info {
///             Info::Timeout => Next::stop("no customers".into()),
///             _ => Next::wait(),
///         }
///     }
/// }
///
/// let shop = Shop::start(()).unwrap();
/// assert_eq!(shop.call(Call::Open), Ok(true));
/// assert_eq!(shop.call(Call::Close).as_deref(), Ok("good night"));
/// ```
#[must_use]
pub struct Next<S>(pub(super) Step<S>);

pub(super) enum Step<S> {
    Wait(Option<Duration>),
    Hibernate,
    Continue(fn(&mut S) -> Next<S>),
    Stop(ExitReason, Option<Reply>),
}

impl<S> Next<S> {
    /// Waits for what comes next.
    pub fn wait() -> Self {
        Self(Step::Wait(None))
    }

    /// The same; if nothing comes within this time, [`Info::Timeout`](super::Info::Timeout) does.
    pub fn wait_for(time: Duration) -> Self {
        Self(Step::Wait(Some(time)))
    }

    /// Waits for what comes next, and gives up the stack until then: for servers that have nothing
    /// to do for long. See [`process::hibernate`](crate::process::hibernate).
    pub fn hibernate() -> Self {
        Self(Step::Hibernate)
    }

    /// Runs this before anything else is received: OTP's `handle_continue`.
    pub fn then(function: fn(&mut S) -> Next<S>) -> Self {
        Self(Step::Continue(function))
    }

    /// Ends the server with this reason, after `terminate`.
    pub fn stop(reason: ExitReason) -> Self {
        Self(Step::Stop(reason, None))
    }

    /// Ends the server with this reason; the answer is sent after `terminate`, as in OTP.
    pub fn stop_with_reply<R: Serialize + DeserializeOwned>(
        reason: ExitReason,
        caller: Caller<R>,
        answer: &R,
    ) -> Self {
        let reply = caller.prepare(answer);
        if let Err(error) = &reply {
            log::error!("an answer cannot be sent: {error}");
        }
        Self(Step::Stop(reason, reply.ok()))
    }
}

/// How `init` of a server went.
///
/// ```
/// use lunatic::server::{Init, Next, Server, StartError};
///
/// struct Printer;
///
/// impl Server for Printer {
///     type Argument = String;
/// #   type Call = ();
/// #   type Cast = ();
/// #   type Message = ();
///
///     fn init(paper: String) -> Init<Self> {
///         match paper.as_str() {
///             "A4" => Init::ok(Printer),
///             "" => Init::ignore(),
///             _ => Init::stop(format!("no {paper} here").into()),
///         }
///     }
/// #   fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// }
///
/// assert!(Printer::start("A4".into()).is_ok());
/// assert_eq!(Printer::start(String::new()), Err(StartError::Ignored));
/// let error = Printer::start("A3".into()).unwrap_err();
/// assert_eq!(error.to_string(), "the process ended in its start: no A3 here");
/// ```
#[must_use]
pub struct Init<S>(pub(super) InitStep<S>);

pub(super) enum InitStep<S> {
    Ok(S, Next<S>),
    Ignore,
    Stop(ExitReason),
}

impl<S> Init<S> {
    /// The server runs, with this state.
    pub fn ok(state: S) -> Self {
        Self::ok_then(state, Next::wait())
    }

    /// The server runs, and does this first.
    pub fn ok_then(state: S, next: Next<S>) -> Self {
        Self(InitStep::Ok(state, next))
    }

    /// The server does not want to run; that is no failure. It ends with reason normal.
    pub fn ignore() -> Self {
        Self(InitStep::Ignore)
    }

    /// The server cannot run, and ends with this reason.
    pub fn stop(reason: ExitReason) -> Self {
        Self(InitStep::Stop(reason))
    }
}
