//! A host for many tenants, none of which it trusts: each may start as many processes as it likes,
//! within a budget for all of them together. One behaves; the others try to take everything.
//!
//! Run it: `lunatic run examples/tenants`
//!
//! It prints:
//!
//! ```text
//! ada, who adds up numbers in 4 processes: ended normally
//! bob, who fills memory from many processes: ended by tree_total_memory_max
//! cy, who spawns without end: ended by tree_children_max
//! dora, who loops in three processes: held at a tenth of a core, ended by tree_cpu_time_max
//! eli, who waits for ever: ended by tree_lifetime_max
//! ```
//!
//! `lunatic run examples/tenants share 10` lets a tenant with a tenth of a core loop for ten
//! seconds beside a neighbour without a limit, and prints what each had. Where nothing else runs on
//! two cores or more, that is 10 % and nearly 100 %.
//!
//! The budget of a subtree is given by `config_set_budget` with scope 1; abi/budgets.md has the
//! kinds.

use std::time::Duration;

/// The host functions, as abi/budgets.md and abi/process.md list them.
mod host {
    #[link(wasm_import_module = "lunatic::process")]
    unsafe extern "C" {
        pub fn create_empty_config() -> i64;
        pub fn config_set_can_spawn_processes(config: i64, flag: i32);
        pub fn config_set_budget(c: i64, scope: i32, kind: i32, n: i64, p: i32, e: *mut u64)
            -> i32;
        pub fn account(node: i64, id: i64, scope: i32, place: *mut u64, length: i32) -> i32;
        pub fn spawn_with(options: *const Options, length: i32, result: *mut u64) -> i32;
        pub fn exit(node: i64, id: i64, kind: i32, data: *const u8, length: i32);
        pub fn sleep_ms(milliseconds: i64);
    }

    #[link(wasm_import_module = "lunatic::message")]
    unsafe extern "C" {
        pub fn receive_with(p: *const u8, count: i32, flags: i32, t: i64, header: *mut u32) -> i32;
        pub fn read_data(place: *mut u8, length: i32) -> i32;
    }

    /// What `spawn_with` takes; what is not here counts as zeros.
    #[repr(C)]
    pub struct Options {
        pub flags: u32,
        pub priority: u32,
        pub config: i64,
        pub module: i64,
        pub entry: *const u8,
        pub entry_length: u32,
        pub params: u32,
        pub params_length: u32,
    }
}

const MONITOR: u32 = 2;
const OWN: i64 = -1;
const SUBTREE: i32 = 1;

const MEMORY: i32 = 0;
const CPU_TIME: i32 = 1;
const CPU_RATE: i32 = 2;
const CHILDREN: i32 = 3;
const LIFETIME: i32 = 4;

const ERROR: i32 = 0;
const WAIT: i32 = 1;
const END: i32 = 2;

/// A kind, how much of it, and what happens at the limit.
type Budget = (i32, i64, i32);

/// Spawns a process, watched by the caller, with a budget for it and all that it spawns.
fn tenant(entry: &str, budgets: &[Budget]) -> i64 {
    // SAFETY: the functions are as their pages say, and all pointers are to live values.
    let config = unsafe { host::create_empty_config() };
    unsafe { host::config_set_can_spawn_processes(config, 1) };
    for (kind, amount, policy) in budgets {
        let mut error = 0;
        let set = unsafe {
            host::config_set_budget(config, SUBTREE, *kind, *amount, *policy, &mut error)
        };
        assert_eq!(set, 0, "each kind has this policy");
    }
    spawn(entry, config, MONITOR).expect("a first process has room in its own budget")
}

fn spawn(entry: &str, config: i64, flags: u32) -> Option<i64> {
    let options = host::Options {
        flags,
        priority: 0,
        config,
        module: OWN,
        entry: entry.as_ptr(),
        entry_length: entry.len() as u32,
        params: 0,
        params_length: 0,
    };
    let mut result = [0; 4];
    // SAFETY: the options and the result live until the call returns, with the length that is told.
    let code = unsafe {
        host::spawn_with(&options, size_of::<host::Options>() as i32, result.as_mut_ptr())
    };
    (code == 0).then_some(result[1] as i64)
}

/// Of each kind: what is used, and what there may be.
fn account(id: i64) -> Option<[u64; 10]> {
    let mut account = [0; 10];
    // SAFETY: the place has the length that is told.
    let code = unsafe { host::account(0, id, SUBTREE, account.as_mut_ptr(), 80) };
    (code == 0).then_some(account)
}

/// Waits for the end of the next tenant and says how it came.
fn ending() -> String {
    let (mut header, mut name) = ([0; 16], [0; 64]);
    // SAFETY: the header has its 64 bytes, and the place for data the length that is told.
    let length = unsafe {
        host::receive_with(std::ptr::null(), 0, 0, -1, header.as_mut_ptr());
        host::read_data(name.as_mut_ptr(), name.len() as i32)
    };
    match header[1] {
        0 => "ended normally".into(),
        10 => format!("ended by {}", String::from_utf8_lossy(&name[..length as usize])),
        kind => format!("ended with a reason of kind {kind}"),
    }
}

fn sleep(time: Duration) {
    // SAFETY: it takes no pointers.
    unsafe { host::sleep_ms(time.as_millis() as i64) };
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("share") {
        let seconds = arguments.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(10);
        return share(Duration::from_secs(seconds));
    }
    let megabytes = |n: i64| n << 20;
    tenant("ada", &[(MEMORY, megabytes(16), END), (CHILDREN, 8, END)]);
    println!("ada, who adds up numbers in 4 processes: {}", ending());

    tenant("bob", &[(MEMORY, megabytes(32), END)]);
    println!("bob, who fills memory from many processes: {}", ending());

    tenant("cy", &[(CHILDREN, 100, END), (MEMORY, megabytes(512), ERROR)]);
    println!("cy, who spawns without end: {}", ending());

    let dora = tenant("dora", &[(CPU_RATE, 100, WAIT), (CPU_TIME, 50, END)]);
    let mut held = false;
    while let (false, Some(account)) = (held, account(dora)) {
        held = account[2 * CPU_RATE as usize] > 0;
        sleep(Duration::from_millis(1));
    }
    let held = if held { "held at a tenth of a core" } else { "never held" };
    println!("dora, who loops in three processes: {held}, {}", ending());

    tenant("eli", &[(LIFETIME, 50, END)]);
    println!("eli, who waits for ever: {}", ending());
}

/// A tenant with a tenth of a core beside one without a limit whose use is counted all the same.
fn share(time: Duration) {
    let [hog, neighbour] = [100, -1].map(|rate| tenant("dora_alone", &[(CPU_RATE, rate, WAIT)]));
    sleep(time);
    for (name, id) in [("a tenth of a core", hog), ("no limit", neighbour)] {
        let account = account(id).expect("it loops for ever");
        let used = account[2 * CPU_TIME as usize];
        let percent = used as f64 * 100.0 / time.as_millis() as f64;
        let held = account[2 * CPU_RATE as usize];
        println!(
            "{name}: {used} ms of processor time, {percent:.1} % of a core, held {held} times"
        );
        // SAFETY: without data there is nothing to point to. 2 is the reason kill.
        unsafe { host::exit(0, id, 2, std::ptr::null(), 0) };
    }
}

/// Some honest work, in processes of its own.
#[unsafe(no_mangle)]
extern "C" fn ada() {
    for _ in 0..4 {
        spawn("ada_adds", OWN, 0);
    }
}

#[unsafe(no_mangle)]
extern "C" fn ada_adds() {
    std::hint::black_box((0..1_000_u64).sum::<u64>());
}

/// Each process takes some memory: together it is too much.
#[unsafe(no_mangle)]
extern "C" fn bob() {
    loop {
        spawn("bob_waits", OWN, 0);
        std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

#[unsafe(no_mangle)]
extern "C" fn bob_waits() {
    std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
    sleep(Duration::from_secs(3600));
}

#[unsafe(no_mangle)]
extern "C" fn cy() {
    while spawn("eli", OWN, 0).is_some() {}
}

#[unsafe(no_mangle)]
extern "C" fn dora() {
    for _ in 0..2 {
        spawn("dora_alone", OWN, 0);
    }
    dora_alone();
}

#[unsafe(no_mangle)]
extern "C" fn dora_alone() {
    loop {
        std::hint::black_box(0);
    }
}

#[unsafe(no_mangle)]
extern "C" fn eli() {
    sleep(Duration::from_secs(3600));
}
