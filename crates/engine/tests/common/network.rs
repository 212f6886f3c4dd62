//! Helper functions of guests that use sockets, by name. They use the bytes from 0x3000 to 0x30ff:
//! ids and counts arrive at 0x3010, the parts of an address from 0x3020 on.

/// All sockets are at 127.0.0.1.
pub const NETWORK_HELPERS: &[(&str, &str)] = &[
    // The octets of 127.0.0.1.
    (
        "$loopback",
        r#"(func $loopback (result i32)
            (i32.store (i32.const 0x3000) (i32.const 0x0100007f))
            (i32.const 0x3000))"#,
    ),
    // What a call has stored.
    ("$out", r#"(func $out (result i64) (i64.load (i32.const 0x3010)))"#),
    // The port of the one address that an iterator has; drops the iterator.
    (
        "$port",
        r#"(func $next_address (param $iterator i64) (result i32)
            (call $networking.resolve_next (local.get $iterator) (i32.const 0x3020)
                (i32.const 0x3024) (i32.const 0x3034) (i32.const 0x3038) (i32.const 0x303c)))
        (func $port (param $iterator i64) (result i32)
            (call $is (call $next_address (local.get $iterator)) (i32.const 0))
            (call $is (i32.load (i32.const 0x3020)) (i32.const 4))
            (call $is (i32.load (i32.const 0x3024)) (i32.const 0x0100007f))
            (call $is (call $next_address (local.get $iterator)) (i32.const 1))
            (call $networking.drop_dns_iterator (local.get $iterator))
            (i32.load16_u (i32.const 0x3034)))"#,
    ),
    // The code of a bind.
    (
        "$bind",
        r#"(func $bind (param $port i32) (result i32)
            (call $networking.tcp_bind (i32.const 4) (call $loopback) (local.get $port)
                (i32.const 0) (i32.const 0) (i32.const 0x3010)))"#,
    ),
    // A listener at a port of the system's choice, and its port.
    (
        "$listen",
        r#"(func $listen (result i64)
            (call $is (call $bind (i32.const 0)) (i32.const 0))
            (call $out))"#,
    ),
    (
        "$listener_port",
        r#"(func $listener_port (param $listener i64) (result i32)
            (call $is
                (call $networking.tcp_local_addr (local.get $listener) (i32.const 0x3010))
                (i32.const 0))
            (call $port (call $out)))"#,
    ),
    // The code of a connect.
    (
        "$connect_code",
        r#"(func $connect_code (param $port i32) (param $timeout i64) (result i32)
            (call $networking.tcp_connect (i32.const 4) (call $loopback) (local.get $port)
                (i32.const 0) (i32.const 0) (local.get $timeout) (i32.const 0x3010)))"#,
    ),
    (
        "$connect",
        r#"(func $connect (param $port i32) (result i64)
            (call $is (call $connect_code (local.get $port) (i64.const -1)) (i32.const 0))
            (call $out))"#,
    ),
    // The next connection; $peer_port is the port at its other end.
    (
        "$accept",
        r#"(global $peer_port (mut i32) (i32.const 0))
        (func $accept (param $listener i64) (result i64)
            (local $stream i64)
            (call $is
                (call $networking.tcp_accept
                    (local.get $listener) (i32.const 0x3010) (i32.const 0x3018))
                (i32.const 0))
            (local.set $stream (call $out))
            (global.set $peer_port (call $port (i64.load (i32.const 0x3018))))
            (local.get $stream))"#,
    ),
    // Both ends of a connection: stream 0 has connected, stream 1 has been accepted.
    (
        "$pair",
        r#"(func $pair (local $listener i64)
            (local.set $listener (call $listen))
            (call $is64 (call $connect (call $listener_port (local.get $listener))) (i64.const 0))
            (call $is64 (call $accept (local.get $listener)) (i64.const 1))
            (call $networking.drop_tcp_listener (local.get $listener)))"#,
    ),
    // The code of a write of one buffer.
    (
        "$tcp_write",
        r#"(func $tcp_write (param $stream i64) (param $at i32) (param $length i32) (result i32)
            (i32.store (i32.const 0x3040) (local.get $at))
            (i32.store (i32.const 0x3044) (local.get $length))
            (call $networking.tcp_write_vectored (local.get $stream)
                (i32.const 0x3040) (i32.const 1) (i32.const 0x3010)))"#,
    ),
    // Writes a text that surely fits.
    (
        "$put",
        r#"(func $put (param $stream i64) (param $at i32) (param $length i32)
            (call $is
                (call $tcp_write (local.get $stream) (local.get $at) (local.get $length))
                (i32.const 0))
            (call $is64 (call $out) (i64.extend_i32_u (local.get $length))))"#,
    ),
    // The code of a read to address 0.
    (
        "$tcp_read",
        r#"(func $tcp_read (param $stream i64) (param $length i32) (result i32)
            (call $networking.tcp_read (local.get $stream)
                (i32.const 0) (local.get $length) (i32.const 0x3010)))"#,
    ),
    (
        "$tcp_peek",
        r#"(func $tcp_peek (param $stream i64) (param $length i32) (result i32)
            (call $networking.tcp_peek (local.get $stream)
                (i32.const 0) (local.get $length) (i32.const 0x3010)))"#,
    ),
    // Reads a text that was written at once, no more and no less.
    (
        "$get",
        r#"(func $get (param $stream i64) (param $at i32) (param $length i32)
            (call $is
                (call $tcp_read (local.get $stream) (i32.add (local.get $length) (i32.const 1)))
                (i32.const 0))
            (call $is64 (call $out) (i64.extend_i32_u (local.get $length)))
            (call $is
                (call $same (i32.const 0) (local.get $at) (local.get $length))
                (i32.const 1)))"#,
    ),
    // Reads the end of a stream.
    (
        "$get_end",
        r#"(func $get_end (param $stream i64)
            (call $is (call $tcp_read (local.get $stream) (i32.const 1)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0)))"#,
    ),
    // Moves a stream to another process, in a message of its own.
    (
        "$give_stream",
        r#"(func $give_stream (param $stream i64) (param $to i64)
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is64 (call $message.push_tcp_stream (local.get $stream)) (i64.const 0))
            (call $is (call $message.send (local.get $to)) (i32.const 0)))"#,
    ),
    // Takes the stream of the next message.
    (
        "$take_stream",
        r#"(func $take_stream (result i64)
            (call $is (call $next) (i32.const 0))
            (call $message.take_tcp_stream (i64.const 0)))"#,
    ),
    // A UDP socket at a port of the system's choice, and its port.
    (
        "$udp",
        r#"(func $udp (result i64)
            (call $is
                (call $networking.udp_bind (i32.const 4) (call $loopback) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const 0x3010))
                (i32.const 0))
            (call $out))"#,
    ),
    (
        "$udp_port",
        r#"(func $udp_port (param $socket i64) (result i32)
            (call $is
                (call $networking.udp_local_addr (local.get $socket) (i32.const 0x3010))
                (i32.const 0))
            (call $port (call $out)))"#,
    ),
    // The code of a connect with timeout 0.
    (
        "$udp_connect",
        r#"(func $udp_connect (param $socket i64) (param $port i32) (result i32)
            (call $networking.udp_connect (local.get $socket) (i32.const 4) (call $loopback)
                (local.get $port) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0x3010)))"#,
    ),
    // Receives a datagram of this content.
    (
        "$udp_get",
        r#"(func $udp_get (param $socket i64) (param $at i32) (param $length i32)
            (call $is
                (call $networking.udp_receive (local.get $socket)
                    (i32.const 0) (i32.const 100) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.extend_i32_u (local.get $length)))
            (call $is
                (call $same (i32.const 0) (local.get $at) (local.get $length))
                (i32.const 1)))"#,
    ),
];
