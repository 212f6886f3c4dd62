//! `lunatic::trap::catch`: what it catches, what it must not, and what a trap leaves.

use lunatic_engine::{ExitReason, Rights};

use crate::common::{passes, passes_limited, reason, reason_limited, traps};

#[test]
fn catch_passes_both_words_and_gives_the_result() {
    passes(
        r#"(func (export "_lunatic_catch_trap") (param i32 i32) (result i32)
            (call $is (local.get 0) (i32.const -7))
            (i32.add (local.get 1) (i32.const 1)))
        (func (export "_start")
            (call $is (call $trap.catch (i32.const -7) (i32.const 41)) (i32.const 42))
            (call $is (call $trap.catch (i32.const -7) (i32.const -1)) (i32.const 0)))"#,
    );
}

#[test]
fn every_trap_of_the_guest_or_the_host_gives_0_and_the_instance_goes_on() {
    for body in [
        "unreachable",
        "(drop (i32.div_u (i32.const 1) (i32.load (i32.const 0x3f60))))",
        "(drop (i32.load (i32.const -1)))",
        "(call_indirect (i32.const 9))",
        "(call_indirect (i32.const 1))",
        "(call $f)",
        "(drop (i32.trunc_f32_u (f32.const -5)))",
        "(memory.fill (i32.const 0) (i32.const 0) (i32.const -1))",
        "(call $error.drop (i64.const 9))",
        "(drop (call $message.get_tag))",
        r#"(call $registry.remove @"\ff")"#,
        "(drop (call $p1.fd_prestat_get (i32.const 3) (i32.const 0))) unreachable",
        "(drop (call $p1.random_get (i32.const -1) (i32.const 100)))",
    ] {
        passes(&format!(
            r#"(table 3 funcref) (elem (i32.const 0) $f)
            (global $g (mut i32) (i32.const 0))
            (func $f
                (global.set $g (i32.add (global.get $g) (i32.const 1)))
                (i32.store (i32.const 0x2f00) (i32.const 55))
                {body})
            (func (export "_start")
                (call $is (call $try (i32.const 0)) (i32.const 0))
                (call $is (i32.ge_u (global.get $g) (i32.const 1)) (i32.const 1))
                (call $is (i32.load (i32.const 0x2f00)) (i32.const 55))
                (call $is (call $try (i32.const 0)) (i32.const 0))
                (call $tell (call $process.process_id) (i64.const 1) (i64.const 2))
                (call $expect (i64.const 2)))"#
        ));
    }
}

#[test]
fn a_spawn_that_is_refused_is_caught() {
    let program = r#"(table funcref (elem $f))
        (func $f (drop (call $spawn (i64.const 0) @"f")))
        (func (export "_start") (call $is (call $try (i32.const 0)) (i32.const 0)))"#;
    passes_limited(program, |_, rights| *rights = rights.with(Rights::SPAWN, false));
}

#[test]
fn resources_survive_a_trap() {
    passes(
        r#"(table funcref (elem $f))
        (func $f (drop (call $an_error)) (drop (call $process.create_config)) unreachable)
        (func (export "_start")
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $error.drop (i64.const 1))
            (call $process.drop_config (i64.const 0)))"#,
    );
}

#[test]
fn a_module_without_the_right_export_traps() {
    let catch = r#"(drop (call $trap.catch (i32.const 0) (i32.const 0)))"#;
    traps(catch, "exports no function `_lunatic_catch_trap`");
    for export in [
        r#"(global (export "_lunatic_catch_trap") i32 (i32.const 0))"#,
        r#"(func (export "_lunatic_catch_trap") (param i32 i32))"#,
        r#"(func (export "_lunatic_catch_trap") (param i32 i32) (result i64) unreachable)"#,
        r#"(func (export "_lunatic_catch_trap") (param i32) (result i32) unreachable)"#,
        r#"(func (export "_lunatic_catch_trap") (result i32) unreachable)"#,
    ] {
        let reason = reason(&format!(r#"{export} (func (export "_start") {catch})"#));
        let ExitReason::Trap(trap) = reason else { panic!("{reason}") };
        assert!(trap.message.contains("_lunatic_catch_trap"), "{}", trap.message);
    }
}

/// Catches `depth` times within each other, then does `end`.
fn nested(depth: i32, end: &str) -> String {
    format!(
        r#"(func (export "_lunatic_catch_trap") (param i32 i32) (result i32)
            (if (i32.eqz (local.get 0)) (then {end}))
            (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1)
                    (call $trap.catch (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))
                (else (i32.const 1))))
        (func (export "_start")
            (call $is (call $trap.catch (i32.const {depth}) (i32.const 0)) (i32.const {depth})))"#,
    )
}

#[test]
fn catches_nest_and_each_catches_its_own() {
    // The innermost call traps: its catch gives 0, and each one outside of it adds 1.
    passes(&nested(9, "unreachable"));
}

#[test]
fn catches_nest_up_to_their_limit_and_the_one_beyond_traps_in_its_caller() {
    let deep = |depth: i32| nested(depth, "unreachable");
    passes_limited(&deep(3), |limits, _| limits.catch_depth_max = 4);
    // The fifth call traps in the fourth, which gives 0 to the third.
    let reason = reason_limited(&deep(4), |limits, _| limits.catch_depth_max = 4);
    assert_eq!(reason, ExitReason::Exit((1 << 16) | 3));
    // Afterwards all are free again.
    let program = r#"(table funcref (elem $f))
        (func $f) (func (export "_start") (local $i i32)
            (loop $more
                (call $is (call $try (i32.const 0)) (i32.const 1))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 100)))))"#;
    passes_limited(program, |limits, _| limits.catch_depth_max = 1);
}

// 49
#[test]
fn what_must_end_the_process_is_not_caught_at_any_depth() {
    for depth in [0, 5] {
        for (end, expected) in [
            ("(call $p1.proc_exit (i32.const 33))", ExitReason::Exit(33)),
            ("(call $p1.proc_exit (i32.const 0))", ExitReason::Normal),
            ("(call $process.kill (call $process.process_id))", ExitReason::Killed),
            ("(call $process.link (i64.const 1) (i64.const 0))", ExitReason::NoProcess),
            ("(loop (drop (call $an_error)) (br 0))", ExitReason::Limit("errors_max")),
        ] {
            let program = nested(depth, end);
            assert_eq!(reason_limited(&program, |limits, _| limits.errors_max = 20), expected);
        }
    }
}

// 49, 3.9
#[test]
fn fuel_that_is_used_up_ends_the_process_also_within_a_catch() {
    let reason = reason_limited(&nested(2, "(loop br 0)"), |limits, _| limits.fuel_max = 100_000);
    assert_eq!(reason, ExitReason::Limit("fuel_max"));
}

#[test]
fn a_stack_overflow_is_a_trap_and_is_caught() {
    let reason = reason(r#"(func $f (call $f)) (func (export "_start") (call $f))"#);
    let ExitReason::Trap(trap) = reason else { panic!("{reason}") };
    assert!(trap.message.contains("stack"), "{}", trap.message);
}

#[test]
fn processes_wait_and_receive_within_a_catch() {
    passes(
        r#"(table funcref (elem $f))
        (func $f
            (call $process.sleep_ms (i64.const 1))
            (call $expect (i64.const 4)))
        (func (export "child") (param i64)
            (call $tell (local.get 0) (i64.const 0) (i64.const 4)))
        (func (export "_start")
            (drop (call $spawn_for_me (i64.const 0) @"child"))
            (call $is (call $try (i32.const 0)) (i32.const 1)))"#,
    );
}
