//! Write-ahead logs: readers beside a writer, checkpoints, and the last one who goes.

use lunatic_sqlite::{Connection, Step};

use crate::support::*;

fn two(place: &Place) -> (Connection, Connection) {
    let mut one = place.connect("a.db");
    assert_eq!(self::one(&mut one, "PRAGMA journal_mode = WAL"), Cell::Text("wal".into()));
    run(&mut one, "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    let other = place.connect("a.db");
    (one, other)
}

fn one(connection: &mut Connection, sql: &str) -> Cell {
    crate::support::one(connection, sql)
}

#[test]
fn readers_keep_their_snapshot_beside_a_writer() {
    let place = Place::new();
    let (mut writer, mut reader) = two(&place);
    run(&mut reader, "BEGIN");
    assert_eq!(integer(&mut reader, "SELECT sum(x) FROM t"), 1);
    run(&mut writer, "INSERT INTO t VALUES (2)");
    run(&mut writer, "BEGIN; INSERT INTO t VALUES (4)");
    assert_eq!(integer(&mut reader, "SELECT sum(x) FROM t"), 1);
    run(&mut reader, "COMMIT");
    assert_eq!(integer(&mut reader, "SELECT sum(x) FROM t"), 3);
    assert_eq!(fails(&mut reader, "INSERT INTO t VALUES (8)").code, BUSY);
    run(&mut writer, "COMMIT");
    run(&mut reader, "INSERT INTO t VALUES (8)");
    assert_eq!(integer(&mut writer, "SELECT sum(x) FROM t"), 15);
}

#[test]
fn files_lie_in_the_directory_and_the_last_connection_takes_them_along() {
    let place = Place::new();
    let (one, mut other) = two(&place);
    assert_eq!(place.names("inside"), ["a.db", "a.db-wal"], "the index is no file");
    assert_eq!(integer(&mut other, "SELECT count(*) FROM t"), 1);
    drop(one);
    assert_eq!(place.names("inside"), ["a.db", "a.db-wal"]);
    run(&mut other, "INSERT INTO t VALUES (2)");
    drop(other);
    assert_eq!(place.names("inside"), ["a.db"]);
    assert_eq!(integer(&mut place.connect("a.db"), "SELECT count(*) FROM t"), 2);
}

#[test]
fn checkpoints_copy_the_log_and_leave_out_what_a_reader_needs() {
    let place = Place::new();
    let (mut writer, mut reader) = two(&place);
    run(&mut reader, "BEGIN; SELECT * FROM t");
    run(&mut writer, "INSERT INTO t VALUES (2)");
    let Cell::Integer(busy) = one(&mut writer, "PRAGMA wal_checkpoint(TRUNCATE)") else {
        panic!("a number")
    };
    assert_eq!(busy, 1);
    run(&mut reader, "COMMIT");
    assert_eq!(integer(&mut writer, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    assert_eq!(std::fs::metadata(place.path("inside/a.db-wal")).unwrap().len(), 0);
}

#[test]
fn a_database_goes_back_from_the_log_when_nobody_else_uses_it() {
    let place = Place::new();
    let (mut one, mut other) = two(&place);
    run(&mut other, "SELECT * FROM t");
    assert_eq!(fails(&mut one, "PRAGMA journal_mode = DELETE").code, BUSY);
    drop(other);
    assert_eq!(self::one(&mut one, "PRAGMA journal_mode = DELETE"), Cell::Text("delete".into()));
    run(&mut place.connect("a.db"), "INSERT INTO t VALUES (2)");
    assert_eq!(integer(&mut one, "SELECT sum(x) FROM t"), 3);
}

#[test]
fn a_process_that_may_only_read_needs_somebody_who_may_write() {
    let place = Place::new();
    let (mut writer, other) = two(&place);
    drop(other);
    let mut reader = connect(&place.reader(), "a.db");
    assert_eq!(integer(&mut reader, "SELECT sum(x) FROM t"), 1);
    run(&mut writer, "INSERT INTO t VALUES (2)");
    assert_eq!(integer(&mut reader, "SELECT sum(x) FROM t"), 3);
    assert_eq!(fails(&mut reader, "INSERT INTO t VALUES (4)").code, READONLY);
    drop((writer, reader));
    let mut alone = connect(&place.reader(), "a.db");
    assert_eq!(fails(&mut alone, "SELECT * FROM t").code, CANTOPEN);
    drop(alone);
    // Nothing of that stays behind.
    run(&mut place.connect("a.db"), "INSERT INTO t VALUES (4)");
}

#[test]
fn many_threads_write_and_read_one_log() {
    let place = Place::new();
    let (mut one, other) = two(&place);
    drop(other);
    run(&mut one, "DELETE FROM t; PRAGMA wal_autocheckpoint = 20");
    let add = |mut connection: Connection| {
        let mut added = 0;
        while added < 50 {
            match connection.execute("INSERT INTO t VALUES (1)", false) {
                Ok(()) => added += 1,
                Err(error) => assert_eq!(error.code, BUSY, "{error}"),
            }
        }
    };
    let read = |mut connection: Connection| {
        let mut seen = 0;
        while seen < 200 {
            connection.prepare(0, "SELECT count(*) FROM t", false).expect("it is there");
            assert_eq!(connection.step(0, false), Ok(Step::Row));
            let now = match &row(&mut connection, 0)[..] {
                [Cell::Integer(now)] => *now,
                other => panic!("{other:?}"),
            };
            assert!(now >= seen, "what was committed stays");
            seen = now;
            connection.finalize(0);
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..4 {
            let connection = place.connect("a.db");
            threads.spawn(move || add(connection));
        }
        for _ in 0..2 {
            let connection = place.connect("a.db");
            threads.spawn(move || read(connection));
        }
    });
    assert_eq!(integer(&mut one, "SELECT sum(x) FROM t"), 200);
    assert_eq!(self::one(&mut one, "PRAGMA integrity_check"), Cell::Text("ok".into()));
}
