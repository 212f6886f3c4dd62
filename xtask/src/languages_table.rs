//! The languages of `examples/languages`: a row for each.
//!
//! What must stay true: everything that is tested goes over the rows, so that a language more is a
//! row more, and its programs are held against all others.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};

use crate::workspace::{WASM_TARGET, guest_cargo, guests_dir, root};
use crate::{assemblyscript, c_guests, shell};

/// The programs that each language has.
pub const PROGRAMS: &[&str] = &["counter", "pool", "pubsub", "chat"];

/// A language, and how its programs are built.
pub struct Language {
    /// As it is called in what is printed, and in the folders of modules.
    pub name: &'static str,
    /// Makes what all its programs need; false, after a word why, where that is impossible.
    prepare: fn() -> Result<bool>,
    /// Builds a program, and gives its module.
    build: fn(&str) -> Result<PathBuf>,
}

const LANGUAGES: &[Language] = &[
    Language { name: "rust", prepare: prepare_rust, build: build_rust },
    Language { name: "c", prepare: prepare_c, build: build_c },
    Language {
        name: "assemblyscript",
        prepare: assemblyscript::prepare,
        build: build_assemblyscript,
    },
];

/// The folder of the programs.
pub fn folder() -> PathBuf {
    root().join("examples/languages")
}

/// Builds all programs, and gives the languages that can be built on this machine.
pub fn build_all() -> Result<Vec<&'static Language>> {
    let mut built = Vec::new();
    for language in LANGUAGES {
        if !(language.prepare)()? {
            continue;
        }
        fs::create_dir_all(guests_dir().join(language.modules()))?;
        // Beside each other: a compiler of one file has one thread.
        let modules: Vec<Result<PathBuf>> = thread::scope(|scope| {
            let builds: Vec<_> =
                PROGRAMS.iter().map(|program| scope.spawn(|| (language.build)(program))).collect();
            builds.into_iter().map(|build| build.join().expect("it does not panic")).collect()
        });
        for (program, module) in PROGRAMS.iter().zip(modules) {
            let module = module.with_context(|| format!("{program} in {}", language.name))?;
            fs::copy(&module, language.module(program))
                .with_context(|| format!("cannot copy {}", module.display()))?;
        }
        built.push(language);
    }
    Ok(built)
}

impl Language {
    /// The folder of its modules, below that of all guests.
    pub fn modules(&self) -> PathBuf {
        Path::new("languages").join(self.name)
    }

    /// The module of a program, once it is built.
    pub fn module(&self, program: &str) -> PathBuf {
        guests_dir().join(self.modules()).join(format!("{program}.wasm"))
    }
}

/// The programs in Rust are one workspace, together with what mixes the languages.
fn prepare_rust() -> Result<bool> {
    let mut build = guest_cargo(&folder());
    shell::run(build.args(["build", "--release", "--locked", "--target", WASM_TARGET]))?;
    Ok(true)
}

/// The program in Rust that a C library is linked into; none, after a word, without a compiler.
pub fn build_without_fear() -> Result<Option<PathBuf>> {
    if !c_guests::can_build() {
        return Ok(None);
    }
    let mut build = guest_cargo(&folder());
    build.args(["build", "--release", "--locked", "--target", WASM_TARGET]);
    shell::run(build.args(["--package", "languages_without_fear"]))?;
    build_rust("without_fear").map(Some)
}

/// The module of a package in Rust.
pub fn build_rust(program: &str) -> Result<PathBuf> {
    let name = format!("languages_{program}.wasm");
    Ok(guests_dir().join(WASM_TARGET).join("release").join(name))
}

fn prepare_c() -> Result<bool> {
    let can = c_guests::can_build();
    if can {
        c_guests::build_library()?;
    }
    Ok(can)
}

fn build_c(program: &str) -> Result<PathBuf> {
    let module = guests_dir().join(format!("languages_{program}_in_c.wasm"));
    c_guests::build(&folder().join(program).join("c").join(format!("{program}.c")), &module)?;
    Ok(module)
}

fn build_assemblyscript(program: &str) -> Result<PathBuf> {
    let module = guests_dir().join(format!("languages_{program}_in_assemblyscript.wasm"));
    let source = folder().join(program).join("assemblyscript").join(format!("{program}.ts"));
    assemblyscript::build(&source, &module)?;
    Ok(module)
}
