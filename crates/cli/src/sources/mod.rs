//! Modules made by other tools than Cargo: npm, make, clang, asc.
//!
//! What these tools print goes to standard error, so that standard output stays the guest's. A
//! module that is made of a single file lies in `build/` beside it, and so does what npm and make
//! build by convention.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::CliError;
use crate::target::{Sources, shown};

mod c;
mod tool;

use tool::Tool;

/// Where modules are built, below the directory of their sources.
const BUILD: &str = "build";

impl Sources {
    /// The directory in which the sources are.
    pub fn directory(&self) -> &Path {
        match self {
            Sources::Npm(directory) | Sources::Make(directory) => directory,
            Sources::C(file) | Sources::AssemblyScript(file) => directory_of(file),
        }
    }
}

/// Builds the module and gives its path.
pub fn module(sources: &Sources, quiet: bool) -> Result<PathBuf, CliError> {
    match sources {
        Sources::Npm(directory) => npm(directory, quiet),
        Sources::Make(directory) => make(directory),
        Sources::C(file) => c::module(file),
        Sources::AssemblyScript(file) => assembly_script(file),
    }
}

/// Installs what a package needs, if nothing was installed yet, and runs its `build` script.
fn npm(directory: &Path, quiet: bool) -> Result<PathBuf, CliError> {
    if !directory.join("node_modules").is_dir() {
        if !quiet {
            eprintln!("note: installing what the package needs: npm install");
        }
        let mut install = Command::new(Tool::Npm.program());
        install.args(["install", "--no-audit", "--no-fund", "--loglevel", "error"]);
        tool::run(Tool::Npm, install.current_dir(directory))?
            .or_error(|| format!("cannot install what `{}` needs", shown(directory)))?;
    }
    let mut build = Command::new(Tool::Npm.program());
    build.args(["run", "--silent", "build"]);
    tool::run(Tool::Npm, build.current_dir(directory))?.or_error(|| does_not_build(directory))?;
    only_module(directory, "package.json")
}

fn make(directory: &Path) -> Result<PathBuf, CliError> {
    let mut make = Command::new(Tool::Make.program());
    make.args(["--silent", "--no-print-directory"]);
    c::export(&mut make)?;
    tool::run(Tool::Make, make.current_dir(directory))?.or_error(|| does_not_build(directory))?;
    only_module(directory, "Makefile")
}

/// Compiles one file with the compiler and the library of the package around it, if there is one.
fn assembly_script(file: &Path) -> Result<PathBuf, CliError> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let directory = directory_of(&file);
    let installed = |inside: &str| {
        let packages = directory.ancestors().map(|above| above.join("node_modules").join(inside));
        packages.into_iter().find(|path| path.exists())
    };
    let Some(compiler) = installed("assemblyscript/bin/asc.js") else {
        let message = format!("no compiler for AssemblyScript is installed for `{}`", shown(&file));
        return Err(CliError::failure(message)
            .hint("install it in the file's directory: npm install --save-dev assemblyscript"));
    };
    let module = module_path(&file)?;
    let mut asc = Command::new(Tool::Node.program());
    asc.arg(compiler).arg(&file).arg("--outFile").arg(&module);
    // The library brings the flags that its programs need.
    if let Some(config) = installed("lunatic/asconfig.json") {
        asc.arg("--config").arg(config);
    }
    asc.arg("--optimize").current_dir(directory);
    tool::run(Tool::Node, &mut asc)?.or_error(|| does_not_build(&file))?;
    Ok(module)
}

/// The module that a build has left in `build/` or beside the sources.
fn only_module(directory: &Path, by: &str) -> Result<PathBuf, CliError> {
    let modules_in = |directory: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
        let files = entries.map(|entry| entry.path());
        files.filter(|file| file.extension().is_some_and(|ending| ending == "wasm")).collect()
    };
    let mut modules = modules_in(&directory.join(BUILD));
    if modules.is_empty() {
        modules = modules_in(directory);
    }
    modules.sort();
    match modules.len() {
        1 => Ok(modules.remove(0)),
        0 => Err(CliError::failure(format!("`{}` has built no module", shown(directory)))
            .hint(format!("let the {by} write one .wasm file into `{BUILD}/`"))),
        _ => {
            let names: Vec<_> = modules.iter().map(|module| shown(module)).collect();
            let message = format!("the project `{}` has several modules", shown(directory));
            Err(CliError::usage(message).hint(format!("run one of them: {}", names.join(", "))))
        }
    }
}

/// Where the module of a single source file goes; the folder is made.
fn module_path(file: &Path) -> Result<PathBuf, CliError> {
    let folder = directory_of(file).join(BUILD);
    std::fs::create_dir_all(&folder).map_err(|error| {
        CliError::failure(format!("cannot make the folder `{}`", shown(&folder))).because(&error)
    })?;
    let name = file.file_stem().unwrap_or_default();
    Ok(folder.join(name).with_added_extension("wasm"))
}

fn directory_of(file: &Path) -> &Path {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

fn does_not_build(what: &Path) -> String {
    format!("`{}` does not build", shown(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_must_leave_exactly_one_module() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let found = || only_module(directory.path(), "Makefile");
        assert!(found().unwrap_err().to_string().contains("has built no module"));
        std::fs::write(at("a.wasm"), "").unwrap();
        assert_eq!(found().unwrap(), at("a.wasm"));
        std::fs::create_dir(at("build")).unwrap();
        std::fs::write(at("build/b.wasm"), "").unwrap();
        assert_eq!(found().unwrap(), at("build/b.wasm"));
        std::fs::write(at("build/c.wasm"), "").unwrap();
        let error = found().unwrap_err().to_string();
        assert!(error.contains("several modules") && error.contains("c.wasm"), "{error}");
    }

    #[test]
    fn the_module_of_a_file_keeps_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let module = module_path(&directory.path().join("a.b.c")).unwrap();
        assert_eq!(module, directory.path().join("build/a.b.wasm"));
    }
}
