//! An audit to a process: what children do comes as messages, nobody waits for them, and only who
//! may inspect children hears them.

use std::sync::Arc;

use lunatic_engine::{Audit, Deed, Extent, Hears, LISTENERS_MAX, Listener, ProcessConfig};
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::{check, passes, passes_limited, run_with, traps};

/// What is heard.
const DENIED: i32 = 1;
const USED: i32 = 2;
const CALLS: i32 = 4;
const ALONE: i32 = 8;

/// `$hear` is a configuration whose children are heard under a tag, `$told` takes the next
/// message with it, from a child, and `$byte`, `$number`, `$text` read on in it.
const HELPERS: &str = r#"
    (global $at (mut i32) (i32.const 0))
    (global $end (mut i32) (i32.const 0))
    (func $config_audit (param $config i64) (param $what i32) (result i32)
        (call $process.config_audit (local.get $config) (i64.const 7) (local.get $what)
            (i32.const 0x3010)))
    (func $hear (param $config i64) (param $what i32) (result i64)
        (call $is (call $config_audit (local.get $config) (local.get $what)) (i32.const 0))
        (local.get $config))
    (func $heard (param $config i64) (param $at i32) (param $length i32) (result i64)
        (call $is (call $spawn_code (i64.const 77) (local.get $config) (i64.const -1)
            (local.get $at) (local.get $length)) (i32.const 0))
        (i64.load (i32.const 0x3f00)))
    (func $told (param $left_out i64) (param $child i64)
        (call $is (call $next_tagged (i64.const 7) (i64.const -1)) (i32.const 0))
        (global.set $at (i32.const 0x8000))
        (global.set $end (i32.add (i32.const 0x8000)
            (call $message.read_data (i32.const 0x8000) (i32.const 0x1000))))
        (call $is64 (call $number) (local.get $left_out))
        (call $is64 (call $number) (i64.const 0))
        (call $is64 (call $number) (local.get $child)))
    (func $byte (result i32)
        (global.set $at (i32.add (global.get $at) (i32.const 1)))
        (i32.load8_u (i32.sub (global.get $at) (i32.const 1))))
    (func $number (result i64) (local $shift i64) (local $value i64) (local $byte i32)
        (loop $more
            (local.set $byte (call $byte))
            (local.set $value (i64.or (local.get $value) (i64.shl
                (i64.extend_i32_u (i32.and (local.get $byte) (i32.const 127)))
                (local.get $shift))))
            (local.set $shift (i64.add (local.get $shift) (i64.const 7)))
            (br_if $more (i32.and (local.get $byte) (i32.const 128))))
        (local.get $value))
    (func $text (param $text i32) (param $length i32)
        (call $is64 (call $number) (i64.extend_i32_u (local.get $length)))
        (call $is (call $same (global.get $at) (local.get $text) (local.get $length))
            (i32.const 1))
        (global.set $at (i32.add (global.get $at) (local.get $length))))
    ;; A call of this name; its times are read and not looked at.
    (func $call (param $name i32) (param $length i32)
        (call $is (call $byte) (i32.const 2))
        (call $is (i64.gt_u (call $number) (i64.const 1700000000000000)) (i32.const 1))
        (drop (call $number))
        (call $text (local.get $name) (local.get $length)))
    (func $done (call $is (global.get $at) (global.get $end)))"#;

/// A guest whose first process hears its children.
fn guest(source: &str) -> String {
    format!(
        r#"{HELPERS}
        (func (export "calls") (param i64)
            (call $registry.remove @"me")
            (call $is (call $timer.cancel_timer (i64.const -5)) (i32.const 0)))
        {source}"#
    )
}

#[test]
fn a_call_comes_with_its_arguments_its_results_and_why_it_failed() {
    passes(&guest(&format!(
        r#"(func (export "fails") (param i64) (call $p1.proc_exit (i32.const 3)))
        (func (export "_start") (local $child i64) (local $config i64)
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $config (call $hear (call $process.create_config) (i32.const {CALLS})))
            (local.set $child (call $heard (local.get $config) @"calls"))
            (call $told (i64.const 0) (local.get $child))
            (call $call @"lunatic::registry.remove")
            (call $is64 (call $number) (i64.const 1))
            (call $is (call $byte) (i32.const 2))
            (call $text @"me")
            ;; It returned, and nothing.
            (call $is (call $byte) (i32.const 0))
            (call $is64 (call $number) (i64.const 0))
            (call $done)
            (call $told (i64.const 0) (local.get $child))
            (call $call @"lunatic::timer.cancel_timer")
            ;; -5 in zigzag, and the result.
            (call $is64 (call $number) (i64.const 1))
            (call $is (call $byte) (i32.const 0))
            (call $is64 (call $number) (i64.const 9))
            (call $is (call $byte) (i32.const 0))
            (call $is64 (call $number) (i64.const 1))
            (call $is (call $byte) (i32.const 0))
            (call $is64 (call $number) (i64.const 0))
            (call $done)
            (local.set $child (call $heard (local.get $config) @"fails"))
            (call $told (i64.const 0) (local.get $child))
            (call $call @"wasi_snapshot_preview1.proc_exit")
            (call $is64 (call $number) (i64.const 1))
            (call $is (call $byte) (i32.const 0))
            (call $is64 (call $number) (i64.const 6))
            (call $is (call $byte) (i32.const 1))
            (call $text @"the process ends: exited with status 3")
            (call $done))"#
    )));
}

#[test]
fn a_call_in_which_its_process_was_killed_is_told() {
    passes(&guest(&format!(
        r#"(func (export "waits") (param i64) (drop (call $next)))
        (func (export "_start") (local $child i64)
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $child (call $heard
                (call $hear (call $process.create_config) (i32.const {CALLS})) @"waits"))
            (call $process.sleep_ms (i64.const 1))
            (call $process.kill (local.get $child))
            (call $is (call $next_tagged (i64.const 77) (i64.const -1)) (i32.const 1))
            ;; If it came to its call at all, which the kill may have prevented.
            (if (i32.eqz (call $next_tagged (i64.const 7) (i64.const 0))) (then
                (global.set $at (i32.const 0x8000))
                (global.set $end (i32.add (i32.const 0x8000)
                    (call $message.read_data (i32.const 0x8000) (i32.const 0x1000))))
                (drop (call $number)) (drop (call $number)) (drop (call $number))
                (call $call @"lunatic::message.receive")
                (call $is64 (call $number) (i64.const 3))
                (drop (call $byte)) (drop (call $number))
                (drop (call $byte)) (drop (call $number))
                (drop (call $byte)) (drop (call $number))
                (call $is (call $byte) (i32.const 2))
                (call $done))))"#
    )));
}

#[test]
fn each_denial_comes_with_what_would_have_allowed_it() {
    passes(&guest(&format!(
        r#"(func (export "tries") (param i64) (local $i i32)
            (loop $more
                (drop (call $connect_code (i32.const 1) (i64.const -1)))
                (drop (call $connect_code (i32.const 2) (i64.const -1)))
                (i64.store (i32.const 0x3000) (i64.const 0x100000000))
                (drop (call $p1.fd_write (i32.const 1) (i32.const 0x3000) (i32.const 1)
                    (i32.const 0x3010)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 2)))))
        (func (export "_start") (local $child i64) (local $i i32)
            (local.set $child (call $heard
                (call $hear (call $process.create_empty_config) (i32.const {DENIED})) @"tries"))
            (loop $more
                (call $told (i64.const 0) (local.get $child))
                (call $is (call $byte) (i32.const 0))
                (call $text @"connect:tcp:127.0.0.1:1")
                (call $text @"connect tcp 127.0.0.1:1")
                (call $done)
                (call $told (i64.const 0) (local.get $child))
                (call $is (call $byte) (i32.const 0))
                (call $text @"connect:tcp:127.0.0.1:2")
                (call $text @"connect tcp 127.0.0.1:2")
                (call $told (i64.const 0) (local.get $child))
                (call $is (call $byte) (i32.const 0))
                (call $text @"stdout")
                (call $text @"fd_write")
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 2)))))"#
    )));
}

#[test]
fn rights_that_are_used_are_told_on_request() {
    passes(&guest(&format!(
        r#"(func (export "_start") (local $child i64)
            (local.set $child (call $heard
                (call $hear (call $process.create_config) (i32.const {USED})) @"calls"))
            (call $told (i64.const 0) (local.get $child))
            (call $is (call $byte) (i32.const 1))
            (call $text @"names")
            (call $text @"registry remove")
            (call $done)
            ;; Its other calls are not told.
            (call $is (call $next_tagged (i64.const 7) (i64.const 100)) (i32.const 9027)))"#
    )));
}

/// A child that spawns one with its own configuration; both make the call that is heard, the
/// grandchild first, which tells the first process when it has.
fn generations(what: i32, rest: &str) -> String {
    guest(&format!(
        r#"(func (export "grandchild") (param $parent i64)
            (drop (call $timer.cancel_timer (i64.const 1)))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1)))
        (func (export "child") (param $parent i64)
            (drop (call $spawn_for_me (i64.const 0) @"grandchild"))
            (call $is (call $next) (i32.const 0))
            (call $tell (local.get $parent) (i64.const 9) (i64.load (i32.const 0x3f00))))
        (func (export "_start") (local $child i64) (local $config i64)
            (local.set $config (call $process.create_config))
            (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
            (drop (call $hear (local.get $config) (i32.const {what})))
            (local.set $child (call $heard (local.get $config) @"child"))
            (call $is (call $next_tagged (i64.const 9) (i64.const -1)) (i32.const 0))
            {rest})"#
    ))
}

#[test]
fn descendants_are_heard_too_unless_only_children_are_wanted() {
    // Whoever made the first call that is heard of `cancel_timer`: 1 if anybody has.
    let looks = r#"(local.set $config (i64.const 0))
        (loop $more
            (if (i32.eqz (call $next_tagged (i64.const 7) (i64.const 0))) (then
                (global.set $at (i32.const 0x8000))
                (drop (call $message.read_data (i32.const 0x8000) (i32.const 0x1000)))
                (drop (call $number)) (drop (call $number))
                (if (i64.ne (call $number) (local.get $child)) (then
                    (local.set $config (i64.const 1))))
                (br $more))))"#;
    for (what, others) in [(CALLS, 1), (CALLS | ALONE, 0)] {
        let told = format!("{looks} (call $is64 (local.get $config) (i64.const {others}))");
        passes(&generations(what, &told));
    }
}

#[test]
fn what_has_no_room_is_dropped_and_counted_and_nobody_waits() {
    let source = guest(&format!(
        r#"(func (export "many") (param i64) (local $i i32)
            (loop $more
                (drop (call $timer.cancel_timer (i64.const 1)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 10))))
            unreachable)
        (func (export "one") (param i64)
            (drop (call $timer.cancel_timer (i64.const 1))))
        (func (export "_start") (local $config i64) (local $child i64)
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $config (call $hear (call $process.create_config) (i32.const {CALLS})))
            (local.set $child (call $heard (local.get $config) @"many"))
            (call $is (call $next_tagged (i64.const 77) (i64.const -1)) (i32.const 1))
            (call $told (i64.const 0) (local.get $child))
            (call $told (i64.const 0) (local.get $child))
            (call $told (i64.const 0) (local.get $child))
            (call $told (i64.const 0) (local.get $child))
            (call $is (call $next_tagged (i64.const 7) (i64.const 0)) (i32.const 9027))
            (local.set $child (call $heard (local.get $config) @"one"))
            (call $told (i64.const 6) (local.get $child))
            (local.set $child (call $heard (local.get $config) @"one"))
            (call $told (i64.const 0) (local.get $child)))"#
    ));
    passes_limited(&source, |limits, _| limits.mailbox_messages_max = 4);
}

#[test]
fn the_end_of_who_hears_ends_the_audit_and_not_the_audited() {
    passes(&guest(&format!(
        r#"(func (export "heard") (param $hears i64) (local $root i64)
            (call $is (call $next) (i32.const 0))
            (local.set $root (call $value))
            (call $process.monitor (local.get $hears))
            (call $is (call $next) (i32.const 2))
            (drop (call $timer.cancel_timer (i64.const 1)))
            (call $tell (local.get $root) (i64.const 0) (i64.const 5)))
        (func (export "hears") (param $root i64) (local $config i64) (local $child i64)
            (local.set $config (call $hear (call $process.create_config) (i32.const {CALLS})))
            (call $is (call $spawn_code (i64.const 0) (local.get $config) (i64.const -1) @"heard")
                (i32.const 0))
            (local.set $child (i64.load (i32.const 0x3f00)))
            (call $tell (local.get $child) (i64.const 0) (local.get $root)))
        (func (export "_start")
            (drop (call $spawn_for_me (i64.const 0) @"hears"))
            (call $expect (i64.const 5)))"#
    )));
}

#[test]
fn an_audit_can_be_changed_and_taken_back_until_the_spawn() {
    passes(&guest(&format!(
        r#"(func (export "_start") (local $config i64)
            (local.set $config (call $hear (call $process.create_config) (i32.const {CALLS})))
            (drop (call $hear (local.get $config) (i32.const 0)))
            (drop (call $heard (local.get $config) @"calls"))
            (drop (call $hear (local.get $config) (i32.const {USED})))
            (call $told (i64.const 0) (call $heard (local.get $config) @"calls"))
            ;; The first that is heard of all.
            (call $is (call $byte) (i32.const 1)))"#
    )));
}

#[test]
fn who_may_inspect_nobody_hears_nobody() {
    let source = guest(&format!(
        r#"(func (export "_start")
            (call $is (call $config_audit (call $process.create_config) (i32.const {DENIED}))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"inspect:descendants") (i32.const 1)))"#
    ));
    let mut config = ProcessConfig::root(WasiConfig::default());
    config.reach = config.reach.with(Deed::Inspect, Extent::None);
    check(&run_with(&module(&source), config).expect("it can be spawned"));
}

struct Deaf;

impl Listener for Deaf {
    fn hears(&self) -> Hears {
        Hears::NONE
    }
}

#[test]
fn a_listener_too_many_is_an_error() {
    let source = guest(&format!(
        r#"(func (export "_start")
            (call $is (call $config_audit (call $process.create_config) (i32.const {DENIED}))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"at most {LISTENERS_MAX}") (i32.const 1)))"#
    ));
    let listen = |audit: Audit, _| audit.with(Arc::new(Deaf)).expect("there is room");
    let full = (0..LISTENERS_MAX).fold(Audit::default(), listen);
    let config = ProcessConfig::root(WasiConfig::default()).audited(full);
    check(&run_with(&module(&source), config).expect("it can be spawned"));
}

#[test]
fn flags_and_configurations_that_do_not_exist_trap() {
    let call = |config: &str, what: i32, error: i32| {
        format!(
            "(drop (call $process.config_audit ({config}) (i64.const 7) (i32.const {what})
                (i32.const {error})))"
        )
    };
    traps(&call("call $process.create_config", 16, 0), "flags 0x10");
    traps(&call("call $process.create_config", 1, 0xfffc), "");
    traps(&call("i64.const 5", 1, 0), "no config");
}
