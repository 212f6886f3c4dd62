//! `lunatic::networking`: connecting by TLS, and whom a client trusts.

use std::io::Write;

use crate::common::tls::{Authority, EC_PKCS8, accept, connects, read_to_end};
use crate::common::{passes, passes_with, traps};

/// Runs a guest that connects to a server with a certificate of `@root`; `@other` is another
/// authority. The server says "hello" to everybody who gets that far.
fn greeted(source: &str, texts: &[(&str, &str)]) {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let mut all = vec![("root", &*root.pem), ("other", &other.pem)];
    all.extend_from_slice(texts);
    connects(source, &all, |socket| {
        if let Ok(mut stream) = accept(socket, root.server(&root.leaf(), false)) {
            stream.write_all(b"hello").expect("the guest reads");
            assert_eq!(read_to_end(&mut stream), b"");
        }
    });
}

const HELLO: &str = r#"(call $tls_get (call $out) @"hello")"#;

// 27
#[test]
fn entries_of_a_list_of_authorities_are_taken_in_either_order() {
    for (first, second) in [("0x80", "0x84"), ("0x84", "0x80")] {
        greeted(
            &format!(
                r#"(func $entry (param $at i32) (param $text i32) (param $length i32)
                    (i32.store (i32.add (local.get $at) (i32.const {first})) (local.get $text))
                    (i32.store (i32.add (local.get $at) (i32.const {second})) (local.get $length)))
                (func (export "_start")
                    (call $entry (i32.const 0) @other)
                    (call $entry (i32.const 8) @root)
                    (call $is
                        (call $tls_connect_code (global.get $port) (i64.const -1)
                            (i32.const 0x80) (i32.const 2))
                        (i32.const 0))
                    {HELLO})"#
            ),
            &[],
        );
    }
}

#[test]
fn one_text_may_hold_several_authorities_and_comments() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let bundle = format!(
        "\n# Two authorities\n\nOther\n=====\n{}\r\n\r\nRoot\r\n====\r\n{}\n",
        other.pem, root.pem
    );
    let client = format!(
        r#"(func (export "_start")
            (call $is
                (call $tls_connect_code (global.get $port) (i64.const -1)
                    (call $list @bundle) (i32.const 1))
                (i32.const 0))
            {HELLO})"#
    );
    connects(&client, &[("bundle", &bundle)], |socket| {
        let mut stream = accept(socket, root.server(&root.leaf(), false)).expect("a handshake");
        stream.write_all(b"hello").expect("the guest reads");
    });
}

// 27
#[test]
fn a_server_of_another_authority_is_refused_whoever_is_trusted() {
    for (list, count) in [("(call $list @other)", 1), ("(i32.const 0)", 0)] {
        greeted(
            &format!(
                r#"(func (export "_start")
                    (call $is
                        (call $tls_connect_code (global.get $port) (i64.const -1)
                            {list} (i32.const {count}))
                        (i32.const 1))
                    (call $is (call $error_has (call $out) @"no TLS connection to 127.0.0.1:")
                        (i32.const 1))
                    (call $is (call $error_has (call $out) @"UnknownIssuer") (i32.const 1)))"#
            ),
            &[],
        );
    }
}

// 27: nothing takes the place of a list that cannot be read. There is nobody to connect to.
#[test]
fn an_authority_that_cannot_be_read_is_an_error_that_names_it() {
    let root = Authority::root("root").pem;
    let broken = root.replacen("MII", "!!!", 1);
    let swapped = root.replacen("MII", "IIM", 1);
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let cases = [
        ("no PEM", "authority 1 is no PEM text"),
        (&*format!("\0{root}"), "authority 1 is no PEM text"),
        (&broken, "authority 1 is not valid PEM"),
        (&swapped, "authority 1 cannot be used"),
        (key, "the text of authority 1 holds none"),
    ];
    for (bad, text) in cases {
        passes_with(
            r#"(func (export "_start")
                (i64.store (i32.const 0x80) (i64.load (call $list @root)))
                (i64.store (i32.const 0x88) (i64.load (call $list @bad)))
                (call $is
                    (call $tls_connect_code (i32.const 1) (i64.const -1)
                        (i32.const 0x80) (i32.const 2))
                    (i32.const 1))
                (call $is (call $error_has (call $out) @text) (i32.const 1)))"#,
            &[("root", &root), ("bad", bad), ("text", text)],
        );
    }
    // An entry that is out of bounds in both orders, and one without length.
    for (pointer, length) in [("-1", "-1"), ("0x20000", "0x30000"), ("0", "0")] {
        passes(&format!(
            r#"(func (export "_start")
                (call $is
                    (call $tls_connect_code (i32.const 1) (i64.const -1)
                        (call $list (i32.const {pointer}) (i32.const {length})) (i32.const 1))
                    (i32.const 1))
                (call $is (call $error_has (call $out) @"authority 0 is no PEM text")
                    (i32.const 1)))"#
        ));
    }
}

#[test]
fn more_certificates_than_the_limit_are_an_error() {
    let root = Authority::root("root").pem;
    // The same text twice counts twice.
    let many = root.repeat((600 << 10) / root.len());
    passes_with(
        r#"(func (export "_start")
            (i64.store (i32.const 0x80) (i64.load (call $list @many)))
            (i64.store (i32.const 0x88) (i64.load (i32.const 0x80)))
            (call $is
                (call $tls_connect_code (i32.const 1) (i64.const -1)
                    (i32.const 0x80) (i32.const 2))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"at most 1048576 can be") (i32.const 1)))"#,
        &[("many", &many)],
    );
    passes(
        r#"(func (export "_start")
            (call $is
                (call $networking.tls_connect @"127.0.0.1" (i32.const 1) (i64.const -1)
                    (i32.const 0x3010) (i32.const 0) (i32.const 1025))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"at most 1024 can be") (i32.const 1)))"#,
    );
}

// 28
#[test]
fn a_timeout_covers_a_server_that_takes_the_connection_and_says_nothing() {
    let client = r#"(func (export "_start")
        (i64.store (i32.const 0x3010) (i64.const 55))
        (call $is
            (call $tls_connect_code (global.get $port) (i64.const 20)
                (i32.const 0) (i32.const 0))
            (i32.const 9027))
        (call $is64 (call $out) (i64.const 55)))"#;
    connects(client, &[], |socket| {
        // Until the guest gives up.
        let _ = std::io::copy(&mut &socket, &mut std::io::sink());
    });
}

// 28
#[test]
fn a_server_that_hangs_up_or_talks_something_else_is_an_error() {
    let client = r#"(func (export "_start")
        (call $is
            (call $tls_connect_code (global.get $port) (i64.const -1) (i32.const 0) (i32.const 0))
            (i32.const 1))
        (call $is (call $error_has (call $out) @"no TLS connection to 127.0.0.1:") (i32.const 1)))"#;
    connects(client, &[], drop);
    connects(client, &[], |mut socket| {
        socket.write_all(b"220 ready\r\n").expect("the guest reads");
        let _ = std::io::copy(&mut &socket, &mut std::io::sink());
    });
}

#[test]
fn a_server_is_found_and_checked_by_name_whatever_address_answers() {
    for name in ["localhost", "LOCALHOST"] {
        greeted(
            &format!(
                r#"(func (export "_start")
                    (call $is
                        (call $networking.tls_connect @"{name}" (global.get $port) (i64.const -1)
                            (i32.const 0x3010) (call $list @root) (i32.const 1))
                        (i32.const 0))
                    {HELLO})"#
            ),
            &[],
        );
    }
}

// 28
#[test]
fn names_that_are_none_and_ports_where_nobody_listens_are_errors() {
    for (name, text) in [
        ("", "is no name of a server"),
        ("two words", "is no name of a server"),
        ("localhost:443", "is no name of a server"),
        ("nobody.invalid", "cannot resolve `nobody.invalid`"),
        ("127.0.0.1", "cannot connect to 127.0.0.1:"),
        ("::1", "cannot connect to ::1:"),
    ] {
        passes(&format!(
            r#"(func (export "_start") (local $port i32)
                (local.set $port (call $listener_port (call $listen)))
                (call $networking.drop_tcp_listener (i64.const 0))
                (call $is
                    (call $networking.tls_connect @"{name}" (local.get $port) (i64.const -1)
                        (i32.const 0x3010) (i32.const 0) (i32.const 0))
                    (i32.const 1))
                (call $is (call $error_has (call $out) @"{text}") (i32.const 1)))"#
        ));
    }
}

// 28
#[test]
fn a_certificate_for_another_name_is_refused() {
    let root = Authority::root("root");
    let client = r#"(func (export "_start")
        (call $is
            (call $tls_connect_code (global.get $port) (i64.const -1)
                (call $list @root) (i32.const 1))
            (i32.const 1))
        (call $is (call $error_has (call $out) @"not valid for name") (i32.const 1)))"#;
    connects(client, &[("root", &root.pem)], |socket| {
        let leaf = root.leaf_for(&["localhost", "127.0.0.2"], EC_PKCS8);
        accept(socket, root.server(&leaf, false)).expect_err("the guest refuses");
    });
}

#[test]
fn bad_lists_and_bad_names_trap() {
    let call = "(drop (call $networking.tls_connect";
    let rest = "(i32.const 1) (i64.const -1)";
    let outside = "outside of the memory";
    for (name, id, list, count) in [
        ("(i32.const 0xffff) (i32.const 2)", "0", "0", "0"),
        ("(i32.const 0) (i32.const 1)", "0xfff9", "0", "0"),
        ("(i32.const 0) (i32.const 1)", "0", "0xfff9", "1"),
        ("(i32.const 0) (i32.const 1)", "0", "0", "0x20000000"),
    ] {
        let list = format!("(i32.const {list}) (i32.const {count})");
        traps(&format!("{call} {name} {rest} (i32.const {id}) {list}))"), outside);
    }
    let zeros = "(i32.const 0) (i32.const 0) (i32.const 0)";
    traps(&format!("{call} @\"\\ff\" {rest} {zeros}))"), "not valid UTF-8");
}
