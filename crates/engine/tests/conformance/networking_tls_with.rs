//! `lunatic::networking`: what TLS can do beyond the old functions.

use std::io::{Read, Write};

use lunatic_engine::{NetworkRights, ProcessConfig};
use lunatic_wasi::WasiConfig;

use crate::common::abi::additions;
use crate::common::guest::module_with;
use crate::common::tls::{
    Authority, Guest, Leaf, accept, connects, der, expect, read_to_end, serves,
};
use crate::common::{check, passes_with, run_with, traps};

fn served(source: &str, client: impl FnOnce(Guest, &Authority) + Send) {
    let root = Authority::root("root");
    let Leaf { chain, key } = root.leaf();
    let texts = [("chain", &*chain), ("key", &key), ("root", &root.pem)];
    serves(source, &texts, |guest| client(guest, &root));
}

/// What `tls_alpn` tells of stream 0 is this text.
const ALPN: &str = r#"(func $alpn (param $text i32) (param $length i32)
    (call $is
        (call $networking.tls_alpn (i64.const 0) (i32.const 0) (i32.const 255) (i32.const 0x3010))
        (i32.const 0))
    (call $is (i32.load (i32.const 0x3010)) (local.get $length))
    (call $is (call $same (i32.const 0) (local.get $text) (local.get $length)) (i32.const 1)))"#;

#[test]
fn a_listener_chooses_the_first_of_its_protocols_that_the_client_has_too() {
    for (offered, chosen) in
        [(&["http/1.1", "h2"][..], "h2"), (&["spdy", "http/1.1"], "http/1.1"), (&[], "")]
    {
        let server = format!(
            r#"{ALPN} (func (export "_start")
                (call $report (call $tls_listen_with (i32.const 0) (i32.const 0) (i32.const 0)
                    @"\02h2\08http/1.1"))
                (drop (call $tls_accept (i64.const 0)))
                (call $alpn @"{chosen}"))"#
        );
        served(&server, |guest, root| {
            let mut config = root.client(None);
            config.alpn_protocols = offered.iter().map(|name| (*name).into()).collect();
            let mut stream = guest.tls(config).expect("a handshake");
            assert_eq!(stream.conn.alpn_protocol().unwrap_or_default(), chosen.as_bytes());
            assert_eq!(read_to_end(&mut stream), b"");
        });
    }
}

#[test]
fn a_client_without_a_protocol_in_common_is_turned_away_and_the_next_one_served() {
    let server = format!(
        r#"{ALPN} (func (export "_start")
            (call $report (call $tls_listen_with (i32.const 0) (i32.const 0) (i32.const 0)
                @"\02h2"))
            (drop (call $tls_accept (i64.const 0)))
            (call $alpn @"h2"))"#
    );
    served(&server, |guest, root| {
        let mut config = root.client(None);
        config.alpn_protocols = vec![b"spdy".to_vec()];
        let error = guest.tls(config.clone()).expect_err("nothing in common");
        assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
        config.alpn_protocols = vec![b"h2".to_vec()];
        guest.tls(config).expect("a handshake");
    });
}

#[test]
fn a_connection_offers_its_protocols_and_shows_its_certificate() {
    let root = Authority::root("root");
    let known = root.below("clients").leaf();
    let client = format!(
        r#"{ALPN} (func (export "_start")
            (call $is
                (call $networking.tls_connect_with @"localhost" (global.get $port) (i64.const -1)
                    (i32.const 0x3010) (call $list @root) (i32.const 1)
                    @known @secret @"\04mine\02h2")
                (i32.const 0))
            (call $alpn @"h2")
            (call $tls_put (i64.const 0) @"hello"))"#
    );
    let texts = [("root", &*root.pem), ("known", &known.chain), ("secret", &known.key)];
    connects(&client, &texts, |socket| {
        let mut config = root.server(&root.leaf(), true);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut stream = accept(socket, config).expect("a handshake");
        expect(&mut stream, "hello");
        let shown = stream.conn.peer_certificates().expect("the server asked for it");
        assert_eq!(shown, der(&known.chain));
    });
}

#[test]
fn client_certificates_are_asked_for_as_the_mode_says() {
    // Mode, what the client shows, whether it is let in and whether its certificate is known.
    for (mode, shows, gets_in, known) in [
        (0, "own", true, false),
        (1, "none", true, false),
        (1, "own", true, true),
        (1, "another's", false, false),
        (2, "own", true, true),
        (2, "none", false, false),
        (2, "another's", false, false),
    ] {
        let authorities = match mode {
            0 => "(i32.const 0) (i32.const 0)",
            _ => "(call $list @root) (i32.const 1)",
        };
        let server = format!(
            r#"(func (export "_start") (local $length i32)
                (call $report (call $tls_listen_with {authorities} (i32.const {mode})
                    (i32.const 0) (i32.const 0)))
                (drop (call $tls_accept (i64.const 0)))
                ;; Asked without a place first, to hear how long it is.
                (call $is
                    (call $networking.tls_peer_certificate (i64.const 0)
                        (i32.const 0) (i32.const 0) (i32.const 0x3010))
                    (i32.const 0))
                (local.set $length (i32.load (i32.const 0x3010)))
                (call $is
                    (call $networking.tls_peer_certificate (i64.const 0)
                        (i32.const 0x1000) (local.get $length) (i32.const 0x3010))
                    (i32.const 0))
                (call $is (i32.load (i32.const 0x3010)) (local.get $length))
                (drop (call $tls_write (i64.const 0) (i32.const 0x1000) (local.get $length))))"#
        );
        served(&server, |guest, root| {
            let (own, another) = (root.leaf(), Authority::root("another").leaf());
            let identity = match shows {
                "none" => None,
                "own" => Some(&own),
                _ => Some(&another),
            };
            let mut got = Vec::new();
            // The client has done its part when the server looks at the certificate.
            let seen = guest
                .tls(root.client(identity))
                .and_then(|mut stream| stream.read_to_end(&mut got));
            assert_eq!(seen.is_ok(), gets_in, "mode {mode}, {shows}: {seen:?}");
            if known {
                assert_eq!(got, der(&own.chain)[0].as_ref());
            } else {
                assert_eq!(got, b"");
            }
            if !gets_in {
                // The guest has not heard of it.
                let mut stream = guest.tls(root.client(Some(&own))).expect("a handshake");
                assert_eq!(read_to_end(&mut stream), der(&own.chain)[0].as_ref());
            }
        });
    }
}

#[test]
fn what_cannot_be_offered_or_asked_for_is_an_error() {
    let Leaf { chain, key } = Authority::root("root").leaf();
    for (arguments, text) in [
        ("(i32.const 0) (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 0)", "for clients"),
        ("(call $list @chain) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)", "mode 0"),
        ("(i32.const 0) (i32.const 0) (i32.const 0) @\"\\03h2\"", "list of protocols"),
    ] {
        passes_with(
            &format!(
                r#"(func (export "_start")
                    (call $is
                        (call $networking.tls_bind_with (i32.const 4) (call $loopback)
                            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x3010)
                            @chain @key {arguments})
                        (i32.const 1))
                    (call $is (call $error_has (call $out) @"{text}") (i32.const 1)))"#
            ),
            &[("chain", &chain), ("key", &key)],
        );
    }
    let connect = r#"(func (export "_start")
        (call $is
            (call $networking.tls_connect_with @"localhost" (i32.const 1) (i64.const -1)
                (i32.const 0x3010) (i32.const 0) (i32.const 0)
                @chain (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
            (i32.const 1))
        (call $is (call $error_has (call $out) @"the key") (i32.const 1)))"#;
    passes_with(connect, &[("chain", &chain)]);
    let zeros = "(i32.const 0) ".repeat(9);
    traps(
        &format!(
            "(drop (call $networking.tls_bind_with (i32.const 4) {zeros}
                (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 0)))"
        ),
        "the mode of client certificates is 0, 1 or 2",
    );
}

#[test]
fn what_is_beyond_the_old_functions_is_described_with_its_exact_type() {
    let document = include_str!("../../../../abi/networking-tls.md");
    let described: Vec<_> = document.lines().filter(|line| line.starts_with("lunatic::")).collect();
    let beyond: Vec<_> = additions().filter(|line| line.contains("tls_")).collect();
    assert_eq!(described, beyond);
}

#[test]
fn tls_needs_the_same_rights_as_tcp() {
    let Leaf { chain, key } = Authority::root("root").leaf();
    let program = r#"(func $denied (param $code i32) (param $text i32) (param $length i32)
            (call $is (local.get $code) (i32.const 1))
            (call $is (call $error_has (call $out) @"this process may not") (i32.const 1))
            (call $is
                (call $error_has (call $out) (local.get $text) (local.get $length))
                (i32.const 1)))
        (func $named (param $name i32) (param $length i32) (result i32)
            (call $networking.tls_connect (local.get $name) (local.get $length) (i32.const 443)
                (i64.const -1) (i32.const 0x3010) (i32.const 0) (i32.const 0)))
        (func (export "_start")
            (call $denied (call $tls_bind @chain @key) @"bind tcp 127.0.0.1:0")
            (call $denied (call $named @"localhost") @"look up `localhost`")
            (call $denied (call $named @"127.0.0.1") @"connect to tcp 127.0.0.1:443")
            (call $denied (call $named @"::1") @"connect to tcp [::1]:443"))"#;
    let module = module_with(program, &[("chain", &chain), ("key", &key)]);
    let config = ProcessConfig::root(WasiConfig::default()).with_network(NetworkRights::NONE);
    check(&run_with(&module, config).expect("the module can be spawned"));
}

#[test]
fn both_ends_know_each_other_by_address() {
    let server = r#"(func (export "_start")
        (call $report (call $tls_listen))
        (drop (call $tls_accept (i64.const 0)))
        (call $is (call $networking.tls_peer_addr (i64.const 0) (i32.const 0x3010)) (i32.const 0))
        (call $say (i64.extend_i32_u (call $port (call $out))))
        (call $say (i64.extend_i32_u (global.get $tls_peer_port))))"#;
    served(server, |mut guest, root| {
        let stream = guest.tls(root.client(None)).expect("a handshake");
        let port = stream.sock.local_addr().expect("it is connected").port();
        assert_eq!((guest.hear(), guest.hear()), (u64::from(port), u64::from(port)));
    });
}

#[test]
fn a_stream_that_was_shut_down_reads_on_and_writes_no_more() {
    let server = r#"(func (export "_start")
        (call $report (call $tls_listen))
        (call $tls_put (call $tls_accept (i64.const 0)) @"request")
        (call $is (call $networking.tls_shutdown (i64.const 0) (i32.const 0x3010)) (i32.const 0))
        (call $is64 (call $out) (i64.const 0))
        (call $is (call $tls_write (i64.const 0) (i32.const 0) (i32.const 1)) (i32.const 1))
        (call $is (call $error_has (call $out) @"cannot write") (i32.const 1))
        (call $tls_get (i64.const 0) @"answer")
        (call $tls_get_end (i64.const 0)))"#;
    served(server, |guest, root| {
        let mut stream = guest.tls(root.client(None)).expect("a handshake");
        assert_eq!(read_to_end(&mut stream), b"request");
        stream.write_all(b"answer").expect("the guest reads");
        stream.conn.send_close_notify();
        stream.flush().expect("the guest reads");
    });
}

#[test]
fn a_listener_moves_in_a_message_with_the_handshakes_that_it_has_begun() {
    let server = r#"(func (export "child") (param $parent i64)
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.take_tls_listener (i64.const 0)) (i64.const 0))
            (drop (call $tls_accept (i64.const 0)))
            (call $tls_put (i64.const 0) @"child"))
        (table funcref (elem $use))
        (func $use (drop (call $tls_port (i64.const 0))))
        (func (export "_start")
            (call $report (call $tls_listen))
            (call $tls_put (call $tls_accept (i64.const 0)) @"parent")
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is64 (call $message.push_tls_listener (i64.const 0)) (i64.const 0))
            (call $is (call $message.send (call $spawn_for_me (i64.const 1) @"child")) (i32.const 0))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $wait))"#;
    served(server, |mut guest, root| {
        // It has been accepted when the guest serves those who came later.
        let mut slow = guest.tcp();
        let mut first = guest.tls(root.client(None)).expect("a handshake");
        expect(&mut first, "parent");
        let mut config = rustls::ClientConnection::new(
            std::sync::Arc::new(root.client(None)),
            "localhost".try_into().expect("a name"),
        )
        .expect("a session");
        while config.is_handshaking() {
            config.complete_io(&mut slow).expect("the guest shakes hands");
        }
        let mut stream = rustls::StreamOwned::new(config, slow);
        assert_eq!(read_to_end(&mut stream), b"child");
        guest.go_on();
    });
}
