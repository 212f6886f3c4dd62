//! One open database connection of SQLite, and what SQLite asks while it works: may this be
//! compiled, shall it go on, shall it wait.
//!
//! A connection and its statements are used by one thread at a time: whoever has the [`Database`]
//! has its statements, too. Only [`Stopper::stop`] comes from elsewhere.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libsqlite3_sys as sqlite;

use crate::error::Error;
use crate::ffi::guard::text;
use crate::ffi::{library, vfs};
use crate::limits::{
    ATTACHED_MAX, BUSY_TIMEOUT_DEFAULT, EXPRESSION_DEPTH_MAX, READERS_WAIT_MS, SQL_BYTES_MAX,
    STEPS_BETWEEN_CHECKS, VALUE_BYTES_MAX,
};
use crate::lock;
use crate::locks;
use crate::owner::{Owner, Section, take_refusal};

/// Virtual tables that SQL may make. (FTS3 takes the address of code from a bound parameter.)
const MODULES: &[&CStr] = &[c"fts5", c"fts5vocab", c"rtree", c"rtree_i32"];

/// Ends what a connection does, from any thread.
#[derive(Debug)]
pub struct Stopper {
    stopped: AtomicBool,
    /// Until the connection is closed.
    database: Mutex<Option<Pointer>>,
}

#[derive(Debug)]
struct Pointer(NonNull<sqlite::sqlite3>);

// SAFETY: other threads only pass it to `sqlite3_interrupt`, which is made for that, under a lock
// that the closing of the connection takes first.
unsafe impl Send for Pointer {}

impl Stopper {
    /// Whatever runs on the connection ends soon with `SQLITE_INTERRUPT`, and so does all that
    /// comes later. Does not wait for it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(Pointer(database)) = &*lock(&self.database) {
            // SAFETY: the connection is open: it is taken from here before it is closed.
            unsafe { sqlite::sqlite3_interrupt(database.as_ptr()) };
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// What callbacks read and write; SQLite has its address.
struct Hooks {
    stopper: Arc<Stopper>,
    /// SQLite would have waited for a lock.
    asked_to_wait: Cell<bool>,
    busy_timeout: Cell<Duration>,
}

/// The connection itself. Statements hold it, too, so that it outlives them.
pub(super) struct Handle {
    pub(super) raw: NonNull<sqlite::sqlite3>,
    hooks: Box<Hooks>,
    owner: Arc<Owner>,
}

// SAFETY: SQLite's connections may be used by several threads one after the other. That they are,
// the room's `Connection` sees to: it owns all holders of a handle and is used by one at a time.
unsafe impl Send for Handle {}
// SAFETY: as above; a shared reference is never used by two threads at once.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        let _section = self.owner.enter();
        *lock(&self.hooks.stopper.database) = None;
        // SAFETY: all statements are finalised, since each holds this handle, and nobody has the
        // address any more. The hooks are dropped afterwards.
        let code = unsafe { sqlite::sqlite3_close(self.raw.as_ptr()) };
        debug_assert_eq!(code, sqlite::SQLITE_OK, "a statement outlived its connection");
    }
}

impl Handle {
    /// Every call into SQLite is made within a section of its owner.
    pub(super) fn enter(&self) -> Section {
        self.owner.enter()
    }

    /// The error of the call that has just failed with this code.
    pub(super) fn error(&self, code: c_int) -> Error {
        // SAFETY: the connection is open, and the text stays until the next call.
        let message = unsafe {
            let message = sqlite::sqlite3_errmsg(self.raw.as_ptr());
            if message.is_null() { c"" } else { CStr::from_ptr(message) }
        };
        let mut error = Error::new(code, message.to_string_lossy());
        error.waits = error.code == sqlite::SQLITE_BUSY && self.hooks.asked_to_wait.get();
        if error.code == sqlite::SQLITE_NOMEM {
            let max = self.owner.bytes_max();
            error.message =
                format!("{}: databases of this process may use {max} bytes", error.message);
        }
        error
    }

    /// Makes SQLite ask whether to wait for a lock.
    fn ask_before_giving_up(&self) -> c_int {
        let hooks: *mut c_void = (&raw const *self.hooks).cast_mut().cast();
        // SAFETY: the connection is open, and the hooks are dropped after it is closed.
        unsafe { sqlite::sqlite3_busy_handler(self.raw.as_ptr(), Some(shall_wait), hooks) }
    }

    /// Before a call that may run SQL: not once it is stopped.
    pub(super) fn begin(&self) -> Result<Section, Error> {
        if self.hooks.stopper.is_stopped() {
            return Err(Error::new(sqlite::SQLITE_INTERRUPT, "interrupted"));
        }
        let section = self.enter();
        if self.hooks.asked_to_wait.replace(false) {
            // SQLite remembers the "no", and would not ask again everywhere.
            self.ask_before_giving_up();
        }
        Ok(section)
    }
}

/// An open connection.
pub(crate) struct Database {
    pub(super) handle: Arc<Handle>,
}

impl Database {
    /// Opens a database, which the file system makes if it does not exist.
    pub(crate) fn open(owner: &Arc<Owner>, path: &CStr) -> Result<Database, Error> {
        library::start()?;
        let _section = owner.enter();
        let _ = take_refusal();
        let flags = sqlite::SQLITE_OPEN_READWRITE
            | sqlite::SQLITE_OPEN_CREATE
            | sqlite::SQLITE_OPEN_NOMUTEX;
        let mut raw = ptr::null_mut();
        // SAFETY: strings with a NUL at their end, and a place for the result.
        let code = unsafe {
            sqlite::sqlite3_open_v2(path.as_ptr(), &raw mut raw, flags, vfs::NAME.as_ptr())
        };
        let Some(raw) = NonNull::new(raw) else {
            let max = owner.bytes_max();
            let text = format!("out of memory: databases of this process may use {max} bytes");
            return Err(Error::new(code, text));
        };
        let stopper = Stopper { stopped: AtomicBool::new(false), database: Mutex::default() };
        *lock(&stopper.database) = Some(Pointer(raw));
        let hooks = Box::new(Hooks {
            stopper: Arc::new(stopper),
            asked_to_wait: Cell::new(false),
            busy_timeout: Cell::new(BUSY_TIMEOUT_DEFAULT),
        });
        let handle = Handle { raw, hooks, owner: owner.clone() };
        let configured = if code == sqlite::SQLITE_OK { configure(&handle) } else { Err(code) };
        match configured {
            Ok(()) => Ok(Database { handle: Arc::new(handle) }),
            Err(code) => {
                let mut error = handle.error(code);
                if let Some(why) = take_refusal() {
                    error.message = format!("{}: {why}", error.message);
                }
                Err(error)
            }
        }
    }

    pub(crate) fn stopper(&self) -> &Arc<Stopper> {
        &self.handle.hooks.stopper
    }

    /// How long who is told to wait may do so.
    pub(crate) fn busy_timeout(&self) -> Duration {
        self.handle.hooks.busy_timeout.get()
    }

    /// Rows that the last statement has changed.
    pub(crate) fn changes(&self) -> i32 {
        // SAFETY: the connection is open.
        unsafe { sqlite::sqlite3_changes(self.handle.raw.as_ptr()) }
    }
}

fn configure(handle: &Handle) -> Result<(), c_int> {
    let database = handle.raw.as_ptr();
    let hooks: *mut c_void = (&raw const *handle.hooks).cast_mut().cast();
    // SAFETY: the connection is open. Each option is followed by the arguments that it takes. The
    // hooks are in a box that is dropped after the connection is closed, and callbacks only read
    // them. The list of modules ends with null.
    unsafe {
        for (option, value) in [
            (sqlite::SQLITE_DBCONFIG_DEFENSIVE, 1),
            (sqlite::SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            (sqlite::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
            // SQLite's own default, which the bundled build turns round.
            (sqlite::SQLITE_DBCONFIG_ENABLE_FKEY, 0),
        ] {
            let value: c_int = value;
            let nowhere: *mut c_int = ptr::null_mut();
            checked(sqlite::sqlite3_db_config(database, option, value, nowhere))?;
        }
        for (limit, value) in [
            (sqlite::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
            (sqlite::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX),
            (sqlite::SQLITE_LIMIT_ATTACHED, ATTACHED_MAX),
            (sqlite::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX),
            (sqlite::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            sqlite::sqlite3_limit(database, limit, value as c_int);
        }
        let mut modules: Vec<*const c_char> = MODULES.iter().map(|name| name.as_ptr()).collect();
        modules.push(ptr::null());
        checked(sqlite::sqlite3_drop_modules(database, modules.as_mut_ptr()))?;
        let settings = c"PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON";
        let nowhere = ptr::null_mut();
        let settings = settings.as_ptr();
        checked(sqlite::sqlite3_exec(database, settings, None, nowhere, ptr::null_mut()))?;
        let steps = STEPS_BETWEEN_CHECKS as c_int;
        sqlite::sqlite3_progress_handler(database, steps, Some(shall_stop), hooks);
        checked(handle.ask_before_giving_up())?;
        checked(sqlite::sqlite3_set_authorizer(database, Some(may_compile), hooks))
    }
}

fn checked(code: c_int) -> Result<(), c_int> {
    if code == sqlite::SQLITE_OK { Ok(()) } else { Err(code) }
}

unsafe extern "C" fn shall_stop(hooks: *mut c_void) -> c_int {
    // SAFETY: the address given in `configure`; the connection is open.
    let hooks = unsafe { &*hooks.cast::<Hooks>() };
    hooks.stopper.is_stopped().into()
}

/// Who has to wait is told so, and gives its thread back. Only a writer that already keeps new
/// readers out gives the present ones a moment here, since SQLite may undo its change otherwise.
unsafe extern "C" fn shall_wait(hooks: *mut c_void, times: c_int) -> c_int {
    // SAFETY: the address given in `ask_before_giving_up`; the connection is open.
    let hooks = unsafe { &*hooks.cast::<Hooks>() };
    let moment = times < READERS_WAIT_MS as c_int && locks::was_refused_while_pending();
    if moment && !hooks.stopper.is_stopped() {
        std::thread::sleep(Duration::from_millis(1));
        return 1;
    }
    hooks.asked_to_wait.set(true);
    0
}

/// Keeps SQL away from what belongs to the whole program, or to this room.
unsafe extern "C" fn may_compile(
    hooks: *mut c_void,
    action: c_int,
    one: *const c_char,
    two: *const c_char,
    _database: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: the address given in `configure`, and strings that stay for the call.
    let (hooks, one, two) = unsafe { (&*hooks.cast::<Hooks>(), text(one), text(two)) };
    match action {
        sqlite::SQLITE_PRAGMA => may_set(hooks, one.unwrap_or(""), two),
        sqlite::SQLITE_FUNCTION if is_one_of(two.unwrap_or(""), FUNCTIONS_DENIED) => {
            sqlite::SQLITE_DENY
        }
        _ => sqlite::SQLITE_OK,
    }
}

/// They take or give addresses of code.
const FUNCTIONS_DENIED: &[&str] = &["fts3_tokenizer", "load_extension"];

/// They change or tell what all connections of the program share.
const PRAGMAS_DENIED: &[&str] =
    &["temp_store_directory", "data_store_directory", "soft_heap_limit", "hard_heap_limit"];

/// What they ask for is settled here: temporary files are memory, and nobody has threads.
const PRAGMAS_IGNORED: &[&str] = &["temp_store", "threads"];

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

fn may_set(hooks: &Hooks, pragma: &str, value: Option<&str>) -> c_int {
    if is_one_of(pragma, PRAGMAS_DENIED) {
        return sqlite::SQLITE_DENY;
    }
    if pragma.eq_ignore_ascii_case("busy_timeout") {
        // SQLite would wait by itself, and hold its thread.
        if let Some(value) = value {
            let milliseconds = value.parse::<i64>().unwrap_or(0).max(0).cast_unsigned();
            hooks.busy_timeout.set(Duration::from_millis(milliseconds));
        }
        return sqlite::SQLITE_IGNORE;
    }
    let ignored = is_one_of(pragma, PRAGMAS_IGNORED);
    if ignored { sqlite::SQLITE_IGNORE } else { sqlite::SQLITE_OK }
}

/// A path or name for C; `None` if there is a NUL in it.
pub(crate) fn c_string(text: &str) -> Option<CString> {
    CString::new(text).ok()
}
