//! `hibernate`: the call stack goes, everything else stays, and no message is lost.

use lunatic_engine::ExitReason;

use crate::common::guest::module;
use crate::common::{config, passes, passes_limited, reason, run_with, traps};

/// Calls `hibernate` with a function and one parameter, which is a number.
const SLEEP: &str = r#"(func $sleep (param $name i32) (param $length i32) (param $number i32)
    (i32.store8 (i32.const 0x3e00) (i32.const 0x7f))
    (i32.store (i32.const 0x3e01) (local.get $number))
    (drop (call $process.hibernate (local.get $name) (local.get $length)
        (i32.const 0x3e00) (i32.const 17) (i32.const 0x3e20)))
    unreachable)"#;

#[test]
fn the_function_is_called_with_its_parameter_when_a_message_is_there() {
    passes(&format!(
        r#"{SLEEP}
        (global $kept (mut i32) (i32.const 0))
        (func (export "child") (param $parent i64)
            (global.set $kept (i32.const 7))
            (i32.store (i32.const 0x3000) (i32.const 8))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (call $sleep @"awake" (i32.const 9))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 99)))
        (func (export "awake") (param $number i32)
            (call $is (local.get $number) (i32.const 9))
            (call $is (global.get $kept) (i32.const 7))
            (call $is (i32.load (i32.const 0x3000)) (i32.const 8))
            (call $expect (i64.const 5)))
        (func (export "_start") (local $child i64)
            (call $options (i32.const 2) @"child")
            (call $for_me)
            (local.set $child (call $spawn_it))
            (call $comes (i32.const 0))
            (call $is (call $come (i64.const 0)) (i32.const 9027))
            (call $tell (local.get $child) (i64.const 0) (i64.const 5))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 0)))"#
    ));
}

#[test]
fn messages_that_are_there_wake_at_once_and_stay_in_order() {
    passes(&format!(
        r#"{SLEEP}
        (func (export "awake") (param $number i32)
            (if (i32.eqz (local.get $number)) (then (return)))
            (call $expect (i64.extend_i32_s (local.get $number)))
            (if (i32.lt_s (local.get $number) (i32.const 3)) (then
                (call $sleep @"awake" (i32.add (local.get $number) (i32.const 1)))))
            (call $is (call $come (i64.const 0)) (i32.const 9027)))
        (func (export "_start")
            (call $tell (call $process.process_id) (i64.const 0) (i64.const 1))
            (call $tell (call $process.process_id) (i64.const 0) (i64.const 2))
            (call $tell (call $process.process_id) (i64.const 0) (i64.const 3))
            (call $sleep @"awake" (i32.const 1)))"#
    ));
}

#[test]
fn nothing_catches_it_and_the_depth_of_calls_begins_anew() {
    passes_limited(
        &format!(
            r#"{SLEEP}
            (table 1 funcref) (elem (i32.const 0) $again)
            (global $count (mut i32) (i32.const 0))
            (func $again
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (call $sleep @"awake" (i32.const 0)))
            (func (export "awake") (param i32)
                (if (i32.eq (global.get $count) (i32.const 20)) (then (return)))
                (drop (call $try (i32.const 0)))
                unreachable)
            (func (export "_start")
                (call $tell (call $process.process_id) (i64.const 0) (i64.const 1))
                (drop (call $try (i32.const 0)))
                unreachable)"#
        ),
        |limits, _| limits.catch_depth_max = 2,
    );
}

#[test]
fn the_pointer_of_the_stack_in_memory_is_put_back_if_it_is_exported() {
    for (export, wanted) in [(r#"(export "__stack_pointer")"#, 4096), ("", 4096 - 20 * 16)] {
        passes(&format!(
            r#"{SLEEP}
            (global $other (mut i32) (i32.const 5))
            (global $stack {export} (mut i32) (i32.const 4096))
            (func $deeper (param $left i32)
                (global.set $stack (i32.sub (global.get $stack) (i32.const 16)))
                (call $sleep @"awake" (local.get $left)))
            (func (export "awake") (param $left i32)
                (if (local.get $left) (then
                    (call $deeper (i32.sub (local.get $left) (i32.const 1)))))
                (call $is (global.get $stack) (i32.const {wanted}))
                (call $is (global.get $other) (i32.const 5)))
            (func (export "_start")
                (call $tell (call $process.process_id) (i64.const 0) (i64.const 1))
                (call $deeper (i32.const 19)))"#
        ));
    }
}

#[test]
fn what_cannot_be_called_is_an_error_and_the_caller_goes_on() {
    for (name, text) in [
        ("nothing", "exports no function `nothing`"),
        ("memory", "exports no function `memory`"),
        ("two", "takes other parameters"),
        ("results", "gives results"),
    ] {
        passes(&format!(
            r#"(func (export "two") (param i32 i32))
            (func (export "results") (param i32) (result i32) (i32.const 1))
            (func (export "_start")
                (call $tell (call $process.process_id) (i64.const 0) (i64.const 1))
                (i32.store8 (i32.const 0x3e00) (i32.const 0x7f))
                (call $is
                    (call $process.hibernate @"{name}" (i32.const 0x3e00) (i32.const 17)
                        (i32.const 0x3e20))
                    (i32.const 1))
                (call $is
                    (call $error_has (i64.load (i32.const 0x3e20)) @"{text}") (i32.const 1))
                (call $expect (i64.const 1)))"#
        ));
    }
}

#[test]
fn what_breaks_the_contract_traps() {
    let call = |arguments| format!("(drop (call $process.hibernate {arguments}))");
    for (arguments, text) in [
        (r#"@"f" (i32.const 0) (i32.const 0) (i32.const 0xfff9)"#, "outside of the memory"),
        (r#"@"\ff" (i32.const 0) (i32.const 0) (i32.const 0)"#, "UTF-8"),
        (r#"@"f" (i32.const 0) (i32.const 16) (i32.const 0)"#, "17-byte records"),
        (r#"@"f" (i32.const 0xffff) (i32.const 17) (i32.const 0)"#, "outside of the memory"),
        (r#"(i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 0)"#, "at most"),
    ] {
        traps(&call(arguments), text);
    }
}

#[test]
fn nobody_hibernates_in_a_start_section() {
    let call = r#"(drop (call $process.hibernate @"_start" (i32.const 0) (i32.const 0)
        (i32.const 0x3e20)))"#;
    let source = format!(r#"(func $begin {call}) (start $begin) (func (export "_start"))"#);
    let refused = run_with(&module(&source), config(|_, _| {})).expect_err("it traps");
    assert!(refused.to_string().contains("start section"), "{refused}");
}

#[test]
fn a_process_that_hibernates_is_killed_and_ends_with_exits_of_links() {
    passes(&format!(
        r#"{SLEEP}
        (func (export "child") (param $parent i64)
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (call $sleep @"awake" (i32.const 0)))
        (func (export "awake") (param i32))
        (func (export "_start") (local $child i64)
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (call $options (i32.const 3) @"child")
            (call $for_me)
            (local.set $child (call $spawn_it))
            (call $comes (i32.const 0))
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 2)
                (i32.const 0) (i32.const 0))
            (call $comes (i32.const 1))
            (call $is (call $why) (i32.const 3))
            (call $comes (i32.const 2))
            (local.set $child (call $spawn_it))
            (call $comes (i32.const 0))
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 11) @"stop")
            (call $comes (i32.const 1))
            (call $is (call $why) (i32.const 11)))"#
    ));
}

#[test]
fn a_trap_after_it_tells_where() {
    let awake = format!(
        r#"{SLEEP}
        (func $deep unreachable)
        (func (export "awake") (param i32) (call $deep))
        (func (export "_start")
            (call $tell (call $process.process_id) (i64.const 0) (i64.const 1))
            (call $sleep @"awake" (i32.const 0)))"#
    );
    let ExitReason::Trap(trap) = reason(&awake) else { panic!("it does not trap") };
    assert!(trap.frames.iter().any(|frame| frame.function.contains("deep")), "{trap:?}");
}
