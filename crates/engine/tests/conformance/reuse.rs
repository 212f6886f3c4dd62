//! Instances that are used again: nothing of one process can be seen by the next.

use lunatic_engine::{CachePolicy, Environment, ExitReason, Module, Options, Runtime};
use std::sync::Arc;

use crate::common::guest::module;
use crate::common::{check, config};

/// A node of its own, so that nobody else's instances are counted.
struct Alone {
    runtime: Runtime,
    environment: Arc<Environment>,
    module: Module,
}

impl Alone {
    fn new(wat: &str) -> Alone {
        let options = Options { workers: Some(1), cache: CachePolicy::Off, ..Options::default() };
        let runtime = Runtime::new(options).expect("a runtime starts");
        let module = runtime.compile(wat.as_bytes()).expect("it is valid");
        let environment = runtime.environment(1);
        Alone { runtime, environment, module }
    }

    fn run(&self, entry: &str) -> ExitReason {
        let config = config(|_, _| {});
        let root = self.runtime.spawn_root(&self.environment, &self.module, entry, config);
        root.expect("it can be spawned").wait()
    }

    fn waiting(&self) -> usize {
        self.runtime.figures().instances_waiting
    }
}

/// Where the system tells which pages a process has touched.
const CAN_REUSE: usize = if cfg!(target_os = "linux") { 1 } else { 0 };

/// A guest that can write everywhere, and one that checks that all is as it was at first.
const GUEST: &str = r#"
    (memory (export "memory") 1 100)
    (data (i32.const 0x2ffe) "across a page")
    (data (i32.const 0x3000) "over the first")
    (data (i32.const 0xfffc) "end")
    (data $later "passive")
    (global $a (mut i32) (i32.const 7))
    (global $b (mut i64) (i64.const -7))
    (global $c (mut f32) (f32.const 1.5))
    (global $d (mut f64) (f64.const -2.5))
    (func $sum (result i32) (local $at i32) (local $sum i32)
        (loop $next
            (local.set $sum (i32.add
                (i32.mul (local.get $sum) (i32.const 31))
                (i32.load8_u (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 65536))))
        (local.get $sum))
    (func $write
        (memory.fill (i32.const 0x2100) (i32.const 0xa5) (i32.const 0x9000))
        (memory.fill (i32.const 0xef00) (i32.const 0xa5) (i32.const 0x1000))
        (memory.init $later (i32.const 0) (i32.const 0) (i32.const 7))
        (i32.store8 (i32.const 0xffff) (i32.const 1))
        (global.set $a (i32.const 1)) (global.set $b (i64.const 2))
        (global.set $c (f32.const 3)) (global.set $d (f64.const 4)))
    (func (export "write") (call $write))
    (func (export "grow") (call $write) (drop (memory.grow (i32.const 1))))
    (func (export "move")
        (call $is (i32.load8_u (i32.const 0x3000)) (i32.const 0x6f))
        (call $is (memory.grow (i32.const 60)) (i32.const 1))
        (call $is (call $sum) (i32.const EXPECTED)))
    (func (export "wait")
        (call $is (i32.load8_u (i32.const 0xfffc)) (i32.const 0x65))
        (drop (call $next)))
    (func (export "trap") (call $write) (unreachable))
    (func (export "look")
        (call $is (global.get $a) (i32.const 7))
        (call $is64 (global.get $b) (i64.const -7))
        (call $is (f32.eq (global.get $c) (f32.const 1.5)) (i32.const 1))
        (call $is (f64.eq (global.get $d) (f64.const -2.5)) (i32.const 1))
        (call $is (memory.size) (i32.const 1))
        (memory.init $later (i32.const 0) (i32.const 0) (i32.const 7))
        (call $is (i32.load8_u (i32.const 6)) (i32.const 0x65))
        (memory.fill (i32.const 0) (i32.const 0) (i32.const 7))
        (call $is (call $sum) (i32.const EXPECTED)))"#;

/// What `$sum` gives for the memory as the module's segments make it.
fn expected() -> i32 {
    let mut memory = vec![0_u8; 1 << 16];
    for (at, data) in [(0x2ffe, "across a page"), (0x3000, "over the first"), (0xfffc, "end")] {
        memory[at..at + data.len()].copy_from_slice(data.as_bytes());
    }
    memory.iter().fold(0_i32, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()))
}

fn guest() -> Alone {
    Alone::new(&module(&GUEST.replace("EXPECTED", &expected().to_string())))
}

#[test]
fn what_a_process_wrote_is_not_seen_by_the_next_one_in_its_instance() {
    let node = guest();
    check(&node.run("look"));
    assert_eq!(node.waiting(), CAN_REUSE);
    for _ in 0..3 {
        assert_eq!(node.run("write"), ExitReason::Normal);
        assert_eq!(node.waiting(), CAN_REUSE);
        check(&node.run("look"));
        assert_eq!(node.waiting(), CAN_REUSE);
    }
}

#[test]
fn an_instance_that_grew_or_trapped_or_was_killed_is_not_used_again() {
    let node = guest();
    assert_eq!(node.run("grow"), ExitReason::Normal);
    assert_eq!(node.waiting(), 0);
    assert!(matches!(node.run("trap"), ExitReason::Trap(_)));
    assert_eq!(node.waiting(), 0);
    check(&node.run("look"));
    let wait = Alone::new(&module(r#"(func (export "wait") (drop (call $next)))"#));
    let root = wait.runtime.spawn_root(&wait.environment, &wait.module, "wait", config(|_, _| {}));
    let root = root.expect("it can be spawned");
    root.kill();
    assert_eq!(root.wait(), ExitReason::Killed);
    assert_eq!(wait.waiting(), 0);
}

#[test]
fn a_memory_that_moves_takes_pages_with_it_that_nobody_has_touched() {
    let node = guest();
    for _ in 0..3 {
        check(&node.run("move"));
        assert_eq!(node.waiting(), 0, "it has grown");
    }
}

#[test]
fn a_slot_forgets_the_module_whose_process_was_killed_in_it() {
    let node = guest();
    let other = module(
        r#"(memory (export "memory") 1) (func (export "_start") (local $at i32)
            (loop $next
                (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 65536)))))"#,
    );
    let other = node.runtime.compile(other.as_bytes()).expect("it is valid");
    for _ in 0..3 {
        let spawn = |module, entry| {
            let config = config(|_, _| {});
            let root = node.runtime.spawn_root(&node.environment, module, entry, config);
            root.expect("it can be spawned")
        };
        let waiting = spawn(&node.module, "wait");
        waiting.kill();
        assert_eq!(waiting.wait(), ExitReason::Killed);
        check(&spawn(&other, "_start").wait());
    }
}

#[test]
fn the_system_reads_and_writes_pages_that_the_program_has_never_touched() {
    let node = Alone::new(&module(
        r#"(memory (export "memory") 1)
        (data (i32.const 0x5000) "\00\60\00\00\04\00\00\00") (data (i32.const 0x6000) "now\n")
        (func (export "_start") (local $at i32)
            (call $is (call $p1.random_get (i32.const 0x9001) (i32.const 0x3001)) (i32.const 0))
            (call $is (i64.eqz (i64.load (i32.const 0x9001))) (i32.const 0))
            (call $is (i64.eqz (i64.load (i32.const 0xaffc))) (i32.const 0))
            (call $is (i64.eqz (i64.load (i32.const 0xbff0))) (i32.const 0))
            (call $is
                (call $p1.fd_write
                    (i32.const 1) (i32.const 0x5000) (i32.const 1) (i32.const 0xd000))
                (i32.const 0))
            (call $is (i32.load (i32.const 0xd000)) (i32.const 4)))"#,
    ));
    for _ in 0..2 {
        check(&node.run("_start"));
    }
}

#[test]
fn a_module_of_which_more_can_change_is_not_used_again_and_means_the_same() {
    let parts = [
        // A start section, which must run for each.
        r#"(memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
        (func $start (global.set $n (i32.const 5))) (start $start)
        (func (export "_start") (call $is (global.get $n) (i32.const 5)))"#,
        // A table that changes.
        r#"(memory (export "memory") 1) (table $t 1 funcref) (elem declare func $f) (func $f)
        (func (export "_start")
            (call $is (ref.is_null (table.get $t (i32.const 0))) (i32.const 1))
            (table.set $t (i32.const 0) (ref.func $f)))"#,
        // A segment that is dropped.
        r#"(memory (export "memory") 1) (data $d "data")
        (func (export "_start")
            (memory.init $d (i32.const 0) (i32.const 0) (i32.const 4))
            (call $is (i32.load (i32.const 0)) (i32.const 0x61746164))
            (data.drop $d))"#,
        // Two memories.
        r#"(memory (export "memory") 1) (memory $two 1) (data (memory $two) (i32.const 0) "data")
        (func (export "_start")
            (call $is (i32.load $two (i32.const 0)) (i32.const 0x61746164))
            (i32.store $two (i32.const 0) (i32.const 0)))"#,
        // A variable that holds no number.
        r#"(memory (export "memory") 1) (global $g (mut funcref) (ref.null func))
        (elem declare func $f) (func $f)
        (func (export "_start")
            (call $is (ref.is_null (global.get $g)) (i32.const 1))
            (global.set $g (ref.func $f)))"#,
        // A name of ours.
        r#"(memory (export "memory") 1)
        (global (export "lunatic:variable:0") (mut i32) (i32.const 0))
        (func (export "_start"))"#,
    ];
    for part in parts {
        let node = Alone::new(&module(part));
        for _ in 0..2 {
            check(&node.run("_start"));
            assert_eq!(node.waiting(), 0, "{part}");
        }
    }
}

#[test]
fn a_segment_outside_of_the_memory_fails_the_instantiation_as_ever() {
    let node = Alone::new(
        r#"(module (memory (export "memory") 1) (data (i32.const 65535) "ab")
            (func (export "_start")))"#,
    );
    let config = config(|_, _| {});
    let spawned = node.runtime.spawn_root(&node.environment, &node.module, "_start", config);
    let error = spawned.err().expect("it does not fit").to_string();
    assert!(error.contains("out of bounds memory access"), "{error}");
}

#[test]
fn a_process_may_not_have_an_instance_that_is_larger_than_its_limits() {
    let node = guest();
    check(&node.run("look"));
    let refused = |node: &Alone| {
        let config = config(|limits, _| limits.memory_bytes_max = 1 << 15);
        let spawned = node.runtime.spawn_root(&node.environment, &node.module, "look", config);
        spawned.err().expect("its memory is too large").to_string()
    };
    let words = refused(&node);
    assert!(words.contains("memory"), "{words}");
    assert_eq!(words, refused(&guest()), "the same words as for a new instance");
    check(&node.run("look"));
}

#[test]
fn instances_that_nobody_needs_go() {
    let node = guest();
    check(&node.run("look"));
    while node.waiting() > 0 {
        std::thread::yield_now();
    }
    let figures = node.runtime.figures();
    assert_eq!((figures.memories.live, figures.stacks.live), (0, 0));
}
