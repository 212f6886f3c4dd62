//! What TARGET on the command line stands for: a module file or a Cargo project.
//!
//! Nothing is started or built here, so a mistyped path costs nothing.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::args::{BuildArgs, COMMANDS};
use crate::error::CliError;
use crate::report::printable;

/// Largest module file that is read, in bytes. The engine has a limit of its own below this one.
const MODULE_FILE_BYTES_MAX: u64 = 1 << 30;
/// Commands of older versions that this one does not have.
const OLD_COMMANDS: [&str; 5] = ["control", "node", "login", "app", "deploy"];

/// What is to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A file that should hold a module.
    File(PathBuf),
    /// The directory of a Cargo project.
    Project(PathBuf),
}

impl Target {
    /// Looks at `path`. Build flags make sense for a project only, and are refused for a file.
    pub fn find(path: &Path, build: &BuildArgs) -> Result<Target, CliError> {
        let shown = shown(path);
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(path)),
            Err(error) => {
                let message = format!("cannot look at `{shown}`");
                return Err(CliError::module(message).because(&error));
            }
        };
        if metadata.is_dir() {
            if path.join("Cargo.toml").is_file() {
                return Ok(Target::Project(path.to_owned()));
            }
            return Err(CliError::module(format!("the directory `{shown}` has no Cargo.toml"))
                .hint("TARGET is a .wasm or .wat file, or the directory of a Cargo project"));
        }
        if path.file_name().is_some_and(|name| name == "Cargo.toml") {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            return Ok(Target::Project(directory.unwrap_or(Path::new(".")).to_owned()));
        }
        if build.is_given() {
            let message = format!("`{shown}` is a file, so there is nothing to build");
            return Err(CliError::usage(message)
                .hint("leave out the flags about building, or name a Cargo project"));
        }
        Ok(Target::File(path.to_owned()))
    }
}

/// Reads a module file whole.
pub fn read_module(path: &Path) -> Result<Vec<u8>, CliError> {
    let shown = shown(path);
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(MODULE_FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(CliError::module(format!("cannot read `{shown}`")).because(&error)),
        Ok(length) if length as u64 > MODULE_FILE_BYTES_MAX => {
            let message = format!("`{shown}` has more than {MODULE_FILE_BYTES_MAX} bytes");
            Err(CliError::module(message).hint("is it a WebAssembly module?"))
        }
        Ok(_) => Ok(bytes),
    }
}

/// A path as it can be printed.
pub fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

fn missing(path: &Path) -> CliError {
    let error = CliError::module(format!("there is no file or directory `{}`", shown(path)));
    let word = path.to_str().unwrap_or_default();
    if OLD_COMMANDS.contains(&word) {
        return error.hint(format!("this version of lunatic has no command `{word}`"));
    }
    match COMMANDS.iter().find(|command| is_near(word, command)) {
        Some(command) => error.hint(format!("did you mean the command `lunatic {command}`?")),
        None => error.hint("TARGET is a .wasm or .wat file, or the directory of a Cargo project"),
    }
}

/// Whether one letter was added, left out or changed, or two neighbours were swapped.
fn is_near(typed: &str, meant: &str) -> bool {
    let (typed, meant) = (typed.as_bytes(), meant.as_bytes());
    let front = typed.iter().zip(meant).take_while(|(a, b)| a == b).count();
    let (typed, meant) = (&typed[front..], &meant[front..]);
    let after = |text: &[u8], skipped: usize| text.get(skipped..).map(<[u8]>::to_vec);
    let same = |a: usize, b: usize| after(typed, a).is_some() && after(typed, a) == after(meant, b);
    let swapped = typed.len() >= 2 && meant.len() >= 2 && typed[0] == meant[1];
    let swapped = swapped && typed[1] == meant[0] && same(2, 2);
    same(1, 1) || same(1, 0) || same(0, 1) || swapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status;

    fn find(path: &Path) -> Result<Target, CliError> {
        Target::find(path, &BuildArgs::default())
    }

    #[test]
    fn a_target_is_a_file_or_a_project() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let error = find(directory.path()).unwrap_err();
        assert!(error.to_string().contains("has no Cargo.toml"));
        std::fs::write(at("Cargo.toml"), "").unwrap();
        std::fs::write(at("a.wasm"), "").unwrap();
        let project = Target::Project(directory.path().to_owned());
        assert_eq!(find(directory.path()).unwrap(), project);
        assert_eq!(find(&at("Cargo.toml")).unwrap(), project);
        assert_eq!(find(&at("a.wasm")).unwrap(), Target::File(at("a.wasm")));
        let build = BuildArgs { release: true, ..BuildArgs::default() };
        assert!(Target::find(directory.path(), &build).is_ok());
        let error = Target::find(&at("a.wasm"), &build).unwrap_err();
        assert_eq!(error.status(), status::USAGE);
    }

    #[test]
    fn a_missing_target_is_explained() {
        let cases = [
            ("tset", "did you mean the command `lunatic test`?"),
            ("rnu", "did you mean the command `lunatic run`?"),
            ("inits", "did you mean the command `lunatic init`?"),
            ("nw", "did you mean the command `lunatic new`?"),
            ("control", "has no command `control`"),
            ("missing.wasm", "TARGET is a .wasm or .wat file"),
            ("", "TARGET is"),
        ];
        for (path, hint) in cases {
            let error = find(Path::new(path)).unwrap_err();
            assert_eq!(error.status(), status::BAD_MODULE);
            assert!(error.to_string().contains(hint), "{path}: {error}");
        }
    }
}
