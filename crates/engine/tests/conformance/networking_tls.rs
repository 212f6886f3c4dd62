//! `lunatic::networking`: TLS listeners, handshakes, handles; and what tests of streams need, too.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use lunatic_engine::ExitReason;

use crate::common::guest::module_with;
use crate::common::tls::{
    Authority, Client, EC_PKCS8, EC_SEC1, Guest, Leaf, RSA_PKCS1, RSA_PKCS8, ends, expect,
    read_to_end, serves,
};
use crate::common::{config, passes_with, run_with, traps};

/// Runs a guest with the texts `@chain`, `@key` and `@root`, beside a client that trusts it.
pub fn served(source: &str, client: impl FnOnce(Guest, &Authority) + Send) {
    let root = Authority::root("root");
    let Leaf { chain, key } = root.leaf();
    let texts = [("chain", &*chain), ("key", &key), ("root", &root.pem)];
    serves(source, &texts, |guest| client(guest, &root));
}

/// Runs a guest with the same texts alone.
pub fn alone(source: &str) {
    let root = Authority::root("root");
    let Leaf { chain, key } = root.leaf();
    passes_with(source, &[("chain", &chain), ("key", &key), ("root", &root.pem)]);
}

/// Both ends of a connection: stream 0 has been accepted, stream 1 has connected, in a process of
/// its own first, since a handshake needs both.
pub const PAIR: &str = r#"(func (export "connecting") (param $parent i64)
        (call $is (call $next) (i32.const 0))
        (call $give_tls (call $tls_connect (i32.wrap_i64 (call $value))) (local.get $parent)))
    (func $tls_pair
        (call $tell (call $spawn_for_me (i64.const 1) @"connecting") (i64.const 0)
            (i64.extend_i32_u (call $tls_port (call $tls_listen))))
        (call $is64 (call $tls_accept (i64.const 0)) (i64.const 0))
        (call $is64 (call $take_tls) (i64.const 1)))"#;

/// Accepts one connection and gives its bytes back until it ends.
const ECHO: &str = r#"(func $echo (param $listener i64) (local $stream i64) (local $count i32)
    (local.set $stream (call $tls_accept (local.get $listener)))
    (loop $echo
        (call $is (call $tls_read (local.get $stream) (i32.const 100)) (i32.const 0))
        (local.set $count (i32.wrap_i64 (call $out)))
        (if (local.get $count) (then
            (call $tls_put (local.get $stream) (i32.const 0) (local.get $count))
            (br $echo))))
    (call $networking.drop_tls_stream (local.get $stream)))"#;

fn echoes(stream: &mut Client) {
    for text in ["hello", "again"] {
        stream.write_all(text.as_bytes()).expect("the guest reads");
        expect(stream, text);
    }
    stream.conn.send_close_notify();
    assert_eq!(read_to_end(stream), b"");
}

#[test]
fn two_processes_talk_over_tls() {
    alone(&format!(
        r#"{PAIR} (func (export "_start")
            (call $tls_pair)
            (call $tls_put (i64.const 0) @"hello")
            (call $tls_get (i64.const 1) @"hello")
            (call $tls_put (i64.const 1) @"and back")
            (call $tls_get (i64.const 0) @"and back")
            (call $is (call $networking.tls_flush (i64.const 0) (i32.const 0x3010)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $networking.drop_tls_stream (i64.const 1))
            (call $tls_get_end (i64.const 0))
            (call $tls_get_end (i64.const 0)))"#
    ));
}

// 25
#[test]
fn handshakes_that_fail_or_stall_keep_no_other_client_waiting() {
    let server = format!(
        r#"{ECHO} (func (export "_start")
            (call $report (call $tls_listen))
            (call $echo (i64.const 0))
            (call $echo (i64.const 0))
            (call $wait)
            (call $networking.drop_tls_listener (i64.const 0))
            (call $wait))"#
    );
    served(&server, |mut guest, root| {
        let mut silent = guest.tcp();
        let mut halfway = guest.tcp();
        halfway.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03").expect("it is read");
        let mut no_tls = guest.tcp();
        no_tls.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("it is read");
        let gone = guest.tcp();
        gone.shutdown(Shutdown::Both).expect("it is connected");
        echoes(&mut guest.tls(root.client(None)).expect("a handshake"));
        ends(&mut no_tls);
        let distrust = guest.tls(Authority::root("another").client(None));
        distrust.expect_err("the authority is another");
        echoes(&mut guest.tls(root.client(None)).expect("a handshake"));
        // It was not their failure that let the others in.
        for stalled in [&mut silent, &mut halfway] {
            stalled.set_nonblocking(true).expect("sockets can");
            let error = stalled.read(&mut [0]).expect_err("nothing has come, not even the end");
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            stalled.set_nonblocking(false).expect("sockets can");
        }
        guest.go_on();
        // With the listener go the handshakes that nobody waits for any more.
        ends(&mut silent);
        ends(&mut halfway);
        guest.go_on();
    });
}

// 29
#[test]
fn keys_in_all_usual_formats_are_taken_and_chains_are_sent_whole() {
    let root = Authority::root("root");
    let chained = root.below("region").below("town");
    for (authority, pkcs8, key) in [
        (&root, EC_PKCS8, EC_PKCS8),
        (&root, EC_PKCS8, EC_SEC1),
        (&root, RSA_PKCS8, RSA_PKCS8),
        (&root, RSA_PKCS8, RSA_PKCS1),
        (&chained, EC_PKCS8, EC_PKCS8),
    ] {
        let chain = authority.leaf_for(&["localhost"], pkcs8).chain;
        let server = format!(
            r#"{ECHO} (func (export "_start")
                (call $report (call $tls_listen))
                (call $echo (i64.const 0)))"#
        );
        serves(&server, &[("chain", &chain), ("key", key)], |guest| {
            echoes(&mut guest.tls(root.client(None)).expect("a handshake"));
        });
    }
}

// 29
#[test]
fn certificates_and_keys_that_cannot_be_used_are_errors_that_say_why() {
    let Leaf { chain, key } = Authority::root("root").leaf();
    let broken = chain.replacen("MII", "!!!", 1);
    let swapped = chain.replacen("MII", "IIM", 1);
    for (chain, key, text) in [
        ("", &*key, "the text of the certificate holds none"),
        ("certificate", &key, "the text of the certificate holds none"),
        (&broken, &key, "the certificate is not valid PEM"),
        (&swapped, &key, "cannot be used together"),
        (&chain, "", "the text of the key holds none"),
        (&chain, &chain, "the text of the key holds none"),
        (&chain, "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", "not valid PEM"),
        (&chain, RSA_PKCS8, "cannot be used together"),
    ] {
        let program = r#"(func (export "_start")
            (call $is (call $tls_bind @chain @key) (i32.const 1))
            (call $is (call $error_has (call $out) @text) (i32.const 1)))"#;
        passes_with(program, &[("chain", chain), ("key", key), ("text", text)]);
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_with_its_cause() {
    alone(
        r#"(func (export "_start")
            (call $is
                (call $networking.tls_bind (i32.const 4) (call $loopback)
                    (call $listener_port (call $listen)) (i32.const 0) (i32.const 0)
                    (i32.const 0x3010) @chain @key)
                (i32.const 1))
            (call $is (call $error_has (call $out) @"cannot listen at 127.0.0.1:") (i32.const 1))
            (call $is (call $error_has (call $out) @"in use") (i32.const 1)))"#,
    );
}

#[test]
fn more_handles_than_the_limit_end_the_process() {
    let Leaf { chain, key } = Authority::root("root").leaf();
    let program = "(func (export \"_start\") (loop $more (drop (call $tls_listen)) (br $more)))";
    let module = module_with(program, &[("chain", &chain), ("key", &key)]);
    let reason = run_with(&module, config(|limits, _| limits.resources_max = 10));
    assert_eq!(reason.expect("it is spawned"), ExitReason::Limit("resources_max"));
}

#[test]
fn unknown_streams_and_listeners_trap() {
    let (n, out, buffer) = ("(i64.const 5)", "(i32.const 0)", "(i32.const 0) (i32.const 0)");
    for (function, arguments, result) in [
        ("drop_tls_stream", String::new(), false),
        ("clone_tls_stream", String::new(), true),
        ("tls_write_vectored", format!("{buffer} {out}"), true),
        ("tls_read", format!("{buffer} {out}"), true),
        ("set_tls_read_timeout", "(i64.const 1)".to_owned(), false),
        ("set_tls_write_timeout", "(i64.const 1)".to_owned(), false),
        ("get_tls_read_timeout", String::new(), true),
        ("get_tls_write_timeout", String::new(), true),
        ("tls_flush", out.to_owned(), true),
        ("tls_shutdown", out.to_owned(), true),
        ("tls_peer_addr", out.to_owned(), true),
        ("tls_alpn", format!("{buffer} {out}"), true),
        ("tls_peer_certificate", format!("{buffer} {out}"), true),
    ] {
        let call = format!("(call $networking.{function} {n} {arguments})");
        let body = if result { format!("(drop {call})") } else { call };
        traps(&body, "this process has no TLS stream with id 5");
    }
    let missing = "this process has no TLS listener with id 5";
    traps("(call $networking.drop_tls_listener (i64.const 5))", missing);
    traps("(drop (call $networking.tls_local_addr (i64.const 5) (i32.const 0)))", missing);
    traps(&format!("(drop (call $networking.tls_accept (i64.const 5) {buffer}))"), missing);
    let message = "(call $message.create_data (i64.const 0) (i64.const 0))";
    for what in ["stream", "listener"] {
        let push = format!("{message} (drop (call $message.push_tls_{what} (i64.const 5)))");
        traps(&push, &format!("this process has no TLS {what} with id 5"));
        let take = format!("{message} (drop (call $message.take_tls_{what} (i64.const 0)))");
        traps(&take, &format!("the message has no TLS {what} at index 0"));
    }
}

#[test]
fn bad_pointers_trap_before_anything_is_begun() {
    let calls = [
        "tls_read (i64.const 0) (i32.const 0xffff) (i32.const 2) (i32.const 0)",
        "tls_read (i64.const 0) (i32.const 0) (i32.const -1) (i32.const 0)",
        "tls_read (i64.const 0) (i32.const 0) (i32.const 1) (i32.const 0xfff9)",
        "tls_write_vectored (i64.const 0) (i32.const 0xfff9) (i32.const 1) (i32.const 0)",
        "tls_write_vectored (i64.const 0) (i32.const 0) (i32.const -1) (i32.const 0)",
        "tls_write_vectored (i64.const 0) (i32.const 0x100) (i32.const 1) (i32.const 0)",
        "tls_write_vectored (i64.const 0) (i32.const 0) (i32.const 1) (i32.const -1)",
        "tls_flush (i64.const 0) (i32.const -1)",
        "tls_shutdown (i64.const 0) (i32.const -1)",
        "tls_peer_addr (i64.const 0) (i32.const -1)",
        "tls_alpn (i64.const 0) (i32.const -1) (i32.const 2) (i32.const 0)",
        "tls_alpn (i64.const 0) (i32.const 0) (i32.const 0) (i32.const -1)",
        "tls_peer_certificate (i64.const 0) (i32.const -1) (i32.const 2) (i32.const 0)",
        "tls_accept (i64.const 0) (i32.const -1) (i32.const 0)",
        "tls_accept (i64.const 0) (i32.const 0) (i32.const -1)",
        "tls_local_addr (i64.const 0) (i32.const -1)",
    ];
    let (mut functions, mut tries) = (String::new(), String::new());
    for (index, call) in calls.iter().enumerate() {
        functions += &format!("(func $f{index} (drop (call $networking.{call})))");
        tries += &format!("(call $is (call $try (i32.const {index})) (i32.const 0))");
    }
    let elements: String = (0..calls.len()).map(|index| format!(" $f{index}")).collect();
    alone(&format!(
        r#"{PAIR} (table funcref (elem{elements})) {functions}
        (func (export "_start")
            (call $tls_pair)
            (i32.store (i32.const 0x100) (i32.const 0xffff)) ;; a list with a bad entry
            (i32.store (i32.const 0x104) (i32.const 2))
            {tries}
            ;; Nothing was read, written or shut down.
            (call $tls_put (i64.const 0) @"here")
            (call $tls_get (i64.const 1) @"here"))"#
    ));
}
