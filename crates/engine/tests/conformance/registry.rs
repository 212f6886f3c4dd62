//! `lunatic::registry` and `get_or_spawn`: names, and finding or spawning in one step.

use lunatic_engine::{ExitReason, Rights};

use crate::common::{passes, passes_limited, passes_with, reason_limited, traps};

const GET: &str = r#"(call $registry.get @"name" (i32.const 0) (i32.const 8))"#;
const PUT_ME: &str = r#"(call $registry.put @"name" (i64.const 0) (call $process.process_id))"#;

/// `get_or_spawn` of `child` under `name`, unlinked, given the own pid.
fn get_or_spawn(module: &str) -> String {
    format!(
        r#"(i32.store8 (i32.const 0x3f20) (i32.const 0x7e))
        (i64.store (i32.const 0x3f21) (call $process.process_id))
        (local.set $code (call $process.get_or_spawn @"name"
            (i64.const 0) (i64.const -1) {module} @"child"
            (i32.const 0x3f20) (i32.const 17) (i32.const 0) (i32.const 8)))"#
    )
}

#[test]
fn a_name_is_put_found_overwritten_and_removed() {
    passes(&format!(
        r#"(func (export "child") (drop (call $next)))
        (func (export "_start") (local $child i64)
            (i64.store (i32.const 0) (i64.const -5))
            (i64.store (i32.const 8) (i64.const -5))
            (call $is {GET} (i32.const 1))
            (call $is64 (i64.load (i32.const 0)) (i64.const -5))
            (call $is64 (i64.load (i32.const 8)) (i64.const -5))
            {PUT_ME}
            (call $is {GET} (i32.const 0))
            (call $is64 (i64.load (i32.const 0)) (call $distributed.node_id))
            (call $is64 (i64.load (i32.const 8)) (call $process.process_id))
            (local.set $child (call $spawn (i64.const 0) @"child"))
            (call $registry.put @"name" (i64.const 0) (local.get $child))
            (call $is {GET} (i32.const 0))
            (call $is64 (i64.load (i32.const 8)) (local.get $child))
            (call $registry.remove @"name")
            (call $registry.remove @"name")
            (call $is {GET} (i32.const 1)))"#
    ));
}

// 7
#[test]
fn a_name_goes_with_its_process_before_anybody_hears_of_the_end() {
    for end in ["", "unreachable", "(loop br 0)"] {
        passes(&format!(
            r#"(func (export "child") (param $root i64)
                {PUT_ME} (call $tell (local.get $root) (i64.const 0) (i64.const 5)) {end})
            (func (export "_start") (local $child i64)
                (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
                (call $process.monitor (local.get $child))
                (call $expect (i64.const 5))
                (call $process.kill (local.get $child))
                (call $is (call $next) (i32.const 2))
                (call $is {GET} (i32.const 1))
                ;; Nor can the dead be given one.
                (call $registry.put @"name" (i64.const 0) (local.get $child))
                (call $is {GET} (i32.const 1)))"#
        ));
    }
}

#[test]
fn names_of_nobody_or_of_other_nodes_are_not_found() {
    passes(&format!(
        r#"(func (export "_start")
            (call $registry.put @"name" (i64.const 0) (i64.const -1))
            (call $is {GET} (i32.const 1))
            (call $registry.put @"name" (i64.const 3) (call $process.process_id))
            (call $is {GET} (i32.const 1)))"#
    ));
}

#[test]
fn an_empty_name_is_a_name() {
    passes(
        r#"(func (export "_start")
            (call $registry.put (i32.const 0x10000) (i32.const 0)
                (i64.const 0) (call $process.process_id))
            (call $is
                (call $registry.get (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8))
                (i32.const 0)))"#,
    );
}

#[test]
fn names_and_pointers_are_checked() {
    for (name, text) in [
        (r#"@"\ff""#, "not valid UTF-8"),
        ("(i32.const 0xffff) (i32.const 2)", "outside of the memory"),
        ("(i32.const -1) (i32.const 1)", "outside of the memory"),
        ("(i32.const 0) (i32.const 4097)", "name_bytes_max = 4096"),
        ("(i32.const 0) (i32.const -1)", "name_bytes_max = 4096"),
    ] {
        for body in [
            format!("(call $registry.put {name} (i64.const 0) (i64.const 0))"),
            format!("(drop (call $registry.get {name} (i32.const 0) (i32.const 8)))"),
            format!("(call $registry.remove {name})"),
            format!(
                "(drop (call $process.get_or_spawn {name} (i64.const 0) (i64.const -1)
                    (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 0) (i32.const 0)))"
            ),
        ] {
            traps(&body, text);
        }
    }
    for pointers in ["(i32.const -1) (i32.const 0)", "(i32.const 0) (i32.const 0xfffc)"] {
        let get = format!(r#"{PUT_ME} (drop (call $registry.get @"name" {pointers}))"#);
        traps(&get, "outside of the memory");
    }
}

#[test]
fn more_names_than_the_limit_end_the_process() {
    let program = r#"(func (export "_start") (local $i i32)
        (loop $more
            (i32.store (i32.const 0) (local.get $i))
            (call $registry.put (i32.const 0) (i32.const 1)
                (i64.const 0) (call $process.process_id))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 100)))))"#;
    let limit = |max| reason_limited(program, |limits, _| limits.names_max = max);
    assert_eq!(limit(99), ExitReason::Limit("names_max"));
    assert_eq!(limit(100), ExitReason::Normal);
}

#[test]
fn the_first_get_or_spawn_spawns_and_the_next_finds_without_checking_the_rest() {
    passes(&format!(
        r#"(func (export "child") (param i64) (drop (call $next)))
        (func (export "_start") (local $code i32) (local $pid i64)
            (i64.store (i32.const 0) (i64.const -5))
            {first}
            (call $is (local.get $code) (i32.const 0))
            (call $is64 (i64.load (i32.const 0)) (i64.const 0))
            (local.set $pid (i64.load (i32.const 8)))
            (call $is (call $process.exists (local.get $pid)) (i32.const 1))
            (call $is (call $registry.get @"name" (i32.const 0) (i32.const 8)) (i32.const 0))
            (call $is64 (i64.load (i32.const 8)) (local.get $pid))
            (i64.store (i32.const 8) (i64.const -5))
            (call $is
                (call $process.get_or_spawn @"name" (i64.const 0) (i64.const 77) (i64.const 77)
                    (i32.const -1) (i32.const -1) (i32.const -1) (i32.const -1)
                    (i32.const 0) (i32.const 8))
                (i32.const 2))
            (call $is64 (i64.load (i32.const 0)) (i64.const 0))
            (call $is64 (i64.load (i32.const 8)) (local.get $pid)))"#,
        first = get_or_spawn("(i64.const -1)")
    ));
}

#[test]
fn without_the_right_to_spawn_get_or_spawn_only_gets() {
    let program = format!(
        r#"(table funcref (elem $miss))
        (func $miss (local $code i32) {call})
        (func (export "_start") (local $code i32)
            (call $is (call $try (i32.const 0)) (i32.const 0))
            {PUT_ME}
            {call}
            (call $is (local.get $code) (i32.const 2)))"#,
        call = get_or_spawn("(i64.const -1)")
    );
    passes_limited(&program, |_, rights| *rights = rights.with(Rights::SPAWN, false));
}

// 6
#[test]
fn a_get_or_spawn_that_fails_names_nobody_and_the_next_one_can_spawn() {
    let bad = r#"(module (func $init unreachable) (start $init))"#;
    passes_with(
        &format!(
            r#"(table funcref (elem $trap))
            (func $trap (local $code i32) {unknown})
            (func (export "child") (param i64))
            (func (export "_start") (local $code i32) (local $bad i64)
                (local.set $bad (call $compiled @bad))
                {fails}
                (call $is (local.get $code) (i32.const 1))
                (call $is (call $error_has (i64.load (i32.const 8)) @"unreachable") (i32.const 1))
                (call $is {GET} (i32.const 1))
                (call $is (call $try (i32.const 0)) (i32.const 0))
                (call $is {GET} (i32.const 1))
                {works}
                (call $is (local.get $code) (i32.const 0)))"#,
            unknown = get_or_spawn("(i64.const 99)"),
            fails = get_or_spawn("(local.get $bad)"),
            works = get_or_spawn("(i64.const -1)")
        ),
        &[("bad", bad)],
    );
}

// 5: the start section asks for the very name that is being spawned.
#[test]
fn a_start_section_can_use_the_registry_while_its_process_is_spawned_by_name() {
    let child = r#"(module
        (import "lunatic::registry" "get" (func $get (param i32 i32 i32 i32) (result i32)))
        (import "lunatic::registry" "remove" (func $remove (param i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "name")
        (func $init
            (if (i32.ne (i32.const 1)
                    (call $get (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 16)))
                (then unreachable))
            (call $remove (i32.const 0) (i32.const 3)))
        (start $init)
        (func (export "child") (param i64)))"#;
    passes_with(
        &format!(
            r#"(func (export "_start") (local $code i32) (local $module i64)
                (local.set $module (call $compiled @code))
                {}
                (call $is (local.get $code) (i32.const 0)))"#,
            get_or_spawn("(local.get $module)")
        ),
        &[("code", child)],
    );
}

#[test]
fn a_start_section_that_wants_to_spawn_the_name_it_is_spawned_under_fails_instead_of_waiting() {
    let child = r#"(module
        (import "lunatic::process" "get_or_spawn" (func $get_or_spawn
            (param i32 i32 i64 i64 i64 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "name")
        (func $init (drop (call $get_or_spawn (i32.const 0) (i32.const 4)
            (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 16))))
        (start $init))"#;
    passes_with(
        &format!(
            r#"(func (export "_start") (local $code i32) (local $module i64)
                (local.set $module (call $compiled @code))
                {}
                (call $is (local.get $code) (i32.const 1))
                (call $is (call $error_has (i64.load (i32.const 8)) @"start section")
                    (i32.const 1)))"#,
            get_or_spawn("(local.get $module)")
        ),
        &[("code", child)],
    );
}

#[test]
fn of_many_that_ask_at_the_same_time_one_spawns() {
    let server = r#"(module
        (import "lunatic::process" "sleep_ms" (func $sleep (param i64)))
        (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
        (func $init (call $sleep (i64.const 5)))
        (start $init)
        (func (export "child") (param i64)
            (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1)))))"#;
    passes_with(
        &format!(
            r#"(func (export "client") (param $root i64) (local $code i32)
                (call $is (call $next) (i32.const 0))
                {call}
                (call $tell (local.get $root)
                    (i64.extend_i32_u (i32.add (local.get $code) (i32.const 10)))
                    (i64.load (i32.const 8))))
            (func (export "_start") (local $module i64) (local $i i32) (local $pid i64)
                (local $client i64)
                (local.set $module (call $compiled @server))
                (loop $more
                    (local.set $client (call $spawn_for_me (i64.const 1) @"client"))
                    (call $message.create_data (i64.const 0) (i64.const 0))
                    (drop (call $message.push_module (local.get $module)))
                    (drop (call $message.send (local.get $client)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $more (i32.lt_u (local.get $i) (i32.const 40))))
                (call $is (call $next_tagged (i64.const 10) (i64.const -1)) (i32.const 0))
                (local.set $pid (call $value))
                (local.set $i (i32.const 39))
                (loop $more
                    (call $is (call $next_tagged (i64.const 12) (i64.const -1)) (i32.const 0))
                    (call $is64 (call $value) (local.get $pid))
                    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                    (br_if $more (local.get $i))))"#,
            call = get_or_spawn("(call $message.take_module (i64.const 0))")
        ),
        &[("server", server)],
    );
}

#[test]
fn register_follows_otp_and_put_its_own_rules_in_one_table() {
    passes(
        r#"(func (export "waits") (call $comes (i32.const 0)))
        (func $register (param $name i32) (param $length i32) (param $pid i64) (result i32)
            (call $registry.register (local.get $name) (local.get $length) (i64.const 0)
                (local.get $pid)))
        (func (export "_start") (local $me i64) (local $child i64)
            (local.set $me (call $process.process_id))
            (local.set $child (call $child (i32.const 2) @"waits"))
            (call $is (call $register @"a" (local.get $me)) (i32.const 0))
            (call $is (call $register @"a" (local.get $child)) (i32.const 1))
            (call $is (call $register @"a" (local.get $me)) (i32.const 1))
            (call $is (call $register @"b" (local.get $me)) (i32.const 3))
            (call $is (call $register @"b" (i64.const 0)) (i32.const 2))
            (call $is (call $registry.register @"b" (i64.const 7) (local.get $child))
                (i32.const 2))
            (call $is (call $registry.unregister @"b") (i32.const 1))
            (call $is (call $registry.unregister @"a") (i32.const 0))
            (call $registry.put @"c" (i64.const 0) (local.get $child))
            (call $is (call $register @"d" (local.get $child)) (i32.const 3))
            (call $process.kill (local.get $child))
            (call $comes (i32.const 2))
            (call $is (call $register @"c" (local.get $child)) (i32.const 2))
            (call $is (call $register @"c" (local.get $me)) (i32.const 0)))"#,
    );
}

#[test]
fn a_name_to_register_or_unregister_that_is_no_name_traps() {
    for (name, text) in [
        ("(i32.const 0) (i32.const 4097)", "name_bytes_max"),
        ("(i32.const 0xffff) (i32.const 2)", "outside of the memory"),
        (r#"@"\ff""#, "UTF-8"),
    ] {
        let register =
            format!("(drop (call $registry.register {name} (i64.const 0) (i64.const 0)))");
        traps(&register, text);
        traps(&format!("(drop (call $registry.unregister {name}))"), text);
    }
}
