//! SQLite and the life of processes: locks between them, kills in the middle of queries, workers
//! that stay free.

use lunatic_engine::{ExitReason, Root};
use lunatic_wasi::Access;

use crate::common::sqlite::{Place, guest, integers};
use crate::common::{check, passes, shared};

const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

/// A process that says when it begins, and then runs a query without end.
fn endless(before: &str) -> String {
    format!(
        r#"(func (export "endless") (param $root i64)
            (drop (call $open @"a.db"))
            {before}
            (call $tell (local.get $root) (i64.const 5) (i64.const 1))
            (drop (call $code @"{ENDLESS}")))"#
    )
}

// 38: it held a worker for ever. That the lock is free shows that the query and the connection are
// at their end, too.
#[test]
fn a_kill_ends_a_query_without_end_and_frees_what_it_has_locked() {
    let place = Place::new();
    let reason = place.ends(&format!(
        r#"{endless}
        (func (export "_start") (local $child i64)
            (drop (call $open @"a.db"))
            (call $run @"CREATE TABLE t (x)")
            (local.set $child (call $spawn_for_me (i64.const 0) @"endless"))
            (call $process.monitor (local.get $child))
            (call $is (call $next_tagged (i64.const 5) (i64.const -1)) (i32.const 0))
            (call $run @"PRAGMA busy_timeout = 0")
            (call $is (call $code @"SELECT * FROM t") (i32.const 5))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $run @"PRAGMA busy_timeout = 600000")
            (call $query @"SELECT count(*) FROM t" {none}))"#,
        endless = endless(r#"(call $run @"BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)")"#),
        none = integers(&[0]),
    ));
    check(&reason);
}

// 38
#[test]
fn workers_are_free_while_many_queries_without_end_run() {
    let place = Place::new();
    let source = format!(
        r#"{endless}
        (func (export "_start") (local $count i32)
            (loop $more
                (drop (call $spawn_for_me (i64.const 0) @"endless"))
                (call $is (call $next_tagged (i64.const 5) (i64.const -1)) (i32.const 0))
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $count) (i32.const 20))))
            ;; Another query gets its turn, too.
            (drop (call $open @""))
            (call $query @"SELECT 7" {seven}))"#,
        endless = endless(""),
        seven = integers(&[7]),
    );
    let runtime = shared();
    let module = runtime.compile(guest(&source).as_bytes()).expect("it is valid");
    let environment = runtime.environment(1);
    let config = place.config(Access::FULL);
    let root = runtime.spawn_root(&environment, &module, "_start", config).expect("it spawns");
    check(&root.wait());
    assert_eq!(environment.processes().len(), 20);
    passes(r#"(func (export "_start") (call $process.sleep_ms (i64.const 5)))"#);
    environment.kill_all();
    while !environment.processes().is_empty() {
        std::thread::yield_now();
    }
}

/// Starts a guest.
fn start(place: &Place, source: &str) -> Root {
    let runtime = shared();
    let module = runtime.compile(guest(source).as_bytes()).expect("it is valid");
    let config = place.config(Access::FULL);
    let environment = runtime.environment(1);
    runtime.spawn_root(&environment, &module, "_start", config).expect("it can be spawned")
}

// There are far more of them than threads for queries.
#[test]
fn any_number_of_processes_waits_for_a_lock_without_holding_up_its_holder() {
    let place = Place::new();
    let reason = place.ends(&format!(
        r#"(func (export "child") (param $root i64)
            (drop (call $open @"a.db"))
            (call $run @"PRAGMA busy_timeout = 600000")
            (call $tell (local.get $root) (i64.const 5) (i64.const 1))
            (call $run @"INSERT INTO t VALUES (1)")
            (call $tell (local.get $root) (i64.const 6) (i64.const 1)))
        (func $hear (param $tag i64) (local $count i32)
            (loop $more
                (call $is (call $next_tagged (local.get $tag) (i64.const -1)) (i32.const 0))
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $count) (i32.const 200)))))
        (func (export "_start") (local $count i32)
            (drop (call $open @"a.db"))
            (call $run @"CREATE TABLE t (x); BEGIN EXCLUSIVE")
            (loop $more
                (drop (call $spawn_for_me (i64.const 0) @"child"))
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $count) (i32.const 200))))
            (call $hear (i64.const 5))
            (call $run @"INSERT INTO t VALUES (1); COMMIT")
            (call $hear (i64.const 6))
            (call $query @"SELECT sum(x) FROM t" {sum}))"#,
        sum = integers(&[201]),
    ));
    check(&reason);
}

#[test]
fn who_waits_for_a_lock_gives_up_at_its_timeout_and_can_be_killed() {
    let place = Place::new();
    let reason = place.ends(
        r#"(func (export "child") (param $root i64)
            (drop (call $open @"a.db"))
            (call $run @"PRAGMA busy_timeout = 20")
            (call $is (call $code @"SELECT 1; INSERT INTO t VALUES (1)") (i32.const 5))
            (drop (call $prepare @"INSERT INTO t VALUES (2)"))
            ;; Preparing reads the schema, for which it would wait, too: it keeps the result.
            (call $is (call $sqlite.sqlite3_step (i64.const 0)) (i32.const 5))
            (call $tell (local.get $root) (i64.const 5) (i64.const 1))
            (call $run @"PRAGMA busy_timeout = 600000")
            (call $run @"INSERT INTO t VALUES (3)"))
        (func (export "_start") (local $child i64)
            (drop (call $open @"a.db"))
            (call $run @"CREATE TABLE t (x); BEGIN EXCLUSIVE")
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $process.monitor (local.get $child))
            (call $is (call $next_tagged (i64.const 5) (i64.const -1)) (i32.const 0))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            (call $run @"COMMIT"))"#,
    );
    check(&reason);
}

// 41
#[test]
fn the_end_of_a_process_ends_its_statements_and_connections_whatever_they_were_doing() {
    let place = Place::new();
    for end in ["", "unreachable", "(call $p1.proc_exit (i32.const 3))"] {
        let reason = place.ends(&format!(
            r#"(func (export "child") (param $root i64)
                (drop (call $open @"a.db"))
                (drop (call $open @"a.db"))
                (call $run @"BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
                (drop (call $prepare @"SELECT * FROM t"))
                (call $is (call $sqlite.sqlite3_step (i64.const 0)) (i32.const 100))
                {end})
            (func (export "_start")
                (drop (call $open @"a.db"))
                (call $run @"CREATE TABLE IF NOT EXISTS t (x); PRAGMA busy_timeout = 600000")
                (call $process.monitor (call $spawn_for_me (i64.const 0) @"child"))
                (call $is (call $next) (i32.const 2))
                (call $run @"BEGIN EXCLUSIVE")
                (call $query @"SELECT count(*) FROM t" {none}))"#,
            none = integers(&[0]),
        ));
        check(&reason);
    }
}

#[test]
fn a_kill_from_outside_ends_a_query_without_end() {
    let place = Place::new();
    let root = start(
        &place,
        &format!(
            r#"(func (export "_start") (drop (call $open @"")) (drop (call $code @"{ENDLESS}")))"#
        ),
    );
    passes(r#"(func (export "_start") (call $process.sleep_ms (i64.const 5)))"#);
    root.kill();
    assert_eq!(root.wait(), ExitReason::Killed);
}

#[test]
fn readers_read_beside_a_writer_in_another_process() {
    let place = Place::new();
    let reason = place.ends(&format!(
        r#"(func (export "child") (param $root i64)
            (drop (call $open @"a.db"))
            (call $query @"SELECT count(*) FROM t" {none})
            (call $tell (local.get $root) (i64.const 5) (i64.const 1)))
        (func (export "_start")
            (drop (call $open @"a.db"))
            (call $run @"PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
            (call $run @"BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
            (drop (call $spawn_for_me (i64.const 0) @"child"))
            (call $is (call $next_tagged (i64.const 5) (i64.const -1)) (i32.const 0))
            (call $run @"COMMIT"))"#,
        none = integers(&[0]),
    ));
    check(&reason);
}
