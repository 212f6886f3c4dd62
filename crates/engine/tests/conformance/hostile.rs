//! What guests try against the runtime. After each attempt the same runtime spawns and answers.

use lunatic_engine::{
    CachePolicy, ExitReason, Limits, NodeLimits, Options, ProcessConfig, Rights, Runtime,
};
use lunatic_wasi::WasiConfig;

use crate::common::guest::{module, module_with};
use crate::common::{
    check, config, passes, passes_limited, reason, reason_limited, run, run_with, shared, traps,
};

/// The shared runtime spawns, and what it spawns answers.
fn alive() {
    passes(
        r#"(func (export "child") (param i64)
            (call $tell (local.get 0) (i64.const 1) (i64.const 99)))
        (func (export "_start")
            (drop (call $spawn_for_me (i64.const 1) @"child"))
            (call $expect (i64.const 99)))"#,
    );
}

fn ends(source: &str, change: impl FnOnce(&mut Limits, &mut Rights), expected: ExitReason) {
    assert_eq!(reason_limited(source, change), expected);
    alive();
}

/// Repeats a body for ever.
fn forever(body: &str) -> String {
    format!(r#"(func (export "_start") (loop $more {body} (br $more)))"#)
}

const MESSAGE: &str = "(call $message.create_data (i64.const 0) (i64.const 0))";

// 1
#[test]
fn an_absurd_capacity_is_only_a_hint() {
    for capacity in [-1_i64, (1 << 55) - 1, i64::MAX, i64::MIN, 1 << 32] {
        passes(&format!(
            r#"(func (export "_start")
                (call $message.create_data (i64.const 1) (i64.const {capacity}))
                (call $is (call $message.write_data @"abc") (i32.const 3))
                (call $is64 (call $message.data_size) (i64.const 3)))"#
        ));
    }
    alive();
}

#[test]
fn absurd_lengths_and_counts_trap() {
    for body in [
        "(drop (call $message.receive (i32.const 0) (i32.const 0x80000000) (i64.const -1)))",
        "(drop (call $message.receive (i32.const 0) (i32.const -1) (i64.const -1)))",
        r#"(drop (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) @"f"
            (i32.const 0) (i32.const 0xffffffef) (i32.const 0)))"#,
        "(drop (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 0)
            (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(drop (call $process.compile_module (i32.const 1) (i32.const 0x1ffffff0) (i32.const 0)))",
        "(drop (call $p1.random_get (i32.const 0) (i32.const -1)))",
        "(memory.fill (i32.const 0) (i32.const 0) (i32.const -1))",
    ] {
        traps(body, "");
    }
    alive();
}

#[test]
fn a_parameter_block_of_a_megabyte_traps() {
    let program = r#"(memory (export "memory") 16)
        (func (export "_start")
            (memory.fill (i32.const 0) (i32.const 0x7f) (i32.const 0x100000))
            (drop (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 0)
                (i32.const 1) (i32.const 0) (i32.const 1048560) (i32.const 0))))"#;
    let reason = reason(program);
    assert!(reason.to_string().contains("at most 1000 parameters"), "{reason}");
    alive();
}

#[test]
fn a_name_that_no_function_can_have_is_not_copied() {
    let program = r#"(memory (export "memory") 16)
        (func (export "_start")
            (drop (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 0)
                (i32.const 100001) (i32.const 0) (i32.const 0) (i32.const 0))))"#;
    let reason = reason(program);
    assert!(reason.to_string().contains("at most 100000 bytes"), "{reason}");
    alive();
}

#[test]
fn a_message_ends_at_its_limit() {
    passes(
        r#"(table funcref (elem $write))
        (func $write (drop (call $message.write_data (i32.const 0) (i32.const 0x10000))))
        (func (export "_start")
            (call $message.create_data (i64.const 1) (i64.const 0))
            (loop $more (br_if $more (call $try (i32.const 0))))
            (call $is64 (call $message.data_size) (i64.const 0x4000000)))"#,
    );
    alive();
}

#[test]
fn floods_of_resources_end_at_their_limits() {
    let none = |_: &mut Limits, _: &mut Rights| {};
    let error = r#"(drop (call $distributed.exec_lookup_nodes (i32.const 0) (i32.const 0)
        (i32.const 8) (i32.const 16) (i32.const 0)))"#;
    ends(&forever(error), none, ExitReason::Limit("errors_max"));
    let config = "(drop (call $process.create_config))";
    ends(&forever(config), none, ExitReason::Limit("resources_max"));
    let timer = format!("{MESSAGE} (drop (call $timer.send_after (i64.const 0) (i64.const -1)))");
    ends(&forever(&timer), none, ExitReason::Limit("timers_max"));
    let module = r#"(drop (call $compiled @"(module)"))"#;
    let few = |limits: &mut Limits, _: &mut Rights| limits.resources_max = 20;
    ends(&forever(module), few, ExitReason::Limit("resources_max"));
}

#[test]
fn a_flood_of_strings_in_configurations_ends_at_its_limit() {
    for (call, limit) in [
        ("call $wasi.config_add_command_line_argument (local.get $config)", "config_entries_max"),
        ("call $wasi.config_preopen_dir (call $process.create_config)", "config_bytes_max"),
        (
            "call $wasi.config_add_environment_variable (local.get $config)
                (i32.const 0) (i32.const 0x8000)",
            "config_bytes_max",
        ),
    ] {
        let bytes = if limit == "config_bytes_max" { 0x8000 } else { 1 };
        let program = format!(
            r#"(func (export "_start") (local $config i64)
                (local.set $config (call $process.create_config))
                (loop $more ({call} (i32.const 0) (i32.const {bytes})) (br $more)))"#
        );
        ends(&program, |_, _| {}, ExitReason::Limit(limit));
    }
    // Configurations that are dropped do not count.
    passes(
        r#"(func (export "_start") (local $config i64) (local $i i32)
            (loop $more
                (local.set $config (call $process.create_config))
                (call $wasi.config_preopen_dir (local.get $config)
                    (i32.const 0) (i32.const 0x10000))
                (call $process.drop_config (local.get $config))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 1000)))))"#,
    );
}

#[test]
fn the_text_of_an_error_does_not_quote_without_end() {
    passes(
        r#"(func (export "_start") (local $config i64)
            (memory.fill (i32.const 0) (i32.const 97) (i32.const 0x1f00))
            (local.set $config (call $process.create_config))
            (call $wasi.config_preopen_dir (local.get $config) (i32.const 0) (i32.const 0x1f00))
            (call $is
                (call $spawn_code (i64.const 0) (local.get $config) (i64.const -1) @"child")
                (i32.const 1))
            (call $is (call $error.string_size (i64.load (i32.const 0x3f00))) (i32.const 4096)))"#,
    );
}

#[test]
fn floods_of_links_and_monitors_end_at_their_limits() {
    let flood = |call: &str| {
        format!(
            r#"(func (export "child") (drop (call $next)))
            (func (export "_start")
                (loop $more ({call} (call $spawn (i64.const 0) @"child")) (br $more)))"#
        )
    };
    let links = |limits: &mut Limits, _: &mut Rights| limits.links_max = 300;
    ends(&flood("call $process.link (i64.const 1)"), links, ExitReason::Limit("links_max"));
    let linked = r#"(func (export "child") (drop (call $next)))
        (func (export "_start")
            (loop $more (drop (call $spawn (i64.const 1) @"child")) (br $more)))"#;
    ends(linked, links, ExitReason::Limit("links_max"));
    let monitors = |limits: &mut Limits, _: &mut Rights| limits.monitors_max = 300;
    ends(&flood("call $process.monitor"), monitors, ExitReason::Limit("monitors_max"));
}

// 24
#[test]
fn memory_and_tables_grow_to_their_limits_and_no_further() {
    passes(
        r#"(table $one 1 funcref) (table $two 1 5 funcref)
        (func (export "_start") (local $i i32)
            (call $is (memory.grow (i32.const -1)) (i32.const -1))
            (call $is (memory.grow (i32.const 0x10000)) (i32.const -1))
            (call $is (table.grow $one (ref.null func) (i32.const -1)) (i32.const -1))
            (call $is (table.grow $one (ref.null func) (i32.const 99999)) (i32.const -1))
            ;; What a table's own maximum refuses does not count.
            (loop $more
                (call $is (table.grow $two (ref.null func) (i32.const 5)) (i32.const -1))
                (call $is (table.grow $two (ref.null func) (i32.const 50000)) (i32.const -1))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 100))))
            (call $is (table.grow $two (ref.null func) (i32.const 4)) (i32.const 1))
            (call $is (table.grow $one (ref.null func) (i32.const 99994)) (i32.const 1))
            (call $is (table.grow $one (ref.null func) (i32.const 1)) (i32.const -1)))"#,
    );
    alive();
}

#[test]
fn growth_that_can_never_be_does_not_win_back_what_was_granted() {
    let program = r#"(func (export "_start") (local $i i32)
        (loop $more
            (drop (memory.grow (i32.const 1)))
            (call $is (memory.grow (i32.const 0x10000)) (i32.const -1))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 100))))
        (call $is (memory.size) (i32.const 4)))"#;
    passes_limited(program, |limits, _| limits.memory_bytes_max = 0x4_0000);
    alive();
}

// 24
#[test]
fn two_memories_share_one_limit_and_the_one_named_memory_is_the_guests() {
    let program = r#"(memory $other 1) (memory $own (export "memory") 1)
        (data (memory $own) (i32.const 0) "abc")
        (func (export "_start")
            (call $message.create_data (i64.const 0) (i64.const 0))
            (drop (call $message.write_data (i32.const 0) (i32.const 3)))
            (drop (call $message.read_data (i32.const 3) (i32.const 3)))
            (call $is (i32.load8_u $own (i32.const 3)) (i32.const 97))
            (call $is (i32.load8_u $other (i32.const 3)) (i32.const 0))
            (call $is (memory.grow $other (i32.const 1)) (i32.const 1))
            (call $is (memory.grow $own (i32.const 2)) (i32.const -1))
            (call $is (memory.grow $own (i32.const 1)) (i32.const 1))
            (call $is (memory.grow $other (i32.const 1)) (i32.const -1)))"#;
    let config = config(|limits, _| limits.memory_bytes_max = 0x4_0000);
    check(&run_with(&module(program), config).expect("two pages are within the limit"));
    alive();
}

#[test]
fn an_instance_that_begins_above_a_limit_is_not_made() {
    let memories = "(memory 0)".repeat(17);
    let tables = "(table 0 funcref)".repeat(65);
    for fields in ["(table 100001 funcref)", &memories, &tables, "(memory 65537)"] {
        let wat = format!(r#"(module {fields} (func (export "_start")))"#);
        let Ok(module) = shared().compile(wat.as_bytes()) else { continue };
        let config = ProcessConfig::root(WasiConfig::default());
        let environment = shared().environment(1);
        assert!(shared().spawn_root(&environment, &module, "_start", config).is_err(), "{fields}");
    }
    alive();
}

#[test]
fn without_an_exported_memory_calls_that_need_one_trap_and_others_work() {
    for memory in [
        "",
        "(memory 1)",
        r#"(memory (export "other") 1)"#,
        r#"(global (export "memory") i32 (i32.const 0))"#,
    ] {
        let program = |call: &str| {
            format!(
                r#";; no memory
                {memory} (func (export "_start") {call})"#
            )
        };
        for call in [
            "(call $message.create_data (i64.const 0) (i64.const 0))
                (drop (call $message.write_data (i32.const 0) (i32.const 0)))",
            "(drop (call $p1.random_get (i32.const 0) (i32.const 0)))",
            "(drop (call $process.compile_module (i32.const 0) (i32.const 0) (i32.const 0)))",
            "(call $error.to_string (i64.const 0) (i32.const 0))",
        ] {
            let reason = run(&module(&program(call)));
            assert!(reason.to_string().contains("memory"), "{call}: {reason}");
        }
        check(&run(&module(&program(
            "(drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0)))",
        ))));
    }
    alive();
}

#[test]
fn a_start_section_that_never_ends_is_ended_with_its_spawner() {
    let child = r#"(module
        (import "lunatic::registry" "get" (func $get (param i32 i32 i32 i32) (result i32)))
        (import "lunatic::message" "create_data" (func $create (param i64 i64)))
        (import "lunatic::message" "send" (func $send (param i64) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "root")
        (func $init
            (drop (call $get (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 16)))
            (call $create (i64.const 3) (i64.const 0))
            (drop (call $send (i64.load (i32.const 16))))
            (loop br 0))
        (start $init))"#;
    let program = r#"(func (export "spawner") (param i64)
            (drop (call $spawn_code (i64.const 0) (i64.const -1) (call $compiled @code) @"go")))
        (func (export "_start") (local $spawner i64)
            (call $registry.put @"root" (i64.const 0) (call $process.process_id))
            (local.set $spawner (call $spawn_for_me (i64.const 0) @"spawner"))
            (call $process.monitor (local.get $spawner))
            (call $is (call $next_tagged (i64.const 3) (i64.const -1)) (i32.const 0))
            (call $process.kill (local.get $spawner))
            (call $is (call $next) (i32.const 2)))"#;
    check(&run(&module_with(program, &[("code", child)])));
    alive();
}

#[test]
fn stack_overflows_trap_also_beside_each_other_and_within_a_catch() {
    passes(
        r#"(table funcref (elem $deep))
        (func $deep (param $i i64) (result i64) (local i64 i64 i64 i64 i64 i64 i64)
            (i64.add (i64.const 1) (call $deep (local.get $i))))
        (func $overflow (drop (call $deep (i64.const 0))))
        (table $t funcref (elem $overflow))
        (func (export "_lunatic_catch_trap") (param i32 i32) (result i32)
            (call $overflow) (i32.const 1))
        (func (export "child") (param i64) (local $i i32)
            (loop $more
                (call $is (call $trap.catch (i32.const 0) (i32.const 0)) (i32.const 0))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 20))))
            (call $tell (local.get 0) (i64.const 1) (i64.const 1)))
        (func (export "_start") (local $i i32)
            (loop $more
                (drop (call $spawn_for_me (i64.const 1) @"child"))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 10))))
            (loop $more
                (call $expect (i64.const 1))
                (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                (br_if $more (local.get $i))))"#,
    );
    alive();
}

#[test]
fn memory_that_one_process_has_filled_is_zero_for_the_next() {
    for end in ["", "unreachable", "(call $p1.proc_exit (i32.const 0))", "(loop br 0)"] {
        passes(&format!(
            r#"(global $at (mut i32) (i32.const 0x10000))
            (func (export "dirty") (param $root i64)
                (drop (memory.grow (i32.const 9)))
                (loop $more
                    (if (i64.ne (i64.load (global.get $at)) (i64.const 0)) (then
                        (call $tell (local.get $root) (i64.const 1) (i64.const 666))))
                    (global.set $at (i32.add (global.get $at) (i32.const 8)))
                    (br_if $more (i32.lt_u (global.get $at) (i32.const 0xa0000))))
                (memory.fill (i32.const 0x10000) (i32.const 0xaa) (i32.const 0x90000))
                (call $tell (local.get $root) (i64.const 1) (i64.const 1))
                {end})
            (func (export "_start") (local $i i32) (local $child i64)
                (loop $more
                    (local.set $child (call $spawn_for_me (i64.const 0) @"dirty"))
                    (call $process.monitor (local.get $child))
                    (call $is (call $next_tagged (i64.const 1) (i64.const -1)) (i32.const 0))
                    (call $is64 (call $value) (i64.const 1))
                    (call $process.kill (local.get $child))
                    (call $is (call $next) (i32.const 2))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $more (i32.lt_u (local.get $i) (i32.const 40)))))"#
        ));
    }
}

#[test]
fn modules_made_to_break_a_compiler_are_compiled_or_refused() {
    let nested = format!(
        r#"(module (func (export "_start") {} {}))"#,
        "block ".repeat(5_000),
        "end ".repeat(5_000)
    );
    let parentheses = format!("(module (func {}", "(block ".repeat(100_000));
    let many = format!(r#"(module {} (func (export "_start")))"#, "(func)".repeat(5_000));
    let locals = format!("(module (func (local {})))", "i64 ".repeat(60_000));
    let params = format!("(module (func (param {})))", "i64 ".repeat(1_001));
    for wat in [nested, parentheses, many, locals, params] {
        if let Ok(module) = shared().compile(wat.as_bytes()) {
            let environment = shared().environment(1);
            let config = ProcessConfig::root(WasiConfig::default());
            let root = shared().spawn_root(&environment, &module, "_start", config);
            check(&root.expect("what compiles can be spawned").wait());
        }
    }
    alive();
}

#[test]
fn a_sender_at_a_full_mailbox_waits_and_can_be_killed_there() {
    let program = r#"(func (export "flood") (param i64) (loop $more
            (call $tell (local.get 0) (i64.const 1) (i64.const 1)) (br $more)))
        (func (export "_start") (local $flood i64)
            (local.set $flood (call $spawn_for_me (i64.const 0) @"flood"))
            (call $process.monitor (local.get $flood))
            (call $is (call $next) (i32.const 0))
            (call $process.sleep_ms (i64.const 2))
            (call $process.kill (local.get $flood))
            (loop $more (br_if $more (i32.eqz (call $next))))
            (call $is64 (call $message.get_process_id) (local.get $flood)))"#;
    let config = config(|limits, _| limits.mailbox_messages_max = 10);
    check(&run_with(&module(program), config).expect("it can be spawned"));
    alive();
}

#[test]
fn a_fork_bomb_meets_the_limit_of_the_node_and_leaves_it_usable() {
    let limits = NodeLimits { processes_max: 200, ..NodeLimits::default() };
    let options =
        Options { workers: Some(2), cache: CachePolicy::Off, limits, ..Options::default() };
    let runtime = Runtime::new(options).expect("a runtime starts");
    let spawn = |source: &str| {
        let module = runtime.compile(module(source).as_bytes()).expect("it is valid");
        let environment = runtime.environment(1);
        let config = ProcessConfig::root(WasiConfig::default());
        let root = runtime.spawn_root(&environment, &module, "_start", config);
        let reason = root.expect("there is room for one").wait();
        environment.kill_all();
        while !environment.processes().is_empty() {
            std::thread::yield_now();
        }
        reason
    };
    let bomb = r#"(func (export "bomb") (param i64)
            (loop $more
                (br_if $more (i32.eqz
                    (call $spawn_code (i64.const 0) (i64.const -1) (i64.const -1) @"bomb"))))
            (drop (call $next)))
        (func (export "_start")
            (loop $more
                (br_if $more (i32.eqz
                    (call $spawn_code (i64.const 0) (i64.const -1) (i64.const -1) @"bomb"))))
            (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"processes_max")
                (i32.const 1)))"#;
    for _ in 0..3 {
        assert_eq!(spawn(bomb), ExitReason::Normal);
    }
}
