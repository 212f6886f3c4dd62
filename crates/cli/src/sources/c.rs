//! Programs in C: finding a clang that can make WebAssembly, and calling it for a single file.
//!
//! Three things must come together: the compiler, a linker, and a C library. Debian's packages
//! put them where its clang looks by itself; Homebrew and the WASI SDK have places of their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tool::{self, System, Tool};
use super::{BUILD, directory_of, does_not_build, module_path};
use crate::error::CliError;
use crate::library;

/// What clang calls WebAssembly with WASI; older ones know no other name.
const TARGET: &str = "wasm32-wasi";
/// Where packages of a system put the C library, for a clang that does not know by itself.
const SYSROOTS: &[&str] = &[
    "/opt/homebrew/opt/wasi-libc/share/wasi-sysroot",
    "/usr/local/opt/wasi-libc/share/wasi-sysroot",
    "/home/linuxbrew/.linuxbrew/opt/wasi-libc/share/wasi-sysroot",
    "/usr/share/wasi-sysroot",
];
/// Where Debian has its headers: its clang finds them.
const DEBIAN_HEADERS: &str = "/usr/include/wasm32-wasi";

/// A compiler with a C library.
struct Clang {
    program: OsString,
    /// Where the C library is, if the compiler has to be told.
    sysroot: Option<PathBuf>,
}

/// A stack of 61 KiB before the data: going over its end traps instead of writing over the data,
/// and what a process touches of it lies in the page where the data begins. Its pointer is
/// exported, so that the runtime can tell of such a trap where it comes from.
const STACK: &str = "-Wl,--stack-first,-z,stack-size=62464,--export=__stack_pointer";
/// Without it, older compilers do not export what can change.
const FEATURES: &str = "-mmutable-globals";

/// Compiles a program of one file, together with the library: that in `vendor/` beside it if there
/// is one, else the one that this command has.
pub fn module(file: &Path) -> Result<PathBuf, CliError> {
    let clang = Clang::find()?;
    let module = module_path(file)?;
    let mut library = directory_of(file).join("vendor").join("lunatic");
    if !library.is_dir() {
        library = directory_of(file).join(BUILD).join("lunatic");
        library::write(library::C, &library)?;
    }
    let mut command = clang.command();
    command.args(["-O2", "-Wall", FEATURES, STACK, "-I"]).arg(&library);
    command.arg(file).arg(library.join("lunatic.c")).arg("-o").arg(&module);
    tool::run(Tool::Clang, &mut command)?.or_error(|| does_not_build(file))?;
    Ok(module)
}

/// Tells a Makefile what was found, as `WASI_CC` with the flags behind it, where the user has not
/// said it.
pub fn export(make: &mut Command) -> Result<(), CliError> {
    const NAME: &str = "WASI_CC";
    if std::env::var_os(NAME).is_some() {
        return Ok(());
    }
    let command = Clang::find()?.command();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    make.env(NAME, words.join(" "));
    Ok(())
}

/// A word as the shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

impl Clang {
    fn find() -> Result<Clang, CliError> {
        if let Some(sdk) = std::env::var_os("WASI_SDK_PATH") {
            return Clang::of_sdk(&PathBuf::from(sdk));
        }
        let missing = || {
            CliError::failure("cannot start `clang`")
                .because(&std::io::Error::other("it is not installed"))
                .hint(Tool::Clang.how_to_get(System::here()))
        };
        // Apple's clang makes no WebAssembly: Homebrew's stands beside its C library.
        let sysroot = SYSROOTS.iter().map(Path::new).find(|path| path.is_dir());
        let brewed = sysroot
            .and_then(|path| path.ancestors().nth(3))
            .map(|opt| opt.join("llvm/bin/clang"))
            .filter(|clang| clang.is_file());
        let program = match brewed {
            Some(clang) => clang.into_os_string(),
            None => tool::find("clang").map(|_| OsString::from("clang")).ok_or_else(missing)?,
        };
        if sysroot.is_none() && !Path::new(DEBIAN_HEADERS).is_dir() {
            return Err(CliError::failure("there is no C library for WebAssembly")
                .hint(Tool::Clang.how_to_get(System::here())));
        }
        Ok(Clang { program, sysroot: sysroot.map(Path::to_owned) })
    }

    fn of_sdk(sdk: &Path) -> Result<Clang, CliError> {
        let program = sdk.join("bin").join(format!("clang{}", std::env::consts::EXE_SUFFIX));
        let sysroot = sdk.join("share").join("wasi-sysroot");
        for path in [&program, &sysroot] {
            if !path.exists() {
                let shown = crate::target::shown(path);
                let message = format!("WASI_SDK_PATH is no WASI SDK: there is no `{shown}`");
                return Err(CliError::failure(message).hint(Tool::Clang.how_to_get(System::Other)));
            }
        }
        Ok(Clang { program: program.into_os_string(), sysroot: Some(sysroot) })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(format!("--target={TARGET}"));
        if let Some(sysroot) = &self.sysroot {
            command.arg(format!("--sysroot={}", sysroot.display()));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sdk_must_be_whole() {
        let directory = tempfile::tempdir().unwrap();
        let error = Clang::of_sdk(directory.path()).err().unwrap().to_string();
        assert!(error.contains("no WASI SDK") && error.contains("hint: "), "{error}");
        let clang = format!("bin/clang{}", std::env::consts::EXE_SUFFIX);
        std::fs::create_dir_all(directory.path().join("bin")).unwrap();
        std::fs::write(directory.path().join(clang), "").unwrap();
        std::fs::create_dir_all(directory.path().join("share/wasi-sysroot")).unwrap();
        let command = Clang::of_sdk(directory.path()).unwrap().command();
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        assert_eq!(args[0], "--target=wasm32-wasi");
        assert!(args[1].starts_with("--sysroot=") && args[1].ends_with("wasi-sysroot"));
    }

    #[test]
    fn a_word_for_make_is_quoted_where_the_shell_would_read_it_otherwise() {
        assert_eq!(quoted("/opt/wasi-sdk/bin/clang"), "/opt/wasi-sdk/bin/clang");
        assert_eq!(quoted("/a b/it's"), "'/a b/it'\\''s'");
    }
}
