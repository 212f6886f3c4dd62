//! `lunatic::process`: identity, links, monitors, kill, sleep.

use lunatic_engine::ExitReason;

use crate::common::{passes, passes_with, reason};

#[test]
fn a_process_knows_its_id_and_environment_and_who_exists() {
    passes(
        r#"(func (export "child"))
        (func (export "_start") (local $child i64)
            (call $is64 (call $process.environment_id) (i64.const 1))
            (call $is (call $process.exists (call $process.process_id)) (i32.const 1))
            (call $is (call $process.exists (i64.const 0)) (i32.const 0))
            (call $is (call $process.exists (i64.const -1)) (i32.const 0))
            (local.set $child (call $spawn (i64.const 0) @"child"))
            (call $is (i64.gt_u (local.get $child) (call $process.process_id)) (i32.const 1))
            (call $process.monitor (local.get $child))
            (call $is (call $next) (i32.const 2))
            ;; It was gone before anybody heard of its end.
            (call $is (call $process.exists (local.get $child)) (i32.const 0)))"#,
    );
}

#[test]
fn a_link_to_the_dead_kills_at_once() {
    for pid in [0, -1, 0x7fff_ffff] {
        let program = format!(
            r#"(func (export "_start")
                (call $process.link (i64.const 7) (i64.const {pid}))
                (call $is (i32.const 0) (i32.const 1)))"#
        );
        assert_eq!(reason(&program), ExitReason::NoProcess);
    }
}

#[test]
fn a_link_to_the_dead_is_a_message_with_its_tag_for_who_traps_exits() {
    for tag in [0, 7, -1] {
        passes(&format!(
            r#"(func (export "_start")
                (call $process.die_when_link_dies (i32.const 0))
                (call $process.link (i64.const {tag}) (i64.const 0))
                (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0))
                    (i32.const 1))
                (call $is64 (call $message.get_tag) (i64.const {tag})))"#
        ));
    }
}

// 16
#[test]
fn a_monitor_of_the_dead_tells_at_once() {
    passes(
        r#"(func (export "_start")
            (call $process.monitor (i64.const 0))
            (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0))
                (i32.const 2))
            (call $is64 (call $message.get_process_id) (i64.const 0)))"#,
    );
}

// 15: whenever the other end dies, the link or monitor tells.
#[test]
fn a_link_or_monitor_made_while_the_other_dies_is_never_lost() {
    passes(
        r#"(func (export "child") unreachable)
        (func (export "_start") (local $child i64) (local $i i32)
            (call $process.die_when_link_dies (i32.const 0))
            (loop $more
                (local.set $child (call $spawn (i64.const 0) @"child"))
                (call $process.link (i64.const 5) (local.get $child))
                (call $is (call $next) (i32.const 1))
                (call $is64 (call $message.get_tag) (i64.const 5))
                (local.set $child (call $spawn (i64.const 0) @"child"))
                (call $process.monitor (local.get $child))
                (call $is (call $next) (i32.const 2))
                (call $is64 (call $message.get_process_id) (local.get $child))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 300)))))"#,
    );
}

#[test]
fn a_second_link_of_a_pair_replaces_the_tag() {
    passes(
        r#"(func (export "child") (drop (call $next)) unreachable)
        (func (export "_start") (local $child i64)
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $child (call $spawn (i64.const 5) @"child"))
            (call $process.link (i64.const 6) (local.get $child))
            (call $tell (local.get $child) (i64.const 0) (i64.const 0))
            (call $is (call $next) (i32.const 1))
            (call $is64 (call $message.get_tag) (i64.const 6))
            (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 1))
                (i32.const 9027)))"#,
    );
}

#[test]
fn a_link_has_its_tag_at_both_ends() {
    passes(
        r#"(func (export "a") (param $root i64)
            (call $process.die_when_link_dies (i32.const 0))
            (call $tell (local.get $root) (i64.const 1) (call $process.process_id))
            (call $is (call $next) (i32.const 1))
            (call $tell (local.get $root) (i64.const 1) (call $message.get_tag)))
        (func (export "b") (param $root i64)
            (call $is (call $next) (i32.const 0))
            (call $process.link (i64.const 44) (call $value))
            unreachable)
        (func (export "_start") (local $a i64)
            (drop (call $spawn_for_me (i64.const 1) @"a"))
            (call $is (call $next) (i32.const 0))
            (call $tell (call $spawn_for_me (i64.const 0) @"b") (i64.const 0) (call $value))
            (call $expect (i64.const 44)))"#,
    );
}

#[test]
fn a_normal_end_neither_kills_nor_tells_through_a_link() {
    passes(
        r#"(func (export "child"))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn (i64.const 5) @"child"))
            (call $process.monitor (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $child (call $spawn (i64.const 5) @"child"))
            (call $process.monitor (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 1))
                (i32.const 9027)))"#,
    );
}

#[test]
fn an_unlinked_failure_has_no_effect() {
    passes(
        r#"(func (export "child") (drop (call $next)) unreachable)
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn (i64.const 5) @"child"))
            (call $process.monitor (local.get $child))
            (call $process.unlink (local.get $child))
            (call $tell (local.get $child) (i64.const 0) (i64.const 0))
            (call $is (call $next) (i32.const 2))
            ;; Nothing of it is needed to unlink.
            (call $process.unlink (local.get $child))
            (call $process.unlink (i64.const 0))
            (call $process.unlink (call $process.process_id)))"#,
    );
}

#[test]
fn a_monitor_that_was_stopped_does_not_tell() {
    passes(
        r#"(func (export "child") (drop (call $next)))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn (i64.const 0) @"child"))
            (call $process.monitor (local.get $child))
            (call $process.monitor (local.get $child))
            (call $process.stop_monitoring (local.get $child))
            (call $process.stop_monitoring (i64.const 0))
            (call $process.link (i64.const 0) (local.get $child))
            (call $process.die_when_link_dies (i32.const 0))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 1))
            (call $is (call $message.receive (i32.const 0) (i32.const 0) (i64.const 1))
                (i32.const 9027)))"#,
    );
}

#[test]
fn each_call_of_monitor_tells_once() {
    passes(
        r#"(func (export "child") (drop (call $next)))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn (i64.const 0) @"child"))
            (call $process.monitor (local.get $child))
            (call $process.monitor (local.get $child))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $is64 (call $message.get_process_id) (local.get $child))
            (call $is (call $next) (i32.const 2)))"#,
    );
}

#[test]
fn a_process_linked_or_monitored_to_itself_goes_on() {
    passes(
        r#"(func (export "_start")
            (call $process.link (i64.const 1) (call $process.process_id))
            (call $process.monitor (call $process.process_id))
            (call $process.unlink (call $process.process_id)))"#,
    );
}

#[test]
fn whether_failures_kill_can_be_switched_in_both_directions() {
    passes(
        r#"(func (export "_start")
            (call $process.die_when_link_dies (i32.const 0))
            (call $process.link (i64.const 1) (i64.const 0))
            (call $is (call $next) (i32.const 1)))"#,
    );
    for flag in [1, -1, 0x100] {
        let program = format!(
            r#"(func (export "_start")
                (call $process.die_when_link_dies (i32.const 0))
                (call $process.die_when_link_dies (i32.const {flag}))
                (call $process.link (i64.const 1) (i64.const 0)))"#
        );
        assert_eq!(reason(&program), ExitReason::NoProcess);
    }
}

#[test]
fn a_child_does_not_inherit_that_failures_do_not_kill() {
    passes(
        r#"(func (export "child")
            (call $process.link (i64.const 1) (i64.const 0))
            (call $p1.proc_exit (i32.const 0)))
        (func (export "_start")
            (call $process.die_when_link_dies (i32.const 0))
            (drop (call $spawn (i64.const 8) @"child"))
            (call $is (call $next) (i32.const 1))
            (call $is64 (call $message.get_tag) (i64.const 8)))"#,
    );
}

// 3.3: the old runtime ran on until it waited.
#[test]
fn killing_oneself_takes_effect_at_once() {
    let program = r#"(func (export "_start")
        (call $process.kill (call $process.process_id))
        (call $is (i32.const 0) (i32.const 1)))"#;
    assert_eq!(reason(program), ExitReason::Killed);
}

#[test]
fn killing_oneself_in_the_start_section_is_an_error_of_the_spawn() {
    let child = r#"(module
        (import "lunatic::process" "process_id" (func $self (result i64)))
        (import "lunatic::process" "kill" (func $kill (param i64)))
        (func $init (call $kill (call $self)))
        (start $init)
        (func (export "go") (param i64)))"#;
    passes_with(
        r#"(func (export "_start")
            (call $is
                (call $spawn_code (i64.const 1) (i64.const -1) (call $compiled @code) @"go")
                (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"killed") (i32.const 1)))"#,
        &[("code", child)],
    );
}

#[test]
fn killing_ends_whatever_a_process_does() {
    for body in [
        "(loop br 0)",
        "(drop (call $next))",
        "(call $process.sleep_ms (i64.const -1))",
        "(call $process.die_when_link_dies (i32.const 0)) (loop (drop (call $next)) (br 0))",
        "(loop (drop (call $p1.sched_yield)) (br 0))",
        "(loop (drop (call $process.exists (i64.const 0))) (br 0))",
        "(loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 0x10000)) (br 0))",
        "(loop (drop (call $try (i32.const 0))) (br 0))",
    ] {
        passes(&format!(
            r#"(table funcref (elem $f)) (func $f (drop (call $try (i32.const 1))))
            (func (export "child") {body})
            (func (export "_start") (local $child i64)
                (local.set $child (call $spawn (i64.const 0) @"child"))
                (call $process.monitor (local.get $child))
                (call $process.sleep_ms (i64.const 1))
                (call $process.kill (local.get $child))
                (call $is (call $next) (i32.const 2))
                (call $is (call $process.exists (local.get $child)) (i32.const 0))
                (call $process.kill (local.get $child))
                (call $process.kill (i64.const 0)))"#
        ));
    }
}

#[test]
fn a_kill_goes_through_links_as_a_failure() {
    let program = r#"(func (export "child") (drop (call $next)))
        (func (export "_start")
            (call $process.kill (call $spawn (i64.const 1) @"child"))
            (drop (call $next)))"#;
    assert_eq!(reason(program), ExitReason::Killed);
}

#[test]
fn sleep_of_no_time_returns() {
    passes(r#"(func (export "_start") (call $process.sleep_ms (i64.const 0)))"#);
}

// 44: more sleepers than workers.
#[test]
fn wasi_calls_that_wait_hold_no_worker() {
    passes(
        r#"(func (export "sleeper") (param $root i64)
            (call $tell (local.get $root) (i64.const 1) (i64.const 5))
            ;; One subscription: clock 1, in 10^18 ns.
            (i64.store (i32.const 0) (i64.const 0))
            (i32.store8 (i32.const 8) (i32.const 0))
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const 1000000000000000000))
            (drop (call $p1.poll_oneoff
                (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
            unreachable)
        (func (export "_start") (local $i i32) (local $last i64)
            (loop $more
                (local.set $last (call $spawn_for_me (i64.const 0) @"sleeper"))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 8))))
            (loop $more
                (call $expect (i64.const 5))
                (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                (br_if $more (local.get $i)))
            (call $process.sleep_ms (i64.const 1))
            (call $process.monitor (local.get $last))
            (call $process.kill (local.get $last))
            (call $is (call $next) (i32.const 2)))"#,
    );
}
