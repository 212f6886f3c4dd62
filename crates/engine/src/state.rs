//! What a store holds for its process: handles, and what host functions keep between calls.
//!
//! Every process pays for this struct, so what few processes use is boxed and built on first use.

use std::sync::Arc;

use lunatic_model::{Envelope, Message, Pid, Tag};
use lunatic_node::Process;
use lunatic_wasi::Wasi;
use wasmtime::{Memory, Result};

use crate::config::ProcessConfig;
use crate::module::Module;
use crate::runtime::Shared;
use crate::tables::Tables;

pub(crate) struct State {
    pub(crate) process: Arc<Process>,
    pub(crate) runtime: Arc<Shared>,
    pub(crate) module: Module,
    pub(crate) config: Arc<ProcessConfig>,
    /// The exported memory, once it has been looked up.
    pub(crate) memory: Option<Memory>,
    pub(crate) slot: Slot,
    pub(crate) catch_depth: u32,
    /// The start section runs: nothing may be spawned from there.
    pub(crate) starting: bool,
    /// The turn of the process whose slice the current deadline ends.
    pub(crate) slice_of_turn: u32,
    pub(crate) memory_bytes: u64,
    pub(crate) table_elements: u64,
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
    /// A linked process has ended.
    Exit {
        tag: Tag,
    },
    /// A monitored process has ended.
    Down {
        from: Pid,
    },
}

impl From<Envelope> for Slot {
    fn from(envelope: Envelope) -> Slot {
        match envelope {
            Envelope::Message(message) => Slot::Data { message, cursor: 0 },
            Envelope::Exit { tag, .. } => Slot::Exit { tag },
            Envelope::Down { from, .. } => Slot::Down { from },
        }
    }
}

impl State {
    pub(crate) fn new(
        process: Arc<Process>,
        runtime: Arc<Shared>,
        module: Module,
        config: Arc<ProcessConfig>,
    ) -> State {
        State {
            process,
            runtime,
            module,
            config,
            memory: None,
            slot: Slot::Empty,
            catch_depth: 0,
            starting: true,
            slice_of_turn: 0,
            memory_bytes: 0,
            table_elements: 0,
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
