//! Redirections that programs set: in configurations, and of processes that run.

use std::sync::Arc;

use lunatic_engine::{ProcessConfig, Rights};
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::provider::scripted::ScriptedClock;
use lunatic_wasi::{Access, Preopen, WasiConfig};

use crate::common::guest::module;
use crate::common::{check, passes, passes_limited, run_with, traps};

/// `config_redirect` of `$config`, which gives `code`.
fn redirect(what: &str, target: &str, flags: u32, code: u32) -> String {
    format!(
        r#"(call $is
            (call $process.config_redirect (local.get $config) @"{what}" @"{target}"
                (i32.const {flags}) (i32.const 0x3f10))
            (i32.const {code}))"#
    )
}

/// A first process that spawns `child` with redirections and waits for its word. Both may spawn
/// and redirect; `$now` reads the clock.
fn parent(redirections: &str, child: &str, rest: &str) -> String {
    format!(
        r#"(func $now (result i64)
            (call $is
                (call $p1.clock_time_get (i32.const 0) (i64.const 0) (i32.const 8)) (i32.const 0))
            (i64.load (i32.const 8)))
        (func (export "child") (param $root i64) (local $config i64)
            {child} (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "grandchild") (param $above i64)
            (call $tell (local.get $above) (i64.const 1) (call $now)))
        (func (export "_start") (local $config i64) (local $child i64)
            (local.set $config (call $process.create_config))
            (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
            {redirections}
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (local.set $child (i64.load (i32.const 0x3f00)))
            {rest}
            (call $expect (i64.const 1)))"#
    )
}

/// Reads the clock of a grandchild that is spawned with the own configuration.
const OF_GRANDCHILD: &str = r#"
    (drop (call $spawn_for_me (i64.const 1) @"grandchild"))
    (call $is (call $next) (i32.const 0))"#;

/// Runs it as a program whose clock stands at 99.
fn passes_at_99(source: &str) {
    let mut wasi = WasiConfig::default();
    wasi.set_clock(Arc::new(ScriptedClock::fixed(99)));
    check(&run_with(&module(source), ProcessConfig::root(wasi)).expect("it can be spawned"));
}

#[test]
fn a_child_has_the_time_and_the_random_numbers_that_its_parent_chose() {
    let redirections = redirect("clock", "fixed:7", 0, 0) + &redirect("random", "seed:4", 0, 0);
    passes(&parent(
        &redirections,
        r#"(call $is64 (call $now) (i64.const 7)) (call $is64 (call $now) (i64.const 7))
        (call $is (call $p1.random_get (i32.const 16) (i32.const 8)) (i32.const 0))
        ;; The first number of SplitMix64 for this seed.
        (call $is64 (i64.load (i32.const 16)) (i64.const 0x6e73_e372_e233_8aca))"#,
        "(call $is64 (i64.extend_i32_u (i64.eq (call $now) (i64.const 7))) (i64.const 0))",
    ));
}

#[test]
fn descendants_inherit_a_redirection_unless_it_is_for_the_child_alone() {
    for (flags, seen) in [(0, 7), (1, 99)] {
        passes_at_99(&parent(
            &redirect("clock", "fixed:7", flags, 0),
            &format!(
                "(call $is64 (call $now) (i64.const 7)) {OF_GRANDCHILD}
                (call $is64 (call $value) (i64.const {seen}))"
            ),
            "(call $is64 (call $now) (i64.const 99))",
        ));
    }
}

#[test]
fn of_two_redirections_the_later_counts_and_own_is_what_the_parent_has() {
    let twice = redirect("clock", "fixed:7", 0, 0) + &redirect("clock", "fixed:8", 0, 0);
    passes_at_99(&parent(&twice, "(call $is64 (call $now) (i64.const 8))", ""));
    let own = redirect("clock", "fixed:7", 0, 0) + &redirect("clock", "own", 0, 0);
    passes_at_99(&parent(&own, "(call $is64 (call $now) (i64.const 99))", ""));
}

#[test]
fn without_the_right_nothing_can_be_redirected_and_the_error_names_it() {
    let denied = |call: &str| {
        format!(
            r#"(call $is {call} (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x3f10)) @"the right `redirect`")
                (i32.const 1))"#
        )
    };
    let calls = [
        r#"(call $process.config_redirect (local.get $config) @"stdout" @"null" (i32.const 0)
            (i32.const 0x3f10))"#,
        r#"(call $process.config_redirect_to_process (local.get $config) @"stdout" (i64.const 0)
            (call $process.process_id) (i64.const 0) (i32.const 0) (i32.const 0x3f10))"#,
        r#"(call $process.redirect (i64.const 0) (call $process.process_id) @"stdout" @"null"
            (i32.const 0) (i32.const 0x3f10))"#,
        r#"(call $process.redirect_to_process (i64.const 0) (call $process.process_id) @"stdout"
            (i64.const 0) (call $process.process_id) (i64.const 0) (i32.const 0)
            (i32.const 0x3f10))"#,
    ];
    let body: String = calls.iter().map(|call| denied(call)).collect();
    passes_limited(
        &format!(
            r#"(func (export "_start") (local $config i64)
            (local.set $config (call $process.create_config)) {body})"#
        ),
        |_, rights| *rights = rights.with(Rights::REDIRECT, false),
    );
}

#[test]
fn what_makes_no_sense_is_an_error_and_changes_nothing() {
    let mut odd = String::new();
    for (what, target) in [
        ("sound", "null"),
        ("stdout", "nowhere"),
        ("stdout", "seed:4"),
        ("dir:a", "null"),
        ("connect:tcp:here", "null"),
        ("host:a b", "null"),
        ("", ""),
    ] {
        odd += &redirect(what, target, 0, 1);
    }
    passes_at_99(&parent(&odd, "(call $is64 (call $now) (i64.const 99))", ""));
    let longest = "a".repeat(5000);
    passes(&parent(&redirect("stdin", &format!("text:{longest}"), 0, 1), "", ""));
}

#[test]
fn a_configuration_holds_so_many_redirections_and_no_more() {
    let mut many: String = (0..64).map(|n| redirect(&format!("env:V{n}"), "null", 0, 0)).collect();
    many += &redirect("env:MORE", "null", 0, 1);
    passes(&parent(&many, "", ""));
}

#[test]
fn what_the_abi_does_not_have_traps() {
    let config = "(call $process.create_config)";
    let call = |config: &str, flags: u32, error: &str| {
        format!(
            r#"(drop (call $process.config_redirect {config} @"stdout" @"null" (i32.const {flags})
            (i32.const {error})))"#
        )
    };
    traps(&call("(i64.const 77)", 0, "0"), "no config with id 77");
    traps(&call(config, 2, "0"), "flags");
    traps(&call(config, 0, "-1"), "outside of the memory");
    traps(
        &format!(
            "(drop (call $process.config_redirect {config} (i32.const -8) (i32.const 9)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))"
        ),
        "outside of the memory",
    );
    let asked = |flags: u32| {
        format!(
            r#"(drop (call $process.redirect_to_process (i64.const 0) (i64.const 1) @"stdout"
            (i64.const 0) (i64.const 1) (i64.const 0) (i32.const {flags}) (i32.const 0)))"#
        )
    };
    traps(&asked(4), "flags");
}

/// `redirect` of a process, which gives `code`.
fn change(whom: &str, what: &str, target: &str, code: u32) -> String {
    format!(
        r#"(call $is
            (call $process.redirect (i64.const 0) {whom} @"{what}" @"{target}" (i32.const 0)
                (i32.const 0x3f10))
            (i32.const {code}))"#
    )
}

#[test]
fn a_process_that_runs_sees_a_redirection_with_its_next_call_and_hands_it_on() {
    passes_at_99(&parent(
        "",
        &format!(
            "(call $is64 (call $now) (i64.const 99))
            (call $tell (local.get $root) (i64.const 1) (i64.const 2))
            (call $expect (i64.const 3))
            (call $is64 (call $now) (i64.const 5)) {OF_GRANDCHILD}
            (call $is64 (call $value) (i64.const 5))
            (call $tell (local.get $root) (i64.const 1) (i64.const 4))
            (call $expect (i64.const 5))
            ;; A child is spawned before this process makes another call.
            {OF_GRANDCHILD} (call $is64 (call $value) (i64.const 6))"
        ),
        &format!(
            "(call $expect (i64.const 2)) {}
            (call $tell (local.get $child) (i64.const 1) (i64.const 3))
            (call $expect (i64.const 4)) {}
            (call $tell (local.get $child) (i64.const 1) (i64.const 5))",
            change("(local.get $child)", "clock", "fixed:5", 0),
            change("(local.get $child)", "clock", "fixed:6", 0),
        ),
    ));
}

#[test]
fn a_process_can_redirect_itself() {
    passes_at_99(&parent(
        "",
        "",
        &format!(
            "{} (call $is64 (call $now) (i64.const 3))",
            change("(call $process.process_id)", "clock", "fixed:3", 0)
        ),
    ));
}

#[test]
fn only_descendants_can_be_redirected() {
    // The child, which may redirect by its parent's own configuration, tries its parent.
    passes(&format!(
        r#"(func (export "child") (param $root i64)
            {} (call $is (call $error_has (i64.load (i32.const 0x3f10)) @"descendants")
                (i32.const 1))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start")
            {}
            (drop (call $spawn_for_me (i64.const 1) @"child"))
            (call $expect (i64.const 1)))"#,
        change("(local.get $root)", "clock", "fixed:3", 1),
        change("(i64.const 999999999)", "clock", "fixed:3", 1),
    ));
}

/// A program with the directory `data`, which may or may not be for writing.
fn passes_in(directory: &tempfile::TempDir, access: Access, source: &str) {
    let opened = HostDirectory::open_ambient(directory.path()).expect("it exists");
    let mut wasi = WasiConfig::default();
    let preopen = Preopen::new("data", opened, access).expect("a good name");
    wasi.push_preopen(preopen).expect("the first");
    check(&run_with(&module(source), ProcessConfig::root(wasi)).expect("it can be spawned"));
}

/// Writes "hello" to standard output.
const HELLO: &str = r#"
    (i32.store (i32.const 0) (i32.const 32)) (i32.store (i32.const 4) (i32.const 5))
    (i64.store (i32.const 32) (i64.const 0x6f6c6c6568))
    (call $is
        (call $p1.fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))
        (i32.const 0))"#;

#[test]
fn a_file_that_a_parent_names_is_one_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let source = parent(&redirect("stdout", "file:data/out", 0, 0), HELLO, "");
    passes_in(&directory, Access::FULL, &source);
    passes_in(&directory, Access::FULL, &source);
    let written = std::fs::read_to_string(directory.path().join("out")).expect("it was made");
    assert_eq!(written, "hellohello");
}

#[test]
fn a_file_that_a_parent_cannot_reach_is_refused_at_the_spawn() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    std::fs::write(directory.path().join("there"), "").expect("it is new");
    let spawn = |what: &str, target: &str| {
        format!(
            r#"(func (export "child") (param i64))
            (func (export "_start") (local $config i64)
                (local.set $config (call $process.create_config))
                {}
                (call $is
                    (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                    (i32.const 1)))"#,
            redirect(what, target, 0, 0)
        )
    };
    for target in ["file:/etc/passwd", "file:data/../out", "file:elsewhere", "file:data"] {
        passes_in(&directory, Access::FULL, &spawn("stdout", target));
    }
    for what in ["stdout", "file:data/*"] {
        passes_in(&directory, Access::READ, &spawn(what, "file:data/there"));
    }
    // There are no sinks in this runtime, and a name is no address.
    passes_in(&directory, Access::FULL, &spawn("stdout", "tcp:127.0.0.1:9"));
}

#[test]
fn what_a_child_redirects_goes_through_what_its_parent_has_redirected() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let source = format!(
        r#"(func (export "grandchild") (param $above i64)
            {HELLO} (call $tell (local.get $above) (i64.const 1) (i64.const 1)))
        (func (export "child") (param $root i64) (local $config i64)
            (local.set $config (call $process.create_config))
            {inner}
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"grandchild")
                (i32.const 0))
            (call $expect (i64.const 1))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start")
            {outer}
            (drop (call $spawn_for_me (i64.const 1) @"child"))
            (call $expect (i64.const 1)))"#,
        inner = redirect("stdout", "file:data/out", 0, 0),
        outer = change("(call $process.process_id)", "file:data/out", "file:data/real", 0),
    );
    passes_in(&directory, Access::FULL, &source);
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).ok();
    assert_eq!((read("out"), read("real").as_deref()), (None, Some("hello")));
}
