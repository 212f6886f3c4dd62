//! `receive_with`, `mark`: what is taken, and what is told of it.

use crate::common::{passes, traps};

const TO_MYSELF: &str = "(call $tell (call $process.process_id)";

#[test]
fn the_header_tells_all_of_a_message() {
    passes(&format!(
        r#"(func (export "_start")
            {TO_MYSELF} (i64.const 5) (i64.const 11))
            (memory.fill (i32.const 0x3280) (i32.const 0xff) (i32.const 64))
            (call $comes (i32.const 0))
            (call $is (call $why) (i32.const 0))
            (call $is64 (i64.load (i32.const 0x3288)) (i64.const 5))
            (call $is64 (i64.load (i32.const 0x3290)) (i64.const 0))
            (call $is64 (call $from) (call $process.process_id))
            (call $is64 (i64.load (i32.const 0x32a0)) (i64.const 0))
            (call $is64 (call $of) (i64.const 0))
            (call $is64 (i64.load (i32.const 0x32b0)) (i64.const 8))
            (call $is64 (i64.load (i32.const 0x32b8)) (i64.const 0))
            (call $is64 (call $value) (i64.const 11))
            ;; Resources are counted.
            (call $draft (i64.const 0))
            (drop (call $message.push_module (call $compiled @"(module)")))
            (drop (call $message.send_pid (i64.const 0) (call $process.process_id)
                (i64.const -1)))
            (call $comes (i32.const 0))
            (call $is (i32.load (i32.const 0x32b8)) (i32.const 1)))"#
    ));
}

#[test]
fn the_oldest_that_any_pattern_takes_comes_first_and_the_others_keep_their_order() {
    passes(&format!(
        r#"(func (export "_start") (local $me i64)
            (local.set $me (call $process.process_id))
            {TO_MYSELF} (i64.const 1) (i64.const 11))
            {TO_MYSELF} (i64.const 0) (i64.const 22))
            (call $process.monitor_pid (i64.const 0) (i64.const 0) (i32.const 0)
                (i32.const 0x33c0))
            {TO_MYSELF} (i64.const 3) (i64.const 33))
            ;; A down of this reference, or a message with tag 3.
            (call $pattern (i32.const 0) (i32.const 4) (i32.const 4)
                (i64.const 9) (i64.const 9) (call $ref))
            (call $pattern (i32.const 1) (i32.const 1) (i32.const 1)
                (i64.const 3) (i64.const 9) (i64.const 9))
            (call $is (call $match (i32.const 2) (i32.const 0) (i64.const 0)) (i32.const 0))
            (call $is (i32.load (i32.const 0x3280)) (i32.const 2))
            (call $is (call $match (i32.const 2) (i32.const 0) (i64.const 0)) (i32.const 0))
            (call $is64 (call $value) (i64.const 33))
            (call $is (call $match (i32.const 2) (i32.const 0) (i64.const 0)) (i32.const 9027))
            ;; An untagged message of mine.
            (call $pattern (i32.const 0) (i32.const 7) (i32.const 3)
                (i64.const 0) (local.get $me) (i64.const 9))
            (call $is (call $match (i32.const 1) (i32.const 0) (i64.const -1)) (i32.const 0))
            (call $is64 (call $value) (i64.const 22))
            (call $expect (i64.const 11)))"#
    ));
}

#[test]
fn a_receive_that_times_out_keeps_the_message_of_before_and_the_header() {
    passes(
        r#"(func (export "_start")
            (call $draft (i64.const 8))
            (i32.store (i32.const 0x3280) (i32.const 77))
            (call $pattern (i32.const 0) (i32.const 2) (i32.const 0)
                (i64.const 0) (i64.const 0) (i64.const 0))
            (call $is (call $match (i32.const 1) (i32.const 0) (i64.const 1)) (i32.const 9027))
            (call $is (i32.load (i32.const 0x3280)) (i32.const 77))
            (call $is64 (call $message.get_tag) (i64.const 8)))"#,
    );
}

#[test]
fn since_the_mark_only_what_came_later_is_looked_at() {
    passes(&format!(
        r#"(func (export "_start")
            {TO_MYSELF} (i64.const 5) (i64.const 11))
            {TO_MYSELF} (i64.const 5) (i64.const 22))
            (call $message.mark)
            (call $is (call $match (i32.const 0) (i32.const 1) (i64.const 0)) (i32.const 9027))
            {TO_MYSELF} (i64.const 5) (i64.const 33))
            (call $expect (i64.const 11))
            (call $is (call $match (i32.const 0) (i32.const 1) (i64.const 0)) (i32.const 0))
            (call $is64 (call $value) (i64.const 33))
            (call $expect (i64.const 22)))"#
    ));
}

#[test]
fn without_a_mark_everything_came_since() {
    passes(&format!(
        r#"(func (export "_start")
            {TO_MYSELF} (i64.const 5) (i64.const 11))
            (call $is (call $match (i32.const 0) (i32.const 1) (i64.const 0)) (i32.const 0))
            (call $is64 (call $value) (i64.const 11)))"#
    ));
}

#[test]
fn patterns_wait_for_what_arrives_while_they_wait() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (call $tell (local.get $parent) (i64.const 1) (i64.const 11))
            (call $tell (local.get $parent) (i64.const 2) (i64.const 22)))
        (func (export "_start") (local $child i64)
            (call $options (i32.const 0) @"child")
            (call $for_me)
            (local.set $child (call $spawn_it))
            (call $pattern (i32.const 0) (i32.const 1) (i32.const 3)
                (i64.const 2) (local.get $child) (i64.const 0))
            (call $is (call $match (i32.const 1) (i32.const 0) (i64.const -1)) (i32.const 0))
            (call $is64 (call $value) (i64.const 22))
            (call $expect (i64.const 11)))"#,
    );
}

#[test]
fn patterns_that_mean_nothing_and_bad_places_trap() {
    let outside = "outside of the memory";
    for (arguments, text) in [
        ("(i32.const 0) (i32.const 1) (i32.const 0) (i64.const 0) (i32.const 0x3280)", "not 0"),
        ("(i32.const 0) (i32.const 257) (i32.const 0) (i64.const 0) (i32.const 0)", "at most 256"),
        ("(i32.const 0) (i32.const -1) (i32.const 0) (i64.const 0) (i32.const 0)", "at most 256"),
        ("(i32.const 0) (i32.const 0) (i32.const 2) (i64.const 0) (i32.const 0)", "do not exist"),
        ("(i32.const 0xffd1) (i32.const 1) (i32.const 0) (i64.const 0) (i32.const 0)", outside),
        ("(i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0xffc1)", outside),
        ("(i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const -1)", outside),
    ] {
        traps(&format!("(drop (call $message.receive_with {arguments}))"), text);
    }
    for (kinds, compared, text) in
        [(8, 0, "not 8"), (-1, 0, "not 4294967295"), (1, 8, "does not exist")]
    {
        traps(
            &format!(
                "(call $pattern (i32.const 0) (i32.const {kinds}) (i32.const {compared})
                    (i64.const 0) (i64.const 0) (i64.const 0))
                (drop (call $match (i32.const 1) (i32.const 0) (i64.const 0)))"
            ),
            text,
        );
    }
}
