//! Connects that nobody answers.

#![cfg(target_os = "linux")]

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::common::passes;
use crate::service::{alone, leaves_nothing};

/// A listener with room for one connection, which is taken: further ones get no answer.
struct Full {
    _listener: Socket,
    _first: TcpStream,
    port: u16,
}

impl Full {
    fn new() -> Full {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any.into()).and_then(|()| listener.listen(0)).expect("it can listen");
        let address = listener.local_addr().ok().and_then(|address| address.as_socket());
        let address = address.expect("it is bound");
        let first = TcpStream::connect(address).expect("there is room for one");
        Full { _listener: listener, _first: first, port: address.port() }
    }
}

#[test]
fn a_connect_that_nobody_answers_times_out_or_is_killed_and_leaves_no_socket() {
    let _turn = alone();
    leaves_nothing(|| {
        let port = Full::new();
        let port = port.port;
        passes(&format!(
            r#"(func (export "stuck") (drop (call $connect (i32.const {port}))))
            (func (export "_start") (local $stuck i64)
                (i64.store (i32.const 0x3010) (i64.const 55))
                (call $is (call $connect_code (i32.const {port}) (i64.const 20)) (i32.const 9027))
                (call $is64 (call $out) (i64.const 55))
                (call $is (call $connect_code (i32.const {port}) (i64.const 0)) (i32.const 9027))
                (local.set $stuck (call $spawn (i64.const 0) @"stuck"))
                (call $process.monitor (local.get $stuck))
                (call $process.sleep_ms (i64.const 1))
                (call $process.kill (local.get $stuck))
                (call $is (call $next) (i32.const 2))
                ;; Others are served meanwhile, as ever.
                (call $pair)
                (call $put (i64.const 0) @"hello")
                (call $get (i64.const 1) @"hello"))"#
        ));
    });
}
