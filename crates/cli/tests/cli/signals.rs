//! Ctrl-C and SIGTERM: the root is asked, then killed, and the status says which signal it was.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::{Outcome, Sandbox};

/// A root that says "ready" between these two. Whoever has read the word knows that signals are
/// handled and that `before` is done.
fn sandbox(before: &str, then: &str) -> Sandbox {
    Sandbox::with(&format!(
        r#"(data (i32.const 64) "ready\n")
        (func (export "_start")
            {before}
            (call $write (i32.const 1) (i32.const 64) (i32.const 6))
            {then})"#
    ))
}

const SLEEP: &str = "(call $sleep_ms (i64.const 3600000))";
const SPIN: &str = "(loop (br 0))";
const TRAP_EXITS: &str = "(call $die_when_link_dies (i32.const 0))";

/// Starts the guest, waits for its word, sends the signals in turn, and waits for the end.
fn run(sandbox: &Sandbox, flags: &[&str], signals: &[&str]) -> Outcome {
    let args = [&["run", "--no-cache"], flags, &["a.wat"]].concat();
    let mut command = sandbox.command(&args);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    for signal in signals {
        send(&child, signal);
    }
    crate::outcome(child.wait_with_output().expect("it ends"))
}

fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
}

#[test]
fn a_root_that_can_be_asked_ends_at_once_with_the_signals_status() {
    for then in [SLEEP, SPIN] {
        let sandbox = sandbox("", then);
        for (signal, status) in [("-INT", 130), ("-TERM", 143)] {
            let run = run(&sandbox, &["--shutdown-timeout", "3600"], &[signal]);
            assert_eq!((run.status, run.stderr.as_str()), (status, ""), "{signal} {then}");
        }
    }
}

#[test]
fn a_root_that_traps_exits_is_killed_when_its_time_is_over() {
    for then in [SLEEP, SPIN] {
        let sandbox = sandbox(TRAP_EXITS, then);
        let run = run(&sandbox, &["--shutdown-timeout", "0.1"], &["-TERM"]);
        run.expect_error(143, &["did not shut down within 0.1 s: killing it"]);
    }
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    // Which of the two is taken first is the operating system's choice.
    let sandbox = sandbox(TRAP_EXITS, SPIN);
    let run = run(&sandbox, &["--shutdown-timeout", "3600"], &["-INT", "-TERM"]);
    assert!([130, 143].contains(&run.status), "{run:?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn a_start_section_that_never_ends_does_not_hold_the_program() {
    let sandbox = Sandbox::with(
        r#"(data (i32.const 64) "ready\n")
        (func $begin (call $write (i32.const 1) (i32.const 64) (i32.const 6)) (loop (br 0)))
        (start $begin)
        (func (export "_start"))"#,
    );
    let run = run(&sandbox, &[], &["-INT"]);
    assert_eq!(run.status, 130);
}
