//! The functions that guests may import, with their exact types.

/// `namespace name parameters -> result`, one a line.
const FUNCTIONS: &str = "
lunatic::error string_size i64 -> i32
lunatic::error to_string i64 i32 ->
lunatic::error drop i64 ->
lunatic::message create_data i64 i64 ->
lunatic::message write_data i32 i32 -> i32
lunatic::message read_data i32 i32 -> i32
lunatic::message seek_data i64 ->
lunatic::message get_tag -> i64
lunatic::message get_process_id -> i64
lunatic::message data_size -> i64
lunatic::message push_module i64 -> i64
lunatic::message take_module i64 -> i64
lunatic::message push_tcp_stream i64 -> i64
lunatic::message take_tcp_stream i64 -> i64
lunatic::message push_tls_stream i64 -> i64
lunatic::message take_tls_stream i64 -> i64
lunatic::message push_udp_socket i64 -> i64
lunatic::message take_udp_socket i64 -> i64
lunatic::message send i64 -> i32
lunatic::message send_receive_skip_search i64 i64 i64 -> i32
lunatic::message receive i32 i32 i64 -> i32
lunatic::timer send_after i64 i64 -> i64
lunatic::timer cancel_timer i64 -> i32
lunatic::networking resolve i32 i32 i64 i32 -> i32
lunatic::networking drop_dns_iterator i64 ->
lunatic::networking resolve_next i64 i32 i32 i32 i32 i32 -> i32
lunatic::networking tcp_bind i32 i32 i32 i32 i32 i32 -> i32
lunatic::networking drop_tcp_listener i64 ->
lunatic::networking tcp_local_addr i64 i32 -> i32
lunatic::networking tcp_accept i64 i32 i32 -> i32
lunatic::networking tcp_connect i32 i32 i32 i32 i32 i64 i32 -> i32
lunatic::networking tcp_peer_addr i64 i32 -> i32
lunatic::networking drop_tcp_stream i64 ->
lunatic::networking clone_tcp_stream i64 -> i64
lunatic::networking tcp_write_vectored i64 i32 i32 i32 -> i32
lunatic::networking tcp_peek i64 i32 i32 i32 -> i32
lunatic::networking tcp_read i64 i32 i32 i32 -> i32
lunatic::networking set_read_timeout i64 i64 ->
lunatic::networking set_write_timeout i64 i64 ->
lunatic::networking set_peek_timeout i64 i64 ->
lunatic::networking get_read_timeout i64 -> i64
lunatic::networking get_write_timeout i64 -> i64
lunatic::networking get_peek_timeout i64 -> i64
lunatic::networking tcp_flush i64 i32 -> i32
lunatic::networking tls_bind i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 -> i32
lunatic::networking drop_tls_listener i64 ->
lunatic::networking tls_local_addr i64 i32 -> i32
lunatic::networking tls_accept i64 i32 i32 -> i32
lunatic::networking tls_connect i32 i32 i32 i64 i32 i32 i32 -> i32
lunatic::networking drop_tls_stream i64 ->
lunatic::networking clone_tls_stream i64 -> i64
lunatic::networking tls_write_vectored i64 i32 i32 i32 -> i32
lunatic::networking tls_read i64 i32 i32 i32 -> i32
lunatic::networking set_tls_read_timeout i64 i64 ->
lunatic::networking set_tls_write_timeout i64 i64 ->
lunatic::networking get_tls_read_timeout i64 -> i64
lunatic::networking get_tls_write_timeout i64 -> i64
lunatic::networking tls_flush i64 i32 -> i32
lunatic::networking udp_bind i32 i32 i32 i32 i32 i32 -> i32
lunatic::networking udp_local_addr i64 i32 -> i32
lunatic::networking udp_peer_addr i64 i32 -> i32
lunatic::networking drop_udp_socket i64 ->
lunatic::networking udp_receive i64 i32 i32 i32 -> i32
lunatic::networking udp_receive_from i64 i32 i32 i32 i32 -> i32
lunatic::networking udp_connect i64 i32 i32 i32 i32 i32 i64 i32 -> i32
lunatic::networking clone_udp_socket i64 -> i64
lunatic::networking set_udp_socket_broadcast i64 i32 ->
lunatic::networking get_udp_socket_broadcast i64 -> i32
lunatic::networking set_udp_socket_ttl i64 i32 ->
lunatic::networking get_udp_socket_ttl i64 -> i32
lunatic::networking udp_send_to i64 i32 i32 i32 i32 i32 i32 i32 i32 -> i32
lunatic::networking udp_send i64 i32 i32 i32 -> i32
lunatic::process compile_module i32 i32 i32 -> i32
lunatic::process drop_module i64 ->
lunatic::process create_config -> i64
lunatic::process drop_config i64 ->
lunatic::process config_set_max_memory i64 i64 ->
lunatic::process config_get_max_memory i64 -> i64
lunatic::process config_set_max_fuel i64 i64 ->
lunatic::process config_get_max_fuel i64 -> i64
lunatic::process config_can_compile_modules i64 -> i32
lunatic::process config_set_can_compile_modules i64 i32 ->
lunatic::process config_can_create_configs i64 -> i32
lunatic::process config_set_can_create_configs i64 i32 ->
lunatic::process config_can_spawn_processes i64 -> i32
lunatic::process config_set_can_spawn_processes i64 i32 ->
lunatic::process spawn i64 i64 i64 i32 i32 i32 i32 i32 -> i32
lunatic::process get_or_spawn i32 i32 i64 i64 i64 i32 i32 i32 i32 i32 i32 -> i32
lunatic::process sleep_ms i64 ->
lunatic::process die_when_link_dies i32 ->
lunatic::process process_id -> i64
lunatic::process environment_id -> i64
lunatic::process link i64 i64 ->
lunatic::process unlink i64 ->
lunatic::process monitor i64 ->
lunatic::process stop_monitoring i64 ->
lunatic::process kill i64 ->
lunatic::process exists i64 -> i32
lunatic::registry put i32 i32 i64 i64 ->
lunatic::registry get i32 i32 i32 i32 -> i32
lunatic::registry remove i32 i32 ->
lunatic::wasi config_add_environment_variable i64 i32 i32 i32 i32 ->
lunatic::wasi config_add_command_line_argument i64 i32 i32 ->
lunatic::wasi config_preopen_dir i64 i32 i32 ->
lunatic::sqlite open i32 i32 i32 -> i64
lunatic::sqlite query_prepare i64 i32 i32 -> i64
lunatic::sqlite execute i64 i32 i32 -> i32
lunatic::sqlite bind_value i64 i32 i32 ->
lunatic::sqlite sqlite3_changes i64 -> i32
lunatic::sqlite statement_reset i64 ->
lunatic::sqlite last_error i64 i32 -> i32
lunatic::sqlite sqlite3_finalize i64 ->
lunatic::sqlite sqlite3_step i64 -> i32
lunatic::sqlite read_column i64 i32 i32 -> i32
lunatic::sqlite column_names i64 i32 -> i32
lunatic::sqlite read_row i64 i32 -> i32
lunatic::sqlite column_count i64 -> i32
lunatic::sqlite column_name i64 i32 i32 -> i32
lunatic::trap catch i32 i32 -> i32
lunatic::version major -> i32
lunatic::version minor -> i32
lunatic::version patch -> i32
lunatic::distributed nodes_count -> i32
lunatic::distributed get_nodes i32 i32 -> i32
lunatic::distributed node_id -> i64
lunatic::distributed module_id -> i64
lunatic::distributed spawn i64 i64 i64 i32 i32 i32 i32 i32 -> i32
lunatic::distributed send i64 i64 -> i32
lunatic::distributed send_receive_skip_search i64 i64 i64 i64 -> i32
lunatic::distributed exec_lookup_nodes i32 i32 i32 i32 i32 -> i32
lunatic::distributed copy_lookup_nodes_results i64 i32 i32 i32 -> i32
lunatic::distributed test_root_cert i32 -> i32
lunatic::distributed default_server_certificates i32 i32 i32 i32 i32 -> i32
lunatic::distributed sign_node i32 i32 i32 i32 i32 i32 i32 -> i32
lunatic::metrics counter i32 i32 i64 ->
lunatic::metrics increment_counter i32 i32 ->
lunatic::metrics gauge i32 i32 f64 ->
lunatic::metrics increment_gauge i32 i32 f64 ->
lunatic::metrics decrement_gauge i32 i32 f64 ->
lunatic::metrics histogram i32 i32 f64 ->
wasi_snapshot_preview1 args_get i32 i32 -> i32
wasi_snapshot_preview1 args_sizes_get i32 i32 -> i32
wasi_snapshot_preview1 environ_get i32 i32 -> i32
wasi_snapshot_preview1 environ_sizes_get i32 i32 -> i32
wasi_snapshot_preview1 clock_res_get i32 i32 -> i32
wasi_snapshot_preview1 clock_time_get i32 i64 i32 -> i32
wasi_snapshot_preview1 fd_advise i32 i64 i64 i32 -> i32
wasi_snapshot_preview1 fd_allocate i32 i64 i64 -> i32
wasi_snapshot_preview1 fd_close i32 -> i32
wasi_snapshot_preview1 fd_datasync i32 -> i32
wasi_snapshot_preview1 fd_fdstat_get i32 i32 -> i32
wasi_snapshot_preview1 fd_fdstat_set_flags i32 i32 -> i32
wasi_snapshot_preview1 fd_fdstat_set_rights i32 i64 i64 -> i32
wasi_snapshot_preview1 fd_filestat_get i32 i32 -> i32
wasi_snapshot_preview1 fd_filestat_set_size i32 i64 -> i32
wasi_snapshot_preview1 fd_filestat_set_times i32 i64 i64 i32 -> i32
wasi_snapshot_preview1 fd_pread i32 i32 i32 i64 i32 -> i32
wasi_snapshot_preview1 fd_prestat_get i32 i32 -> i32
wasi_snapshot_preview1 fd_prestat_dir_name i32 i32 i32 -> i32
wasi_snapshot_preview1 fd_pwrite i32 i32 i32 i64 i32 -> i32
wasi_snapshot_preview1 fd_read i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 fd_readdir i32 i32 i32 i64 i32 -> i32
wasi_snapshot_preview1 fd_renumber i32 i32 -> i32
wasi_snapshot_preview1 fd_seek i32 i64 i32 i32 -> i32
wasi_snapshot_preview1 fd_sync i32 -> i32
wasi_snapshot_preview1 fd_tell i32 i32 -> i32
wasi_snapshot_preview1 fd_write i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 path_create_directory i32 i32 i32 -> i32
wasi_snapshot_preview1 path_filestat_get i32 i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 path_filestat_set_times i32 i32 i32 i32 i64 i64 i32 -> i32
wasi_snapshot_preview1 path_link i32 i32 i32 i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 path_open i32 i32 i32 i32 i32 i64 i64 i32 i32 -> i32
wasi_snapshot_preview1 path_readlink i32 i32 i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 path_remove_directory i32 i32 i32 -> i32
wasi_snapshot_preview1 path_rename i32 i32 i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 path_symlink i32 i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 path_unlink_file i32 i32 i32 -> i32
wasi_snapshot_preview1 poll_oneoff i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 proc_exit i32 ->
wasi_snapshot_preview1 proc_raise i32 -> i32
wasi_snapshot_preview1 random_get i32 i32 -> i32
wasi_snapshot_preview1 sched_yield -> i32
wasi_snapshot_preview1 sock_accept i32 i32 i32 -> i32
wasi_snapshot_preview1 sock_recv i32 i32 i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 sock_send i32 i32 i32 i32 i32 -> i32
wasi_snapshot_preview1 sock_shutdown i32 i32 -> i32
";

/// What came after those of version 0.13, in the same form.
const ADDITIONS: &str = "
lunatic::message push_tcp_listener i64 -> i64
lunatic::message take_tcp_listener i64 -> i64
lunatic::networking clone_tcp_listener i64 -> i64
lunatic::networking set_accept_timeout i64 i64 ->
lunatic::networking get_accept_timeout i64 -> i64
lunatic::networking tcp_stream_local_addr i64 i32 -> i32
lunatic::networking set_tcp_nodelay i64 i32 i32 -> i32
lunatic::networking get_tcp_nodelay i64 i32 -> i32
lunatic::networking set_tcp_keep_alive i64 i64 i32 -> i32
lunatic::networking get_tcp_keep_alive i64 i32 -> i32
lunatic::networking set_tcp_linger i64 i64 i32 -> i32
lunatic::networking get_tcp_linger i64 i32 -> i32
lunatic::networking tcp_shutdown i64 i32 i32 -> i32
lunatic::networking set_udp_receive_timeout i64 i64 ->
lunatic::networking get_udp_receive_timeout i64 -> i64
lunatic::networking set_udp_broadcast i64 i32 i32 -> i32
lunatic::networking get_udp_broadcast i64 i32 -> i32
lunatic::networking set_udp_ttl i64 i32 i32 -> i32
lunatic::networking get_udp_ttl i64 i32 -> i32
lunatic::networking set_udp_multicast_loop i64 i32 i32 -> i32
lunatic::networking get_udp_multicast_loop i64 i32 -> i32
lunatic::networking set_udp_multicast_ttl i64 i32 i32 -> i32
lunatic::networking get_udp_multicast_ttl i64 i32 -> i32
lunatic::networking udp_join_multicast_v4 i64 i32 i32 i32 -> i32
lunatic::networking udp_join_multicast_v6 i64 i32 i32 i32 -> i32
lunatic::networking udp_leave_multicast_v4 i64 i32 i32 i32 -> i32
lunatic::networking udp_leave_multicast_v6 i64 i32 i32 i32 -> i32
lunatic::networking unix_bind i32 i32 i32 -> i32
lunatic::networking unix_connect i32 i32 i64 i32 -> i32
lunatic::process create_empty_config -> i64
lunatic::process config_allow_network i64 i32 i32 i32 i32 -> i32
lunatic::process config_deny_network i64 ->
lunatic::process config_allow_resolve i64 i32 ->
lunatic::process config_set_budget i64 i32 i32 i64 i32 i32 -> i32
lunatic::process account i64 i64 i32 i32 i32 -> i32
lunatic::process config_audit i64 i64 i32 i32 -> i32
lunatic::process config_allow i64 i32 i32 i32 -> i32
lunatic::process config_deny i64 i32 i32 i32 -> i32
lunatic::message push_alias i64 i64 -> i64
lunatic::message take_alias i64 i32 ->
lunatic::message push_process i64 i64 -> i64
lunatic::message take_process i64 i32 ->
lunatic::process config_redirect i64 i32 i32 i32 i32 i32 i32 -> i32
lunatic::process config_redirect_to_process i64 i32 i32 i64 i64 i64 i32 i32 -> i32
lunatic::process redirect i64 i64 i32 i32 i32 i32 i32 i32 -> i32
lunatic::process redirect_to_process i64 i64 i32 i32 i64 i64 i64 i32 i32 -> i32
lunatic::message push_tls_listener i64 -> i64
lunatic::message take_tls_listener i64 -> i64
lunatic::networking tls_bind_with i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 -> i32
lunatic::networking tls_connect_with i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 -> i32
lunatic::networking tls_peer_addr i64 i32 -> i32
lunatic::networking tls_shutdown i64 i32 -> i32
lunatic::networking tls_alpn i64 i32 i32 i32 -> i32
lunatic::networking tls_peer_certificate i64 i32 i32 i32 -> i32
lunatic::process own_pid i32 ->
lunatic::process is_alive i64 i64 -> i32
lunatic::process processes i32 i32 -> i32
lunatic::process info i64 i64 i32 i32 -> i32
lunatic::process spawn_with i32 i32 i32 -> i32
lunatic::process exit i64 i64 i32 i32 i32 ->
lunatic::process exit_alias i64 i64 i32 i32 i32 i32 ->
lunatic::process exit_self i32 i32 i32 ->
lunatic::process hibernate i32 i32 i32 i32 i32 -> i32
lunatic::process link_pid i64 i64 i64 i32 ->
lunatic::process unlink_pid i64 i64 ->
lunatic::process monitor_pid i64 i64 i32 i32 ->
lunatic::process monitor_name i32 i32 i32 i32 ->
lunatic::process demonitor i64 i64 i32 -> i32
lunatic::process alias i32 i32 ->
lunatic::process unalias i64 i64 -> i32
lunatic::process set_flag i32 i64 i32 -> i32
lunatic::process set_label i32 i32 ->
lunatic::process suspend i64 i64 i32 -> i32
lunatic::process resume i64 i64 -> i32
lunatic::message send_pid i64 i64 i64 -> i32
lunatic::message send_name i32 i32 i64 -> i32
lunatic::message send_alias i64 i64 i32 i64 -> i32
lunatic::message receive_with i32 i32 i32 i64 i32 -> i32
lunatic::message mark ->
lunatic::message monitored_name i32 i32 -> i32
lunatic::registry register i32 i32 i64 i64 -> i32
lunatic::registry unregister i32 i32 -> i32
lunatic::timer start i64 i64 i64 i32 -> i32
lunatic::timer start_named i32 i32 i64 i32 -> i32
lunatic::timer cancel i64 i64 i32 -> i32
lunatic::timer read i64 i64 i32 -> i32
lunatic::sqlite close i64 -> i32
";

/// A function that guests may import.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its import module.
    pub namespace: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// The types of its parameters.
    pub params: Vec<&'static str>,
    /// The type of its result.
    pub result: Option<&'static str>,
}

impl Function {
    /// Reads a line as it stands above.
    pub fn from_line(line: &'static str) -> Function {
        let mut words = line.split_whitespace();
        let mut next = || words.next().expect("a line names a namespace and a function");
        let (namespace, name) = (next(), next());
        let params = words.by_ref().take_while(|word| *word != "->").collect();
        Function { namespace, name, params, result: words.next() }
    }

    /// How guests of these tests call it: `$message.send`, `$p1.fd_write`.
    pub fn identifier(&self) -> String {
        let namespace = self.namespace.strip_prefix("lunatic::").unwrap_or("p1");
        format!("${namespace}.{}", self.name)
    }

    /// The import in text form.
    pub fn import(&self) -> String {
        let Function { namespace, name, params, result } = self;
        let (id, params) = (self.identifier(), params.join(" "));
        let result = result.map(|ty| format!("(result {ty})")).unwrap_or_default();
        format!("(import \"{namespace}\" \"{name}\" (func {id} (param {params}) {result}))\n")
    }
}

/// The lines of what version 0.13 had of `lunatic::*`.
pub fn functions_of_0_13() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.lines().filter(|line| line.starts_with("lunatic::"))
}

/// The lines of what came after version 0.13.
pub fn additions() -> impl Iterator<Item = &'static str> {
    ADDITIONS.lines().filter(|line| !line.is_empty())
}

/// All of them.
pub fn functions() -> impl Iterator<Item = Function> {
    let lines = FUNCTIONS.lines().filter(|line| !line.is_empty());
    lines.chain(additions()).map(Function::from_line)
}
