//! A place for databases, and short ways to use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;
use lunatic_sqlite::{Connection, Directory, Error, Owner, Step, Value};

/// Bytes that an owner of these tests may use.
pub const BYTES_MAX: usize = 32 << 20;

/// A temporary directory with the directories `inside` and `outside`.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for name in ["inside", "outside"] {
            std::fs::create_dir(folder.path().join(name)).expect("a new directory");
        }
        Place { folder }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A handle of a directory.
    pub fn dir(&self, below: &str) -> Arc<Dir> {
        open_dir(&self.path(below))
    }

    /// An owner of `inside`, which it knows as `.`.
    pub fn owner(&self) -> Arc<Owner> {
        self.owner_with(BYTES_MAX)
    }

    pub fn owner_with(&self, bytes_max: usize) -> Arc<Owner> {
        Owner::new(vec![Directory::new(".", self.dir("inside"), true)], bytes_max)
    }

    /// An owner that may only read.
    pub fn reader(&self) -> Arc<Owner> {
        Owner::new(vec![Directory::new(".", self.dir("inside"), false)], BYTES_MAX)
    }

    /// A connection of an owner of its own.
    pub fn connect(&self, path: &str) -> Connection {
        connect(&self.owner(), path)
    }

    /// The names in a directory, in order.
    pub fn names(&self, below: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(below)).expect("the directory is there");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

pub fn open_dir(path: &Path) -> Arc<Dir> {
    let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority());
    Arc::new(dir.expect("the directory is there"))
}

pub fn connect(owner: &Arc<Owner>, path: &str) -> Connection {
    Connection::open(owner, path).unwrap_or_else(|error| panic!("cannot open `{path}`: {error}"))
}

pub fn nowhere() -> Arc<Owner> {
    Owner::new(Vec::new(), BYTES_MAX)
}

/// A database in memory.
pub fn memory() -> Connection {
    connect(&nowhere(), ":memory:")
}

/// Runs statements that succeed.
pub fn run(connection: &mut Connection, sql: &str) {
    connection.execute(sql, false).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Runs statements that fail.
pub fn fails(connection: &mut Connection, sql: &str) -> Error {
    connection.execute(sql, false).expect_err(sql)
}

/// A value that owns what is in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<Value<'_>> for Cell {
    fn from(value: Value<'_>) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Integer(value) => Cell::Integer(value),
            Value::Real(value) => Cell::Real(value),
            Value::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
            Value::Blob(blob) => Cell::Blob(blob.to_vec()),
        }
    }
}

/// The number that the tests' helpers give to statements.
pub const STATEMENT: u64 = 1 << 40;

/// The rows of a query.
pub fn try_rows(connection: &mut Connection, sql: &str) -> Result<Vec<Vec<Cell>>, Error> {
    connection.prepare(STATEMENT, sql, false)?;
    let mut rows = Vec::new();
    while connection.step(STATEMENT, false)? == Step::Row {
        rows.push(row(connection, STATEMENT));
    }
    connection.finalize(STATEMENT);
    Ok(rows)
}

/// The row that a statement has found.
pub fn row(connection: &mut Connection, id: u64) -> Vec<Cell> {
    let columns = 0..connection.column_count(id);
    columns
        .map(|column| {
            let value = connection.column(id, column).expect("there is memory");
            value.expect("the column exists").into()
        })
        .collect()
}

pub fn rows(connection: &mut Connection, sql: &str) -> Vec<Vec<Cell>> {
    try_rows(connection, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The one value of a query.
pub fn one(connection: &mut Connection, sql: &str) -> Cell {
    rows(connection, sql).remove(0).remove(0)
}

pub fn integer(connection: &mut Connection, sql: &str) -> i64 {
    match one(connection, sql) {
        Cell::Integer(value) => value,
        other => panic!("{sql}: {other:?}"),
    }
}

pub const ERROR: i32 = 1;
pub const BUSY: i32 = 5;
pub const NOMEM: i32 = 7;
pub const READONLY: i32 = 8;
pub const INTERRUPT: i32 = 9;
pub const CANTOPEN: i32 = 14;
pub const TOOBIG: i32 = 18;
pub const AUTH: i32 = 23;
pub const RANGE: i32 = 25;
