//! Memory: counted for the owner whose call it is, bounded, and given back.

use lunatic_sqlite::{Connection, Key, Value};

use crate::support::*;

#[test]
fn what_connections_take_is_counted_and_given_back() {
    let place = Place::new();
    let (one, other) = (place.owner(), place.owner());
    let mut connection = connect(&one, "a.db");
    run(&mut connection, "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1000000))");
    let used = one.bytes();
    assert!(used > 0 && other.bytes() == 0);
    let mut more = connect(&one, ":memory:");
    run(&mut more, "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1000000))");
    assert!(one.bytes() > used + 1_000_000);
    drop(more);
    assert!(one.bytes() <= used);
    drop(connection);
    assert_eq!(one.bytes(), 0);
}

#[test]
fn beyond_the_limit_calls_fail_and_the_connection_lives() {
    let place = Place::new();
    let owner = place.owner_with(4 << 20);
    let mut connection = connect(&owner, ":memory:");
    run(&mut connection, "CREATE TABLE t (x)");
    let error = fails(&mut connection, "INSERT INTO t VALUES (zeroblob(9000000))");
    assert_eq!(error.code, NOMEM);
    assert!(error.message.contains("4194304"), "{error}");
    let endless =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT max(i) FROM n";
    assert_eq!(fails(&mut connection, endless).code, NOMEM);
    connection.prepare(0, "SELECT ?", false).unwrap();
    let large = vec![0; 9 << 20];
    let bound = connection.bind(0, [(Key::Index(1), Value::Blob(&large))].into_iter());
    assert_eq!(bound.map_err(|error| error.code), Err(NOMEM));
    assert_eq!(connection.step(0, false).map_err(|error| error.code), Err(NOMEM));
    run(&mut connection, "INSERT INTO t VALUES (1); DELETE FROM t");
    assert!(owner.bytes() <= owner.bytes_max());
}

#[test]
fn an_owner_without_memory_gets_an_error() {
    let error = Connection::open(&Place::new().owner_with(0), "").err().expect("no memory");
    assert_eq!(error.code, NOMEM);
}

// So that whatever the work allocates is refused once.
#[test]
fn at_every_limit_there_is_an_error_or_success_and_nothing_is_lost() {
    let place = Place::new();
    run(&mut place.connect("a.db"), "CREATE TABLE t (x)");
    for bytes_max in (0..1 << 20).step_by(10_007) {
        let owner = place.owner_with(bytes_max);
        if let Ok(mut connection) = Connection::open(&owner, "a.db") {
            for sql in [
                "CREATE TEMP TABLE u (x); PRAGMA journal_mode = WAL",
                "INSERT INTO t SELECT hex(randomblob(500)) FROM json_each('[1, 2, 3]')",
                "SELECT * FROM t ORDER BY x; VACUUM; PRAGMA journal_mode = DELETE",
            ] {
                if let Err(error) = connection.execute(sql, false) {
                    assert_eq!(error.code, NOMEM, "{sql}: {error}");
                }
            }
        }
        assert_eq!(owner.bytes(), 0, "with {bytes_max} bytes");
    }
    let mut connection = place.connect("a.db");
    assert_eq!(one(&mut connection, "PRAGMA integrity_check"), Cell::Text("ok".into()));
}
