//! TCP: listeners and streams.
//!
//! Reads and peeks of all clones of a stream take turns, and writes do; a read and a write run at
//! once. Timeouts belong to the stream or listener, wherever it goes, and can always be read and
//! changed.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use lunatic_model::{Access, Protocol};
use lunatic_node::{OpenDescriptor, OverBudget};
use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpSocket};
use wasmtime::{Caller, Linker, Result};

use crate::exit::HostExit;
use crate::host::networking::{
    Deadline, ID_BYTES, IO_BYTES_MAX, NAMESPACE, RawAddress, add, address, at_most, clone, close,
    connected, give, give_address, give_count, give_known_address, give_moved, link_timeout,
    permit, permit_bytes, shared,
};
use crate::host::{TIMED_OUT, fail, free_place};
use crate::memory::{bytes, bytes_mut, check, entries, halves, split, unsigned, write_u64};
use crate::net::{Listener, Shareable, Socket, TcpConnection, platform};
use crate::state::State;

/// Connections that the system keeps for a listener that does not accept.
const BACKLOG: u32 = 1024;
/// Entries of a list of buffers that are looked at; what follows is not written by this call.
const LIST_ENTRIES_MAX: usize = 1 << 16;
/// Buffers in one write of the system.
const BUFFERS_MAX: usize = 256;
/// How long an accept without a descriptor for its connection waits before it tells: a server that
/// just tries again does not keep a core busy with it.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "tcp_bind",
        |caller: Caller<'_, State>,
         kind: i32,
         at: i32,
         port: i32,
         flow: i32,
         scope: i32,
         id: i32| { tcp_bind(caller, (kind, at, port, flow, scope), id) },
    )?;
    linker.func_wrap(NAMESPACE, "drop_tcp_listener", close::<Listener>)?;
    linker.func_wrap(NAMESPACE, "clone_tcp_listener", clone::<Listener>)?;
    linker.func_wrap(NAMESPACE, "tcp_local_addr", tcp_local_addr)?;
    linker.func_wrap_async(
        NAMESPACE,
        "tcp_accept",
        |caller, (id, stream, peer): (i64, i32, i32)| {
            Box::new(tcp_accept(caller, id, stream, peer))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "tcp_connect",
        |caller,
         (kind, at, port, flow, scope, timeout, id): (i32, i32, i32, i32, i32, i64, i32)| {
            Box::new(tcp_connect(caller, (kind, at, port, flow, scope), timeout, id))
        },
    )?;
    linker.func_wrap(NAMESPACE, "tcp_peer_addr", tcp_peer_addr)?;
    linker.func_wrap(NAMESPACE, "tcp_stream_local_addr", tcp_stream_local_addr)?;
    linker.func_wrap(NAMESPACE, "drop_tcp_stream", close::<TcpConnection>)?;
    linker.func_wrap(NAMESPACE, "clone_tcp_stream", clone::<TcpConnection>)?;
    link_io(linker)?;
    link_timeouts(linker)
}

fn link_io(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "tcp_write_vectored",
        |caller, (id, list, count, out): (i64, i32, i32, i32)| {
            Box::new(tcp_write_vectored(caller, id, (list, count), out))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "tcp_peek",
        |caller, (id, buffer, length, out): (i64, i32, i32, i32)| {
            Box::new(tcp_peek(caller, id, (buffer, length), out))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "tcp_read",
        |caller, (id, buffer, length, out): (i64, i32, i32, i32)| {
            Box::new(tcp_read(caller, id, (buffer, length), out))
        },
    )?;
    linker.func_wrap(NAMESPACE, "tcp_flush", tcp_flush)?;
    Ok(())
}

fn link_timeouts(linker: &mut Linker<State>) -> Result<()> {
    link_timeout(linker, ("set_read_timeout", "get_read_timeout"), |stream: &TcpConnection| {
        &stream.read_timeout
    })?;
    link_timeout(linker, ("set_write_timeout", "get_write_timeout"), |stream: &TcpConnection| {
        &stream.write_timeout
    })?;
    link_timeout(linker, ("set_peek_timeout", "get_peek_timeout"), |stream: &TcpConnection| {
        &stream.peek_timeout
    })?;
    link_timeout(linker, ("set_accept_timeout", "get_accept_timeout"), |listener: &Listener| {
        &listener.accept_timeout
    })
}

fn stream(caller: &mut Caller<'_, State>, id: i64) -> Result<Arc<TcpConnection>> {
    shared(caller, id)
}

fn listener(caller: &mut Caller<'_, State>, id: i64) -> Result<Arc<Listener>> {
    shared(caller, id)
}

fn tcp_bind(mut caller: Caller<'_, State>, raw: RawAddress, id: i32) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let address = address(&mut caller, raw)?;
    if let Err(text) = permit(&caller, Access::Bind, Protocol::Tcp, address) {
        return fail(&mut caller, text, id);
    }
    let place = free_place(caller.data())?;
    let listener = place.map_err(io::Error::other).and_then(|place| {
        // The place first: what is refused is not begun.
        Ok(Listener::new(listen(address)?, place))
    });
    match listener {
        Ok(listener) => {
            let new = add(&mut caller, Listener::table, Arc::new(listener))?;
            give(&mut caller, new, id)
        }
        Err(error) => fail(&mut caller, format!("cannot listen at {address}: {error}"), id),
    }
}

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Elsewhere it would let two listeners have the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn tcp_local_addr(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    let address = listener(&mut caller, id)?.local_addr();
    give_known_address(&mut caller, address, "the listener has no address", out)
}

async fn tcp_accept(mut caller: Caller<'_, State>, id: i64, stream: i32, peer: i32) -> Result<i32> {
    check(&mut caller, &[(stream, ID_BYTES), (peer, ID_BYTES)])?;
    let listener = listener(&mut caller, id)?;
    let place = match free_place(caller.data())? {
        Ok(place) => place,
        Err(over) => return accept_failed(caller, &io::Error::other(over), (stream, peer)).await,
    };
    let mut deadline = Deadline::new(&caller, listener.accept_timeout.milliseconds());
    let accepted = match deadline.run(listener.accept()).await {
        Some(accepted) => accepted,
        // What Tokio knows of the listener lags behind, so the system has the last word.
        None => listener.try_accept(),
    };
    match accepted {
        Ok((socket, address)) => {
            let new = add_stream(&mut caller, socket, place)?;
            write_u64(&mut caller, stream, new)?;
            give_address(&mut caller, address, peer)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(TIMED_OUT),
        Err(error) => accept_failed(caller, &error, (stream, peer)).await,
    }
}

/// Result 1 of an accept: stores the id of an error, and 0 for the peer.
pub(super) async fn accept_failed(
    mut caller: Caller<'_, State>,
    error: &io::Error,
    (stream, peer): (i32, i32),
) -> Result<i32> {
    let over = error.get_ref().and_then(|source| source.downcast_ref::<OverBudget>());
    if let Some(OverBudget { limit, ends: true }) = over {
        return Err(HostExit::limit(limit));
    }
    if over.is_some() || platform::is_exhausted(error) {
        caller.data().process.sleep(EXHAUSTED_PAUSE).await;
    }
    write_u64(&mut caller, peer, 0)?;
    fail(&mut caller, format!("cannot accept a connection: {error}"), stream)
}

pub(super) fn add_stream(
    caller: &mut Caller<'_, State>,
    socket: Socket,
    place: OpenDescriptor,
) -> Result<u64> {
    add(caller, TcpConnection::table, Arc::new(TcpConnection::new(socket, place)))
}

async fn tcp_connect(
    mut caller: Caller<'_, State>,
    raw: RawAddress,
    milliseconds: i64,
    id: i32,
) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let address = address(&mut caller, raw)?;
    if let Err(text) = permit(&caller, Access::Connect, Protocol::Tcp, address) {
        return fail(&mut caller, text, id);
    }
    let place = match free_place(caller.data())? {
        Ok(place) => place,
        Err(over) => {
            return fail(&mut caller, format!("cannot connect to {address}: {over}"), id);
        }
    };
    let mut deadline = Deadline::new(&caller, milliseconds);
    let connecting = connected(&mut caller, address);
    match deadline.run(connecting).await {
        Some(Ok(connected)) => {
            let new = add(&mut caller, TcpConnection::table, connected.placed(place))?;
            give(&mut caller, new, id)
        }
        Some(Err(error)) => fail(&mut caller, format!("cannot connect to {address}: {error}"), id),
        None => Ok(TIMED_OUT),
    }
}

fn tcp_peer_addr(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    let address = stream(&mut caller, id)?.peer_addr();
    give_known_address(&mut caller, address, "the stream's peer's address is unknown", out)
}

fn tcp_stream_local_addr(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    let address = stream(&mut caller, id)?.local_addr();
    give_known_address(&mut caller, address, "the stream's own address is unknown", out)
}

async fn tcp_write_vectored(
    mut caller: Caller<'_, State>,
    id: i64,
    (list, count): (i32, i32),
    out: i32,
) -> Result<i32> {
    let stream = stream(&mut caller, id)?;
    check(&mut caller, &[(out, ID_BYTES)])?;
    let (memory, _) = split(&mut caller)?;
    if buffers(memory, list, count)?.is_empty() {
        return give(&mut caller, 0, out);
    }
    if let Err(text) = permit_bytes(&caller)? {
        return fail(&mut caller, text, out);
    }
    let mut deadline = Deadline::new(&caller, stream.write_timeout.milliseconds());
    let Some(_turn) = deadline.run(stream.writing.lock()).await else { return Ok(TIMED_OUT) };
    let written = loop {
        let (memory, _) = split(&mut caller)?;
        match stream.try_write(&buffers(memory, list, count)?) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            written => break written,
        }
        match deadline.run(stream.writable()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => break Err(error),
            None => return Ok(TIMED_OUT),
        }
    };
    give_moved(&mut caller, written, "cannot write", out)
}

/// The buffers of a list that have something in them, as many as one call writes.
pub(super) fn buffers(memory: &[u8], list: i32, count: i32) -> Result<Vec<IoSlice<'_>>> {
    let mut buffers = Vec::new();
    let mut room = IO_BYTES_MAX;
    for entry in entries(memory, list, count)?.iter().take(LIST_ENTRIES_MAX) {
        let (pointer, length) = halves(*entry);
        let buffer = bytes(memory, pointer, length)?;
        let buffer = &buffer[..buffer.len().min(room)];
        if !buffer.is_empty() && buffers.len() < BUFFERS_MAX {
            room -= buffer.len();
            buffers.push(IoSlice::new(buffer));
        }
    }
    Ok(buffers)
}

async fn tcp_peek(
    mut caller: Caller<'_, State>,
    id: i64,
    (buffer, length): (i32, i32),
    out: i32,
) -> Result<i32> {
    let stream = stream(&mut caller, id)?;
    check(&mut caller, &[(buffer, unsigned(length)), (out, ID_BYTES)])?;
    if length == 0 {
        return give(&mut caller, 0, out);
    }
    let mut deadline = Deadline::new(&caller, stream.peek_timeout.milliseconds());
    let Some(_turn) = deadline.run(stream.reading.lock()).await else { return Ok(TIMED_OUT) };
    let has_something = match stream.has_something() {
        Ok(has_something) => has_something,
        Err(error) => return give_count(&mut caller, Err(error), "cannot peek", out),
    };
    let peek = poll_fn(|cx| {
        let (memory, _) = split(&mut caller)?;
        let mut buffer = ReadBuf::new(bytes_mut(memory, buffer, at_most(length))?);
        Poll::Ready(Ok::<_, wasmtime::Error>(ready!(stream.poll_peek(cx, &mut buffer))))
    });
    // What is there already, Tokio is sure to hear of soon.
    let peeked = match has_something {
        true => Some(peek.await),
        false => deadline.run(peek).await,
    };
    match peeked {
        Some(count) => give_count(&mut caller, count?, "cannot peek", out),
        None => Ok(TIMED_OUT),
    }
}

async fn tcp_read(
    mut caller: Caller<'_, State>,
    id: i64,
    (buffer, length): (i32, i32),
    out: i32,
) -> Result<i32> {
    let stream = stream(&mut caller, id)?;
    check(&mut caller, &[(buffer, unsigned(length)), (out, ID_BYTES)])?;
    if length == 0 {
        return give(&mut caller, 0, out);
    }
    if let Err(text) = permit_bytes(&caller)? {
        return fail(&mut caller, text, out);
    }
    let mut deadline = Deadline::new(&caller, stream.read_timeout.milliseconds());
    let Some(_turn) = deadline.run(stream.reading.lock()).await else { return Ok(TIMED_OUT) };
    let count = loop {
        let (memory, _) = split(&mut caller)?;
        match stream.try_read(bytes_mut(memory, buffer, at_most(length))?) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            count => break count,
        }
        match deadline.run(stream.readable()).await {
            Some(Ok(())) => continue,
            Some(Err(error)) => break Err(error),
            None => {}
        }
        let (memory, _) = split(&mut caller)?;
        match stream.read_now(bytes_mut(memory, buffer, at_most(length))?) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(TIMED_OUT),
            count => break count,
        }
    };
    give_moved(&mut caller, count, "cannot read", out)
}

/// Nothing is kept back here: what was written is with the system.
fn tcp_flush(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    stream(&mut caller, id)?;
    give(&mut caller, 0, out)
}
