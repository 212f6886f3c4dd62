//! `lunatic init`: makes the Cargo project in the current directory run on Lunatic.
//!
//! It sets the build target and the runner in `.cargo/config.toml`, brings values that older
//! versions wrote up to date, and keeps every other line, comments included. What somebody else
//! has set on purpose is never overwritten: that is an error with a hint.

use std::io;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::error::CliError;
use crate::project::WASM_TARGET;
use crate::status;

/// The runner that Cargo is told to use.
pub const RUNNER: &str = "lunatic run";
/// The target's name before Rust 1.78.
const OLD_TARGET: &str = "wasm32-wasi";
/// The runner that older versions wrote.
const OLD_RUNNER: &str = "lunatic";

/// Runs the command in `directory`.
pub fn init(directory: &Path, quiet: bool) -> Result<u8, CliError> {
    if !directory.join("Cargo.toml").is_file() {
        return Err(CliError::failure("there is no Cargo.toml in the current directory")
            .hint("`lunatic new NAME` makes a new project"));
    }
    let folder = directory.join(".cargo");
    let path = folder.join("config.toml");
    if folder.join("config").exists() && !path.exists() {
        return Err(CliError::failure("the project has a `.cargo/config` without an ending")
            .hint("rename it to `.cargo/config.toml`, as Cargo wants it, and try again"));
    }
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(CliError::failure("cannot read `.cargo/config.toml`").because(&error));
        }
    };
    let new = edited(&old)?;
    let said = match &new {
        Some(text) => {
            replace(&path, text).map_err(|error| {
                CliError::failure("cannot write `.cargo/config.toml`").because(&error)
            })?;
            "`.cargo/config.toml` is ready: `cargo run` and `cargo test` now use lunatic"
        }
        None => "`.cargo/config.toml` was ready already",
    };
    if !quiet {
        eprintln!("{said}");
    }
    Ok(status::OK)
}

/// Writes a file so that it is either the old one or the new one, never half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // A link's target is what is meant to change, not the link.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let next = path.with_extension("toml.new");
    let written = std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&next);
    }
    written
}

/// The configuration with what Lunatic needs; `None` if it has that already.
pub fn edited(old: &str) -> Result<Option<String>, CliError> {
    let mut config: DocumentMut = old.parse().map_err(|error: toml_edit::TomlError| {
        CliError::failure("`.cargo/config.toml` is not valid TOML").because(&error)
    })?;
    set_build_target(&mut config)?;
    set_runner(&mut config)?;
    let new = config.to_string();
    Ok((new != old).then_some(new))
}

fn set_build_target(config: &mut DocumentMut) -> Result<(), CliError> {
    let build = child_table(config.as_table_mut(), "build", "build")?;
    let Some(target) = build.get_mut("target") else {
        build.insert("target", WASM_TARGET.into());
        return Ok(());
    };
    // Cargo takes one target or a list of them.
    let only = match target.as_array() {
        Some(list) if list.len() == 1 => list.get(0).and_then(Value::as_str),
        Some(_) => None,
        None => target.as_str(),
    };
    match only {
        Some(WASM_TARGET) => Ok(()),
        Some(OLD_TARGET) => {
            set_value(target, WASM_TARGET);
            Ok(())
        }
        _ => Err(refused("build.target", target, WASM_TARGET)),
    }
}

fn set_runner(config: &mut DocumentMut) -> Result<(), CliError> {
    let targets = child_table(config.as_table_mut(), "target", "target")?;
    adopt_old_target(targets);
    let table = child_table(targets, WASM_TARGET, &format!("target.{WASM_TARGET}"))?;
    let Some(runner) = table.get_mut("runner") else {
        table.insert("runner", RUNNER.into());
        return Ok(());
    };
    let words: Vec<String> = match runner.as_array() {
        Some(list) => list.iter().filter_map(Value::as_str).map(String::from).collect(),
        None => runner.as_str().unwrap_or("").split_whitespace().map(String::from).collect(),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        // With flags behind it, it is still ours.
        [OLD_RUNNER, "run", ..] => Ok(()),
        [OLD_RUNNER] => {
            set_value(runner, RUNNER);
            Ok(())
        }
        _ => Err(refused(&format!("target.{WASM_TARGET}.runner"), runner, RUNNER)),
    }
}

/// Renames the old target's table where it runs on Lunatic and the new one has none, with all
/// that the user added to it.
fn adopt_old_target(targets: &mut dyn TableLike) {
    let is_ours = |table: &Item| {
        let runner = table.get("runner").and_then(Item::as_str).unwrap_or("");
        runner.split_whitespace().next() == Some(OLD_RUNNER)
    };
    if !targets.contains_key(WASM_TARGET)
        && targets.get(OLD_TARGET).is_some_and(is_ours)
        && let Some(table) = targets.remove(OLD_TARGET)
    {
        targets.insert(WASM_TARGET, table);
    }
}

/// The table of this name, made if it is missing; `path` names it in messages.
fn child_table<'a>(
    parent: &'a mut dyn TableLike,
    name: &str,
    path: &str,
) -> Result<&'a mut dyn TableLike, CliError> {
    let item = parent.entry(name).or_insert_with(|| {
        // A table that holds only tables needs no heading of its own.
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    item.as_table_like_mut().ok_or_else(|| {
        CliError::failure(format!("`{path}` in `.cargo/config.toml` is not a table"))
            .hint("Cargo does not accept this either: correct the file and try again")
    })
}

/// Replaces a value and keeps the comment behind it.
fn set_value(item: &mut Item, new: &str) {
    let decor = item.as_value().map(|value| value.decor().clone());
    let mut value = Value::from(new);
    if let Some(decor) = decor {
        *value.decor_mut() = decor;
    }
    *item = Item::Value(value);
}

fn refused(key: &str, found: &Item, wanted: &str) -> CliError {
    let found = found.to_string();
    let message = format!("`{key}` in `.cargo/config.toml` is already set to {}", found.trim());
    CliError::failure(message).hint(format!("if that may change, set it to \"{wanted}\" yourself"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "\
[build]
target = \"wasm32-wasip1\"

[target.wasm32-wasip1]
runner = \"lunatic run\"
";

    #[test]
    fn an_empty_configuration_gets_target_and_runner() {
        assert_eq!(edited("").unwrap().as_deref(), Some(READY));
    }

    #[test]
    fn a_configuration_that_is_ready_is_left_alone() {
        let ready = [
            READY,
            "build = { target = \"wasm32-wasip1\" }\n[target.wasm32-wasip1]\nrunner = \
             [\"lunatic\", \"run\"]\n",
            "[build]\ntarget = [\"wasm32-wasip1\"]\n[target.wasm32-wasip1]\nrunner = \
             \"lunatic run --dir data\"\n",
        ];
        for config in ready {
            assert_eq!(edited(config).unwrap(), None, "{config}");
        }
    }

    #[test]
    fn inline_tables_stay_inline() {
        let new = edited("build = { jobs = 2 }\n").unwrap().unwrap();
        let first = new.lines().next().unwrap();
        assert!(first.starts_with("build = { jobs = 2"), "{new}");
        assert!(first.ends_with("target = \"wasm32-wasip1\" }"), "{new}");
        assert_eq!(edited(&new).unwrap(), None);
    }

    #[test]
    fn what_older_versions_wrote_is_brought_up_to_date() {
        let old = "[build]\ntarget = \"wasm32-wasi\"\n\n[target.wasm32-wasi]\nrunner = ";
        for runner in ["\"lunatic\"\n", "\"lunatic run\"\n"] {
            assert_eq!(edited(&format!("{old}{runner}")).unwrap().as_deref(), Some(READY));
        }
    }

    #[test]
    fn other_settings_and_comments_stay() {
        let old = "# mine\n[alias]\nb = \"build\"\n\n[build]\njobs = 2 # few\n";
        let new = edited(old).unwrap().unwrap();
        assert!(new.starts_with("# mine\n[alias]\nb = \"build\"\n\n[build]\njobs = 2 # few\n"));
        assert!(new.contains("target = \"wasm32-wasip1\""));
        let old = "[target.wasm32-wasi]\nrunner = \"lunatic\" # fast\nrustflags = [\"-g\"]\n";
        let new = edited(old).unwrap().unwrap();
        assert!(new.contains("runner = \"lunatic run\" # fast\nrustflags = [\"-g\"]\n"), "{new}");
        assert!(!new.contains("wasm32-wasi]"));
    }

    #[test]
    fn another_projects_settings_are_not_overwritten() {
        let cases = [
            ("[build]\ntarget = \"x86_64-unknown-linux-gnu\"\n", "build.target"),
            ("[build]\ntarget = [\"wasm32-wasip1\", \"other\"]\n", "build.target"),
            ("[target.wasm32-wasip1]\nrunner = \"wasmtime\"\n", "runner"),
            ("[target.wasm32-wasip1]\nrunner = 3\n", "runner"),
            ("build = 1\n", "`build`"),
            ("[target]\nwasm32-wasip1 = 1\n", "target.wasm32-wasip1"),
            ("[build\n", "not valid TOML"),
        ];
        for (config, named) in cases {
            let error = edited(config).expect_err(config).to_string();
            assert!(error.contains(named), "{config}: {error}");
        }
    }

    #[test]
    fn doing_it_twice_changes_nothing_more() {
        for config in ["", "[target.wasm32-wasi]\nrunner = \"lunatic\"\n", "[net]\nretry = 1\n"] {
            let once = edited(config).unwrap().unwrap();
            assert_eq!(edited(&once).unwrap(), None, "{config}");
        }
    }

    #[test]
    fn a_directory_that_is_no_project_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        assert!(init(directory.path(), true).is_err());
        assert!(!directory.path().join(".cargo").exists());
        std::fs::write(directory.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(init(directory.path(), true).unwrap(), status::OK);
        let written = std::fs::read_to_string(directory.path().join(".cargo/config.toml"));
        assert_eq!(written.unwrap(), READY);
        assert_eq!(init(directory.path(), true).unwrap(), status::OK);
    }

    #[test]
    fn a_configuration_without_an_ending_is_pointed_out() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("Cargo.toml"), "").unwrap();
        std::fs::create_dir(directory.path().join(".cargo")).unwrap();
        std::fs::write(directory.path().join(".cargo/config"), "").unwrap();
        let error = init(directory.path(), true).unwrap_err().to_string();
        assert!(error.contains("rename it"), "{error}");
    }
}
