//! Sockets: preview 1 can't make any, and none is handed in, so no descriptor is one.
//!
//! Networking is a namespace of its own. A bad descriptor is `Badf`, any other `Notsock`.

use crate::errno::Errno;
use crate::guest::{Answer, Guest};

/// Never succeeds.
pub fn sock_accept<G: Guest>(guest: &mut G, fd: u32, _flags: u32, _accepted: u32) -> Answer {
    Ok(not_a_socket(guest, fd))
}

/// Never succeeds.
pub fn sock_recv<G: Guest>(
    guest: &mut G,
    fd: u32,
    _iovs: u32,
    _iovs_len: u32,
    _flags: u32,
    _received: u32,
    _received_flags: u32,
) -> Answer {
    Ok(not_a_socket(guest, fd))
}

/// Never succeeds.
pub fn sock_send<G: Guest>(
    guest: &mut G,
    fd: u32,
    _iovs: u32,
    _iovs_len: u32,
    _flags: u32,
    _sent: u32,
) -> Answer {
    Ok(not_a_socket(guest, fd))
}

/// Never succeeds.
pub fn sock_shutdown<G: Guest>(guest: &mut G, fd: u32, _how: u32) -> Answer {
    Ok(not_a_socket(guest, fd))
}

fn not_a_socket<G: Guest>(guest: &mut G, fd: u32) -> Errno {
    match guest.wasi().get(fd) {
        Ok(_) => Errno::Notsock,
        Err(errno) => errno,
    }
}
