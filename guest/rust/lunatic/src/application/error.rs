//! What an application, or the controller of all, did not do.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ExitReason;
use crate::call::CallError;
use crate::server::StartError;

/// An application did not do what was asked for.
///
/// ```
/// use lunatic::application::{ApplicationError, Controller};
///
/// let controller = Controller::start_link().unwrap();
/// let error = controller.stop("nothing").unwrap_err();
/// assert_eq!(error, ApplicationError::NotStarted("nothing".into()));
/// assert_eq!(error.to_string(), "the application nothing does not run");
/// # controller.shut_down().unwrap();
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplicationError {
    /// It is loaded already.
    AlreadyLoaded(String),
    /// It is not loaded.
    NotLoaded(String),
    /// It runs already.
    AlreadyStarted(String),
    /// It does not run, or this one does not, which it depends on.
    NotStarted(String),
    /// It runs, and must be stopped first.
    Running(String),
    /// It did not start.
    Start(String, StartError),
    /// Applications depend on each other: from one to itself.
    Cycle(Vec<String>),
    /// The controller did not answer: why, for people.
    Call(String),
}

impl fmt::Display for ApplicationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyLoaded(name) => write!(f, "the application {name} is loaded already"),
            Self::NotLoaded(name) => write!(f, "the application {name} is not loaded"),
            Self::AlreadyStarted(name) => write!(f, "the application {name} runs already"),
            Self::NotStarted(name) => write!(f, "the application {name} does not run"),
            Self::Running(name) => write!(f, "the application {name} runs; stop it first"),
            Self::Start(name, error) => write!(f, "the application {name} did not start: {error}"),
            Self::Cycle(names) => {
                write!(f, "applications depend on each other: {}", names.join(" on "))
            }
            Self::Call(error) => write!(f, "the application controller did not answer: {error}"),
        }
    }
}

impl std::error::Error for ApplicationError {}

impl From<ApplicationError> for ExitReason {
    fn from(error: ApplicationError) -> Self {
        Self::Error(error.to_string())
    }
}

impl From<CallError> for ApplicationError {
    fn from(error: CallError) -> Self {
        Self::Call(error.to_string())
    }
}
