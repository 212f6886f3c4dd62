//! `lunatic new NAME`: a project that runs at once by `lunatic run NAME`, in a language of choice.
//!
//! The name is checked before anything is made, and what was made is taken away again if a file
//! cannot be written, so a failure leaves nothing behind. The files are those in `templates/`.

use std::io;
use std::path::Path;

use crate::args::Language;
use crate::error::CliError;
use crate::target::shown;
use crate::{library, status};

/// Longest name of a package, in bytes: file names are made from it.
const NAME_BYTES_MAX: usize = 64;
/// What stands for the name in a template.
const NAME: &str = "{{name}}";
/// Where a project has the library of its language.
const VENDOR: &str = "vendor/lunatic";

/// What a new project consists of.
struct Template {
    files: &'static [(&'static str, &'static str)],
    library: &'static library::Files,
}

/// A file of a template: where it goes, and its text.
macro_rules! file {
    ($language:literal, $name:literal) => {
        ($name, include_str!(concat!("../../templates/", $language, "/", $name)))
    };
}

const RUST: Template = Template {
    files: &[
        file!("rust", "Cargo.toml"),
        file!("rust", ".cargo/config.toml"),
        file!("rust", ".gitignore"),
        file!("rust", "src/main.rs"),
    ],
    library: library::RUST,
};

const C: Template = Template {
    files: &[file!("c", "Makefile"), file!("c", ".gitignore"), file!("c", "main.c")],
    library: library::C,
};

const ASSEMBLY_SCRIPT: Template = Template {
    files: &[
        file!("assemblyscript", "package.json"),
        file!("assemblyscript", "asconfig.json"),
        file!("assemblyscript", "tsconfig.json"),
        file!("assemblyscript", ".gitignore"),
        file!("assemblyscript", "main.ts"),
    ],
    library: library::ASSEMBLY_SCRIPT,
};

/// Runs the command for the directory `path`.
pub fn new(path: &Path, language: Language) -> Result<u8, CliError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check_name(name)?;
    if path.symlink_metadata().is_ok() {
        return Err(CliError::failure(format!("`{}` exists already", shown(path)))
            .hint("choose another name, or run `lunatic init` in an existing Cargo project"));
    }
    let template = match language {
        Language::Rust => RUST,
        Language::C => C,
        Language::AssemblyScript => ASSEMBLY_SCRIPT,
    };
    if let Err(error) = write_all(path, &template, name) {
        // Only what this call made can be in there: the directory did not exist before.
        let _ = std::fs::remove_dir_all(path);
        let message = format!("cannot make the project `{}`", shown(path));
        return Err(CliError::failure(message).because(&error));
    }
    let shown = shown(path);
    eprintln!("made the project `{shown}`. Next:\n  lunatic run {shown}\n  lunatic test {shown}");
    Ok(status::OK)
}

fn write_all(path: &Path, template: &Template, name: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::create_dir(path)?;
    for (file, text) in template.files {
        let file = path.join(file);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, text.replace(NAME, name))?;
    }
    library::write_files(template.library, &path.join(VENDOR))
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
    Err(CliError::usage(format!("`{name}` cannot be the name of a project: {reason}"))
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
        let languages = [
            (
                Language::Rust,
                "rust",
                ["Cargo.toml", "src/main.rs", "vendor/lunatic/lunatic/Cargo.toml"],
            ),
            (Language::C, "c", ["Makefile", "main.c", "vendor/lunatic/lunatic.h"]),
            (
                Language::AssemblyScript,
                "assemblyscript",
                ["package.json", "main.ts", "vendor/lunatic/package.json"],
            ),
        ];
        for (language, name, files) in languages {
            let name = format!("app-in-{name}");
            let path = directory.path().join(&name);
            assert_eq!(new(&path, language).unwrap(), status::OK);
            for file in files {
                assert!(path.join(file).is_file(), "{file}");
            }
            let main = std::fs::read_to_string(path.join(files[0])).unwrap();
            assert!(main.contains(&name) && !main.contains(NAME), "{main}");
            std::fs::write(path.join(files[1]), "mine").unwrap();
            let error = new(&path, language).unwrap_err().to_string();
            assert!(error.contains("exists already"));
            assert_eq!(std::fs::read_to_string(path.join(files[1])).unwrap(), "mine");
        }
    }

    #[test]
    fn a_new_project_in_assemblyscript_has_the_compiler_that_the_library_is_tested_with() {
        let library = include_str!("../../../../guest/assemblyscript/package.json");
        let compiler = |text: &str| {
            let package: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
            package["devDependencies"]["assemblyscript"].as_str().map(str::to_owned)
        };
        assert!(compiler(library).is_some());
        assert_eq!(compiler(ASSEMBLY_SCRIPT.files[0].1), compiler(library));
    }

    #[test]
    fn nothing_that_npm_has_installed_is_taken_for_the_library() {
        let strange = |(name, _): &&(&str, &str)| name.contains("node_modules");
        assert_eq!(library::ASSEMBLY_SCRIPT.iter().find(strange), None);
    }

    #[test]
    fn a_new_rust_project_has_the_link_settings_of_the_library() {
        let library = include_str!("../../../../guest/rust/.cargo/config.toml");
        let flags = library.lines().find(|line| line.starts_with("rustflags")).expect("has flags");
        let (_, config) = RUST.files[1];
        assert!(config.lines().any(|line| line == flags), "{flags}");
    }
}
