//! `--audit`: what a program does is written down, and nothing of it changes.

use crate::Sandbox;

/// Asks for its arguments, writes "hi", and exits with status 3.
const PROGRAM: &str = r#"
    (data (i32.const 100) "hi")
    (func (export "_start")
        (call $write (i32.const 1) (i32.const 100) (i32.const 2))
        (call $proc_exit (i32.const 3)))"#;

fn lines(sandbox: &Sandbox, name: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(sandbox.path().join(name)).expect("the file is there");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn every_call_is_a_line_of_json_in_the_order_of_the_calls() {
    let sandbox = Sandbox::with(PROGRAM);
    let outcome = sandbox.run("--audit=calls:out.jsonl a.wat");
    outcome.expect(3, "hi");
    assert_eq!(outcome.stderr, "");
    let lines = lines(&sandbox, "out.jsonl");
    let calls: Vec<_> = lines.iter().map(|line| line["call"].as_str().unwrap_or("")).collect();
    let expected = ["wasi_snapshot_preview1.fd_write", "wasi_snapshot_preview1.proc_exit"];
    assert_eq!(calls, expected);
    assert_eq!(lines[0]["returned"], serde_json::json!([0]));
    assert_eq!(lines[0]["arguments"][0], 1);
    let failed = lines[1]["failed"].as_str().unwrap_or("");
    assert!(failed.contains("status 3"), "{failed}");
    assert!(lines.iter().all(|line| line["process"] == lines[0]["process"]));
}

#[test]
fn an_audit_that_cannot_be_written_is_refused_before_anything_runs() {
    let sandbox = Sandbox::with(PROGRAM);
    let outcome = sandbox.run("--audit=calls:no/such/place a.wat");
    assert_ne!(outcome.status, 3);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("no/such/place"), "{}", outcome.stderr);
}

/// Makes `made` in the current directory, looks at the clock, and writes "hi".
const MAKER: &str = r#"
    (import "wasi_snapshot_preview1" "path_create_directory"
        (func $make (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock (param i32 i64 i32) (result i32)))"#;
const MAKER_FIELDS: &str = r#"
    (data (i32.const 100) "himade")
    (func (export "_start")
        (if (call $make (i32.const 3) (i32.const 102) (i32.const 4))
            (then (call $proc_exit (i32.const 7))))
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 200)))
        (call $write (i32.const 1) (i32.const 100) (i32.const 2)))"#;

fn maker() -> Sandbox {
    let sandbox = Sandbox::new();
    let (imports, rest) = crate::IMPORTS.split_at(crate::IMPORTS.find("(memory").expect("one"));
    sandbox.write("a.wat", format!("(module {imports}{MAKER}{rest}\n{MAKER_FIELDS})"));
    sandbox
}

#[test]
fn an_audit_lists_the_rights_that_were_used_and_those_that_were_missing() {
    let sandbox = maker();
    let outcome = sandbox.run("--audit a.wat");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "hi"));
    for line in ["clocks  ", "create:.  used once, first by path_create_directory", "stdout  "] {
        assert!(outcome.stderr.contains(line), "{line}: {}", outcome.stderr);
    }
    std::fs::remove_dir(sandbox.path().join("made")).expect("it was made");
    let outcome = sandbox.run("--audit --deny create:. --quiet a.wat");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (7, ""));
    assert!(outcome.stderr.contains("create:.  DENIED once"), "{}", outcome.stderr);
}

#[test]
fn a_policy_of_what_was_used_lets_the_program_run_and_nothing_less_does() {
    let sandbox = maker();
    let outcome = sandbox.run("--audit=policy a.wat");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "hi"));
    let policy = std::fs::read_to_string(sandbox.path().join("policy.toml")).expect("the policy");
    let rights: Vec<_> = policy.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(rights.len(), 3, "{policy}");
    let made = sandbox.path().join("made");
    std::fs::remove_dir(&made).expect("it was made");
    sandbox.run("--policy policy.toml a.wat").expect(0, "hi");
    std::fs::remove_dir(&made).expect("it was made again");
    let without = |right: &str| policy.replace(right, "\"metrics\"");
    sandbox.write("less.toml", without("\"create:.\""));
    assert_ne!(sandbox.run("--policy less.toml a.wat").status, 0);
    sandbox.write("less.toml", without("\"stdout\""));
    assert_eq!(sandbox.run("--policy less.toml a.wat").stdout, "");
    let outcome = sandbox.run("--audit=policy a.wat");
    assert!(outcome.stderr.contains("policy:FILE"), "a file is not overwritten: {outcome:?}");
}

#[test]
fn what_can_be_audited_is_named() {
    let outcome = Sandbox::with(PROGRAM).run("--audit=everything a.wat");
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("calls:FILE"), "{}", outcome.stderr);
}
