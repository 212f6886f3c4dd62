//! `lunatic::networking`: TLS streams once they are there: ends, timeouts, turns.

use std::io::{Read, Write};
use std::net::Shutdown;

use socket2::SockRef;

use crate::common::tls::{Client, ends, read_to_end};
use crate::networking_tls::{PAIR, alone, served};

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

/// Writes until there is no room, with a timeout, and gives how much that was. The system may make
/// a little room yet when all seems to be full, so it is asked several times.
const FILL: &str = r#"(func $fill (result i64)
    (local $written i64) (local $code i32) (local $tries i32)
    (call $networking.set_tls_write_timeout (i64.const 0) (i64.const 20))
    (loop $more
        (local.set $code
            (call $tls_write (i64.const 0) (i32.const 0x8000) (i32.const 0x4000)))
        (if (i32.eqz (local.get $code)) (then
            (call $is (i64.gt_u (call $out) (i64.const 0)) (i32.const 1))
            (local.set $written (i64.add (local.get $written) (call $out)))
            (br $more)))
        (call $is (local.get $code) (i32.const 9027))
        (local.set $tries (i32.const 4))
        (loop $again
            (local.set $code (call $networking.tls_flush (i64.const 0) (i32.const 0x3010)))
            (call $is64 (call $out) (i64.const 0))
            (br_if $more (i32.eqz (local.get $code)))
            (call $is (local.get $code) (i32.const 9027))
            (local.set $tries (i32.sub (local.get $tries) (i32.const 1)))
            (br_if $again (local.get $tries))))
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
