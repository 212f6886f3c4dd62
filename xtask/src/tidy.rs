//! `cargo xtask tidy`: rules of the house that neither rustc nor clippy knows. What the rules are
//! stands in tidy_rooms.rs (who may depend on whom) and tidy_text.rs (what a file looks like);
//! here are the walk over the files and the report.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::root;
use crate::{bench_page, tidy_rooms, tidy_text};

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &["target", ".git"];

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "tidy takes no arguments and changes nothing");
    all()
}

/// Checks every rule, and reports all findings at once.
pub fn all() -> Result<()> {
    let files = files_below(&root())?;
    let mut findings = tidy_rooms::check()?;
    let sources = read(&files, &["rs", "wat", "md"])?;
    findings.extend(tidy_text::check(&sources));
    findings.extend(guests_have_tests(&sources));
    findings.extend(named_files_exist(&sources, &root()));
    findings.extend(bench_page::check()?);
    if findings.is_empty() {
        println!("tidy: {} files keep the rules", sources.len());
        return Ok(());
    }
    for finding in &findings {
        println!("tidy: {finding}");
    }
    bail!("{} findings; mend them and run: cargo xtask tidy", findings.len())
}

/// A file's path, relative to the repository and with `/`, and its text.
pub struct Source {
    /// As a reader would write it: `crates/model/src/pid.rs`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Every file below a folder, in a fixed order, without build directories.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("cannot list the folder {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(files: &[PathBuf], extensions: &[&str]) -> Result<Vec<Source>> {
    let root = root();
    let wanted = files.iter().filter(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    });
    wanted
        .map(|file| {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read {} as text", file.display()))?;
            let path = file.strip_prefix(&root).unwrap_or(file);
            let path = path.to_string_lossy().replace('\\', "/");
            Ok(Source { path, text })
        })
        .collect()
}

/// A guest that no test names proves nothing.
fn guests_have_tests(sources: &[Source]) -> Vec<String> {
    let guests = sources.iter().filter(|source| source.path.starts_with("tests/guests/"));
    guests
        .filter_map(|guest| {
            let file = guest.path.rsplit('/').next().unwrap_or(&guest.path);
            let stem = file.split('.').next().unwrap_or(file);
            let quoted = format!("\"{stem}\"");
            let named = sources.iter().any(|source| {
                source.path.ends_with(".rs")
                    && source.path.starts_with("crates/")
                    && (source.text.contains(file) || source.text.contains(&quoted))
            });
            (!named).then(|| format!("{}: no test in crates/ names this guest", guest.path))
        })
        .collect()
}

/// The documents in whose backticks a path must be one that exists.
const MAPS: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];

fn named_files_exist(sources: &[Source], root: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    for map in MAPS {
        let Some(source) = sources.iter().find(|source| source.path == *map) else {
            findings.push(format!("{map}: missing; it is one of the documents of the house"));
            continue;
        };
        for name in named_paths(&source.text) {
            if !root.join(name).exists() {
                findings.push(format!("{map}: names `{name}`, which does not exist"));
            }
        }
    }
    findings
}

/// What stands in backticks and looks like one of our paths: begins with a folder of ours, or is
/// a document in the root.
fn named_paths(text: &str) -> Vec<&str> {
    const FOLDERS: &[&str] =
        &["crates/", "docs/", "examples/", "tests/", "xtask/", ".ci/", "abi/", "fuzz/"];
    let pieces = text.split('`').enumerate();
    pieces
        .filter(|(index, _)| index % 2 == 1)
        .map(|(_, piece)| piece)
        .filter(|piece| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
            let ours = FOLDERS.iter().any(|folder| piece.starts_with(folder));
            let document = piece.ends_with(".md") && !piece.contains('/');
            piece.chars().all(plain) && (ours || document) && !piece.contains("NNNN")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Source, guests_have_tests, named_paths};

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_guest_is_tested_when_a_room_names_its_file_or_its_stem() {
        let guests = ["tests/guests/a.wat", "tests/guests/b.wat", "tests/guests/c.wat"];
        let mut sources: Vec<Source> = guests.map(|guest| source(guest, "(module)")).into();
        sources.push(source("crates/x/tests/y.rs", "include!(a.wat); guest(\"b\")"));
        let findings = guests_have_tests(&sources);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("tests/guests/c.wat"));
    }

    #[test]
    fn only_paths_of_ours_are_looked_for() {
        let text = "`crates/model` `a/b` `NOTES.md` `cargo xtask` `docs/decisions/NNNN-title.md`";
        assert_eq!(named_paths(text), ["crates/model", "NOTES.md"]);
    }
}
