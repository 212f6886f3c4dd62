//! Limits: the name, unit and default of every bound on a process and on a node.
//!
//! A child's limits are the smaller of its parent's and what was asked for, field by field.
//! `docs/semantics.md` says what happens at each.

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr),* $(,)?) => {
        /// The bounds of one process.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct Limits { $($(#[$doc])* pub $name: $type,)* }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $($name: $default,)* }
            }
        }

        impl Limits {
            /// What a parent with `self` gives to a child that asks for `wish`.
            #[must_use]
            pub fn narrowed(&self, wish: &Limits) -> Limits {
                Limits { $($name: self.$name.min(wish.$name),)* }
            }
        }
    };
}

limits! {
    /// Bytes of linear memory. At the limit `memory.grow` gives -1, and a module that starts with
    /// more cannot be spawned.
    memory_bytes_max: u64 = 1 << 32,
    /// Wasm instructions, counted only where this is not `u64::MAX`. At the limit the process traps.
    fuel_max: u64 = u64::MAX,
    /// Elements of all tables of the instance. At the limit `table.grow` gives -1.
    table_elements_max: u64 = 100_000,
    /// Messages in the mailbox. At the limit the sender waits.
    mailbox_messages_max: usize = 1 << 20,
    /// Bytes in the mailbox. At the limit the sender waits.
    mailbox_bytes_max: usize = 256 << 20,
    /// Bytes in one message. At the limit `write_data` traps.
    message_bytes_max: usize = 64 << 20,
    /// Resources in one message. At the limit attaching traps.
    message_resources_max: usize = 1024,
    /// Links that the process makes. At the limit it ends with this reason.
    links_max: usize = 1 << 20,
    /// Monitors that the process makes. At the limit it ends with this reason.
    monitors_max: usize = 1 << 20,
    /// Timers that the process has running. At the limit it ends with this reason.
    timers_max: usize = 100_000,
    /// Names that lead to the process. At the limit registering ends the caller with this reason.
    names_max: usize = 1024,
    /// Error resources not yet dropped. At the limit it ends with this reason.
    errors_max: usize = 10_000,
    /// Entries in each other resource table. At the limit making one is an error or ends the process.
    resources_max: usize = 10_000,
    /// Nested calls of `lunatic::trap::catch`, each with a stack of its own. At the limit a call traps.
    catch_depth_max: u32 = 16,
}

/// The bounds of a whole node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeLimits {
    /// Live processes. At the limit a spawn is an error for the spawner.
    pub processes_max: usize,
    /// Running timers of all processes. At the limit setting one ends the process that asks.
    pub timers_max: usize,
    /// Bytes of one name. At the limit registering traps.
    pub name_bytes_max: usize,
    /// Bytes of a module. At the limit compiling is an error.
    pub module_bytes_max: usize,
}

impl Default for NodeLimits {
    fn default() -> NodeLimits {
        NodeLimits {
            processes_max: 2_000_000,
            timers_max: 10_000_000,
            name_bytes_max: 4096,
            module_bytes_max: 512 << 20,
        }
    }
}
