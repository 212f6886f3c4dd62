//! Locks between connections of this program, and with other programs.

use lunatic_sqlite::Connection;
use proptest::prelude::*;

use crate::support::*;

fn two(place: &Place) -> (Connection, Connection) {
    let mut one = place.connect("a.db");
    run(&mut one, "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    let other = place.connect("a.db");
    (one, other)
}

/// Tries patiently, and expects to be told to wait.
fn waits(connection: &mut Connection, sql: &str) {
    let error = connection.execute(sql, true).expect_err(sql);
    assert_eq!((error.code, error.may_wait()), (BUSY, true), "{sql}: {error}");
}

#[test]
fn one_writes_and_the_other_is_told_to_wait() {
    let place = Place::new();
    let (mut one, mut other) = two(&place);
    run(&mut one, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");
    waits(&mut other, "INSERT INTO t VALUES (3); INSERT INTO t VALUES (4)");
    waits(&mut other, "INSERT INTO t VALUES (3); INSERT INTO t VALUES (4)");
    run(&mut one, "COMMIT");
    run(&mut other, "INSERT INTO t VALUES (3); INSERT INTO t VALUES (4)");
    assert_eq!(integer(&mut one, "SELECT sum(x) FROM t"), 1 + 2 + 3 + 4);
}

#[test]
fn readers_read_until_a_writer_commits_and_the_writer_waits_for_them() {
    let place = Place::new();
    let (mut one, mut other) = two(&place);
    run(&mut other, "BEGIN; SELECT * FROM t");
    run(&mut one, "BEGIN; INSERT INTO t VALUES (2)");
    assert_eq!(integer(&mut other, "SELECT sum(x) FROM t"), 1);
    waits(&mut one, "COMMIT");
    // The writer is pending: who reads goes on, who has not begun does not begin.
    assert_eq!(integer(&mut other, "SELECT sum(x) FROM t"), 1);
    waits(&mut place.connect("a.db"), "SELECT * FROM t");
    run(&mut other, "COMMIT");
    run(&mut one, "COMMIT");
    assert_eq!(integer(&mut other, "SELECT sum(x) FROM t"), 3);
}

#[test]
fn where_waiting_would_be_a_deadlock_nobody_is_told_to() {
    let place = Place::new();
    let (mut one, mut other) = two(&place);
    run(&mut one, "BEGIN; SELECT * FROM t");
    run(&mut other, "BEGIN; SELECT * FROM t; INSERT INTO t VALUES (2)");
    let error = one.execute("INSERT INTO t VALUES (3)", true).expect_err("one writes");
    assert_eq!((error.code, error.may_wait()), (BUSY, false));
    run(&mut one, "ROLLBACK");
    run(&mut other, "COMMIT");
}

#[test]
fn statements_wait_and_go_on_as_scripts_do() {
    let place = Place::new();
    let (mut one, mut other) = two(&place);
    run(&mut one, "BEGIN IMMEDIATE");
    other.prepare(0, "INSERT INTO t VALUES (5) RETURNING x", true).unwrap();
    let error = other.step(0, true).expect_err("the other writes");
    assert!(error.may_wait());
    assert!(!other.step(0, false).expect_err("still").may_wait(), "impatient");
    run(&mut one, "COMMIT");
    assert_eq!(other.step(0, true), Ok(lunatic_sqlite::Step::Row));
    assert_eq!(row(&mut other, 0), [Cell::Integer(5)]);
    assert_eq!(other.step(0, true), Ok(lunatic_sqlite::Step::Done));
    // An exclusive transaction keeps even the schema from being read.
    run(&mut one, "BEGIN EXCLUSIVE");
    let mut third = place.connect("a.db");
    assert!(third.prepare(0, "SELECT * FROM t", true).expect_err("exclusive").may_wait());
}

#[test]
fn what_has_given_rows_and_was_undone_is_not_done_again() {
    let place = Place::new();
    let (mut one, mut other) = two(&place);
    run(&mut other, "BEGIN; SELECT * FROM t");
    one.prepare(0, "INSERT INTO t VALUES (5) RETURNING x", true).unwrap();
    assert_eq!(one.step(0, true), Ok(lunatic_sqlite::Step::Row));
    let error = one.step(0, true).expect_err("the other reads");
    assert_eq!((error.code, error.may_wait()), (BUSY, false));
    run(&mut other, "COMMIT");
    assert_eq!(integer(&mut one, "SELECT sum(x) FROM t"), 1);
    // Without rows it may be done again.
    run(&mut other, "BEGIN; SELECT * FROM t");
    one.prepare(0, "INSERT INTO t VALUES (5)", true).unwrap();
    assert!(one.step(0, true).expect_err("the other reads").may_wait());
    run(&mut other, "COMMIT");
    assert_eq!(one.step(0, true), Ok(lunatic_sqlite::Step::Done));
    assert_eq!(integer(&mut one, "SELECT sum(x) FROM t"), 6);
}

#[test]
fn the_timeout_is_what_the_pragma_says() {
    let mut connection = memory();
    assert_eq!(connection.busy_timeout(), lunatic_sqlite::limits::BUSY_TIMEOUT_DEFAULT);
    for (value, milliseconds) in [("1234", 1234), ("0", 0), ("-5", 0)] {
        run(&mut connection, &format!("PRAGMA busy_timeout = {value}"));
        assert_eq!(connection.busy_timeout().as_millis(), milliseconds);
    }
}

#[test]
fn locks_are_of_the_file_under_whatever_name() {
    let place = Place::new();
    let (mut one, _) = two(&place);
    std::fs::hard_link(place.path("inside/a.db"), place.path("inside/same.db")).unwrap();
    run(&mut one, "BEGIN EXCLUSIVE");
    waits(&mut place.connect("same.db"), "SELECT * FROM t");
    waits(&mut connect(&place.reader(), "./a.db"), "SELECT * FROM t");
}

#[test]
fn who_reads_first_does_not_keep_others_from_writing() {
    let place = Place::new();
    drop(two(&place));
    let mut reader = connect(&place.reader(), "a.db");
    run(&mut reader, "BEGIN; SELECT * FROM t");
    let mut writer = place.connect("a.db");
    run(&mut writer, "BEGIN; INSERT INTO t VALUES (2)");
    waits(&mut writer, "COMMIT");
    run(&mut reader, "COMMIT");
    run(&mut writer, "COMMIT");
    assert_eq!(integer(&mut reader, "SELECT sum(x) FROM t"), 3);
}

#[test]
fn a_dropped_connection_holds_no_lock() {
    let place = Place::new();
    let (mut one, mut other) = two(&place);
    run(&mut one, "BEGIN EXCLUSIVE; INSERT INTO t VALUES (2)");
    waits(&mut other, "SELECT * FROM t");
    drop(one);
    assert_eq!(integer(&mut other, "SELECT sum(x) FROM t"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    // The law of transactions: money moves, and is neither made nor lost, in either journal mode.
    #[test]
    fn transfers_of_several_connections_keep_the_sum(
        wal in any::<bool>(),
        steps in proptest::collection::vec((0_usize..3, 0..4, 0..4, 1..50), 1..60)
    ) {
        let place = Place::new();
        let mut first = place.connect("a.db");
        let mode = if wal { "WAL" } else { "DELETE" };
        run(&mut first, &format!("PRAGMA journal_mode = {mode}"));
        run(&mut first, "CREATE TABLE t (id, n)");
        run(&mut first, "INSERT INTO t VALUES (0, 9), (1, 9), (2, 9), (3, 9)");
        let mut connections = [first, place.connect("a.db"), place.connect("a.db")];
        for (who, from, to, n) in steps {
            let connection = &mut connections[who];
            let sql = match n {
                1..5 => "BEGIN".to_owned(),
                5..12 => "COMMIT".to_owned(),
                12..15 => "ROLLBACK".to_owned(),
                15..18 => "PRAGMA wal_checkpoint".to_owned(),
                _ => format!(
                    "UPDATE t SET n = n + CASE id WHEN {from} THEN -{n} ELSE {n} END
                    WHERE id IN ({from}, {to}) AND {from} <> {to}"
                ),
            };
            // It may be busy, or there is no transaction to end.
            let _ = connection.execute(&sql, false);
            match try_rows(connection, "SELECT sum(n) FROM t") {
                Ok(rows) => prop_assert_eq!(rows, [[Cell::Integer(36)]]),
                Err(error) => prop_assert_eq!(error.code, BUSY),
            }
        }
        drop(connections);
        let mut last = place.connect("a.db");
        prop_assert_eq!(integer(&mut last, "SELECT sum(n) FROM t"), 36);
        prop_assert_eq!(one(&mut last, "PRAGMA integrity_check"), Cell::Text("ok".into()));
    }
}

/// Runs SQL in another program with SQLite of its own; `None` where there is none.
#[cfg(target_os = "linux")]
fn elsewhere(place: &Place, sql: &str) -> Option<Result<String, String>> {
    let script = "import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
for statement in sys.argv[2].split(';'):
    for row in connection.execute(statement):
        print(row[0])";
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(place.path("inside/a.db"))
        .arg(sql)
        .output()
        .ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let errors = text(&output.stderr);
    if errors.contains("No module named") {
        return None;
    }
    Some(if output.status.success() { Ok(text(&output.stdout)) } else { Err(errors) })
}

#[cfg(target_os = "linux")]
#[test]
fn other_programs_with_sqlite_respect_our_locks_and_we_theirs() {
    let place = Place::new();
    let (mut one, _other) = two(&place);
    let busy = |sql: &str| match elsewhere(&place, sql) {
        Some(result) => {
            let error = result.expect_err(sql);
            assert!(error.contains("database is locked"), "{error}");
        }
        None => eprintln!("no other program with SQLite here: not checked"),
    };
    let succeeds = |sql: &str| elsewhere(&place, sql).map(|result| result.expect(sql));
    run(&mut one, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");
    succeeds("SELECT sum(x) FROM t");
    busy("INSERT INTO t VALUES (3)");
    run(&mut one, "COMMIT; BEGIN EXCLUSIVE");
    busy("SELECT * FROM t");
    run(&mut one, "COMMIT; BEGIN; SELECT * FROM t");
    busy("BEGIN EXCLUSIVE");
    run(&mut one, "COMMIT");
    succeeds("INSERT INTO t VALUES (3)");
    // The index of the log is memory of this program.
    run(&mut one, "PRAGMA journal_mode = WAL; INSERT INTO t VALUES (4)");
    busy("SELECT * FROM t");
    drop((one, _other));
    succeeds("SELECT * FROM t");
}

/// Does it again for as long as SQLite says that it may help.
fn patiently(connection: &mut Connection, sql: &str) {
    while let Err(error) = connection.execute(sql, true) {
        assert!(error.may_wait(), "{sql}: {} {error}", error.code);
        std::thread::yield_now();
    }
}

#[test]
fn whoever_is_patient_gets_everything_done() {
    let place = Place::new();
    let (mut one, other) = two(&place);
    drop(other);
    run(&mut one, "BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)");
    std::thread::scope(|threads| {
        for _ in 0..8 {
            let mut connection = place.connect("a.db");
            threads.spawn(move || {
                for _ in 0..10 {
                    patiently(&mut connection, "INSERT INTO t VALUES (1); SELECT * FROM t");
                }
            });
        }
        std::thread::yield_now();
        run(&mut one, "COMMIT");
    });
    assert_eq!(integer(&mut one, "SELECT sum(x) FROM t"), 82);
}
