//! `lunatic run --metrics`: what Prometheus gets from a running node, over real connections.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::Sandbox;
use crate::prometheus::Scrape;

/// Far longer than any test takes: what has not happened by then never will.
const WATCHDOG: Duration = Duration::from_secs(60);

/// What the guests of these tests import, and a `$spawn` that takes an entry of four letters.
const IMPORTS: &str = r#"
    (import "lunatic::process" "spawn"
        (func $host_spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
    (import "lunatic::process" "process_id" (func $process_id (result i64)))
    (import "lunatic::process" "sleep_ms" (func $sleep_ms (param i64)))
    (import "lunatic::process" "kill" (func $kill (param i64)))
    (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
    (import "lunatic::message" "send" (func $send (param i64) (result i32)))
    (import "lunatic::metrics" "counter" (func $counter (param i32 i32 i64)))
    (import "lunatic::metrics" "gauge" (func $gauge (param i32 i32 f64)))
    (import "lunatic::metrics" "histogram" (func $histogram (param i32 i32 f64)))
    (memory (export "memory") 2)
    (func $spawn (param $name i32)
        (if (call $host_spawn (i64.const 0) (i64.const -1) (i64.const -1)
                (local.get $name) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 16))
            (then unreachable)))
    (func $wait (call $sleep_ms (i64.const 86400000)))"#;

/// A guest that runs and is asked for its figures. Dropping it ends it.
struct Running {
    child: Child,
    address: SocketAddr,
    /// Keeps the guest's files.
    _sandbox: Sandbox,
}

impl Running {
    fn start(fields: &str) -> Running {
        let sandbox = Sandbox::new();
        sandbox.write("a.wat", format!("(module {IMPORTS}\n{fields})"));
        let mut command =
            sandbox.command(&["run", "--no-cache", "--metrics", "127.0.0.1:0", "a.wat"]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stderr = child.stderr.take().expect("a pipe");
        BufReader::new(stderr).read_line(&mut line).expect("a line");
        let url = line.trim_end().strip_prefix("note: metrics are served at http://");
        let address = url.and_then(|url| url.strip_suffix("/metrics"));
        let address = address.unwrap_or_else(|| panic!("no address: {line}")).parse();
        Running { child, address: address.expect("an address"), _sandbox: sandbox }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        stream.set_read_timeout(Some(WATCHDOG)).expect("a timeout can be set");
        stream
    }

    /// The head and the body of the answer.
    fn ask(&self, method: &str, path: &str) -> (String, String) {
        let mut stream = self.connect();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: node\r\n\r\n").expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, and then the end");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.to_owned(), body.to_owned())
    }

    fn scrape(&self) -> Scrape {
        let (head, body) = self.ask("GET", "/metrics");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        Scrape::parse(&body).unwrap_or_else(|error| panic!("{error}\n{body}"))
    }

    /// Scrapes until the figures are so.
    fn until(&self, what: &str, happened: impl Fn(&Scrape) -> bool) -> Scrape {
        let start = Instant::now();
        loop {
            let scrape = self.scrape();
            if happened(&scrape) {
                return scrape;
            }
            assert!(start.elapsed() < WATCHDOG, "waited for {what}: {scrape:?}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many processes ended for this reason.
fn ends(scrape: &Scrape, reason: &str) -> f64 {
    let ends = scrape.value("lunatic_process_ends_total", &[("reason", reason)]);
    ends.unwrap_or_else(|| panic!("no ends of the kind {reason}"))
}

fn value(scrape: &Scrape, name: &str) -> f64 {
    scrape.value(name, &[]).unwrap_or_else(|| panic!("there is no {name}"))
}

const IDLE: &str = r#"(func (export "_start") (call $wait))"#;

#[test]
fn figures_move_with_what_processes_do() {
    // The root is process 1, so its first child is process 2, which waits with unread messages.
    let running = Running::start(
        r#"
        (data (i32.const 64) "waitokaytraptell")
        (func (export "wait") (call $wait))
        (func (export "okay"))
        (func (export "trap") unreachable)
        (func (export "tell") (local $left i32)
            (local.set $left (i32.const 50))
            (loop $again
                (call $create_data (i64.const 1) (i64.const 0))
                (drop (call $send (i64.const 2)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
            (call $create_data (i64.const 1) (i64.const 0))
            (drop (call $send (i64.const 999999)))
            (call $kill (call $process_id)))
        (func (export "_start") (local $left i32)
            (call $spawn (i32.const 64))
            (local.set $left (i32.const 30))
            (loop $again
                (call $spawn (i32.const 68))
                (call $spawn (i32.const 72))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
            (call $spawn (i32.const 76))
            (call $wait))"#,
    );
    let scrape = running.until("the ends of 61 processes", |scrape| {
        ends(scrape, "normal") + ends(scrape, "trap") + ends(scrape, "killed") >= 61.0
            && value(scrape, "lunatic_timers") == 2.0
            && value(scrape, "lunatic_processes") == 2.0
            // Instances of ended processes wait for the next ones, but not for long.
            && value(scrape, "lunatic_instances_waiting") == 0.0
    });
    assert_eq!(value(&scrape, "lunatic_process_spawns_total"), 63.0);
    assert_eq!((ends(&scrape, "normal"), ends(&scrape, "trap")), (30.0, 30.0));
    assert_eq!((ends(&scrape, "killed"), ends(&scrape, "host_panic")), (1.0, 0.0));
    assert_eq!(value(&scrape, "lunatic_messages_sent_total"), 51.0);
    assert_eq!(value(&scrape, "lunatic_messages_delivered_total"), 50.0);
    assert_eq!(value(&scrape, "lunatic_mailbox_messages"), 50.0);
    assert_eq!(value(&scrape, "lunatic_mailbox_messages_deepest"), 50.0);
    assert_eq!(value(&scrape, "lunatic_modules_compiled_total"), 1.0);
    assert!(value(&scrape, "lunatic_compile_seconds_total") > 0.0);
    let slots = scrape.value("lunatic_slab_slots", &[("kind", "memory")]);
    assert_eq!(slots, Some(2.0));
}

#[test]
fn the_page_about_figures_lists_all_of_them() {
    let scrape = Running::start(IDLE).scrape();
    let page = include_str!("../../../../docs/metrics.md");
    let listed: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .collect();
    assert_eq!(listed, scrape.families());
}

/// Sets a byte of the name at 128 to a letter that depends on `$left`, divided.
fn letter(at: u32, divisor: u32) -> String {
    format!(
        "(i32.store8 (i32.const {at}) (i32.add (i32.const 97)
            (i32.rem_u (i32.div_u (local.get $left) (i32.const {divisor})) (i32.const 26))))"
    )
}

#[test]
fn hostile_names_neither_break_a_scrape_nor_fill_the_node() {
    let letters = [letter(128, 1), letter(129, 26), letter(130, 676)].concat();
    let running = Running::start(&format!(
        r#"
        (data (i32.const 64) "a\nb \"1\n}} lunatic_processesok")
        (func (export "_start") (local $left i32)
            (call $counter (i32.const 64) (i32.const 3) (i64.const 5))
            (call $gauge (i32.const 67) (i32.const 5) (f64.const nan))
            (call $gauge (i32.const 73) (i32.const 17) (f64.const 1e300))
            (call $histogram (i32.const 90) (i32.const 2) (f64.const inf))
            (call $histogram (i32.const 90) (i32.const 2) (f64.const 2))
            (call $gauge (i32.const 0) (i32.const 0) (f64.const -inf))
            (local.set $left (i32.const 10001))
            (loop $again
                {letters}
                (call $counter (i32.const 128) (i32.const 3) (i64.const 1))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
            (call $wait))"#
    ));
    // Somebody asks and never reads the answer, which is large.
    let mut unread = running.connect();
    unread.write_all(b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n").expect("it is sent");
    let scrape = running.until("all names", |scrape| value(scrape, "lunatic_timers") == 1.0);
    let named = |kind: &str, name: &str| scrape.value(kind, &[("name", name)]);
    assert_eq!(named("lunatic_guest_counter", "a\nb"), Some(5.0));
    assert!(named("lunatic_guest_gauge", " \"1\n}").is_some_and(f64::is_nan));
    assert_eq!(named("lunatic_guest_gauge", "lunatic_processes"), Some(1e300));
    assert_eq!(named("lunatic_guest_gauge", ""), Some(f64::NEG_INFINITY));
    assert_eq!(value(&scrape, "lunatic_processes"), 1.0);
    assert_eq!(scrape.value("ok_bucket", &[("le", "3.0")]), Some(1.0));
    assert_eq!(value(&scrape, "ok_count"), 2.0);
    // Of 10,001 names and five before them, 10,000 find room.
    assert_eq!(value(&scrape, "lunatic_guest_metrics_dropped_total"), 6.0);
    assert!(scrape.len() > 10_000 && scrape.len() < 10_200, "{}", scrape.len());
    drop(unread);
}

#[test]
fn there_is_one_page_and_one_method() {
    let running = Running::start(IDLE);
    let (head, _) = running.ask("GET", "/metrics?name=x");
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for path in ["/", "/metrics/", "/../etc/passwd"] {
        let (head, body) = running.ask("GET", path);
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
        assert_eq!(body, "there is only /metrics\n");
    }
    for method in ["POST", "DELETE", "NONSENSE"] {
        let (head, body) = running.ask(method, "/metrics");
        assert!(head.starts_with("HTTP/1.1 405 "), "{method}: {head}");
        assert!(head.to_lowercase().contains("allow: get"), "{head}");
        assert_eq!(body, "use GET\n");
    }
}

#[test]
fn clients_that_are_slow_keep_no_other_out() {
    let running = Running::start(IDLE);
    // More of them than are served at once: some say nothing, some begin, some never read.
    let slow: Vec<_> = ["", "GET /met", "GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n"]
        .into_iter()
        .cycle()
        .take(40)
        .map(|text| {
            let mut stream = running.connect();
            stream.write_all(text.as_bytes()).expect("it is sent");
            stream
        })
        .collect();
    assert_eq!(value(&running.scrape(), "lunatic_processes"), 1.0);
    drop(slow);
}

#[test]
fn a_request_that_is_too_large_or_no_request_is_refused() {
    let running = Running::start(IDLE);
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n", "x".repeat(1 << 20));
    for text in [long.as_str(), "\0\0\0\r\n\r\n", "GET\r\n\r\n"] {
        let mut stream = running.connect();
        // It may be refused before all of it is sent.
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    running.scrape();
}

#[test]
fn an_address_in_use_is_an_error_before_the_program_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let sandbox = Sandbox::with(
        r#"(data (i32.const 64) "ran\n")
        (func (export "_start") (call $write (i32.const 1) (i32.const 64) (i32.const 4)))"#,
    );
    let run = sandbox.run(&format!("--metrics {address} a.wat"));
    run.expect_error(1, &["metrics cannot be served at 127.0.0.1:", "because: ", "hint: "]);
    assert_eq!(run.stdout, "");
    drop(taken);
    sandbox.run("--quiet --metrics 127.0.0.1:0 a.wat").expect(0, "ran\n");
}
