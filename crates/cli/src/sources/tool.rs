//! Tools that build modules: starting them, and how to get them where they are missing.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use crate::error::CliError;

/// A tool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    /// The compiler for C, with a linker and a C library for WebAssembly.
    Clang,
    /// The package manager of Node.js.
    Npm,
    /// What runs the compiler for AssemblyScript.
    Node,
    /// What follows a Makefile.
    Make,
}

/// Where people get tools from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum System {
    /// Debian and what comes from it.
    Apt,
    /// macOS, and Linux with Homebrew.
    Homebrew,
    /// Anything else.
    Other,
}

impl System {
    /// This machine.
    pub fn here() -> System {
        if find("apt-get").is_some() {
            System::Apt
        } else if cfg!(target_os = "macos") || find("brew").is_some() {
            System::Homebrew
        } else {
            System::Other
        }
    }
}

impl Tool {
    /// The name under which it is started.
    pub fn program(self) -> &'static str {
        match self {
            Tool::Clang => "clang",
            // Windows starts scripts only by their full name.
            Tool::Npm if cfg!(windows) => "npm.cmd",
            Tool::Npm => "npm",
            Tool::Node => "node",
            Tool::Make => "make",
        }
    }

    /// What to do where it is missing.
    pub fn how_to_get(self, system: System) -> &'static str {
        match (self, system) {
            (Tool::Clang, System::Apt) => {
                "`apt-get install clang lld wasi-libc libclang-rt-dev-wasm32` installs what C needs"
            }
            (Tool::Clang, System::Homebrew) => {
                "`brew install llvm lld wasi-libc wasi-runtimes` installs what C needs"
            }
            (Tool::Clang, System::Other) => {
                "get the WASI SDK from https://github.com/WebAssembly/wasi-sdk/releases, and set \
                 WASI_SDK_PATH to its directory"
            }
            (Tool::Npm | Tool::Node, System::Apt) => "`apt-get install nodejs npm` installs it",
            (Tool::Npm | Tool::Node, System::Homebrew) => "`brew install node` installs it",
            (Tool::Npm | Tool::Node, System::Other) => "get Node.js from https://nodejs.org",
            (Tool::Make, System::Apt) => "`apt-get install make` installs it",
            (Tool::Make, System::Homebrew) => "`brew install make` installs it",
            (Tool::Make, System::Other) => "get GNU make from https://www.gnu.org/software/make",
        }
    }
}

/// How a tool ended.
#[must_use]
pub struct Ended(Tool, ExitStatus);

impl Ended {
    /// An error with this message if the tool could not do its work.
    pub fn or_error(self, message: impl FnOnce() -> String) -> Result<(), CliError> {
        if self.1.success() {
            return Ok(());
        }
        let hint = format!("the messages of {} above say why", self.0.program());
        Err(CliError::failure(message()).hint(hint))
    }
}

/// Runs a tool without input, and with what it prints on standard error.
pub fn run(tool: Tool, command: &mut Command) -> Result<Ended, CliError> {
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    match status {
        Ok(status) => Ok(Ended(tool, status)),
        Err(error) => {
            let failed = CliError::failure(format!("cannot start `{}`", tool.program()));
            Err(match error.kind() {
                ErrorKind::NotFound => failed
                    .because(&std::io::Error::other("it is not installed"))
                    .hint(tool.how_to_get(System::here())),
                _ => failed.because(&error),
            })
        }
    }
}

/// The file that a name without a path starts.
pub fn find(program: &str) -> Option<PathBuf> {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(&file)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_the_way_to_get_it() {
        for tool in [Tool::Clang, Tool::Npm, Tool::Node, Tool::Make] {
            assert!(tool.how_to_get(System::Apt).contains("apt-get install"));
            assert!(tool.how_to_get(System::Homebrew).contains("brew install"));
            assert!(tool.how_to_get(System::Other).contains("https://"));
        }
        let error = run(Tool::Make, &mut Command::new("a-tool-that-nobody-has")).err().unwrap();
        let text = error.to_string();
        assert!(text.starts_with("error: cannot start `make`\n  because: it is not installed\n"));
        assert!(text.contains("hint: "), "{text}");
    }
}
