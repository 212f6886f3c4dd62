//! How a child is started: a function of this module and its argument, as data.
//!
//! What must stay true: such data means something in processes of the same module alone, since
//! functions are numbers in its table. Elsewhere WebAssembly's check of a function's type makes the
//! wrong number a trap, or another function of that type.

use core::mem::transmute;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::behaviour::StartError;
use crate::format::{self, Bytes};
use crate::server::{Options, Server};
use crate::{ExitReason, Pid};

use super::{ChildKind, ChildSpec, Supervisor};

/// What a start function gives back.
///
/// ```
/// use lunatic::supervisor::{StartError, StartResult};
/// use lunatic::{Mailbox, spawn_link};
///
/// /// For `ChildSpec::new`.
/// fn start(rooms: u32) -> StartResult {
///     if rooms == 0 {
///         return Err(StartError::Exit("a house has rooms".into()));
///     }
///     Ok(spawn_link(rooms, |_, mailbox: Mailbox<()>| drop(mailbox.receive())).pid())
/// }
///
/// assert!(start(0).is_err());
/// ```
pub type StartResult = Result<Pid, StartError>;

/// Decodes an argument and starts a child with it.
type Run = fn(&Start) -> StartResult;

/// The start of a child: which function, and its argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// A [`Run`].
    run: usize,
    /// What `run` calls, where that is not known by its type.
    function: usize,
    pub(crate) argument: Bytes,
}

impl Start {
    fn new<A: Serialize>(run: Run, function: usize, argument: &A) -> Self {
        let argument = format::to_vec(argument).expect("an argument of a child can be written");
        Self { run: run as usize, function, argument: argument.into() }
    }

    /// The same function with another argument.
    pub(crate) fn with_argument(&self, argument: Bytes) -> Self {
        Self { argument, ..*self }
    }

    /// Starts the child.
    pub(crate) fn run(&self) -> StartResult {
        // SAFETY: `new` has stored a function of this type; a number of another module is caught by
        // the check of the table.
        let run = unsafe { transmute::<usize, Run>(self.run) };
        run(self)
    }

    fn decode<A: DeserializeOwned>(&self) -> Result<A, StartError> {
        format::from_slice(&self.argument).map_err(|cause| {
            let text = format!("the argument of a child cannot be read: {cause}");
            StartError::Exit(ExitReason::Error(text))
        })
    }

    /// One that is never run.
    #[cfg(test)]
    pub(crate) fn stand_in(argument: Vec<u8>) -> Self {
        Self { run: 0, function: 0, argument: argument.into() }
    }
}

fn run_function<A: DeserializeOwned>(start: &Start) -> StartResult {
    // SAFETY: `ChildSpec::new` has stored a function of this type.
    let function = unsafe { transmute::<usize, fn(A) -> StartResult>(start.function) };
    function(start.decode()?)
}

fn run_server<S: Server>(start: &Start) -> StartResult {
    S::start_link(start.decode()?).map(|server| server.pid())
}

fn run_named_server<S: Server>(start: &Start) -> StartResult {
    let (name, argument): (String, S::Argument) = start.decode()?;
    Options::new().name(name).start_link::<S>(argument).map(|server| server.pid())
}

fn run_supervisor(start: &Start) -> StartResult {
    start.decode::<Supervisor>()?.start_link().map(|supervisor| supervisor.pid())
}

impl ChildSpec {
    /// A child that is started by a function, which must link it to the supervisor, in whose
    /// process it runs, and give its pid.
    ///
    /// # Panics
    ///
    /// If the argument cannot be serialised.
    pub fn new<A: Serialize + DeserializeOwned>(
        id: impl Into<String>,
        function: fn(A) -> StartResult,
        argument: &A,
    ) -> Self {
        Self::from_start(id, Start::new(run_function::<A>, function as usize, argument))
    }

    /// A child that is a [`Server`].
    ///
    /// # Panics
    ///
    /// If the argument cannot be serialised.
    pub fn server<S: Server>(id: impl Into<String>, argument: &S::Argument) -> Self {
        Self::from_start(id, Start::new(run_server::<S>, 0, argument))
    }

    /// The same with a name, by which others find it
    /// ([`ServerRef::find`](crate::server::ServerRef::find)), also after it was restarted.
    ///
    /// # Panics
    ///
    /// If the argument cannot be serialised.
    ///
    /// ```
    /// # use lunatic::server::{Init, Next, Server};
    /// # struct Cache;
    /// # impl Server for Cache {
    /// #     type Argument = u32;
    /// #     type Call = ();
    /// #     type Cast = ();
    /// #     type Message = ();
    /// #     fn init(_: u32) -> Init<Self> { Init::ok(Cache) }
    /// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
    /// # }
    /// use lunatic::server::ServerRef;
    /// use lunatic::supervisor::{ChildSpec, Strategy, Supervisor};
    ///
    /// Supervisor::new(Strategy::OneForOne)
    ///     .child(ChildSpec::named_server::<Cache>("cache", "the cache", &16))
    ///     .start_link()
    ///     .unwrap();
    /// assert!(ServerRef::<Cache>::find("the cache").is_some());
    /// ```
    pub fn named_server<S: Server>(
        id: impl Into<String>,
        name: &str,
        argument: &S::Argument,
    ) -> Self {
        Self::from_start(id, Start::new(run_named_server::<S>, 0, &(name, argument)))
    }

    /// A child that is a supervisor itself.
    pub fn supervisor(id: impl Into<String>, supervisor: &Supervisor) -> Self {
        Self::from_start(id, Start::new(run_supervisor, 0, supervisor)).kind(ChildKind::Supervisor)
    }

    /// What the children of a dynamic supervisor are: the function gets the argument that
    /// [`SupervisorRef::start_dynamic`](super::SupervisorRef::start_dynamic) gives.
    ///
    /// ```
    /// use lunatic::supervisor::{ChildSpec, Started, StartResult, Supervisor};
    /// use lunatic::{Mailbox, spawn_link};
    ///
    /// fn start(number: u32) -> StartResult {
    ///     Ok(spawn_link(number, |_, mailbox: Mailbox<()>| drop(mailbox.receive())).pid())
    /// }
    ///
    /// let pool = Supervisor::dynamic(ChildSpec::template("worker", start)).start_link().unwrap();
    /// assert!(matches!(pool.start_dynamic(&7u32), Ok(Started::Running(_))));
    /// ```
    pub fn template<A: Serialize + DeserializeOwned>(
        id: impl Into<String>,
        function: fn(A) -> StartResult,
    ) -> Self {
        Self::from_start(id, Start::new(run_function::<A>, function as usize, &()))
    }

    /// The same for children that are servers of one type.
    pub fn server_template<S: Server>(id: impl Into<String>) -> Self {
        Self::from_start(id, Start::new(run_server::<S>, 0, &()))
    }
}
