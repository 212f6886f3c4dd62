//! The shortest way through every part: spawn, message, link, sleep, exit.

use crate::common::run;
use lunatic_engine::ExitReason;

#[test]
fn an_empty_program_ends_normally() {
    assert_eq!(run(r#"(module (func (export "_start")))"#), ExitReason::Normal);
}

#[test]
fn a_trap_is_the_reason_and_names_the_function() {
    let reason = run(r#"(module (func $inner unreachable) (func (export "_start") call $inner))"#);
    let ExitReason::Trap(trap) = reason else { panic!("{reason}") };
    assert!(trap.message.contains("unreachable"), "{}", trap.message);
    assert_eq!(trap.frames[0].function, "inner");
}

#[test]
fn the_status_of_proc_exit_is_the_reason() {
    let program = |code: i32| {
        format!(
            r#"(module
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_start") (call $exit (i32.const {code}))))"#
        )
    };
    assert_eq!(run(&program(3)), ExitReason::Exit(3));
    assert_eq!(run(&program(0)), ExitReason::Normal);
}

#[test]
fn a_child_answers_its_parent_while_others_loop_for_ever() {
    let program = r#"(module
        (import "lunatic::process" "spawn"
            (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
        (import "lunatic::process" "process_id" (func $self (result i64)))
        (import "lunatic::process" "sleep_ms" (func $sleep (param i64)))
        (import "lunatic::message" "create_data" (func $create (param i64 i64)))
        (import "lunatic::message" "send" (func $send (param i64) (result i32)))
        (import "lunatic::message" "receive"
            (func $receive (param i32 i32 i64) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "spin" "answer")
        (func (export "spin") (loop br 0))
        (func (export "answer") (param i64)
            (call $sleep (i64.const 5))
            (call $create (i64.const 7) (i64.const 0))
            (drop (call $send (local.get 0))))
        (func $start (param i32 i32 i32)
            (drop (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
                (local.get 0) (local.get 1) (i32.const 100) (local.get 2) (i32.const 200))))
        (func (export "_start")
            (call $start (i32.const 0) (i32.const 4) (i32.const 0))
            (call $start (i32.const 0) (i32.const 4) (i32.const 0))
            (call $start (i32.const 0) (i32.const 4) (i32.const 0))
            (i32.store8 (i32.const 100) (i32.const 0x7e))
            (i64.store (i32.const 101) (call $self))
            (call $start (i32.const 4) (i32.const 6) (i32.const 17))
            (if (call $receive (i32.const 0) (i32.const 0) (i64.const -1)) (then unreachable))))"#;
    assert_eq!(run(program), ExitReason::Normal);
}

#[test]
fn a_linked_child_that_traps_takes_its_parent_with_it() {
    let program = r#"(module
        (import "lunatic::process" "spawn"
            (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
        (import "lunatic::message" "receive"
            (func $receive (param i32 i32 i64) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "crash")
        (func (export "crash") unreachable)
        (func (export "_start")
            (drop (call $spawn (i64.const 1) (i64.const -1) (i64.const -1)
                (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 200)))
            (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1)))))"#;
    assert!(matches!(run(program), ExitReason::Trap(_)));
}
