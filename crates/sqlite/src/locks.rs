//! Who has locked which database: between connections of this node, and against other programs.
//!
//! Files are told apart by what they are, not by path. Between connections of the node the answer
//! is a table. For the node as a whole one handle of the file holds locks of the system, on the
//! bytes and in the order that every SQLite uses (byte 1 GiB: pending; the next: reserved; the 510
//! after it: shared), so that other programs with SQLite fit in.
//!
//! The index of a write-ahead log is memory of this node (`wal_index.rs`), which no other program
//! could follow. So from the first use of the log until the last connection goes, the node holds
//! the shared bytes exclusively: other programs find the database busy.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use cap_fs_ext::MetadataExt;
use libsqlite3_sys as sqlite;

use crate::ffi::byte_lock::{self, Mode};
use crate::lock;
use crate::wal_index::WalIndex;

const PENDING: Range<u64> = 0x4000_0000..0x4000_0001;
const RESERVED: Range<u64> = 0x4000_0001..0x4000_0002;
const SHARED: Range<u64> = 0x4000_0002..0x4000_0200;

/// What a connection may do with a database: SQLite's levels, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// Nothing.
    Unlocked,
    /// Read, as others do.
    Shared,
    /// Read, and prepare to write; one connection at a time.
    Reserved,
    /// Waits for readers to go, and lets no new ones in.
    Pending,
    /// Write.
    Exclusive,
}

impl Level {
    pub(crate) fn from_sqlite(level: c_int) -> Option<Level> {
        use Level::{Exclusive, Pending, Reserved, Shared, Unlocked};
        let levels = [Unlocked, Shared, Reserved, Pending, Exclusive];
        levels.get(usize::try_from(level).ok()?).copied()
    }
}

/// Device and number of a file.
type Identity = (u64, u64);

static DATABASES: Mutex<BTreeMap<Identity, Weak<Database>>> = Mutex::new(BTreeMap::new());
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static REFUSED_WHILE_PENDING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread's last attempt to lock was that of a writer with [`Level::Pending`], and
/// failed: readers are left, and no new ones come.
pub(crate) fn was_refused_while_pending() -> bool {
    REFUSED_WHILE_PENDING.get()
}

/// A database file that somebody has open.
struct Database {
    identity: Identity,
    state: Mutex<State>,
}

struct State {
    node: NodeLock,
    /// Connections that have at least [`Level::Shared`].
    readers: usize,
    /// The connection that has more.
    writer: Option<(u64, Level)>,
    wal: WalIndex,
}

/// What this node has locked for all its connections.
struct NodeLock {
    handle: File,
    /// Without this the system takes no exclusive locks.
    writable: bool,
    shared: Option<Mode>,
    reserved: bool,
    pending: bool,
}

/// One connection's part in it. Dropping it gives back everything.
pub(crate) struct DatabaseLock {
    database: Arc<Database>,
    connection: u64,
    level: Level,
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut databases = lock(&DATABASES);
        // A new connection may have put its own there meanwhile.
        if databases.get(&self.identity).is_some_and(|known| known.strong_count() == 0) {
            databases.remove(&self.identity);
        }
    }
}

impl DatabaseLock {
    /// For a file that has just been opened.
    pub(crate) fn new(file: &File, writable: bool) -> io::Result<DatabaseLock> {
        let metadata = cap_std::fs::Metadata::from_file(file)?;
        let identity = (metadata.dev(), metadata.ino());
        let known = lock(&DATABASES).get(&identity).and_then(Weak::upgrade);
        let database = match known {
            Some(database) => database,
            None => {
                let node = NodeLock::new(file.try_clone()?, writable);
                let wal = WalIndex::default();
                let state = Mutex::new(State { node, readers: 0, writer: None, wal });
                let new = Arc::new(Database { identity, state });
                let mut databases = lock(&DATABASES);
                match databases.get(&identity).and_then(Weak::upgrade) {
                    Some(quicker) => {
                        // Dropping `new` looks at the table, too.
                        drop(databases);
                        quicker
                    }
                    None => {
                        databases.insert(identity, Arc::downgrade(&new));
                        new
                    }
                }
            }
        };
        if writable {
            lock(&database.state).node.make_writable(file)?;
        }
        let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        Ok(DatabaseLock { database, connection, level: Level::Unlocked })
    }

    /// Goes up to a level, or to [`Level::Pending`] on the way to [`Level::Exclusive`].
    pub(crate) fn lock(&mut self, wanted: Level) -> Result<(), c_int> {
        let result = self.try_lock(wanted);
        REFUSED_WHILE_PENDING.set(result.is_err() && self.level == Level::Pending);
        result
    }

    fn try_lock(&mut self, wanted: Level) -> Result<(), c_int> {
        if wanted <= self.level {
            return Ok(());
        }
        let mut state = lock(&self.database.state);
        let others = state.writer.filter(|(connection, _)| *connection != self.connection);
        match (wanted, others) {
            (Level::Shared, Some((_, Level::Pending | Level::Exclusive)))
            | (Level::Reserved | Level::Pending | Level::Exclusive, Some(_)) => {
                return Err(sqlite::SQLITE_BUSY);
            }
            _ => {}
        }
        match wanted {
            Level::Unlocked => {}
            Level::Shared => {
                state.node.share()?;
                state.readers += 1;
                self.level = Level::Shared;
            }
            Level::Reserved => {
                state.node.reserve()?;
                state.writer = Some((self.connection, Level::Reserved));
                self.level = Level::Reserved;
            }
            Level::Pending | Level::Exclusive => {
                state.node.announce()?;
                state.writer = Some((self.connection, Level::Pending));
                self.level = Level::Pending;
                if state.readers > 1 {
                    return Err(sqlite::SQLITE_BUSY);
                }
                state.node.exclude()?;
                state.writer = Some((self.connection, Level::Exclusive));
                self.level = Level::Exclusive;
            }
        }
        Ok(())
    }

    /// Goes down to [`Level::Shared`] or [`Level::Unlocked`].
    pub(crate) fn unlock(&mut self, wanted: Level) -> Result<(), c_int> {
        let mut state = lock(&self.database.state);
        let mut result = Ok(());
        if self.level > Level::Shared {
            state.writer = None;
            let keep_exclusive = state.wal.in_use();
            result = state.node.step_back(keep_exclusive);
            self.level = Level::Shared;
        }
        if wanted == Level::Unlocked && self.level == Level::Shared {
            state.readers -= 1;
            self.level = Level::Unlocked;
        }
        result.and(state.settle())
    }

    /// Whether any connection or program has [`Level::Reserved`] or more.
    pub(crate) fn is_reserved(&self) -> Result<bool, c_int> {
        let state = lock(&self.database.state);
        if state.writer.is_some() { Ok(true) } else { state.node.is_reserved_elsewhere() }
    }

    /// The address of a region of the index of the write-ahead log; `None` if it does not exist
    /// and `extend` is not set.
    pub(crate) fn map_wal(
        &mut self,
        region: usize,
        extend: bool,
    ) -> Result<Option<std::ptr::NonNull<u8>>, c_int> {
        let state = &mut *lock(&self.database.state);
        if !state.wal.is_used_by(self.connection) {
            state.node.take_for_wal()?;
            state.wal.join(self.connection);
        }
        state.wal.map(region, extend)
    }

    /// `xShmLock`: locks or unlocks slots of the index.
    pub(crate) fn lock_wal(&self, slots: Range<usize>, flags: c_int) -> Result<(), c_int> {
        REFUSED_WHILE_PENDING.set(false);
        lock(&self.database.state).wal.lock(self.connection, slots, flags)
    }

    /// The connection uses the write-ahead log no more.
    pub(crate) fn unmap_wal(&mut self) -> Result<(), c_int> {
        let mut state = lock(&self.database.state);
        state.wal.leave(self.connection);
        state.settle()
    }
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        // The system takes its locks back with the handle, should these fail.
        let _ = self.unmap_wal();
        let _ = self.unlock(Level::Unlocked);
    }
}

impl State {
    /// Gives the node's lock back if no connection needs it.
    fn settle(&mut self) -> Result<(), c_int> {
        if self.readers == 0 && !self.wal.in_use() { self.node.release() } else { Ok(()) }
    }
}

/// `Ok` if the system gave the lock.
fn given(answer: io::Result<bool>) -> Result<(), c_int> {
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err(sqlite::SQLITE_BUSY),
        Err(error) => {
            tracing::debug!("a database cannot be locked: {error}");
            Err(sqlite::SQLITE_IOERR_LOCK)
        }
    }
}

fn gone(answer: io::Result<bool>) -> Result<(), c_int> {
    answer.map(drop).map_err(|_| sqlite::SQLITE_IOERR_UNLOCK)
}

impl NodeLock {
    fn new(handle: File, writable: bool) -> NodeLock {
        NodeLock { handle, writable, shared: None, reserved: false, pending: false }
    }

    fn change(&self, range: Range<u64>, from: Option<Mode>, to: Option<Mode>) -> io::Result<bool> {
        byte_lock::change(&self.handle, range, from, to)
    }

    /// Uses a handle that may write from now on. One that may not can only have shared locks, which
    /// both can have for a moment.
    fn make_writable(&mut self, file: &File) -> io::Result<()> {
        if self.writable {
            return Ok(());
        }
        let handle = file.try_clone()?;
        if self.shared.is_some() {
            let taken = byte_lock::change(&handle, SHARED, None, Some(Mode::Shared))?;
            if !taken {
                return Err(io::Error::other("another program changes the database"));
            }
            // The old handle may be that of a connection, which lives on.
            self.change(SHARED, self.shared, None)?;
        }
        self.handle = handle;
        self.writable = true;
        Ok(())
    }

    /// For a reader: not while somebody is pending.
    fn share(&mut self) -> Result<(), c_int> {
        if self.shared.is_some() {
            return Ok(());
        }
        given(self.change(PENDING, None, Some(Mode::Shared)))?;
        let shared = given(self.change(SHARED, None, Some(Mode::Shared)));
        let back = gone(self.change(PENDING, Some(Mode::Shared), None));
        if shared.is_ok() {
            self.shared = Some(Mode::Shared);
        }
        shared.and(back)
    }

    fn check_writable(&self) -> Result<(), c_int> {
        if self.writable { Ok(()) } else { Err(sqlite::SQLITE_READONLY) }
    }

    fn reserve(&mut self) -> Result<(), c_int> {
        self.check_writable()?;
        given(self.change(RESERVED, None, Some(Mode::Exclusive)))?;
        self.reserved = true;
        Ok(())
    }

    /// Lets no new readers in.
    fn announce(&mut self) -> Result<(), c_int> {
        self.check_writable()?;
        if !self.pending {
            given(self.change(PENDING, None, Some(Mode::Exclusive)))?;
            self.pending = true;
        }
        Ok(())
    }

    /// For a writer that has announced itself.
    fn exclude(&mut self) -> Result<(), c_int> {
        if self.shared != Some(Mode::Exclusive) {
            given(self.change(SHARED, self.shared, Some(Mode::Exclusive)))?;
            self.shared = Some(Mode::Exclusive);
        }
        Ok(())
    }

    /// From a writer back to readers. Pending goes last: until then nobody else gets in, even
    /// where a lock cannot be changed in one step.
    fn step_back(&mut self, keep_exclusive: bool) -> Result<(), c_int> {
        let mut result = Ok(());
        if self.shared == Some(Mode::Exclusive) && !keep_exclusive {
            result = given(self.change(SHARED, self.shared, Some(Mode::Shared)));
            self.shared = Some(Mode::Shared);
        }
        if self.reserved {
            result = result.and(gone(self.change(RESERVED, Some(Mode::Exclusive), None)));
            self.reserved = false;
        }
        if self.pending {
            result = result.and(gone(self.change(PENDING, Some(Mode::Exclusive), None)));
            self.pending = false;
        }
        result
    }

    /// Everything.
    fn release(&mut self) -> Result<(), c_int> {
        match self.shared.take() {
            Some(mode) => gone(self.change(SHARED, Some(mode), None)),
            None => Ok(()),
        }
    }

    /// Keeps other programs out for as long as the log is used.
    fn take_for_wal(&mut self) -> Result<(), c_int> {
        if self.shared == Some(Mode::Exclusive) {
            return Ok(());
        }
        if !self.writable {
            // Without an exclusive lock somebody else could write the log unseen.
            return Err(sqlite::SQLITE_CANTOPEN);
        }
        let pending = self.pending;
        self.announce()?;
        let taken = self.exclude();
        if !pending {
            self.pending = false;
            return taken.and(gone(self.change(PENDING, Some(Mode::Exclusive), None)));
        }
        taken
    }

    fn is_reserved_elsewhere(&self) -> Result<bool, c_int> {
        let failed = |_| sqlite::SQLITE_IOERR_CHECKRESERVEDLOCK;
        let free = self.change(RESERVED, None, Some(Mode::Shared)).map_err(failed)?;
        if free {
            self.change(RESERVED, Some(Mode::Shared), None).map_err(failed)?;
        }
        Ok(!free)
    }
}
