//! After a burst of processes the memory that they had goes back to the system.

use std::time::Instant;

use lunatic_engine::{ProcessConfig, Runtime};
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::{check, runtime};
use crate::service::{PATIENCE, alone};

const PROCESSES: usize = 20_000;
/// What may stay, in bytes: pages of the heap that hold something else, too, and tables that have
/// grown. It is a tenth of what the processes had.
const MAY_STAY: usize = PROCESSES * 1_600;

/// Spawns them, each with two pages that it has written to, waits until all wait, ends them all.
const GUEST: &str = r#"
    (func (export "waits") (param $root i64)
        (i32.store (i32.const 0x8000) (i32.const 1))
        (call $tell (local.get $root) (i64.const 0) (call $process.process_id))
        (call $is (call $next) (i32.const 0)))
    (func (export "_start") (local $at i32)
        (local.set $at (i32.const 0x10000))
        (call $is (i32.eq (memory.grow (i32.const 3)) (i32.const -1)) (i32.const 0))
        (loop $more
            (drop (call $spawn_for_me (i64.const 0) @"waits"))
            (call $is (call $next) (i32.const 0))
            (i64.store (local.get $at) (call $value))
            (call $process.monitor (i64.load (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const END))))
        (local.set $at (i32.const 0x10000))
        (loop $more
            (call $tell (i64.load (local.get $at)) (i64.const 0) (i64.const 0))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const END))))
        (local.set $at (i32.const 0x10000))
        (loop $more
            (call $is (call $next) (i32.const 2))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const END)))))"#;

fn burst(runtime: &Runtime, processes: usize) {
    let source = GUEST.replace("END", &(0x1_0000 + 8 * processes).to_string());
    let guest = runtime.compile(module(&source).as_bytes()).expect("the guest is valid");
    let config = ProcessConfig::root(WasiConfig::default());
    let root = runtime.spawn_root(&runtime.environment(1), &guest, "_start", config);
    check(&root.expect("the guest can be spawned").wait());
}

/// Resident bytes of this program.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.expect("it is in every status") * 1024
}

#[test]
fn memory_goes_back_to_the_system_after_a_burst() {
    let _turn = alone();
    let runtime = runtime();
    // What is made once.
    burst(&runtime, 100);
    let before = resident();
    burst(&runtime, PROCESSES);
    let begun = Instant::now();
    let warm = || runtime.figures().memories.warm_bytes + runtime.figures().stacks.warm_bytes;
    while warm() > 0 || resident() > before + MAY_STAY {
        let stays = resident().saturating_sub(before);
        assert!(begun.elapsed() < PATIENCE, "{stays} bytes stay, {} of them warm", warm());
        std::thread::yield_now();
    }
    println!("{} KiB more than before stay", resident().saturating_sub(before) >> 10);
    // And it can be used again.
    burst(&runtime, 100);
}
