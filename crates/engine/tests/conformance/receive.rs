//! Receiving: what is taken, in which order, and what a timeout leaves.

use crate::common::{passes, traps};

const TO_MYSELF: &str = "(call $tell (call $process.process_id)";

#[test]
fn without_tags_the_oldest_message_of_any_kind_is_taken() {
    passes(&format!(
        r#"(func (export "_start")
            {TO_MYSELF} (i64.const 1) (i64.const 11))
            {TO_MYSELF} (i64.const 0) (i64.const 22))
            (call $process.monitor (i64.const 0))
            (call $expect (i64.const 11))
            (call $expect (i64.const 22))
            (call $is (call $next) (i32.const 2)))"#
    ));
}

#[test]
fn with_tags_the_oldest_of_any_of_them_is_taken_and_the_others_keep_their_order() {
    passes(&format!(
        r#"(func (export "_start")
            {TO_MYSELF} (i64.const 1) (i64.const 11))
            {TO_MYSELF} (i64.const 0) (i64.const 22))
            {TO_MYSELF} (i64.const 3) (i64.const 33))
            {TO_MYSELF} (i64.const 4) (i64.const 44))
            {TO_MYSELF} (i64.const 3) (i64.const 55))
            (call $process.monitor (i64.const 0))
            (i64.store (i32.const 3) (i64.const 4))
            (i64.store (i32.const 11) (i64.const 3))
            (call $is (call $message.receive (i32.const 3) (i32.const 2) (i64.const 0))
                (i32.const 0))
            (call $is64 (call $value) (i64.const 33))
            (call $is (call $message.receive (i32.const 3) (i32.const 1) (i64.const -1))
                (i32.const 0))
            (call $is64 (call $value) (i64.const 44))
            (call $expect (i64.const 11))
            (call $expect (i64.const 22))
            (call $expect (i64.const 55)))"#
    ));
}

// 1.9
#[test]
fn a_tag_of_0_in_the_list_matches_nothing() {
    passes(&format!(
        r#"(func (export "_start")
            {TO_MYSELF} (i64.const 0) (i64.const 11))
            (call $process.monitor (i64.const 0))
            (call $is (call $next_tagged (i64.const 0) (i64.const 0)) (i32.const 9027))
            (call $expect (i64.const 11)))"#
    ));
}

#[test]
fn a_link_that_died_is_found_by_its_tag_and_an_end_that_was_watched_by_none() {
    passes(&format!(
        r#"(func (export "_start")
            (call $process.die_when_link_dies (i32.const 0))
            {TO_MYSELF} (i64.const 1) (i64.const 11))
            (call $process.monitor (i64.const 0))
            (call $process.link (i64.const 7) (i64.const 0))
            (call $is (call $next_tagged (i64.const 7) (i64.const -1)) (i32.const 1))
            (call $is64 (call $message.get_tag) (i64.const 7))
            (call $expect (i64.const 11))
            (call $is (call $next) (i32.const 2)))"#
    ));
}

// 1.7
#[test]
fn a_timeout_of_0_takes_what_is_there_and_else_ends_at_once() {
    passes(&format!(
        r#"(func (export "_start")
            (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0))
                (i32.const 9027))
            {TO_MYSELF} (i64.const 6) (i64.const 66))
            (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0))
                (i32.const 0))
            (call $is64 (call $value) (i64.const 66))
            {TO_MYSELF} (i64.const 6) (i64.const 67))
            (call $is (call $next_tagged (i64.const 6) (i64.const 0)) (i32.const 0))
            (call $is64 (call $value) (i64.const 67)))"#
    ));
}

// 1.13
#[test]
fn a_receive_that_times_out_keeps_the_message_of_before() {
    passes(
        r#"(func (export "_start")
            (call $message.create_data (i64.const 8) (i64.const 0))
            (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 1))
                (i32.const 9027))
            (call $is64 (call $message.get_tag) (i64.const 8)))"#,
    );
}

// 3
#[test]
fn order_is_kept_after_a_receive_that_has_timed_out() {
    passes(&format!(
        r#"(func (export "_start")
            (call $is (call $next_tagged (i64.const 1) (i64.const 1)) (i32.const 9027))
            {TO_MYSELF} (i64.const 1) (i64.const 11))
            {TO_MYSELF} (i64.const 2) (i64.const 22))
            {TO_MYSELF} (i64.const 1) (i64.const 33))
            (call $expect (i64.const 11))
            (call $expect (i64.const 22))
            (call $expect (i64.const 33)))"#
    ));
}

// 21
#[test]
fn a_list_of_tags_that_is_not_in_the_memory_traps() {
    for (list, text) in [
        ("(i32.const 0xfff9) (i32.const 1)", "outside of the memory"),
        ("(i32.const 0) (i32.const 0x2001)", "at most"),
        ("(i32.const 0) (i32.const 0x20000001)", "at most"), // Times eight wraps to eight.
        ("(i32.const 0) (i32.const -1)", "at most"),
        ("(i32.const -8) (i32.const 1)", "outside of the memory"),
    ] {
        traps(&format!("(drop (call $message.receive {list} (i64.const 0)))"), text);
    }
}

#[test]
fn a_request_takes_only_what_arrives_after_it() {
    passes(&format!(
        r#"(func (export "_start")
            {TO_MYSELF} (i64.const 7) (i64.const 11))
            (call $message.create_data (i64.const 7) (i64.const 0))
            (i64.store (i32.const 0) (i64.const 22))
            (drop (call $message.write_data (i32.const 0) (i32.const 8)))
            (call $is
                (call $message.send_receive_skip_search
                    (call $process.process_id) (i64.const 7) (i64.const -1))
                (i32.const 0))
            (call $is64 (call $value) (i64.const 22))
            (call $expect (i64.const 11)))"#
    ));
}

#[test]
fn a_request_that_times_out_leaves_no_message() {
    for timeout in [0, 1] {
        traps(
            &format!(
                "{TO_MYSELF} (i64.const 7) (i64.const 11))
                (call $message.create_data (i64.const 6) (i64.const 0))
                (call $is
                    (call $message.send_receive_skip_search
                        (call $process.process_id) (i64.const 7) (i64.const {timeout}))
                    (i32.const 9027))
                (drop (call $message.get_tag))"
            ),
            "there is no message",
        );
    }
}

#[test]
fn a_request_for_tag_0_is_never_answered() {
    passes(
        r#"(func (export "_start")
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is
                (call $message.send_receive_skip_search
                    (call $process.process_id) (i64.const 0) (i64.const 1))
                (i32.const 9027))
            (call $is (call $next) (i32.const 0)))"#,
    );
}

// 20: the server dies, its link carries the awaited tag, and a third process answers after that.
#[test]
fn a_link_that_died_is_no_answer_to_a_request() {
    passes(
        r#"(func (export "server") (drop (call $next)) unreachable)
        (func (export "watcher") (param $parent i64)
            (call $is (call $next) (i32.const 0))
            (call $process.monitor (call $value))
            (call $tell (local.get $parent) (i64.const 1) (i64.const 0))
            (call $is (call $next) (i32.const 2))
            (call $tell (local.get $parent) (i64.const 7) (i64.const 42)))
        (func (export "_start") (local $server i64)
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $server (call $spawn (i64.const 7) @"server"))
            (call $tell (call $spawn_for_me (i64.const 0) @"watcher")
                (i64.const 1) (local.get $server))
            (call $expect (i64.const 0))
            (call $message.create_data (i64.const 1) (i64.const 0))
            (call $is
                (call $message.send_receive_skip_search
                    (local.get $server) (i64.const 7) (i64.const -1))
                (i32.const 0))
            (call $is64 (call $value) (i64.const 42))
            (call $is (call $next) (i32.const 1))
            (call $is64 (call $message.get_tag) (i64.const 7)))"#,
    );
}

// 2.14
#[test]
fn the_old_form_of_a_request_waits_for_the_tag_that_it_sends() {
    passes(&format!(
        r#"(import "lunatic::message" "send_receive_skip_search"
            (func $request (param i64 i64) (result i32)))
        (func (export "_start")
            {TO_MYSELF} (i64.const 7) (i64.const 11))
            (call $message.create_data (i64.const 7) (i64.const 0))
            (drop (call $message.write_data @"reply"))
            (call $is (call $request (call $process.process_id) (i64.const -1)) (i32.const 0))
            (call $is64 (call $message.data_size) (i64.const 5))
            ;; Without a tag, whatever comes next is the reply.
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is (call $request (call $process.process_id) (i64.const -1)) (i32.const 0))
            (call $is64 (call $message.data_size) (i64.const 0))
            (call $message.create_data (i64.const 9) (i64.const 0))
            (call $is (call $request (i64.const 0) (i64.const 1)) (i32.const 9027))
            (call $expect (i64.const 11)))"#
    ));
}

// 3.6: the sender is flooded, and asks all the same.
#[test]
fn requests_are_answered_while_another_process_floods_the_mailbox() {
    passes(
        r#"(func (export "echo") (loop $more
            (call $is (call $next) (i32.const 0))
            (call $tell (call $value) (i64.const 5) (i64.const 1))
            (br $more)))
        (func (export "flood") (param i64) (loop $more
            (call $tell (local.get 0) (i64.const 6) (i64.const 0)) (br $more)))
        (func (export "_start") (local $echo i64) (local $i i32)
            (local.set $echo (call $spawn (i64.const 0) @"echo"))
            (drop (call $spawn_for_me (i64.const 0) @"flood"))
            (loop $more
                (call $message.create_data (i64.const 1) (i64.const 8))
                (i64.store (i32.const 0) (call $process.process_id))
                (drop (call $message.write_data (i32.const 0) (i32.const 8)))
                (call $is
                    (call $message.send_receive_skip_search
                        (local.get $echo) (i64.const 5) (i64.const -1))
                    (i32.const 0))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 500)))))"#,
    );
}
