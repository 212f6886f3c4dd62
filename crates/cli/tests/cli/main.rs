//! The command as its users see it: standard output, standard error and exit status of the built
//! binary, on modules that the tests write themselves.
//!
//! Every run has a directory of its own, no cache and an environment in which neither Cargo's nor
//! the developer's settings show. Nothing here measures time.
#![forbid(unsafe_code)]

mod audit;
#[path = "../../../sinks/tests/sinks/elastic.rs"]
#[expect(dead_code, reason = "the tests of sinks use more of it")]
mod elastic;
#[cfg(target_os = "linux")]
mod exhausted;
mod failing;
mod harness;
mod languages;
mod metrics;
mod network;
mod projects;
mod prometheus;
mod redirect;
mod rights;
mod running;
#[cfg(unix)]
mod signals;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Far longer than any test takes: what has not happened by then never will.
const WATCHDOG: std::time::Duration = std::time::Duration::from_secs(60);

/// A directory with module files, and the command to run in it.
struct Sandbox {
    directory: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
struct Outcome {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox { directory: TempDir::new().expect("a temporary directory") }
    }

    /// A sandbox with `a.wat`, a module of these fields.
    fn with(fields: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("a.wat", format!("(module {IMPORTS}\n{fields})"));
        sandbox
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// The command with these arguments, not yet started.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lunatic"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        for name in [
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "RUST_LOG",
            "RUST_TEST_THREADS",
            "LUNATIC_TEST_TIMEOUT",
        ] {
            command.env_remove(name);
        }
        // A default cache directory would outlive the test.
        command.env("XDG_CACHE_HOME", self.path().join("cache"));
        command
    }

    fn lunatic(&self, args: &[&str]) -> Outcome {
        outcome(self.command(args).output().expect("the command starts"))
    }

    /// `lunatic run --no-cache FLAGS a.wat ARGS`; `line` holds flags and TARGET.
    fn run(&self, line: &str) -> Outcome {
        let args: Vec<&str> = ["run", "--no-cache"].into_iter().chain(line.split(' ')).collect();
        self.lunatic(&args)
    }
}

fn outcome(output: Output) -> Outcome {
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Outcome {
        status: output.status.code().expect("it ended by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Outcome {
    /// The run ended so, and said nothing beyond `stdout`.
    fn expect(&self, status: i32, stdout: &str) {
        assert_eq!((self.status, self.stdout.as_str(), self.stderr.as_str()), (status, stdout, ""));
    }

    /// The run failed with this status, and each text stands in its standard error.
    fn expect_error(&self, status: i32, texts: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked at crates"), "{}", self.stderr);
    }
}

/// What the modules import and share: output of `length` bytes at `at`, and the entry types.
const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get"
        (func $args_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get"
        (func $environ_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get"
        (func $environ_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
        (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
    (import "lunatic::process" "process_id" (func $process_id (result i64)))
    (import "lunatic::process" "environment_id" (func $environment_id (result i64)))
    (import "lunatic::process" "kill" (func $kill (param i64)))
    (import "lunatic::process" "sleep_ms" (func $sleep_ms (param i64)))
    (import "lunatic::process" "die_when_link_dies" (func $die_when_link_dies (param i32)))
    (import "lunatic::process" "spawn"
        (func $host_spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func $write (param $fd i32) (param $at i32) (param $length i32)
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $length))
        (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func $spawn (param $link i64) (param $name i32) (param $length i32)
        (if (call $host_spawn (local.get $link) (i64.const -1) (i64.const -1)
                (local.get $name) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 16))
            (then unreachable)))"#;
