//! Rights of processes: each that guests can be given, denied and allowed, and what a denied call
//! looks like.

use lunatic_engine::ProcessConfig;
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Preopen, WasiConfig};

use crate::common::guest::module;
use crate::common::{check, passes, run_with};
use crate::network_rights::{EMPTY, with_child};

const HELPERS: &str = r#"
    (func $allow_right (param $config i64) (param $at i32) (param $length i32) (result i32)
        (call $process.config_allow (local.get $config) (local.get $at) (local.get $length)
            (i32.const 0x3010)))
    (func $deny_right (param $config i64) (param $at i32) (param $length i32) (result i32)
        (call $process.config_deny (local.get $config) (local.get $at) (local.get $length)
            (i32.const 0x3010)))"#;

/// A child of an empty config, without the right and with it: `test` is `denied` and `allowed`.
fn differs(right: &str, test: &str, denied: &str, allowed: &str) {
    for (grant, expected) in [(false, denied), (true, allowed)] {
        let mut make = "(local.set $config (call $process.create_empty_config))".to_owned();
        if grant {
            make += &format!(
                r#"(call $is (call $allow_right (local.get $config) @"{right}") (i32.const 0))"#
            );
        }
        let child = format!("(call $is {test} (i32.const {expected}))");
        passes(&format!("{HELPERS}{}", with_child(&make, &child)));
    }
}

#[test]
fn each_right_is_denied_without_and_allowed_with_it() {
    let iovec = "(i32.store (i32.const 0x3020) (i32.const 0)) \
                 (i32.store (i32.const 0x3024) (i32.const 1))";
    let write = |fd: u32| {
        format!(
            "(block (result i32) {iovec} (call $p1.fd_write (i32.const {fd}) (i32.const 0x3020) \
             (i32.const 1) (i32.const 0x3030)))"
        )
    };
    differs("stdout", &write(1), "76", "0");
    differs("stderr", &write(2), "76", "0");
    let time = "(block (result i32) (drop (call $p1.clock_time_get (i32.const 0) (i64.const 1) \
                (i32.const 0x3040))) (i64.eqz (i64.load (i32.const 0x3040))))";
    differs("clocks", time, "1", "0");
    let random = "(block (result i32) \
        (drop (call $p1.random_get (i32.const 0x3040) (i32.const 8))) \
        (drop (call $p1.random_get (i32.const 0x3048) (i32.const 8))) \
        (i64.eq (i64.load (i32.const 0x3040)) (i64.load (i32.const 0x3048))))";
    differs("random", random, "1", "0");
    let register = r#"(block (result i32)
        (call $process.own_pid (i32.const 0x3040))
        (call $registry.register @"name"
            (i64.load (i32.const 0x3040)) (i64.load (i32.const 0x3048))))"#;
    differs("names", register, "2", "0");
    let timer = "(block (result i32) (call $message.create_data (i64.const 1) (i64.const 0)) \
        (call $timer.start (i64.const 0) (i64.const 0) (i64.const 0) (i32.const 0x3040)))";
    differs("timers", timer, "1", "0");
    let open = r#"(i32.wrap_i64 (call $sqlite.open @":memory:" (i32.const 0x3040)))"#;
    differs("sqlite", open, "1", "0");
    let configs = "(i32.wrap_i64 (call $process.create_empty_config))";
    differs("configs", configs, "-1", "0");
}

#[test]
fn a_right_that_cannot_be_read_is_an_error_and_one_can_be_taken_away_again() {
    passes(&format!(
        r#"{HELPERS}
        (func (export "_start") (local $config i64)
            (local.set $config (call $process.create_config))
            (call $is (call $allow_right (local.get $config) @"spawm") (i32.const 1))
            (call $is (call $error_has (call $out) @"is no right") (i32.const 1))
            (call $is (call $deny_right (local.get $config) @"connect:tcp") (i32.const 1))
            (call $is (call $allow_right (local.get $config) @"spawn") (i32.const 0))
            (call $is (call $process.config_can_spawn_processes (local.get $config))
                (i32.const 1))
            (call $is (call $deny_right (local.get $config) @"spawn") (i32.const 0))
            (call $is (call $process.config_can_spawn_processes (local.get $config))
                (i32.const 0)))"#
    ));
}

#[test]
fn an_alias_in_a_message_is_taken_out_once_and_as_it_was_put_in() {
    passes(
        r#"(func (export "_start")
            (call $process.alias (i32.const 0) (i32.const 0x3040))
            (call $process.own_pid (i32.const 0x3060))
            (call $message.create_data (i64.const 1) (i64.const 0))
            (call $is64 (call $message.push_alias
                (i64.load (i32.const 0x3040)) (i64.load (i32.const 0x3048))) (i64.const 0))
            (call $message.take_alias (i64.const 0) (i32.const 0x3050))
            (call $is64 (i64.load (i32.const 0x3058)) (i64.load (i32.const 0x3048))))"#,
    );
}

const DIRECTORY_HELPERS: &str = r#"
    (func $open (param $create i32) (param $rights i64) (param $at i32) (param $length i32)
        (result i32)
        (call $p1.path_open (i32.const 3) (i32.const 0) (local.get $at) (local.get $length)
            (local.get $create) (local.get $rights) (i64.const 0) (i32.const 0)
            (i32.const 0x3040)))"#;

/// Runs a guest that has a directory `data` with a file `file` in it, and the variable `K`.
fn passes_with_files(source: &str) {
    let directory = tempfile::tempdir().expect("a directory for the test");
    std::fs::write(directory.path().join("file"), "content").expect("it is new");
    let opened = HostDirectory::open_ambient(directory.path()).expect("it exists");
    let preopen = Preopen::new("data", opened, Access::FULL).expect("a good name");
    let mut wasi = WasiConfig::default();
    wasi.push_preopen(preopen).expect("the first");
    wasi.push_env("K", "v").expect("a variable");
    check(&run_with(&module(source), ProcessConfig::root(wasi)).expect("it can be spawned"));
}

#[test]
fn each_right_to_files_allows_what_it_says_and_nothing_else() {
    // Results of: reading a file, writing one, making a directory, removing a file.
    for (rights, expected) in [
        (&["read:data"][..], [0, 69, 69, 69]),
        (&["read:data", "create:data"], [0, 76, 0, 76]),
        (&["write:data"], [2, 0, 76, 76]),
        (&["remove:data"], [2, 76, 76, 0]),
        (&["files:data"], [0, 0, 0, 0]),
    ] {
        let grant: String = rights
            .iter()
            .map(|right| {
                format!(
                    r#"(call $is (call $allow_right (local.get $config) @"{right}") (i32.const 0))"#
                )
            })
            .collect();
        let [read, write, make, remove] = expected;
        let child = format!(
            r#"(call $is (call $open (i32.const 0) (i64.const 2) @"file") (i32.const {read}))
            (call $is (call $open (i32.const 0) (i64.const 64) @"file") (i32.const {write}))
            (call $is (call $p1.path_create_directory (i32.const 3) @"new") (i32.const {make}))
            (call $is (call $p1.path_unlink_file (i32.const 3) @"file") (i32.const {remove}))"#
        );
        let make = format!("{EMPTY} {grant}");
        passes_with_files(&format!("{HELPERS}{DIRECTORY_HELPERS}{}", with_child(&make, &child)));
    }
}

#[test]
fn a_directory_and_a_variable_that_were_given_can_be_taken_back() {
    let make = format!(
        r#"{EMPTY}
        (call $is (call $allow_right (local.get $config) @"files:data") (i32.const 0))
        (call $is (call $allow_right (local.get $config) @"env:*") (i32.const 0))
        (call $is (call $deny_right (local.get $config) @"files:data") (i32.const 0))
        (call $is (call $deny_right (local.get $config) @"read:data") (i32.const 1))
        (call $is (call $deny_right (local.get $config) @"env:K") (i32.const 0))"#
    );
    let child = r#"(call $is (call $p1.fd_prestat_get (i32.const 3) (i32.const 0)) (i32.const 8))
        (call $is (call $p1.environ_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
        (call $is (i32.load (i32.const 0)) (i32.const 0))"#;
    passes_with_files(&format!("{HELPERS}{}", with_child(&make, child)));
    let make = format!(
        r#"{EMPTY}
        (call $is (call $allow_right (local.get $config) @"env:K") (i32.const 0))"#
    );
    let child = r#"(call $is (call $p1.environ_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
        (call $is (i32.load (i32.const 0)) (i32.const 1))"#;
    passes_with_files(&format!("{HELPERS}{}", with_child(&make, child)));
}

#[test]
fn a_guessed_pid_is_worth_nothing_to_a_sandbox_and_one_that_is_handed_over_can_be_sent_to() {
    passes(
        r#"(func (export "victim")
            (call $expect (i64.const 7)))
        (func (export "child") (param $root i64) (local $victim i64)
            (call $is (call $next) (i32.const 0))
            (local.set $victim (call $value))
            (call $process.kill (local.get $victim))
            (call $process.exit (i64.const 0) (local.get $victim)
                (i32.const 2) (i32.const 0) (i32.const 0))
            (call $tell (local.get $victim) (i64.const 1) (i64.const 6))
            (call $is (call $process.is_alive (i64.const 0) (local.get $victim)) (i32.const 0))
            (call $is (call $process.exists (local.get $victim)) (i32.const 0))
            (call $is (call $process.suspend (i64.const 0) (local.get $victim)
                (i32.const 0x3010)) (i32.const 1))
            (call $is (call $process.processes (i32.const 0) (i32.const 0)) (i32.const 1))
            (call $process.kill (local.get $root))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1))
            (call $is (call $next) (i32.const 0))
            (call $message.take_process (i64.const 0) (i32.const 0x3050))
            (call $is64 (i64.load (i32.const 0x3058)) (local.get $victim))
            (call $tell (local.get $victim) (i64.const 1) (i64.const 7)))
        (func (export "_start") (local $victim i64) (local $child i64)
            (local.set $victim (call $spawn (i64.const 0) @"victim"))
            (call $process.monitor (local.get $victim))
            (call $is
                (call $spawn_code (i64.const 1) (call $process.create_empty_config)
                    (i64.const -1) @"child")
                (i32.const 0))
            (local.set $child (i64.load (i32.const 0x3f00)))
            (call $tell (local.get $child) (i64.const 1) (local.get $victim))
            (call $expect (i64.const 1))
            (call $is (call $process.exists (local.get $victim)) (i32.const 1))
            (call $message.create_data (i64.const 1) (i64.const 0))
            (call $is64 (call $message.push_process (i64.const 0) (local.get $victim))
                (i64.const 0))
            (call $is (call $message.send (local.get $child)) (i32.const 0))
            (call $is (call $next) (i32.const 2))
            (call $is64 (call $message.get_process_id) (local.get $victim)))"#,
    );
}
