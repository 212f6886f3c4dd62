//! Options of streams and UDP sockets, shutdown, receiving with a timeout, and multicast.

use lunatic_engine::{Access, NetworkRights, ProcessConfig};
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::{check, passes, run_with, traps};

#[test]
fn nodelay_is_off_until_it_is_set_for_all_clones() {
    passes(
        r#"(func $nodelay (param $stream i64) (result i64)
            (call $is
                (call $networking.get_tcp_nodelay (local.get $stream) (i32.const 0x3010))
                (i32.const 0))
            (call $out))
        (func (export "_start")
            (call $pair)
            (call $is64 (call $networking.clone_tcp_stream (i64.const 0)) (i64.const 2))
            (call $is64 (call $nodelay (i64.const 0)) (i64.const 0))
            (call $is
                (call $networking.set_tcp_nodelay (i64.const 0) (i32.const 0x100) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $is64 (call $nodelay (i64.const 2)) (i64.const 1))
            (drop (call $networking.set_tcp_nodelay (i64.const 2) (i32.const 0) (i32.const 0x3010)))
            (call $is64 (call $nodelay (i64.const 0)) (i64.const 0)))"#,
    );
}

#[test]
fn keep_alive_is_told_as_it_was_set_and_a_refused_one_changes_nothing() {
    passes(
        r#"(func $set (param $idle i64) (result i32)
            (call $networking.set_tcp_keep_alive
                (i64.const 0) (local.get $idle) (i32.const 0x3010)))
        (func $idle_is (param $idle i64)
            (call $is
                (call $networking.get_tcp_keep_alive (i64.const 0) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (local.get $idle)))
        (func (export "_start")
            (call $pair)
            (call $idle_is (i64.const -1))
            (call $is (call $set (i64.const 1)) (i32.const 0))
            (call $idle_is (i64.const 1))
            (call $is (call $set (i64.const 60000)) (i32.const 0))
            (call $idle_is (i64.const 60000))
            (call $is (call $set (i64.const 0x7fffffffffff)) (i32.const 1))
            (call $is (call $error_has (call $out) @"`set_tcp_keep_alive` failed") (i32.const 1))
            (call $idle_is (i64.const 60000))
            (call $is (call $set (i64.const -1)) (i32.const 0))
            (call $idle_is (i64.const -1)))"#,
    );
}

#[test]
fn a_linger_of_0_resets_the_connection_and_one_that_would_hold_a_thread_is_refused() {
    passes(
        r#"(func $set (param $linger i64) (result i32)
            (call $networking.set_tcp_linger (i64.const 0) (local.get $linger) (i32.const 0x3010)))
        (func $linger_is (param $linger i64)
            (call $is
                (call $networking.get_tcp_linger (i64.const 0) (i32.const 0x3010)) (i32.const 0))
            (call $is64 (call $out) (local.get $linger)))
        (func (export "_start")
            (call $pair)
            (call $linger_is (i64.const -1))
            (call $is (call $set (i64.const 5000)) (i32.const 1))
            (call $is (call $error_has (call $out) @"shut down writing") (i32.const 1))
            (call $linger_is (i64.const -1))
            (call $is (call $set (i64.const 0)) (i32.const 0))
            (call $linger_is (i64.const 0))
            (call $is (call $set (i64.const -1)) (i32.const 0))
            (call $linger_is (i64.const -1))
            (call $is (call $set (i64.const 0)) (i32.const 0))
            (call $networking.drop_tcp_stream (i64.const 0))
            (call $is (call $tcp_read (i64.const 1) (i32.const 1)) (i32.const 1))
            (call $is (call $error_has (call $out) @"reset") (i32.const 1)))"#,
    );
}

const SHUTDOWN: &str = "(func $shutdown (param $stream i64) (param $how i32) (result i32)
    (call $networking.tcp_shutdown (local.get $stream) (local.get $how) (i32.const 0x3010)))";

#[test]
fn after_the_end_of_writing_the_peer_reads_to_the_end_and_can_still_answer() {
    passes(&format!(
        r#"{SHUTDOWN}
        (func (export "_start")
            (call $pair)
            (call $put (i64.const 0) @"question")
            (call $is (call $shutdown (i64.const 0) (i32.const 1)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $is (call $tcp_write (i64.const 0) (i32.const 0) (i32.const 1)) (i32.const 1))
            (call $get (i64.const 1) @"question")
            (call $get_end (i64.const 1))
            (call $put (i64.const 1) @"answer")
            (call $get (i64.const 0) @"answer")
            (call $is (call $shutdown (i64.const 1) (i32.const 2)) (i32.const 0))
            (call $get_end (i64.const 0))
            (call $get_end (i64.const 1)))"#
    ));
}

#[test]
fn the_end_of_reading_wakes_who_waits_in_a_read_of_a_clone() {
    passes(&format!(
        r#"{SHUTDOWN}
        (func (export "child") (param $parent i64)
            (drop (call $take_stream))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (call $get_end (i64.const 0)))
        (func (export "_start") (local $child i64)
            (call $pair)
            (local.set $child (call $spawn_for_me (i64.const 1) @"child"))
            (call $process.monitor (local.get $child))
            (call $give_stream
                (call $networking.clone_tcp_stream (i64.const 1)) (local.get $child))
            (call $expect (i64.const 1))
            (call $process.sleep_ms (i64.const 1))
            (call $is (call $shutdown (i64.const 1) (i32.const 0)) (i32.const 0))
            (call $is (call $next) (i32.const 2))
            (call $put (i64.const 1) @"writing goes on")
            (call $get (i64.const 0) @"writing goes on"))"#
    ));
}

#[test]
fn another_end_than_0_1_and_2_is_an_error() {
    passes(&format!(
        r#"{SHUTDOWN}
        (func (export "_start")
            (call $pair)
            (call $is (call $shutdown (i64.const 0) (i32.const 3)) (i32.const 1))
            (call $is (call $error_has (call $out) @"not 3") (i32.const 1))
            (call $is (call $shutdown (i64.const 0) (i32.const -1)) (i32.const 1)))"#
    ));
}

#[test]
fn the_own_address_of_a_stream_is_the_one_that_its_peer_sees() {
    passes(
        r#"(func $own_port (param $stream i64) (result i32)
            (call $is
                (call $networking.tcp_stream_local_addr (local.get $stream) (i32.const 0x3010))
                (i32.const 0))
            (call $port (call $out)))
        (func (export "_start") (local $listener i64) (local $port i32)
            (local.set $listener (call $listen))
            (local.set $port (call $listener_port (local.get $listener)))
            (drop (call $connect (local.get $port)))
            (drop (call $accept (local.get $listener)))
            (call $is (call $own_port (i64.const 0)) (global.get $peer_port))
            (call $is (call $own_port (i64.const 1)) (local.get $port)))"#,
    );
}

/// The code of a receive of at most 100 bytes to address 0.
const RECEIVE: &str = "(func $receive (param $socket i64) (result i32)
    (call $networking.udp_receive_from (local.get $socket)
        (i32.const 0) (i32.const 100) (i32.const 0x3010) (i32.const 0x3018)))";

// 34
#[test]
fn a_receive_times_out_without_a_trace_and_takes_what_is_there_whatever_the_timeout() {
    passes(&format!(
        r#"{RECEIVE}
        (func (export "_start") (local $i i32)
            (drop (call $udp)) (drop (call $udp))
            (call $is64 (call $networking.clone_udp_socket (i64.const 1)) (i64.const 2))
            (call $is64 (call $networking.get_udp_receive_timeout (i64.const 1)) (i64.const -1))
            (call $networking.set_udp_receive_timeout (i64.const 2) (i64.const 1))
            (call $is64 (call $networking.get_udp_receive_timeout (i64.const 1)) (i64.const 1))
            (i64.store (i32.const 0x3010) (i64.const 55))
            (i64.store (i32.const 0x3018) (i64.const 66))
            (call $is (call $receive (i64.const 1)) (i32.const 9027))
            (call $is64 (call $out) (i64.const 55))
            (call $is64 (i64.load (i32.const 0x3018)) (i64.const 66))
            (drop (call $udp_connect (i64.const 0) (call $udp_port (i64.const 1))))
            (call $networking.set_udp_receive_timeout (i64.const 1) (i64.const 0))
            (loop $again
                (drop (call $networking.udp_send (i64.const 0) @"there" (i32.const 0x3010)))
                (call $udp_get (i64.const 1) @"there")
                (drop (call $networking.udp_send (i64.const 0) @"" (i32.const 0x3010)))
                (call $udp_get (i64.const 1) @"")
                (call $is (call $receive (i64.const 1)) (i32.const 9027))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 100)))))"#
    ));
}

#[test]
fn who_waits_for_his_turn_to_receive_keeps_to_the_timeout_and_the_dead_keep_no_turn() {
    passes(&format!(
        r#"{RECEIVE}
        (func (export "child") (param $parent i64)
            (call $is (call $next) (i32.const 0))
            (drop (call $message.take_udp_socket (i64.const 0)))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (drop (call $receive (i64.const 0))))
        (func (export "_start") (local $child i64)
            (drop (call $udp)) (drop (call $udp))
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $message.create_data (i64.const 0) (i64.const 0))
            (drop (call $message.push_udp_socket
                (call $networking.clone_udp_socket (i64.const 1))))
            (drop (call $message.send (local.get $child)))
            (call $expect (i64.const 1))
            (call $process.sleep_ms (i64.const 1))
            (call $networking.set_udp_receive_timeout (i64.const 1) (i64.const 1))
            (call $is (call $receive (i64.const 1)) (i32.const 9027))
            (call $process.monitor (local.get $child))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            (drop (call $udp_connect (i64.const 0) (call $udp_port (i64.const 1))))
            (drop (call $networking.udp_send (i64.const 0) @"mine" (i32.const 0x3010)))
            (call $networking.set_udp_receive_timeout (i64.const 1) (i64.const -1))
            (call $udp_get (i64.const 1) @"mine"))"#
    ));
}

// 34: where the old functions trap.
#[test]
fn what_the_system_refuses_of_a_udp_socket_is_an_error_and_changes_nothing() {
    passes(
        r#"(func (export "_start")
            (drop (call $udp))
            (call $is
                (call $networking.set_udp_ttl (i64.const 0) (i32.const 42) (i32.const 0x3010))
                (i32.const 0))
            (call $is
                (call $networking.set_udp_ttl (i64.const 0) (i32.const 256) (i32.const 0x3010))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"`set_udp_ttl` failed") (i32.const 1))
            (call $is (call $networking.get_udp_ttl (i64.const 0) (i32.const 0x3010)) (i32.const 0))
            (call $is64 (call $out) (i64.const 42))
            (call $is (call $networking.get_udp_socket_ttl (i64.const 0)) (i32.const 42))
            (call $is
                (call $networking.set_udp_broadcast (i64.const 0) (i32.const 2) (i32.const 0x3010))
                (i32.const 0))
            (call $is
                (call $networking.get_udp_broadcast (i64.const 0) (i32.const 0x3010)) (i32.const 0))
            (call $is64 (call $out) (i64.const 1))
            (call $is
                (call $networking.set_udp_multicast_ttl
                    (i64.const 0) (i32.const 3) (i32.const 0x3010))
                (i32.const 0))
            (call $is
                (call $networking.get_udp_multicast_ttl (i64.const 0) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 3))
            (call $is
                (call $networking.get_udp_multicast_loop (i64.const 0) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 1))
            (drop (call $networking.set_udp_multicast_loop
                (i64.const 0) (i32.const 0) (i32.const 0x3010)))
            (drop (call $networking.get_udp_multicast_loop (i64.const 0) (i32.const 0x3010)))
            (call $is64 (call $out) (i64.const 0)))"#,
    );
}

/// The group 239.255.47.11 at 0x100; joining and leaving it on the loopback interface. Socket 0 is
/// bound to all addresses, socket 1 sends.
const GROUP: &str = r#"(func $join (result i32)
    (i32.store (i32.const 0x100) (i32.const 0x0b2fffef))
    (call $networking.udp_join_multicast_v4
        (i64.const 0) (i32.const 0x100) (call $loopback) (i32.const 0x3010)))
(func $leave (result i32)
    (i32.store (i32.const 0x100) (i32.const 0x0b2fffef))
    (call $networking.udp_leave_multicast_v4
        (i64.const 0) (i32.const 0x100) (call $loopback) (i32.const 0x3010)))
(func $hears (param $code i32)
    (call $is
        (call $networking.udp_send_to (i64.const 1) @"to all" (i32.const 4) (i32.const 0x100)
            (global.get $group_port) (i32.const 0) (i32.const 0) (i32.const 0x3010))
        (i32.const 0))
    (call $is
        (call $networking.udp_receive (i64.const 0)
            (i32.const 0) (i32.const 100) (i32.const 0x3010))
        (local.get $code)))
(global $group_port (mut i32) (i32.const 0))
(func $open
    (i32.store (i32.const 0x110) (i32.const 0))
    (call $is
        (call $networking.udp_bind (i32.const 4) (i32.const 0x110) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0x3010))
        (i32.const 0))
    (call $is (call $networking.udp_local_addr (i64.const 0) (i32.const 0x3010)) (i32.const 0))
    (drop (call $networking.resolve_next (call $out) (i32.const 0x120)
        (i32.const 0x130) (i32.const 0x140) (i32.const 0x148) (i32.const 0x150)))
    (global.set $group_port (i32.load16_u (i32.const 0x140)))
    (drop (call $udp)))"#;

#[test]
fn a_socket_hears_a_group_from_joining_to_leaving() {
    passes(&format!(
        r#"{GROUP}
        (func (export "_start")
            (call $open)
            (call $networking.set_udp_receive_timeout (i64.const 0) (i64.const 0))
            (call $is (call $join) (i32.const 0))
            (call $hears (i32.const 0))
            (call $is (call $same (i32.const 0) @"to all") (i32.const 1))
            (call $is (call $leave) (i32.const 0))
            (call $hears (i32.const 9027))
            (call $is (call $leave) (i32.const 1))
            (call $is (call $error_has (call $out) @"`udp_leave_multicast_v4`") (i32.const 1)))"#
    ));
}

#[test]
fn joining_a_group_takes_the_right_to_bind_to_its_address() {
    for (rules, code) in
        [(vec!["udp:127.0.0.1:*"], 1), (vec!["udp:127.0.0.1:*", "udp:239.0.0.0/8:*"], 0)]
    {
        let mut network = NetworkRights::NONE;
        for rule in rules {
            network.allow(Access::Bind, rule.parse().expect("a rule")).expect("few rules");
        }
        let program = format!(
            r#"{GROUP}
            (func (export "_start")
                (drop (call $udp))
                (call $is (call $join) (i32.const {code}))
                (if (i32.const {code}) (then
                    (call $is
                        (call $error_has (call $out) @"may not bind udp 239.255.47.11:")
                        (i32.const 1)))))"#
        );
        let config = ProcessConfig::root(WasiConfig::default()).with_network(network);
        check(&run_with(&module(&program), config).expect("the module can be spawned"));
    }
}

#[test]
fn what_is_no_group_cannot_be_joined() {
    passes(
        r#"(func (export "_start")
            (drop (call $udp))
            (call $is
                (call $networking.udp_join_multicast_v4
                    (i64.const 0) (call $loopback) (call $loopback) (i32.const 0x3010))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"`udp_join_multicast_v4` failed") (i32.const 1))
            ;; A group of IPv6, with a socket that speaks IPv4.
            (i64.store (i32.const 0x100) (i64.const 0x02ff))
            (i64.store (i32.const 0x108) (i64.const 0x0100000000000000))
            (call $is
                (call $networking.udp_join_multicast_v6
                    (i64.const 0) (i32.const 0x100) (i32.const 0) (i32.const 0x3010))
                (i32.const 1))
            (call $is
                (call $networking.udp_leave_multicast_v6
                    (i64.const 0) (i32.const 0x100) (i32.const 0) (i32.const 0x3010))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"`udp_leave_multicast_v6`") (i32.const 1)))"#,
    );
}

#[test]
fn unknown_sockets_and_bad_pointers_trap() {
    let (zero, ms) = ("(i32.const 0)", "(i64.const 0)");
    let group = "(i32.const 0) (i32.const 0)";
    for (function, value, what) in [
        ("set_tcp_nodelay", zero, "TCP stream"),
        ("get_tcp_nodelay", "", "TCP stream"),
        ("set_tcp_keep_alive", ms, "TCP stream"),
        ("get_tcp_keep_alive", "", "TCP stream"),
        ("set_tcp_linger", ms, "TCP stream"),
        ("get_tcp_linger", "", "TCP stream"),
        ("tcp_shutdown", zero, "TCP stream"),
        ("tcp_stream_local_addr", "", "TCP stream"),
        ("set_udp_broadcast", zero, "UDP socket"),
        ("get_udp_broadcast", "", "UDP socket"),
        ("set_udp_ttl", "(i32.const 1)", "UDP socket"),
        ("get_udp_ttl", "", "UDP socket"),
        ("set_udp_multicast_loop", zero, "UDP socket"),
        ("get_udp_multicast_loop", "", "UDP socket"),
        ("set_udp_multicast_ttl", zero, "UDP socket"),
        ("get_udp_multicast_ttl", "", "UDP socket"),
        ("udp_join_multicast_v4", group, "UDP socket"),
        ("udp_join_multicast_v6", group, "UDP socket"),
        ("udp_leave_multicast_v4", group, "UDP socket"),
        ("udp_leave_multicast_v6", group, "UDP socket"),
    ] {
        let call = |id: u32, out: &str| {
            format!("(drop (call $networking.{function} (i64.const {id}) {value} {out}))")
        };
        let missing = format!("this process has no {what} with id 5");
        traps(&call(5, zero), &missing);
        let bad = call(0, "(i32.const 0xfff9)");
        traps(&format!("(call $pair) (drop (call $udp)) {bad}"), "outside of the memory");
    }
    let missing = "this process has no UDP socket with id 5";
    traps("(call $networking.set_udp_receive_timeout (i64.const 5) (i64.const 1))", missing);
    traps("(drop (call $networking.get_udp_receive_timeout (i64.const 5)))", missing);
    for function in ["join_multicast_v4", "leave_multicast_v4"] {
        for places in ["(i32.const -1) (i32.const 0)", "(i32.const 0) (i32.const -1)"] {
            let rest = format!("{places} (i32.const 0)");
            let call = format!("(drop (call $networking.udp_{function} (i64.const 0) {rest}))");
            traps(&format!("(drop (call $udp)) {call}"), "outside of the memory");
        }
    }
    let rest = "(i32.const 0xfff1) (i32.const 0) (i32.const 0)";
    let call = format!("(drop (call $networking.udp_join_multicast_v6 (i64.const 0) {rest}))");
    traps(&format!("(drop (call $udp)) {call}"), "outside of the memory");
}
