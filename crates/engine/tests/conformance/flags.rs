//! Process flags, labels, and suspending.

use lunatic_engine::ExitReason;

use crate::common::{passes, passes_limited, reason, traps};

#[test]
fn each_flag_gives_its_value_of_before() {
    passes(
        r#"(func (export "_start")
            (call $is64 (call $flag (i32.const 0) (i64.const 1)) (i64.const 0))
            (call $is64 (call $flag (i32.const 0) (i64.const 2)) (i64.const 1))
            (call $is64 (call $flag (i32.const 0) (i64.const 0)) (i64.const 2))
            (call $is64 (call $flag (i32.const 1) (i64.const 0)) (i64.const 1))
            (call $is64 (call $flag (i32.const 1) (i64.const 2)) (i64.const 0))
            (call $is64 (call $flag (i32.const 1) (i64.const 3)) (i64.const 2))
            (call $is64 (call $flag (i32.const 2) (i64.const 1)) (i64.const 0))
            (call $is64 (call $flag (i32.const 2) (i64.const 0)) (i64.const 1))
            (call $is64 (call $flag (i32.const 3) (i64.const 0x20000)) (i64.const 0x100000000))
            (call $is64 (call $flag (i32.const 3) (i64.const 0x100000000)) (i64.const 0x20000))
            (call $is64 (call $flag (i32.const 4) (i64.const 1)) (i64.const 0))
            (call $is64 (call $flag (i32.const 4) (i64.const 0)) (i64.const 1)))"#,
    );
}

#[test]
fn a_value_that_a_flag_cannot_have_is_an_error_and_changes_nothing() {
    for (flag, value, before) in [
        (0, "3", "0"),
        (0, "-1", "0"),
        (1, "4", "1"),
        (1, "-1", "1"),
        (2, "3", "0"),
        (3, "0", "0x100000000"),
        (3, "0x100000001", "0x100000000"),
        (4, "2", "0"),
    ] {
        passes(&format!(
            r#"(func (export "_start")
                (call $is
                    (call $process.set_flag (i32.const {flag}) (i64.const {value})
                        (i32.const 0x33c0))
                    (i32.const 1))
                (call $is
                    (call $error_has (i64.load (i32.const 0x33c0)) @"cannot be") (i32.const 1))
                (call $is64 (call $flag (i32.const {flag}) (i64.const 1)) (i64.const {before})))"#
        ));
    }
    passes(
        r#"(func (export "_start")
            (call $is
                (call $process.set_flag (i32.const 5) (i64.const 0) (i32.const 0x33c0))
                (i32.const 1))
            (call $is
                (call $process.set_flag (i32.const -1) (i64.const 0) (i32.const 0x33c0))
                (i32.const 1)))"#,
    );
    traps(
        "(drop (call $process.set_flag (i32.const 0) (i64.const 1) (i32.const 0xfff9)))",
        "outside of the memory",
    );
}

#[test]
fn trap_exit_shows_normal_ends_too_and_failures_only_if_asked() {
    passes(
        r#"(func (export "normal"))
        (func (export "_start") (local $child i64)
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (drop (call $child (i32.const 1) @"normal"))
            (call $comes (i32.const 1))
            (call $is (call $why) (i32.const 0))
            (drop (call $flag (i32.const 0) (i64.const 2)))
            (drop (call $child (i32.const 3) @"normal"))
            (call $comes (i32.const 2)))"#,
    );
}

#[test]
fn memory_is_refused_or_ends_the_process_as_the_policy_says() {
    passes_limited(
        r#"(func (export "_start")
            (call $is (memory.grow (i32.const 100)) (i32.const -1))
            (call $is (memory.grow (i32.const 1)) (i32.const 1))
            (drop (call $flag (i32.const 3) (i64.const 0x20000)))
            (call $is (memory.grow (i32.const 1)) (i32.const -1))
            (drop (call $flag (i32.const 3) (i64.const 0x40000)))
            (call $is (memory.grow (i32.const 1)) (i32.const 2)))"#,
        |limits, _| limits.memory_bytes_max = 4 << 16,
    );
    let grows = |size: u32, policy: u32| {
        reason(&format!(
            r#"(table 1 funcref) (elem (i32.const 0) $grows) (type $nothing (func))
            (func $grows (drop (memory.grow (i32.const {size}))))
            (func (export "_start")
                (drop (call $flag (i32.const 2) (i64.const {policy})))
                (drop (call $flag (i32.const 3) (i64.const 0x20000)))
                (drop (call $try (i32.const 0))))"#
        ))
    };
    for (policy, reason) in [(1, ExitReason::Limit("memory_bytes_max")), (2, ExitReason::Killed)] {
        assert_eq!(grows(1, policy), ExitReason::Normal);
        assert_eq!(grows(2, policy), reason, "nothing catches it");
    }
}

#[test]
fn the_memory_of_the_module_itself_bounds_without_ending_anything() {
    passes(
        r#"(memory (export "memory") 1 2)
        (func (export "_start")
            (drop (call $flag (i32.const 2) (i64.const 1)))
            (call $is (memory.grow (i32.const 5)) (i32.const -1)))"#,
    );
}

#[test]
fn a_label_is_set_changed_and_taken_away() {
    passes(
        r#"(func $label_bytes (result i32)
            (call $is
                (call $process.info (i64.const 0) (call $process.process_id)
                    (i32.const 0x2000) (i32.const 0x400))
                (i32.const 0))
            (i32.load (i32.const 0x2054)))
        (func (export "_start")
            (call $is (call $label_bytes) (i32.const 0))
            (call $process.set_label @"one")
            (call $is (call $label_bytes) (i32.const 3))
            (call $process.set_label @"seven77")
            (call $is (call $label_bytes) (i32.const 7))
            (call $process.set_label @"")
            (call $is (call $label_bytes) (i32.const 0)))"#,
    );
    for (label, text) in [
        ("(i32.const 0) (i32.const 4097)", "name_bytes_max"),
        ("(i32.const 0xffff) (i32.const 2)", "outside of the memory"),
        (r#"@"\ff""#, "UTF-8"),
    ] {
        traps(&format!("(call $process.set_label {label})"), text);
    }
}

#[test]
fn a_suspended_process_is_seen_as_such_and_goes_on_when_it_is_resumed_as_often() {
    passes(
        r#"(func (export "echo") (param $parent i64)
            (loop $again
                (call $comes (i32.const 0))
                (call $tell (local.get $parent) (i64.const 1) (i64.const 0))
                (br $again)))
        (func $suspend (param $who i64) (result i32)
            (call $process.suspend (i64.const 0) (local.get $who) (i32.const 0x33c0)))
        (func $status (param $who i64) (result i32)
            (call $is
                (call $process.info (i64.const 0) (local.get $who)
                    (i32.const 0x2000) (i32.const 0x400))
                (i32.const 0))
            (i32.load (i32.const 0x2000)))
        (func (export "_start") (local $echo i64)
            (call $options (i32.const 0) @"echo")
            (call $for_me)
            (local.set $echo (call $spawn_it))
            (call $is (call $suspend (local.get $echo)) (i32.const 0))
            (call $is (call $suspend (local.get $echo)) (i32.const 0))
            (call $tell (local.get $echo) (i64.const 1) (i64.const 0))
            (call $is (call $come (i64.const 1)) (i32.const 9027))
            (call $is (call $status (local.get $echo)) (i32.const 3))
            (call $is64 (i64.load (i32.const 0x2010)) (i64.const 1))
            (call $is (call $process.resume (i64.const 0) (local.get $echo)) (i32.const 0))
            (call $is (call $come (i64.const 1)) (i32.const 9027))
            (call $is (call $process.resume (i64.const 0) (local.get $echo)) (i32.const 0))
            (call $comes (i32.const 0))
            (call $is (call $process.resume (i64.const 0) (local.get $echo)) (i32.const 1))
            (call $is (call $suspend (call $process.process_id)) (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x33c0)) @"itself") (i32.const 1))
            (call $is (call $suspend (i64.const 0)) (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x33c0)) @"does not exist")
                (i32.const 1))
            (call $is (call $process.resume (i64.const 7) (local.get $echo)) (i32.const 1)))"#,
    );
    traps(
        "(drop (call $process.suspend (i64.const 0) (i64.const 0) (i32.const 0xfff9)))",
        "outside of the memory",
    );
}

#[test]
fn a_process_that_never_pauses_is_suspended_and_killed() {
    passes(
        r#"(func (export "busy") (loop $for_ever (br $for_ever)))
        (func (export "_start") (local $busy i64)
            (local.set $busy (call $child (i32.const 2) @"busy"))
            (call $is
                (call $process.suspend (i64.const 0) (local.get $busy) (i32.const 0x33c0))
                (i32.const 0))
            (call $process.exit (i64.const 0) (local.get $busy) (i32.const 2)
                (i32.const 0) (i32.const 0))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 3)))"#,
    );
}
