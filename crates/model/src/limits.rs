//! Limits: the name, unit and default of every bound on a process and on a node.
//!
//! A child's limits are the smaller of its parent's and what was asked for, field by field.
//! `docs/semantics.md` says what happens at each.

macro_rules! limits {
    (
        $(#[$outer:meta])* $limits:ident:
        $($(#[$doc:meta])* $name:ident: $type:ty = $default:expr),* $(,)?
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $limits { $($(#[$doc])* pub $name: $type,)* }

        impl Default for $limits {
            fn default() -> $limits {
                $limits { $($name: $default,)* }
            }
        }

        impl $limits {
            /// The names of all these limits.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// Sets the limit of this name; false if there is none. A value that the limit's type
            /// cannot hold means the largest that it can.
            pub fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($name) => {
                        self.$name = value.try_into().unwrap_or(<$type>::MAX);
                        true
                    })*
                    _ => false,
                }
            }

            /// What a holder of `self` gives to somebody who asks for `wish`.
            #[must_use]
            pub fn narrowed(&self, wish: &$limits) -> $limits {
                $limits { $($name: self.$name.min(wish.$name),)* }
            }
        }
    };
}

limits! {
    /// The bounds of one process.
    Limits:
    /// Bytes of linear memory. At the limit `memory.grow` gives -1, and a module that starts with
    /// more cannot be spawned.
    memory_bytes_max: u64 = 1 << 32,
    /// Wasm instructions, counted only where this is not `u64::MAX`. At the limit the process
    /// ends with this reason.
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
    /// Active aliases of the process. At the limit it ends with this reason.
    aliases_max: usize = 1 << 20,
    /// Bytes of the reason with which the process ends itself or asks another to exit. At the
    /// limit the call traps.
    exit_reason_bytes_max: usize = 64 << 10,
    /// Timers that the process has running. At the limit it ends with this reason.
    timers_max: usize = 100_000,
    /// Names that lead to the process. At the limit registering ends the caller with this reason.
    names_max: usize = 1024,
    /// Error resources not yet dropped. At the limit it ends with this reason.
    errors_max: usize = 10_000,
    /// Entries in each other resource table. At the limit the process ends with this reason.
    resources_max: usize = 10_000,
    /// Bytes that SQLite takes for all connections. At the limit a call of it fails.
    sqlite_bytes_max: usize = 256 << 20,
    /// Nested calls of guest functions by host functions (`lunatic::trap::catch`, results of
    /// SQLite), each with a stack of its own. At the limit a call traps.
    catch_depth_max: u32 = 16,
    /// Names that are being looked up for the process, be it that nobody waits any more. At the
    /// limit a look-up waits for one of them.
    lookups_max: usize = 8,
}

limits! {
    /// The bounds of a whole node.
    NodeLimits:
    /// Live processes. At the limit a spawn is an error for the spawner.
    processes_max: usize = 2_000_000,
    /// Running timers of all processes. At the limit setting one ends the process that asks.
    node_timers_max: usize = 10_000_000,
    /// Bytes of one name or label. At the limit the call traps.
    name_bytes_max: usize = 4096,
    /// Bytes of a module. At the limit compiling is an error.
    module_bytes_max: usize = 512 << 20,
}
