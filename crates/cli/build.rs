//! Puts the sources of the guest libraries into the command, as data: `lunatic new` writes them
//! into new projects, because no registry has the libraries yet.
//!
//! What must stay true: nothing of a library is compiled here, and only files that a project needs
//! are taken: no tests, no builds, nothing that a tool has downloaded. Cargo looks through a folder
//! that it is told to watch, whatever lies in it, so folders with builds in them are not watched.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A library: the name of its constant, its folder below `guest/`, what its files end with.
const LIBRARIES: &[(&str, &str, &[&str])] = &[
    ("RUST", "rust", &["rs", "toml", "md"]),
    ("C", "c", &["h", "c", "md"]),
    ("ASSEMBLY_SCRIPT", "assemblyscript", &["ts", "json", "md"]),
];

/// Folders that no project needs.
const LEFT_OUT: &[&str] =
    &["target", "build", "node_modules", "tests", "test", "examples", "benches", "fuzz"];

/// Files that no project needs.
const FILES_LEFT_OUT: &[&str] = &["rustfmt.toml", "package-lock.json"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let guests = manifest.join("../../guest");
    let mut code = String::new();
    for (constant, folder, endings) in LIBRARIES {
        let folder = guests.join(folder);
        let mut files = Vec::new();
        collect(&folder, endings, &mut files)?;
        files.sort();
        writeln!(code, "pub static {constant}: &[(&str, &str)] = &[").expect("a string grows");
        for file in &files {
            let name = file.strip_prefix(&folder).expect("it was found there");
            let name = name.to_string_lossy().replace('\\', "/");
            let path = fs::canonicalize(file)?;
            writeln!(code, "    ({name:?}, include_str!({:?})),", path.display().to_string())
                .expect("a string grows");
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("libraries.rs"), code)
}

/// Finds the files of a library, and tells Cargo to watch them, and folders for new ones.
fn collect(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot list {}: {error}", folder.display()))
    })?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if !LEFT_OUT.contains(&name.as_str()) && !name.starts_with('.') {
                println!("cargo::rerun-if-changed={}", path.display());
                collect(&path, endings, files)?;
            }
        } else {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if endings.contains(&ending) && !FILES_LEFT_OUT.contains(&name.as_str()) {
                println!("cargo::rerun-if-changed={}", path.display());
                files.push(path);
            }
        }
    }
    Ok(())
}
