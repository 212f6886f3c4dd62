//! `lunatic new NAME`: a Cargo project that runs at once by `lunatic run NAME`.
//!
//! The name is checked before anything is made, and what was made is taken away again if a file
//! cannot be written, so a failure leaves nothing behind.

use std::io;
use std::path::Path;

use super::init;
use crate::error::CliError;
use crate::status;
use crate::target::shown;

/// Longest name of a package, in bytes: file names are made from it.
const NAME_BYTES_MAX: usize = 64;

/// Runs the command for the directory `path`.
pub fn new(path: &Path) -> Result<u8, CliError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check_name(name)?;
    if path.symlink_metadata().is_ok() {
        return Err(CliError::failure(format!("`{}` exists already", shown(path)))
            .hint("choose another name, or run `lunatic init` in an existing Cargo project"));
    }
    let config = init::edited("")?.unwrap_or_default();
    let files = [
        ("Cargo.toml", manifest(name, is_inside_a_project(path))),
        (".cargo/config.toml", config),
        (".gitignore", "/target\n".to_owned()),
        ("src/main.rs", MAIN.to_owned()),
    ];
    if let Err(error) = write_all(path, &files) {
        // Only what this call made can be in there: the directory did not exist before.
        let _ = std::fs::remove_dir_all(path);
        let message = format!("cannot make the project `{}`", shown(path));
        return Err(CliError::failure(message).because(&error));
    }
    let shown = shown(path);
    eprintln!("made the project `{shown}`. Next:\n  lunatic run {shown}\n  lunatic test {shown}");
    Ok(status::OK)
}

fn write_all(path: &Path, files: &[(&str, String)]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::create_dir(path)?;
    for (name, text) in files {
        let file = path.join(name);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, text)?;
    }
    Ok(())
}

/// Refuses what Cargo would refuse, and `lunatic` too: a package cannot have the name of a crate
/// that it depends on.
fn check_name(name: &str) -> Result<(), CliError> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > NAME_BYTES_MAX {
        "it is too long"
    } else if !name.chars().all(letters) {
        "only letters, digits, `-` and `_` are allowed"
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "it must start with a letter"
    } else if RESERVED.contains(&name) {
        "the word has a meaning of its own"
    } else {
        return Ok(());
    };
    let name = crate::report::printable(name);
    Err(CliError::usage(format!("`{name}` cannot be the name of a package: {reason}"))
        .hint("for example: lunatic new my-app"))
}

/// Names that Cargo or the template cannot use: Rust's words and crates that are always there.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "lunatic",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Whether a directory above holds a Cargo.toml, whose workspace would claim the new project.
fn is_inside_a_project(path: &Path) -> bool {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().skip(1).any(|above| above.join("Cargo.toml").is_file())
}

fn manifest(name: &str, stands_alone: bool) -> String {
    let mut manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nlunatic = \"0.14\"\n"
    );
    if stands_alone {
        manifest.push_str("\n# Not part of the workspace around it.\n[workspace]\n");
    }
    manifest
}

/// The program: one process asks another, and a test does the same.
const MAIN: &str = r#"use lunatic::{Mailbox, Process};

#[lunatic::main]
fn main(mailbox: Mailbox<String>) {
    // A process shares no memory with others: it gets a copy of what it is given.
    let me = mailbox.this();
    Process::spawn_link(me, |parent: Process<String>, _: Mailbox<()>| {
        parent.send(greeting("from another process"));
    });
    println!("{}", mailbox.receive());
}

fn greeting(whom: &str) -> String {
    format!("Hello {whom}!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[lunatic::test]
    fn a_process_answers(mailbox: Mailbox<String>) {
        Process::spawn_link(mailbox.this(), |parent: Process<String>, _: Mailbox<()>| {
            parent.send(greeting("test"));
        });
        assert_eq!(mailbox.receive(), "Hello test!");
    }
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_refuses_are_refused_before_anything_is_made() {
        for name in ["app", "my-app", "my_app2", "A"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "2app", "-app", "_app", "my app", "ä", "test", "lunatic", "fn", &long] {
            let error = check_name(name).expect_err(name);
            assert_eq!(error.status(), status::USAGE);
        }
    }

    #[test]
    fn a_new_project_has_everything_and_an_old_one_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app");
        assert_eq!(new(&path).unwrap(), status::OK);
        for file in ["Cargo.toml", ".cargo/config.toml", ".gitignore", "src/main.rs"] {
            assert!(path.join(file).is_file(), "{file}");
        }
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"app\"") && !manifest.contains("[workspace]"));
        std::fs::write(path.join("src/main.rs"), "mine").unwrap();
        assert!(new(&path).unwrap_err().to_string().contains("exists already"));
        assert_eq!(std::fs::read_to_string(path.join("src/main.rs")).unwrap(), "mine");
    }

    #[test]
    fn a_project_inside_another_stands_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("Cargo.toml"), "").unwrap();
        let path = directory.path().join("nested").join("app");
        new(&path).unwrap();
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }
}
