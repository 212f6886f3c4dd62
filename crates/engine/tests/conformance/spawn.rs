//! `lunatic::process::spawn`: parameters, checks and their order, what is told by which failure.

use lunatic_engine::ExitReason;

use crate::common::guest::module_with;
use crate::common::{
    check, config, passes, passes_limited, passes_with, reason, reason_limited, run_with, traps,
};

/// A spawn of `f` with a parameter block of the guest.
fn spawn_with(pointer: i32, length: i32) -> String {
    format!(
        r#"(call $process.spawn (i64.const 3) (i64.const -1) (i64.const -1) @"f"
            (i32.const {pointer}) (i32.const {length}) (i32.const 0))"#
    )
}

// 3.2
#[test]
fn parameters_are_passed_by_type_and_what_is_beyond_the_type_is_ignored() {
    passes(&format!(
        r#"(data (i32.const 100)
            "\7f\01\02\03\84\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff"
            "\7e\01\02\03\04\05\06\07\88\ee\ee\ee\ee\ee\ee\ee\ee"
            "\7b\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\0f\10")
        (func (export "f") (param i32 i64 v128)
            (call $is (i32.shr_u (local.get 0) (i32.const 16)) (i32.const 0x8403))
            (call $is (i32.and (local.get 0) (i32.const 0xffff)) (i32.const 0x0201))
            (call $is64 (local.get 1) (i64.const 0x8807060504030201))
            (call $is64 (i64x2.extract_lane 0 (local.get 2)) (i64.const 0x0807060504030201))
            (call $is64 (i64x2.extract_lane 1 (local.get 2)) (i64.const 0x100f0e0d0c0b0a09)))
        (func (export "_start")
            (call $is {spawn} (i32.const 0))
            (call $process.monitor (i64.load (i32.const 0)))
            (call $is (call $next) (i32.const 2)))"#,
        spawn = spawn_with(100, 51)
    ));
}

#[test]
fn a_block_of_no_parameters_may_lie_anywhere_up_to_the_end_of_the_memory() {
    for pointer in [0, 1, 0x10000] {
        passes(&format!(
            r#"(func (export "f")) (func (export "_start") (call $is {} (i32.const 0)))"#,
            spawn_with(pointer, 0)
        ));
    }
}

#[test]
fn a_malformed_parameter_block_traps() {
    let records = "is not made of 17-byte records";
    for (pointer, length, text) in [
        (0, 16, records),
        (0, 18, records),
        (0, 17, "parameters of type 0x0 cannot be passed"),
        (0x10000, 17, "outside of the memory"),
        (-17, 17, "outside of the memory"),
        (0x10001, 0, "outside of the memory"),
        (0, -1, "outside of the memory"),
    ] {
        traps(&format!("(drop {})", spawn_with(pointer, length)), text);
    }
    let (f32, f64, funcref, none) = (0x7d, 0x7c, 0x70, 0xff);
    for kind in [f32, f64, funcref, none] {
        let body =
            format!("(i32.store8 (i32.const 0) (i32.const {kind})) (drop {})", spawn_with(0, 17));
        traps(&body, "cannot be passed to a process");
    }
}

// 3.2
#[test]
fn an_entry_that_cannot_be_called_gives_a_child_that_fails() {
    for entry in [
        r#"(func (export "other"))"#,
        r#"(func (export "f") (param i32))"#,
        r#"(func (export "f") (param i32 i64 i64))"#,
        r#"(func (export "f") (param i64 i64))"#,
        r#"(func (export "f") (param f32 i64))"#,
        r#"(func (export "f") (param i32 i64) (result i32) unreachable)"#,
        r#"(global (export "f") i32 (i32.const 0))"#,
    ] {
        passes(&format!(
            r#"(data (i32.const 100) "\7f") (data (i32.const 117) "\7e")
            {entry}
            (func (export "_start")
                (call $process.die_when_link_dies (i32.const 0))
                (call $is {} (i32.const 0))
                (call $is (call $next) (i32.const 1))
                (call $is64 (call $message.get_tag) (i64.const 3)))"#,
            spawn_with(100, 34)
        ));
    }
}

#[test]
fn the_link_of_a_spawn_has_its_tag_for_the_parent_and_none_for_the_child() {
    passes(
        r#"(func (export "child") (param $root i64)
            (call $process.die_when_link_dies (i32.const 0))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1))
            (call $is (call $next) (i32.const 1))
            (call $is64 (call $message.get_tag) (i64.const 0))
            (call $tell (local.get $root) (i64.const 2) (i64.const 2)))
        (func (export "parent") (param $root i64)
            (i32.store8 (i32.const 0) (i32.const 0x7e))
            (i64.store (i32.const 1) (local.get $root))
            (call $is
                (call $process.spawn (i64.const 9) (i64.const -1) (i64.const -1) @"child"
                    (i32.const 0) (i32.const 17) (i32.const 32))
                (i32.const 0))
            (drop (call $next)) unreachable)
        (func (export "_start") (local $parent i64)
            (local.set $parent (call $spawn_for_me (i64.const 0) @"parent"))
            (call $expect (i64.const 1))
            (call $tell (local.get $parent) (i64.const 1) (i64.const 1))
            (call $expect (i64.const 2)))"#,
    );
}

#[test]
fn a_child_is_a_new_instance_whose_start_section_has_run() {
    passes(
        r#"(global $g (mut i32) (i32.const 5))
        (func $init
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))))
        (start $init)
        (func (export "child")
            (call $is (global.get $g) (i32.const 6))
            (call $is (i32.load (i32.const 0)) (i32.const 1)))
        (func (export "_start")
            (global.set $g (i32.const 70))
            (i32.store (i32.const 0) (i32.const 70))
            (call $process.monitor (call $spawn (i64.const 1) @"child"))
            (call $is (call $next) (i32.const 2)))"#,
    );
}

#[test]
fn without_the_right_to_spawn_a_spawn_traps() {
    let program = format!(
        r#"(table funcref (elem $spawned))
        (func $spawned (drop {spawn}))
        (func (export "f"))
        (func (export "_start")
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (drop {spawn}))"#,
        spawn = spawn_with(0, 0)
    );
    let reason = reason_limited(&program, |_, rights| {
        *rights = rights.with(lunatic_engine::Rights::SPAWN, false);
    });
    let ExitReason::Trap(trap) = reason else { panic!("{reason}") };
    assert!(trap.message.contains("may not spawn"), "{}", trap.message);
}

#[test]
fn ids_names_and_pointers_are_checked() {
    let spawn = |config: i64, module: i64, name: &str, id: i32| {
        format!(
            "(drop (call $process.spawn (i64.const 0) (i64.const {config}) (i64.const {module})
                {name} (i32.const 0) (i32.const 0) (i32.const {id})))"
        )
    };
    let f = r#"@"f""#;
    traps(&spawn(0, -1, f, 0), "this process has no config with id 0");
    traps(&spawn(-2, -1, f, 0), "this process has no config with id");
    traps(&spawn(-1, 0, f, 0), "this process has no module with id 0");
    traps(&spawn(-1, -1, r#"@"f\ff""#, 0), "not valid UTF-8");
    traps(&spawn(-1, -1, "(i32.const -1) (i32.const 2)", 0), "outside of the memory");
    traps(&spawn(-1, -1, f, 0xfff9), "outside of the memory");
    traps(&spawn(-1, -1, f, -1), "outside of the memory");
    // An empty name is a name: the child fails, not the parent.
    passes(&format!(
        r#"(func (export "_start") {})"#,
        spawn(-1, -1, "(i32.const 0x10000) (i32.const 0)", 0)
    ));
}

// 1.2: the spawn has happened when the pointer for its result turns out to be bad.
#[test]
fn a_trap_for_a_bad_result_pointer_leaves_the_child_running() {
    passes(
        r#"(table funcref (elem $bad))
        (func $bad
            (i32.store8 (i32.const 0) (i32.const 0x7e))
            (i64.store (i32.const 1) (call $process.process_id))
            (drop (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) @"child"
                (i32.const 0) (i32.const 17) (i32.const -1))))
        (func (export "child") (param i64)
            (call $tell (local.get 0) (i64.const 1) (i64.const 12)))
        (func (export "_start")
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $expect (i64.const 12)))"#,
    );
}

#[test]
fn a_start_section_that_traps_is_an_error_of_the_spawn() {
    let child =
        r#"(module (func $init unreachable) (start $init) (func (export "go") (param i64)))"#;
    passes_with(
        r#"(func (export "_start") (local $module i64)
            (local.set $module (call $compiled @child))
            (call $is (call $spawn_code (i64.const 1) (i64.const -1) (local.get $module) @"go")
                (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"unreachable") (i32.const 1))
            (call $error.drop (i64.load (i32.const 0x3f00))))"#,
        &[("child", child)],
    );
}

#[test]
fn nothing_is_spawned_from_a_start_section() {
    let child = r#"(module
        (import "lunatic::process" "spawn"
            (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func $init (drop (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
        (start $init))"#;
    passes_with(
        r#"(func (export "_start") (local $module i64)
            (local.set $module (call $compiled @child))
            (call $is (call $spawn_code (i64.const 1) (i64.const -1) (local.get $module) @"go")
                (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"start section")
                (i32.const 1)))"#,
        &[("child", child)],
    );
}

#[test]
fn a_process_that_ends_in_its_start_section_is_an_error_of_the_spawn() {
    let child = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func $init (call $exit (i32.const 0))) (start $init))"#;
    passes_with(
        r#"(func (export "_start")
            (call $is
                (call $spawn_code (i64.const 1) (i64.const -1) (call $compiled @child) @"go")
                (i32.const 1)))"#,
        &[("child", child)],
    );
}

#[test]
fn a_process_whose_memory_begins_above_its_limit_is_an_error_of_the_spawn() {
    let child = r#"(module (memory (export "memory") 2) (func (export "go") (param i64)))"#;
    let program = r#"(func (export "_start")
        (call $is
            (call $spawn_code (i64.const 1) (i64.const -1) (call $compiled @child) @"go")
            (i32.const 1))
        (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"memory limits")
            (i32.const 1)))"#;
    let wat = module_with(program, &[("child", child)]);
    let config = config(|limits, _| limits.memory_bytes_max = 0x1_0000);
    check(&run_with(&wat, config).expect("one page is within the limit"));
}

#[test]
fn a_module_is_compiled_dropped_and_still_used() {
    let child = r#"(module
        (import "lunatic::message" "create_data" (func $create (param i64 i64)))
        (import "lunatic::message" "send" (func $send (param i64) (result i32)))
        (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
        (func (export "go") (param i64)
            (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1)))
            (call $create (i64.const 31) (i64.const 0)) (drop (call $send (local.get 0)))))"#;
    passes_with(
        r#"(func (export "_start") (local $module i64)
            (local.set $module (call $compiled @child))
            (call $is64 (local.get $module) (i64.const 0))
            (call $is64 (call $compiled @child) (i64.const 1))
            (call $is (call $spawn_code (i64.const 1) (i64.const -1) (local.get $module) @"go")
                (i32.const 0))
            (call $process.drop_module (local.get $module))
            (call $tell (i64.load (i32.const 0x3f00)) (i64.const 0) (i64.const 0))
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.get_tag) (i64.const 31)))"#,
        &[("child", child)],
    );
}

#[test]
fn what_does_not_compile_is_an_error_with_its_cause() {
    for (module, text) in [
        ("no module", "does not parse"),
        (r"\00asm\0d\00\01\00", "component"),
        (r"\00asm\01\00\00\00\01", "not a valid"),
        (r"(module (func (result i32)))", "not a valid"),
        (r"(module (memory i64 1))", "not a valid"),
        (r"(module (memory 1 2 shared))", "not a valid"),
        (r"(module (import \22a\22 \22b\22 (func)))", "does not provide"),
        (r"(module (import \22lunatic::message\22 \22send\22 (func)))", "lunatic::message"),
        ("", "does not parse"),
    ] {
        passes(&format!(
            r#"(func (export "_start")
                (call $is (call $process.compile_module @"{module}" (i32.const 0)) (i32.const 1))
                (call $is (call $error_has (i64.load (i32.const 0)) @"{text}") (i32.const 1)))"#
        ));
    }
}

#[test]
fn without_the_right_to_compile_nothing_is_stored() {
    let program = r#"(func (export "_start")
        (i64.store (i32.const 0) (i64.const 5))
        (call $is (call $process.compile_module @"(module)" (i32.const 0)) (i32.const -1))
        (call $is64 (i64.load (i32.const 0)) (i64.const 5)))"#;
    passes_limited(program, |_, rights| {
        *rights = rights.with(lunatic_engine::Rights::COMPILE_MODULES, false);
    });
}

#[test]
fn compiling_checks_its_pointers_and_ids() {
    let compile = |range: &str, id: i32| {
        format!("(drop (call $process.compile_module {range} (i32.const {id})))")
    };
    traps(&compile("(i32.const 0xffff) (i32.const 2)", 0), "outside of the memory");
    traps(&compile("(i32.const 8) (i32.const 0x1fffffff)", 0), "outside of the memory");
    traps(&compile(r#"@"(module)""#, 0xfff9), "outside of the memory");
    traps(&compile(r#"@"nonsense""#, -8), "outside of the memory");
    for id in [0, -1] {
        traps(
            &format!("(call $process.drop_module (i64.const {id}))"),
            "this process has no module with id",
        );
    }
}

#[test]
fn an_exit_that_is_not_0_and_a_trap_are_failures_of_the_child() {
    for (end, code) in [
        ("(call $p1.proc_exit (i32.const 0))", 9027),
        ("", 9027),
        ("(call $p1.proc_exit (i32.const 1))", 1),
        ("(call $p1.proc_exit (i32.const 126))", 1),
        ("unreachable", 1),
    ] {
        passes(&format!(
            r#"(func (export "child") {end})
            (func (export "_start") (local $child i64)
                (call $process.die_when_link_dies (i32.const 0))
                (local.set $child (call $spawn (i64.const 4) @"child"))
                (call $process.monitor (local.get $child))
                ;; Links hear before monitors.
                (call $is (call $next) (i32.const {first}))
                (call $is (call $next_tagged (i64.const 4) (i64.const 0)) (i32.const 9027)))"#,
            first = if code == 1 { 1 } else { 2 }
        ));
    }
}

#[test]
fn a_failure_goes_along_the_links_with_its_reason() {
    let program = r#"(func (export "c") (call $p1.proc_exit (i32.const 77)))
        (func (export "b") (drop (call $spawn (i64.const 1) @"c")) (drop (call $next)))
        (func (export "_start") (drop (call $spawn (i64.const 1) @"b")) (drop (call $next)))"#;
    assert_eq!(reason(program), ExitReason::Exit(77));
}
