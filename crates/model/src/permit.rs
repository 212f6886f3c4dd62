//! Everything that can be written into a configuration, a flag or a policy as a right: those of
//! [`Right`], and those to directories and environment variables, which are things of the host.

use std::fmt;
use std::str::FromStr;

use crate::{Right, RightError};

/// Bytes of a written right. Paths are the longest.
pub const PERMIT_BYTES_MAX: usize = 4096;

/// What may be done below a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileDeed {
    /// Read files, list directories, query metadata.
    Read,
    /// Change files that are there.
    Write,
    /// Make files, directories and links.
    Create,
    /// Remove, and move away.
    Remove,
    /// All of these.
    All,
}

impl FileDeed {
    /// Each with its written form.
    pub const EACH: [(FileDeed, &'static str); 5] = [
        (FileDeed::Read, "read"),
        (FileDeed::Write, "write"),
        (FileDeed::Create, "create"),
        (FileDeed::Remove, "remove"),
        (FileDeed::All, "files"),
    ];
}

/// One right as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Permit {
    /// What a process may do by itself.
    Right(Right),
    /// `read:PATH` and so on: to use files below a directory.
    Files(FileDeed, String),
    /// `env:NAME`: to see an environment variable that its giver has; `env:*` all of them.
    Variable(String),
}

impl FromStr for Permit {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Permit, RightError> {
        if text.len() > PERMIT_BYTES_MAX {
            let why = format!("it has {} bytes, more than {PERMIT_BYTES_MAX}", text.len());
            return Err(RightError::new(text, why));
        }
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        if let Some((deed, _)) = FileDeed::EACH.into_iter().find(|(_, deed)| *deed == name) {
            if rest.is_empty() {
                let why = format!("it needs a directory, such as `{name}:data`");
                return Err(RightError::new(text, why));
            }
            return Ok(Permit::Files(deed, rest.to_owned()));
        }
        if name == "env" {
            if rest.is_empty() || rest.contains('=') {
                let why = "it needs the name of a variable, such as `env:HOME` or `env:*`".into();
                return Err(RightError::new(text, why));
            }
            return Ok(Permit::Variable(rest.to_owned()));
        }
        text.parse().map(Permit::Right)
    }
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permit::Right(right) => right.fmt(f),
            Permit::Files(deed, path) => write!(f, "{}:{path}", FileDeed::EACH[*deed as usize].1),
            Permit::Variable(name) => write!(f, "env:{name}"),
        }
    }
}
