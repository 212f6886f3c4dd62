//! What flags leave a program of the network.

use crate::Sandbox;

/// Listens at 127.0.0.1, connects to it at port 1, where nobody listens, and looks up a name.
/// Prints a line for each: the text of its error, or nothing.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "lunatic::error" "string_size" (func $size (param i64) (result i32)))
    (import "lunatic::error" "to_string" (func $text (param i64 i32)))
    (import "lunatic::networking" "tcp_bind"
        (func $bind (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "lunatic::networking" "tcp_connect"
        (func $connect (param i32 i32 i32 i32 i32 i64 i32) (result i32)))
    (import "lunatic::networking" "resolve"
        (func $resolve (param i32 i32 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "\7f\00\00\01")
    (data (i32.const 80) "localhost:80")
    (func $say (param $code i32) (local $length i32)
        (if (i32.eq (local.get $code) (i32.const 1)) (then
            (local.set $length (call $size (i64.load (i32.const 32))))
            (call $text (i64.load (i32.const 32)) (i32.const 1024))))
        (i32.store8 (i32.add (i32.const 1024) (local.get $length)) (i32.const 10))
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.add (local.get $length) (i32.const 1)))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func (export "_start")
        (call $say (call $bind (i32.const 4) (i32.const 64) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 32)))
        (call $say (call $connect (i32.const 4) (i32.const 64) (i32.const 1)
            (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 32)))
        (call $say (call $resolve (i32.const 80) (i32.const 12) (i64.const -1) (i32.const 32)))))"#;

/// The lines that the program prints: of its bind, its connect and its look-up.
fn lines(flags: &str) -> [String; 3] {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", PROGRAM);
    let run = sandbox.run(format!("{flags} a.wat").trim_start());
    assert_eq!(run.status, 0, "{flags}: {run:?}");
    // What was denied is told, and nothing else.
    let told = run.stderr.lines().all(|line| line.contains("was denied: "));
    assert!(told, "{flags}: {run:?}");
    let lines: Vec<String> = run.stdout.lines().map(String::from).collect();
    lines.try_into().expect("three lines")
}

#[test]
fn a_program_has_the_whole_network_unless_flags_name_something() {
    // Whether it may bind, connect and look up names.
    for (flags, allowed) in [
        ("", [true, true, true]),
        ("--deny-network", [false, false, false]),
        ("--allow-bind *", [true, false, false]),
        ("--allow-bind tcp:127.0.0.1:0", [true, false, false]),
        ("--allow-bind tcp:127.0.0.1:80", [false, false, false]),
        ("--allow-connect tcp:127.0.0.0/8:1-9", [false, true, true]),
        ("--allow-connect udp:*:53", [false, false, true]),
        ("--allow-connect udp:*:53 --allow-connect tcp:*:1", [false, true, true]),
        ("--allow-connect tcp --allow-bind tcp", [true, true, true]),
    ] {
        let lines = lines(flags);
        let found = lines.each_ref().map(|line| !line.contains("this process may not"));
        assert_eq!(found, allowed, "{flags}: {lines:?}");
        assert_eq!(lines[0].is_empty(), allowed[0], "{flags}: {lines:?}");
    }
}

#[test]
fn the_flag_that_an_error_names_is_the_one_that_helps() {
    let [bind, connect, _] = lines("--deny-network");
    for (line, flag) in [(bind, "--allow-bind tcp:"), (connect, "--allow-connect tcp:")] {
        let at = line.find(flag).unwrap_or_else(|| panic!("{flag} is not in {line}"));
        let flag = line[at..].trim_end_matches('`');
        let now = lines(flag);
        assert!(!now.contains(&line), "{flag}: {now:?}");
    }
}

#[test]
fn a_rule_that_cannot_be_read_has_status_2_and_says_what_is_wrong_in_it() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", PROGRAM);
    for (flags, texts) in [
        (
            "--allow-connect tcp:example.com:443",
            &["--allow-connect", "`example.com` is no address"],
        ),
        ("--allow-bind 127.0.0.1:80", &["--allow-bind", "`127.0.0.1` is no protocol"]),
        ("--allow-bind tcp:10.0.0.1/8", &["--allow-bind", "write 10.0.0.0/8"]),
        ("--deny-network --allow-bind *", &["--deny-network", "cannot be used with"]),
    ] {
        sandbox.run(&format!("{flags} a.wat")).expect_error(2, texts);
    }
    let many: Vec<_> = (0..65).map(|n| format!("--allow-bind tcp:*:{}", 2 * n)).collect();
    let run = sandbox.run(&format!("{} a.wat", many.join(" ")));
    run.expect_error(2, &["`tcp:*:128` is one rule too many", "at most 64 rules"]);
}
