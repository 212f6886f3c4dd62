//! A guest that serves, as its clients see it; and the check that a scenario leaves nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use lunatic_engine::{Environment, ProcessConfig, Root};
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::shared;

/// What does not happen within this time does not happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

static TURN: Mutex<()> = Mutex::new(());

/// The right to be the only test that runs.
pub fn alone() -> MutexGuard<'static, ()> {
    // A test that failed has told so already.
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a scenario twice, the first time to make what is made once, and waits until descriptors and
/// processes are as many as they were between.
pub fn leaves_nothing(scenario: impl Fn()) {
    scenario();
    settles_at(0, "processes", processes);
    let before = descriptors();
    scenario();
    settles_at(0, "processes", processes);
    settles_at(before, "descriptors", descriptors);
}

fn settles_at(wanted: usize, what: &str, count: impl Fn() -> usize) {
    let begun = Instant::now();
    while count() > wanted {
        assert!(begun.elapsed() < PATIENCE, "{} {what} are left, not {wanted}", count());
        std::thread::yield_now();
    }
}

fn processes() -> usize {
    shared().usage().processes
}

/// Descriptors of this program, where the system tells.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Functions for guests of these tests. `$hello` connects to the test and tells it the port of a
/// listener; `$wait_for_go` waits for the test, `$done` tells it something happened.
const GUEST: &str = r#"(global $test (mut i64) (i64.const 0))
(func $hello (param $listener i64)
    (global.set $test (call $connect (i32.const CONTROL)))
    (i64.store (i32.const 0x180)
        (i64.extend_i32_u (call $listener_port (local.get $listener))))
    (call $put (global.get $test) (i32.const 0x180) (i32.const 8)))
(func $wait_for_go
    (call $is (call $tcp_read (global.get $test) (i32.const 1)) (i32.const 0))
    (call $is64 (call $out) (i64.const 1)))
(func $done (call $put (global.get $test) (i32.const 0x180) (i32.const 1)))
(func $give_listener (param $listener i64) (param $to i64)
    (call $message.create_data (i64.const 0) (i64.const 0))
    (call $is64 (call $message.push_tcp_listener (local.get $listener)) (i64.const 0))
    (call $is (call $message.send (local.get $to)) (i32.const 0)))
(func $take_listener (result i64)
    (call $is (call $next) (i32.const 0))
    (call $message.take_tcp_listener (i64.const 0)))
(func (export "echo") (call $echo (call $take_stream)))
(func $echo (param $stream i64) (local $count i32)
    (loop $more
        (call $is (call $tcp_read (local.get $stream) (i32.const 100)) (i32.const 0))
        (local.set $count (i32.wrap_i64 (call $out)))
        (if (local.get $count) (then
            (call $put (local.get $stream) (i32.const 0) (local.get $count))
            (br $more)))))
(func $echo_to_all (param $listener i64)
    (loop $more
        (call $give_stream
            (call $accept (local.get $listener)) (call $spawn (i64.const 0) @"echo"))
        (br $more)))"#;

/// A guest that has said hello.
pub struct Service {
    root: Root,
    environment: Arc<Environment>,
    control: TcpStream,
    port: u16,
}

impl Service {
    /// Starts `_start` of a guest that uses the functions of [`GUEST`].
    pub fn start(source: &str) -> Service {
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
        let control_port = control.local_addr().expect("it is bound").port();
        let wat = module(&(source.to_owned() + GUEST));
        let wat = wat.replace("CONTROL", &control_port.to_string());
        let module = shared().compile(wat.as_bytes()).expect("the guest is valid");
        let environment = shared().environment(1);
        let config = ProcessConfig::root(WasiConfig::default());
        let root = shared()
            .spawn_root(&environment, &module, "_start", config)
            .expect("the guest can be spawned");
        let mut control = patient(control.accept().expect("the guest says hello").0);
        let port = u16::from_le_bytes(read::<8>(&mut control)[..2].try_into().expect("two bytes"));
        Service { root, environment, control, port }
    }

    pub fn connect(&self) -> TcpStream {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        patient(TcpStream::connect_timeout(&address, PATIENCE).expect("it listens"))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn go(&mut self) {
        self.control.write_all(b"!").expect("the guest waits for it");
    }

    pub fn wait_until_done(&mut self) {
        // A guest that ended instead closed the connection, and tells more.
        if self.control.read_exact(&mut [0]).is_err() {
            panic!("the guest ended: {}", self.root.wait());
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.environment.kill_all();
        self.root.wait();
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a minute is a timeout");
    stream
}

pub fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("the guest writes so much");
    bytes
}

/// Asserts that a stream leads to `$echo`.
pub fn echoes(stream: &mut TcpStream) {
    stream.write_all(b"hello").expect("somebody reads");
    assert_eq!(&read::<5>(stream), b"hello");
}
