//! `lunatic info`: what a node would run on here, for reports of bugs and for people who ask why
//! theirs is slower, or holds fewer processes, than others'. Nothing is started, nothing changed.

use std::fmt::Write;
use std::thread;

use crate::runtime::{ChosenPath, chosen_paths, default_cache_directory};
use crate::status;

/// Prints it.
pub fn info() -> u8 {
    print!("{}", text());
    status::OK
}

fn text() -> String {
    let mut text = format!("lunatic {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |what: &str, how: &str| {
        let _ = writeln!(text, "{what:28} {how}");
    };
    let cores = thread::available_parallelism().map_or_else(|_| "?".into(), |n| n.to_string());
    line("system", &system());
    line("processors (and workers)", &cores);
    let cache = default_cache_directory();
    line("cache of compiled code", &cache.map_or("none".into(), |path| path.display().to_string()));
    for (what, how) in limits() {
        line(what, &how);
    }
    for ChosenPath { what, how } in chosen_paths() {
        line(what, how);
    }
    text
}

fn system() -> String {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    match read("/proc/sys/kernel/osrelease") {
        Some(release) => format!("{system} {release} {processor}"),
        None => format!("{system} {processor}"),
    }
}

/// What bounds processes, where the system tells.
fn limits() -> Vec<(&'static str, String)> {
    let own = read("/proc/self/limits").unwrap_or_default();
    let limit = |name: &str| -> Option<String> {
        let line = own.lines().find_map(|line| line.strip_prefix(name))?;
        let mut words = line.split_whitespace();
        Some(format!("{} (at most {})", words.next()?, words.next()?))
    };
    let limits = [
        ("memory mappings", read("/proc/sys/vm/max_map_count")),
        ("open files", limit("Max open files")),
        ("address space in bytes", limit("Max address space")),
    ];
    limits.into_iter().filter_map(|(what, limit)| Some((what, limit?))).collect()
}

fn read(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim_end().to_owned())
}
