//! `lunatic::timer`: messages that are sent later.

use lunatic_engine::ExitReason;

use crate::common::{passes, reason_limited};

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
