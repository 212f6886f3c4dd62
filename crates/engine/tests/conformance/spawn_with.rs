//! `spawn_with`: options, what is bound at once, and options that no runtime knows yet.

use crate::common::{passes, passes_limited, traps};

const OPTIONS: &str = r#"(call $options (i32.const 0) @"child")"#;

#[test]
fn a_child_is_linked_and_watched_however_soon_it_ends() {
    passes(
        r#"(func (export "child"))
        (func (export "_start") (local $child i64) (local $rounds i32)
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (loop $again
                (call $options (i32.const 3) @"child")
                (i64.store (i32.const 0x3228) (i64.const 6))
                (local.set $child (call $spawn_it))
                (call $is64 (i64.load (i32.const 0x3260)) (i64.const 0))
                (call $comes (i32.const 1))
                (call $is64 (call $from) (local.get $child))
                (call $is64 (call $message.get_tag) (i64.const 6))
                (call $comes (i32.const 2))
                (call $is64 (call $of) (call $child_ref))
                (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $rounds) (i32.const 100))))
            (call $is (call $come (i64.const 0)) (i32.const 9027)))"#,
    );
}

#[test]
fn without_flags_nothing_binds_and_a_tag_alone_does_not() {
    passes(
        r#"(func (export "child") unreachable)
        (func (export "_start") (local $child i64)
            (call $options (i32.const 0) @"child")
            (i64.store (i32.const 0x3228) (i64.const 6))
            (local.set $child (call $spawn_it))
            (call $is64 (i64.load (i32.const 0x3270)) (i64.const 0))
            (call $is64 (call $child_ref) (i64.const 0))
            (call $process.monitor (local.get $child))
            (call $is (call $next) (i32.const 2)))"#,
    );
}

#[test]
fn a_link_without_a_tag_is_a_link() {
    passes(
        r#"(func (export "child") unreachable)
        (func (export "_start")
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (drop (call $child (i32.const 1) @"child"))
            (call $comes (i32.const 1))
            (call $is64 (call $message.get_tag) (i64.const 0))
            (call $is (call $why) (i32.const 7)))"#,
    );
}

#[test]
fn priority_label_parameters_and_monitor_options_are_set_before_the_first_step() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (call $is64 (call $flag (i32.const 1) (i64.const 1)) (i64.const 3))
            (call $tell (local.get $parent) (i64.const 1) (i64.const 0))
            (call $comes (i32.const 0))
            (local.set $parent (call $value))
            (call $draft (i64.const 8))
            (drop (call $message.send_alias (i64.const 0) (local.get $parent) (i32.const 0)
                (i64.const -1))))
        (func (export "_start") (local $child i64) (local $of i64)
            (call $options (i32.const 6) @"child")
            (call $for_me)
            (i32.store (i32.const 0x3204) (i32.const 3))
            (i32.store (i32.const 0x3230) (i32.const 0x4000))
            (i32.store (i32.const 0x3234) (i32.const 5))
            (i32.store (i32.const 0x3238) (i32.const 3))
            (local.set $child (call $spawn_it))
            (local.set $of (call $child_ref))
            (call $comes (i32.const 0))
            (call $is
                (call $process.info (i64.const 0) (local.get $child)
                    (i32.const 0x2000) (i32.const 0x400))
                (i32.const 0))
            (call $is (i32.load (i32.const 0x2054)) (i32.const 5))
            (call $is64 (i64.load (i32.const 0x2030)) (call $process.process_id))
            (call $tell (local.get $child) (i64.const 0) (local.get $of))
            (call $comes (i32.const 0))
            (call $is64 (call $of) (local.get $of))
            (call $is64 (call $message.get_tag) (i64.const 8))
            (call $is (call $process.demonitor (i64.const 0) (local.get $of) (i32.const 0))
                (i32.const 0)))"#,
    );
}

#[test]
fn shorter_options_mean_zeros_and_longer_ones_must_be_zeros() {
    passes(
        r#"(func (export "child"))
        (func $spawns (param $length i32)
            (call $options (i32.const 0) @"child")
            (call $is
                (call $process.spawn_with (i32.const 0x3200) (local.get $length)
                    (i32.const 0x3360))
                (i32.const 0)))
        (func (export "_start")
            (memory.fill (i32.const 0x3260) (i32.const 0) (i32.const 0x100))
            (call $spawns (i32.const 40))
            (call $spawns (i32.const 71))
            (call $spawns (i32.const 72))
            (call $spawns (i32.const 96)))"#,
    );
    let spawn = |length: &str| {
        format!(
            "{OPTIONS} (drop (call $process.spawn_with (i32.const 0x3200) (i32.const {length})
                (i32.const 0x3260)))"
        )
    };
    traps(&spawn("39"), "40 to 4096 bytes, not 39");
    traps(&spawn("4097"), "not 4097");
    traps(&spawn("-1"), "not 4294967295");
    // `$options` clears what it fills: the byte behind is set after it.
    let newer = "(i32.store8 (i32.const 0x3248) (i32.const 1))";
    let longer = spawn("73").replace(OPTIONS, &format!("{OPTIONS} {newer}"));
    traps(&longer, "does not know");
}

#[test]
fn options_that_mean_nothing_trap() {
    let outside = "outside of the memory";
    for (store, text) in [
        ("(i32.store (i32.const 0x3200) (i32.const 8))", "flags 0x8 of a spawn"),
        ("(i64.store (i32.const 0x3200) (i64.const 0x400000004))", "no priority 4"),
        (
            "(i32.store (i32.const 0x3200) (i32.const 2))
            (i32.store (i32.const 0x3238) (i32.const 16))",
            "of a monitor",
        ),
        ("(i64.store (i32.const 0x3208) (i64.const 77))", "no config with id 77"),
        ("(i64.store (i32.const 0x3210) (i64.const 77))", "no module with id 77"),
        ("(i32.store (i32.const 0x3218) (i32.const 0xffff))", outside),
        ("(i32.store (i32.const 0x3224) (i32.const 18))", "17-byte records"),
        (
            "(i32.store (i32.const 0x3220) (i32.const -1))
            (i32.store (i32.const 0x3224) (i32.const 17))",
            outside,
        ),
        ("(i32.store (i32.const 0x3234) (i32.const 4097))", "name_bytes_max"),
        (
            "(i32.store (i32.const 0x3230) (i32.const 0xffff))
            (i32.store (i32.const 0x3234) (i32.const 2))",
            outside,
        ),
    ] {
        let body = format!(
            "{OPTIONS} {store} (drop (call $process.spawn_with (i32.const 0x3200)
                (i32.const 72) (i32.const 0x3260)))"
        );
        traps(&body, text);
    }
    for (options, result) in [("0xffff", "0"), ("0x3200", "0xffe1"), ("0x3200", "-1")] {
        let body = format!(
            "{OPTIONS} (drop (call $process.spawn_with (i32.const {options})
                (i32.const 72) (i32.const {result})))"
        );
        traps(&body, outside);
    }
}

#[test]
fn a_spawn_that_fails_leaves_an_error_and_no_bonds() {
    passes_limited(
        r#"(func (export "_start") (local $module i64)
            (local.set $module (call $compiled @"(module (memory 100))"))
            (call $options (i32.const 3) @"child")
            (i64.store (i32.const 0x3210) (local.get $module))
            (call $is
                (call $process.spawn_with (i32.const 0x3200) (i32.const 72) (i32.const 0x3260))
                (i32.const 1))
            (call $is (i32.gt_s (call $error.string_size (i64.load (i32.const 0x3260)))
                (i32.const 0)) (i32.const 1))
            (call $is (call $come (i64.const 0)) (i32.const 9027)))"#,
        |limits, _| limits.memory_bytes_max = 2 << 16,
    );
}

#[test]
fn without_the_right_to_spawn_it_traps() {
    use lunatic_engine::{ExitReason, Rights};
    let ended = crate::common::reason_limited(
        &format!(
            r#"(func (export "child"))
            (func (export "_start") {OPTIONS} (drop (call $spawn_it)))"#
        ),
        |_, rights| *rights = Rights::NONE,
    );
    let ExitReason::Trap(trap) = ended else { panic!("{ended}") };
    assert!(trap.message.contains("may not spawn"), "{}", trap.message);
}
