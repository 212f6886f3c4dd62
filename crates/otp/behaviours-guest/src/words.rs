//! The words of behaviour scenarios: reasons, and errors of starts.

use lunatic::ExitReason;
use lunatic::supervisor::{FailedToStart, ManageError, SpecError, StartError, Started};

use crate::recorder;

/// Why something ended, as a word.
pub fn reason(reason: &ExitReason) -> String {
    if let Some(FailedToStart { id, error }) = FailedToStart::from_reason(reason) {
        return format!("failed {id} ({})", start_error(&error));
    }
    match reason {
        ExitReason::ShutdownWith(_) => {
            let word: Option<String> = reason.decode();
            format!("shutdown:{}", word.expect("scenarios give a word"))
        }
        ExitReason::Error(text) if text.starts_with("panicked at ") => "crash".to_owned(),
        ExitReason::Error(text) => match specification(text) {
            Some(error) => spec_error(&error),
            None => text.clone(),
        },
        other => other.to_string(),
    }
}

/// What a supervisor says of a wrong specification when it starts: the text of this.
fn specification(text: &str) -> Option<SpecError> {
    let id = || text.split('"').nth(1).unwrap_or_default().to_owned();
    let mut errors = [
        SpecError::DuplicateId(id()),
        SpecError::SignificantPermanent(id()),
        SpecError::SignificantWithoutAutoShutdown(id()),
        SpecError::ZeroPeriod,
    ]
    .into_iter();
    errors.find(|error| error.to_string() == text)
}

/// The reason that a word of a scenario means.
pub fn term(word: &str) -> ExitReason {
    match word {
        "normal" => ExitReason::Normal,
        "shutdown" => ExitReason::Shutdown,
        "kill" => ExitReason::Kill,
        _ => match word.strip_prefix("shutdown:") {
            Some(rest) => ExitReason::shutdown_with(rest).expect("a word can be written"),
            None => word.into(),
        },
    }
}

/// Why a start failed, as a word.
pub fn start_error(error: &StartError) -> String {
    match error {
        StartError::Exit(why) => reason(why),
        StartError::Ignored => "ignored".to_owned(),
        StartError::Timeout => "timeout".to_owned(),
        StartError::AlreadyStarted(pid) => format!("already_started {}", recorder::name(*pid)),
        StartError::Spawn(text) => panic!("{text}"),
    }
}

/// What is wrong with a specification.
pub fn spec_error(error: &SpecError) -> String {
    match error {
        SpecError::DuplicateId(id) => format!("duplicate {id}"),
        SpecError::SignificantPermanent(_) => "significant_permanent".to_owned(),
        SpecError::SignificantWithoutAutoShutdown(_) => {
            "significant_without_auto_shutdown".to_owned()
        }
        SpecError::ZeroPeriod => "zero_period".to_owned(),
    }
}

/// What a supervisor said to a start.
pub fn started(result: Result<Started, ManageError>) -> String {
    match result {
        Ok(Started::Running(pid)) => format!("ok {}", recorder::name(pid)),
        Ok(Started::Ignore) => "ignored".to_owned(),
        Err(error) => managed(Err(error)),
    }
}

/// What a supervisor said.
pub fn managed(result: Result<(), ManageError>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(ManageError::NotFound) => "error not_found".to_owned(),
        Err(ManageError::Running) => "error running".to_owned(),
        Err(ManageError::Restarting) => "error restarting".to_owned(),
        Err(ManageError::AlreadyPresent) => "error already_present".to_owned(),
        Err(ManageError::AlreadyStarted(pid)) => {
            format!("already_started {}", recorder::name(pid))
        }
        Err(ManageError::Start(StartError::Ignored)) => "ignored".to_owned(),
        Err(ManageError::Start(error)) => format!("error {}", start_error(&error)),
        Err(ManageError::Spec(error)) => format!("error {}", spec_error(&error)),
        Err(ManageError::WrongKind) => "wrong_kind".to_owned(),
        Err(ManageError::Call(text)) => panic!("{text}"),
    }
}
