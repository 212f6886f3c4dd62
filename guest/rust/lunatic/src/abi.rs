//! The host functions as they are imported: `abi/README.md` of the runtime lists them,
//! `abi/process.md` and its neighbours say what each does. Everything else in this crate is built
//! on them; a program can call them, too, where the crate lacks something.
//!
//! Elsewhere than on WebAssembly they exist so that programs compile and their pure parts can be
//! tested; calling one panics.
//!
//! ```
//! use lunatic::abi;
//!
//! let mut pid = [0u64; 2];
//! // SAFETY: the place has 16 bytes.
//! unsafe { abi::process::own_pid(pid.as_mut_ptr()) };
//! assert_eq!(lunatic::Pid::new(pid[0], pid[1]), lunatic::Pid::this());
//! ```

#![allow(missing_docs, clippy::too_many_arguments)]

/// A result of host functions: a deadline has passed.
pub const TIMED_OUT: i32 = 9027;

macro_rules! imports {
    ($($name:ident = $module:literal {
        $(fn $function:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*
    })*) => {$(
        #[doc = concat!("Functions of `", $module, "`.\n\n# Safety\n\nPointers must be valid as ",
            "the pages of `abi/` say; what the host refuses traps.")]
        pub mod $name {
            #[cfg(target_family = "wasm")]
            #[link(wasm_import_module = $module)]
            unsafe extern "C" {
                $(pub fn $function($($argument: $kind),*) $(-> $result)?;)*
            }
            $(
                #[cfg(not(target_family = "wasm"))]
                #[allow(clippy::missing_safety_doc)]
                pub unsafe fn $function($($argument: $kind),*) $(-> $result)? {
                    let _ = ($($argument,)*);
                    unimplemented!(concat!("`", $module, "` exists inside of Lunatic only"))
                }
            )*
        }
    )*};
}

imports! {
    error = "lunatic::error" {
        fn string_size(id: u64) -> u32;
        fn to_string(id: u64, place: *mut u8);
        fn drop(id: u64);
    }
    message = "lunatic::message" {
        fn create_data(tag: i64, capacity: u64);
        fn write_data(data: *const u8, length: usize) -> usize;
        fn read_data(place: *mut u8, length: usize) -> usize;
        fn seek_data(position: u64);
        fn data_size() -> u64;
        fn push_module(id: u64) -> u64;
        fn take_module(index: u64) -> u64;
        fn push_tcp_stream(id: u64) -> u64;
        fn take_tcp_stream(index: u64) -> u64;
        fn push_tcp_listener(id: u64) -> u64;
        fn take_tcp_listener(index: u64) -> u64;
        fn push_tls_stream(id: u64) -> u64;
        fn take_tls_stream(index: u64) -> u64;
        fn push_tls_listener(id: u64) -> u64;
        fn take_tls_listener(index: u64) -> u64;
        fn push_udp_socket(id: u64) -> u64;
        fn take_udp_socket(index: u64) -> u64;
        fn push_alias(node: u64, id: u64) -> u64;
        fn take_alias(index: u64, reference: *mut u64);
        fn push_process(node: u64, id: u64) -> u64;
        fn take_process(index: u64, pid: *mut u64);
        fn send_pid(node: u64, id: u64, timeout: u64) -> i32;
        fn send_name(name: *const u8, length: usize, timeout: u64) -> i32;
        fn send_alias(node: u64, id: u64, flags: u32, timeout: u64) -> i32;
        fn receive_with(
            patterns: *const crate::message::Pattern, count: usize, flags: u32, timeout: u64,
            header: *mut crate::message::Header
        ) -> i32;
        fn mark();
        fn monitored_name(place: *mut u8, room: usize) -> usize;
    }
    timer = "lunatic::timer" {
        fn start(node: u64, id: u64, milliseconds: u64, reference: *mut u64) -> i32;
        fn start_named(
            name: *const u8, length: usize, milliseconds: u64, reference: *mut u64
        ) -> i32;
        fn cancel(node: u64, id: u64, left: *mut u64) -> i32;
        fn read(node: u64, id: u64, left: *mut u64) -> i32;
    }
    registry = "lunatic::registry" {
        fn register(name: *const u8, length: usize, node: u64, id: u64) -> i32;
        fn unregister(name: *const u8, length: usize) -> i32;
        fn get(name: *const u8, length: usize, node: *mut u64, id: *mut u64) -> i32;
    }
    process = "lunatic::process" {
        fn own_pid(pid: *mut u64);
        fn environment_id() -> u64;
        fn is_alive(node: u64, id: u64) -> i32;
        fn spawn_with(options: *const u8, length: usize, result: *mut u64) -> i32;
        fn exit(node: u64, id: u64, kind: u32, data: *const u8, length: usize);
        fn exit_alias(
            node: u64, id: u64, flags: u32, kind: u32, data: *const u8, length: usize
        );
        fn hibernate(
            entry: *const u8, entry_length: usize, parameters: *const u8, length: usize,
            error: *mut u64
        ) -> i32;
        fn exit_self(kind: u32, data: *const u8, length: usize);
        fn sleep_ms(milliseconds: u64);
        fn link_pid(node: u64, id: u64, tag: i64, flags: u32);
        fn unlink_pid(node: u64, id: u64);
        fn monitor_pid(node: u64, id: u64, flags: u32, reference: *mut u64);
        fn monitor_name(name: *const u8, length: usize, flags: u32, reference: *mut u64);
        fn demonitor(node: u64, id: u64, flags: u32) -> i32;
        fn alias(flags: u32, reference: *mut u64);
        fn unalias(node: u64, id: u64) -> i32;
        fn set_flag(flag: u32, value: u64, result: *mut u64) -> i32;
        fn set_label(label: *const u8, length: usize);
        fn suspend(node: u64, id: u64, error: *mut u64) -> i32;
        fn resume(node: u64, id: u64) -> i32;
        fn processes(pids: *mut u64, room: usize) -> usize;
        fn info(node: u64, id: u64, place: *mut u8, length: usize) -> i32;
        fn compile_module(data: *const u8, length: usize, id: *mut u64) -> i32;
        fn drop_module(id: u64);
        fn create_empty_config() -> i64;
        fn create_config() -> i64;
        fn drop_config(id: u64);
        fn config_set_max_memory(id: u64, bytes: u64);
        fn config_get_max_memory(id: u64) -> u64;
        fn config_set_max_fuel(id: u64, units: u64);
        fn config_get_max_fuel(id: u64) -> u64;
        fn config_set_can_compile_modules(id: u64, flag: u32);
        fn config_can_compile_modules(id: u64) -> u32;
        fn config_set_can_create_configs(id: u64, flag: u32);
        fn config_can_create_configs(id: u64) -> u32;
        fn config_set_can_spawn_processes(id: u64, flag: u32);
        fn config_can_spawn_processes(id: u64) -> u32;
        fn config_allow_network(
            id: u64, access: u32, rule: *const u8, length: usize, error: *mut u64
        ) -> i32;
        fn config_deny_network(id: u64);
        fn config_allow(id: u64, right: *const u8, length: usize, error: *mut u64) -> i32;
        fn config_deny(id: u64, right: *const u8, length: usize, error: *mut u64) -> i32;
        fn config_allow_resolve(id: u64, flag: u32);
        fn config_set_budget(
            id: u64, scope: u32, kind: u32, amount: u64, policy: u32, error: *mut u64
        ) -> i32;
        fn config_redirect(
            id: u64, what: *const u8, what_length: usize, target: *const u8, target_length: usize,
            flags: u32, error: *mut u64
        ) -> i32;
        fn config_redirect_to_process(
            id: u64, what: *const u8, what_length: usize, node: u64, pid: u64, tag: i64,
            flags: u32, error: *mut u64
        ) -> i32;
        fn redirect(
            node: u64, id: u64, what: *const u8, what_length: usize, target: *const u8,
            target_length: usize, flags: u32, error: *mut u64
        ) -> i32;
        fn redirect_to_process(
            node: u64, id: u64, what: *const u8, what_length: usize, to_node: u64, to_id: u64,
            tag: i64, flags: u32, error: *mut u64
        ) -> i32;
        fn account(node: u64, id: u64, scope: u32, place: *mut u8, length: usize) -> i32;
        fn config_audit(id: u64, tag: i64, what: u32, error: *mut u64) -> i32;
    }
    wasi = "lunatic::wasi" {
        fn config_add_environment_variable(
            id: u64, name: *const u8, name_length: usize, value: *const u8, value_length: usize
        );
        fn config_add_command_line_argument(id: u64, argument: *const u8, length: usize);
        fn config_preopen_dir(id: u64, directory: *const u8, length: usize);
    }
    version = "lunatic::version" {
        fn major() -> u32;
        fn minor() -> u32;
        fn patch() -> u32;
    }
    trap = "lunatic::trap" {
        fn catch(function: usize, argument: usize) -> usize;
    }
    networking = "lunatic::networking" {
        fn resolve(name: *const u8, length: usize, timeout: u64, result: *mut u64) -> i32;
        fn drop_dns_iterator(id: u64);
        fn resolve_next(
            id: u64, family: *mut u32, address: *mut u8, port: *mut u16, flow_info: *mut u32,
            scope_id: *mut u32
        ) -> i32;
        fn tcp_bind(
            family: u32, address: *const u8, port: u32, flow_info: u32, scope_id: u32,
            result: *mut u64
        ) -> i32;
        fn drop_tcp_listener(id: u64);
        fn clone_tcp_listener(id: u64) -> u64;
        fn set_accept_timeout(id: u64, milliseconds: u64);
        fn get_accept_timeout(id: u64) -> u64;
        fn tcp_local_addr(id: u64, result: *mut u64) -> i32;
        fn tcp_accept(id: u64, result: *mut u64, peer: *mut u64) -> i32;
        fn tcp_connect(
            family: u32, address: *const u8, port: u32, flow_info: u32, scope_id: u32,
            timeout: u64, result: *mut u64
        ) -> i32;
        fn tcp_peer_addr(id: u64, result: *mut u64) -> i32;
        fn tcp_stream_local_addr(id: u64, result: *mut u64) -> i32;
        fn drop_tcp_stream(id: u64);
        fn clone_tcp_stream(id: u64) -> u64;
        fn tcp_write_vectored(
            id: u64, slices: *const [usize; 2], count: usize, result: *mut u64
        ) -> i32;
        fn tcp_peek(id: u64, place: *mut u8, length: usize, result: *mut u64) -> i32;
        fn tcp_read(id: u64, place: *mut u8, length: usize, result: *mut u64) -> i32;
        fn set_read_timeout(id: u64, milliseconds: u64);
        fn get_read_timeout(id: u64) -> u64;
        fn set_write_timeout(id: u64, milliseconds: u64);
        fn get_write_timeout(id: u64) -> u64;
        fn set_peek_timeout(id: u64, milliseconds: u64);
        fn get_peek_timeout(id: u64) -> u64;
        fn tcp_flush(id: u64, result: *mut u64) -> i32;
        fn set_tcp_nodelay(id: u64, flag: u32, result: *mut u64) -> i32;
        fn get_tcp_nodelay(id: u64, result: *mut u64) -> i32;
        fn set_tcp_keep_alive(id: u64, milliseconds: u64, result: *mut u64) -> i32;
        fn get_tcp_keep_alive(id: u64, result: *mut u64) -> i32;
        fn set_tcp_linger(id: u64, milliseconds: u64, result: *mut u64) -> i32;
        fn get_tcp_linger(id: u64, result: *mut u64) -> i32;
        fn tcp_shutdown(id: u64, how: u32, result: *mut u64) -> i32;
        fn unix_bind(path: *const u8, length: usize, result: *mut u64) -> i32;
        fn unix_connect(path: *const u8, length: usize, timeout: u64, result: *mut u64) -> i32;
        fn tls_bind_with(
            family: u32, address: *const u8, port: u32, flow_info: u32, scope_id: u32,
            result: *mut u64, certificate: *const u8, certificate_length: usize, key: *const u8,
            key_length: usize, authorities: *const [usize; 2], authorities_count: usize,
            clients: u32, protocols: *const u8, protocols_length: usize
        ) -> i32;
        fn tls_connect_with(
            host: *const u8, host_length: usize, port: u32, timeout: u64, result: *mut u64,
            authorities: *const [usize; 2], authorities_count: usize, certificate: *const u8,
            certificate_length: usize, key: *const u8, key_length: usize, protocols: *const u8,
            protocols_length: usize
        ) -> i32;
        fn drop_tls_listener(id: u64);
        fn tls_local_addr(id: u64, result: *mut u64) -> i32;
        fn tls_accept(id: u64, result: *mut u64, peer: *mut u64) -> i32;
        fn tls_peer_addr(id: u64, result: *mut u64) -> i32;
        fn drop_tls_stream(id: u64);
        fn clone_tls_stream(id: u64) -> u64;
        fn tls_write_vectored(
            id: u64, slices: *const [usize; 2], count: usize, result: *mut u64
        ) -> i32;
        fn tls_read(id: u64, place: *mut u8, length: usize, result: *mut u64) -> i32;
        fn set_tls_read_timeout(id: u64, milliseconds: u64);
        fn set_tls_write_timeout(id: u64, milliseconds: u64);
        fn get_tls_read_timeout(id: u64) -> u64;
        fn get_tls_write_timeout(id: u64) -> u64;
        fn tls_flush(id: u64, result: *mut u64) -> i32;
        fn tls_shutdown(id: u64, result: *mut u64) -> i32;
        fn tls_alpn(id: u64, place: *mut u8, length: usize, count: *mut u32) -> i32;
        fn tls_peer_certificate(id: u64, place: *mut u8, length: usize, count: *mut u32) -> i32;
        fn udp_bind(
            family: u32, address: *const u8, port: u32, flow_info: u32, scope_id: u32,
            result: *mut u64
        ) -> i32;
        fn udp_local_addr(id: u64, result: *mut u64) -> i32;
        fn udp_peer_addr(id: u64, result: *mut u64) -> i32;
        fn drop_udp_socket(id: u64);
        fn clone_udp_socket(id: u64) -> u64;
        fn udp_receive(id: u64, place: *mut u8, length: usize, result: *mut u64) -> i32;
        fn udp_receive_from(
            id: u64, place: *mut u8, length: usize, result: *mut u64, peer: *mut u64
        ) -> i32;
        fn udp_connect(
            id: u64, family: u32, address: *const u8, port: u32, flow_info: u32, scope_id: u32,
            timeout: u64, result: *mut u64
        ) -> i32;
        fn udp_send_to(
            id: u64, data: *const u8, length: usize, family: u32, address: *const u8, port: u32,
            flow_info: u32, scope_id: u32, result: *mut u64
        ) -> i32;
        fn udp_send(id: u64, data: *const u8, length: usize, result: *mut u64) -> i32;
        fn set_udp_receive_timeout(id: u64, milliseconds: u64);
        fn get_udp_receive_timeout(id: u64) -> u64;
        fn set_udp_broadcast(id: u64, flag: u32, result: *mut u64) -> i32;
        fn get_udp_broadcast(id: u64, result: *mut u64) -> i32;
        fn set_udp_ttl(id: u64, hops: u32, result: *mut u64) -> i32;
        fn get_udp_ttl(id: u64, result: *mut u64) -> i32;
        fn set_udp_multicast_loop(id: u64, flag: u32, result: *mut u64) -> i32;
        fn get_udp_multicast_loop(id: u64, result: *mut u64) -> i32;
        fn set_udp_multicast_ttl(id: u64, hops: u32, result: *mut u64) -> i32;
        fn get_udp_multicast_ttl(id: u64, result: *mut u64) -> i32;
        fn udp_join_multicast_v4(
            id: u64, group: *const u8, interface: *const u8, result: *mut u64
        ) -> i32;
        fn udp_join_multicast_v6(
            id: u64, group: *const u8, interface: u32, result: *mut u64
        ) -> i32;
        fn udp_leave_multicast_v4(
            id: u64, group: *const u8, interface: *const u8, result: *mut u64
        ) -> i32;
        fn udp_leave_multicast_v6(
            id: u64, group: *const u8, interface: u32, result: *mut u64
        ) -> i32;
    }
}
