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

#[test]
fn what_can_be_audited_is_named() {
    let outcome = Sandbox::with(PROGRAM).run("--audit=everything a.wat");
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("calls:FILE"), "{}", outcome.stderr);
}
