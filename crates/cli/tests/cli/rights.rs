//! What flags and policy files leave a program, as it finds it.

use crate::Sandbox;

/// Prints one letter for each of: clocks, random numbers, spawning, names, a directory, variables.
/// A capital one is there. Says `?` if it cannot print.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory"
        (func $mkdir (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get"
        (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "lunatic::process" "create_config" (func $config (result i64)))
    (import "lunatic::process" "own_pid" (func $own (param i32)))
    (import "lunatic::registry" "register"
        (func $register (param i32 i32 i64 i64) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "name")
    (global $at (mut i32) (i32.const 1024))
    (func $say (param $letter i32) (param $there i32)
        (i32.store8 (global.get $at)
            (i32.sub (local.get $letter) (i32.shl (local.get $there) (i32.const 5))))
        (global.set $at (i32.add (global.get $at) (i32.const 1))))
    (func (export "_start")
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 128)))
        (call $say (i32.const 99) (i64.ne (i64.load (i32.const 128)) (i64.const 0)))
        (drop (call $random (i32.const 128) (i32.const 8)))
        (drop (call $random (i32.const 136) (i32.const 8)))
        (call $say (i32.const 114)
            (i64.ne (i64.load (i32.const 128)) (i64.load (i32.const 136))))
        (call $say (i32.const 109) (i64.ge_s (call $config) (i64.const 0)))
        (call $own (i32.const 128))
        (call $say (i32.const 110) (i32.eqz (call $register (i32.const 64) (i32.const 4)
            (i64.load (i32.const 128)) (i64.load (i32.const 136)))))
        (call $say (i32.const 100) (i32.eqz (call $prestat (i32.const 3) (i32.const 128))))
        (call $say (i32.const 119) (i32.eqz
            (call $mkdir (i32.const 3) (i32.const 64) (i32.const 4))))
        (drop (call $environ (i32.const 128) (i32.const 132)))
        (call $say (i32.const 101) (i32.ne (i32.load (i32.const 128)) (i32.const 0)))
        (i32.store8 (global.get $at) (i32.const 10))
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4)
            (i32.sub (i32.add (global.get $at) (i32.const 1)) (i32.const 1024)))
        (call $exit (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

#[test]
fn a_program_finds_what_flags_grant_and_nothing_else() {
    for (flags, expected) in [
        ("", "CRMNDWE"),
        ("--sandbox --allow stdout", "CRmndwe"),
        ("--allow stdout", "CRmndwe"),
        ("--allow-names --deny-clocks --deny random", "crmNdwe"),
        ("--allow configs --dir .", "CRMnDWe"),
        ("--allow read:.", "CRmnDwe"),
        ("--allow read:. --allow create:.", "CRmnDWe"),
        ("--allow files:. --deny create:.", "CRmnDwe"),
        ("--allow env:PATH", "CRmndwE"),
        ("--allow env:PATH --deny env:*", "CRmndwe"),
        ("--deny configs --deny create:.", "CRmNDwE"),
        ("--sandbox --allow stdout --env A=1", "CRmndwE"),
        ("--policy listed.toml", "cRmnDwe"),
        ("--policy listed.toml --allow-configs", "CRMnDwe"),
        ("--policy denied.toml", "CRMnDWE"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("a.wat", PROGRAM);
        sandbox.write("listed.toml", "[rights]\nallow = [\"stdout\", \"random\", \"read:.\"]\n");
        sandbox.write("denied.toml", "[rights]\ndeny = [\"names\"]\n");
        let run = sandbox.run(format!("{flags} a.wat").trim_start());
        assert_eq!((run.status, run.stdout.trim_end()), (0, expected), "{flags}: {run:?}");
    }
}

#[test]
fn what_is_denied_is_told_with_the_flag_that_grants_it_unless_quiet() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", PROGRAM);
    let run = sandbox.run("--sandbox a.wat");
    // 76 is ENOTCAPABLE: it could not print.
    assert_eq!((run.status, run.stdout.as_str()), (76, ""), "{run:?}");
    for right in ["clocks", "random", "configs", "names", "stdout"] {
        let flag = format!("(grant it by --allow '{right}'");
        assert!(run.stderr.contains(&flag), "{right}: {run:?}");
    }
    // Of random numbers there were two calls.
    assert!(run.stderr.contains("was denied `random` 2 times"), "{run:?}");
    let run = sandbox.run("--sandbox --quiet a.wat");
    assert_eq!((run.status, run.stderr.as_str()), (76, ""), "{run:?}");
}

#[test]
fn a_policy_has_budgets_and_redirections_for_the_whole_tree() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", PROGRAM);
    sandbox.write("policy.toml", "[redirect]\nstdout = \"file:out.txt\"\n");
    let run = sandbox.run("--policy policy.toml a.wat");
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
    let written = std::fs::read_to_string(sandbox.path().join("out.txt")).expect("it was written");
    assert_eq!(written, "CRMNDWE\n");
    let spin = "(module (func (export \"_start\") (loop $l (br $l))))";
    sandbox.write("spin.wat", spin);
    sandbox.write("policy.toml", "[budget]\ntree_cpu_time_max = 20\n");
    let run = sandbox.run("--policy policy.toml spin.wat");
    assert!(run.status != 0 && run.stderr.contains("tree_cpu_time_max"), "{run:?}");
}

#[test]
fn a_policy_that_is_not_understood_has_status_2_and_names_the_line() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", PROGRAM);
    sandbox.write("policy.toml", "[rights]\nallow = [\n  \"stdout\",\n  \"fils:.\",\n]\n");
    let run = sandbox.run("--policy policy.toml a.wat");
    run.expect_error(2, &["policy.toml", "line 4", "`fils:.` is no right"]);
    let run = sandbox.run("--policy missing.toml a.wat");
    run.expect_error(2, &["missing.toml"]);
    let run = sandbox.run("--deny write:nowhere a.wat");
    run.expect_error(2, &["`write:nowhere` cannot be denied", "the guest has ."]);
}
