//! `--redirect`: what a program sees of it, and where what it writes arrives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use crate::Sandbox;
use crate::elastic::{Server, Store};

/// Writes two readings of the clock and eight random bytes, in this order.
const TIME_AND_RANDOM: &str = r#"
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (func (export "_start")
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 32)))
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 40)))
        (drop (call $random (i32.const 48) (i32.const 8)))
        (call $write (i32.const 1) (i32.const 32) (i32.const 24)))"#;

/// Writes "one\ntwo\nrest" into `log/app.log` in three pieces, closes it, and writes "rest" to
/// standard output.
const LOGGER: &str = r#"
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (data (i32.const 100) "log/app.logone\ntwo\nrest")
    (func (export "_start")
        (if (call $open (i32.const 3) (i32.const 1) (i32.const 100) (i32.const 11)
                (i32.const 9) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 16))
            (then (call $proc_exit (i32.const 9))))
        (call $write (i32.load (i32.const 16)) (i32.const 111) (i32.const 2))
        (call $write (i32.load (i32.const 16)) (i32.const 113) (i32.const 6))
        (call $write (i32.load (i32.const 16)) (i32.const 119) (i32.const 4))
        (drop (call $close (i32.load (i32.const 16))))
        (call $write (i32.const 1) (i32.const 119) (i32.const 4)))"#;

/// Writes the lines "line 0000" to "line 1999" into `app.log`, a write for each.
const TWO_THOUSAND_LINES: &str = r#"
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (data (i32.const 100) "app.logline 0000\n")
    (func $digit (param $place i32) (param $number i32)
        (i32.store8 (local.get $place)
            (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10)))))
    (func (export "_start") (local $number i32)
        (if (call $open (i32.const 3) (i32.const 1) (i32.const 100) (i32.const 7)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 1) (i32.const 16))
            (then (call $proc_exit (i32.const 9))))
        (loop $next
            (call $digit (i32.const 112) (i32.div_u (local.get $number) (i32.const 1000)))
            (call $digit (i32.const 113) (i32.div_u (local.get $number) (i32.const 100)))
            (call $digit (i32.const 114) (i32.div_u (local.get $number) (i32.const 10)))
            (call $digit (i32.const 115) (local.get $number))
            (call $write (i32.load (i32.const 16)) (i32.const 107) (i32.const 10))
            (local.set $number (i32.add (local.get $number) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $number) (i32.const 2000)))))"#;

/// Writes what one read of standard input gives, and then the environment, of which each variable
/// ends with a zero.
const INPUT_AND_VARIABLES: &str = r#"
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (func (export "_start")
        (i32.store (i32.const 16) (i32.const 64))
        (i32.store (i32.const 20) (i32.const 100))
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
        (call $write (i32.const 1) (i32.const 64) (i32.load (i32.const 24)))
        (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
        (drop (call $environ_get (i32.const 65536) (i32.const 73728)))
        (call $write (i32.const 1) (i32.const 73728) (i32.load (i32.const 20))))"#;

fn sandbox(imports_and_fields: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    // Imports stand before everything else.
    let (imports, rest) =
        crate::IMPORTS.split_at(crate::IMPORTS.find("(memory").expect("a memory"));
    let own = imports_and_fields.find("(func (export").expect("a function");
    let own = imports_and_fields.find("(data").unwrap_or(own);
    let (own_imports, fields) = imports_and_fields.split_at(own);
    sandbox.write("a.wat", format!("(module {imports}{own_imports}{rest}\n{fields})"));
    sandbox
}

/// What `TIME_AND_RANDOM` writes with this clock.
fn numbers(clock: &str) -> Vec<u64> {
    let sandbox = sandbox(TIME_AND_RANDOM);
    let args = ["run", "--no-cache", "--redirect", "random=seed:1234567", "--redirect"];
    let output = sandbox.command(&args).args([clock, "a.wat"]).output().expect("it starts");
    let (numbers, rest) = output.stdout.as_chunks::<8>();
    assert!(rest.is_empty(), "{output:?}");
    numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
}

#[test]
fn a_run_with_frozen_time_and_seeded_numbers_is_the_same_each_time() {
    let expected = [1_000_000_000, 1_000_000_000, 6_457_827_717_110_365_317];
    assert_eq!(numbers("clock=fixed:1970-01-01T00:00:01Z"), expected);
    assert_eq!(numbers("clock=fixed:1970-01-01T00:00:01Z"), expected);
}

#[test]
fn a_program_sees_a_scripted_clock_from_its_first_time_on() {
    assert_eq!(numbers("clock=script:500/900/901")[..2], [500, 900]);
    assert_eq!(numbers("clock=step:500/7")[..2], [500, 507]);
}

#[test]
fn the_lines_of_a_log_file_arrive_elsewhere_and_the_file_does_not_exist() {
    let sandbox = sandbox(LOGGER);
    sandbox.write("log/other", "");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = listener.local_addr().expect("an address");
    let redirection = format!("file:log/*.log=tcp:{target}");
    let outcome = sandbox.run(&format!("--redirect {redirection} a.wat"));
    outcome.expect(0, "rest");
    let (stream, _) = listener.accept().expect("a connection");
    let lines: Vec<String> =
        BufReader::new(stream).lines().map(|line| line.expect("text")).collect();
    assert_eq!(lines, ["one", "two", "rest"]);
    assert!(!sandbox.path().join("log/app.log").exists());
}

#[test]
fn a_file_can_be_another_file_or_nothing() {
    let sandbox = sandbox(LOGGER);
    sandbox.write("log/other", "");
    sandbox.run("--redirect file:log/*=file:there.txt a.wat").expect(0, "rest");
    let there = std::fs::read_to_string(sandbox.path().join("there.txt")).expect("the file");
    assert_eq!(there, "one\ntwo\nrest");
    sandbox.run("--redirect file:**=null a.wat").expect(0, "rest");
    assert!(!sandbox.path().join("log/app.log").exists());
}

#[test]
fn lines_that_do_not_arrive_are_told() {
    let sandbox = sandbox(LOGGER);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = listener.local_addr().expect("an address");
    drop(listener);
    let flags = "--shutdown-timeout 0.1 --redirect";
    let outcome = sandbox.run(&format!("{flags} file:**=tcp:{target} a.wat"));
    assert_eq!(outcome.status, 0);
    let told = format!("tcp:{target}: of 3 lines 0 arrived, 0 were refused, 0 found no room, 3");
    assert!(outcome.stderr.contains(&told), "{}", outcome.stderr);
}

#[test]
fn standard_output_goes_where_it_is_sent() {
    let sandbox = sandbox(LOGGER);
    sandbox.write("log/other", "");
    let flags = "--redirect file:**=null --redirect";
    sandbox.run(&format!("{flags} stdout=file:out a.wat")).expect(0, "");
    sandbox.run(&format!("{flags} stdout=null a.wat")).expect(0, "");
    let out = std::fs::read_to_string(sandbox.path().join("out")).expect("the file");
    assert_eq!(out, "rest");
}

#[test]
fn input_and_variables_come_from_where_they_are_said_to() {
    let sandbox = sandbox(INPUT_AND_VARIABLES);
    let flags = "--no-inherit-env --env GONE=1 --env KEPT=2 --env OLD=3";
    let redirections = "--redirect env:GONE=null --redirect env:OLD=text:new";
    let outcome = sandbox.run(&format!("{flags} {redirections} --redirect stdin=text:in a.wat"));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let (input, variables) = outcome.stdout.split_at(2);
    assert_eq!(input, "in");
    let mut variables: Vec<&str> = variables.split_terminator('\0').collect();
    variables.sort_unstable();
    assert_eq!(variables, ["KEPT=2", "OLD=new"]);
}

#[test]
fn a_redirection_that_makes_no_sense_is_refused_before_anything_runs() {
    let sandbox = sandbox(LOGGER);
    let outcome = sandbox.run("--redirect clock=null a.wat");
    outcome.expect_error(2, &["a clock is fixed:, step: or script:"]);
}

#[test]
fn a_log_file_arrives_in_elasticsearch_once_although_the_server_is_restarted_midway() {
    let sandbox = sandbox(TWO_THOUSAND_LINES);
    let store = Store::default();
    store.stop_at(Some(500));
    let server = Server::start(&store);
    let address = server.address;
    let bounds = "queue_lines=100,batch_lines=20,batch_ms=1,retry_ms=1,retry_max_ms=20";
    let redirection = format!("file:*.log=elasticsearch:{address}/logs,{bounds}");
    let flags = ["run", "--no-cache", "--shutdown-timeout", "60", "--redirect", &redirection];
    let mut command = sandbox.command(&flags);
    let child = command.arg("a.wat").stderr(std::process::Stdio::piped()).spawn();
    let child = child.expect("it starts");
    store.wait_for(500);
    drop(server);
    store.stop_at(None);
    let server = Server::start_at(address, &store);
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(!told.contains("of 2000 lines"), "not all arrived: {told}");
    let mut messages = store.messages();
    messages.sort();
    let expected: Vec<String> = (0..2000).map(|number| format!("line {number:04}")).collect();
    assert_eq!(messages, expected);
    drop(server);
}

/// A program that redirects its own standard output there, writes to standard error if it cannot,
/// and writes a line.
fn redirects_itself(target: &str) -> Sandbox {
    sandbox(&format!(
        r#"
    (import "lunatic::process" "redirect"
        (func $redirect (param i64 i64 i32 i32 i32 i32 i32 i32) (result i32)))
    (data (i32.const 100) "stdouta line\n{target}")
    (func (export "_start")
        (if (call $redirect (i64.const 0) (call $process_id) (i32.const 100) (i32.const 6)
                (i32.const 113) (i32.const {}) (i32.const 0) (i32.const 16))
            (then (call $write (i32.const 2) (i32.const 106) (i32.const 1))))
        (call $write (i32.const 1) (i32.const 106) (i32.const 7)))"#,
        target.len()
    ))
}

#[test]
fn a_program_chooses_a_sink_at_an_address_that_it_may_use() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = format!("tcp:{}", listener.local_addr().expect("an address"));
    let sandbox = redirects_itself(&target);
    sandbox.run("a.wat").expect(0, "");
    let (stream, _) = listener.accept().expect("a connection");
    let lines: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).collect();
    assert_eq!(lines, ["a line"]);
    // Without the right to connect there it keeps what it has.
    let denied = sandbox.run("--deny-network a.wat");
    assert_eq!((denied.stdout.as_str(), &denied.stderr[..1]), ("a line\n", "a"));
}

#[test]
fn a_program_gets_none_of_the_secrets_for_sinks() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let request = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.by_ref().take_while(|line| !line.is_empty()).collect::<Vec<_>>()
    });
    let sandbox = redirects_itself(&format!("elasticsearch:{address}/logs"));
    let mut command = sandbox.command(&["run", "--no-cache", "--shutdown-timeout", "0.5", "a.wat"]);
    command.env("LUNATIC_ELASTICSEARCH_AUTHORIZATION", "ApiKey secret");
    command.output().expect("it starts");
    let request = request.join().expect("it was sent");
    assert_eq!(request[0], "POST /logs/_bulk HTTP/1.1");
    let told = request.iter().any(|line| line.to_ascii_lowercase().starts_with("authorization"));
    assert!(!told, "{request:?}");
}

#[test]
fn a_sink_that_a_program_chooses_is_an_address_and_no_name() {
    let outcome = redirects_itself("tcp:localhost:9").run("a.wat");
    assert_eq!((outcome.stdout.as_str(), &outcome.stderr[..1]), ("a line\n", "a"));
}

#[test]
fn lines_are_posted_to_a_server_that_speaks_http() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let body = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(&stream);
        let (mut length, mut authorized) = (0, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("authorization", value)) => authorized = value == "bearer x",
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        assert!(authorized, "the header is missing");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        (&stream).write_all(b"HTTP/1.1 204 x\r\n\r\n").expect("it reads");
        String::from_utf8(body).expect("text")
    });
    let sandbox = sandbox(LOGGER);
    sandbox.write("log/other", "");
    let redirection = format!("file:log/*=http://{address}/in");
    let flags = ["run", "--no-cache", "--redirect", &redirection, "a.wat"];
    let mut command = sandbox.command(&flags);
    let output = command.env("LUNATIC_HTTP_AUTHORIZATION", "Bearer x").output();
    let output = output.expect("it starts");
    assert!(output.stderr.is_empty(), "{output:?}");
    let body = body.join().expect("it was served");
    assert_eq!(body.lines().count(), 3, "{body}");
    let first: serde_json::Value = serde_json::from_str(body.lines().next().expect("one")).unwrap();
    assert_eq!(first["message"], "one");
    assert_eq!(first["log"]["source"], "./log/app.log");
    assert!(first["id"].as_str().is_some_and(|id| id.ends_with("-1")), "{first}");
}
