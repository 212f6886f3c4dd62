//! `send_pid`, `send_name` and `send_alias`: deadlines, and what stays in the slot.

use crate::common::{passes, passes_limited, traps};

#[test]
fn a_message_that_is_sent_leaves_the_slot() {
    for send in [
        "(call $message.send_pid (i64.const 0) (call $process.process_id) (i64.const 0))",
        r#"(call $message.send_name @"me" (i64.const 0))"#,
        "(call $message.send_alias (i64.const 0) (call $ref) (i32.const 0) (i64.const 0))",
    ] {
        passes(&format!(
            r#"(table 1 funcref) (elem (i32.const 0) $tag) (type $nothing (func))
            (func $tag (drop (call $message.get_tag)))
            (func (export "_start")
                (call $is
                    (call $registry.register @"me" (i64.const 0) (call $process.process_id))
                    (i32.const 0))
                (call $process.alias (i32.const 0) (i32.const 0x33c0))
                (call $draft (i64.const 5))
                (call $is {send} (i32.const 0))
                (call $is (call $try (i32.const 0)) (i32.const 0))
                (call $comes (i32.const 0))
                (call $is64 (call $message.get_tag) (i64.const 5)))"#
        ));
    }
}

#[test]
fn at_its_deadline_a_send_leaves_the_message_as_it_was() {
    // The child has room for one message, and waits for another than it is sent.
    passes_limited(
        r#"(func (export "child") (param $parent i64)
            (call $is64 (call $flag (i32.const 0) (i64.const 0)) (i64.const 0))
            (call $tell (local.get $parent) (i64.const 1) (i64.const 0))
            (call $is (call $next_tagged (i64.const 7) (i64.const -1)) (i32.const 0))
            (call $expect (i64.const 11))
            (call $expect (i64.const 22)))
        (func $try_to (param $child i64) (param $timeout i64) (result i32)
            (call $message.send_pid (i64.const 0) (local.get $child) (local.get $timeout)))
        (func (export "_start") (local $child i64)
            (call $options (i32.const 2) @"child")
            (call $for_me)
            (local.set $child (call $spawn_it))
            (call $comes (i32.const 0))
            (call $tell (local.get $child) (i64.const 1) (i64.const 11))
            (call $draft (i64.const 1))
            (i64.store (i32.const 0) (i64.const 22))
            (drop (call $message.write_data (i32.const 0) (i32.const 8)))
            (call $message.seek_data (i64.const 3))
            (call $is (call $try_to (local.get $child) (i64.const 0)) (i32.const 9027))
            (call $is (call $try_to (local.get $child) (i64.const 1)) (i32.const 9027))
            (call $is64 (call $message.data_size) (i64.const 8))
            (call $is (call $message.read_data (i32.const 0) (i32.const 9)) (i32.const 5))
            ;; What it waits for gets in; then there is room.
            (call $message.seek_data (i64.const 0))
            (call $registry.put @"child" (i64.const 0) (local.get $child))
            (call $is (call $message.send_name @"child" (i64.const 0)) (i32.const 9027))
            (call $draft (i64.const 7))
            (call $is (call $try_to (local.get $child) (i64.const -1)) (i32.const 0))
            (call $tell (local.get $child) (i64.const 1) (i64.const 22))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 0)))"#,
        |limits, _| limits.mailbox_messages_max = 1,
    );
}

#[test]
fn a_name_that_nobody_has_is_told_at_once_and_the_message_stays() {
    passes(
        r#"(func (export "_start")
            (call $draft (i64.const 5))
            (call $is (call $message.send_name @"nobody" (i64.const -1)) (i32.const 1))
            (call $is64 (call $message.get_tag) (i64.const 5)))"#,
    );
}

#[test]
fn without_a_message_or_with_a_bad_name_a_send_traps_and_keeps_what_there_is() {
    let none = "there is no message";
    for (send, text) in [
        ("(call $message.send_pid (i64.const 0) (i64.const 0) (i64.const 0))", none),
        (r#"(call $message.send_name @"a" (i64.const 0))"#, none),
        (
            "(call $message.send_alias (i64.const 0) (i64.const 0) (i32.const 0) (i64.const 0))",
            none,
        ),
    ] {
        traps(&format!("(drop {send})"), text);
    }
    for (send, text) in [
        (
            "(call $message.send_name (i32.const 0xffff) (i32.const 2) (i64.const 0))",
            "outside of the memory",
        ),
        (
            "(call $message.send_name (i32.const 0) (i32.const 4097) (i64.const 0))",
            "name_bytes_max",
        ),
        (
            "(call $message.send_alias (i64.const 0) (i64.const 0) (i32.const 2) (i64.const 0))",
            "do not exist",
        ),
    ] {
        traps(&format!("(call $draft (i64.const 5)) (drop {send})"), text);
        passes(&format!(
            r#"(table 1 funcref) (elem (i32.const 0) $sends) (type $nothing (func))
            (func $sends (drop {send}))
            (func (export "_start")
                (call $draft (i64.const 5))
                (call $is (call $try (i32.const 0)) (i32.const 0))
                (call $is64 (call $message.get_tag) (i64.const 5)))"#
        ));
    }
}
