//! `own_pid`, `is_alive`, `processes` and `info`.

use crate::common::{passes, traps};

#[test]
fn the_own_pid_is_the_one_that_the_old_import_tells() {
    passes(
        r#"(func (export "_start")
            (i64.store (i32.const 0) (i64.const -1))
            (call $process.own_pid (i32.const 0))
            (call $is64 (i64.load (i32.const 0)) (i64.const 0))
            (call $is64 (i64.load (i32.const 8)) (call $process.process_id)))"#,
    );
    traps("(call $process.own_pid (i32.const 0xfff1))", "outside of the memory");
}

#[test]
fn processes_lists_as_many_as_there_is_room_for_and_counts_all() {
    passes(
        r#"(func (export "waits") (call $comes (i32.const 0)))
        (func $all (param $room i32) (result i32)
            (call $process.processes (i32.const 0) (local.get $room)))
        (func (export "_start") (local $one i64) (local $two i64)
            (call $is (call $all (i32.const 0)) (i32.const 1))
            (call $is (call $all (i32.const 3)) (i32.const 1))
            (call $is64 (i64.load (i32.const 8)) (call $process.process_id))
            (local.set $one (call $child (i32.const 2) @"waits"))
            (local.set $two (call $child (i32.const 0) @"waits"))
            (i64.store (i32.const 24) (i64.const 77))
            (call $is (call $all (i32.const 1)) (i32.const 3))
            (call $is64 (i64.load (i32.const 24)) (i64.const 77))
            (call $is (call $all (i32.const 3)) (i32.const 3))
            (call $is64
                (i64.add (i64.load (i32.const 8))
                    (i64.add (i64.load (i32.const 24)) (i64.load (i32.const 40))))
                (i64.add (call $process.process_id)
                    (i64.add (local.get $one) (local.get $two))))
            (call $process.kill (local.get $one))
            (call $comes (i32.const 2))
            (call $is (call $all (i32.const 0)) (i32.const 2)))"#,
    );
    for room in ["(i32.const 0) (i32.const 0x1001)", "(i32.const 1) (i32.const -1)"] {
        let call = format!("(drop (call $process.processes {room}))");
        traps(&call, "outside of the memory");
    }
}

#[test]
fn info_tells_everything_at_once() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (call $tell (local.get $parent) (i64.const 1) (i64.const 0))
            (call $is (call $next_tagged (i64.const 7) (i64.const -1)) (i32.const 0)))
        (func (export "_start") (local $child i64)
            (call $options (i32.const 3) @"child")
            (call $for_me)
            (i32.store (i32.const 0x3230) (i32.const 0x4000))
            (i32.store (i32.const 0x3234) (i32.const 2))
            (local.set $child (call $spawn_it))
            (call $registry.put @"n1" (i64.const 0) (local.get $child))
            (call $registry.put @"name2" (i64.const 0) (local.get $child))
            (call $comes (i32.const 0))
            (call $tell (local.get $child) (i64.const 1) (i64.const 0))
            ;; Until it waits.
            (loop $again
                (call $process.sleep_ms (i64.const 0))
                (call $is
                    (call $process.info (i64.const 0) (local.get $child)
                        (i32.const 0x1000) (i32.const 0x400))
                    (i32.const 0))
                (br_if $again (i32.load (i32.const 0x1000))))
            (call $is (i32.load (i32.const 0x1004)) (i32.const 0))
            (call $is (i32.load (i32.const 0x1008)) (i32.const 1))
            (call $is (i32.load (i32.const 0x100c)) (i32.const 0))
            (call $is64 (i64.load (i32.const 0x1010)) (i64.const 1))
            (call $is64 (i64.load (i32.const 0x1018)) (i64.const 104))
            (call $is64 (i64.load (i32.const 0x1020)) (i64.const 0x10000))
            (call $is64 (i64.load (i32.const 0x1028)) (i64.const 0))
            (call $is64 (i64.load (i32.const 0x1030)) (call $process.process_id))
            (call $is (i32.load (i32.const 0x1038)) (i32.const 1))
            (call $is (i32.load (i32.const 0x103c)) (i32.const 0))
            (call $is (i32.load (i32.const 0x1040)) (i32.const 1))
            (call $is (i32.load (i32.const 0x1044)) (i32.const 0))
            (call $is (i32.load (i32.const 0x1048)) (i32.const 2))
            (call $is (i32.load (i32.const 0x104c)) (i32.const 15))
            (call $is (i32.load (i32.const 0x1050)) (i32.const 5))
            (call $is (i32.load (i32.const 0x1054)) (i32.const 2))
            ;; 96 + a link of 16 + a watcher of 32 + names of 15 + an entry of 5 + a label of 2.
            (call $is64 (i64.load (i32.const 0x1058)) (i64.const 166))
            (call $is64 (i64.load (i32.const 0x1068)) (call $process.process_id))
            (call $is64 (i64.load (i32.const 0x1078)) (call $child_ref))
            (call $is64 (i64.load (i32.const 0x1088)) (call $process.process_id))
            (call $is (i32.load (i32.const 0x1090)) (i32.const 2))
            (call $is (call $same (i32.const 0x1094) @"n1") (i32.const 1))
            (call $is (i32.load (i32.const 0x1096)) (i32.const 5))
            (call $is (call $same (i32.const 0x109a) @"name2") (i32.const 1))
            (call $is (call $same (i32.const 0x109f) @"child") (i32.const 1))
            (call $is (call $same (i32.const 0x10a4) (i32.const 0x4000) (i32.const 2))
                (i32.const 1))
            ;; Its parent.
            (call $is
                (call $process.info (i64.const 0) (call $process.process_id)
                    (i32.const 0x1000) (i32.const 0x400))
                (i32.const 0))
            (call $is (i32.load (i32.const 0x1000)) (i32.const 1))
            (call $is64 (i64.load (i32.const 0x1030)) (i64.const 0))
            (call $is (i32.load (i32.const 0x103c)) (i32.const 1))
            ;; Behind the link: a monitor with its target.
            (call $is64 (i64.load (i32.const 0x1078)) (call $child_ref))
            (call $is64 (i64.load (i32.const 0x1088)) (local.get $child)))"#,
    );
}

#[test]
fn a_place_that_is_too_small_gets_the_header_with_the_size() {
    passes(
        r#"(func (export "_start")
            (i32.store (i32.const 96) (i32.const 77))
            (call $is
                (call $process.info (i64.const 0) (call $process.process_id)
                    (i32.const 0) (i32.const 96))
                (i32.const 2))
            (call $is64 (i64.load (i32.const 88)) (i64.const 102))
            (call $is (i32.load (i32.const 96)) (i32.const 77))
            (call $is
                (call $process.info (i64.const 0) (call $process.process_id)
                    (i32.const 0) (i32.const 102))
                (i32.const 0))
            (call $is (call $same (i32.const 96) @"_start") (i32.const 1)))"#,
    );
}

#[test]
fn nobody_has_no_info_and_bad_places_trap() {
    passes(
        r#"(func (export "_start")
            (call $is
                (call $process.info (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 96))
                (i32.const 1))
            (call $is
                (call $process.info (i64.const 3) (call $process.process_id)
                    (i32.const 0) (i32.const 96))
                (i32.const 1)))"#,
    );
    for (place, text) in [
        ("(i32.const 0) (i32.const 95)", "at least 96 bytes"),
        ("(i32.const 0xffff) (i32.const 96)", "outside of the memory"),
        ("(i32.const 0) (i32.const -1)", "outside of the memory"),
    ] {
        traps(&format!("(drop (call $process.info (i64.const 0) (i64.const 0) {place}))"), text);
    }
}
