//! SQLite connections as resources of a process, and how they are worked with off the workers.
//!
//! A connection is either at rest in its table, or with the one call that its process waits for,
//! which may have lent it to a blocking thread. When that process is killed, the call's future is
//! dropped: that stops the connection, and it is closed where it is, its statements first. At rest
//! or not, a connection is never closed on a worker, since that may write files.
//!
//! Who meets the lock of another connection waits as every process does, without a thread.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lunatic_node::OpenDescriptor;
use lunatic_sqlite::{Connection, Directory, Error, Owner, Stopper};
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, WasiConfig};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use wasmtime::{Caller, Result, format_err};

use crate::config::ProcessConfig;
use crate::cpu_clock;
use crate::state::State;
use crate::tables::Table;

/// Calls into SQLite that run at once for all processes of all nodes of this program, each on a
/// thread. Files and look-ups of names share these threads: there are enough for all three.
const QUERIES_MAX: usize = 128;

/// Pauses between attempts to get a lock; the last one repeats.
const PAUSES_MS: &[u64] = &[1, 2, 5, 10, 15, 20, 25, 50];

static QUERIES: Semaphore = Semaphore::const_new(QUERIES_MAX);

pub(crate) const CONNECTION: &str = "SQLite connection";
pub(crate) const STATEMENT: &str = "SQLite statement";

/// The SQLite tables of a process.
#[derive(Default)]
pub(crate) struct Databases {
    /// Made with the first connection.
    owner: Option<Arc<Owner>>,
    pub(crate) connections: Table<Resting>,
    /// The connection of each statement, which knows it by the same number.
    pub(crate) statements: Table<i64>,
}

impl Databases {
    /// Whose connections they are: the process's directories and the account of its memory.
    pub(crate) fn owner(&mut self, config: &ProcessConfig) -> Arc<Owner> {
        let new = || Owner::new(directories(&config.wasi), config.limits.sqlite_bytes_max);
        self.owner.get_or_insert_with(new).clone()
    }

    /// The directories of the process are others now: so it is for connections that it opens from
    /// here on. Those that are open keep theirs.
    pub(crate) fn forget_owner(&mut self) {
        self.owner = None;
    }

    /// The connection, or a trap.
    pub(crate) fn connection(&mut self, id: i64) -> Result<&mut Connection> {
        self.connections.get_mut(id, CONNECTION)?.connection().ok_or_else(lost)
    }

    /// The connection of a statement, and the statement's number there, or a trap.
    pub(crate) fn of_statement(&mut self, id: i64) -> Result<(&mut Connection, u64)> {
        let connection = *self.statements.get(id, STATEMENT)?;
        Ok((self.connection(connection)?, id.cast_unsigned()))
    }
}

/// The preopened directories that may be read. One that is not simply a directory of the host
/// holds no databases: what a provider does between would be left out.
fn directories(wasi: &WasiConfig) -> Vec<Directory> {
    let readable = wasi.preopens().iter().filter(|preopen| preopen.access().read);
    readable
        .filter_map(|preopen| {
            let host = preopen.directory().as_any().downcast_ref::<HostDirectory>()?;
            let writable = preopen.access().covers(Access::CHANGE);
            Some(Directory::new(preopen.guest_name(), host.dir().clone(), writable))
        })
        .collect()
}

/// A connection that no thread uses. `None` while a call has it.
pub(crate) struct Resting(Option<Open>);

/// A connection, and its place in the budgets until it is closed.
struct Open {
    connection: Connection,
    _place: OpenDescriptor,
}

impl Drop for Resting {
    fn drop(&mut self) {
        let Some(open) = self.0.take() else { return };
        match Handle::try_current() {
            // If the node is stopping, this closes it on the spot.
            Ok(io) => drop(io.spawn_blocking(move || drop(open))),
            Err(_) => drop(open),
        }
    }
}

impl Resting {
    fn connection(&mut self) -> Option<&mut Connection> {
        self.0.as_mut().map(|open| &mut open.connection)
    }

    /// Closes the connection, and waits until that is done.
    pub(crate) async fn close(mut self) -> Result<()> {
        match self.0.take() {
            Some(open) => spawn_blocking(move || drop(open)).await.map_err(ended),
            None => Ok(()),
        }
    }
}

/// Stops a connection, unless its call ends by itself.
struct StopOnDrop(Option<Arc<Stopper>>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(stopper) = &self.0 {
            stopper.stop();
        }
    }
}

fn lost() -> wasmtime::Error {
    format_err!("the connection was lost when the node began to stop")
}

/// A blocking thread has not done its work. A panic goes on as this process's.
fn ended(error: JoinError) -> wasmtime::Error {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => lost(),
    }
}

/// Opens a database for this process.
pub(crate) async fn open(
    caller: &mut Caller<'_, State>,
    path: Arc<str>,
    place: OpenDescriptor,
) -> Result<Result<Resting, Error>> {
    let state = caller.data_mut();
    let config = state.config.clone();
    let owner = state.tables().databases().owner(&config);
    let permit = QUERIES.acquire().await?;
    let open = move || {
        let _permit = permit;
        let connection = Connection::open(&owner, &path)?;
        Ok(Resting(Some(Open { connection, _place: place })))
    };
    spawn_blocking(open).await.map_err(ended)
}

/// Does something with a connection on a blocking thread. If SQLite says that waiting for another
/// connection may help, it is done again, until the connection's timeout has passed; the flag says
/// whether it may answer so.
pub(crate) async fn work<T: Send + 'static>(
    caller: &mut Caller<'_, State>,
    id: i64,
    job: impl Fn(&mut Connection, bool) -> Result<T, Error> + Clone + Send + 'static,
) -> Result<Result<T, Error>> {
    let process = caller.data().process.clone();
    let place = caller.data_mut().tables().databases().connections.get_mut(id, CONNECTION)?;
    let mut resting = Resting(place.0.take());
    let timeout = resting.connection().ok_or_else(lost)?.busy_timeout();
    let (began, mut pauses, mut pause) = (Instant::now(), PAUSES_MS.iter(), Duration::ZERO);
    let result = loop {
        let left = timeout.saturating_sub(began.elapsed());
        let (job, patient) = (job.clone(), !left.is_zero());
        let result;
        let counted = process.clone();
        let job = move |connection: &mut Connection| {
            let began = cpu_clock::thread_nanoseconds();
            let result = job(connection, patient);
            counted.charge_cpu(cpu_clock::thread_nanoseconds().saturating_sub(began));
            result
        };
        (resting, result) = lend(resting, job).await?;
        match result {
            Err(error) if error.may_wait() => {
                pause = pauses.next().map_or(pause, |pause| Duration::from_millis(*pause));
                process.sleep(pause.min(left)).await;
            }
            result => break result,
        }
    };
    // Nobody else could take the place meanwhile.
    *caller.data_mut().tables().databases().connections.get_mut(id, CONNECTION)? = resting;
    Ok(result)
}

/// One attempt. If its future is dropped, the connection is stopped, and closed by its thread.
async fn lend<T: Send + 'static>(
    mut resting: Resting,
    job: impl FnOnce(&mut Connection) -> T + Send + 'static,
) -> Result<(Resting, T)> {
    let mut stop = StopOnDrop(resting.connection().map(|connection| connection.stopper()));
    let permit = QUERIES.acquire().await?;
    let thread = spawn_blocking(move || {
        let _permit = permit;
        let result = resting.connection().map(job);
        (resting, result)
    });
    let (resting, result) = thread.await.map_err(ended)?;
    stop.0 = None;
    Ok((resting, result.ok_or_else(lost)?))
}
