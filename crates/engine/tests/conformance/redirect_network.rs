//! Connections and names that lead elsewhere.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use lunatic_engine::{Access, NetworkRights, ProcessConfig};
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::{check, passes, run_with};

/// Spawns `child` with redirections: texts, and what the root answers.
fn parent(texts: &[(&str, &str)], asked: &[&str], child: &str, rest: &str) -> String {
    let mut redirections = String::new();
    for (what, target) in texts {
        redirections += &format!(
            r#"(call $is
                (call $process.config_redirect (local.get $config) @"{what}" @"{target}"
                    (i32.const 0) (i32.const 0x3f10))
                (i32.const 0))"#
        );
    }
    for what in asked {
        redirections += &format!(
            r#"(call $is
                (call $process.config_redirect_to_process (local.get $config) @"{what}"
                    (i64.const 0) (call $process.process_id) (i64.const 0) (i32.const 2)
                    (i32.const 0x3f10))
                (i32.const 0))"#
        );
    }
    format!(
        r#"(func (export "child") (param $root i64) (local $stream i64)
            {child} (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        ;; The next request, which must be that; the reference is at 0x400.
        (func $asked (param $wanted i32) (param $length i32)
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.get_tag) (i64.const -1))
            (call $is
                (call $message.read_data (i32.const 0x400) (i32.const 0x400))
                (i32.add (i32.const 16) (local.get $length)))
            (call $is
                (call $same (i32.const 0x410) (local.get $wanted) (local.get $length))
                (i32.const 1)))
        ;; Sends the message in the slot as the answer.
        (func $answer
            (call $is
                (call $message.send_alias (i64.load (i32.const 0x400)) (i64.load (i32.const 0x408))
                    (i32.const 0) (i64.const -1))
                (i32.const 0)))
        (func $reply (param $reply i32) (param $length i32)
            (call $message.create_data (i64.const -3) (i64.const 0))
            (drop (call $message.write_data (local.get $reply) (local.get $length))))
        ;; The code of a look-up; its id is at 0x3010.
        (func $resolve (param $name i32) (param $length i32) (result i32)
            (call $networking.resolve (local.get $name) (local.get $length) (i64.const -1)
                (i32.const 0x3010)))
        ;; The next address of a look-up must be this one of IPv4.
        (func $address (param $iterator i64) (param $address i32) (param $port i32)
            (call $is
                (call $networking.resolve_next (local.get $iterator) (i32.const 0x3020)
                    (i32.const 0x3024) (i32.const 0x3034) (i32.const 0x3038) (i32.const 0x303c))
                (i32.const 0))
            (call $is (i32.load (i32.const 0x3020)) (i32.const 4))
            (call $is (i32.load (i32.const 0x3024)) (local.get $address))
            (call $is (i32.load16_u (i32.const 0x3034)) (local.get $port)))
        (func (export "_start") (local $config i64) (local $stream i64)
            (local.set $config (call $process.create_config))
            {redirections}
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            {rest}
            (call $expect (i64.const 1)))"#
    )
}

/// A listener, its port, and a thread that answers one connection with "x".
fn echo() -> (u16, std::thread::JoinHandle<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        stream.write_all(b"x").expect("it reads");
        byte[0]
    });
    (port, served)
}

/// Sends "y" over `$stream` and reads "x".
const EXCHANGE: &str = r#"
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 1))
    (i32.store8 (i32.const 16) (i32.const 0x79))
    (call $is
        (call $networking.tcp_write_vectored (local.get $stream) (i32.const 0) (i32.const 1)
            (i32.const 8))
        (i32.const 0))
    (call $is
        (call $networking.tcp_read (local.get $stream) (i32.const 32) (i32.const 9) (i32.const 8))
        (i32.const 0))
    (call $is (i32.load8_u (i32.const 32)) (i32.const 0x78))"#;

#[test]
fn a_connection_leads_to_another_address_and_shows_the_one_that_was_asked_for() {
    let (port, served) = echo();
    let child = format!(
        "(local.set $stream (call $connect (i32.const 9))) {EXCHANGE}
        (call $is
            (call $networking.tcp_peer_addr (local.get $stream) (i32.const 0x3010))
            (i32.const 0))
        (call $is (call $port (call $out)) (i32.const 9))"
    );
    let target = format!("address:127.0.0.1:{port}");
    passes(&parent(&[("connect:tcp:127.0.0.1:9", &target)], &[], &child, ""));
    assert_eq!(served.join().expect("it was served"), b'y');
}

#[test]
fn a_connection_to_null_is_refused_by_whatever_address() {
    let (port, served) = echo();
    let rule = format!("connect:tcp:127.0.0.1:{port}");
    let child = format!(
        "(call $is (call $connect_code (i32.const {port}) (i64.const -1)) (i32.const 1))
        ;; 0.0.0.0 reaches this machine, too.
        (i32.store (i32.const 64) (i32.const 0))
        (call $is
            (call $networking.tcp_connect (i32.const 4) (i32.const 64) (i32.const {port})
                (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 0x3010))
            (i32.const 1))"
    );
    passes(&parent(&[(&rule, "null")], &[], &child, ""));
    let mut stream = std::net::TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))
        .expect("nobody else has connected");
    stream.write_all(b"z").expect("it is served");
    assert_eq!(served.join().expect("it was served"), b'z');
}

#[test]
fn a_process_gives_the_connection_that_another_asks_for() {
    let (port, served) = echo();
    let child = format!("(local.set $stream (call $connect (i32.const 80))) {EXCHANGE}");
    let rest = format!(
        r#"(call $asked @"\16\04\7f\00\00\01\50")
        (local.set $stream (call $connect (i32.const {port})))
        (call $reply @"\00")
        (call $is64 (call $message.push_tcp_stream (local.get $stream)) (i64.const 0))
        (call $answer)"#
    );
    passes(&parent(&[], &["connect:*"], &child, &rest));
    assert_eq!(served.join().expect("it was served"), b'y');
}

#[test]
fn an_answer_without_a_connection_is_an_error() {
    let child = "(call $is (call $connect_code (i32.const 80) (i64.const -1)) (i32.const 1))
        (call $is (call $connect_code (i32.const 80) (i64.const -1)) (i32.const 1))
        ;; One that does not come in time: then nothing is left of it.
        (call $is (call $connect_code (i32.const 80) (i64.const 1)) (i32.const 9027))
        (call $is
            (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0)) (i32.const 9027))";
    let rest = r#"(call $asked @"\16\04\7f\00\00\01\50") (call $reply @"\00") (call $answer)
        (call $asked @"\16\04\7f\00\00\01\50") (call $reply @"\01\0e") (call $answer)
        (call $asked @"\16\04\7f\00\00\01\50")"#;
    passes(&parent(&[], &["connect:tcp"], child, rest));
}

#[test]
fn names_have_the_addresses_that_a_redirection_says() {
    let child = r#"(call $is (call $resolve @"DB.example:80") (i32.const 0))
        (call $address (call $out) (i32.const 0x0302010a) (i32.const 80))
        (call $address (call $out) (i32.const 0x0402010a) (i32.const 80))
        (call $is (call $resolve @"db.example.:81") (i32.const 0))
        (call $address (call $out) (i32.const 0x0302010a) (i32.const 81))
        (call $is (call $resolve @"other.example:80") (i32.const 1))
        ;; What is written out is no name.
        (call $is (call $resolve @"10.0.0.1:80") (i32.const 0))
        (call $address (call $out) (i32.const 0x0100000a) (i32.const 80))"#;
    let texts = [("host:*", "null"), ("host:db.example", "addresses:10.1.2.3/10.1.2.4")];
    passes(&parent(&texts, &[], child, ""));
}

#[test]
fn a_process_answers_for_names() {
    let child = r#"(call $is (call $resolve @"a.b:80") (i32.const 0))
        (call $address (call $out) (i32.const 0x0302010a) (i32.const 80))
        (call $is (call $resolve @"a.b:80") (i32.const 1))
        (call $is (call $resolve @"a.b:80") (i32.const 1))"#;
    let rest = r#"
        (call $asked @"\17\03a.b\50") (call $reply @"\00\01\04\0a\01\02\03") (call $answer)
        (call $asked @"\17\03a.b\50") (call $reply @"\01\2c") (call $answer)
        ;; An address of three bytes.
        (call $asked @"\17\03a.b\50") (call $reply @"\00\01\03\0a\01\02") (call $answer)"#;
    passes(&parent(&[], &["host:*"], child, rest));
}

#[test]
fn an_address_is_reached_only_with_the_rights_of_who_set_the_redirection() {
    let (port, served) = echo();
    let mut rights = NetworkRights::NONE;
    let rule = "tcp:127.0.0.1:9".parse().expect("a rule");
    rights.allow(Access::Connect, rule).expect("the first");
    let child = "(call $is (call $connect_code (i32.const 9) (i64.const -1)) (i32.const 1))
        (call $is (call $connect_code (i32.const 8) (i64.const -1)) (i32.const 1))";
    let target = format!("address:127.0.0.1:{port}");
    let source = parent(&[("connect:*", &target)], &[], child, "");
    let config = ProcessConfig::root(WasiConfig::default()).with_network(rights);
    check(&run_with(&module(&source), config).expect("it can be spawned"));
    let mut stream = std::net::TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))
        .expect("nobody else has connected");
    stream.write_all(b"z").expect("it is served");
    assert_eq!(served.join().expect("it was served"), b'z');
}

#[test]
fn no_child_reaches_by_a_redirection_what_its_parent_does_not() {
    let (port, served) = echo();
    let source = format!(
        r#"(func (export "grandchild") (param $above i64)
            (call $is (call $connect_code (i32.const 9) (i64.const -1)) (i32.const 1))
            (call $tell (local.get $above) (i64.const 1) (i64.const 1)))
        (func $to (param $config i64)
            (param $what i32) (param $what_length i32) (param $target i32) (param $length i32)
            (call $is
                (call $process.config_redirect (local.get $config) (local.get $what)
                    (local.get $what_length) (local.get $target) (local.get $length) (i32.const 1)
                    (i32.const 0x3f10))
                (i32.const 0)))
        (func (export "child") (param $root i64) (local $config i64)
            (local.set $config (call $process.create_config))
            (call $to (local.get $config) @"connect:*:*:9" @"address:127.0.0.1:{port}")
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"grandchild")
                (i32.const 0))
            (call $expect (i64.const 1))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start")
            (call $is
                (call $process.redirect (i64.const 0) (call $process.process_id)
                    @"connect:tcp:*:{port}" @"null" (i32.const 0) (i32.const 0x3f10))
                (i32.const 0))
            (drop (call $spawn_for_me (i64.const 1) @"child"))
            (call $expect (i64.const 1)))"#
    );
    passes(&source);
    let mut stream = std::net::TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))
        .expect("nobody else has connected");
    stream.write_all(b"z").expect("it is served");
    assert_eq!(served.join().expect("it was served"), b'z');
}
