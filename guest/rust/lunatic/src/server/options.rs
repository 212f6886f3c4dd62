//! How a server is started.

use std::time::Duration;

use crate::behaviour::{StartOptions, start};
use crate::format;

use super::{Server, ServerRef, StartError, run};

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
///
/// Without a link, and not for ever:
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
/// use lunatic::server::Options;
///
/// let clock = Options::new().timeout(Duration::from_secs(5)).start::<Clock>(()).unwrap();
/// clock.stop().unwrap();
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
