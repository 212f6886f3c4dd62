//! Applications: parts of a program that are started, stopped and configured as one, in the order
//! in which they depend on each other. OTP's `application`.
//!
//! What must stay true, as in OTP: an application is one tree of processes, with a process above
//! it that keeps its state; it starts when those run that it depends on; all are stopped in the
//! reverse order; when one ends by itself, its [`Kind`] says what follows. There is one
//! [`Controller`], which has the name `application_controller`; without it (or when it ends)
//! nothing runs.
//!
//! ```
//! use lunatic::ExitReason;
//! use lunatic::application::{self, Application, Controller, Environment, Kind, Spec};
//! use lunatic::supervisor::{Strategy, StartError, Supervisor};
//!
//! struct Store;
//!
//! impl Application for Store {
//!     const NAME: &'static str = "store";
//!
//!     fn spec() -> Spec {
//!         Spec::new().env("size", &16u32)
//!     }
//!
//!     fn start(environment: &Environment) -> Result<(lunatic::Pid, Self), StartError> {
//!         assert_eq!(environment.get::<u32>("size"), Some(16));
//!         let supervisor = Supervisor::new(Strategy::OneForOne).start_link()?;
//!         Ok((supervisor.pid(), Store))
//!     }
//! }
//!
//! struct Shop;
//!
//! impl Application for Shop {
//!     const NAME: &'static str = "shop";
//!
//!     fn spec() -> Spec {
//!         Spec::new().depends_on::<Store>()
//!     }
//!
//!     fn start(_: &Environment) -> Result<(lunatic::Pid, Self), StartError> {
//!         let supervisor = Supervisor::new(Strategy::OneForOne).start_link()?;
//!         Ok((supervisor.pid(), Shop))
//!     }
//! }
//!
//! let controller = Controller::start_link().unwrap();
//! let started = controller.ensure_all_started::<Shop>(Kind::Temporary).unwrap();
//! assert_eq!(started, ["store", "shop"]);
//! controller.stop("shop").unwrap();
//! assert_eq!(controller.running().unwrap(), ["store"]);
//! controller.shut_down().unwrap();
//! ```

mod controller;
mod error;
mod master;
mod table;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::server::{Caller, Options, ServerRef, StartError};
use crate::sys::Term;
use crate::{ExitReason, Pid, sys};

use controller::{Call, Process};
pub use error::ApplicationError;
use master::Start;
pub use table::Kind;

/// The name of the controller.
const CONTROLLER: &str = "application_controller";

/// An application's callbacks, all in the process above its tree. See the [module](self) for an
/// example.
///
/// ```
/// use lunatic::application::{Application, Controller, Environment, Kind, Spec};
/// use lunatic::supervisor::{StartError, Strategy, Supervisor};
/// use lunatic::{ExitReason, Pid};
///
/// struct Mail;
///
/// impl Application for Mail {
///     const NAME: &'static str = "mail";
///
///     fn spec() -> Spec {
///         Spec::new().env("port", &25u16).phase("listen")
///     }
///
///     fn start(environment: &Environment) -> Result<(Pid, Self), StartError> {
///         assert_eq!(environment.keys().collect::<Vec<_>>(), ["port"]);
///         let tree = Supervisor::new(Strategy::OneForOne).start_link()?;
///         Ok((tree.pid(), Mail))
///     }
///
///     fn start_phase(&mut self, phase: &str) -> Result<(), ExitReason> {
///         println!("now {phase}");
///         Ok(())
///     }
///
///     fn prepare_stop(&mut self) {
///         println!("no more letters are taken");
///     }
///
///     fn stop(self) {
///         println!("the tree has ended");
///     }
/// }
///
/// let controller = Controller::start_link().unwrap();
/// controller.start::<Mail>(Kind::Temporary).unwrap();
/// controller.shut_down().unwrap();
/// ```
pub trait Application: Sized + 'static {
    /// Its name.
    const NAME: &'static str;

    /// Whom it depends on, its environment, its start phases.
    fn spec() -> Spec {
        Spec::new()
    }

    /// Starts the tree, whose first process must be linked to this one, as `start_link` of
    /// supervisors and servers does. Gives its pid, and the state of the application.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    fn start(environment: &Environment) -> Result<(Pid, Self), StartError>;

    /// One of the phases of its [`Spec`], one after the other when the tree runs.
    ///
    /// # Errors
    ///
    /// Why it does not start: the tree is stopped again.
    fn start_phase(&mut self, _phase: &str) -> Result<(), ExitReason> {
        Ok(())
    }

    /// The tree is about to be stopped; or it has ended by itself.
    fn prepare_stop(&mut self) {}

    /// The tree has ended.
    fn stop(self) {}
}

/// What there is to know of an application before it starts.
///
/// ```
/// use lunatic::application::Spec;
///
/// // This is what `Application::spec` gives.
/// let spec = Spec::new().env("port", &80u16).env("name", "shop").phase("open").phase("greet");
/// assert_ne!(spec, Spec::new());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Spec {
    depends_on: Vec<Dependency>,
    environment: BTreeMap<String, Term>,
    phases: Vec<String>,
}

/// An application by its name, and how its specification is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Dependency {
    name: String,
    /// A `fn() -> Loaded`: a specification that held those of others would have no end in a cycle.
    load: usize,
}

impl Spec {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another application must run while this one does.
    pub fn depends_on<A: Application>(mut self) -> Self {
        let load: fn() -> Loaded = Loaded::of::<A>;
        self.depends_on.push(Dependency { name: A::NAME.to_owned(), load: load as usize });
        self
    }

    /// A value of its environment, unless [`Controller::set_env`] gives another one.
    pub fn env<T: Serialize + ?Sized>(mut self, key: &str, value: &T) -> Self {
        self.environment.insert(key.to_owned(), Term::of(value));
        self
    }

    /// A phase of its start, after those that were added before.
    pub fn phase(mut self, phase: &str) -> Self {
        self.phases.push(phase.to_owned());
        self
    }
}

/// An application as the controller gets it.
#[derive(Serialize, Deserialize)]
struct Loaded {
    name: String,
    spec: Spec,
    start: Start,
}

impl Loaded {
    fn of<A: Application>() -> Self {
        Self { name: A::NAME.to_owned(), spec: A::spec(), start: Start::of::<A>() }
    }
}

/// The values that an application was started with.
///
/// ```
/// use lunatic::application::Environment;
///
/// fn describe(environment: &Environment) -> String {
///     let port: u16 = environment.get("port").unwrap_or(80);
///     format!("port {port}, {} values", environment.keys().count())
/// }
///
/// assert_eq!(describe(&Environment::default()), "port 80, 0 values");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment(BTreeMap<String, Term>);

impl Environment {
    /// A value; `None` if there is none, or it is of another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.0.get(key)?.decode().ok()
    }

    /// The keys of all values.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Runs a program that is an application: starts it and all that it depends on as permanent ones,
/// and waits for their end.
///
/// # Errors
///
/// Why one did not start, or with which reason one has ended.
///
/// ```no_run
/// # use lunatic::{ExitReason, Pid, application::{self, Application, Environment}};
/// # struct Shop;
/// # impl Application for Shop {
/// #     const NAME: &'static str = "shop";
/// #     fn start(_: &Environment) -> Result<(Pid, Self), lunatic::server::StartError> {
/// #         unreachable!()
/// #     }
/// # }
/// #[lunatic::main]
/// fn main() -> Result<(), ExitReason> {
///     application::run::<Shop>()
/// }
/// ```
pub fn run<A: Application>() -> Result<(), ExitReason> {
    let controller = Controller::start_link()
        .map_err(|error| ExitReason::Error(format!("no application controller: {error}")))?;
    let monitor = controller.pid().monitor();
    controller.ensure_all_started::<A>(Kind::Permanent)?;
    match monitor.wait(None).map(|down| down.reason) {
        Some(ExitReason::Normal) | None => Ok(()),
        Some(reason) => Err(reason),
    }
}

/// The process that knows all applications.
///
/// ```
/// # use lunatic::{Pid, application::{Application, Environment}};
/// # struct Shop;
/// # impl Application for Shop {
/// #     const NAME: &'static str = "shop";
/// #     fn start(_: &Environment) -> Result<(Pid, Self), lunatic::server::StartError> {
/// #         unreachable!()
/// #     }
/// # }
/// use lunatic::application::Controller;
///
/// let controller = Controller::start_link().unwrap();
/// assert_eq!(Controller::find(), Some(controller));
/// assert_eq!(lunatic::whereis("application_controller"), Some(controller.pid()));
/// controller.load::<Shop>().unwrap();
/// assert_eq!(controller.loaded().unwrap(), ["shop"]);
/// controller.unload("shop").unwrap();
/// # controller.shut_down().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    server: ServerRef<Process>,
}

impl Controller {
    /// Starts it, linked to this process. When it ends, or this process does, all applications are
    /// stopped.
    ///
    /// # Errors
    ///
    /// If there is one already.
    pub fn start_link() -> Result<Self, StartError> {
        let options = Options::new().name(CONTROLLER);
        options.start_link::<Process>(()).map(|server| Self { server })
    }

    /// The one that runs.
    pub fn find() -> Option<Self> {
        ServerRef::find(CONTROLLER).map(|server| Self { server })
    }

    /// Its pid.
    pub fn pid(self) -> Pid {
        self.server.pid()
    }

    /// Makes an application known, so that its environment can be changed before it starts.
    ///
    /// # Errors
    ///
    /// If one of this name is known.
    pub fn load<A: Application>(self) -> Result<(), ApplicationError> {
        self.load_it(Loaded::of::<A>())
    }

    fn load_it(self, loaded: Loaded) -> Result<(), ApplicationError> {
        self.ask(|caller| Call::Load(loaded, caller))
    }

    /// Forgets an application.
    ///
    /// # Errors
    ///
    /// If it runs, or is not known.
    pub fn unload(self, name: &str) -> Result<(), ApplicationError> {
        self.ask(|caller| Call::Unload(name.to_owned(), caller))
    }

    /// Starts an application, which is loaded if need be, and waits until it runs.
    ///
    /// # Errors
    ///
    /// If it runs already, or one does not that it depends on; or if it does not start, which ends
    /// the controller unless it is temporary.
    pub fn start<A: Application>(self, kind: Kind) -> Result<(), ApplicationError> {
        match self.load::<A>() {
            Ok(()) | Err(ApplicationError::AlreadyLoaded(_)) => self.start_loaded(A::NAME, kind),
            Err(error) => Err(error),
        }
    }

    fn start_loaded(self, name: &str, kind: Kind) -> Result<(), ApplicationError> {
        self.ask(|caller| Call::Start(name.to_owned(), kind, caller))
    }

    /// Starts an application, and before it all that it depends on. Gives the names of those that
    /// did not run before, in the order of their starts.
    ///
    /// # Errors
    ///
    /// If one of them does not start; those that were started for it are stopped again.
    pub fn ensure_all_started<A: Application>(
        self,
        kind: Kind,
    ) -> Result<Vec<String>, ApplicationError> {
        let mut depends_on = BTreeMap::new();
        let mut found = vec![Loaded::of::<A>()];
        while let Some(loaded) = found.pop() {
            let on = &loaded.spec.depends_on;
            let names = on.iter().map(|on| on.name.clone()).collect();
            if depends_on.insert(loaded.name.clone(), names).is_none() {
                found.extend(on.iter().map(Dependency::load));
                match self.load_it(loaded) {
                    Ok(()) | Err(ApplicationError::AlreadyLoaded(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let mut started = Vec::new();
        for name in table::start_order(A::NAME, &depends_on)? {
            match self.start_loaded(&name, kind) {
                Ok(()) => started.push(name),
                Err(ApplicationError::AlreadyStarted(_)) => {}
                Err(error) => {
                    for name in started.iter().rev() {
                        let _ = self.stop(name);
                    }
                    return Err(error);
                }
            }
        }
        Ok(started)
    }

    /// Stops an application, and waits for its end. Others that depend on it stay.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn stop(self, name: &str) -> Result<(), ApplicationError> {
        self.ask(|caller| Call::Stop(name.to_owned(), caller))
    }

    /// Those that run, the one that was started last first.
    ///
    /// # Errors
    ///
    /// If the controller has ended.
    pub fn running(self) -> Result<Vec<String>, ApplicationError> {
        Ok(self.server.call_with(None, Call::Running)?)
    }

    /// Those that are loaded, by name.
    ///
    /// # Errors
    ///
    /// If the controller has ended.
    pub fn loaded(self) -> Result<Vec<String>, ApplicationError> {
        Ok(self.server.call_with(None, Call::AllLoaded)?)
    }

    /// The environment of a loaded application as it is now.
    ///
    /// # Errors
    ///
    /// If it is not loaded.
    pub fn env(self, name: &str) -> Result<Environment, ApplicationError> {
        self.ask(|caller| Call::Env(name.to_owned(), caller))
    }

    /// Changes a value in the environment of a loaded application. One that runs was given the
    /// values of before.
    ///
    /// # Errors
    ///
    /// If it is not loaded.
    ///
    /// ```
    /// # use lunatic::{Pid, application::{Application, Controller, Environment}};
    /// # struct Shop;
    /// # impl Application for Shop {
    /// #     const NAME: &'static str = "shop";
    /// #     fn start(_: &Environment) -> Result<(Pid, Self), lunatic::server::StartError> {
    /// #         unreachable!()
    /// #     }
    /// # }
    /// let controller = Controller::start_link().unwrap();
    /// controller.load::<Shop>().unwrap();
    /// controller.set_env("shop", "port", &8080u16).unwrap();
    /// assert_eq!(controller.env("shop").unwrap().get::<u16>("port"), Some(8080));
    /// # controller.shut_down().unwrap();
    /// ```
    pub fn set_env<T: Serialize + ?Sized>(
        self,
        name: &str,
        key: &str,
        value: &T,
    ) -> Result<(), ApplicationError> {
        let value = Term::of(value);
        self.ask(|caller| Call::SetEnv(name.to_owned(), key.to_owned(), value, caller))
    }

    /// Stops all applications, the one that was started last first, and ends the controller.
    ///
    /// # Errors
    ///
    /// If it had ended before, or ends with another reason.
    pub fn shut_down(self) -> Result<(), ApplicationError> {
        Ok(sys::stop(self.pid(), &ExitReason::Normal, None)?)
    }

    fn ask<R: Serialize + DeserializeOwned>(
        self,
        make: impl FnOnce(Caller<Result<R, ApplicationError>>) -> Call,
    ) -> Result<R, ApplicationError> {
        self.server.call_with(None, make)?
    }
}

impl Dependency {
    fn load(&self) -> Loaded {
        // SAFETY: `depends_on` has stored a function of this type, in the same module.
        let load = unsafe { core::mem::transmute::<usize, fn() -> Loaded>(self.load) };
        load()
    }
}
