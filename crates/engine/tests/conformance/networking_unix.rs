//! Unix sockets: in the tables of TCP, reached through the process's own directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use lunatic_engine::ProcessConfig;
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Preopen, WasiConfig};

use crate::common::guest::module;
use crate::common::{check, passes, run_with, traps};

/// Runs a guest that knows a directory as `/d`.
fn passes_in(directory: &Path, access: Access, source: &str) {
    let opened = HostDirectory::open_ambient(directory).expect("the directory is there");
    let mut wasi = WasiConfig::default();
    wasi.push_preopen(Preopen::new("/d", opened, access).expect("the name is good"))
        .expect("one directory is not too many");
    let reason = run_with(&module(source), ProcessConfig::root(wasi));
    check(&reason.expect("the module can be spawned"));
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

/// The codes of a bind and of a connect.
const CALLS: &str = "(func $bind_at (param $at i32) (param $length i32) (result i32)
    (call $networking.unix_bind (local.get $at) (local.get $length) (i32.const 0x3010)))
(func $connect_to (param $at i32) (param $length i32) (param $timeout i64) (result i32)
    (call $networking.unix_connect
        (local.get $at) (local.get $length) (local.get $timeout) (i32.const 0x3010)))
(func $accept_here (param $listener i64) (result i32)
    (call $networking.tcp_accept (local.get $listener) (i32.const 0x3010) (i32.const 0x3018)))
(func $unix_pair
    (call $is (call $bind_at @\"/d/socket\") (i32.const 0))
    (call $is64 (call $out) (i64.const 0))
    (call $is (call $connect_to @\"/d/socket\" (i64.const -1)) (i32.const 0))
    (call $is64 (call $out) (i64.const 0))
    (call $is (call $accept_here (i64.const 0)) (i32.const 0))
    (call $is64 (call $out) (i64.const 1)))";

#[cfg(target_os = "linux")]
#[test]
fn a_unix_stream_does_all_that_a_tcp_stream_does() {
    let program = format!(
        r#"{CALLS}
        (func (export "child") (call $put (call $take_stream) @"moved"))
        (func (export "_start")
            (call $unix_pair)
            (call $put (i64.const 0) @"hello")
            (call $is (call $tcp_peek (i64.const 1) (i32.const 3)) (i32.const 0))
            (call $is64 (call $out) (i64.const 3))
            (call $is (call $same (i32.const 0) @"hel") (i32.const 1))
            (call $get (i64.const 1) @"hello")
            (call $networking.set_peek_timeout (i64.const 1) (i64.const 1))
            (call $is (call $tcp_peek (i64.const 1) (i32.const 3)) (i32.const 9027))
            (call $networking.set_read_timeout (i64.const 1) (i64.const 1))
            (call $is (call $tcp_read (i64.const 1) (i32.const 3)) (i32.const 9027))
            (call $networking.set_read_timeout (i64.const 1) (i64.const -1))
            (call $give_stream (call $networking.clone_tcp_stream (i64.const 0))
                (call $spawn (i64.const 1) @"child"))
            (call $get (i64.const 1) @"moved")
            (call $is
                (call $networking.tcp_shutdown (i64.const 0) (i32.const 1) (i32.const 0x3010))
                (i32.const 0))
            (call $is (call $tcp_peek (i64.const 1) (i32.const 3)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $get_end (i64.const 1)))"#
    );
    passes_in(directory().path(), Access::FULL, &program);
}

#[cfg(target_os = "linux")]
#[test]
fn what_has_to_do_with_addresses_is_an_error_that_says_so() {
    let no_address = r#"(call $is
        (call $error_has (call $out) @"no address of the network") (i32.const 1))"#;
    let program = format!(
        r#"{CALLS}
        (func (export "_start")
            (call $unix_pair)
            ;; The peer of an accepted stream is an iterator over nothing.
            (call $is
                (call $networking.resolve_next (i64.load (i32.const 0x3018)) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
                (i32.const 1))
            (call $is (call $networking.tcp_peer_addr (i64.const 0) (i32.const 0x3010)) (i32.const 1))
            {no_address}
            (call $is
                (call $networking.tcp_stream_local_addr (i64.const 1) (i32.const 0x3010))
                (i32.const 1))
            {no_address}
            (call $is
                (call $networking.tcp_local_addr (i64.const 0) (i32.const 0x3010)) (i32.const 1))
            {no_address}
            (call $is
                (call $networking.set_tcp_nodelay (i64.const 0) (i32.const 1) (i32.const 0x3010))
                (i32.const 1)))"#
    );
    passes_in(directory().path(), Access::FULL, &program);
}

#[cfg(target_os = "linux")]
#[test]
fn accepting_times_out_and_a_stalled_connect_does() {
    let directory = directory();
    // It has room for one connection, and nobody accepts.
    let full = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)
        .expect("a socket can be made");
    let path = socket2::SockAddr::unix(directory.path().join("full")).expect("the path is short");
    full.bind(&path).and_then(|()| full.listen(0)).expect("it can listen");
    let program = format!(
        r#"{CALLS}
        (func (export "_start")
            (call $is (call $bind_at @"/d/socket") (i32.const 0))
            (call $networking.set_accept_timeout (i64.const 0) (i64.const 0))
            (call $is (call $accept_here (i64.const 0)) (i32.const 9027))
            (call $is (call $connect_to @"/d/socket" (i64.const -1)) (i32.const 0))
            (call $is (call $accept_here (i64.const 0)) (i32.const 0))
            (call $is (call $connect_to @"/d/full" (i64.const -1)) (i32.const 0))
            (call $is (call $connect_to @"/d/full" (i64.const 20)) (i32.const 9027)))"#
    );
    passes_in(directory.path(), Access::FULL, &program);
}

#[cfg(target_os = "linux")]
#[test]
fn the_file_of_a_socket_stays_and_the_place_is_free_when_it_is_removed() {
    let program = format!(
        r#"{CALLS}
        (func (export "_start")
            (call $is (call $bind_at @"/d/socket") (i32.const 0))
            (call $networking.drop_tcp_listener (i64.const 0))
            (call $is (call $connect_to @"/d/socket" (i64.const -1)) (i32.const 1))
            (call $is (call $error_has (call $out) @"refused") (i32.const 1))
            (call $is (call $bind_at @"/d/socket") (i32.const 1))
            (call $is (call $error_has (call $out) @"/d/socket") (i32.const 1))
            (call $is (call $error_has (call $out) @"in use") (i32.const 1))
            (call $is (call $p1.path_unlink_file (i32.const 3) @"socket") (i32.const 0))
            (call $is (call $bind_at @"/d/socket") (i32.const 0)))"#
    );
    passes_in(directory().path(), Access::FULL, &program);
}

/// A socket on which the test listens, beside the directory `inside` that the guest is given; in
/// that, links that lead to it.
fn prison() -> (tempfile::TempDir, UnixListener) {
    let host = directory();
    let (inside, outside) = (host.path().join("inside"), host.path().join("outside"));
    fs::create_dir_all(inside.join("sub")).expect("a directory can be made");
    fs::create_dir(&outside).expect("a directory can be made");
    let listener = UnixListener::bind(outside.join("secret")).expect("the path is short");
    listener.set_nonblocking(true).expect("it is a socket");
    symlink(outside.join("secret"), inside.join("link")).expect("a link can be made");
    symlink("../outside/secret", inside.join("relative")).expect("a link can be made");
    symlink(&outside, inside.join("folder")).expect("a link can be made");
    symlink("../outside/new", inside.join("dangling")).expect("a link can be made");
    (host, listener)
}

#[test]
fn no_path_of_a_socket_leads_out_of_its_directory() {
    let (host, listener) = prison();
    let absolute = host.path().join("outside/secret");
    for path in [
        "/d/../outside/secret",
        "/d/sub/../../outside/secret",
        "/d/link",
        "/d/relative",
        "/d/folder/secret",
        "/d/folder/new",
        "/d/dangling",
        "/d/..",
        "/d/.",
        "/d",
        "/d/",
        "d/secret",
        "",
        absolute.to_str().expect("it is text"),
    ] {
        let program = format!(
            r#"{CALLS}
            (func (export "_start")
                (call $is (call $connect_to @"{path}" (i64.const -1)) (i32.const 1))
                (call $error.drop (call $out))
                (call $is (call $bind_at @"{path}") (i32.const 1)))"#
        );
        passes_in(&host.path().join("inside"), Access::FULL, &program);
        let error = listener.accept().expect_err("nobody has come in");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{path}");
    }
    let names = fs::read_dir(host.path().join("outside")).expect("it is there").count();
    assert_eq!(names, 1, "something was made outside");
}

#[test]
fn a_directory_that_is_for_reading_only_and_one_that_is_not_there_have_no_sockets() {
    let directory = directory();
    let _listener = UnixListener::bind(directory.path().join("socket")).expect("it is short");
    let program = format!(
        r#"{CALLS}
        (func (export "_start")
            (call $is (call $connect_to @"/d/socket" (i64.const -1)) (i32.const 1))
            (call $is (call $error_has (call $out) @"reading only") (i32.const 1))
            (call $is (call $bind_at @"/d/new") (i32.const 1))
            (call $is (call $error_has (call $out) @"reading only") (i32.const 1)))"#
    );
    passes_in(directory.path(), Access::READ, &program);
    passes(&format!(
        r#"{CALLS}
        (func (export "_start")
            (call $is (call $bind_at @"/d/new") (i32.const 1))
            (call $is (call $error_has (call $out) @"none of the directories") (i32.const 1)))"#
    ));
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_connected_to_is_an_error_with_its_cause() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").expect("a file can be made");
    let long = "x".repeat(200);
    let program = format!(
        r#"{CALLS}
        (func (export "_start")
            (call $is (call $connect_to @"/d/nothing" (i64.const -1)) (i32.const 1))
            (call $is (call $error_has (call $out) @"there is no ") (i32.const 1))
            (call $is (call $connect_to @"/d/file" (i64.const -1)) (i32.const 1))
            (call $is (call $error_has (call $out) @"/d/file") (i32.const 1))
            (call $is (call $bind_at @"/d/file") (i32.const 1))
            (call $is (call $bind_at @"/d/{long}") (i32.const 1))
            (call $is (call $bind_at @"/d/a\00b") (i32.const 1))
            (call $is (call $connect_to @"/d/a\00b" (i64.const -1)) (i32.const 1))
            (call $is (call $bind_at (i32.const 0) (i32.const 5000)) (i32.const 1))
            (call $is (call $error_has (call $out) @"too long") (i32.const 1)))"#
    );
    passes_in(directory.path(), Access::FULL, &program);
}

#[test]
fn bad_pointers_and_paths_trap() {
    for (path, out, text) in [
        ("(i32.const 0xffff) (i32.const 2)", "(i32.const 0)", "outside of the memory"),
        ("(i32.const 0) (i32.const 1)", "(i32.const 0xfff9)", "outside of the memory"),
        (r#"@"\ff""#, "(i32.const 0)", "UTF-8"),
    ] {
        traps(&format!("(drop (call $networking.unix_bind {path} {out}))"), text);
        let call = format!("(drop (call $networking.unix_connect {path} (i64.const 0) {out}))");
        traps(&call, text);
    }
}
