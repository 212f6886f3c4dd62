//! Stopping: whatever runs ends soon, and nothing begins any more.

use crate::support::*;

const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// Starts endless work, stops it when it has got somewhere, and gives the code that it ended with.
fn stop(sql: &'static str, got_somewhere: impl Fn(&Place, usize) -> bool) -> i32 {
    let place = Place::new();
    let owner = place.owner_with(1 << 30);
    let mut connection = connect(&owner, "a.db");
    run(&mut connection, "CREATE TABLE t (x)");
    let stopper = connection.stopper();
    let work = std::thread::spawn(move || {
        let code = fails(&mut connection, sql).code;
        assert_eq!(fails(&mut connection, "SELECT 1").code, INTERRUPT, "nothing begins any more");
        code
    });
    while !got_somewhere(&place, owner.bytes()) {
        assert!(!work.is_finished(), "it has no end of its own");
        std::thread::yield_now();
    }
    stopper.stop();
    let code = work.join().expect("no panic");
    assert_eq!(place.names("inside"), ["a.db"], "what was not committed is gone");
    assert_eq!(owner.bytes(), 0);
    code
}

#[test]
fn an_endless_query_ends_with_an_interrupt() {
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT i FROM n ORDER BY i DESC";
    assert_eq!(stop(sql, |_, bytes| bytes > 4 << 20), INTERRUPT);
}

#[test]
fn an_endless_change_ends_with_an_interrupt_and_is_undone() {
    let sql = "PRAGMA cache_size = 10;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        INSERT INTO t SELECT i FROM n";
    let grown = |place: &Place, _| {
        std::fs::metadata(place.path("inside/a.db")).is_ok_and(|file| file.len() > 100_000)
    };
    assert_eq!(stop(sql, grown), INTERRUPT);
}

#[test]
fn stopping_a_closed_connection_does_nothing() {
    let connection = memory();
    let stopper = connection.stopper();
    drop(connection);
    stopper.stop();
}

#[test]
fn many_are_stopped_while_they_run() {
    let connections: Vec<_> = (0..16).map(|_| memory()).collect();
    let stoppers: Vec<_> = connections.iter().map(|connection| connection.stopper()).collect();
    let threads: Vec<_> = connections
        .into_iter()
        .map(|mut connection| std::thread::spawn(move || fails(&mut connection, ENDLESS).code))
        .collect();
    stoppers.iter().for_each(|stopper| stopper.stop());
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), INTERRUPT);
    }
}
