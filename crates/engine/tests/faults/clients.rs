//! Clients that do not behave.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::service::{Service, alone, echoes, leaves_nothing};

const SERVER: &str = r#"(func (export "_start")
    (call $hello (call $listen)) (call $echo_to_all (i64.const 0)))"#;

#[test]
fn a_client_that_never_sends_holds_its_own_process_only() {
    let _turn = alone();
    leaves_nothing(|| {
        let service = Service::start(SERVER);
        let silent: Vec<_> = (0..100).map(|_| service.connect()).collect();
        for _ in 0..10 {
            echoes(&mut service.connect());
        }
        for mut client in silent {
            echoes(&mut client);
        }
    });
}

#[test]
fn a_server_gets_rid_of_a_silent_client_by_a_timeout() {
    let _turn = alone();
    leaves_nothing(|| {
        let service = Service::start(
            r#"(func (export "impatient") (local $stream i64)
                (local.set $stream (call $take_stream))
                (call $networking.set_read_timeout (local.get $stream) (i64.const 20))
                (call $is (call $tcp_read (local.get $stream) (i32.const 1)) (i32.const 9027)))
            (func (export "_start") (local $stream i64)
                (call $hello (call $listen))
                (loop $more
                    (local.set $stream (call $accept (i64.const 0)))
                    (call $give_stream
                        (local.get $stream) (call $spawn (i64.const 0) @"impatient"))
                    (br $more)))"#,
        );
        for mut client in [service.connect(), service.connect()] {
            assert_eq!(client.read(&mut [0]).expect("the server closes in order"), 0);
        }
    });
}

/// Its first client gets as much as it takes, the others an echo.
const ENDLESS: &str = r#"(func (export "others") (call $echo_to_all (call $take_listener)))
(func (export "_start") (local $stream i64) (local $code i32)
    (call $hello (call $listen))
    (local.set $stream (call $accept (i64.const 0)))
    (call $give_listener (i64.const 0) (call $spawn (i64.const 0) @"others"))
    (call $networking.set_write_timeout (local.get $stream) (i64.const 20))
    (loop $more
        (local.set $code
            (call $tcp_write (local.get $stream) (i32.const 0) (i32.const 0x10000)))
        (br_if $more (i32.eqz (local.get $code))))
    (call $is (local.get $code) (i32.const 9027))
    (call $networking.set_write_timeout (local.get $stream) (i64.const -1))
    (call $done)
    (call $is (call $tcp_write (local.get $stream) (i32.const 0) (i32.const 0x10000)) (i32.const 0))
    (call $networking.drop_tcp_stream (local.get $stream))
    (call $process.sleep_ms (i64.const -1)))"#;

#[test]
fn a_client_that_does_not_read_holds_its_own_process_only() {
    let _turn = alone();
    leaves_nothing(|| {
        let mut service = Service::start(ENDLESS);
        let mut slow = service.connect();
        service.wait_until_done();
        for _ in 0..10 {
            echoes(&mut service.connect());
        }
        // The writer goes on as soon as the client does.
        slow.read_to_end(&mut Vec::new()).expect("the guest closes in order");
    });
}

#[test]
fn a_process_that_waits_for_a_client_to_read_can_be_killed() {
    let _turn = alone();
    leaves_nothing(|| {
        let mut service = Service::start(ENDLESS);
        let _slow = service.connect();
        service.wait_until_done();
        drop(service);
    });
}

// More than the backlog of 1,024.
const FLOOD: usize = 1_300;

#[test]
fn a_flood_of_connections_is_served_when_the_server_comes_to_it() {
    let _turn = alone();
    leaves_nothing(|| {
        let mut service = Service::start(
            r#"(func (export "_start")
                (call $hello (call $listen)) (call $wait_for_go) (call $echo_to_all (i64.const 0)))"#,
        );
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, service.port()));
        let flood: Vec<_> = (0..FLOOD).map(|_| begin_to_connect(address)).collect();
        service.go();
        echoes(&mut service.connect());
        drop(flood);
        echoes(&mut service.connect());
    });
}

fn begin_to_connect(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are descriptors");
    socket.set_nonblocking(true).expect("it is a socket");
    // It goes on behind our back.
    let error = socket.connect(&address.into()).expect_err("it takes longer than this call");
    assert!(is_begun(&error), "{error}");
    socket
}

fn is_begun(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    let begun = error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    let begun = error.kind() == std::io::ErrorKind::WouldBlock;
    begun
}
