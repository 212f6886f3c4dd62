//! `lunatic::networking` over the loopback interface of IPv6, where the machine has one.

use crate::common::passes;

/// The address ::1 at 0x100.
const LOOPBACK: &str = "(func $loopback_v6 (result i32)
    (i64.store (i32.const 0x100) (i64.const 0))
    (i64.store (i32.const 0x108) (i64.const 0x0100000000000000))
    (i32.const 0x100))
(func $port_v6 (param $iterator i64) (result i32)
    (call $is
        (call $networking.resolve_next (local.get $iterator) (i32.const 0x120)
            (i32.const 0x130) (i32.const 0x140) (i32.const 0x148) (i32.const 0x150))
        (i32.const 0))
    (call $is (i32.load (i32.const 0x120)) (i32.const 6))
    (call $is (call $same (i32.const 0x130) (call $loopback_v6) (i32.const 16)) (i32.const 1))
    (i32.load16_u (i32.const 0x140)))";

fn there_is_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn tcp_works_over_ipv6_and_a_taken_port_is_an_error() {
    if !there_is_ipv6() {
        return;
    }
    passes(&format!(
        r#"{LOOPBACK}
        (func $bind_v6 (param $port i32) (result i32)
            (call $networking.tcp_bind (i32.const 6) (call $loopback_v6) (local.get $port)
                (i32.const 0) (i32.const 0) (i32.const 0x3010)))
        (func (export "_start") (local $port i32)
            (call $is (call $bind_v6 (i32.const 0)) (i32.const 0))
            (call $is (call $networking.tcp_local_addr (i64.const 0) (i32.const 0x3010)) (i32.const 0))
            (local.set $port (call $port_v6 (call $out)))
            (call $is (call $bind_v6 (local.get $port)) (i32.const 1))
            (call $is (call $error_has (call $out) @"cannot listen at [::1]:") (i32.const 1))
            (call $is
                (call $networking.tcp_connect (i32.const 6) (call $loopback_v6) (local.get $port)
                    (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 0x3010))
                (i32.const 0))
            (call $is
                (call $networking.tcp_accept (i64.const 0) (i32.const 0x3010) (i32.const 0x3018))
                (i32.const 0))
            (drop (call $port_v6 (i64.load (i32.const 0x3018))))
            (call $put (i64.const 0) @"over six")
            (call $get (i64.const 1) @"over six"))"#
    ));
}

#[test]
fn udp_works_over_ipv6_and_its_hops_can_be_set() {
    if !there_is_ipv6() {
        return;
    }
    passes(&format!(
        r#"{LOOPBACK}
        (func $udp_v6 (result i64)
            (call $is
                (call $networking.udp_bind (i32.const 6) (call $loopback_v6) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const 0x3010))
                (i32.const 0))
            (call $out))
        (func (export "_start") (local $port i32)
            (drop (call $udp_v6)) (drop (call $udp_v6))
            (call $is (call $networking.udp_local_addr (i64.const 1) (i32.const 0x3010)) (i32.const 0))
            (local.set $port (call $port_v6 (call $out)))
            (call $is
                (call $networking.udp_send_to (i64.const 0) @"over six" (i32.const 6)
                    (call $loopback_v6) (local.get $port) (i32.const 0) (i32.const 0)
                    (i32.const 0x3010))
                (i32.const 0))
            (call $is
                (call $networking.udp_receive_from (i64.const 1)
                    (i32.const 0) (i32.const 100) (i32.const 0x3010) (i32.const 0x3018))
                (i32.const 0))
            (call $is (call $same (i32.const 0) @"over six") (i32.const 1))
            (drop (call $port_v6 (i64.load (i32.const 0x3018))))
            (call $is
                (call $networking.set_udp_ttl (i64.const 0) (i32.const 42) (i32.const 0x3010))
                (i32.const 0))
            (call $is (call $networking.get_udp_ttl (i64.const 0) (i32.const 0x3010)) (i32.const 0))
            (call $is64 (call $out) (i64.const 42)))"#
    ));
}
