//! What a user reads, and what a script sees, when something goes wrong.

use crate::Sandbox;

#[test]
fn a_wrong_command_line_has_status_2_and_starts_nothing() {
    let sandbox = Sandbox::with(r#"(func (export "_start"))"#);
    for args in [
        &["run"][..],
        &["run", "--unknown", "a.wat"],
        &["--workers", "0", "a.wat"],
        &["run", "--release", "a.wat"],
        &["run", "--dir", "missing", "a.wat"],
        &["run", "--env", "=x", "a.wat"],
        &["run", "--metrics", "localhost", "a.wat"],
        &["new"],
        &["new", "2bad"],
    ] {
        let run = sandbox.lunatic(args);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}: {run:?}");
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}

#[test]
fn a_target_that_cannot_be_loaded_has_status_66_and_a_reason() {
    let sandbox = Sandbox::new();
    sandbox.write("text.wat", "(module (func (export \"f\")");
    sandbox.write("junk.wasm", b"\0asm\x01\0\0\0junk");
    sandbox.write("import.wat", r#"(module (import "no" "such" (func)))"#);
    sandbox.write("library.wat", r#"(module (func (export "f") (param i32)))"#);
    sandbox.write("other.wat", r#"(module (func (export "go")))"#);
    sandbox.write("folder/readme", "");
    let cases: [(&str, &[&str]); 7] = [
        ("missing.wasm", &["no file or directory `missing.wasm`", "hint: "]),
        ("folder", &["there is nothing to build"]),
        ("text.wat", &["`text.wat` cannot be loaded", "because: "]),
        ("junk.wasm", &["`junk.wasm` cannot be loaded", "because: "]),
        ("import.wat", &["`import.wat` cannot be loaded", "such"]),
        ("library.wat", &["cannot start in `_start`", "is it a library?"]),
        ("other.wat", &["cannot start in `_start`", "it could start in: go"]),
    ];
    for (target, texts) in cases {
        let run = sandbox.run(target);
        run.expect_error(66, texts);
        assert_eq!(run.stdout, "");
    }
    sandbox.run("--entry f library.wat").expect_error(66, &["without parameters and results"]);
}

#[test]
fn a_trap_has_status_70_and_a_report_with_the_calls() {
    let sandbox = Sandbox::with(
        r#"(func $deep unreachable)
        (func $start (export "_start") (call $deep))"#,
    );
    let run = sandbox.run("a.wat");
    run.expect_error(70, &["process <0.1> failed: ", "entry  _start", "0: ", "deep", "1: "]);
    assert_eq!(run.stderr.matches("failed: ").count(), 1, "{}", run.stderr);
    let quiet = sandbox.run("-q a.wat");
    quiet.expect(70, "");
}

#[test]
fn a_root_that_is_killed_has_status_137_and_a_sentence() {
    let sandbox = Sandbox::with(
        r#"(func (export "_start")
            (call $kill (call $process_id)) (call $sleep_ms (i64.const 3600000)))"#,
    );
    sandbox.run("a.wat").expect_error(137, &["the root process was killed"]);
}

#[test]
fn memory_over_the_flag_is_refused() {
    let sandbox = Sandbox::with(r#"(func (export "_start"))"#);
    sandbox.run("--max-memory 1 a.wat").expect_error(66, &["`_start` cannot be started"]);
    let limited = sandbox.run("--limit memory_bytes_max=64K a.wat");
    limited.expect_error(66, &["`_start` cannot be started"]);
}

#[test]
fn a_limit_of_the_node_or_of_processes_is_set_by_its_name() {
    let sandbox = Sandbox::with(HELLO_FAILING);
    let full = sandbox.run("--limit processes_max=0 a.wat");
    full.expect_error(66, &["processes_max = 0"]);
    let unknown = sandbox.run("--limit no_such_limit=1 a.wat");
    unknown.expect_error(2, &["there is no limit of this name", "mailbox_messages_max"]);
    sandbox.run("--limit message_bytes_max a.wat").expect_error(2, &["expected NAME=N"]);
}

#[test]
fn a_budget_of_the_whole_program_is_a_limit_too() {
    let sandbox = Sandbox::with(r#"(func (export "_start") (loop br 0))"#);
    for limit in ["cpu_time_max", "lifetime_max", "tree_cpu_time_max", "tree_lifetime_max"] {
        let ended = sandbox.run(&format!("--limit {limit}=5 a.wat"));
        ended.expect_error(70, &[limit]);
    }
    let full = sandbox.run("--limit tree_total_memory_max=1 a.wat");
    full.expect_error(66, &["tree_total_memory_max"]);
}

const HELLO_FAILING: &str = r#"(func (export "_start"))"#;

const CRASHING_CHILD: &str = r#"
    (data (i32.const 64) "crash")
    (func (export "crash") unreachable)"#;

#[test]
fn a_child_that_crashes_is_reported_and_the_root_goes_on() {
    let sandbox = Sandbox::with(&format!(
        r#"{CRASHING_CHILD}
        (func (export "_start")
            (call $spawn (i64.const 0) (i32.const 64) (i32.const 5))
            (call $sleep_ms (i64.const 200)))"#
    ));
    let run = sandbox.run("a.wat");
    run.expect_error(0, &["process <0.2> failed: trap", "entry  crash"]);
    assert!(!run.stderr.contains("links"), "{}", run.stderr);
}

#[test]
fn a_report_says_that_the_root_died_with_its_child() {
    let sandbox = Sandbox::with(&format!(
        r#"{CRASHING_CHILD}
        (func (export "_start")
            (call $spawn (i64.const 1) (i32.const 64) (i32.const 5))
            (call $sleep_ms (i64.const 3600000)))"#
    ));
    let run = sandbox.run("a.wat");
    run.expect_error(
        70,
        &["process <0.2> failed: trap", "1 died with it: <0.1>", "the root process failed: trap"],
    );
}

#[test]
fn a_storm_of_failures_is_summed_up() {
    let sandbox = Sandbox::with(&format!(
        r#"{CRASHING_CHILD}
        (func (export "_start") (local $left i32)
            (local.set $left (i32.const 500))
            (loop $again
                (call $spawn (i64.const 0) (i32.const 64) (i32.const 5))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
            (call $sleep_ms (i64.const 500)))"#
    ));
    let run = sandbox.run("a.wat");
    // Which of them fail first depends on the machine.
    run.expect_error(0, &["> failed: trap", "more processes failed like this: trap"]);
    assert!(run.stderr.lines().count() < 60, "{}", run.stderr);
}
