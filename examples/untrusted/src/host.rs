//! The host functions that are used, as the pages of abi/ list them.

macro_rules! imports {
    ($($name:ident = $module:literal {
        $(fn $function:ident($($argument:ident: $ty:ty),*) $(-> $result:ty)?;)*
    })*) => {$(
        pub mod $name {
            #[link(wasm_import_module = $module)]
            unsafe extern "C" {
                $(pub fn $function($($argument: $ty),*) $(-> $result)?;)*
            }
        }
    )*};
}

imports! {
    config = "lunatic::process" {
        fn create_empty_config() -> i64;
        fn config_set_max_memory(config: i64, bytes: i64);
        fn config_set_budget(
            config: i64, scope: i32, kind: i32, amount: i64, policy: i32, error: *mut u64
        ) -> i32;
    }
    process_imports = "lunatic::process" {
        fn spawn_with(options: *const super::process::Options, length: i32, r: *mut u64) -> i32;
        fn compile_module(module: *const u8, length: i32, id: *mut u64) -> i32;
        fn own_pid(pid: *mut u64);
        fn info(node: u64, id: u64, place: *mut u64, length: i32) -> i32;
        fn is_alive(node: u64, id: u64) -> i32;
        fn suspend(node: u64, id: u64, error: *mut u64) -> i32;
        fn exit(node: u64, id: u64, kind: i32, data: *const u8, length: i32);
        fn processes(pids: *mut u64, room: i32) -> i32;
        fn sleep_ms(milliseconds: i64);
    }
    message = "lunatic::message" {
        fn create_data(tag: i64, capacity: i64);
        fn write_data(data: *const u8, length: i32) -> i32;
        fn read_data(place: *mut u8, length: i32) -> i32;
        fn send_pid(node: u64, id: u64, timeout: i64) -> i32;
        fn receive_with(p: *const u8, count: i32, flags: i32, t: i64, header: *mut u32) -> i32;
    }
    registry = "lunatic::registry" {
        fn register(name: *const u8, length: i32, node: u64, id: u64) -> i32;
        fn get(name: *const u8, length: i32, node: *mut u64, id: *mut u64) -> i32;
    }
    timer = "lunatic::timer" {
        fn start(node: u64, id: u64, milliseconds: i64, reference: *mut u64) -> i32;
    }
    networking = "lunatic::networking" {
        fn tcp_connect(
            kind: i32, address: *const u8, port: i32, flow: i32, scope: i32, t: i64, id: *mut u64
        ) -> i32;
        fn tcp_bind(
            kind: i32, address: *const u8, port: i32, flow: i32, scope: i32, id: *mut u64
        ) -> i32;
        fn udp_bind(
            kind: i32, address: *const u8, port: i32, flow: i32, scope: i32, id: *mut u64
        ) -> i32;
        fn resolve(name: *const u8, length: i32, timeout: i64, id: *mut u64) -> i32;
    }
    sqlite = "lunatic::sqlite" {
        fn open(path: *const u8, length: i32, id: *mut u64) -> i64;
    }
    metrics = "lunatic::metrics" {
        fn counter(name: *const u8, length: i32, value: i64);
    }
    wasi = "wasi_snapshot_preview1" {
        fn random_get(place: *mut u8, length: i32) -> i32;
        fn fd_write(fd: i32, ranges: *const [usize; 2], count: i32, n: *mut u32) -> i32;
        fn fd_read(fd: i32, ranges: *const [usize; 2], count: i32, n: *mut u32) -> i32;
    }
}

/// What `lunatic::process` has, and the structure that one of its functions takes.
pub mod process {
    pub use super::process_imports::*;

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
