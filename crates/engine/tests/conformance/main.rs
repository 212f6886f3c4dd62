//! What guests see of the host functions: every result, every trap, and what no guest can do to a
//! runtime. Guests are modules in text form that check what they see themselves.
//!
//! A number in a comment names the defect of the old runtime that must not come back.

#[path = "../common/mod.rs"]
mod common;

mod alone;
mod audit;
mod audit_process;
mod bonds;
mod budgets;
mod config;
mod descriptors;
mod ends;
mod error;
mod figures;
mod flags;
mod guests;
mod hibernate;
mod hostile;
mod imports;
mod info;
mod kills;
mod leak;
mod legacy;
mod message;
mod network_rights;
mod network_rules;
mod networking_dns;
mod networking_ipv6;
mod networking_listeners;
mod networking_options;
mod networking_tcp;
mod networking_tls;
mod networking_tls_connect;
mod networking_tls_streams;
mod networking_tls_with;
mod networking_udp;
#[cfg(unix)]
mod networking_unix;
mod patterns;
mod process;
mod receive;
mod redirect;
mod redirect_asked;
mod redirect_network;
mod redirect_process;
mod registry;
mod reuse;
mod rights;
mod rights_tree;
mod send;
mod smoke;
mod spawn;
mod spawn_with;
mod sqlite;
mod sqlite_life;
mod timer;
mod trap;
mod wasi_config;
