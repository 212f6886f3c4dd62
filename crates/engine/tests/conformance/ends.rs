//! `exit` and `exit_self`: every reason goes out as it was given and arrives as data.

use lunatic_engine::ExitReason;

use crate::common::{passes, reason, traps};

/// A child that ends itself with this reason; its parent finds `why` and the data.
fn arrives(kind: u32, data: &str, why: u32, read: &str) {
    passes(&format!(
        r#"(func (export "child") (call $process.exit_self (i32.const {kind}) @"{data}"))
        (func (export "_start")
            (drop (call $child (i32.const 2) @"child"))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const {why}))
            (call $reads @"{read}"))"#
    ));
}

#[test]
fn each_reason_that_a_process_gives_arrives_with_its_data() {
    for (kind, data, why, read) in [
        (0, "", 0, ""),
        (1, "", 1, ""),
        // Not rewritten: only a request to exit is.
        (2, "", 2, ""),
        (3, "", 3, ""),
        (4, "", 4, ""),
        (5, "", 5, ""),
        (6, "\\2a\\00\\00\\00", 6, "\\2a\\00\\00\\00"),
        (6, "\\ff\\ff\\ff\\ff", 6, "\\ff\\ff\\ff\\ff"),
        (6, "\\00\\00\\00\\00", 0, ""),
        (7, "it broke\\0ahere\\0athere", 7, "it broke\\0ahere\\0athere"),
        (7, "", 7, ""),
        (8, "sorry", 8, "sorry"),
        (11, "\\00\\ff any bytes", 11, "\\00\\ff any bytes"),
        (11, "", 11, ""),
    ] {
        arrives(kind, data, why, read);
    }
}

#[test]
fn what_cannot_be_a_reason_traps() {
    for (arguments, text) in [
        (r#"(i32.const 9) @"bug""#, "for the runtime alone"),
        (r#"(i32.const 10) @"fuel_max""#, "for the runtime alone"),
        (r#"(i32.const 12) @"""#, "no kind 12"),
        (r#"(i32.const -1) @"""#, "no kind 4294967295"),
        (r#"(i32.const 1) @"why""#, "carries no data"),
        (r#"(i32.const 6) @"""#, "has 4 bytes, not 0"),
        (r#"(i32.const 6) @"12345""#, "has 4 bytes, not 5"),
        (r#"(i32.const 8) @"\ff""#, "UTF-8"),
        (r#"(i32.const 11) (i32.const 0) (i32.const 65537)"#, "exit_reason_bytes_max = 65536"),
        (r#"(i32.const 11) (i32.const 0xffff) (i32.const 2)"#, "outside of the memory"),
        (r#"(i32.const 11) (i32.const -1) (i32.const -1)"#, "exit_reason_bytes_max"),
    ] {
        traps(&format!("(call $process.exit_self {arguments})"), text);
        let other = format!("(call $process.exit (i64.const 0) (i64.const 0) {arguments})");
        traps(&other, text);
    }
}

#[test]
fn what_ends_a_process_is_not_caught() {
    for call in [
        r#"(call $process.exit_self (i32.const 11) @"over")"#,
        r#"(call $process.exit (i64.const 0) (call $process.process_id) (i32.const 11) @"over")"#,
    ] {
        let ended = reason(&format!(
            r#"(table 1 funcref) (elem (i32.const 0) $ends)
            (type $nothing (func))
            (func $ends {call} unreachable)
            (func (export "_start") (drop (call $try (i32.const 0))) unreachable)"#
        ));
        assert_eq!(ended, ExitReason::Custom(b"over"[..].into()));
    }
}

#[test]
fn a_request_through_an_alias_goes_first_if_the_alias_takes_that_and_vanishes_after_it() {
    let ask = r#"(func $ask (param $flags i32) (param $data i32) (param $length i32)
        (call $process.exit_alias (i64.const 0) (call $ref) (local.get $flags) (i32.const 11)
            (local.get $data) (local.get $length)))"#;
    for (alias, flags, first, second) in [(2, 1, 1, 0), (2, 0, 0, 1), (0, 1, 0, 1), (3, 1, 1, 0)] {
        passes(&format!(
            r#"{ask}
            (func (export "_start")
                (drop (call $flag (i32.const 0) (i64.const 1)))
                (call $process.alias (i32.const {alias}) (i32.const 0x33c0))
                (call $tell (call $process.process_id) (i64.const 0) (i64.const 1))
                (call $ask (i32.const {flags}) @"stop")
                (call $comes (i32.const {first}))
                (call $comes (i32.const {second}))
                ;; An exit is no message: it does not end an alias for one.
                (call $is (call $process.unalias (i64.const 0) (call $ref)) (i32.const 1))
                (call $ask (i32.const {flags}) @"late")
                (call $is (call $come (i64.const 0)) (i32.const 9027)))"#
        ));
    }
    let ended = reason(&format!(
        r#"{ask}
        (func (export "_start")
            (call $process.alias (i32.const 2) (i32.const 0x33c0))
            (call $ask (i32.const 1) @"stop")
            unreachable)"#
    ));
    assert_eq!(ended, ExitReason::Custom(b"stop"[..].into()));
    let call = r#"(call $process.exit_alias (i64.const 0) (i64.const 0)"#;
    traps(&format!(r#"{call} (i32.const 2) (i32.const 1) @"")"#), "do not exist");
    traps(&format!(r#"{call} (i32.const 0) (i32.const 9) @"")"#), "for the runtime alone");
}

#[test]
fn a_request_to_exit_ends_the_other_with_its_reason_unless_it_traps_exits() {
    passes(
        r#"(func (export "waits") (call $comes (i32.const 0)) unreachable)
        (func (export "traps") (param $parent i64)
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (call $tell (local.get $parent) (i64.const 1) (i64.const 0))
            (call $comes (i32.const 1))
            (call $is (call $why) (i32.const 11))
            (call $is64 (call $from) (local.get $parent))
            (call $reads @"stop"))
        (func (export "_start") (local $child i64)
            (local.set $child (call $child (i32.const 2) @"waits"))
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 11) @"stop")
            (call $comes (i32.const 2))
            (call $is64 (call $from) (local.get $child))
            (call $is (call $why) (i32.const 11))
            (call $reads @"stop")
            (call $options (i32.const 2) @"traps")
            (call $for_me)
            (local.set $child (call $spawn_it))
            (call $comes (i32.const 0))
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 11) @"stop")
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 0)))"#,
    );
}

#[test]
fn a_normal_request_ends_only_oneself_and_kill_is_told_as_killed() {
    passes(
        r#"(func (export "waits") (call $comes (i32.const 0)))
        (func (export "normal")
            (call $process.exit (i64.const 0) (call $process.process_id)
                (i32.const 0) (i32.const 0) (i32.const 0))
            unreachable)
        (func (export "kills")
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (call $process.exit (i64.const 0) (call $process.process_id)
                (i32.const 2) (i32.const 0) (i32.const 0))
            unreachable)
        (func (export "_start") (local $child i64)
            (local.set $child (call $child (i32.const 2) @"waits"))
            (call $process.exit (i64.const 0) (local.get $child)
                (i32.const 0) (i32.const 0) (i32.const 0))
            (call $tell (local.get $child) (i64.const 1) (i64.const 0))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 0))
            (drop (call $child (i32.const 2) @"normal"))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 0))
            (drop (call $child (i32.const 2) @"kills"))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 3)))"#,
    );
}

#[test]
fn a_trap_arrives_with_its_message_and_the_calls_that_led_there() {
    passes(
        r#"(func $deep unreachable)
        (func $entry (export "child") (call $deep))
        (func (export "_start")
            (drop (call $child (i32.const 2) @"child"))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 7))
            (call $reads @"wasm `unreachable` instruction executed\0adeep\0aentry"))"#,
    );
}

#[test]
fn a_limit_arrives_by_its_name() {
    passes(
        r#"(func (export "child")
            (drop (call $flag (i32.const 2) (i64.const 1)))
            (drop (call $flag (i32.const 3) (i64.const 0x20000)))
            (drop (memory.grow (i32.const 2))))
        (func (export "_start")
            (drop (call $child (i32.const 2) @"child"))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 10))
            (call $reads @"memory_bytes_max"))"#,
    );
}

#[test]
fn an_exit_or_a_down_can_be_read_again_and_cannot_be_sent() {
    passes(
        r#"(func (export "child") (call $process.exit_self (i32.const 11) @"0123456789"))
        (func (export "_start")
            (drop (call $child (i32.const 2) @"child"))
            (call $comes (i32.const 2))
            (call $reads @"0123456789")
            (call $message.seek_data (i64.const 8))
            (call $is (call $message.read_data (i32.const 0x3400) (i32.const 9)) (i32.const 2))
            (call $is (i32.load16_u (i32.const 0x3400)) (i32.const 0x3938)))"#,
    );
    traps(
        r#"(call $process.monitor_pid (i64.const 0) (i64.const 0) (i32.const 0)
            (i32.const 0x33c0))
        (call $comes (i32.const 2))
        (drop (call $message.send_pid (i64.const 0) (i64.const 1) (i64.const 0)))"#,
        "it can only be read",
    );
}

/// The trap of a program whose functions take so much of a stack of 4,000 bytes at the memory's
/// beginning, write there, and do the rest; `leave` is whether they tell others how much they took.
fn stack(export: &str, frame: u32, leave: bool, rest: &str) -> String {
    let leave = if leave { "(global.set $stack (local.get $frame))" } else { "" };
    let source = format!(
        r#"(global $stack {export} (mut i32) (i32.const 4000))
        (func $deep (local $frame i32)
            (local.set $frame (i32.sub (global.get $stack) (i32.const {frame})))
            {leave}
            (i32.store (local.get $frame) (i32.const 1))
            {rest})
        (func (export "_start") (call $deep))"#
    );
    let ExitReason::Trap(trap) = reason(&source) else { panic!("no trap in {source}") };
    assert!(trap.message.starts_with("out of bounds memory access"), "{}", trap.message);
    assert!(!trap.frames.is_empty());
    trap.message.clone()
}

#[test]
fn a_trap_that_a_full_stack_in_memory_has_probably_caused_says_so() {
    let export = r#"(export "__stack_pointer")"#;
    let told = "the stack in its memory was probably full";
    let recursion = stack(export, 512, true, "(call $deep)");
    assert!(recursion.contains(told) && recursion.contains("stack-size=BYTES"), "{recursion}");
    assert!(stack(export, 8192, true, "").contains(told), "a frame larger than the stack");
    assert!(stack(export, 5000, false, "").contains(told), "of a function that calls no other");
    // Nobody can know it, or it is not so.
    let elsewhere = "(i32.store (i32.const -4) (i32.const 1))";
    assert!(!stack("", 512, true, "(call $deep)").contains(told));
    assert!(!stack(r#"(export "stack")"#, 512, true, "(call $deep)").contains(told));
    let below = "(global.set $stack (i32.const 0x8000))";
    assert!(!stack(export, 16, true, &format!("{below}{elsewhere}")).contains(told));
}
