//! What a person reads when a command cannot do its work: what failed, why, what to do next.
//!
//! An error is made where the cause is known and printed by `main` alone. It always carries a
//! status other than 0, and it means that nothing was left half-started.

use std::error::Error;
use std::fmt;

use crate::status;

/// A failure of the command.
#[derive(Debug)]
pub struct CliError {
    status: u8,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl CliError {
    /// The command could not do its work.
    pub fn failure(message: impl Into<String>) -> CliError {
        CliError::new(status::FAILURE, message)
    }

    /// The command line asks for something impossible.
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError::new(status::USAGE, message)
    }

    /// The module cannot be read, compiled or started.
    pub fn module(message: impl Into<String>) -> CliError {
        CliError::new(status::BAD_MODULE, message)
    }

    fn new(status: u8, message: impl Into<String>) -> CliError {
        CliError { status, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// Adds why it failed: the error itself and what stands behind it. A text that the line before
    /// already ends with is left out, since libraries like to repeat their source.
    #[must_use]
    pub fn because(mut self, cause: &(dyn Error + 'static)) -> CliError {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !self.causes.last().is_some_and(|before| before.ends_with(&text)) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hint = Some(hint.into());
        self
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  because: {}", indented(cause))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", indented(hint))?;
        }
        Ok(())
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_failed_why_and_what_to_do() {
        let cause = std::io::Error::other("disk is full");
        let error = CliError::failure("cannot write `a`").because(&cause).hint("free some space");
        assert_eq!(
            error.to_string(),
            "error: cannot write `a`\n  because: disk is full\n  hint: free some space"
        );
        assert_eq!(error.status(), status::FAILURE);
    }

    #[test]
    fn a_cause_that_its_wrapper_repeats_is_said_once() {
        let inner = std::io::Error::other("no such device");
        let outer = Wrapper(inner);
        let text = CliError::failure("failed").because(&outer).to_string();
        assert_eq!(text.matches("no such device").count(), 1);
    }

    #[test]
    fn a_cause_of_several_lines_stays_indented() {
        let cause = std::io::Error::other("first\nsecond\n");
        let text = CliError::module("bad").because(&cause).to_string();
        assert_eq!(text, "error: bad\n  because: first\n    second");
    }

    #[derive(Debug)]
    struct Wrapper(std::io::Error);

    impl fmt::Display for Wrapper {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "wrapped: {}", self.0)
        }
    }

    impl Error for Wrapper {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
}
