//! `lunatic::message`: the one message of a process, its data and its resources.

use lunatic_engine::ExitReason;

use crate::common::{passes, passes_limited, passes_with, reason_limited, traps};

const EMPTY: &str = "there is no message";
const ONLY_READ: &str = "tells of the end of a process: it can only be read";
const OUTSIDE: &str = "outside of the memory";

/// Calls that need a message with data.
const READS: [&str; 3] = [
    "(drop (call $message.read_data (i32.const 0) (i32.const 1)))",
    "(call $message.seek_data (i64.const 0))",
    "(drop (call $message.data_size))",
];
const DATA_ONLY: [&str; 5] = [
    "(drop (call $message.write_data (i32.const 0) (i32.const 1)))",
    r#"(drop (call $message.push_module (call $compiled @"(module)")))"#,
    "(drop (call $message.take_module (i64.const 0)))",
    "(drop (call $timer.send_after (i64.const 1) (i64.const 0)))",
    "(drop (call $distributed.send (i64.const 1) (i64.const 1)))",
];

#[test]
fn data_is_appended_and_read_in_order() {
    passes(
        r#"(func (export "_start")
            (call $message.create_data (i64.const 5) (i64.const 3))
            (call $is64 (call $message.get_tag) (i64.const 5))
            (call $is64 (call $message.get_process_id) (i64.const 0))
            (call $is (call $message.write_data @"abc") (i32.const 3))
            (call $is (call $message.read_data (i32.const 0) (i32.const 2)) (i32.const 2))
            ;; Writing goes to the end, wherever reading is.
            (call $is (call $message.write_data @"def") (i32.const 3))
            (call $is64 (call $message.data_size) (i64.const 6))
            (call $is (call $message.read_data (i32.const 2) (i32.const 100)) (i32.const 4))
            (call $is (call $same (i32.const 0) @"abcdef") (i32.const 1))
            (call $is (call $message.read_data (i32.const 0) (i32.const 1)) (i32.const 0))
            (call $message.seek_data (i64.const 4))
            (call $is (call $message.read_data (i32.const 0) (i32.const 9)) (i32.const 2))
            (call $is64 (call $message.data_size) (i64.const 6)))"#,
    );
}

#[test]
fn creating_a_message_replaces_the_one_before() {
    passes(
        r#"(func (export "_start")
            (call $message.create_data (i64.const 5) (i64.const 0))
            (drop (call $message.write_data @"abc"))
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is64 (call $message.get_tag) (i64.const 0))
            (call $is64 (call $message.data_size) (i64.const 0)))"#,
    );
}

#[test]
fn ranges_of_no_length_are_legal_up_to_the_end_of_the_memory() {
    passes(
        r#"(func (export "_start")
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is (call $message.write_data (i32.const 0) (i32.const 0)) (i32.const 0))
            (call $is (call $message.write_data (i32.const 0x10000) (i32.const 0)) (i32.const 0))
            (call $is (call $message.read_data (i32.const 0x10000) (i32.const 0)) (i32.const 0))
            (call $is (call $message.write_data (i32.const 0) (i32.const 0x10000))
                (i32.const 0x10000)))"#,
    );
}

#[test]
fn ranges_outside_of_the_memory_trap() {
    for range in [
        "(i32.const 0xffff) (i32.const 2)",
        "(i32.const 0x10001) (i32.const 0)",
        "(i32.const 0) (i32.const 0x10001)",
        "(i32.const 16) (i32.const -8)", // The sum wraps in 32 bits.
        "(i32.const -1) (i32.const -1)",
    ] {
        for function in ["write_data", "read_data"] {
            let body = format!(
                "(call $message.create_data (i64.const 0) (i64.const 0))
                (drop (call $message.{function} {range}))"
            );
            traps(&body, OUTSIDE);
        }
    }
}

// 19
#[test]
fn a_trap_leaves_the_message_as_it_was() {
    passes(
        r#"(table funcref (elem $write $read $push $take $beyond))
        (func $write (drop (call $message.write_data (i32.const -1) (i32.const 9))))
        (func $read (drop (call $message.read_data (i32.const -1) (i32.const 9))))
        (func $push (drop (call $message.push_module (i64.const 7))))
        (func $take (drop (call $message.take_module (i64.const 7))))
        (func $beyond
            (call $message.seek_data (i64.const 4))
            (drop (call $message.read_data (i32.const 0) (i32.const 0))))
        (func (export "_start") (local $i i32)
            (call $message.create_data (i64.const 5) (i64.const 0))
            (drop (call $message.write_data @"abc"))
            (loop $each
                (call $is (call $try (local.get $i)) (i32.const 0))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $each (i32.lt_u (local.get $i) (i32.const 5))))
            (call $message.seek_data (i64.const 0))
            (call $is64 (call $message.get_tag) (i64.const 5))
            (call $is (call $message.read_data (i32.const 0) (i32.const 9)) (i32.const 3)))"#,
    );
}

#[test]
fn reading_behind_the_end_traps_even_nothing() {
    for length in [0, 1] {
        traps(
            &format!(
                "(call $message.create_data (i64.const 0) (i64.const 0))
                (call $message.seek_data (i64.const 1))
                (drop (call $message.read_data (i32.const 0) (i32.const {length})))"
            ),
            "beyond the end of the message",
        );
    }
    // Any cursor may be set; what it is good for shows when reading.
    passes(
        r#"(func (export "_start")
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $message.seek_data (i64.const -1)))"#,
    );
}

#[test]
fn without_a_message_every_use_of_it_traps() {
    let also = [
        "(drop (call $message.get_tag))",
        "(drop (call $message.get_process_id))",
        "(drop (call $message.send (i64.const 1)))",
        "(drop (call $message.send_receive_skip_search
            (i64.const 1) (i64.const 1) (i64.const 0)))",
        "(drop (call $distributed.send_receive_skip_search
            (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 0)))",
    ];
    for body in DATA_ONLY.iter().chain(&READS).chain(&also) {
        traps(body, EMPTY);
        // Sending takes the message: afterwards there is none.
        let sent = "(call $message.create_data (i64.const 0) (i64.const 0))
            (drop (call $message.send (i64.const 0)))";
        traps(&format!("{sent} {body}"), EMPTY);
    }
}

#[test]
fn a_message_of_an_end_has_a_tag_or_a_process_and_can_only_be_read() {
    let link = "(call $process.die_when_link_dies (i32.const 0))
        (call $process.link (i64.const 9) (i64.const 0))
        (call $is (call $next) (i32.const 1))
        (call $is64 (call $message.get_tag) (i64.const 9))
        (call $is64 (call $message.get_process_id) (i64.const 0))";
    let monitor = "(call $process.monitor (i64.const 0x100000077))
        (call $is (call $next) (i32.const 2))
        (call $is64 (call $message.get_tag) (i64.const 0))
        (call $is64 (call $message.get_process_id) (i64.const 0x100000077))";
    for received in [link, monitor] {
        passes(&format!(r#"(func (export "_start") {received} {})"#, READS.concat()));
        for body in DATA_ONLY {
            traps(&format!("{received} {body}"), ONLY_READ);
        }
    }
}

#[test]
fn a_message_to_nobody_is_swallowed() {
    passes(
        r#"(func (export "_start")
            (call $tell (i64.const 0) (i64.const 1) (i64.const 1))
            (call $tell (i64.const -1) (i64.const 1) (i64.const 1)))"#,
    );
}

#[test]
fn a_received_message_can_be_extended_and_sent_on() {
    passes(
        r#"(func (export "_start")
            (call $tell (call $process.process_id) (i64.const 4) (i64.const 77))
            (call $expect (i64.const 77))
            (call $is (call $message.write_data @"more") (i32.const 4))
            (drop (call $message.send (call $process.process_id)))
            ;; Its reader starts at the beginning again.
            (call $expect (i64.const 77))
            (call $is64 (call $message.get_tag) (i64.const 4))
            (call $is64 (call $message.data_size) (i64.const 12)))"#,
    );
}

#[test]
fn a_message_ends_at_its_limit_and_keeps_what_it_has() {
    let program = r#"(table funcref (elem $beyond))
        (func $beyond (drop (call $message.write_data (i32.const 0) (i32.const 1))))
        (func (export "_start")
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is (call $message.write_data (i32.const 0) (i32.const 100)) (i32.const 100))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $is64 (call $message.data_size) (i64.const 100)))"#;
    passes_limited(program, |limits, _| limits.message_bytes_max = 100);
}

#[test]
fn modules_travel_in_messages_and_leave_holes() {
    let child = r#"(module
        (import "lunatic::message" "create_data" (func $create (param i64 i64)))
        (import "lunatic::message" "send" (func $send (param i64) (result i32)))
        (func (export "go") (param i64)
            (call $create (i64.const 31) (i64.const 0)) (drop (call $send (local.get 0)))))"#;
    let program = r#"(func (export "_start") (local $module i64)
        (local.set $module (call $compiled @child))
        (call $message.create_data (i64.const 0) (i64.const 0))
        (call $is64 (call $message.push_module (local.get $module)) (i64.const 0))
        (call $is64 (call $message.push_module (local.get $module)) (i64.const 1))
        ;; The sender keeps its own, and may drop it without harm to the message.
        (call $process.drop_module (local.get $module))
        (drop (call $message.send (call $process.process_id)))
        (call $is (call $next) (i32.const 0))
        (local.set $module (call $message.take_module (i64.const 0)))
        (call $is64 (local.get $module) (i64.const 1))
        (call $is64 (call $message.take_module (i64.const 1)) (i64.const 2))
        (call $is (call $spawn_code (i64.const 1) (i64.const -1) (local.get $module) @"go")
            (i32.const 0))
        (call $is (call $next) (i32.const 0))
        (call $is64 (call $message.get_tag) (i64.const 31)))"#;
    passes_with(program, &[("child", child)]);
}

#[test]
fn a_module_that_is_not_in_the_message_cannot_be_taken() {
    let one = r#"(call $message.create_data (i64.const 0) (i64.const 0))
        (drop (call $message.push_module (call $compiled @"(module)")))"#;
    for index in [1, 1000, -1] {
        let body = format!("{one} (drop (call $message.take_module (i64.const {index})))");
        traps(&body, "the message has no module at index");
    }
    let twice = "(drop (call $message.take_module (i64.const 0)))";
    traps(&format!("{one} {twice} {twice}"), "the message has no module at index 0");
    for id in [1, -1] {
        let body = format!("{one} (drop (call $message.push_module (i64.const {id})))");
        traps(&body, "this process has no module with id");
    }
}

#[test]
fn a_message_holds_resources_up_to_its_limit() {
    let program = r#"(table funcref (elem $push))
        (func $push (drop (call $message.push_module (i64.const 0))))
        (func (export "_start")
            (drop (call $compiled @"(module)"))
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is (call $try (i32.const 0)) (i32.const 1))
            (call $is (call $try (i32.const 0)) (i32.const 1))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $is64 (call $message.take_module (i64.const 1)) (i64.const 1)))"#;
    passes_limited(program, |limits, _| limits.message_resources_max = 2);
}

#[test]
fn a_mailbox_at_its_limit_ends_a_process_that_floods_itself() {
    let program = r#"(func (export "_start")
        (loop $more
            (call $tell (call $process.process_id) (i64.const 1) (i64.const 1)) (br $more)))"#;
    let reason = reason_limited(program, |limits, _| limits.mailbox_messages_max = 100);
    assert_eq!(reason, ExitReason::Limit("mailbox_limit"));
}
