//! What can be set and told of streams and UDP sockets beside timeouts.
//!
//! Options belong to the socket, in all its clones. A value that the system refuses is an error
//! for the guest. Nothing here waits.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};

use lunatic_model::{Access, Protocol};
use wasmtime::{Caller, Linker, Result, WasmTy};

use crate::host::fail;
use crate::host::networking::{ID_BYTES, NAMESPACE, give, permit, shared};
use crate::memory::{bytes, check, split};
use crate::net::{DatagramSocket, Shareable, TcpConnection};
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    link_stream(linker)?;
    link_udp(linker)?;
    link_multicast(linker, ("udp_join_multicast_v4", "udp_join_multicast_v6"), true)?;
    link_multicast(linker, ("udp_leave_multicast_v4", "udp_leave_multicast_v6"), false)
}

fn link_stream(linker: &mut Linker<State>) -> Result<()> {
    type Stream = TcpConnection;
    set(linker, "set_tcp_nodelay", |stream: &Stream, on: i32| stream.set_nodelay(on != 0))?;
    get(linker, "get_tcp_nodelay", |stream: &Stream| stream.nodelay().map(u64::from))?;
    set(linker, "set_tcp_keep_alive", |stream: &Stream, idle: i64| stream.set_keep_alive(idle))?;
    get(linker, "get_tcp_keep_alive", |stream: &Stream| Ok(stream.keep_alive()))?;
    set(linker, "set_tcp_linger", |stream: &Stream, linger: i64| stream.set_linger(linger))?;
    get(linker, "get_tcp_linger", |stream: &Stream| stream.linger())?;
    set(linker, "tcp_shutdown", |stream: &Stream, how: i32| stream.shutdown(side(how)?))
}

/// What a shutdown ends.
fn side(how: i32) -> io::Result<Shutdown> {
    match how {
        0 => Ok(Shutdown::Read),
        1 => Ok(Shutdown::Write),
        2 => Ok(Shutdown::Both),
        _ => {
            let text = format!("it is 0 (read), 1 (write) or 2 (both), not {how}");
            Err(io::Error::new(ErrorKind::InvalidInput, text))
        }
    }
}

fn link_udp(linker: &mut Linker<State>) -> Result<()> {
    type Udp = DatagramSocket;
    set(linker, "set_udp_broadcast", |udp: &Udp, on: i32| udp.socket.set_broadcast(on != 0))?;
    get(linker, "get_udp_broadcast", |udp: &Udp| udp.socket.broadcast().map(u64::from))?;
    set(linker, "set_udp_ttl", |udp: &Udp, ttl: i32| udp.set_ttl(ttl.cast_unsigned()))?;
    get(linker, "get_udp_ttl", |udp: &Udp| udp.ttl().map(u64::from))?;
    set(linker, "set_udp_multicast_loop", |udp: &Udp, on: i32| udp.set_multicast_loop(on != 0))?;
    get(linker, "get_udp_multicast_loop", |udp: &Udp| udp.multicast_loop().map(u64::from))?;
    set(linker, "set_udp_multicast_ttl", |udp: &Udp, ttl: i32| {
        udp.set_multicast_ttl(ttl.cast_unsigned())
    })?;
    get(linker, "get_udp_multicast_ttl", |udp: &Udp| udp.multicast_ttl().map(u64::from))
}

/// A function that changes something: 0, or 1 with an error.
fn set<T: Shareable, V: WasmTy + Send + Sync + 'static>(
    linker: &mut Linker<State>,
    name: &'static str,
    act: fn(&T, V) -> io::Result<()>,
) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        name,
        move |mut caller: Caller<'_, State>, id: i64, value: V, out: i32| -> Result<i32> {
            let socket = shared::<T>(&mut caller, id)?;
            check(&mut caller, &[(out, ID_BYTES)])?;
            let result = act(&socket, value).map(|()| 0);
            answer(&mut caller, name, result, out)
        },
    )?;
    Ok(())
}

/// A function that tells a number: 0 with the number, or 1 with an error.
fn get<T: Shareable>(
    linker: &mut Linker<State>,
    name: &'static str,
    act: fn(&T) -> io::Result<u64>,
) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        name,
        move |mut caller: Caller<'_, State>, id: i64, out: i32| -> Result<i32> {
            let result = act(&*shared::<T>(&mut caller, id)?);
            answer(&mut caller, name, result, out)
        },
    )?;
    Ok(())
}

fn answer(
    caller: &mut Caller<'_, State>,
    name: &str,
    result: io::Result<u64>,
    out: i32,
) -> Result<i32> {
    match result {
        Ok(value) => give(caller, value, out),
        Err(error) => fail(caller, format!("`{name}` failed: {error}"), out),
    }
}

fn link_multicast(
    linker: &mut Linker<State>,
    (v4, v6): (&'static str, &'static str),
    join: bool,
) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        v4,
        move |mut caller: Caller<'_, State>, id: i64, group: i32, interface: i32, out: i32| {
            let group = Ipv4Addr::from(octets::<4>(&mut caller, group)?);
            let interface = Ipv4Addr::from(octets::<4>(&mut caller, interface)?);
            membership(caller, v4, (id, group.into(), out), |socket| {
                socket.membership_v4(join, group, interface)
            })
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        v6,
        move |mut caller: Caller<'_, State>, id: i64, group: i32, interface: i32, out: i32| {
            let group = Ipv6Addr::from(octets::<16>(&mut caller, group)?);
            membership(caller, v6, (id, group.into(), out), |socket| {
                socket.membership_v6(join, group, interface.cast_unsigned())
            })
        },
    )?;
    Ok(())
}

fn octets<const N: usize>(caller: &mut Caller<'_, State>, pointer: i32) -> Result<[u8; N]> {
    let (memory, _) = split(caller)?;
    let mut octets = [0; N];
    // N is 4 or 16.
    octets.copy_from_slice(bytes(memory, pointer, N as i32)?);
    Ok(octets)
}

/// To hear a group is to receive at its address.
fn membership(
    mut caller: Caller<'_, State>,
    name: &str,
    (id, group, out): (i64, IpAddr, i32),
    change: impl FnOnce(&DatagramSocket) -> io::Result<()>,
) -> Result<i32> {
    let socket = shared::<DatagramSocket>(&mut caller, id)?;
    check(&mut caller, &[(out, ID_BYTES)])?;
    let result = match socket.local_addr() {
        Ok(local) => {
            let address = SocketAddr::new(group, local.port());
            if let Err(text) = permit(&caller, Access::Bind, Protocol::Udp, address) {
                return fail(&mut caller, text, out);
            }
            change(&socket)
        }
        Err(error) => Err(error),
    };
    answer(&mut caller, name, result.map(|()| 0), out)
}
