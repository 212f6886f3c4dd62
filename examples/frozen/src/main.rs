//! A test of code that looks at the clock and throws dice: it is given a time and a seed, so that
//! it does the same in each run; then time is moved while it runs.
//!
//! Run it: `lunatic run examples/frozen`
//!
//! It prints:
//!
//! ```text
//! ticket 93 of 1767225600, thrown at midnight
//! ticket 93 of 1767225600, thrown at midnight
//! the voucher is valid
//! a year later: the voucher has expired
//! ```
//!
//! `config_redirect` says what a child gets, `redirect` changes a process that runs:
//! abi/redirect.md has both. The flags of `lunatic test`, such as `--redirect random=seed:1`, do
//! the same for a whole test run, without a line of code.

use std::time::{SystemTime, UNIX_EPOCH};

/// The host functions, as abi/redirect.md and abi/process.md list them.
mod host {
    #[link(wasm_import_module = "lunatic::process")]
    unsafe extern "C" {
        pub fn create_config() -> i64;
        pub fn config_redirect(
            c: i64,
            what: *const u8,
            n: usize,
            to: *const u8,
            m: usize,
            flags: i32,
            e: *mut u64,
        ) -> i32;
        pub fn redirect(
            node: i64,
            id: i64,
            what: *const u8,
            n: usize,
            to: *const u8,
            m: usize,
            flags: i32,
            e: *mut u64,
        ) -> i32;
        pub fn process_id() -> i64;
        pub fn spawn(
            link: i64,
            config: i64,
            module: i64,
            entry: *const u8,
            n: usize,
            params: *const u8,
            m: usize,
            id: *mut u64,
        ) -> i32;
    }

    #[link(wasm_import_module = "lunatic::message")]
    unsafe extern "C" {
        pub fn create_data(tag: i64, capacity: i64);
        pub fn send(to: i64) -> i32;
        pub fn receive(tags: *const i64, count: i32, timeout: i64) -> i32;
    }
}

const NEW_YEAR: &str = "fixed:2026-01-01T00:00:00Z";
const A_YEAR_LATER: &str = "fixed:2027-01-01T00:00:00Z";

/// Spawns a process with the time of New Year and numbers of a seed. It learns who its parent is.
fn frozen(entry: &str) -> i64 {
    let (mut error, mut id) = (0, 0);
    // A link, so that no failure goes unheard; the own pid as an i64.
    let mut params = [0; 17];
    params[0] = 0x7e;
    // SAFETY: the functions are as their pages say, and all pointers are to live values.
    unsafe {
        params[1..9].copy_from_slice(&host::process_id().to_le_bytes());
        let config = host::create_config();
        for (what, to) in [("clock", NEW_YEAR), ("random", "seed:1")] {
            let code = host::config_redirect(
                config,
                what.as_ptr(),
                what.len(),
                to.as_ptr(),
                to.len(),
                0,
                &mut error,
            );
            assert_eq!(code, 0, "the first process may redirect");
        }
        let (name, given) = ((entry.as_ptr(), entry.len()), (params.as_ptr(), params.len()));
        let code = host::spawn(1, config, -1, name.0, name.1, given.0, given.1, &mut id);
        assert_eq!(code, 0, "it can be spawned");
    }
    id as i64
}

fn tell(to: i64) {
    // SAFETY: neither takes a pointer.
    unsafe {
        host::create_data(1, 0);
        host::send(to);
    }
}

fn wait() {
    // SAFETY: no tags, so no pointer.
    let kind = unsafe { host::receive(std::ptr::null(), 0, -1) };
    assert_eq!(kind, 0, "a message comes");
}

fn main() {
    for _ in 0..2 {
        frozen("draw");
        wait();
    }
    let voucher = frozen("voucher");
    wait();
    let (what, to, mut error) = ("clock", A_YEAR_LATER, 0);
    // SAFETY: all pointers are to live values.
    let code = unsafe {
        host::redirect(0, voucher, what.as_ptr(), what.len(), to.as_ptr(), to.len(), 0, &mut error)
    };
    assert_eq!(code, 0, "its child can be redirected");
    tell(voucher);
    wait();
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// What is to be tested: a lottery that throws dice at midnight.
#[unsafe(no_mangle)]
extern "C" fn draw(parent: i64) {
    let now = now();
    let mut dice = [0; 1];
    random(&mut dice);
    let when = if now % 86_400 == 0 { "midnight" } else { "some other time" };
    println!("ticket {} of {now}, thrown at {when}", dice[0] % 100);
    tell(parent);
}

/// What is to be tested: a voucher that is valid for the year in which it was made.
#[unsafe(no_mangle)]
extern "C" fn voucher(parent: i64) {
    let valid_until = now() + 31_000_000;
    let state = || if now() < valid_until { "is valid" } else { "has expired" };
    println!("the voucher {}", state());
    tell(parent);
    wait();
    println!("a year later: the voucher {}", state());
    tell(parent);
}

/// Random bytes, as WASI gives them.
fn random(place: &mut [u8]) {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn random_get(place: *mut u8, length: usize) -> i32;
    }
    // SAFETY: the place has the length that is told.
    let code = unsafe { random_get(place.as_mut_ptr(), place.len()) };
    assert_eq!(code, 0, "there are random numbers");
}
