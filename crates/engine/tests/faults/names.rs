//! Names that cannot be resolved, and names that nobody ever answers.
//!
//! The runtimes here look up names through the test: no machine can be told to have a name server
//! that stays silent.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use lunatic_engine::{CachePolicy, ExitReason, Limits, Options, ProcessConfig, Root, Runtime};
use lunatic_wasi::WasiConfig;

use crate::common::check;
use crate::common::guest::module;
use crate::service::alone;

/// Knows `good`, refuses `bad`, and is silent about everything else until it is released.
#[derive(Default)]
struct Server {
    released: Mutex<bool>,
    release: Condvar,
    asked: AtomicUsize,
}

impl Server {
    fn look_up(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let good = vec![(Ipv4Addr::LOCALHOST, 80).into()];
        match name {
            "good:80" => return Ok(good),
            "bad:80" => return Err(io::Error::other("no such host")),
            _ => {}
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let released = self.released.lock().expect("nobody panics here");
        drop(self.release.wait_while(released, |released| !*released).expect("nobody panics here"));
        Ok(good)
    }

    fn release(&self) {
        *self.released.lock().expect("nobody panics here") = true;
        self.release.notify_all();
    }
}

/// A runtime that asks a server, which is released at the end.
struct Node {
    runtime: Runtime,
    server: Arc<Server>,
}

impl Node {
    fn new() -> Node {
        let server = Arc::new(Server::default());
        let asked = server.clone();
        let options = Options {
            workers: Some(2),
            cache: CachePolicy::Off,
            look_up: Some(Arc::new(move |name: &str| asked.look_up(name))),
            ..Options::default()
        };
        Node { runtime: Runtime::new(options).expect("a runtime starts"), server }
    }

    fn start(&self, source: &str, change: impl FnOnce(&mut Limits)) -> Root {
        let wat = module(&format!("{RESOLVE} {source}"));
        let module = self.runtime.compile(wat.as_bytes()).expect("the guest is valid");
        let mut limits = Limits::default();
        change(&mut limits);
        let config = ProcessConfig::root(WasiConfig::default()).with_limits(limits);
        self.runtime
            .spawn_root(&self.runtime.environment(1), &module, "_start", config)
            .expect("the guest can be spawned")
    }

    fn passes(&self, source: &str) {
        check(&self.start(source, |_| {}).wait());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.release();
    }
}

/// The code of resolving a name within some milliseconds.
const RESOLVE: &str = "(func $resolve
    (param $at i32) (param $length i32) (param $timeout i64) (result i32)
    (call $networking.resolve
        (local.get $at) (local.get $length) (local.get $timeout) (i32.const 0)))";

const GOOD: &str = r#"(func (export "_start")
    (call $is (call $resolve @"good:80" (i64.const -1)) (i32.const 0)))"#;

/// Begins 200 look-ups that are never answered, and waits for none.
const MANY: &str = r#"(func $many (local $i i32)
    (loop $more
        (call $is (call $resolve @"silent:80" (i64.const 1)) (i32.const 9027))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $i) (i32.const 200)))))"#;

#[test]
fn a_name_that_cannot_be_resolved_is_an_error_with_its_cause() {
    let _turn = alone();
    Node::new().passes(
        r#"(func (export "_start")
            (call $is (call $resolve @"bad:80" (i64.const -1)) (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0)) @"bad:80") (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0)) @"no such host") (i32.const 1))
            (call $is (call $resolve @"good:80" (i64.const -1)) (i32.const 0)))"#,
    );
}

#[test]
fn who_waits_for_a_silent_name_server_waits_alone_and_ends_at_once_when_killed() {
    let _turn = alone();
    let node = Node::new();
    let stuck = node.start(
        r#"(func (export "_start") (drop (call $resolve @"silent:80" (i64.const -1))))"#,
        |_| {},
    );
    while node.server.asked.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    node.passes(GOOD);
    node.passes(
        r#"(func (export "_start")
            (call $is (call $resolve @"silent:80" (i64.const 1)) (i32.const 9027))
            (call $is (call $resolve @"silent:80" (i64.const 0)) (i32.const 9027)))"#,
    );
    stuck.kill();
    assert_eq!(stuck.wait(), ExitReason::Killed);
}

#[test]
fn one_process_cannot_use_up_the_look_ups_of_all() {
    let _turn = alone();
    let node = Node::new();
    node.passes(&format!(
        r#"{MANY}
        (func (export "_start")
            (call $many)
            (call $is (call $resolve @"good:80" (i64.const 1)) (i32.const 9027))
            ;; What needs no look-up needs no turn.
            (call $is (call $resolve @"127.0.0.1:80" (i64.const 0)) (i32.const 0)))"#
    ));
    assert_eq!(node.server.asked.load(Ordering::SeqCst), Limits::default().lookups_max);
    node.passes(GOOD);
}

#[test]
fn look_ups_that_nobody_waits_for_count_until_they_are_answered() {
    let _turn = alone();
    let node = Node::new();
    let source = format!(
        r#"{MANY}
        (func (export "_start")
            (call $many)
            (call $is (call $resolve @"good:80" (i64.const -1)) (i32.const 0)))"#
    );
    let root = node.start(&source, |limits| limits.lookups_max = 3);
    while node.server.asked.load(Ordering::SeqCst) < 3 {
        std::thread::yield_now();
    }
    // A guest beside it passes many turns, in which the first one would have asked a fourth time.
    node.passes(&format!("{MANY} (func (export \"_start\") (call $many))"));
    let of_both = 3 + Limits::default().lookups_max;
    assert_eq!(node.server.asked.load(Ordering::SeqCst), of_both);
    node.server.release();
    check(&root.wait());
}

#[test]
fn a_process_that_may_look_up_nothing_is_told_so() {
    let _turn = alone();
    let node = Node::new();
    let root = node.start(
        r#"(func (export "_start")
            (call $is (call $resolve @"good:80" (i64.const -1)) (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0)) @"lookups_max") (i32.const 1)))"#,
        |limits| limits.lookups_max = 0,
    );
    check(&root.wait());
}
