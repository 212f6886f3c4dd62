//! `lunatic::timer`: messages that are sent later.

use lunatic_engine::ExitReason;

use crate::common::{passes, reason_limited, traps};

const MESSAGE: &str = "(call $message.create_data (i64.const 5) (i64.const 0))";

#[test]
fn a_message_arrives_later_with_its_tag_and_in_the_order_of_the_delays() {
    passes(&format!(
        r#"(func (export "_start") (local $first i64)
            {MESSAGE}
            (local.set $first
                (call $timer.send_after (call $process.process_id) (i64.const 20)))
            (call $message.create_data (i64.const 6) (i64.const 0))
            (call $is
                (i64.eq (local.get $first)
                    (call $timer.send_after (call $process.process_id) (i64.const 0)))
                (i32.const 0))
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.get_tag) (i64.const 6))
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.get_tag) (i64.const 5)))"#
    ));
}

// 18
#[test]
fn a_timer_is_cancelled_once_and_not_after_it_has_fired() {
    passes(&format!(
        r#"(func (export "_start") (local $id i64)
            {MESSAGE}
            (local.set $id (call $timer.send_after (call $process.process_id) (i64.const -1)))
            (call $is (call $timer.cancel_timer (local.get $id)) (i32.const 1))
            (call $is (call $timer.cancel_timer (local.get $id)) (i32.const 0))
            {MESSAGE}
            (local.set $id (call $timer.send_after (call $process.process_id) (i64.const 0)))
            (call $is (call $next) (i32.const 0))
            (call $is (call $timer.cancel_timer (local.get $id)) (i32.const 0))
            (call $is (call $timer.cancel_timer (i64.const -1)) (i32.const 0))
            (call $is (call $timer.cancel_timer (i64.const 0)) (i32.const 0)))"#
    ));
}

#[test]
fn a_timer_for_nobody_has_an_id_all_the_same() {
    passes(&format!(
        r#"(func (export "_start") (local $id i64)
            {MESSAGE}
            (local.set $id (call $timer.send_after (i64.const 0) (i64.const -1)))
            (call $is (call $timer.cancel_timer (local.get $id)) (i32.const 1))
            {MESSAGE}
            (drop (call $timer.send_after (i64.const 0) (i64.const 0))))"#
    ));
}

#[test]
fn a_timer_survives_the_process_that_set_it() {
    passes(&format!(
        r#"(func (export "child") (param $parent i64)
            {MESSAGE}
            (drop (call $timer.send_after (local.get $parent) (i64.const 10))))
        (func (export "_start")
            (call $process.monitor (call $spawn_for_me (i64.const 0) @"child"))
            (call $is (call $next_tagged (i64.const 5) (i64.const -1)) (i32.const 0)))"#
    ));
}

#[test]
fn nobody_cancels_the_timer_of_another() {
    passes(&format!(
        r#"(func (export "child")
            (call $is (call $next) (i32.const 0))
            (call $is (call $timer.cancel_timer (call $value)) (i32.const 0)))
        (func (export "_start") (local $id i64) (local $child i64)
            {MESSAGE}
            (local.set $id (call $timer.send_after (call $process.process_id) (i64.const -1)))
            (local.set $child (call $spawn (i64.const 1) @"child"))
            (call $process.monitor (local.get $child))
            (call $tell (local.get $child) (i64.const 1) (local.get $id))
            (call $is (call $next) (i32.const 2))
            (call $is (call $timer.cancel_timer (local.get $id)) (i32.const 1)))"#
    ));
}

#[test]
fn more_timers_than_the_limit_end_the_process_and_fired_or_cancelled_ones_do_not_count() {
    let flood = |end: &str| {
        format!(
            r#"(func (export "_start") (local $i i32)
                (loop $more
                    {MESSAGE}
                    (drop (call $timer.cancel_timer
                        (call $timer.send_after (i64.const 0) (i64.const -1))))
                    {MESSAGE}
                    (drop (call $timer.send_after (call $process.process_id) (i64.const 0)))
                    (call $is (call $next) (i32.const 0))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $more (i32.lt_u (local.get $i) (i32.const 50))))
                {end})"#
        )
    };
    let limit = |source: &str| reason_limited(source, |limits, _| limits.timers_max = 10);
    assert_eq!(limit(&flood("")), ExitReason::Normal);
    let forever = format!(
        "(loop $more {MESSAGE}
            (drop (call $timer.send_after (i64.const 0) (i64.const -1))) (br $more))"
    );
    assert_eq!(limit(&flood(&forever)), ExitReason::Limit("timers_max"));
}

#[test]
fn a_timer_with_a_reference_tells_the_time_left_and_its_message_names_it() {
    passes(&format!(
        r#"(func $start (param $milliseconds i64) (result i64)
            {MESSAGE}
            (call $is
                (call $timer.start (i64.const 0) (call $process.process_id)
                    (local.get $milliseconds) (i32.const 0x33c0))
                (i32.const 0))
            (call $ref))
        (func (export "_start") (local $of i64)
            (local.set $of (call $start (i64.const 1000000)))
            (call $is (call $timer.read (i64.const 0) (local.get $of) (i32.const 0))
                (i32.const 0))
            (call $is (i64.le_u (i64.load (i32.const 0)) (i64.const 1000000)) (i32.const 1))
            (call $is (i64.gt_u (i64.load (i32.const 0)) (i64.const 500000)) (i32.const 1))
            (call $is (call $timer.cancel (i64.const 9) (local.get $of) (i32.const 0))
                (i32.const 1))
            (call $is (call $timer.cancel (i64.const 0) (local.get $of) (i32.const 8))
                (i32.const 0))
            (call $is (i64.le_u (i64.load (i32.const 8)) (i64.load (i32.const 0))) (i32.const 1))
            (call $is (call $timer.cancel (i64.const 0) (local.get $of) (i32.const 0))
                (i32.const 1))
            (call $is (call $timer.read (i64.const 0) (local.get $of) (i32.const 0))
                (i32.const 1))
            (local.set $of (call $start (i64.const 0)))
            (call $comes (i32.const 0))
            (call $is64 (call $of) (local.get $of))
            (call $is64 (call $from) (call $process.process_id))
            (call $is64 (call $message.get_tag) (i64.const 5))
            (call $is (call $timer.cancel (i64.const 0) (local.get $of) (i32.const 0))
                (i32.const 1)))"#
    ));
}

#[test]
fn a_timer_to_a_name_is_for_whoever_has_it_then() {
    passes(&format!(
        r#"(func (export "_start")
            {MESSAGE}
            (call $is (call $timer.start_named @"me" (i64.const 5) (i32.const 0x33c0))
                (i32.const 0))
            (call $is
                (call $registry.register @"me" (i64.const 0) (call $process.process_id))
                (i32.const 0))
            (call $comes (i32.const 0))
            (call $is64 (call $of) (call $ref)))"#
    ));
}

#[test]
fn a_timer_without_a_message_or_with_a_bad_place_traps_before_it_is_set() {
    let outside = "outside of the memory";
    let start = "(call $timer.start (i64.const 0) (i64.const 0) (i64.const 0)";
    for (call, text) in [
        (format!("{start} (i32.const 0))"), "there is no message"),
        (format!("{MESSAGE} {start} (i32.const 0xfff1))"), outside),
        (
            format!(
                "{MESSAGE} (call $timer.start_named (i32.const -1) (i32.const 2) (i64.const 0)
                    (i32.const 0))"
            ),
            outside,
        ),
        ("(call $timer.cancel (i64.const 0) (i64.const 0) (i32.const 0xfff9))".into(), outside),
        ("(call $timer.read (i64.const 0) (i64.const 0) (i32.const -1))".into(), outside),
    ] {
        traps(&format!("{call} drop"), text);
    }
}
