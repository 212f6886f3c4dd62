//! What a store holds for its process: handles, and what host functions keep between calls.
//!
//! Every process pays for this struct, so what few processes use is boxed and built on first use.

use std::ops::Deref;
use std::sync::Arc;

use lunatic_model::{Envelope, ExitReason, MemoryPolicy, Message, Pid, Ref, Rights, Tag};
use lunatic_node::{OverBudget, Process};
use lunatic_wasi::Wasi;
use wasmtime::{Instance, Memory, Result};

use crate::config::ProcessConfig;
use crate::module::Module;
use crate::redirect::{self, Effect, Heritage};
use crate::runtime::Shared;
use crate::tables::Tables;

pub(crate) struct State {
    pub(crate) process: Occupied<Arc<Process>>,
    pub(crate) runtime: Arc<Shared>,
    pub(crate) module: Occupied<Module>,
    pub(crate) config: Occupied<Arc<ProcessConfig>>,
    /// The exported memory, once it has been looked up.
    pub(crate) memory: Option<Memory>,
    pub(crate) slot: Slot,
    pub(crate) catch_depth: u32,
    /// The start section runs: nothing may be spawned from there.
    pub(crate) starting: bool,
    /// The turn of the process whose slice the current deadline ends.
    pub(crate) slice_of_turn: u32,
    pub(crate) memory_bytes: u64,
    /// A bound that the process has set for itself, besides its limit.
    pub(crate) own_memory_bytes_max: u64,
    pub(crate) memory_policy: MemoryPolicy,
    /// Whether the program asked for its messages outside of its memory, where they are anyway.
    pub(crate) messages_off_heap: bool,
    pub(crate) table_elements: u64,
    /// Bytes that count in the account of the process until its end.
    held: u64,
    /// Bytes of the message in the slot, as far as they count there.
    slot_held: u64,
    /// Of an audited process its instance: its host functions are not called by it, and so cannot
    /// ask their caller for what it exports.
    pub(crate) audited: Option<Box<Instance>>,
    tables: Option<Box<Tables>>,
    wasi: Option<Box<Wasi>>,
}

/// The one message that the process writes or has received last.
#[derive(Default)]
pub(crate) enum Slot {
    #[default]
    Empty,
    Data {
        message: Message,
        cursor: u64,
    },
    /// A linked process has ended, or one has asked this one to.
    Exit(Box<Notice>),
    /// A monitored process has ended.
    Down(Box<Notice>),
}

/// What is told of the end of a process. Its data is the reason's.
pub(crate) struct Notice {
    pub(crate) from: Pid,
    pub(crate) tag: Tag,
    pub(crate) reference: Option<Ref>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) reason: ExitReason,
    /// The data of the reason, once it has been looked at.
    pub(crate) data: Option<Arc<[u8]>>,
    pub(crate) cursor: u64,
}

impl From<Envelope> for Slot {
    fn from(envelope: Envelope) -> Slot {
        let notice = |from, tag, reference, name, reason| {
            Box::new(Notice { from, tag, reference, name, reason, data: None, cursor: 0 })
        };
        match envelope {
            Envelope::Message(message) => Slot::Data { message, cursor: 0 },
            Envelope::Exit { from, reason, tag } => {
                Slot::Exit(notice(from, tag, None, None, reason))
            }
            Envelope::Down { reference, from, name, reason } => {
                Slot::Down(notice(from, Tag::NONE, Some(reference), name, reason))
            }
        }
    }
}

/// What a store has while a process lives in it. Between two processes it has none, and nobody
/// looks.
pub(crate) struct Occupied<T>(Option<T>);

impl<T> Deref for Occupied<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("no code runs in a store without a process")
    }
}

impl<T> From<T> for Occupied<T> {
    fn from(value: T) -> Occupied<T> {
        Occupied(Some(value))
    }
}

impl State {
    pub(crate) fn new(
        process: Arc<Process>,
        runtime: Arc<Shared>,
        module: Module,
        config: Arc<ProcessConfig>,
    ) -> State {
        let mut state = State::vacant(runtime);
        state.process = process.into();
        state.module = module.into();
        state.config = config.into();
        state
    }

    /// That of a store in which no process lives: it keeps nothing but the runtime.
    pub(crate) fn vacant(runtime: Arc<Shared>) -> State {
        State {
            process: Occupied(None),
            runtime,
            module: Occupied(None),
            config: Occupied(None),
            memory: None,
            slot: Slot::Empty,
            catch_depth: 0,
            starting: true,
            slice_of_turn: 0,
            memory_bytes: 0,
            own_memory_bytes_max: u64::MAX,
            memory_policy: MemoryPolicy::default(),
            messages_off_heap: false,
            table_elements: 0,
            held: 0,
            slot_held: 0,
            audited: None,
            tables: None,
            wasi: None,
        }
    }

    pub(crate) fn tables(&mut self) -> &mut Tables {
        self.tables.get_or_insert_with(|| Box::new(Tables::new()))
    }

    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        let config = &self.config;
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&config.wasi)))
    }

    /// Counts memory that stays until the end of the process, if it may have so much. An error
    /// says whether the process is to end for it.
    pub(crate) fn hold(&mut self, bytes: u64) -> std::result::Result<(), OverBudget> {
        if let Some(account) = self.process.account() {
            account.charge_memory(bytes)?;
            self.held = self.held.saturating_add(bytes);
        }
        Ok(())
    }

    /// The message in the slot is about to grow.
    pub(crate) fn hold_in_slot(&mut self, bytes: u64) -> std::result::Result<(), OverBudget> {
        if let Some(account) = self.process.account() {
            account.charge_memory(bytes)?;
            self.slot_held = self.slot_held.saturating_add(bytes);
        }
        Ok(())
    }

    /// Puts a message into the slot; the one before is gone.
    pub(crate) fn set_slot(&mut self, slot: Slot) {
        self.slot = slot;
        if let Some(account) = self.process.account() {
            let bytes = match &self.slot {
                Slot::Data { message, .. } => message.data.len() as u64,
                Slot::Empty | Slot::Exit(_) | Slot::Down(_) => 0,
            };
            account.release_memory(self.slot_held);
            account.add_memory(bytes);
            self.slot_held = bytes;
        }
    }

    /// Takes the message out of the slot.
    pub(crate) fn take_slot(&mut self) -> Slot {
        let slot = std::mem::take(&mut self.slot);
        self.set_slot(Slot::Empty);
        slot
    }

    /// The text of an error if the process lacks a right; that is counted and told the operator.
    #[inline]
    pub(crate) fn permit(
        &self,
        right: Rights,
        call: &'static str,
    ) -> std::result::Result<(), Arc<str>> {
        if !self.config.rights.contains(right) {
            return Err(self.denied(right, call));
        }
        if self.config.audit.is_some() {
            self.used(right.name(), call);
        }
        Ok(())
    }

    /// Tells who listens to this process that it makes use of a right.
    #[cold]
    pub(crate) fn used(&self, grant: &str, call: &str) {
        if let Some(audit) = &self.config.audit {
            audit.used(self.process.pid(), grant, call);
        }
    }

    #[cold]
    fn denied(&self, right: Rights, call: &'static str) -> Arc<str> {
        let name = right.name();
        self.process.deny(name, || (name.to_owned(), call.to_owned()))
    }

    /// Takes over redirections that others have set since the last call.
    #[inline]
    pub(crate) fn catch_up(&mut self) {
        if self.runtime.wiring.has_changes() {
            self.take_changes();
        }
    }

    #[cold]
    fn take_changes(&mut self) {
        let pid = self.process.pid();
        let changes = self.runtime.wiring.take(pid);
        if changes.is_empty() {
            return;
        }
        let mut changed =
            Heritage { wasi: self.config.wasi.clone(), redirected: self.config.redirected.clone() };
        for change in &changes {
            if let Err(why) = redirect::apply(&mut changed, change) {
                tracing::warn!(%pid, "a redirection of a running process is left out: {why}");
                continue;
            }
            // What its configuration could hold, its state can.
            if let (Some(wasi), Effect::Wasi(replacement)) = (&mut self.wasi, &change.effect)
                && let Err(why) = wasi.replace(replacement)
            {
                tracing::warn!(%pid, "a redirection does not reach a running process: {why}");
            }
        }
        let targets = changed.redirected.as_ref().map(|redirected| redirected.targets());
        self.runtime.wiring.settle(pid, targets.unwrap_or_default());
        let Heritage { wasi, redirected } = changed;
        let config = ProcessConfig { wasi, redirected, ..ProcessConfig::clone(&self.config) };
        self.config = Arc::new(config).into();
        if let Some(tables) = &mut self.tables {
            tables.config_changed();
        }
    }

    /// The process, if providers may have to ask others on its behalf.
    #[inline]
    pub(crate) fn asks(&self) -> Option<Arc<Process>> {
        self.config.redirected.is_some().then(|| self.process.clone())
    }

    /// Makes an error resource.
    pub(crate) fn add_error(&mut self, text: impl Into<Arc<str>>) -> Result<u64> {
        let max = self.process.limits().errors_max;
        self.tables().errors.add(text.into(), max, "errors_max")
    }

    /// The pid that the guest means by a serial.
    pub(crate) fn pid_of(&self, serial: i64) -> Pid {
        self.process.environment().pid_of(serial.cast_unsigned())
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.process.0.is_none() {
            return;
        }
        if self.config.redirected.is_some() || self.runtime.wiring.has_changes() {
            self.runtime.wiring.forget(self.process.pid());
        }
        if let Some(account) = self.process.account() {
            account.release_memory(self.held.saturating_add(self.slot_held));
        }
    }
}
