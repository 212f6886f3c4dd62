//! No file outside of the owner's directories, by whatever way a path gets into SQLite.

use lunatic_sqlite::{Connection, Directory, Owner};

use crate::support::*;

/// A database outside, with a secret.
fn with_secret() -> Place {
    let place = Place::new();
    let outside = Owner::new(vec![Directory::new(".", place.dir("outside"), true)], BYTES_MAX);
    let mut connection = connect(&outside, "secret.db");
    run(&mut connection, "CREATE TABLE secret (x); INSERT INTO secret VALUES (42)");
    place
}

/// Ways to say the secret's path.
fn ways_out(place: &Place) -> Vec<String> {
    let absolute = place.path("outside/secret.db").display().to_string();
    vec![
        "../outside/secret.db".into(),
        "./../outside/secret.db".into(),
        "/../outside/secret.db".into(),
        "none/../../outside/secret.db".into(),
        "deep/../../outside/secret.db".into(),
        format!("file:{absolute}"),
        format!("file://{absolute}?vfs=unix"),
        "file:secret.db?vfs=memdb".into(),
        absolute,
    ]
}

#[test]
fn opening_never_leads_out() {
    let place = with_secret();
    std::fs::create_dir(place.path("inside/deep")).unwrap();
    for path in ways_out(&place) {
        // A name that is only strange may be a file inside.
        if let Ok(mut connection) = Connection::open(&place.owner(), &path) {
            assert!(try_rows(&mut connection, "SELECT x FROM secret").is_err(), "{path}");
        }
    }
    assert_eq!(place.names("outside"), ["secret.db"]);
}

#[test]
fn attach_and_vacuum_into_never_lead_out() {
    let place = with_secret();
    let mut connection = place.connect("a.db");
    run(&mut connection, "CREATE TABLE t (x)");
    for path in ways_out(&place) {
        if connection.execute(&format!("ATTACH '{path}' AS other"), false).is_ok() {
            assert!(try_rows(&mut connection, "SELECT x FROM other.secret").is_err(), "{path}");
            run(&mut connection, "DETACH other");
        }
        let copy = path.replace("secret.db", "copy.db");
        let _ = connection.execute(&format!("VACUUM INTO '{copy}'"), false);
    }
    assert_eq!(place.names("outside"), ["secret.db"]);
    run(&mut connection, "VACUUM INTO 'copy.db'; ATTACH 'copy.db' AS copy; SELECT * FROM copy.t");
}

#[cfg(unix)]
#[test]
fn symbolic_links_lead_nowhere_outside() {
    use std::os::unix::fs::symlink;

    let place = with_secret();
    symlink(place.path("outside"), place.path("inside/directory")).unwrap();
    symlink("../outside", place.path("inside/relative")).unwrap();
    symlink(place.path("outside/secret.db"), place.path("inside/link.db")).unwrap();
    symlink(place.path("outside/new.db"), place.path("inside/dangling.db")).unwrap();
    let mut connection = place.connect("a.db");
    for path in ["directory/secret.db", "relative/secret.db", "link.db", "dangling.db"] {
        let error = Connection::open(&place.owner(), path).err().expect(path);
        assert_eq!(error.code, CANTOPEN, "{path}: {error}");
        fails(&mut connection, &format!("ATTACH '{path}' AS other"));
        fails(&mut connection, &format!("VACUUM INTO '{path}'"));
    }
    assert_eq!(place.names("outside"), ["secret.db"]);
}

#[cfg(unix)]
#[test]
fn journals_and_logs_are_not_written_through_links() {
    use std::os::unix::fs::symlink;

    for (suffix, mode) in [("-journal", "DELETE"), ("-wal", "WAL")] {
        let place = with_secret();
        std::fs::write(place.path("outside/victim"), "precious").unwrap();
        let mut connection = place.connect("a.db");
        run(&mut connection, &format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (x)"));
        drop(connection);
        symlink("../outside/victim", place.path(&format!("inside/a.db{suffix}"))).unwrap();
        // The link is in the way, which is the fault of whoever made it.
        let opened = Connection::open(&place.owner(), "a.db");
        let _ = opened.map(|mut connection| connection.execute("INSERT INTO t VALUES (1)", false));
        assert_eq!(std::fs::read(place.path("outside/victim")).unwrap(), b"precious");
    }
}

#[test]
fn a_database_inside_may_not_be_a_link_but_may_lie_behind_one() {
    let place = Place::new();
    std::fs::create_dir(place.path("inside/real")).unwrap();
    let mut connection = place.connect("real/a.db");
    run(&mut connection, "CREATE TABLE t (x)");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("real", place.path("inside/way")).unwrap();
        symlink("real/a.db", place.path("inside/other.db")).unwrap();
        run(&mut place.connect("way/a.db"), "SELECT * FROM t");
        // Its journal would lie elsewhere than that of the same database by its own name.
        let error = Connection::open(&place.owner(), "other.db").err().expect("a link");
        assert_eq!(error.code, CANTOPEN);
    }
}

#[test]
fn directories_pipes_and_missing_ones_are_errors_that_say_why() {
    let place = Place::new();
    let message = |owner, path: &str| match Connection::open(&owner, path) {
        Ok(_) => panic!("`{path}` was opened"),
        Err(error) => error.message,
    };
    std::fs::create_dir(place.path("inside/folder")).unwrap();
    assert!(message(place.owner(), "folder").contains("directory"));
    assert!(message(place.owner(), "none/a.db").contains("No such file"));
    assert!(message(place.owner(), "a\0b").contains("NUL"));
    assert!(message(place.owner(), &"a".repeat(5000)).contains("4096"));
    assert!(message(nowhere(), "a.db").contains("none of the directories"));
    assert!(message(place.reader(), "new.db").contains("may only read"));
    assert_eq!(place.names("inside"), ["folder"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_named_pipe_is_refused_and_nobody_waits_for_its_other_end() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo").arg(place.path("inside/pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is there");
    let error = Connection::open(&place.owner(), "pipe").err().expect("a pipe");
    assert_eq!(error.code, CANTOPEN);
}

#[test]
fn files_lie_beside_each_other_in_the_directory_by_its_name() {
    let place = Place::new();
    let owner = Owner::new(
        vec![
            Directory::new("/data", place.dir("inside"), true),
            Directory::new("/data/deep", place.dir("outside"), true),
        ],
        BYTES_MAX,
    );
    let mut connection = connect(&owner, "/data/a.db");
    run(&mut connection, "PRAGMA journal_mode = PERSIST; CREATE TABLE t (x)");
    run(&mut connection, "ATTACH 'data/deep/b.db' AS b; CREATE TABLE b.t (x)");
    assert_eq!(place.names("inside"), ["a.db", "a.db-journal"]);
    assert_eq!(place.names("outside"), ["b.db"]);
    assert!(Connection::open(&owner, "a.db").is_err(), "no directory is named `.`");
}

#[test]
fn a_directory_for_reading_gives_databases_for_reading() {
    let place = Place::new();
    run(&mut place.connect("a.db"), "CREATE TABLE t (x); INSERT INTO t VALUES (7)");
    let mut reader = connect(&place.reader(), "a.db");
    assert_eq!(integer(&mut reader, "SELECT x FROM t"), 7);
    assert_eq!(fails(&mut reader, "INSERT INTO t VALUES (8)").code, READONLY);
    assert_eq!(fails(&mut reader, "PRAGMA user_version = 1").code, READONLY);
    assert_eq!(fails(&mut reader, "VACUUM INTO 'copy.db'").code, CANTOPEN);
    run(&mut reader, "CREATE TEMP TABLE own (x); INSERT INTO own VALUES (1)");
    assert_eq!(place.names("inside"), ["a.db"]);
}

#[test]
fn private_databases_touch_no_file() {
    let place = Place::new();
    let owner = place.owner();
    for path in ["", ":memory:"] {
        let mut connection = connect(&owner, path);
        run(&mut connection, "PRAGMA cache_size = 10; PRAGMA temp_store = FILE");
        run(&mut connection, "ATTACH '' AS other; CREATE TEMP TABLE a (x); CREATE TABLE b (x)");
        run(&mut connection, "CREATE TABLE other.c (x)");
        for table in ["a", "b", "other.c"] {
            let many =
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999)";
            run(
                &mut connection,
                &format!("INSERT INTO {table} {many} SELECT randomblob(99) FROM n"),
            );
            run(&mut connection, &format!("SELECT * FROM {table} ORDER BY x"));
        }
        run(&mut connection, "VACUUM");
    }
    assert!(place.names("inside").is_empty());
}
