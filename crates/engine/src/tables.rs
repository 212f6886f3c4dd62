//! Resource tables: what a process owns, known to it by number.
//!
//! Ids are never reused within a process. Most processes never fill a table, so they are built on
//! first use.

use std::collections::BTreeMap;
use std::sync::Arc;

use lunatic_model::{Budgets, Grant, Limits, Redirection, Tag};
use lunatic_wasi::Access;
use wasmtime::{Result, format_err};

use crate::audit::Hears;
use crate::config::ProcessConfig;
use crate::databases::Databases;
use crate::exit::HostExit;
use crate::module::Module;
use crate::net::Sockets;
use crate::redirect::ProcessTarget;

/// The id of the permanent error "operation timed out": guest libraries drop it after a timeout.
pub(crate) const TIMED_OUT_ERROR: u64 = 0;

/// Bytes of all strings in all configurations of a process.
pub(crate) const CONFIG_BYTES_MAX: usize = 16 << 20;

/// All tables of a process.
#[derive(Default)]
pub(crate) struct Tables {
    /// Counts against [`CONFIG_BYTES_MAX`].
    pub(crate) config_bytes: usize,
    pub(crate) errors: Table<Arc<str>>,
    pub(crate) configs: Table<ConfigDraft>,
    pub(crate) modules: Table<Module>,
    sockets: Option<Box<Sockets>>,
    databases: Option<Box<Databases>>,
}

impl Tables {
    pub(crate) fn new() -> Tables {
        let mut tables = Tables::default();
        tables.errors.next = TIMED_OUT_ERROR + 1;
        tables
    }

    pub(crate) fn sockets(&mut self) -> &mut Sockets {
        self.sockets.get_or_insert_default()
    }

    /// What was derived from the configuration is no longer true.
    pub(crate) fn config_changed(&mut self) {
        self.configs.entries.values_mut().for_each(|draft| draft.built = None);
        if let Some(databases) = &mut self.databases {
            databases.forget_owner();
        }
    }

    pub(crate) fn databases(&mut self) -> &mut Databases {
        self.databases.get_or_insert_default()
    }
}

/// A configuration that a guest puts together. What it may really grant is decided at spawn, where
/// it is narrowed to what its maker has.
#[derive(Clone)]
pub(crate) struct ConfigDraft {
    pub(crate) grant: Grant,
    pub(crate) limits: Limits,
    pub(crate) budgets: Budgets,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Directories, as their parent names them, and what may be done there.
    pub(crate) preopens: Vec<(String, Access)>,
    pub(crate) redirections: Vec<DraftRedirection>,
    /// What the maker hears of its children.
    pub(crate) audit: Option<DraftAudit>,
    /// Bytes of the strings above, but for redirections, of which there are few.
    pub(crate) bytes: usize,
    /// What the draft came to at its last spawn; gone with the next change.
    pub(crate) built: Option<Arc<ProcessConfig>>,
}

impl ConfigDraft {
    /// Without arguments, environment and directories.
    pub(crate) fn new(grant: Grant, limits: Limits) -> ConfigDraft {
        ConfigDraft {
            grant,
            limits,
            budgets: Budgets::default(),
            args: Vec::new(),
            env: Vec::new(),
            preopens: Vec::new(),
            redirections: Vec::new(),
            audit: None,
            bytes: 0,
            built: None,
        }
    }
}

/// What the maker of a configuration wants to hear of children, and how.
#[derive(Clone, Copy)]
pub(crate) struct DraftAudit {
    pub(crate) tag: Tag,
    pub(crate) hears: Hears,
    /// Of children alone, not of theirs.
    pub(crate) alone: bool,
}

/// A redirection as it was asked for. It is made when a child is spawned.
#[derive(Clone)]
pub(crate) struct DraftRedirection {
    pub(crate) redirection: Redirection,
    /// Where it leads to a process.
    pub(crate) to: Option<ProcessTarget>,
    /// For the child alone.
    pub(crate) alone: bool,
}

/// One table.
pub(crate) struct Table<T> {
    entries: BTreeMap<u64, T>,
    next: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { entries: BTreeMap::new(), next: 0 }
    }
}

impl<T> Table<T> {
    /// Adds an entry. At `max` entries the process ends with the limit's name as its reason.
    pub(crate) fn add(&mut self, value: T, max: usize, limit: &'static str) -> Result<u64> {
        if self.entries.len() >= max {
            return Err(HostExit::limit(limit));
        }
        let id = self.next;
        self.next += 1;
        self.entries.insert(id, value);
        Ok(id)
    }

    /// The entry, or a trap.
    pub(crate) fn get(&self, id: i64, what: &str) -> Result<&T> {
        self.entries.get(&id.cast_unsigned()).ok_or_else(|| unknown(id, what))
    }

    /// The entry, or a trap.
    pub(crate) fn get_mut(&mut self, id: i64, what: &str) -> Result<&mut T> {
        self.entries.get_mut(&id.cast_unsigned()).ok_or_else(|| unknown(id, what))
    }

    /// Drops all entries that are not wanted any more.
    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&T) -> bool) {
        self.entries.retain(|_, value| wanted(value));
    }

    /// Takes the entry out, or traps.
    pub(crate) fn remove(&mut self, id: i64, what: &str) -> Result<T> {
        self.entries.remove(&id.cast_unsigned()).ok_or_else(|| unknown(id, what))
    }
}

fn unknown(id: i64, what: &str) -> wasmtime::Error {
    format_err!("this process has no {what} with id {}", id.cast_unsigned())
}
