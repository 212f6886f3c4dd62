//! Nothing of one process is ever readable by the next one in its slot.
//!
//! Hundreds of guests fill all that a guest can write (memory, also what it grew by, tables,
//! mutable globals, locals of deep calls) with a pattern, and end in each way there is. Then as
//! many look at all of it. All of one kind live at once, and slots that were used are handed out
//! before fresh ones: so whoever looks has a slot that was filled, or a whole instance. That stacks
//! read as zero where zeroes are asked for is the business of the slabs' own tests.

use lunatic_engine::{ProcessConfig, Runtime, Tier};
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::{check, runtime};

/// What both guests have. The first page has texts and helpers below 0x5000.
const COMMON: &str = r#"
    (global $number (mut i64) (i64.const 7))
    (global $fraction (mut f64) (f64.const 0.5))

    (func $end (result i32) (i32.mul (memory.size) (i32.const 0x10000)))
    (func $fill_from (param $from i32)
        (memory.fill (local.get $from) (i32.const 0xa5)
            (i32.sub (call $end) (local.get $from))))
    ;; Words from here to the end that are not zero.
    (func $found_from (param $at i32) (result i64) (local $found i64)
        (loop $more
            (local.set $found (i64.add (local.get $found)
                (i64.extend_i32_u (i64.ne (i64.load (local.get $at)) (i64.const 0)))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $more (i32.lt_u (local.get $at) (call $end))))
        (local.get $found))
    ;; Words of the pattern below.
    (func $pattern_below (param $end i32) (result i64) (local $at i32) (local $found i64)
        (loop $more
            (local.set $found (i64.add (local.get $found)
                (i64.extend_i32_u
                    (i64.eq (i64.load (local.get $at)) (i64.const 0xa5a5a5a5a5a5a5a5)))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $more (i32.lt_u (local.get $at) (local.get $end))))
        (local.get $found))

    ;; Each call has locals that nobody has written: their sum, and the pattern on the way back.
    (func $deep (param $depth i32) (param $pattern i64) (result i64)
        (local $a i64) (local $b i64) (local $c i64) (local $d i64) (local $sum i64)
        (local.set $sum (i64.or (i64.or (local.get $a) (local.get $b))
            (i64.or (local.get $c) (local.get $d))))
        (local.set $a (local.get $pattern))
        (local.set $b (i64.add (local.get $pattern) (local.get $a)))
        (local.set $c (i64.xor (local.get $b) (i64.extend_i32_u (local.get $depth))))
        (if (local.get $depth) (then
            (local.set $sum (i64.or (local.get $sum)
                (call $deep (i32.sub (local.get $depth) (i32.const 1)) (local.get $pattern))))))
        ;; Used after the call, so that they lie on the stack during it.
        (global.set $number (i64.add (local.get $a) (i64.add (local.get $b) (local.get $c))))
        (local.get $sum))

    ;; Tells the root and ends as that says, if it does not kill it.
    (func $end_as_told (param $root i64) (param $found i64)
        (call $tell (local.get $root) (i64.const 0) (local.get $found))
        (call $is (call $next) (i32.const 0))
        (if (i64.eq (call $value) (i64.const 1)) (then unreachable)))
    ;; The pids of those that live lie from 0x8000 on; $live counts them.
    (global $live (mut i32) (i32.const 0))
    (func $place (param $index i32) (result i32)
        (i32.add (i32.const 0x8000) (i32.mul (local.get $index) (i32.const 8))))
    (func $spawn_all (param $name i32) (param $length i32) (param $count i32) (local $child i64)
        (loop $more
            (local.set $child (call $spawn_for_me (i64.const 0)
                (local.get $name) (local.get $length)))
            (call $process.monitor (local.get $child))
            (i64.store (call $place (global.get $live)) (local.get $child))
            (global.set $live (i32.add (global.get $live) (i32.const 1)))
            (br_if $more
                (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
    ;; The sum of what all have found.
    (func $answers (result i64) (local $left i32) (local $sum i64)
        (local.set $left (global.get $live))
        (loop $more
            (call $is (call $next) (i32.const 0))
            (local.set $sum (i64.add (local.get $sum) (call $value)))
            (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (local.get $sum))
    ;; A third returns, a third traps, a third is killed; and all are gone.
    (func $end_all (local $index i32) (local $child i64)
        (loop $more
            (local.set $child (i64.load (call $place (local.get $index))))
            (if (i32.eq (i32.rem_u (local.get $index) (i32.const 3)) (i32.const 2))
                (then (call $process.kill (local.get $child)))
                (else (call $tell (local.get $child) (i64.const 0)
                    (i64.extend_i32_u (i32.rem_u (local.get $index) (i32.const 3))))))
            (local.set $index (i32.add (local.get $index) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $index) (global.get $live))))
        (loop $more
            (call $is (call $next) (i32.const 2))
            (global.set $live (i32.sub (global.get $live) (i32.const 1)))
            (br_if $more (global.get $live))))
    (func (export "_start") (local $round i32)
        (loop $again
            (call $spawn_all @"fill_small" (i32.const SMALL))
            (call $spawn_all @"fill_large" (i32.const LARGE))
            (call $is64 (call $answers) (i64.const 0))
            (call $end_all)
            (call $spawn_all @"look_small" (i32.const SMALL))
            (call $spawn_all @"look_large" (i32.const LARGE))
            (call $is64 (call $answers) (i64.const 0))
            (call $end_all)
            (local.set $round (i32.add (local.get $round) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $round) (i32.const 2)))))"#;

/// Can write wherever a guest can. `small` ends with 3 pages, in one move; `large` with 60, after
/// moves by copying and by relocation.
const EVERYWHERE: &str = r#"
    (table $table 100 funcref)
    (elem declare func $nothing)
    (func $nothing)
    (global $reference (mut funcref) (ref.null func))
    (func $grow (param $pages i32) (result i32) (local $from i32)
        (local.set $from (call $end))
        (call $is (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (i32.const 0))
        (local.get $from))

    (func $fill
        (call $fill_from (i32.const 0x5000))
        (call $fill_from (call $grow (i32.const 2))))
    (func $fill_rest
        (global.set $fraction (f64.const -77.5))
        (global.set $reference (ref.func $nothing))
        (call $is (i32.eq (table.grow $table (ref.func $nothing) (i32.const 1000)) (i32.const 100))
            (i32.const 1))
        (table.fill $table (i32.const 0) (ref.func $nothing) (i32.const 1100))
        (drop (call $deep (i32.const 500) (i64.const 0xa5a5a5a5a5a5a5a5)))
        (global.set $number (i64.const 0xa5a5a5a5a5a5a5a5)))
    (func (export "fill_small") (param $root i64)
        (call $fill) (call $fill_rest)
        (call $end_as_told (local.get $root) (i64.const 0)))
    (func (export "fill_large") (param $root i64)
        (call $fill)
        (call $fill_from (call $grow (i32.const 37)))
        (call $fill_from (call $grow (i32.const 20)))
        (call $fill_rest)
        (call $end_as_told (local.get $root) (i64.const 0)))

    (func $found (result i64)
        (i64.add
            (i64.add (call $pattern_below (i32.const 0x5000)) (call $found_from (i32.const 0x5000)))
            (call $found_from (call $grow (i32.const 2)))))
    (func $found_in_rest (result i64) (local $at i32) (local $found i64)
        (local.set $found (i64.add
            (i64.extend_i32_u (i64.ne (global.get $number) (i64.const 7)))
            (i64.extend_i32_u (i32.or
                (f64.ne (global.get $fraction) (f64.const 0.5))
                (i32.eqz (ref.is_null (global.get $reference)))))))
        (drop (table.grow $table (ref.null func) (i32.const 1000)))
        (loop $more
            (local.set $found (i64.add (local.get $found) (i64.extend_i32_u
                (i32.eqz (ref.is_null (table.get $table (local.get $at)))))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $at) (table.size $table))))
        (i64.add (local.get $found) (i64.extend_i32_u
            (i64.ne (call $deep (i32.const 500) (i64.const 1)) (i64.const 0)))))
    (func (export "look_small") (param $root i64) (local $found i64)
        (local.set $found (i64.add (call $found) (call $found_in_rest)))
        (call $end_as_told (local.get $root) (local.get $found)))
    (func (export "look_large") (param $root i64) (local $found i64)
        (local.set $found (i64.add (call $found) (call $found_in_rest)))
        (local.set $found (i64.add (local.get $found)
            (call $found_from (call $grow (i32.const 37)))))
        (local.set $found (i64.add (local.get $found)
            (call $found_from (call $grow (i32.const 20)))))
        (call $end_as_told (local.get $root) (local.get $found)))"#;

/// Changes nothing that keeps its instance from being used again.
const PLAIN: &str = r#"
    (func (export "fill_small") (param $root i64)
        (call $fill_from (i32.const 0x5000))
        (global.set $fraction (f64.const -77.5))
        (drop (call $deep (i32.const 500) (i64.const 0xa5a5a5a5a5a5a5a5)))
        (global.set $number (i64.const 0xa5a5a5a5a5a5a5a5))
        (call $end_as_told (local.get $root) (i64.const 0)))
    (func (export "fill_large") (param $root i64)
        (call $fill_from (i32.const 0x5000))
        (call $end_as_told (local.get $root) (i64.const 0)))
    (func (export "look_small") (param $root i64) (call $look (local.get $root)))
    (func (export "look_large") (param $root i64) (call $look (local.get $root)))
    (func $look (param $root i64) (local $found i64)
        (local.set $found (i64.add (call $pattern_below (i32.const 0x5000))
            (call $found_from (i32.const 0x5000))))
        (local.set $found (i64.add (local.get $found)
            (i64.extend_i32_u (i32.or
                (i64.ne (global.get $number) (i64.const 7))
                (f64.ne (global.get $fraction) (f64.const 0.5))))))
        (local.set $found (i64.or (local.get $found)
            (call $deep (i32.const 500) (i64.const 1))))
        (call $end_as_told (local.get $root) (local.get $found)))"#;

/// Fills and looks with so many small and large guests at once.
fn nothing_is_found(runtime: &Runtime, guest: &str, tier: Tier, [small, large]: [u32; 2]) {
    let counts = [("SMALL", small), ("LARGE", large)];
    let source = counts.into_iter().fold(COMMON.to_owned() + guest, |source, (name, count)| {
        source.replace(name, &count.to_string())
    });
    let wat = module(&source);
    let module = runtime.compile_for(wat.as_bytes(), tier).expect("the guest is valid");
    let config = ProcessConfig::root(WasiConfig::default());
    let environment = runtime.environment(1);
    let root = runtime.spawn_root(&environment, &module, "_start", config);
    check(&root.expect("the guest can be spawned").wait());
}

#[test]
fn a_process_finds_nothing_of_the_one_that_had_its_slot() {
    // Nobody else takes its slots. More memory is filled than is kept warm (64 MiB, of which one
    // process may have 128 KiB), so that some slots are warm and some are cold.
    nothing_is_found(&runtime(), EVERYWHERE, Tier::Dense, [600, 15]);
}

#[test]
fn a_process_finds_nothing_of_the_one_that_had_its_instance() {
    // More than are kept, and a third of them by instances that can be used again.
    nothing_is_found(&runtime(), PLAIN, Tier::Dense, [600, 15]);
}

#[test]
fn a_process_of_the_guarded_tier_finds_nothing_either() {
    nothing_is_found(&runtime(), EVERYWHERE, Tier::Guarded, [30, 3]);
    nothing_is_found(&runtime(), PLAIN, Tier::Guarded, [30, 3]);
}
