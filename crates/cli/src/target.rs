//! What TARGET on the command line stands for: a module, a source file, or a project.
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
    /// What other tools than Cargo make a module of.
    Sources(Sources),
}

/// Sources in other languages than Rust.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sources {
    /// The directory of a package.json, whose `build` script makes a module.
    Npm(PathBuf),
    /// The directory of a Makefile, which makes a module.
    Make(PathBuf),
    /// A program of one file in C.
    C(PathBuf),
    /// A program of one file in AssemblyScript.
    AssemblyScript(PathBuf),
}

/// What a TARGET can be, for hints.
const TARGETS: &str = "TARGET is a .wasm or .wat file, a source file in C (.c) or AssemblyScript \
    (.ts), or a directory with a Cargo.toml, a package.json, a Makefile or one .c file";

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
        let target = if metadata.is_dir() { directory(path)? } else { file(path) };
        if build.is_given() && !matches!(target, Target::Project(_)) {
            let message = format!("`{shown}` is no Cargo project, so Cargo's flags mean nothing");
            return Err(CliError::usage(message)
                .hint("leave out the flags about building, or name a Cargo project"));
        }
        Ok(target)
    }
}

fn file(path: &Path) -> Target {
    if path.file_name().is_some_and(|name| name == "Cargo.toml") {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        return Target::Project(directory.unwrap_or(Path::new(".")).to_owned());
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("c") => Target::Sources(Sources::C(path.to_owned())),
        Some("ts") => Target::Sources(Sources::AssemblyScript(path.to_owned())),
        _ => Target::File(path.to_owned()),
    }
}

/// The first of the files that say how a directory is built decides.
fn directory(path: &Path) -> Result<Target, CliError> {
    let has = |name: &str| path.join(name).is_file();
    if has("Cargo.toml") {
        return Ok(Target::Project(path.to_owned()));
    }
    if has("package.json") {
        return Ok(Target::Sources(Sources::Npm(path.to_owned())));
    }
    if has("Makefile") || has("makefile") || has("GNUmakefile") {
        return Ok(Target::Sources(Sources::Make(path.to_owned())));
    }
    let mut sources = c_files(path);
    match sources.len() {
        1 => Ok(Target::Sources(Sources::C(sources.remove(0)))),
        0 => {
            let message = format!("there is nothing to build in the directory `{}`", shown(path));
            Err(CliError::module(message).hint(TARGETS))
        }
        _ => {
            let message = format!("the directory `{}` has several .c files", shown(path));
            Err(CliError::module(message).hint("name one of them, or write a Makefile"))
        }
    }
}

fn c_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let files = entries.map(|entry| entry.path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "c")).collect()
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
        None => error.hint(TARGETS),
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
        assert!(error.to_string().contains("there is nothing to build"));
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
    fn sources_in_other_languages_are_told_by_what_builds_them() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let put = |name: &str| std::fs::write(at(name), "").unwrap();
        let here = || directory.path().to_owned();
        put("a.c");
        assert_eq!(find(directory.path()).unwrap(), Target::Sources(Sources::C(at("a.c"))));
        put("b.c");
        assert!(find(directory.path()).unwrap_err().to_string().contains("several .c files"));
        assert_eq!(find(&at("b.c")).unwrap(), Target::Sources(Sources::C(at("b.c"))));
        put("Makefile");
        assert_eq!(find(directory.path()).unwrap(), Target::Sources(Sources::Make(here())));
        put("package.json");
        assert_eq!(find(directory.path()).unwrap(), Target::Sources(Sources::Npm(here())));
        put("a.ts");
        let script = Target::Sources(Sources::AssemblyScript(at("a.ts")));
        assert_eq!(find(&at("a.ts")).unwrap(), script);
        let build = BuildArgs { release: true, ..BuildArgs::default() };
        let error = Target::find(directory.path(), &build).unwrap_err();
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
