//! Configurations: what they hold, and that a child never gets more than its parent has.

use lunatic_engine::{ExitReason, Rights};

use crate::common::{passes, passes_limited, reason_limited, traps};

#[test]
fn a_new_configuration_allows_nothing_and_limits_nothing() {
    passes(
        r#"(func (export "_start")
            (call $is64 (call $process.create_config) (i64.const 0))
            (call $is64 (call $process.create_config) (i64.const 1))
            (call $is64 (call $process.config_get_max_memory (i64.const 0)) (i64.const 4294967295))
            (call $is64 (call $process.config_get_max_fuel (i64.const 0)) (i64.const 0))
            (call $is (call $process.config_can_compile_modules (i64.const 0)) (i32.const 0))
            (call $is (call $process.config_can_create_configs (i64.const 0)) (i32.const 0))
            (call $is (call $process.config_can_spawn_processes (i64.const 0)) (i32.const 0))
            (call $process.drop_config (i64.const 0))
            (call $is64 (call $process.create_config) (i64.const 2)))"#,
    );
}

#[test]
fn a_configuration_gives_back_what_was_set() {
    passes(
        r#"(func (export "_start")
            (drop (call $process.create_config))
            (call $process.config_set_max_memory (i64.const 0) (i64.const 1200000))
            (call $is64 (call $process.config_get_max_memory (i64.const 0)) (i64.const 1200000))
            (call $process.config_set_max_memory (i64.const 0) (i64.const 0))
            (call $is64 (call $process.config_get_max_memory (i64.const 0)) (i64.const 0))
            (call $process.config_set_max_fuel (i64.const 0) (i64.const 3))
            (call $is64 (call $process.config_get_max_fuel (i64.const 0)) (i64.const 3))
            (call $process.config_set_max_fuel (i64.const 0) (i64.const 0))
            (call $is64 (call $process.config_get_max_fuel (i64.const 0)) (i64.const 0))
            (call $process.config_set_can_compile_modules (i64.const 0) (i32.const -1))
            (call $is (call $process.config_can_compile_modules (i64.const 0)) (i32.const 1))
            (call $is (call $process.config_can_create_configs (i64.const 0)) (i32.const 0))
            (call $process.config_set_can_create_configs (i64.const 0) (i32.const 0x100))
            (call $is (call $process.config_can_create_configs (i64.const 0)) (i32.const 1))
            (call $process.config_set_can_spawn_processes (i64.const 0) (i32.const 1))
            (call $is (call $process.config_can_spawn_processes (i64.const 0)) (i32.const 1))
            (call $process.config_set_can_spawn_processes (i64.const 0) (i32.const 0))
            (call $is (call $process.config_can_spawn_processes (i64.const 0)) (i32.const 0))
            (call $is (call $process.config_can_create_configs (i64.const 0)) (i32.const 1)))"#,
    );
}

#[test]
fn an_unknown_configuration_traps_in_every_function() {
    for call in [
        "(call $process.drop_config ID)",
        "(call $process.config_set_max_memory ID (i64.const 1))",
        "(drop (call $process.config_get_max_memory ID))",
        "(call $process.config_set_max_fuel ID (i64.const 1))",
        "(drop (call $process.config_get_max_fuel ID))",
        "(drop (call $process.config_can_compile_modules ID))",
        "(call $process.config_set_can_compile_modules ID (i32.const 1))",
        "(drop (call $process.config_can_create_configs ID))",
        "(call $process.config_set_can_create_configs ID (i32.const 1))",
        "(drop (call $process.config_can_spawn_processes ID))",
        "(call $process.config_set_can_spawn_processes ID (i32.const 1))",
        r#"(call $wasi.config_add_environment_variable ID @"a" @"b")"#,
        r#"(call $wasi.config_add_command_line_argument ID @"a")"#,
        r#"(call $wasi.config_preopen_dir ID @".")"#,
    ] {
        for id in ["(i64.const 1)", "(i64.const -1)", "(i64.const 0)"] {
            let body = format!(
                "(call $process.drop_config (call $process.create_config)) {}",
                call.replace("ID", id)
            );
            traps(&body, "this process has no config with id");
        }
    }
}

#[test]
fn without_the_right_no_configuration_is_made() {
    let program = r#"(func (export "_start")
        (call $is64 (call $process.create_config) (i64.const -1)))"#;
    passes_limited(program, |_, rights| *rights = rights.with(Rights::CREATE_CONFIGS, false));
}

/// Spawns `child` with a config made by `make` from the id in `$config`, and waits for its answer.
fn with_child(make: &str, child: &str) -> String {
    format!(
        r#"(func (export "child") (param $root i64) (local $config i64)
            {child} (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start") (local $config i64)
            (local.set $config (call $process.create_config))
            {make}
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (call $expect (i64.const 1)))"#
    )
}

#[test]
fn a_child_has_exactly_the_rights_of_its_configuration() {
    let set = |name: &str| {
        format!("(call $process.config_set_can_{name} (local.get $config) (i32.const 1))")
    };
    let (may_not_compile, may_not_create) = (
        r#"(call $is (call $process.compile_module @"(module)" (i32.const 0)) (i32.const -1))"#,
        "(call $is64 (call $process.create_config) (i64.const -1))",
    );
    passes(&with_child("", &format!("{may_not_compile} {may_not_create}")));
    passes(&with_child(
        &set("compile_modules"),
        &format!(r#"{may_not_create} (drop (call $compiled @"(module)"))"#),
    ));
    passes(&with_child(
        &set("create_configs"),
        &format!("{may_not_compile} (call $is64 (call $process.create_config) (i64.const 0))"),
    ));
    passes(&format!(
        r#"{} (func (export "nothing") (param i64))"#,
        with_child(
            &set("spawn_processes"),
            &format!(
                r#"{may_not_compile} {may_not_create}
                (drop (call $spawn_for_me (i64.const 0) @"nothing"))"#
            )
        )
    ));
    passes(&format!(
        "(table funcref (elem $f)) (func $f (drop (call $spawn (i64.const 0) @\"nothing\"))) {}",
        with_child("", "(call $is (call $try (i32.const 0)) (i32.const 0))")
    ));
}

// 12: the child may make configs and spawn, and gives its own child everything.
#[test]
fn what_a_process_does_not_have_it_cannot_give_to_a_child() {
    let limited = r#"
        (call $process.config_set_can_create_configs (local.get $config) (i32.const 1))
        (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
        (call $process.config_set_max_memory (local.get $config) (i64.const 0x20000))"#;
    let everything = r#"(local.set $config (call $process.create_config))
        (call $process.config_set_can_compile_modules (local.get $config) (i32.const 1))
        (call $process.config_set_can_create_configs (local.get $config) (i32.const 1))
        (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
        (call $process.config_set_max_memory (local.get $config) (i64.const -1))
        (call $is
            (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"grandchild")
            (i32.const 0))
        (call $expect (i64.const 1))"#;
    passes(&format!(
        r#"(func (export "grandchild") (param $root i64)
            (call $is (call $process.compile_module @"(module)" (i32.const 0)) (i32.const -1))
            (call $is64 (call $process.create_config) (i64.const 0))
            (call $is (memory.grow (i32.const 1)) (i32.const 1))
            (call $is (memory.grow (i32.const 1)) (i32.const -1))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        {}"#,
        with_child(limited, everything)
    ));
}

// 12, for fuel.
#[test]
fn a_limit_of_fuel_holds_for_the_children_of_a_process() {
    let program = with_child(
        "(call $process.config_set_max_fuel (local.get $config) (i64.const 2))
        (call $process.config_set_can_create_configs (local.get $config) (i32.const 1))
        (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))",
        r#"(call $is
            (call $spawn_code (i64.const 1) (call $process.create_config) (i64.const -1) @"spin")
            (i32.const 0))
        (drop (call $next))"#,
    );
    let program = format!(r#"(func (export "spin") (param i64) (loop br 0)) {program}"#);
    assert_eq!(reason_limited(&program, |_, _| {}), ExitReason::Limit("fuel_max"));
}

// 3.10
#[test]
fn the_limit_of_memory_is_exact_to_the_byte() {
    for (limit, pages) in [
        (0x1_0000, 1),
        (0x1_ffff, 1),
        (0x2_0000, 2),
        (1_200_000, 18),
        (18 * 0x1_0000, 18),
        (18 * 0x1_0000 - 1, 17),
    ] {
        passes(&with_child(
            &format!(
                "(call $process.config_set_max_memory (local.get $config) (i64.const {limit}))"
            ),
            &format!(
                "(call $is (memory.grow (i32.const {})) (i32.const 1))
                (call $is (memory.grow (i32.const 0)) (i32.const {pages}))
                (call $is (memory.grow (i32.const 1)) (i32.const -1))
                (call $is (memory.grow (i32.const 0xffff)) (i32.const -1))
                (call $is (memory.grow (i32.const -1)) (i32.const -1))
                (call $is (memory.size) (i32.const {pages}))",
                pages - 1
            ),
        ));
    }
}

// 3.9
#[test]
fn one_unit_of_fuel_is_a_hundred_thousand_instructions() {
    let spin = |iterations: u32| {
        let child = with_child(
            "(call $process.config_set_max_fuel (local.get $config) (i64.const 1))",
            &format!(
                "(loop $more
                    (drop (i32.const 0))
                    (global.set $i (i32.add (global.get $i) (i32.const 1)))
                    (br_if $more (i32.lt_u (global.get $i) (i32.const {iterations}))))"
            ),
        );
        format!("(global $i (mut i32) (i32.const 0)) {child}")
    };
    assert_eq!(reason_limited(&spin(8_000), |_, _| {}), ExitReason::Normal);
    assert_eq!(reason_limited(&spin(13_000), |_, _| {}), ExitReason::Limit("fuel_max"));
}

#[test]
fn a_start_section_uses_fuel_and_its_end_is_an_error_of_the_spawn() {
    let child = r#"(module (func $init (loop br 0)) (start $init))"#;
    let program = r#"(func (export "_start") (local $config i64)
        (local.set $config (call $process.create_config))
        (call $process.config_set_max_fuel (local.get $config) (i64.const 1))
        (call $is
            (call $spawn_code (i64.const 1) (local.get $config) (call $compiled @child) @"go")
            (i32.const 1)))"#;
    crate::common::passes_with(program, &[("child", child)]);
}

#[test]
fn a_running_child_keeps_its_rights_when_its_configuration_changes_and_the_next_has_the_new() {
    passes(
        r#"(func (export "child") (param $root i64)
            (call $is (call $next) (i32.const 0))
            (call $tell (local.get $root) (i64.const 1) (call $process.create_config)))
        (func (export "_start") (local $config i64) (local $first i64)
            (local.set $config (call $process.create_config))
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (local.set $first (i64.load (i32.const 0x3f00)))
            (call $process.config_set_can_create_configs (local.get $config) (i32.const 1))
            (call $tell (local.get $first) (i64.const 0) (i64.const 0))
            (call $expect (i64.const -1))
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (call $process.drop_config (local.get $config))
            (call $tell (i64.load (i32.const 0x3f00)) (i64.const 0) (i64.const 0))
            (call $expect (i64.const 0)))"#,
    );
}
