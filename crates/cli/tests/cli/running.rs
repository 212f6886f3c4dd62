//! `lunatic run` with programs that do as they should.

use crate::{Outcome, Sandbox};

const HELLO: &str = r#"
    (data (i32.const 64) "hello\n")
    (func (export "_start") (call $write (i32.const 1) (i32.const 64) (i32.const 6)))
    (func (export "other") (call $write (i32.const 1) (i32.const 64) (i32.const 2)))"#;

/// Prints its arguments or its variables, each with a NUL behind it.
fn printer(what: &str) -> String {
    format!(
        r#"(func (export "_start")
            (drop (call ${what}_sizes_get (i32.const 16) (i32.const 20)))
            (drop (call ${what}_get (i32.const 1024) (i32.const 65536)))
            (call $write (i32.const 1) (i32.const 65536) (i32.load (i32.const 20))))"#
    )
}

#[test]
fn a_module_runs_with_and_without_the_word_run() {
    let sandbox = Sandbox::with(HELLO);
    sandbox.run("a.wat").expect(0, "hello\n");
    sandbox.lunatic(&["a.wat"]).expect(0, "hello\n");
    sandbox.lunatic(&["--no-cache", "./a.wat"]).expect(0, "hello\n");
    sandbox.run("--entry other a.wat").expect(0, "he");
    sandbox.run("--workers 1 --max-memory 1M a.wat").expect(0, "hello\n");
}

#[test]
fn a_program_is_the_same_in_both_tiers_of_memory() {
    // Grows its memory, spawns a process that does, and traps in neither.
    let sandbox = Sandbox::with(
        r#"(data (i32.const 64) "hello\n") (data (i32.const 80) "child")
        (func $grow
            (if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))
            (i32.store (i32.const 6000000) (i32.const 1)))
        (func (export "child") (call $grow)
            (call $write (i32.const 1) (i32.const 64) (i32.const 6)))
        (func (export "_start") (call $grow)
            (call $spawn (i64.const 1) (i32.const 80) (i32.const 5))
            (call $sleep_ms (i64.const -1)))"#,
    );
    for tier in ["dense", "guarded"] {
        // The child's end is normal, which ends nobody: it is the message that is waited for.
        let child = sandbox.command(&["run", "--no-cache", "--tier", tier, "a.wat"]);
        assert_eq!(first_line(child), "hello\n", "{tier}");
    }
    sandbox.run("--tier fast a.wat").expect_error(2, &["dense", "guarded"]);
}

/// The first line that a program prints, which is then ended.
fn first_line(mut command: std::process::Command) -> String {
    use std::io::BufRead;
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    std::io::BufReader::new(stdout).read_line(&mut line).expect("it prints text");
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    line
}

#[test]
fn info_tells_the_version_and_the_ways_that_are_taken_here() {
    let Outcome { status, stdout, stderr } = Sandbox::new().lunatic(&["info"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(stdout.starts_with(concat!("lunatic ", env!("CARGO_PKG_VERSION"))), "{stdout}");
    for what in ["guards of stacks", "memory of ended processes", "processors", "cache"] {
        let line = stdout.lines().find_map(|line| line.strip_prefix(what));
        assert!(line.is_some_and(|how| !how.trim().is_empty()), "{what} is not told in:\n{stdout}");
    }
}

#[cfg(unix)]
#[test]
fn compiled_code_is_kept_where_the_user_says() {
    let sandbox = Sandbox::with(HELLO);
    for _ in 0..2 {
        sandbox.lunatic(&["run", "--cache-dir", "kept", "a.wat"]).expect(0, "hello\n");
    }
    assert!(std::fs::read_dir(sandbox.path().join("kept")).unwrap().next().is_some());
}

#[test]
fn the_status_is_the_programs_own() {
    for (code, status) in [(0, 0), (3, 3), (126, 126), (255, 255), (256, 255), (-1, 255)] {
        let sandbox = Sandbox::with(&format!(
            r#"(func (export "_start") (call $proc_exit (i32.const {code})))"#
        ));
        sandbox.run("a.wat").expect(status, "");
    }
}

#[test]
fn what_follows_the_target_reaches_the_guest_untouched() {
    let sandbox = Sandbox::with(&printer("args"));
    sandbox.run("a.wat").expect(0, "a.wat\0");
    sandbox.run("a.wat one --dir x -q").expect(0, "a.wat\0one\0--dir\0x\0-q\0");
    sandbox.run("a.wat -- --help").expect(0, "a.wat\0--help\0");
    sandbox.run("--bench ./a.wat x").expect(0, "a.wat\0x\0--bench\0");
}

#[test]
fn the_environment_is_inherited_unless_it_is_refused() {
    let sandbox = Sandbox::with(&printer("environ"));
    let run = |args: &[&str]| {
        let mut command = sandbox.command(&[&["run", "--no-cache"], args, &["a.wat"]].concat());
        crate::outcome(command.env_clear().env("A", "1").env("B", "2").output().unwrap())
    };
    assert_eq!(run(&[]).stdout, "A=1\0B=2\0");
    run(&["--no-inherit-env"]).expect(0, "");
    run(&["--no-inherit-env", "--env", "B", "--env", "C=x=y"]).expect(0, "B=2\0C=x=y\0");
    let missing = run(&["--no-inherit-env", "--env", "NONE"]);
    assert_eq!((missing.status, missing.stdout.as_str()), (0, ""));
    assert!(missing.stderr.starts_with("note: "), "{}", missing.stderr);
    run(&["-q", "--no-inherit-env", "--env", "NONE"]).expect(0, "");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_left_out_with_a_note() {
    use std::os::unix::ffi::OsStringExt;
    let sandbox = Sandbox::with(&printer("environ"));
    let mut command = sandbox.command(&["run", "--no-cache", "a.wat"]);
    let odd = std::ffi::OsString::from_vec(vec![0xff]);
    let run = crate::outcome(command.env_clear().env("ODD", odd).output().unwrap());
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.contains("`ODD` is not Unicode"), "{}", run.stderr);
}

#[test]
fn the_current_directory_is_descriptor_3_and_others_follow() {
    // Prints the first three bytes of the names of descriptors 3 and 4.
    let sandbox = Sandbox::with(
        r#"(func $name (param $fd i32) (param $length i32)
            (i32.store (i32.const 64) (i32.const 0x3f3f3f3f))
            (drop (call $fd_prestat_dir_name
                (local.get $fd) (i32.const 64) (local.get $length)))
            (call $write (i32.const 1) (i32.const 64) (local.get $length)))
        (func (export "_start")
            (call $name (i32.const 3) (i32.const 1)) (call $name (i32.const 4) (i32.const 3)))"#,
    );
    std::fs::create_dir(sandbox.path().join("sub")).unwrap();
    sandbox.run("--dir sub a.wat").expect(0, ".sub");
    sandbox.run("--dir sub::abc a.wat").expect(0, ".abc");
    sandbox.run("a.wat").expect(0, ".???");
    sandbox.run("--no-default-dir --dir .::x a.wat").expect(0, "x???");
}

#[test]
fn the_root_of_a_run_lives_in_environment_1_and_ends_the_program() {
    let sandbox = Sandbox::with(
        r#"(data (i32.const 64) "loop")
        (func (export "loop") (loop (br 0)))
        (func (export "_start")
            (call $spawn (i64.const 0) (i32.const 64) (i32.const 4))
            (call $proc_exit (i32.wrap_i64 (call $environment_id))))"#,
    );
    sandbox.run("a.wat").expect(1, "");
}

#[test]
fn version_and_help_are_answers_and_not_errors() {
    let sandbox = Sandbox::new();
    let version = format!("lunatic-runtime {}\n", env!("CARGO_PKG_VERSION"));
    sandbox.lunatic(&["--version"]).expect(0, &version);
    for args in [&["--help"][..], &["run", "--help"], &["test", "--help"]] {
        let help = sandbox.lunatic(args);
        assert_eq!((help.status, help.stderr.as_str()), (0, ""));
        assert!(help.stdout.contains("Exit status"), "{}", help.stdout);
    }
}
