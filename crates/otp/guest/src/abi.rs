//! The imports, each as a safe function.

use crate::wire::Pair;

/// Results of the runtime.
const OK: i32 = 0;

/// How a message waits for room: as long as it takes.
const FOR_EVER: i64 = -1;

mod process {
    #[link(wasm_import_module = "lunatic::process")]
    unsafe extern "C" {
        pub fn own_pid(pid: *mut u64);
        pub fn is_alive(node: u64, id: u64) -> i32;
        pub fn spawn_with(options: *const u8, length: usize, result: *mut u64) -> i32;
        pub fn exit(node: u64, id: u64, kind: i32, data: *const u8, length: usize);
        pub fn exit_self(kind: i32, data: *const u8, length: usize) -> !;
        pub fn link_pid(node: u64, id: u64, tag: i64, flags: i32);
        pub fn unlink_pid(node: u64, id: u64);
        pub fn monitor_pid(node: u64, id: u64, flags: i32, reference: *mut u64);
        pub fn monitor_name(name: *const u8, length: usize, flags: i32, reference: *mut u64);
        pub fn demonitor(node: u64, id: u64, flags: i32) -> i32;
        pub fn alias(flags: i32, reference: *mut u64);
        pub fn unalias(node: u64, id: u64) -> i32;
        pub fn set_flag(flag: i32, value: u64, result: *mut u64) -> i32;
        pub fn suspend(node: u64, id: u64, error: *mut u64) -> i32;
        pub fn resume(node: u64, id: u64) -> i32;
        pub fn processes(pids: *mut u64, room: usize) -> usize;
        pub fn hibernate(
            entry: *const u8,
            length: usize,
            params: *const u8,
            params_length: usize,
            error: *mut u64,
        ) -> i32;
        pub fn info(node: u64, id: u64, place: *mut u8, length: usize) -> i32;
    }
}

mod message {
    #[link(wasm_import_module = "lunatic::message")]
    unsafe extern "C" {
        pub fn create_data(tag: i64, capacity: u64);
        pub fn read_data(place: *mut u8, length: usize) -> usize;
        pub fn send_pid(node: u64, id: u64, timeout: i64) -> i32;
        pub fn send_name(name: *const u8, length: usize, timeout: i64) -> i32;
        pub fn send_alias(node: u64, id: u64, flags: i32, timeout: i64) -> i32;
        pub fn receive_with(
            patterns: *const u8,
            count: usize,
            flags: i32,
            timeout: i64,
            header: *mut u8,
        ) -> i32;
    }
}

mod registry {
    #[link(wasm_import_module = "lunatic::registry")]
    unsafe extern "C" {
        pub fn register(name: *const u8, length: usize, node: u64, id: u64) -> i32;
        pub fn unregister(name: *const u8, length: usize) -> i32;
        pub fn get(name: *const u8, length: usize, node: *mut u64, id: *mut u64) -> i32;
    }
}

mod timer {
    #[link(wasm_import_module = "lunatic::timer")]
    unsafe extern "C" {
        pub fn start(node: u64, id: u64, milliseconds: i64, reference: *mut u64) -> i32;
        pub fn start_named(
            name: *const u8,
            length: usize,
            milliseconds: i64,
            reference: *mut u64,
        ) -> i32;
        pub fn cancel(node: u64, id: u64, left: *mut u64) -> i32;
        pub fn read(node: u64, id: u64, left: *mut u64) -> i32;
    }
}

/// Lets a function store a pair.
fn pair(store: impl FnOnce(*mut u64)) -> Pair {
    let mut pair = [0; 2];
    store(pair.as_mut_ptr());
    (pair[0], pair[1])
}

/// The kind and data of a reason of the harness.
fn reason(code: u8) -> (i32, Vec<u8>) {
    match code {
        0 => (0, Vec::new()),
        1 => (2, Vec::new()),
        2 => (3, Vec::new()),
        3 => (1, Vec::new()),
        4 => (4, Vec::new()),
        5 => (7, b"crash".to_vec()),
        custom => (11, vec![custom.wrapping_sub(16)]),
    }
}

pub fn own_pid() -> Pair {
    // SAFETY: each place that is handed over in this file is as long as abi/process.md says.
    pair(|place| unsafe { process::own_pid(place) })
}

pub fn is_alive(pid: Pair) -> bool {
    // SAFETY: no place is handed over.
    unsafe { process::is_alive(pid.0, pid.1) == 1 }
}

/// Spawns `child` and gives its pid and the reference of the monitor.
pub fn spawn(child: u8, link: bool, monitor: bool) -> (Pair, Pair) {
    const ENTRY: &str = "child";
    let mut param = [0_u8; 17];
    param[0] = 0x7E;
    param[1] = child;
    let mut options = Vec::with_capacity(72);
    let flags = u32::from(link) | u32::from(monitor) << 1;
    options.extend(u64::from(flags).to_le_bytes());
    options.extend((-1_i64).to_le_bytes());
    options.extend((-1_i64).to_le_bytes());
    for (pointer, length) in [(ENTRY.as_ptr(), ENTRY.len()), (param.as_ptr(), param.len())] {
        options.extend((pointer as u32).to_le_bytes());
        options.extend((length as u32).to_le_bytes());
    }
    options.resize(72, 0);
    let mut result = [0_u64; 4];
    // SAFETY: as above; what the options point to lives until the call is over.
    let code = unsafe { process::spawn_with(options.as_ptr(), options.len(), result.as_mut_ptr()) };
    assert_eq!(code, OK, "the runtime spawns every process of a program");
    ((result[0], result[1]), (result[2], result[3]))
}

pub fn exit(pid: Pair, code: u8) {
    let (kind, data) = reason(code);
    // SAFETY: as above.
    unsafe { process::exit(pid.0, pid.1, kind, data.as_ptr(), data.len()) }
}

pub fn exit_self(code: u8) -> ! {
    let (kind, data) = reason(code);
    // SAFETY: as above.
    unsafe { process::exit_self(kind, data.as_ptr(), data.len()) }
}

pub fn link(pid: Pair) {
    // SAFETY: no place is handed over.
    unsafe { process::link_pid(pid.0, pid.1, 0, 0) }
}

pub fn unlink(pid: Pair) {
    // SAFETY: no place is handed over.
    unsafe { process::unlink_pid(pid.0, pid.1) }
}

pub fn monitor(pid: Pair, flags: i32) -> Pair {
    // SAFETY: as above.
    pair(|place| unsafe { process::monitor_pid(pid.0, pid.1, flags, place) })
}

pub fn monitor_name(name: &str, flags: i32) -> Pair {
    // SAFETY: as above.
    pair(|place| unsafe { process::monitor_name(name.as_ptr(), name.len(), flags, place) })
}

pub fn demonitor(reference: Pair, flush: bool) {
    // SAFETY: no place is handed over.
    unsafe { process::demonitor(reference.0, reference.1, i32::from(flush)) };
}

pub fn alias(reply: bool) -> Pair {
    // SAFETY: as above.
    pair(|place| unsafe { process::alias(i32::from(reply), place) })
}

pub fn unalias(reference: Pair) -> bool {
    // SAFETY: no place is handed over.
    unsafe { process::unalias(reference.0, reference.1) == 1 }
}

/// The value of before; none if the flag cannot have the value.
pub fn set_flag(flag: i32, value: u64) -> Option<u64> {
    let mut before = 0;
    // SAFETY: as above.
    let code = unsafe { process::set_flag(flag, value, &mut before) };
    (code == OK).then_some(before)
}

pub fn suspend(pid: Pair) -> bool {
    let mut error = 0;
    // SAFETY: as above.
    unsafe { process::suspend(pid.0, pid.1, &mut error) == OK }
}

pub fn resume(pid: Pair) -> bool {
    // SAFETY: no place is handed over.
    unsafe { process::resume(pid.0, pid.1) == OK }
}

/// Sets a limit of memory that kills, so many bytes above what there is.
pub fn limit_memory(left: usize) {
    let bytes = std::arch::wasm32::memory_size::<0>() * (1 << 16) + left;
    const MEMORY_POLICY: i32 = 2;
    const KILL: u64 = 2;
    const MEMORY_BYTES_MAX: i32 = 3;
    set_flag(MEMORY_POLICY, KILL).expect("there is such a policy");
    set_flag(MEMORY_BYTES_MAX, bytes as u64).expect("it is below the limit of the process");
}

/// All processes.
pub fn processes() -> Vec<Pair> {
    let mut pairs = vec![0; 2 * 64];
    // SAFETY: as above. A program has fewer processes than there is room for.
    let count = unsafe { process::processes(pairs.as_mut_ptr(), pairs.len() / 2) };
    let pairs = pairs.chunks_exact(2).take(count);
    pairs.map(|pair| (pair[0], pair[1])).collect()
}

/// Waits on a timer of its own.
pub fn sleep(time: std::time::Duration) {
    const NAPPED: i64 = i64::MIN + 2;
    // SAFETY: no place is handed over.
    unsafe { message::create_data(NAPPED, 0) };
    // SAFETY: as above.
    let timer = pair(|place| unsafe {
        let (node, id) = own_pid();
        timer::start(node, id, time.as_millis() as i64, place);
    });
    receive(&pattern(MESSAGE, REFERENCE, 0, (0, 0), timer), FOR_EVER);
}

/// Gives up the call stack; `entry` is called with the number when there is a message.
pub fn hibernate(entry: &str, number: i64) -> ! {
    let mut param = [0_u8; 17];
    param[0] = 0x7E;
    param[1..9].copy_from_slice(&number.to_le_bytes());
    let mut error = 0;
    // SAFETY: as above. What is in use on the stack is never looked at again.
    unsafe {
        process::hibernate(entry.as_ptr(), entry.len(), param.as_ptr(), param.len(), &mut error)
    };
    unreachable!("the entry exists, and takes one number")
}

/// What is asked of a process.
pub struct Info {
    pub trap_exit: u32,
    pub messages: u64,
    pub links: u64,
    pub monitors: u64,
    pub watchers: u64,
}

pub fn info(pid: Pair) -> Option<Info> {
    let mut header = [0_u8; 96];
    // SAFETY: as above. The lists are not asked for.
    let code = unsafe { process::info(pid.0, pid.1, header.as_mut_ptr(), header.len()) };
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| header[at + byte]));
    let count = |at| u64::from(u32_at(at));
    (code != 1).then(|| Info {
        trap_exit: u32_at(4),
        messages: count(16),
        links: count(56),
        monitors: count(60),
        watchers: count(64),
    })
}

fn draft(tag: u8) {
    // SAFETY: no place is handed over.
    unsafe { message::create_data(i64::from(tag), 0) }
}

pub fn send_pid(pid: Pair, tag: u8) -> bool {
    draft(tag);
    // SAFETY: no place is handed over.
    unsafe { message::send_pid(pid.0, pid.1, FOR_EVER) == OK }
}

pub fn send_name(name: &str, tag: u8) -> bool {
    draft(tag);
    // SAFETY: as above.
    unsafe { message::send_name(name.as_ptr(), name.len(), FOR_EVER) == OK }
}

pub fn send_alias(reference: Pair, tag: u8) -> bool {
    draft(tag);
    // SAFETY: no place is handed over.
    unsafe { message::send_alias(reference.0, reference.1, 0, FOR_EVER) == OK }
}

/// What a receive took.
pub struct Header {
    pub kind: u32,
    reason_kind: u32,
    pub tag: i64,
    pub from: Pair,
    pub reference: Pair,
}

impl Header {
    /// The harness's code for the reason of an exit or a down.
    pub fn reason(&self) -> u8 {
        match self.reason_kind {
            0 => 0,
            1 => 3,
            2 => 1,
            3 => 2,
            4 => 4,
            7 => 5,
            11 => 16 + data::<1>()[0],
            _ => u8::MAX,
        }
    }
}

/// Kinds that a pattern takes.
pub const MESSAGE: u32 = 1;
pub const EXIT: u32 = 2;
pub const DOWN: u32 = 4;

/// What a pattern compares.
pub const TAG: u32 = 1;
pub const FROM: u32 = 2;
pub const REFERENCE: u32 = 4;

/// A pattern as the runtime reads it.
pub fn pattern(kinds: u32, compared: u32, tag: i64, from: Pair, reference: Pair) -> Vec<u8> {
    let mut bytes = [kinds.to_le_bytes(), compared.to_le_bytes()].concat();
    bytes.extend(tag.to_le_bytes());
    for number in [from.0, from.1, reference.0, reference.1] {
        bytes.extend(number.to_le_bytes());
    }
    bytes
}

/// Receives by patterns of 48 bytes each; none at the timeout.
pub fn receive(patterns: &[u8], timeout: i64) -> Option<Header> {
    let mut header = [0_u8; 64];
    let (pointer, count) = (patterns.as_ptr(), patterns.len() / 48);
    // SAFETY: as above.
    let code = unsafe { message::receive_with(pointer, count, 0, timeout, header.as_mut_ptr()) };
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| header[at + byte]));
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| header[at + byte]));
    (code == OK).then(|| Header {
        kind: u32_at(0),
        reason_kind: u32_at(4),
        tag: u64_at(8) as i64,
        from: (u64_at(16), u64_at(24)),
        reference: (u64_at(32), u64_at(40)),
    })
}

/// The first bytes of the data of what was received.
pub fn data<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut data = [0; LENGTH];
    // SAFETY: as above.
    unsafe { message::read_data(data.as_mut_ptr(), LENGTH) };
    data
}

pub fn register(name: &str, pid: Pair) -> bool {
    // SAFETY: as above.
    unsafe { registry::register(name.as_ptr(), name.len(), pid.0, pid.1) == OK }
}

pub fn unregister(name: &str) -> bool {
    // SAFETY: as above.
    unsafe { registry::unregister(name.as_ptr(), name.len()) == OK }
}

/// The serial of the process that has the name. The function of 0.13 stores the number of the
/// environment's node, which is no part of a pid here.
pub fn whereis(name: &str) -> Option<Pair> {
    let (mut node, mut id) = (0, 0);
    // SAFETY: as above.
    let code = unsafe { registry::get(name.as_ptr(), name.len(), &mut node, &mut id) };
    (code == OK).then_some((0, id))
}

pub fn start(pid: Pair, tag: u8, milliseconds: i64) -> Pair {
    draft(tag);
    // SAFETY: as above.
    pair(|place| unsafe {
        timer::start(pid.0, pid.1, milliseconds, place);
    })
}

pub fn start_named(name: &str, tag: u8, milliseconds: i64) -> Pair {
    draft(tag);
    // SAFETY: as above.
    pair(|place| unsafe {
        timer::start_named(name.as_ptr(), name.len(), milliseconds, place);
    })
}

pub fn cancel(reference: Pair) -> bool {
    let mut left = 0;
    // SAFETY: as above.
    unsafe { timer::cancel(reference.0, reference.1, &mut left) == OK }
}

pub fn left(reference: Pair) -> bool {
    let mut left = 0;
    // SAFETY: as above.
    unsafe { timer::read(reference.0, reference.1, &mut left) == OK }
}
