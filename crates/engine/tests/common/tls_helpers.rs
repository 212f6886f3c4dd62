//! Helper functions of guests that use TLS, by name. They use the bytes from 0x3080 to 0x30ff.

/// All sockets are at 127.0.0.1.
pub const TLS_HELPERS: &[(&str, &str)] = &[
    // The code of a bind.
    (
        "$tls_bind",
        r#"(func $tls_bind
            (param $chain i32) (param $chain_length i32) (param $key i32) (param $key_length i32)
            (result i32)
            (call $networking.tls_bind (i32.const 4) (call $loopback) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0x3010)
                (local.get $chain) (local.get $chain_length)
                (local.get $key) (local.get $key_length)))"#,
    ),
    // A listener at a port of the system's choice, with the texts `@chain` and `@key`.
    (
        "$tls_listen",
        r#"(func $tls_listen (result i64)
            (call $is (call $tls_bind @chain @key) (i32.const 0))
            (call $out))"#,
    ),
    // The same, with authorities (one text, or none of length 0), a mode, and protocols.
    (
        "$tls_listen_with",
        r#"(func $tls_listen_with (param $list i32) (param $count i32) (param $mode i32)
            (param $alpn i32) (param $alpn_length i32) (result i64)
            (call $is
                (call $networking.tls_bind_with (i32.const 4) (call $loopback) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const 0x3010) @chain @key
                    (local.get $list) (local.get $count) (local.get $mode)
                    (local.get $alpn) (local.get $alpn_length))
                (i32.const 0))
            (call $out))"#,
    ),
    (
        "$tls_port",
        r#"(func $tls_port (param $listener i64) (result i32)
            (call $is
                (call $networking.tls_local_addr (local.get $listener) (i32.const 0x3010))
                (i32.const 0))
            (call $port (call $out)))"#,
    ),
    // The next connection; $tls_peer_port is the port at its other end.
    (
        "$tls_accept",
        r#"(global $tls_peer_port (mut i32) (i32.const 0))
        (func $tls_accept (param $listener i64) (result i64)
            (local $stream i64)
            (call $is
                (call $networking.tls_accept
                    (local.get $listener) (i32.const 0x3010) (i32.const 0x3018))
                (i32.const 0))
            (local.set $stream (call $out))
            (global.set $tls_peer_port (call $port (i64.load (i32.const 0x3018))))
            (local.get $stream))"#,
    ),
    // Tells the client outside the port of a listener. From then on `$say` tells it numbers, and
    // `$wait` waits until it says to go on.
    (
        "$report",
        r#"(func $report (param $listener i64)
            (global.set $control (call $connect (global.get $port)))
            (call $say (i64.extend_i32_u (call $tls_port (local.get $listener)))))"#,
    ),
    (
        "$say",
        r#"(global $control (mut i64) (i64.const -1))
        (func $say (param $number i64)
            (i64.store (i32.const 0x3090) (local.get $number))
            (call $put (global.get $control) (i32.const 0x3090) (i32.const 8)))"#,
    ),
    ("$wait", r#"(func $wait (call $get (global.get $control) @"."))"#),
    // A list of one text, in the order pointer and length.
    (
        "$list",
        r#"(func $list (param $text i32) (param $length i32) (result i32)
            (i32.store (i32.const 0x3080) (local.get $text))
            (i32.store (i32.const 0x3084) (local.get $length))
            (i32.const 0x3080))"#,
    ),
    // The code of a connect to 127.0.0.1 with a list of authorities.
    (
        "$tls_connect_code",
        r#"(func $tls_connect_code (param $port i32) (param $timeout i64)
            (param $list i32) (param $count i32) (result i32)
            (call $networking.tls_connect @"127.0.0.1" (local.get $port) (local.get $timeout)
                (i32.const 0x3010) (local.get $list) (local.get $count)))"#,
    ),
    // Connects, trusting the text `@root`.
    (
        "$tls_connect",
        r#"(func $tls_connect (param $port i32) (result i64)
            (call $is
                (call $tls_connect_code (local.get $port) (i64.const -1)
                    (call $list @root) (i32.const 1))
                (i32.const 0))
            (call $out))"#,
    ),
    // The code of a write of one buffer.
    (
        "$tls_write",
        r#"(func $tls_write (param $stream i64) (param $at i32) (param $length i32) (result i32)
            (i32.store (i32.const 0x3088) (local.get $at))
            (i32.store (i32.const 0x308c) (local.get $length))
            (call $networking.tls_write_vectored (local.get $stream)
                (i32.const 0x3088) (i32.const 1) (i32.const 0x3010)))"#,
    ),
    // Writes a text that surely fits.
    (
        "$tls_put",
        r#"(func $tls_put (param $stream i64) (param $at i32) (param $length i32)
            (call $is
                (call $tls_write (local.get $stream) (local.get $at) (local.get $length))
                (i32.const 0))
            (call $is64 (call $out) (i64.extend_i32_u (local.get $length))))"#,
    ),
    // The code of a read to address 0.
    (
        "$tls_read",
        r#"(func $tls_read (param $stream i64) (param $length i32) (result i32)
            (call $networking.tls_read (local.get $stream)
                (i32.const 0) (local.get $length) (i32.const 0x3010)))"#,
    ),
    // Reads a text that was written at once, no more and no less.
    (
        "$tls_get",
        r#"(func $tls_get (param $stream i64) (param $at i32) (param $length i32)
            (call $is
                (call $tls_read (local.get $stream) (i32.add (local.get $length) (i32.const 1)))
                (i32.const 0))
            (call $is64 (call $out) (i64.extend_i32_u (local.get $length)))
            (call $is
                (call $same (i32.const 0) (local.get $at) (local.get $length))
                (i32.const 1)))"#,
    ),
    // Reads the end of a stream.
    (
        "$tls_get_end",
        r#"(func $tls_get_end (param $stream i64)
            (call $is (call $tls_read (local.get $stream) (i32.const 1)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0)))"#,
    ),
    // Moves a stream to another process, in a message of its own.
    (
        "$give_tls",
        r#"(func $give_tls (param $stream i64) (param $to i64)
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is64 (call $message.push_tls_stream (local.get $stream)) (i64.const 0))
            (call $is (call $message.send (local.get $to)) (i32.const 0)))"#,
    ),
    // Takes the stream of the next message.
    (
        "$take_tls",
        r#"(func $take_tls (result i64)
            (call $is (call $next) (i32.const 0))
            (call $message.take_tls_stream (i64.const 0)))"#,
    ),
];
