//! A listener that crashes and is restarted on the same port.

use std::net::{Ipv4Addr, TcpListener};

use crate::common::passes;
use crate::service::{alone, leaves_nothing};

/// In one of two runs.
const RESTARTS: u32 = 5_000;

/// A port that is free, and that no system gives to outgoing connections.
fn port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (20_000..30_000).find(free).expect("one of ten thousand ports is free")
}

// Whoever hears of the crash can bind at once: connections and the listener are closed by then.
#[test]
fn a_crashing_listener_is_restarted_again_and_again_on_its_port() {
    let _turn = alone();
    let port = port();
    leaves_nothing(|| {
        passes(&format!(
            r#"(func (export "server") (param $parent i64)
                (call $is (call $bind (i32.const {port})) (i32.const 0))
                (call $is64 (call $connect (i32.const {port})) (i64.const 0))
                (call $is64 (call $accept (i64.const 0)) (i64.const 1))
                (call $put (i64.const 0) @"hello")
                (call $get (i64.const 1) @"hello")
                (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
                (unreachable))
            (func (export "_start") (local $i i32)
                (call $process.die_when_link_dies (i32.const 0))
                (loop $again
                    (drop (call $spawn_for_me (i64.const 7) @"server"))
                    (call $expect (i64.const 1))
                    (call $is (call $next) (i32.const 1))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const {RESTARTS})))))"#
        ));
    });
}
