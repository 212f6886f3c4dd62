//! `lunatic::sqlite`: databases in files below the process's directories, or in memory.
//!
//! Whatever may run SQL or touch a file is done off the workers, and ends when the process is
//! killed. Results of variable length are put where the guest's `lunatic_alloc` says; they are
//! complete before it is called, since it may call host functions itself.

mod wire;

use std::sync::Arc;

use lunatic_model::Rights;
use lunatic_sqlite::{Connection, Step, limits};
use wasmtime::{Caller, Linker, Result, bail, format_err};

use crate::databases::{CONNECTION, Databases, STATEMENT, open as open_database, work};
use crate::host::trap::GuestFunction;
use crate::host::{fail, free_place};
use crate::memory::{bytes, bytes_mut, check, split, string, unsigned, write_u64};
use crate::state::State;

const NAMESPACE: &str = "lunatic::sqlite";
/// Results of steps.
const ROW: i32 = 100;
const DONE: i32 = 101;
/// Guests reserve four bytes for the length of a result.
const LENGTH_BYTES: usize = 4;
const ID_BYTES: usize = 8;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    macro_rules! link_waiting {
        ($($name:literal $function:ident($($arg:ident: $ty:ty),*);)*) => {$(
            linker.func_wrap_async(NAMESPACE, $name, |caller, ($($arg,)*): ($($ty,)*)| {
                Box::new($function(caller, $($arg),*))
            })?;
        )*};
    }
    link_waiting! {
        "open" open(path: i32, length: i32, id: i32);
        "query_prepare" query_prepare(connection: i64, sql: i32, length: i32);
        "execute" execute(connection: i64, sql: i32, length: i32);
        "bind_value" bind_value(statement: i64, list: i32, length: i32);
        "statement_reset" statement_reset(statement: i64);
        "last_error" last_error(connection: i64, length: i32);
        "sqlite3_finalize" finalize(statement: i64);
        "sqlite3_step" step(statement: i64);
        "read_column" read_column(statement: i64, column: i32, length: i32);
        "column_names" column_names(statement: i64, length: i32);
        "read_row" read_row(statement: i64, length: i32);
        "column_name" column_name(statement: i64, column: i32, length: i32);
        "close" close(connection: i64);
    }
    linker.func_wrap(NAMESPACE, "sqlite3_changes", changes)?;
    linker.func_wrap(NAMESPACE, "column_count", column_count)?;
    Ok(())
}

fn databases<'a>(caller: &'a mut Caller<'_, State>) -> &'a mut Databases {
    caller.data_mut().tables().databases()
}

/// SQL of the guest, checked before it is copied.
fn sql(caller: &mut Caller<'_, State>, pointer: i32, length: i32) -> Result<Arc<str>> {
    let max = limits::SQL_BYTES_MAX;
    if unsigned(length) > max {
        bail!("a SQL text of {} bytes: it may have at most {max}", unsigned(length));
    }
    string(caller, pointer, length).map(Arc::from)
}

async fn open(mut caller: Caller<'_, State>, path: i32, length: i32, id: i32) -> Result<i64> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    if let Err(text) = caller.data().permit(Rights::SQLITE, "sqlite open") {
        return fail(&mut caller, text, id).map(i64::from);
    }
    if unsigned(length) > limits::PATH_BYTES_MAX {
        let (length, max) = (unsigned(length), limits::PATH_BYTES_MAX);
        let text = format!("the path of a database has at most {max} bytes, not {length}");
        return fail(&mut caller, text, id).map(i64::from);
    }
    let path: Arc<str> = string(&mut caller, path, length)?.into();
    caller.data_mut().catch_up();
    let place = match free_place(caller.data())? {
        Ok(place) => place,
        Err(over) => {
            let text = format!("cannot open the database `{path}`: {over}");
            return fail(&mut caller, text, id).map(i64::from);
        }
    };
    match open_database(&mut caller, path.clone(), place).await? {
        Ok(connection) => {
            let max = caller.data().process.limits().resources_max;
            let connections = &mut databases(&mut caller).connections;
            let connection = connections.add(connection, max, "resources_max")?;
            write_u64(&mut caller, id, connection)?;
            Ok(0)
        }
        Err(error) => {
            let text = format!("cannot open the database `{path}`: {error}");
            fail(&mut caller, text, id).map(i64::from)
        }
    }
}

/// Always gives a statement: what is wrong with the text is the result of its steps.
async fn query_prepare(
    mut caller: Caller<'_, State>,
    connection: i64,
    text: i32,
    length: i32,
) -> Result<i64> {
    databases(&mut caller).connection(connection)?;
    let sql = sql(&mut caller, text, length)?;
    let max = caller.data().process.limits().resources_max;
    let statements = &mut databases(&mut caller).statements;
    let id = statements.add(connection, max, "resources_max")?;
    let prepare = move |one: &mut Connection, patient| one.prepare(id, &sql, patient);
    // The error, if any, is kept with the statement.
    let _ = work(&mut caller, connection, prepare).await?;
    Ok(id.cast_signed())
}

async fn execute(
    mut caller: Caller<'_, State>,
    connection: i64,
    text: i32,
    length: i32,
) -> Result<i32> {
    databases(&mut caller).connection(connection)?;
    let sql = sql(&mut caller, text, length)?;
    let execute = move |one: &mut Connection, patient| one.execute(&sql, patient);
    Ok(work(&mut caller, connection, execute).await?.err().map_or(0, |error| error.code))
}

async fn bind_value(
    mut caller: Caller<'_, State>,
    statement: i64,
    list: i32,
    length: i32,
) -> Result<()> {
    let (memory, _) = split(&mut caller)?;
    wire::Bindings::decode(bytes(memory, list, length)?)?;
    end_run(&mut caller, statement).await?;
    let (memory, state) = split(&mut caller)?;
    let bindings = wire::Bindings::decode(bytes(memory, list, length)?)?;
    let (connection, id) = state.tables().databases().of_statement(statement)?;
    // The error, if any, is the result of the next step.
    let _ = connection.bind(id, bindings);
    Ok(())
}

/// Resets a statement. If it is running, that may end a transaction, which writes.
async fn end_run(caller: &mut Caller<'_, State>, statement: i64) -> Result<()> {
    let (connection, id) = databases(caller).of_statement(statement)?;
    if !connection.is_running(id) {
        connection.reset(id);
        return Ok(());
    }
    let connection = *databases(caller).statements.get(statement, STATEMENT)?;
    let reset = move |one: &mut Connection, _| {
        one.reset(id);
        Ok(())
    };
    work(caller, connection, reset).await?.map_err(|error| format_err!("{error}"))
}

fn changes(mut caller: Caller<'_, State>, connection: i64) -> Result<i32> {
    Ok(databases(&mut caller).connection(connection)?.changes())
}

async fn statement_reset(mut caller: Caller<'_, State>, statement: i64) -> Result<()> {
    end_run(&mut caller, statement).await
}

async fn last_error(mut caller: Caller<'_, State>, connection: i64, length: i32) -> Result<i32> {
    let error = databases(&mut caller).connection(connection)?.last_error();
    let record = wire::encode_error(error);
    give(&mut caller, &record, length).await
}

async fn finalize(mut caller: Caller<'_, State>, statement: i64) -> Result<()> {
    end_run(&mut caller, statement).await?;
    let (connection, id) = databases(&mut caller).of_statement(statement)?;
    connection.finalize(id);
    databases(&mut caller).statements.remove(statement, STATEMENT).map(drop)
}

async fn step(mut caller: Caller<'_, State>, statement: i64) -> Result<i32> {
    let connection = *databases(&mut caller).statements.get(statement, STATEMENT)?;
    let id = statement.cast_unsigned();
    let step = move |one: &mut Connection, patient| one.step(id, patient);
    Ok(match work(&mut caller, connection, step).await? {
        Ok(Step::Row) => ROW,
        Ok(Step::Done) => DONE,
        Err(error) => error.code,
    })
}

/// Appends the value of a column to a record; traps if there is no such column.
fn encode_column(
    connection: &mut Connection,
    statement: u64,
    column: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    match connection.column(statement, column) {
        Ok(Some(value)) => {
            wire::encode_value(out, value);
            Ok(())
        }
        Ok(None) => Err(no_column(column)),
        Err(error) => Err(format_err!("the value of column {column} cannot be read: {error}")),
    }
}

fn no_column(column: usize) -> wasmtime::Error {
    format_err!("the statement has no column {column}")
}

async fn read_column(
    mut caller: Caller<'_, State>,
    statement: i64,
    column: i32,
    length: i32,
) -> Result<i32> {
    let (connection, id) = databases(&mut caller).of_statement(statement)?;
    let mut record = Vec::new();
    encode_column(connection, id, unsigned(column), &mut record)?;
    give(&mut caller, &record, length).await
}

async fn column_names(mut caller: Caller<'_, State>, statement: i64, length: i32) -> Result<i32> {
    let (connection, id) = databases(&mut caller).of_statement(statement)?;
    let count = connection.column_count(id);
    let mut record = Vec::new();
    wire::encode_count(&mut record, count);
    for column in 0..count {
        wire::encode_bytes(&mut record, name(connection, id, column)?.as_bytes());
    }
    give(&mut caller, &record, length).await
}

async fn read_row(mut caller: Caller<'_, State>, statement: i64, length: i32) -> Result<i32> {
    let (connection, id) = databases(&mut caller).of_statement(statement)?;
    let count = connection.column_count(id);
    let mut record = Vec::new();
    wire::encode_count(&mut record, count);
    for column in 0..count {
        encode_column(connection, id, column, &mut record)?;
    }
    give(&mut caller, &record, length).await
}

fn column_count(mut caller: Caller<'_, State>, statement: i64) -> Result<i32> {
    let (connection, id) = databases(&mut caller).of_statement(statement)?;
    // SQLite has no more than 32,767.
    Ok(connection.column_count(id) as i32)
}

fn name(connection: &Connection, statement: u64, column: usize) -> Result<String> {
    match connection.column_name(statement, column) {
        Ok(name) => name.ok_or_else(|| no_column(column)),
        Err(error) => Err(format_err!("the name of column {column} cannot be read: {error}")),
    }
}

async fn column_name(
    mut caller: Caller<'_, State>,
    statement: i64,
    column: i32,
    length: i32,
) -> Result<i32> {
    let (connection, id) = databases(&mut caller).of_statement(statement)?;
    let name = name(connection, id, unsigned(column))?;
    give(&mut caller, name.as_bytes(), length).await
}

/// Closes a connection and all its statements; 0.
async fn close(mut caller: Caller<'_, State>, connection: i64) -> Result<i32> {
    let databases = databases(&mut caller);
    let resting = databases.connections.remove(connection, CONNECTION)?;
    databases.statements.retain(|of| *of != connection);
    resting.close().await?;
    Ok(0)
}

/// Puts a result into memory that the guest allocates, and its length to `length_at`.
async fn give(caller: &mut Caller<'_, State>, result: &[u8], length_at: i32) -> Result<i32> {
    check(caller, &[(length_at, LENGTH_BYTES)])?;
    let length = u32::try_from(result.len())
        .map_err(|_| format_err!("a result of {} bytes fits into no memory", result.len()))?;
    let alloc = GuestFunction::<i32, i32>::find(caller, "lunatic_alloc")?;
    let pointer = alloc.call(caller, length.cast_signed()).await?;
    let (memory, _) = split(caller)?;
    bytes_mut(memory, pointer, result.len())?.copy_from_slice(result);
    bytes_mut(memory, length_at, LENGTH_BYTES)?.copy_from_slice(&length.to_le_bytes());
    Ok(pointer)
}
