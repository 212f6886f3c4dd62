//! `lunatic::networking`: UDP sockets, over the loopback interface.

use lunatic_engine::ExitReason;

use crate::common::{passes, reason_limited, traps};

// 1.7: the guest library connects with timeout 0.
#[test]
fn a_datagram_goes_to_the_peer_that_was_set_with_timeout_0() {
    passes(
        r#"(func (export "_start")
            (call $is64 (call $udp) (i64.const 0))
            (call $is64 (call $udp) (i64.const 1))
            (i64.store (i32.const 0x3010) (i64.const 9))
            (call $is
                (call $udp_connect (i64.const 0) (call $udp_port (i64.const 1)))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $is
                (call $networking.udp_send (i64.const 0) @"ping" (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 4))
            (call $udp_get (i64.const 1) @"ping"))"#,
    );
}

const SEND_TO: &str = "(func $send_to
    (param $socket i64) (param $port i32) (param $at i32) (param $length i32) (result i32)
    (call $networking.udp_send_to (local.get $socket) (local.get $at) (local.get $length)
        (i32.const 4) (call $loopback) (local.get $port) (i32.const 0) (i32.const 0)
        (i32.const 0x3010)))";

#[test]
fn who_receives_a_datagram_learns_its_sender() {
    passes(&format!(
        r#"{SEND_TO}
        (func (export "_start")
            (drop (call $udp)) (drop (call $udp))
            (call $is
                (call $send_to (i64.const 0) (call $udp_port (i64.const 1)) @"from whom?")
                (i32.const 0))
            (call $is64 (call $out) (i64.const 10))
            (call $is
                (call $networking.udp_receive_from (i64.const 1)
                    (i32.const 0) (i32.const 100) (i32.const 0x3010) (i32.const 0x3018))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 10))
            (call $is (call $same (i32.const 0) @"from whom?") (i32.const 1))
            (call $is
                (call $port (i64.load (i32.const 0x3018)))
                (call $udp_port (i64.const 0))))"#
    ));
}

#[test]
fn what_does_not_fit_into_the_buffer_is_lost_and_datagrams_stay_apart() {
    passes(&format!(
        r#"{SEND_TO}
        (func (export "_start") (local $port i32)
            (drop (call $udp)) (drop (call $udp))
            (local.set $port (call $udp_port (i64.const 1)))
            (drop (call $send_to (i64.const 0) (local.get $port) @"longer"))
            (drop (call $send_to (i64.const 0) (local.get $port) @""))
            (drop (call $send_to (i64.const 0) (local.get $port) @"end"))
            (call $is
                (call $networking.udp_receive (i64.const 1)
                    (i32.const 0) (i32.const 4) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 4))
            (call $is (call $same (i32.const 0) @"long") (i32.const 1))
            (call $udp_get (i64.const 1) @"")
            (call $udp_get (i64.const 1) @"end"))"#
    ));
}

#[test]
fn a_socket_without_a_peer_says_so_with_code_1() {
    passes(
        r#"(func (export "_start") (local $port i32)
            (drop (call $udp)) (drop (call $udp))
            (call $is
                (call $networking.udp_peer_addr (i64.const 0) (i32.const 0x3010))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"no peer") (i32.const 1))
            (call $is
                (call $networking.udp_send (i64.const 0) @"to whom?" (i32.const 0x3010))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"cannot send") (i32.const 1))
            (local.set $port (call $udp_port (i64.const 1)))
            (call $is (call $udp_connect (i64.const 0) (local.get $port)) (i32.const 0))
            (call $is
                (call $networking.udp_peer_addr (i64.const 0) (i32.const 0x3010))
                (i32.const 0))
            (call $is (call $port (call $out)) (local.get $port)))"#,
    );
}

#[test]
fn a_taken_port_and_a_datagram_that_is_too_large_are_errors() {
    passes(&format!(
        r#"{SEND_TO}
        (func (export "_start")
            (drop (call $udp))
            (call $is
                (call $networking.udp_bind (i32.const 4) (call $loopback)
                    (call $udp_port (i64.const 0)) (i32.const 0) (i32.const 0)
                    (i32.const 0x3010))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"127.0.0.1:") (i32.const 1))
            (call $is
                (call $send_to (i64.const 0) (i32.const 9) (i32.const 0) (i32.const 0x10000))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"127.0.0.1:9") (i32.const 1)))"#
    ));
}

#[test]
fn options_are_those_of_the_socket_in_all_its_clones() {
    passes(
        r#"(func (export "_start")
            (drop (call $udp))
            (call $is64 (call $networking.clone_udp_socket (i64.const 0)) (i64.const 1))
            (call $is (call $networking.get_udp_socket_broadcast (i64.const 1)) (i32.const 0))
            (call $networking.set_udp_socket_broadcast (i64.const 0) (i32.const 0x100))
            (call $is (call $networking.get_udp_socket_broadcast (i64.const 1)) (i32.const 1))
            (call $networking.set_udp_socket_broadcast (i64.const 0) (i32.const 0))
            (call $is (call $networking.get_udp_socket_broadcast (i64.const 1)) (i32.const 0))
            (call $networking.set_udp_socket_ttl (i64.const 0) (i32.const 42))
            (call $is (call $networking.get_udp_socket_ttl (i64.const 1)) (i32.const 42))
            (call $networking.drop_udp_socket (i64.const 0))
            (call $is (call $networking.get_udp_socket_ttl (i64.const 1)) (i32.const 42)))"#,
    );
    let ttl = "(call $networking.set_udp_socket_ttl (call $udp) (i32.const 256))";
    traps(ttl, "the option of the UDP socket cannot be used");
}

#[test]
fn a_socket_moves_in_a_message_and_works_there() {
    passes(
        r#"(table funcref (elem $use))
        (func $use (drop (call $networking.clone_udp_socket (i64.const 0))))
        (func (export "child")
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.take_udp_socket (i64.const 0)) (i64.const 0))
            (call $is
                (call $networking.udp_send (i64.const 0) @"moved" (i32.const 0x3010))
                (i32.const 0)))
        (func (export "_start")
            (drop (call $udp)) (drop (call $udp))
            (drop (call $udp_connect (i64.const 0) (call $udp_port (i64.const 1))))
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is64 (call $message.push_udp_socket (i64.const 0)) (i64.const 0))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (drop (call $message.send (call $spawn (i64.const 1) @"child")))
            (call $udp_get (i64.const 1) @"moved"))"#,
    );
}

#[test]
fn who_waits_for_a_datagram_can_be_killed_and_its_port_is_free() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (drop (call $udp))
            (call $tell (local.get $parent) (i64.const 0)
                (i64.extend_i32_u (call $udp_port (i64.const 0))))
            (call $udp_get (i64.const 0) @"nothing comes"))
        (func (export "_start") (local $child i64) (local $port i32)
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $is (call $next) (i32.const 0))
            (local.set $port (i32.wrap_i64 (call $value)))
            (call $process.monitor (local.get $child))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $is
                (call $networking.udp_bind (i32.const 4) (call $loopback) (local.get $port)
                    (i32.const 0) (i32.const 0) (i32.const 0x3010))
                (i32.const 0)))"#,
    );
}

#[test]
fn more_sockets_than_the_limit_end_the_process() {
    let program = r#"(func (export "_start") (loop $more (drop (call $udp)) (br $more)))"#;
    let reason = reason_limited(program, |limits, _| limits.resources_max = 10);
    assert_eq!(reason, ExitReason::Limit("resources_max"));
}

#[test]
fn unknown_sockets_trap() {
    const MISSING: &str = "this process has no UDP socket with id 5";
    let zeros = |count| "(i32.const 0) ".repeat(count);
    for (function, arguments, result) in [
        ("udp_local_addr", zeros(1), true),
        ("udp_peer_addr", zeros(1), true),
        ("drop_udp_socket", zeros(0), false),
        ("udp_receive", zeros(3), true),
        ("udp_receive_from", zeros(4), true),
        ("udp_connect", format!("{} (i64.const 0) (i32.const 0)", zeros(5)), true),
        ("clone_udp_socket", zeros(0), true),
        ("set_udp_socket_broadcast", zeros(1), false),
        ("get_udp_socket_broadcast", zeros(0), true),
        ("set_udp_socket_ttl", zeros(1), false),
        ("get_udp_socket_ttl", zeros(0), true),
        ("udp_send_to", zeros(8), true),
        ("udp_send", zeros(3), true),
    ] {
        let call = format!("(call $networking.{function} (i64.const 5) {arguments})");
        let body = if result { format!("(drop {call})") } else { call };
        traps(&body, MISSING);
    }
    let message = "(call $message.create_data (i64.const 0) (i64.const 0))";
    let push = "(drop (call $message.push_udp_socket (i64.const 5)))";
    traps(&format!("{message} {push}"), MISSING);
    let take = "(drop (call $message.take_udp_socket (i64.const 0)))";
    traps(&format!("{message} {take}"), "the message has no UDP socket at index 0");
}

#[test]
fn bad_pointers_and_addresses_trap() {
    let outside = "outside of the memory";
    let bad_type = "the type of an address is 4 or 6, not 7";
    let port = "(i32.const 9) (i32.const 0) (i32.const 0)";
    for (call, text) in [
        ("udp_local_addr (call $udp) (i32.const -1)".to_owned(), outside),
        ("udp_peer_addr (call $udp) (i32.const -1)".to_owned(), outside),
        (format!("udp_bind (i32.const 7) (i32.const 0) {port} (i32.const 0)"), bad_type),
        (format!("udp_bind (i32.const 4) (call $loopback) {port} (i32.const -1)"), outside),
        (receive("(i32.const 0xffff) (i32.const 2) (i32.const 0) (i32.const 0)"), outside),
        (receive("(i32.const 0) (i32.const 1) (i32.const -1) (i32.const 0)"), outside),
        (receive("(i32.const 0) (i32.const 1) (i32.const 0) (i32.const -1)"), outside),
        (connect("(i32.const 7) (i32.const 0)", "(i32.const 0)"), bad_type),
        (connect("(i32.const 4) (i32.const -1)", "(i32.const 0)"), outside),
        (connect("(i32.const 4) (i32.const 0)", "(i32.const -1)"), outside),
        (send_to("(i32.const -1) (i32.const 2)", "(i32.const 4)"), outside),
        (send_to("(i32.const 0) (i32.const 2)", "(i32.const 7)"), bad_type),
        ("udp_send (call $udp) (i32.const -1) (i32.const 2) (i32.const 0)".to_owned(), outside),
        ("udp_send (call $udp) (i32.const 0) (i32.const 2) (i32.const -1)".to_owned(), outside),
    ] {
        traps(&format!("(drop (call $networking.{call}))"), text);
    }
}

fn receive(places: &str) -> String {
    format!("udp_receive_from (call $udp) {places}")
}

fn connect(address: &str, out: &str) -> String {
    let rest = "(i32.const 9) (i32.const 0) (i32.const 0) (i64.const 0)";
    format!("udp_connect (call $udp) {address} {rest} {out}")
}

fn send_to(datagram: &str, kind: &str) -> String {
    let rest = "(call $loopback) (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 0)";
    format!("udp_send_to (call $udp) {datagram} {kind} {rest}")
}
