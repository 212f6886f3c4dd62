//! After a crash: what was committed is there, what was not is gone.

use crate::support::*;

/// Copies the files of a database as a crash would leave them, in the middle of a transaction.
fn crashed(journal_mode: &str) -> Place {
    let place = Place::new();
    let mut connection = place.connect("a.db");
    run(&mut connection, &format!("PRAGMA journal_mode = {journal_mode}; CREATE TABLE t (x)"));
    run(&mut connection, "INSERT INTO t VALUES ('committed')");
    // With so small a cache, changes reach the file before the commit.
    run(&mut connection, "PRAGMA cache_size = 1; BEGIN; UPDATE t SET x = 'lost'");
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)";
    run(&mut connection, &format!("INSERT INTO t {many} SELECT randomblob(1000) FROM n"));
    let after = Place::new();
    for name in place.names("inside") {
        let path = format!("inside/{name}");
        std::fs::copy(place.path(&path), after.path(&path)).expect("a copy");
    }
    after
}

#[test]
fn a_hot_journal_is_rolled_back() {
    let place = crashed("DELETE");
    assert_eq!(place.names("inside"), ["a.db", "a.db-journal"]);
    assert!(std::fs::metadata(place.path("inside/a.db")).unwrap().len() > 100_000);
    let mut connection = place.connect("a.db");
    assert_eq!(rows(&mut connection, "SELECT x FROM t"), [[Cell::Text("committed".into())]]);
    assert_eq!(one(&mut connection, "PRAGMA integrity_check"), Cell::Text("ok".into()));
    assert_eq!(place.names("inside"), ["a.db"]);
}

#[test]
fn a_log_is_recovered_up_to_the_last_commit() {
    let place = crashed("WAL");
    assert_eq!(place.names("inside"), ["a.db", "a.db-wal"]);
    let mut connection = place.connect("a.db");
    assert_eq!(rows(&mut connection, "SELECT x FROM t"), [[Cell::Text("committed".into())]]);
    assert_eq!(one(&mut connection, "PRAGMA integrity_check"), Cell::Text("ok".into()));
}

#[test]
fn who_may_only_read_cannot_roll_back_and_sees_no_half_changes() {
    let place = crashed("DELETE");
    let mut reader = connect(&place.reader(), "a.db");
    let error = try_rows(&mut reader, "SELECT x FROM t").expect_err("it needs a writer");
    assert!([READONLY, CANTOPEN].contains(&error.code), "{error}");
    assert_eq!(place.names("inside"), ["a.db", "a.db-journal"]);
}

#[test]
fn a_transaction_over_two_files_is_one() {
    let place = Place::new();
    let mut connection = place.connect("a.db");
    run(&mut connection, "ATTACH 'b.db' AS b; CREATE TABLE t (x); CREATE TABLE b.u (x)");
    run(&mut connection, "BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); COMMIT");
    run(&mut connection, "BEGIN; INSERT INTO t VALUES (2); INSERT INTO u VALUES (2); ROLLBACK");
    drop(connection);
    assert_eq!(place.names("inside"), ["a.db", "b.db"]);
    assert_eq!(integer(&mut place.connect("a.db"), "SELECT sum(x) FROM t"), 1);
    assert_eq!(integer(&mut place.connect("b.db"), "SELECT sum(x) FROM u"), 1);
}
