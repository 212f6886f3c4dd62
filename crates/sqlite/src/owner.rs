//! Whose a connection is: the directories that it may use, and the account of its memory.
//!
//! SQLite calls back without saying on whose behalf. So every call into it is made within a
//! [`Section`], which tells the thread: the allocator charges the owner of the section, the file
//! system looks into its directories. Freed memory goes back to the owner that it was charged to,
//! whatever section that happens in.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::directories::Directory;

/// What the connections of one process share.
#[derive(Debug)]
pub struct Owner {
    directories: Vec<Directory>,
    bytes: AtomicUsize,
    bytes_max: usize,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Owner>>> = const { RefCell::new(None) };
    /// Why the last file could not be opened, for the error of the call that wanted it.
    static REFUSAL: Cell<Option<String>> = const { Cell::new(None) };
}

impl Owner {
    /// An owner of nothing yet. Its connections see `directories`, and SQLite's heap takes at most
    /// `bytes_max` for them; beyond it calls fail with `SQLITE_NOMEM`.
    pub fn new(directories: Vec<Directory>, bytes_max: usize) -> Arc<Owner> {
        Arc::new(Owner { directories, bytes: AtomicUsize::new(0), bytes_max })
    }

    /// Bytes that SQLite's heap takes at present.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The bound on [`Owner::bytes`].
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    pub(crate) fn directories(&self) -> &[Directory] {
        &self.directories
    }

    /// Takes bytes from the account, if it has them.
    pub(crate) fn charge(&self, bytes: usize) -> bool {
        let charged = |used: usize| used.checked_add(bytes).filter(|new| *new <= self.bytes_max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged).is_ok()
    }

    /// Gives back what was charged.
    pub(crate) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// From now until the section is dropped, this thread works for this owner.
    pub(crate) fn enter(self: &Arc<Self>) -> Section {
        let before = CURRENT.replace(Some(self.clone()));
        Section { before, _of_this_thread: PhantomData }
    }

    /// For whom this thread works.
    pub(crate) fn current() -> Option<Arc<Owner>> {
        // A thread that ends works for nobody.
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }
}

/// See [`Owner::enter`].
pub(crate) struct Section {
    before: Option<Arc<Owner>>,
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for Section {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

/// Remembers why a file could not be opened.
pub(crate) fn refuse(why: String) {
    REFUSAL.set(Some(why));
}

/// Why the last file could not be opened, once.
pub(crate) fn take_refusal() -> Option<String> {
    REFUSAL.take()
}
