//! `lunatic::wasi`: what a child is given of arguments, environment and directories.

use lunatic_engine::ProcessConfig;
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Preopen, WasiConfig};

use crate::common::guest::module;
use crate::common::{check, passes, run_with, traps};

/// Spawns `child` with a config that `make` fills, and waits for its answer.
fn with_child(make: &str, child: &str) -> String {
    format!(
        r#"(func (export "child") (param $root i64)
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

const ARGUMENT: &str = "call $wasi.config_add_command_line_argument (local.get $config)";
const VARIABLE: &str = "call $wasi.config_add_environment_variable (local.get $config)";
const DIRECTORY: &str = "call $wasi.config_preopen_dir (local.get $config)";

#[test]
fn a_child_sees_the_arguments_that_were_added_in_order_and_no_others() {
    passes(&with_child(
        &format!(r#"({ARGUMENT} @"one") ({ARGUMENT} @"two") ({ARGUMENT} @"one")"#),
        r#"(call $is (call $p1.args_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
        (call $is (i32.load (i32.const 0)) (i32.const 3))
        (call $is (i32.load (i32.const 4)) (i32.const 12))
        (call $is (call $p1.args_get (i32.const 16) (i32.const 64)) (i32.const 0))
        (call $is (call $same (i32.const 64) @"one\00two\00one\00") (i32.const 1))
        (call $is (i32.load (i32.const 20)) (i32.const 68))
        (call $is (call $p1.environ_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
        (call $is (i32.load (i32.const 0)) (i32.const 0))"#,
    ));
}

#[test]
fn a_child_sees_the_variables_that_were_added_with_duplicates() {
    passes(&with_child(
        &format!(r#"({VARIABLE} @"K" @"v") ({VARIABLE} @"K" @"")"#),
        r#"(call $is (call $p1.environ_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
        (call $is (i32.load (i32.const 0)) (i32.const 2))
        (call $is (call $p1.environ_get (i32.const 16) (i32.const 64)) (i32.const 0))
        (call $is (call $same (i32.const 64) @"K=v\00K=\00") (i32.const 1))
        (call $is (call $p1.args_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
        (call $is (i32.load (i32.const 0)) (i32.const 0))"#,
    ));
}

#[test]
fn a_child_of_the_own_configuration_sees_what_its_parent_sees() {
    let mut wasi = WasiConfig::default();
    wasi.push_arg("program").expect("an argument");
    wasi.push_env("K", "v").expect("a variable");
    let program = r#"(func (export "child")
            (call $is (call $p1.args_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
            (call $is64 (i64.load (i32.const 0)) (i64.const 0x800000001))
            (call $is (call $p1.environ_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0))
            (call $is64 (i64.load (i32.const 0)) (i64.const 0x400000001)))
        (func (export "_start")
            (call $process.monitor (call $spawn (i64.const 1) @"child"))
            (call $is (call $next) (i32.const 2)))"#;
    check(&run_with(&module(program), ProcessConfig::root(wasi)).expect("it can be spawned"));
}

#[test]
fn strings_are_checked() {
    let config = "(local $config i64) (local.set $config (call $process.create_config))";
    for (range, text) in [
        (r#"@"\ff""#, "not valid UTF-8"),
        ("(i32.const 0xffff) (i32.const 2)", "outside of the memory"),
        ("(i32.const 9) (i32.const -4)", "at most"),
    ] {
        for call in [
            format!("({ARGUMENT} {range})"),
            format!("({DIRECTORY} {range})"),
            format!(r#"({VARIABLE} @"key" {range})"#),
            format!(r#"({VARIABLE} {range} @"value")"#),
        ] {
            traps(&format!("{config} {call}"), text);
        }
    }
}

/// Runs a guest that has the directory `data` with `sub/file` in it, beside `secret`.
fn passes_with_directory(source: &str) {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let data = directory.path().join("data");
    std::fs::create_dir_all(data.join("sub")).expect("it is new");
    std::fs::write(data.join("sub/file"), "content").expect("it is new");
    std::fs::write(directory.path().join("secret"), "secret").expect("it is new");
    let opened = HostDirectory::open_ambient(&data).expect("it exists");
    let preopen = Preopen::new("data", opened, Access::FULL).expect("a good name");
    let mut wasi = WasiConfig::default();
    wasi.push_preopen(preopen).expect("the first");
    check(&run_with(&module(source), ProcessConfig::root(wasi)).expect("it can be spawned"));
}

#[test]
fn a_child_gets_a_directory_of_its_parent_or_one_below() {
    for (path, file) in [("data", "sub/file"), ("data/sub", "file"), ("data/", "sub/file")] {
        passes_with_directory(&with_child(
            &format!(r#"({DIRECTORY} @"{path}")"#),
            &format!(
                r#"(call $is (call $p1.fd_prestat_get (i32.const 3) (i32.const 0)) (i32.const 0))
                (call $is (i32.load (i32.const 4)) (i32.const {length}))
                (call $is (call $p1.fd_prestat_dir_name
                    (i32.const 3) (i32.const 64) (i32.const {length})) (i32.const 0))
                (call $is (call $same (i32.const 64) @"{path}") (i32.const 1))
                (call $is (call $p1.fd_prestat_get (i32.const 4) (i32.const 0)) (i32.const 8))
                (call $is (call $p1.path_open (i32.const 3) (i32.const 0) @"{file}"
                    (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))
                    (i32.const 0))
                (call $is (i32.eqz (call $p1.path_open (i32.const 3) (i32.const 0) @"../secret"
                    (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
                    (i32.const 0))"#,
                length = path.len()
            ),
        ));
    }
}

// 8, 12, 46: what cannot be given is an error for the spawner, which goes on.
#[test]
fn a_directory_that_the_parent_does_not_have_is_an_error_of_the_spawn() {
    for path in [
        "/",
        ".",
        "..",
        "~",
        "",
        "data/..",
        "data/../..",
        "data/missing",
        "data/sub/file",
        "data2",
        "dat",
        "/data",
        "./data",
        "data/sub/../..",
    ] {
        passes_with_directory(&format!(
            r#"(func (export "child") (param i64))
            (func (export "_start") (local $config i64)
                (local.set $config (call $process.create_config))
                ({DIRECTORY} @"{path}")
                (call $is
                    (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                    (i32.const 1))
                (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"directory")
                    (i32.const 1)))"#
        ));
    }
}

#[test]
fn a_string_with_a_nul_is_an_error_of_the_spawn() {
    for call in [
        format!(r#"({ARGUMENT} @"a\00b")"#),
        format!(r#"({VARIABLE} @"a\00b" @"v")"#),
        format!(r#"({VARIABLE} @"k" @"a\00b")"#),
    ] {
        passes(&format!(
            r#"(func (export "child") (param i64))
            (func (export "_start") (local $config i64)
                (local.set $config (call $process.create_config))
                {call}
                (call $is
                    (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                    (i32.const 1))
                (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"NUL") (i32.const 1)))"#
        ));
    }
}
