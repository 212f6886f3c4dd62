//! A host, and a plugin that it does not trust: it has no rights, 1 MiB of memory and a second of
//! processor time, and tries everything. What it finds, it tells the host: that is all it can do.
//!
//! Run it: `lunatic run examples/untrusted`
//!
//! It prints:
//!
//! ```text
//! plugin
//!   reads a file: refused (44)
//!   reads a file of the project: refused (44)
//!   writes a file: refused (44)
//!   writes standard output: refused (76)
//!   reads standard input: refused (76)
//!   counts environment variables: 0
//!   counts arguments: 0
//!   connects over TCP: refused (1)
//!   listens: refused (1)
//!   takes a UDP port: refused (1)
//!   looks up a name: refused (1)
//!   reads the clock: 0 s since 1970
//!   takes random numbers: the same twice
//!   compiles a module: refused (-1)
//!   makes a configuration: refused (-1)
//!   takes a name: refused (2)
//!   looks for the victim by name: refused (1)
//!   sets a timer: refused (1)
//!   opens a database: refused (1)
//!   asks which of 198 pids live: 0
//!   suspends them: 0
//!   kills them, and counts who is left: 1
//!   grows memory by 1 MiB: refused
//!   ended normally
//! plugin_spawns
//!   ended by a trap: this process may not spawn processes: its config lacks can_spawn_processes
//! plugin_loops
//!   ended by cpu_time_max
//! the victim lives
//! ```
//!
//! The operator sees on standard error what was denied, and how each would be granted.
//! docs/rights.md lists the rights.

use std::fmt::Display;
use std::time::SystemTime;

use host::{config, message, metrics, networking, process, registry, sqlite, timer, wasi};

mod host;

/// What the plugin would take if it could: a process of the host, with a name.
const VICTIM: &str = "victim";
/// The tag of messages of the plugin.
const FOUND: i64 = 1;
/// Pids that the plugin guesses.
const GUESSES: std::ops::Range<u64> = 1..200;

const MONITOR: u32 = 2;
const OWN: i64 = -1;

/// Spawns a process, watched by the caller.
fn spawn(entry: &str, config: i64) -> u64 {
    let options = process::Options {
        flags: MONITOR,
        priority: 0,
        config,
        module: OWN,
        entry: entry.as_ptr(),
        entry_length: entry.len() as u32,
        params: 0,
        params_length: 0,
    };
    let mut result = [0; 4];
    // SAFETY: here and below the functions are as the pages of abi/ say, and all pointers are to
    // values that live until the call returns, with the lengths that are told.
    let code = unsafe {
        process::spawn_with(&options, size_of::<process::Options>() as i32, result.as_mut_ptr())
    };
    assert_eq!(code, 0, "the host may spawn");
    result[1]
}

/// What the plugin gets: nothing, 1 MiB, a second of processor time.
fn nothing() -> i64 {
    let mut error = 0;
    unsafe {
        let config = config::create_empty_config();
        config::config_set_max_memory(config, 1 << 20);
        // For the process, of kind 1 (milliseconds of processor time), at the limit 2 (end).
        assert_eq!(config::config_set_budget(config, 0, 1, 1000, 2, &mut error), 0);
        config
    }
}

fn main() {
    let victim = spawn("victim", OWN);
    unsafe { registry::register(VICTIM.as_ptr(), VICTIM.len() as i32, 0, victim) };
    for entry in ["plugin", "plugin_spawns", "plugin_loops"] {
        spawn(entry, nothing());
        println!("{entry}");
        while let Some(line) = next() {
            println!("  {line}");
        }
    }
    let lives = unsafe { process::is_alive(0, victim) } == 1;
    println!("the victim {}", if lives { "lives" } else { "is dead" });
}

/// The next line of the plugin; its end is the last one, and then there is none.
fn next() -> Option<String> {
    thread_local!(static ENDED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    if ENDED.take() {
        return None;
    }
    let (mut header, mut text) = ([0; 16], [0; 1024]);
    let length = unsafe {
        message::receive_with(std::ptr::null(), 0, 0, -1, header.as_mut_ptr());
        message::read_data(text.as_mut_ptr(), text.len() as i32)
    };
    let text = String::from_utf8_lossy(&text[..length as usize]);
    let first = text.lines().next().unwrap_or_default().to_owned();
    // A message, or a down with its reason.
    if header[0] == 0 {
        return Some(first);
    }
    ENDED.set(true);
    Some(match header[1] {
        0 => "ended normally".into(),
        7 => format!("ended by a trap: {first}"),
        10 => format!("ended by {first}"),
        kind => format!("ended with a reason of kind {kind}"),
    })
}

#[unsafe(no_mangle)]
extern "C" fn victim() {
    unsafe { process::sleep_ms(3_600_000) };
}

/// Tells the parent, which is the one process that the plugin can tell anything.
fn tell(what: &str, found: impl Display) {
    let line = format!("{what}: {found}");
    unsafe {
        let (node, parent) = parent();
        message::create_data(FOUND, line.len() as i64);
        message::write_data(line.as_ptr(), line.len() as i32);
        message::send_pid(node, parent, -1);
    }
}

fn parent() -> (u64, u64) {
    let (mut own, mut info) = ([0; 2], [0_u64; 128]);
    unsafe {
        process::own_pid(own.as_mut_ptr());
        process::info(own[0], own[1], info.as_mut_ptr(), 1024);
    }
    (info[5], info[6])
}

/// How a call went of which 0 means that it was done.
fn outcome(code: i64) -> String {
    if code == 0 {
        "done".into()
    } else {
        format!("refused ({code})")
    }
}

fn of_io<T>(result: std::io::Result<T>) -> String {
    outcome(result.map_or_else(|error| i64::from(error.raw_os_error().unwrap_or(-1)), |_| 0))
}

#[unsafe(no_mangle)]
extern "C" fn plugin() {
    tell("reads a file", of_io(std::fs::read("/etc/passwd")));
    tell("reads a file of the project", of_io(std::fs::read("README.md")));
    tell("writes a file", of_io(std::fs::write("plugin.txt", "I was here")));
    uses_streams();
    tell("counts environment variables", std::env::vars().count());
    tell("counts arguments", std::env::args().count());
    uses_the_network();
    uses_clocks_and_random_numbers();
    uses_the_host();
    guesses_pids();
    tell(
        "grows memory by 1 MiB",
        match core::arch::wasm32::memory_grow(0, 16) {
            usize::MAX => "refused",
            _ => "done",
        },
    );
}

/// Not by `println!`: Rust's library takes a stream that cannot be used for one that is closed.
fn uses_streams() {
    let (text, mut place, mut count) = ("hello", [0; 8], 0);
    unsafe {
        let written = wasi::fd_write(1, &[text.as_ptr() as usize, text.len()], 1, &mut count);
        tell("writes standard output", outcome(written.into()));
        let read = wasi::fd_read(0, &[place.as_mut_ptr() as usize, place.len()], 1, &mut count);
        tell("reads standard input", outcome(read.into()));
    }
}

fn uses_the_network() {
    let (address, mut id) = ([127_u8, 0, 0, 1], 0);
    let name = "localhost:80";
    unsafe {
        let connect = networking::tcp_connect(4, address.as_ptr(), 80, 0, 0, -1, &mut id);
        tell("connects over TCP", outcome(connect.into()));
        let bind = networking::tcp_bind(4, address.as_ptr(), 0, 0, 0, &mut id);
        tell("listens", outcome(bind.into()));
        let bind = networking::udp_bind(4, address.as_ptr(), 0, 0, 0, &mut id);
        tell("takes a UDP port", outcome(bind.into()));
        let resolve = networking::resolve(name.as_ptr(), name.len() as i32, -1, &mut id);
        tell("looks up a name", outcome(resolve.into()));
    }
}

fn uses_clocks_and_random_numbers() {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is not before");
    tell("reads the clock", format_args!("{} s since 1970", time.as_secs()));
    let mut numbers = [[0_u8; 8]; 2];
    for number in &mut numbers {
        unsafe { wasi::random_get(number.as_mut_ptr(), 8) };
    }
    let same = if numbers[0] == numbers[1] { "the same twice" } else { "different" };
    tell("takes random numbers", same);
}

fn uses_the_host() {
    let (mut id, mut own) = (0, [0; 2]);
    let (module, database) = ("(module)", ":memory:");
    unsafe {
        let compiled = process::compile_module(module.as_ptr(), 8, &mut id);
        tell("compiles a module", outcome(compiled.into()));
        tell("makes a configuration", outcome(config::create_empty_config()));
        process::own_pid(own.as_mut_ptr());
        let name = "plugin";
        let named = registry::register(name.as_ptr(), name.len() as i32, own[0], own[1]);
        tell("takes a name", outcome(named.into()));
        let found = registry::get(VICTIM.as_ptr(), VICTIM.len() as i32, &mut id, &mut own[0]);
        tell("looks for the victim by name", outcome(found.into()));
        message::create_data(FOUND, 0);
        let started = timer::start(own[0], own[1], 0, own.as_mut_ptr());
        tell("sets a timer", outcome(started.into()));
        let opened = sqlite::open(database.as_ptr(), database.len() as i32, &mut id);
        tell("opens a database", outcome(opened));
        metrics::counter(name.as_ptr(), name.len() as i32, 1);
    }
}

/// Everybody lives in one environment, and pids are small numbers.
fn guesses_pids() {
    let mut own = [0; 2];
    unsafe { process::own_pid(own.as_mut_ptr()) };
    let (mut alive, mut suspended, mut error) = (0, 0, 0);
    for pid in GUESSES.filter(|pid| *pid != own[1]) {
        unsafe {
            alive += process::is_alive(0, pid);
            suspended += i32::from(process::suspend(0, pid, &mut error) == 0);
            process::exit(0, pid, 2, std::ptr::null(), 0);
        }
    }
    tell("asks which of 198 pids live", alive);
    tell("suspends them", suspended);
    let left = unsafe { process::processes(std::ptr::null_mut(), 0) };
    tell("kills them, and counts who is left", left);
}

#[unsafe(no_mangle)]
extern "C" fn plugin_spawns() {
    spawn("plugin", OWN);
}

#[unsafe(no_mangle)]
extern "C" fn plugin_loops() {
    loop {
        std::hint::black_box(0);
    }
}
