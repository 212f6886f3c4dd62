//! UDP: sockets, and datagrams with and without a peer that was chosen beforehand.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use lunatic_model::{Access, Protocol};
use lunatic_node::OpenDescriptor;
use tokio::net::UdpSocket;
use wasmtime::{Caller, Linker, Result, format_err};

use crate::host::networking::{
    Deadline, ID_BYTES, NAMESPACE, RawAddress, add, address, at_most, clone, close, give,
    give_address, give_known_address, give_moved, link_timeout, permit, permit_bytes, shared,
};
use crate::host::{TIMED_OUT, fail, free_place};
use crate::memory::{bytes, bytes_mut, check, split, unsigned};
use crate::net::{DatagramSocket, Shareable};
use crate::redirect::network::address_reached;
use crate::state::State;

/// Result of `udp_peer_addr`: there is no peer.
const NOT_CONNECTED: i32 = 1;
/// Result of `udp_peer_addr`: something else went wrong.
const OTHER_ERROR: i32 = 2;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "udp_bind",
        |caller: Caller<'_, State>,
         kind: i32,
         at: i32,
         port: i32,
         flow: i32,
         scope: i32,
         id: i32| { udp_bind(caller, (kind, at, port, flow, scope), id) },
    )?;
    linker.func_wrap(NAMESPACE, "udp_local_addr", udp_local_addr)?;
    linker.func_wrap(NAMESPACE, "udp_peer_addr", udp_peer_addr)?;
    linker.func_wrap(NAMESPACE, "drop_udp_socket", close::<DatagramSocket>)?;
    linker.func_wrap_async(
        NAMESPACE,
        "udp_connect",
        |caller,
         (id, kind, at, port, flow, scope, timeout, out): (
            i64,
            i32,
            i32,
            i32,
            i32,
            i32,
            i64,
            i32,
        )| {
            Box::new(udp_connect(caller, id, (kind, at, port, flow, scope), timeout, out))
        },
    )?;
    linker.func_wrap(NAMESPACE, "clone_udp_socket", clone::<DatagramSocket>)?;
    link_options(linker)?;
    link_datagrams(linker)?;
    let names = ("set_udp_receive_timeout", "get_udp_receive_timeout");
    link_timeout(linker, names, |socket: &DatagramSocket| &socket.receive_timeout)
}

fn link_datagrams(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "udp_receive",
        |caller, (id, buffer, length, out): (i64, i32, i32, i32)| {
            Box::new(udp_receive(caller, id, (buffer, length), out, None))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "udp_receive_from",
        |caller, (id, buffer, length, out, from): (i64, i32, i32, i32, i32)| {
            Box::new(udp_receive(caller, id, (buffer, length), out, Some(from)))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "udp_send_to",
        |caller,
         (id, buffer, length, kind, at, port, flow, scope, out): (
            i64,
            i32,
            i32,
            i32,
            i32,
            i32,
            i32,
            i32,
            i32,
        )| {
            let to = (kind, at, port, flow, scope);
            Box::new(udp_send(caller, id, (buffer, length), Some(to), out))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "udp_send",
        |caller, (id, buffer, length, out): (i64, i32, i32, i32)| {
            Box::new(udp_send(caller, id, (buffer, length), None, out))
        },
    )?;
    Ok(())
}

fn link_options(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "set_udp_socket_broadcast",
        |mut caller: Caller<'_, State>, id: i64, flag: i32| -> Result<()> {
            option(socket(&mut caller, id)?.socket.set_broadcast(flag != 0))
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "get_udp_socket_broadcast",
        |mut caller: Caller<'_, State>, id: i64| -> Result<i32> {
            option(socket(&mut caller, id)?.socket.broadcast()).map(i32::from)
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "set_udp_socket_ttl",
        |mut caller: Caller<'_, State>, id: i64, ttl: i32| -> Result<()> {
            option(socket(&mut caller, id)?.socket.set_ttl(ttl.cast_unsigned()))
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "get_udp_socket_ttl",
        |mut caller: Caller<'_, State>, id: i64| -> Result<i32> {
            option(socket(&mut caller, id)?.socket.ttl()).map(u32::cast_signed)
        },
    )?;
    Ok(())
}

/// These functions have no place for an error; `options.rs` has others that do.
fn option<T>(result: io::Result<T>) -> Result<T> {
    result.map_err(|error| format_err!("the option of the UDP socket cannot be used: {error}"))
}

fn socket(caller: &mut Caller<'_, State>, id: i64) -> Result<Arc<DatagramSocket>> {
    shared(caller, id)
}

fn udp_bind(mut caller: Caller<'_, State>, raw: RawAddress, id: i32) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let address = address(&mut caller, raw)?;
    if let Err(text) = permit(&caller, Access::Bind, Protocol::Udp, address) {
        return fail(&mut caller, text, id);
    }
    let place = free_place(caller.data())?;
    match place.map_err(io::Error::other).and_then(|place| bind(address, place)) {
        Ok(socket) => {
            let new = add(&mut caller, DatagramSocket::table, Arc::new(socket))?;
            give(&mut caller, new, id)
        }
        Err(error) => {
            fail(&mut caller, format!("cannot bind a UDP socket to {address}: {error}"), id)
        }
    }
}

fn bind(address: SocketAddr, place: OpenDescriptor) -> io::Result<DatagramSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(DatagramSocket::new(UdpSocket::from_std(socket)?, place))
}

fn udp_local_addr(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    let address = socket(&mut caller, id)?.local_addr();
    give_known_address(&mut caller, address, "the socket has no address", out)
}

fn udp_peer_addr(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    let socket = socket(&mut caller, id)?;
    match socket.socket.peer_addr() {
        Ok(address) => give_address(&mut caller, address, out),
        Err(error) => {
            fail(&mut caller, format!("the socket has no peer: {error}"), out)?;
            match error.kind() {
                ErrorKind::NotConnected => Ok(NOT_CONNECTED),
                _ => Ok(OTHER_ERROR),
            }
        }
    }
}

/// Takes the next datagram; with `from`, stores its sender there, too.
async fn udp_receive(
    mut caller: Caller<'_, State>,
    id: i64,
    (buffer, length): (i32, i32),
    out: i32,
    from: Option<i32>,
) -> Result<i32> {
    let socket = socket(&mut caller, id)?;
    check(&mut caller, &[(buffer, unsigned(length)), (out, ID_BYTES)])?;
    if let Some(from) = from {
        check(&mut caller, &[(from, ID_BYTES)])?;
    }
    if let Err(text) = permit_bytes(&caller)? {
        return fail(&mut caller, text, out);
    }
    let mut deadline = Deadline::new(&caller, socket.receive_timeout.milliseconds());
    let Some(_turn) = deadline.run(socket.receiving.lock()).await else { return Ok(TIMED_OUT) };
    let received = loop {
        let (memory, _) = split(&mut caller)?;
        let buffer = bytes_mut(memory, buffer, at_most(length))?;
        match socket.socket.try_recv_from(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            received => break received,
        }
        let ready = match deadline.run(socket.socket.readable()).await {
            // What is there already, Tokio is sure to hear of soon.
            None if socket.has_something() => socket.socket.readable().await,
            None => return Ok(TIMED_OUT),
            Some(ready) => ready,
        };
        if let Err(error) = ready {
            break Err(error);
        }
    };
    if let (Ok((_, sender)), Some(from)) = (&received, from) {
        give_address(&mut caller, *sender, from)?;
    }
    let count = received.map(|(count, _)| count);
    give_moved(&mut caller, count, "cannot receive a datagram", out)
}

async fn udp_connect(
    mut caller: Caller<'_, State>,
    id: i64,
    raw: RawAddress,
    milliseconds: i64,
    out: i32,
) -> Result<i32> {
    let socket = socket(&mut caller, id)?;
    check(&mut caller, &[(out, ID_BYTES)])?;
    let address = address(&mut caller, raw)?;
    if let Err(text) = permit(&caller, Access::Connect, Protocol::Udp, address) {
        return fail(&mut caller, text, out);
    }
    let known = match reached(&mut caller, address) {
        Ok(known) => known,
        Err(error) => {
            return fail(&mut caller, format!("cannot set {address} as the peer: {error}"), out);
        }
    };
    let mut deadline = Deadline::new(&caller, milliseconds);
    match deadline.run(socket.socket.connect(known)).await {
        Some(Ok(())) => give(&mut caller, 0, out),
        Some(Err(error)) => {
            fail(&mut caller, format!("cannot set {address} as the peer: {error}"), out)
        }
        None => Ok(TIMED_OUT),
    }
}

/// The address that datagrams to this one go to. Rights are looked at before.
fn reached(caller: &mut Caller<'_, State>, address: SocketAddr) -> io::Result<SocketAddr> {
    let state = caller.data_mut();
    state.catch_up();
    address_reached(&state.config, Protocol::Udp, address)
}

/// Sends a datagram to an address, or to the peer.
async fn udp_send(
    mut caller: Caller<'_, State>,
    id: i64,
    (buffer, length): (i32, i32),
    to: Option<RawAddress>,
    out: i32,
) -> Result<i32> {
    let socket = socket(&mut caller, id)?;
    check(&mut caller, &[(buffer, unsigned(length)), (out, ID_BYTES)])?;
    let to = to.map(|raw| address(&mut caller, raw)).transpose()?;
    if let Some(to) = to
        && let Err(text) = permit(&caller, Access::Connect, Protocol::Udp, to)
    {
        return fail(&mut caller, text, out);
    }
    if let Err(text) = permit_bytes(&caller)? {
        return fail(&mut caller, text, out);
    }
    let to = match to.map(|to| reached(&mut caller, to)).transpose() {
        Ok(to) => to,
        Err(error) => return fail(&mut caller, format!("cannot send: {error}"), out),
    };
    let sent = loop {
        let (memory, _) = split(&mut caller)?;
        // Not cut short: a datagram that is too large is an error of the system.
        let datagram = bytes(memory, buffer, length)?;
        let sent = match to {
            Some(to) => socket.socket.try_send_to(datagram, to),
            None => socket.socket.try_send(datagram),
        };
        match sent {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            sent => break sent,
        }
        if let Err(error) = socket.socket.writable().await {
            break Err(error);
        }
    };
    let what = match to {
        Some(to) => format!("cannot send a datagram to {to}"),
        None => "cannot send a datagram".to_owned(),
    };
    give_moved(&mut caller, sent, &what, out)
}
