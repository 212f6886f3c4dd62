//! Running out of address space: whoever spawns gets an error that says so, everything else goes
//! on, and when processes have ended there is room again.

use std::process::{Command, Stdio};

use crate::{Sandbox, outcome};

/// Address space of the runtime in KiB: room for thousands of processes, and for what a node of two
/// workers has anyway.
const ADDRESSES_KIB: u64 = 4_000_000;

/// Spawns until that fails and prints why. Pids lie from 0x10000 on.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "lunatic::process" "spawn"
        (func $host_spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
    (import "lunatic::process" "monitor" (func $monitor (param i64)))
    (import "lunatic::process" "process_id" (func $process_id (result i64)))
    (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
    (import "lunatic::message" "send" (func $send (param i64) (result i32)))
    (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
    (import "lunatic::error" "to_string" (func $to_string (param i64 i32)))
    (import "lunatic::error" "string_size" (func $string_size (param i64) (result i32)))
    (memory (export "memory") 8)
    (data (i32.const 32) "\7e")
    (data (i32.const 64) "idleecho")
    (data (i32.const 80) "\nok\n")
    (func $is (param $got i32) (param $wanted i32)
        (if (i32.ne (local.get $got) (local.get $wanted)) (then unreachable)))
    (func $print (param $from i32) (param $length i32)
        (i32.store (i32.const 0) (local.get $from))
        (i32.store (i32.const 4) (local.get $length))
        (call $is
            (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 24))
            (i32.const 0)))
    (func $spawn (param $name i32) (result i32)
        (i64.store (i32.const 33) (call $process_id))
        (call $host_spawn (i64.const 0) (i64.const -1) (i64.const -1)
            (local.get $name) (i32.const 4) (i32.const 32) (i32.const 17) (i32.const 8)))
    (func $tell (param $to i64)
        (call $create_data (i64.const 0) (i64.const 0))
        (call $is (call $send (local.get $to)) (i32.const 0)))
    (func $next (result i32) (call $receive (i32.const 0) (i32.const 0) (i64.const -1)))
    (func (export "idle") (param i64) (drop (call $next)))
    (func (export "echo") (param $root i64)
        (loop $more
            (drop (call $next))
            (call $tell (local.get $root))
            (br $more)))
    ;; Spawns at most so many; how many there are then.
    (func $fill (param $most i32) (result i32) (local $count i32)
        (loop $more
            (if (i32.eq (local.get $count) (local.get $most))
                (then (return (local.get $count))))
            (if (call $spawn (i32.const 64)) (then (return (local.get $count))))
            (i64.store
                (i32.add (i32.const 0x10000) (i32.mul (local.get $count) (i32.const 8)))
                (i64.load (i32.const 8)))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br $more))
        unreachable)
    ;; Ends them all, and waits until they are gone.
    (func $end_all (param $count i32) (local $left i32) (local $pid i64)
        (local.set $left (local.get $count))
        (loop $more
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (local.set $pid (i64.load
                (i32.add (i32.const 0x10000) (i32.mul (local.get $left) (i32.const 8)))))
            (call $monitor (local.get $pid))
            (call $tell (local.get $pid))
            (br_if $more (local.get $left)))
        (loop $more
            (call $is (call $next) (i32.const 2))
            (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
    (func $asks (param $echo i64)
        (call $tell (local.get $echo))
        (call $is (call $next) (i32.const 0)))
    (func (export "_start") (local $echo i64) (local $count i32) (local $round i32)
        (call $is (call $spawn (i32.const 68)) (i32.const 0))
        (local.set $echo (i64.load (i32.const 8)))
        (local.set $count (call $fill (i32.const 50000)))
        (call $is (i32.gt_u (local.get $count) (i32.const 100)) (i32.const 1))
        (call $to_string (i64.load (i32.const 8)) (i32.const 1024))
        (call $print (i32.const 1024) (call $string_size (i64.load (i32.const 8))))
        ;; Others run, and it stays an error.
        (call $asks (local.get $echo))
        (call $is (call $spawn (i32.const 64)) (i32.const 1))
        (call $asks (local.get $echo))
        (loop $again
            (call $end_all (local.get $count))
            (call $is (call $fill (local.get $count)) (local.get $count))
            (call $asks (local.get $echo))
            (local.set $round (i32.add (local.get $round) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $round) (i32.const 3))))
        (call $print (i32.const 80) (i32.const 4))))"#;

#[test]
fn without_addresses_a_spawn_is_an_error_others_run_and_there_is_room_again() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", GUEST);
    let lunatic = env!("CARGO_BIN_EXE_lunatic");
    let line =
        format!("ulimit -v {ADDRESSES_KIB} && exec {lunatic} run --no-cache --workers 2 a.wat");
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(sandbox.path()).stdin(Stdio::null());
    let ran = outcome(command.output().expect("every system has sh"));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let text = ran.stdout.strip_suffix("\nok\n").unwrap_or_else(|| panic!("{ran:?}"));
    for part in ["address space", "end some processes", "ulimit -v"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}
