//! A connection as its process has it: statements by number, scripts, and the last error.
//!
//! All methods but those that say so may read and write files, and run for as long as the SQL
//! wants: call them on a thread that may block. An error with [`Error::may_wait`] means that the
//! same call should be made again later; with `patient` unset none is given.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

use libsqlite3_sys as sqlite;

use crate::error::Error;
use crate::ffi::{Database, Statement, Step, Stopper, c_string};
use crate::limits::SQL_BYTES_MAX;
use crate::owner::Owner;
use crate::value::{Key, Value};

/// An open connection. Dropping it ends its statements first, rolls back what is not committed, and
/// may write: that belongs on a thread that may block, too.
pub struct Connection {
    // Dropped in this order.
    statements: BTreeMap<u64, Prepared>,
    script: Option<Script>,
    database: Database,
    last_error: Option<Error>,
}

/// What became of a text that was to be a statement.
struct Prepared {
    statement: Result<Option<Statement>, Error>,
    /// Why a value could not be bound.
    unbound: Option<Error>,
    has_row: bool,
    /// Its present run has given a row.
    gave_row: bool,
}

/// A text of several statements on its way.
struct Script {
    sql: Vec<u8>,
    position: usize,
    statement: Option<Statement>,
}

impl Connection {
    /// Opens the database at a path, and makes it if it does not exist. An empty path is a private
    /// database that goes with the connection, and so is `:memory:`.
    ///
    /// # Errors
    /// A path outside of the owner's directories, or whatever SQLite answers.
    pub fn open(owner: &Arc<Owner>, path: &str) -> Result<Connection, Error> {
        // A private database would be a temporary file.
        let path = if path.is_empty() { ":memory:" } else { path };
        let Some(name) = c_string(path) else {
            let text = "the path of a database contains a NUL character";
            return Err(Error::new(sqlite::SQLITE_CANTOPEN, text));
        };
        let database = Database::open(owner, &name)?;
        Ok(Connection { statements: BTreeMap::new(), script: None, database, last_error: None })
    }

    /// What ends a running call from elsewhere.
    pub fn stopper(&self) -> Arc<Stopper> {
        self.database.stopper().clone()
    }

    /// How long to try again after an error that [may wait](Error::may_wait). Does not block.
    pub fn busy_timeout(&self) -> Duration {
        self.database.busy_timeout()
    }

    /// The error of the last call that prepared, ran or bound something, if it failed. Does not
    /// block.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }

    /// Rows that the last `INSERT`, `UPDATE` or `DELETE` has changed. Does not block.
    pub fn changes(&self) -> i32 {
        self.database.changes()
    }

    /// Prepares the first statement of a text under a number of the caller's, in any case: what is
    /// wrong with the text is the result of each of its steps.
    ///
    /// # Errors
    /// The same error at once.
    pub fn prepare(&mut self, id: u64, sql: &str, patient: bool) -> Result<(), Error> {
        let mut compiled =
            checked_text(sql).and_then(|sql| Statement::compile(&self.database, &sql));
        if let Err(error) = &mut compiled {
            error.waits &= patient;
        }
        let result = compiled.as_ref().map(drop).map_err(Error::clone);
        let statement = compiled.map(|(statement, _)| statement);
        self.statements.insert(id, Prepared::new(statement));
        self.noted(result)
    }

    /// Runs all statements of a text and throws their rows away. After an error that may wait, the
    /// next call with the same text goes on where this one has stopped.
    ///
    /// # Errors
    /// That of the first statement that fails; those before it stand.
    pub fn execute(&mut self, sql: &str, patient: bool) -> Result<(), Error> {
        let mut result = match self.script {
            Some(_) => Ok(()),
            None => checked_text(sql).map(|sql| {
                self.script = Some(Script { sql, position: 0, statement: None });
            }),
        };
        if let (Ok(()), Some(script)) = (&result, &mut self.script) {
            result = script.run(&self.database);
        }
        if let Err(error) = &mut result {
            error.waits &= patient;
        }
        if !result.as_ref().is_err_and(Error::may_wait) {
            self.script = None;
        }
        self.noted(result)
    }

    /// Runs a statement to its next row or its end; from its end or an error it starts anew.
    ///
    /// # Errors
    /// What preparing or binding it came to; what SQLite answers.
    pub fn step(&mut self, id: u64, patient: bool) -> Result<Step, Error> {
        let result = match self.statements.get_mut(&id) {
            Some(prepared) => prepared.step(patient),
            None => Err(no_statement()),
        };
        self.noted(result)
    }

    /// Binds values, and ends the statement's run if there is one. Blocks only if the statement
    /// [is running](Connection::is_running).
    ///
    /// # Errors
    /// A parameter that does not exist, or no memory. It is also the result of each step until
    /// values are bound without an error.
    pub fn bind<'a>(
        &mut self,
        id: u64,
        values: impl Iterator<Item = (Key<'a>, Value<'a>)>,
    ) -> Result<(), Error> {
        let result = match self.statements.get_mut(&id) {
            Some(prepared) => prepared.bind(values),
            None => Err(no_statement()),
        };
        if let Err(error) = &result {
            self.last_error = Some(error.clone());
        }
        result
    }

    /// Whether the statement has begun and not ended. Does not block.
    pub fn is_running(&self, id: u64) -> bool {
        let statement = self.statement(id);
        statement.is_some_and(Statement::is_running)
    }

    /// Ends a statement's run; what is bound to it stays. Blocks only if it is running.
    pub fn reset(&mut self, id: u64) {
        if let Some(prepared) = self.statements.get_mut(&id) {
            prepared.reset();
        }
    }

    /// Forgets a statement. Blocks only if it is running.
    pub fn finalize(&mut self, id: u64) {
        self.statements.remove(&id);
    }

    fn statement(&self, id: u64) -> Option<&Statement> {
        self.statements.get(&id)?.statement.as_ref().ok()?.as_ref()
    }

    /// Columns of the rows of a statement; none if it could not be prepared. Does not block.
    pub fn column_count(&self, id: u64) -> usize {
        self.statement(id).map_or(0, Statement::column_count)
    }

    /// The name of a column, if it exists. Does not block.
    ///
    /// # Errors
    /// No memory.
    pub fn column_name(&self, id: u64, column: usize) -> Result<Option<String>, Error> {
        match self.statement(id) {
            Some(statement) if column < statement.column_count() => {
                statement.column_name(column).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The value of a column in the present row; NULL without a row, `None` if there is no such
    /// column. Does not block.
    ///
    /// # Errors
    /// No memory.
    pub fn column(&mut self, id: u64, column: usize) -> Result<Option<Value<'_>>, Error> {
        let Some(prepared) = self.statements.get_mut(&id) else { return Ok(None) };
        match &mut prepared.statement {
            Ok(Some(statement)) if column < statement.column_count() => {
                if prepared.has_row {
                    statement.column(column).map(Some)
                } else {
                    Ok(Some(Value::Null))
                }
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }

    fn noted<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.last_error = result.as_ref().err().cloned();
        result
    }
}

fn no_statement() -> Error {
    Error::new(sqlite::SQLITE_MISUSE, "there is no such statement")
}

/// SQL with the NUL that SQLite reads to.
fn checked_text(sql: &str) -> Result<Vec<u8>, Error> {
    if sql.len() > SQL_BYTES_MAX {
        let text = format!("the SQL text has {} bytes: at most {SQL_BYTES_MAX}", sql.len());
        return Err(Error::new(sqlite::SQLITE_TOOBIG, text));
    }
    let mut text = Vec::with_capacity(sql.len() + 1);
    text.extend_from_slice(sql.as_bytes());
    text.push(0);
    Ok(text)
}

impl Script {
    fn run(&mut self, database: &Database) -> Result<(), Error> {
        loop {
            if let Some(statement) = &mut self.statement {
                while statement.step()? == Step::Row {}
                self.statement = None;
            }
            let (statement, read) = Statement::compile(database, &self.sql[self.position..])?;
            self.statement = statement;
            self.position += read;
            // SQLite stops at a NUL, be it the last one or not.
            let ended = self.sql.get(self.position).is_none_or(|byte| *byte == 0);
            if self.statement.is_none() && (ended || read == 0) {
                return Ok(());
            }
        }
    }
}

impl Prepared {
    fn new(statement: Result<Option<Statement>, Error>) -> Prepared {
        Prepared { statement, unbound: None, has_row: false, gave_row: false }
    }

    fn step(&mut self, patient: bool) -> Result<Step, Error> {
        self.has_row = false;
        if let Some(error) = &self.unbound {
            return Err(error.clone());
        }
        let statement = match &mut self.statement {
            Ok(Some(statement)) => statement,
            Ok(None) => return Ok(Step::Done),
            Err(error) => return Err(error.clone()),
        };
        self.gave_row &= statement.is_running();
        let mut result = statement.step();
        if let Err(error) = &mut result {
            // If SQLite has undone all of it, running it again would give the same rows again.
            error.waits &= patient && (statement.is_running() || !self.gave_row);
        }
        match &result {
            Ok(Step::Row) => (self.has_row, self.gave_row) = (true, true),
            Err(error) if error.may_wait() => {}
            // Its locks are not needed until it is run again.
            Ok(Step::Done) | Err(_) => statement.reset(),
        }
        result
    }

    fn reset(&mut self) {
        self.has_row = false;
        if let Ok(Some(statement)) = &mut self.statement {
            statement.reset();
        }
    }

    fn bind<'a>(
        &mut self,
        mut values: impl Iterator<Item = (Key<'a>, Value<'a>)>,
    ) -> Result<(), Error> {
        self.reset();
        let result = match &mut self.statement {
            Ok(Some(statement)) => values.try_for_each(|(key, value)| {
                let index = parameter(statement, key).ok_or_else(|| {
                    let text = format!("the statement has no parameter {}", shown(key));
                    Error::new(sqlite::SQLITE_RANGE, text)
                })?;
                statement.bind(index, value)
            }),
            // What is wrong with it is said when it is run.
            Ok(None) | Err(_) => Ok(()),
        };
        self.unbound = result.as_ref().err().cloned();
        result
    }
}

/// The number of a parameter, counted from 1.
fn parameter(statement: &Statement, key: Key<'_>) -> Option<c_int> {
    match key {
        Key::Index(index) => c_int::try_from(index).ok(),
        Key::Name(name) if name.starts_with([':', '@', '$', '?']) => {
            statement.parameter(&c_string(name)?)
        }
        Key::Name(name) => [':', '@', '$']
            .iter()
            .find_map(|prefix| statement.parameter(&c_string(&format!("{prefix}{name}"))?)),
    }
}

fn shown(key: Key<'_>) -> String {
    match key {
        Key::Index(index) => format!("number {index}"),
        Key::Name(name) => format!("`{name}`"),
    }
}
