//! `lunatic::networking`: TLS listeners, and streams once they are there.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use lunatic_engine::ExitReason;
use socket2::SockRef;

use crate::common::guest::module_with;
use crate::common::tls::{
    Authority, Client, EC_PKCS8, EC_SEC1, Guest, Leaf, RSA_PKCS1, RSA_PKCS8, ends, expect,
    read_to_end, serves,
};
use crate::common::{config, passes_with, run_with, traps};

/// Runs a guest with the texts `@chain`, `@key` and `@root`, beside a client that trusts it.
fn served(source: &str, client: impl FnOnce(Guest, &Authority) + Send) {
    let root = Authority::root("root");
    let Leaf { chain, key } = root.leaf();
    let texts = [("chain", &*chain), ("key", &key), ("root", &root.pem)];
    serves(source, &texts, |guest| client(guest, &root));
}

/// Runs a guest with the same texts alone.
fn alone(source: &str) {
    let root = Authority::root("root");
    let Leaf { chain, key } = root.leaf();
    passes_with(source, &[("chain", &chain), ("key", &key), ("root", &root.pem)]);
}

/// Both ends of a connection: stream 0 has been accepted, stream 1 has connected, in a process of
/// its own first, since a handshake needs both.
const PAIR: &str = r#"(func (export "connecting") (param $parent i64)
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

// 33
#[test]
fn the_peer_is_told_the_end_however_the_last_handle_goes() {
    let by_drop = r#"(func (export "_start")
        (call $report (call $tls_listen))
        (drop (call $networking.clone_tls_stream (call $tls_accept (i64.const 0))))
        (call $networking.drop_tls_stream (i64.const 0))
        (call $tls_put (i64.const 1) @"last words")
        (call $networking.drop_tls_stream (i64.const 1))
        (call $wait))"#;
    let by_end = r#"(func (export "_start")
        (call $report (call $tls_listen))
        (call $tls_put (call $tls_accept (i64.const 0)) @"last words"))"#;
    let by_kill = r#"(func (export "child") (param $parent i64)
            (call $report (call $tls_listen))
            (call $tls_put (call $tls_accept (i64.const 0)) @"last words")
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (drop (call $tls_read (i64.const 0) (i32.const 1))))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $expect (i64.const 1))
            (call $process.monitor (local.get $child))
            ;; The child reads as soon as this process waits.
            (call $process.sleep_ms (i64.const 1))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2)))"#;
    let by_message = r#"(func (export "child") (call $process.sleep_ms (i64.const -1)))
        (func (export "_start") (local $child i64)
            (call $report (call $tls_listen))
            (call $tls_put (call $tls_accept (i64.const 0)) @"last words")
            (local.set $child (call $spawn (i64.const 0) @"child"))
            (call $give_tls (i64.const 0) (local.get $child))
            (call $process.kill (local.get $child))
            (call $wait))"#;
    for (guest, waits) in [(by_drop, true), (by_end, false), (by_kill, false), (by_message, true)] {
        served(guest, |mut guest, root| {
            let mut stream = guest.tls(root.client(None)).expect("a handshake");
            assert_eq!(read_to_end(&mut stream), b"last words");
            if waits {
                guest.go_on();
            }
        });
    }
}

#[test]
fn what_is_cut_off_without_the_peers_word_is_an_error_again_and_again() {
    let reader = r#"(func (export "_start")
        (call $report (call $tls_listen))
        (call $tls_get (call $tls_accept (i64.const 0)) @"some")
        (call $is (call $tls_read (i64.const 0) (i32.const 9)) (i32.const 1))
        (call $is (call $error_has (call $out) @"cut off") (i32.const 1))
        (call $is (call $tls_read (i64.const 0) (i32.const 9)) (i32.const 1)))"#;
    served(reader, |guest, root| {
        let mut stream = guest.tls(root.client(None)).expect("a handshake");
        stream.write_all(b"some").expect("the guest reads");
        stream.sock.shutdown(Shutdown::Both).expect("it is connected");
    });
}

#[test]
fn bytes_that_are_no_records_are_an_error_again_and_again() {
    let reader = r#"(func (export "_start")
        (call $report (call $tls_listen))
        (call $tls_get (call $tls_accept (i64.const 0)) @"some")
        (call $is (call $tls_read (i64.const 0) (i32.const 9)) (i32.const 1))
        (call $is (call $error_has (call $out) @"cannot read") (i32.const 1))
        (call $is (call $tls_read (i64.const 0) (i32.const 9)) (i32.const 1))
        (call $is (call $tls_write (i64.const 0) (i32.const 0) (i32.const 9)) (i32.const 1)))"#;
    served(reader, |guest, root| {
        let mut stream = guest.tls(root.client(None)).expect("a handshake");
        stream.write_all(b"some").expect("the guest reads");
        stream.sock.write_all(&[0x17, 3, 3, 0, 32]).expect("the guest reads");
        stream.sock.write_all(&[0; 32]).expect("the guest reads");
        // An alert comes, then the end.
        ends(&mut stream.sock);
    });
}

// 31
#[test]
fn a_read_times_out_without_a_trace_and_gets_what_comes_later() {
    alone(&format!(
        r#"{PAIR} (func (export "_start")
            (call $tls_pair)
            (i64.store (i32.const 0x3010) (i64.const 55))
            (call $networking.set_tls_read_timeout (i64.const 1) (i64.const 1))
            (call $is (call $tls_read (i64.const 1) (i32.const 9)) (i32.const 9027))
            (call $is64 (call $out) (i64.const 55))
            (call $error.drop (i64.const 0))
            (call $tls_put (i64.const 0) @"late")
            ;; What is there is given, whatever the timeout.
            (call $networking.set_tls_read_timeout (i64.const 1) (i64.const -1))
            (call $is (call $tls_read (i64.const 1) (i32.const 1)) (i32.const 0))
            (call $networking.set_tls_read_timeout (i64.const 1) (i64.const 0))
            (call $tls_get (i64.const 1) @"ate")
            (call $is (call $tls_read (i64.const 1) (i32.const 9)) (i32.const 9027)))"#
    ));
}

// 32: the child waits in a read of the same connection all the time.
#[test]
fn while_one_clone_reads_others_write_and_change_timeouts() {
    alone(&format!(
        r#"{PAIR} (func (export "child") (param $parent i64)
            (drop (call $take_tls))
            (call $is64 (call $networking.get_tls_write_timeout (i64.const 0)) (i64.const 1234))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (call $tls_get (i64.const 0) @"answer")
            (call $is64 (call $networking.get_tls_read_timeout (i64.const 0)) (i64.const 55555)))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn_for_me (i64.const 1) @"child"))
            (call $tls_pair)
            (call $is64 (call $networking.get_tls_read_timeout (i64.const 1)) (i64.const -1))
            (call $is64 (call $networking.get_tls_write_timeout (i64.const 1)) (i64.const -1))
            (call $networking.set_tls_write_timeout (i64.const 1) (i64.const 1234))
            (call $give_tls (call $networking.clone_tls_stream (i64.const 1)) (local.get $child))
            (call $expect (i64.const 1))
            ;; The child reads as soon as this process waits for the first time.
            (call $process.sleep_ms (i64.const 1))
            (call $networking.set_tls_read_timeout (i64.const 1) (i64.const 55555))
            (call $is64 (call $networking.get_tls_read_timeout (i64.const 1)) (i64.const 55555))
            (call $tls_put (i64.const 1) @"question")
            (call $tls_get (i64.const 0) @"question")
            (call $process.monitor (local.get $child))
            (call $tls_put (i64.const 0) @"answer")
            (call $is (call $next) (i32.const 2)))"#
    ));
}

/// Reads `count` bytes, which must be zeros.
fn read_zeros(stream: &mut Client, count: usize) {
    let mut bytes = vec![1; count];
    stream.read_exact(&mut bytes).expect("the guest has written so many");
    assert!(bytes.iter().all(|byte| *byte == 0), "nothing else than what was written");
}

#[test]
fn a_write_that_stalls_keeps_no_clone_from_reading() {
    let writer = r#"(func (export "writer") (local $i i32)
            (drop (call $take_tls))
            (loop $more
                (call $is (call $tls_write (i64.const 0) (i32.const 0x8000) (i32.const 0x1000))
                    (i32.const 0))
                (call $is64 (call $out) (i64.const 0x1000))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 0x1000)))))
        (func (export "_start") (local $child i64)
            (call $report (call $tls_listen))
            (drop (call $networking.clone_tls_stream (call $tls_accept (i64.const 0))))
            (local.set $child (call $spawn (i64.const 1) @"writer"))
            (call $process.monitor (local.get $child))
            (call $give_tls (i64.const 1) (local.get $child))
            (loop $more
                (call $is (call $tls_read (i64.const 0) (i32.const 1)) (i32.const 0))
                (call $is64 (call $out) (i64.const 1))
                (call $say (i64.load8_u (i32.const 0)))
                (br_if $more (i32.ne (i32.load8_u (i32.const 0)) (i32.const 3))))
            (call $is (call $next) (i32.const 2)))"#;
    served(writer, |mut guest, root| {
        let mut stream = guest.tls(root.client(None)).expect("a handshake");
        // 16 MiB are more than the system takes, so the writer waits while nobody reads here.
        for number in 1..=3 {
            stream.write_all(&[number]).expect("the guest reads");
            assert_eq!(guest.hear(), u64::from(number));
        }
        read_zeros(&mut stream, 0x1000 * 0x1000);
        assert_eq!(read_to_end(&mut stream), b"");
    });
}

/// Writes until there is no room, with a timeout, and gives how much that was. The system
/// may make a little room yet when all seems to be full.
const FILL: &str = r#"(func $fill (result i64) (local $written i64) (local $code i32)
    (call $networking.set_tls_write_timeout (i64.const 0) (i64.const 20))
    (loop $more
        (local.set $code
            (call $tls_write (i64.const 0) (i32.const 0x8000) (i32.const 0x4000)))
        (if (i32.eqz (local.get $code)) (then
            (call $is (i64.gt_u (call $out) (i64.const 0)) (i32.const 1))
            (local.set $written (i64.add (local.get $written) (call $out)))
            (br $more)))
        (call $is (local.get $code) (i32.const 9027))
        (local.set $code (call $networking.tls_flush (i64.const 0) (i32.const 0x3010)))
        (call $is64 (call $out) (i64.const 0))
        (br_if $more (i32.eqz (local.get $code))))
    (call $is (local.get $code) (i32.const 9027))
    (local.get $written))"#;

#[test]
fn a_write_that_times_out_loses_nothing_and_writes_nothing_twice() {
    let writer = format!(
        r#"{FILL} (func (export "_start")
            (call $report (call $tls_listen))
            (drop (call $tls_accept (i64.const 0)))
            (call $say (call $fill))
            (call $networking.set_tls_write_timeout (i64.const 0) (i64.const -1))
            (call $tls_put (i64.const 0) @"more"))"#
    );
    served(&writer, |mut guest, root| {
        let mut stream = guest.tls(root.client(None)).expect("a handshake");
        let written = usize::try_from(guest.hear()).expect("less than the memory");
        read_zeros(&mut stream, written);
        assert_eq!(read_to_end(&mut stream), b"more");
    });
}

#[test]
fn a_read_sends_what_a_write_that_timed_out_has_left() {
    let writer = format!(
        r#"{FILL} (func (export "child") (param $parent i64)
            (drop (call $take_tls))
            (call $tell (local.get $parent) (i64.const 0) (call $fill))
            (call $tls_get (i64.const 0) @"all of it")
            (call $tls_put (i64.const 0) @"good"))
        (func (export "_start")
            (call $report (call $tls_listen))
            (call $give_tls (call $tls_accept (i64.const 0))
                (call $spawn_for_me (i64.const 1) @"child"))
            (call $is (call $next) (i32.const 0))
            ;; The client begins to read when the child waits in its read.
            (call $process.sleep_ms (i64.const 1))
            (call $say (call $value))
            (call $wait))"#
    );
    served(&writer, |mut guest, root| {
        let mut stream = guest.tls(root.client(None)).expect("a handshake");
        // What is full stays full until this side reads.
        SockRef::from(&stream.sock).set_recv_buffer_size(1 << 14).expect("sockets can");
        let written = usize::try_from(guest.hear()).expect("less than the memory");
        // A small window would make the rest slow.
        SockRef::from(&stream.sock).set_recv_buffer_size(1 << 20).expect("sockets can");
        read_zeros(&mut stream, written);
        stream.write_all(b"all of it").expect("the guest reads");
        assert_eq!(read_to_end(&mut stream), b"good");
        guest.go_on();
    });
}

#[test]
fn who_is_killed_in_a_write_keeps_neither_the_turn_nor_a_part_of_a_record() {
    let writer = r#"(func (export "writer") (param $parent i64)
            (drop (call $take_tls))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (loop $more
                (call $is (call $tls_write (i64.const 0) (i32.const 0x8000) (i32.const 0x4000))
                    (i32.const 0))
                (br $more)))
        (func (export "_start") (local $child i64)
            (call $report (call $tls_listen))
            (drop (call $networking.clone_tls_stream (call $tls_accept (i64.const 0))))
            (local.set $child (call $spawn_for_me (i64.const 0) @"writer"))
            (call $give_tls (i64.const 1) (local.get $child))
            (call $expect (i64.const 1))
            (call $networking.set_tls_write_timeout (i64.const 0) (i64.const 20))
            ;; Until the child waits in its write: whoever comes after it then waits in vain.
            (loop $more
                (br_if $more (i32.eqz
                    (call $tls_write (i64.const 0) (i32.const 0x8000) (i32.const 1)))))
            (call $process.monitor (local.get $child))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $say (i64.const 0))
            (call $networking.set_tls_write_timeout (i64.const 0) (i64.const -1))
            (call $tls_put (i64.const 0) @"mine"))"#;
    served(writer, |mut guest, root| {
        let mut stream = guest.tls(root.client(None)).expect("a handshake");
        guest.hear();
        let all = read_to_end(&mut stream);
        assert!(all.ends_with(b"mine"));
        assert!(all[..all.len() - 4].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn a_reader_that_waits_for_its_turn_keeps_to_its_own_timeout() {
    alone(&format!(
        r#"{PAIR} (func (export "child") (param $parent i64)
            (drop (call $take_tls))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (drop (call $tls_read (i64.const 0) (i32.const 1))))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $tls_pair)
            (call $give_tls (call $networking.clone_tls_stream (i64.const 1)) (local.get $child))
            (call $expect (i64.const 1))
            (call $process.sleep_ms (i64.const 1))
            (call $networking.set_tls_read_timeout (i64.const 1) (i64.const 1))
            (call $is (call $tls_read (i64.const 1) (i32.const 9)) (i32.const 9027))
            (call $process.monitor (local.get $child))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $networking.set_tls_read_timeout (i64.const 1) (i64.const -1))
            (call $tls_put (i64.const 0) @"mine")
            (call $tls_get (i64.const 1) @"mine"))"#
    ));
}

#[test]
fn buffers_of_a_list_are_written_in_order_and_nothing_at_once() {
    alone(&format!(
        r#"{PAIR} (func (export "_start")
            (call $tls_pair)
            (i32.store (i32.const 0x200) (i32.const 0x300)) ;; "ab"
            (i32.store (i32.const 0x204) (i32.const 2))
            (i32.store (i32.const 0x208) (i32.const 0x10000)) ;; nothing, at the very end
            (i32.store (i32.const 0x20c) (i32.const 0))
            (i32.store (i32.const 0x210) (i32.const 0x301)) ;; "bc"
            (i32.store (i32.const 0x214) (i32.const 2))
            (i32.store (i32.const 0x300) (i32.const 0x636261))
            (call $is
                (call $networking.tls_write_vectored (i64.const 0)
                    (i32.const 0x200) (i32.const 3) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 4))
            (call $tls_get (i64.const 1) @"abbc")
            (call $is (call $tls_write (i64.const 0) (i32.const 0x10000) (i32.const 0))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $is (call $tls_read (i64.const 0) (i32.const 0)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0)))"#
    ));
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
