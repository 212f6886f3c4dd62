//! Which arguments of host functions mean more than numbers. What is not listed is told as it is.

/// Several arguments that are told as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Joined {
    /// A pointer at this place, then the length: a text.
    Text(usize),
    /// From this place on the five arguments of an address.
    Address(usize),
}

use Joined::{Address, Text};

impl Joined {
    /// Where it begins.
    pub(super) fn place(self) -> usize {
        match self {
            Text(place) | Address(place) => place,
        }
    }
}

/// What is told as one among the arguments of a function, in the order of the places.
pub(super) fn joined(namespace: &str, name: &str) -> &'static [Joined] {
    match (namespace, name) {
        ("wasi_snapshot_preview1", name) => wasi(name),
        (
            "lunatic::registry" | "lunatic::metrics" | "lunatic::sqlite",
            "put" | "get" | "remove" | "register" | "unregister" | "counter" | "increment_counter"
            | "gauge" | "increment_gauge" | "decrement_gauge" | "histogram" | "open",
        ) => &[Text(0)],
        ("lunatic::sqlite", "execute" | "query_prepare") => &[Text(1)],
        ("lunatic::networking", name) => networking(name),
        ("lunatic::timer", "start_named") => &[Text(0)],
        (_, "send_name" | "monitor_name" | "set_label") => &[Text(0)],
        (_, "get_or_spawn") => &[Text(0), Text(5)],
        (_, "spawn") => &[Text(3)],
        (_, "config_add_environment_variable") => &[Text(1), Text(3)],
        (
            _,
            "config_add_command_line_argument"
            | "config_preopen_dir"
            | "config_allow"
            | "config_deny",
        ) => &[Text(1)],
        (_, "config_allow_network") => &[Text(2)],
        _ => &[],
    }
}

fn wasi(name: &str) -> &'static [Joined] {
    match name {
        "path_create_directory"
        | "path_readlink"
        | "path_remove_directory"
        | "path_unlink_file" => &[Text(1)],
        "path_filestat_get" | "path_filestat_set_times" | "path_open" => &[Text(2)],
        "path_link" => &[Text(2), Text(5)],
        "path_rename" => &[Text(1), Text(4)],
        "path_symlink" => &[Text(0), Text(3)],
        _ => &[],
    }
}

fn networking(name: &str) -> &'static [Joined] {
    match name {
        "resolve" | "unix_bind" | "unix_connect" | "tls_connect" => &[Text(0)],
        "tcp_bind" | "tcp_connect" | "udp_bind" | "tls_bind" => &[Address(0)],
        "udp_connect" => &[Address(1)],
        "udp_send_to" => &[Address(3)],
        _ => &[],
    }
}
