//! One compiled statement of SQLite.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use libsqlite3_sys as sqlite;

use crate::error::Error;
use crate::ffi::database::{Database, Handle};
use crate::value::Value;

/// What a statement came to when it was run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// There is a row to be read.
    Row,
    /// That was all.
    Done,
}

/// A compiled statement. It is finalised when it is dropped.
pub(crate) struct Statement {
    raw: NonNull<sqlite::sqlite3_stmt>,
    handle: Arc<Handle>,
}

// SAFETY: as for the handle: a statement is used by the thread that uses its connection.
unsafe impl Send for Statement {}

impl Drop for Statement {
    fn drop(&mut self) {
        let _section = self.handle.enter();
        // SAFETY: the statement was compiled and is finalised once.
        unsafe { sqlite::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

impl Statement {
    /// Compiles the first statement of a text that ends with a NUL; `None` if there is none. Also
    /// tells how many bytes of the text it has read.
    pub(crate) fn compile(
        database: &Database,
        sql: &[u8],
    ) -> Result<(Option<Statement>, usize), Error> {
        let handle = &database.handle;
        let _section = handle.begin()?;
        debug_assert_eq!(sql.last(), Some(&0), "SQLite reads to the NUL");
        let length = c_int::try_from(sql.len())
            .map_err(|_| Error::new(sqlite::SQLITE_TOOBIG, "the SQL text is too long"))?;
        let begin = sql.as_ptr().cast::<c_char>();
        let (mut raw, mut rest) = (ptr::null_mut(), begin);
        // SAFETY: the connection is open, the text ends with the NUL that its length counts, and
        // there are places for the results.
        let code = unsafe {
            let database = handle.raw.as_ptr();
            sqlite::sqlite3_prepare_v3(database, begin, length, 0, &raw mut raw, &raw mut rest)
        };
        if code != sqlite::SQLITE_OK {
            return Err(handle.error(code));
        }
        // Both addresses are in the text.
        let read = (rest as usize).saturating_sub(begin as usize).min(sql.len());
        let statement = NonNull::new(raw).map(|raw| Statement { raw, handle: handle.clone() });
        Ok((statement, read))
    }

    /// Runs to the next row, or to the end.
    pub(crate) fn step(&mut self) -> Result<Step, Error> {
        let _section = self.handle.begin()?;
        // SAFETY: the statement is compiled, and so is what follows in this file.
        match unsafe { sqlite::sqlite3_step(self.raw.as_ptr()) } {
            sqlite::SQLITE_ROW => Ok(Step::Row),
            sqlite::SQLITE_DONE => Ok(Step::Done),
            code => Err(self.handle.error(code)),
        }
    }

    /// Ends its run, if there is one. Bound values stay.
    pub(crate) fn reset(&mut self) {
        let _section = self.handle.enter();
        // SAFETY: as above. The result is that of the last step, which is known.
        unsafe { sqlite::sqlite3_reset(self.raw.as_ptr()) };
    }

    /// Whether it has begun and not ended.
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: as above.
        unsafe { sqlite::sqlite3_stmt_busy(self.raw.as_ptr()) != 0 }
    }

    /// The number of a parameter by its full name.
    pub(crate) fn parameter(&self, name: &CStr) -> Option<c_int> {
        let _section = self.handle.enter();
        // SAFETY: as above, and a string with a NUL at its end.
        let index =
            unsafe { sqlite::sqlite3_bind_parameter_index(self.raw.as_ptr(), name.as_ptr()) };
        (index != 0).then_some(index)
    }

    /// Binds a copy of the value to a parameter, counted from 1.
    pub(crate) fn bind(&mut self, index: c_int, value: Value<'_>) -> Result<(), Error> {
        let _section = self.handle.enter();
        let statement = self.raw.as_ptr();
        let copy = sqlite::SQLITE_TRANSIENT();
        // SAFETY: as above; addresses are those of slices of the lengths given, and SQLite copies
        // what is there before it returns.
        let code = unsafe {
            match value {
                Value::Null => sqlite::sqlite3_bind_null(statement, index),
                Value::Integer(value) => sqlite::sqlite3_bind_int64(statement, index, value),
                Value::Real(value) => sqlite::sqlite3_bind_double(statement, index, value),
                Value::Text(text) => {
                    let (at, length) = (text.as_ptr().cast(), text.len() as u64);
                    let utf8 = sqlite::SQLITE_UTF8 as u8;
                    sqlite::sqlite3_bind_text64(statement, index, at, length, copy, utf8)
                }
                Value::Blob(blob) => {
                    let (at, length) = (blob.as_ptr().cast(), blob.len() as u64);
                    sqlite::sqlite3_bind_blob64(statement, index, at, length, copy)
                }
            }
        };
        if code == sqlite::SQLITE_OK { Ok(()) } else { Err(self.handle.error(code)) }
    }

    /// Columns of each row.
    pub(crate) fn column_count(&self) -> usize {
        // SAFETY: as above.
        let count = unsafe { sqlite::sqlite3_column_count(self.raw.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The name of a column that exists.
    pub(crate) fn column_name(&self, column: usize) -> Result<String, Error> {
        let _section = self.handle.enter();
        // SAFETY: as above; SQLite gives null for a column that does not exist. The text stays
        // until the next call.
        unsafe {
            let name = sqlite::sqlite3_column_name(self.raw.as_ptr(), column as c_int);
            if name.is_null() {
                return Err(self.handle.error(sqlite::SQLITE_NOMEM));
            }
            Ok(CStr::from_ptr(name).to_string_lossy().into_owned())
        }
    }

    /// The value of a column of the row that the last step has found; NULL without a row.
    pub(crate) fn column(&mut self, column: usize) -> Result<Value<'_>, Error> {
        let _section = self.handle.enter();
        let (statement, column) = (self.raw.as_ptr(), column as c_int);
        // SAFETY: as above; SQLite gives NULL for a column or row that does not exist. What is
        // borrowed stays until the statement is used again, which needs it mutably.
        let (bytes, is_text) = unsafe {
            match sqlite::sqlite3_column_type(statement, column) {
                sqlite::SQLITE_INTEGER => {
                    return Ok(Value::Integer(sqlite::sqlite3_column_int64(statement, column)));
                }
                sqlite::SQLITE_FLOAT => {
                    return Ok(Value::Real(sqlite::sqlite3_column_double(statement, column)));
                }
                sqlite::SQLITE_TEXT => (sqlite::sqlite3_column_text(statement, column), true),
                sqlite::SQLITE_BLOB => {
                    (sqlite::sqlite3_column_blob(statement, column).cast(), false)
                }
                _ => return Ok(Value::Null),
            }
        };
        // SAFETY: as above.
        let length = unsafe { sqlite::sqlite3_column_bytes(statement, column) };
        let bytes = match (NonNull::new(bytes.cast_mut()), usize::try_from(length).unwrap_or(0)) {
            // SAFETY: SQLite says how many bytes there are.
            (Some(bytes), length) => unsafe {
                std::slice::from_raw_parts(bytes.as_ptr().cast_const(), length)
            },
            (None, 0) if !is_text => &[],
            // It had no memory to lay the value out.
            (None, _) => return Err(self.handle.error(sqlite::SQLITE_NOMEM)),
        };
        Ok(if is_text { Value::Text(bytes) } else { Value::Blob(bytes) })
    }
}
