//! `lunatic::networking`: names, TCP, TLS, UDP and unix sockets.
//!
//! What is common to all of them: addresses in both directions, deadlines, and results. An
//! operation is tried once before its deadline is looked at. Places for results are checked before
//! anything is begun. Guest memory is lent to the system only for calls that do not wait.

mod dns;
mod options;
mod tcp;
mod tls;
mod tls_io;
mod udp;
mod unix;

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use lunatic_model::{Access, NetworkRights, Protocol};
use lunatic_node::{OpenDescriptor, Sleep};
use tokio::net::TcpStream;
use wasmtime::{Caller, Linker, Result, bail};

use crate::exit::HostExit;
use crate::host::{fail, timeout};
use crate::memory::{bytes, split, unsigned, write_u64};
use crate::net::{Shareable, Sockets, TcpConnection, Timeout};
use crate::redirect::network::{self as redirected, Reached};
use crate::state::State;
use crate::tables::Table;

const NAMESPACE: &str = "lunatic::networking";
/// Bytes that one call reads or writes at most: no call holds a worker for longer.
const IO_BYTES_MAX: usize = 1 << 20;
/// An id, or a count of bytes, in guest memory.
const ID_BYTES: usize = 8;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    dns::link(linker)?;
    tcp::link(linker)?;
    tls::link(linker)?;
    tls_io::link(linker)?;
    udp::link(linker)?;
    options::link(linker)?;
    unix::link(linker)
}

/// A pair of functions that change and tell a timeout in milliseconds; `u64::MAX` is none.
fn link_timeout<T: Shareable>(
    linker: &mut Linker<State>,
    (set, get): (&str, &str),
    which: fn(&T) -> &Timeout,
) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        set,
        move |mut caller: Caller<'_, State>, id: i64, milliseconds: i64| -> Result<()> {
            which(&*shared(&mut caller, id)?).set(milliseconds);
            Ok(())
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        get,
        move |mut caller: Caller<'_, State>, id: i64| -> Result<i64> {
            Ok(which(&*shared(&mut caller, id)?).milliseconds())
        },
    )?;
    Ok(())
}

/// An address as guests pass it: 4 or 6, pointer to its octets, port, flow info, scope id.
type RawAddress = (i32, i32, i32, i32, i32);

fn address(caller: &mut Caller<'_, State>, raw: RawAddress) -> Result<SocketAddr> {
    let (kind, pointer, port, flow_info, scope_id) = raw;
    let (memory, _) = split(caller)?;
    // Ports are 16 bits; the guest's upper ones say nothing.
    let port = port as u16;
    match kind {
        4 => {
            let mut octets = [0; 4];
            octets.copy_from_slice(bytes(memory, pointer, 4)?);
            Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port))
        }
        6 => {
            let mut octets = [0; 16];
            octets.copy_from_slice(bytes(memory, pointer, 16)?);
            let ip = Ipv6Addr::from(octets);
            let (flow_info, scope_id) = (flow_info.cast_unsigned(), scope_id.cast_unsigned());
            Ok(SocketAddrV6::new(ip, port, flow_info, scope_id).into())
        }
        _ => bail!("the type of an address is 4 or 6, not {kind}"),
    }
}

/// Whether this process may do that with the address; the text of an error if not. Asked with the
/// address that is used in the end, never with a name.
///
/// Whoever has a socket may use it with the peer and the address that it has: rights are looked at
/// when it gets them.
fn permit(
    caller: &Caller<'_, State>,
    access: Access,
    protocol: Protocol,
    address: SocketAddr,
) -> std::result::Result<(), String> {
    let right = if access == Access::Connect { "connect" } else { "bind" };
    if caller.data().config.network.allows(access, protocol, address) {
        if caller.data().config.audit.is_some() {
            for rule in NetworkRights::needed(access, protocol, address) {
                caller.data().used(&format!("{right}:{rule}"), right);
            }
        }
        return Ok(());
    }
    let (what, flag) = match access {
        Access::Connect => ("connect to", "--allow-connect"),
        Access::Bind => ("bind", "--allow-bind"),
    };
    let needed = || NetworkRights::needed(access, protocol, address);
    let flags: String = needed().map(|rule| format!(" {flag} {rule}")).collect();
    caller.data().process.deny_address(right, (protocol, address), || {
        let rules: Vec<_> = needed().map(|rule| format!("{right}:{rule}")).collect();
        (rules.join(" "), format!("{right} {protocol} {address}"))
    });
    Err(format!(
        "this process may not {what} {protocol} {address}: its network rights do not cover it; \
         grant it in the config with which its parent spawns it, or with `lunatic run{flags}`"
    ))
}

/// Whether this process may have names looked up; the text of an error if not. An address that is
/// written out needs no look-up.
fn permit_resolve(caller: &Caller<'_, State>, name: &str) -> std::result::Result<(), String> {
    if name.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    if caller.data().config.network.resolve {
        caller.data().used("resolve", "resolve");
        return Ok(());
    }
    caller.data().process.deny("resolve", || ("resolve".to_owned(), format!("look up {name}")));
    Err(format!(
        "this process may not look up `{name}`: its network rights do not allow names; allow them \
         in the config with which its parent spawns it, or with `lunatic run --allow-connect RULE`"
    ))
}

/// A connection that was made, and has no place yet; or one that a process has given, which counts
/// for who opened it.
enum Connected {
    Made(TcpStream, Option<SocketAddr>),
    Given(Arc<TcpConnection>),
}

impl Connected {
    fn placed(self, place: OpenDescriptor) -> Arc<TcpConnection> {
        match self {
            Connected::Made(socket, peer) => {
                Arc::new(TcpConnection::new(socket, place).shown_as(peer))
            }
            Connected::Given(connection) => connection,
        }
    }
}

/// A TCP connection to an address, or to what the process is redirected to in its place. Rights are
/// looked at before, with the address that the guest names.
fn connected(
    caller: &mut Caller<'_, State>,
    address: SocketAddr,
) -> impl Future<Output = io::Result<Connected>> + Send + use<> {
    let state = caller.data_mut();
    state.catch_up();
    let reached = redirected::reached(&state.config, Protocol::Tcp, address);
    let process = state.process.clone();
    async move {
        match reached? {
            Reached::Address(known) => {
                let socket = TcpStream::connect(known).await?;
                let peer = Some(address).filter(|address| *address != known);
                Ok(Connected::Made(socket, peer))
            }
            Reached::Process(pid) => {
                redirected::connect(process, pid, address).await.map(Connected::Given)
            }
        }
    }
}

fn sockets<'a>(caller: &'a mut Caller<'_, State>) -> &'a mut Sockets {
    caller.data_mut().tables().sockets()
}

/// Adds to one of the socket tables.
fn add<T>(
    caller: &mut Caller<'_, State>,
    table: impl FnOnce(&mut Sockets) -> &mut Table<T>,
    value: T,
) -> Result<u64> {
    let state = caller.data_mut();
    let max = state.process.limits().resources_max;
    table(state.tables().sockets()).add(value, max, "resources_max")
}

/// The socket behind an id, or a trap.
fn shared<T: Shareable>(caller: &mut Caller<'_, State>, id: i64) -> Result<Arc<T>> {
    T::table(sockets(caller)).get(id, T::WHAT).cloned()
}

/// `clone_*`: another id for the same socket.
fn clone<T: Shareable>(mut caller: Caller<'_, State>, id: i64) -> Result<i64> {
    let socket = shared::<T>(&mut caller, id)?;
    Ok(add(&mut caller, T::table, socket)?.cast_signed())
}

/// `drop_*`: gives the handle back; the last one closes the socket.
fn close<T: Shareable>(mut caller: Caller<'_, State>, id: i64) -> Result<()> {
    T::table(sockets(&mut caller)).remove(id, T::WHAT).map(drop)
}

/// Result 0: stores the id of an iterator over one address, or over none.
fn give_address(
    caller: &mut Caller<'_, State>,
    address: impl Into<Option<SocketAddr>>,
    pointer: i32,
) -> Result<i32> {
    let addresses: Vec<_> = address.into().into_iter().collect();
    let id = add(caller, |sockets| &mut sockets.addresses, addresses.into_iter())?;
    give(caller, id, pointer)
}

/// The same with an address that may be unknown; then result 1 with an error.
fn give_known_address(
    caller: &mut Caller<'_, State>,
    address: io::Result<SocketAddr>,
    what: &str,
    pointer: i32,
) -> Result<i32> {
    match address {
        Ok(address) => give_address(caller, address, pointer),
        Err(error) => fail(caller, format!("{what}: {error}"), pointer),
    }
}

/// Result 0: stores an id or a count.
fn give(caller: &mut Caller<'_, State>, value: u64, pointer: i32) -> Result<i32> {
    write_u64(caller, pointer, value)?;
    Ok(0)
}

/// Result 0 with a count of bytes, or 1 with an error.
fn give_count(
    caller: &mut Caller<'_, State>,
    count: io::Result<usize>,
    what: &str,
    pointer: i32,
) -> Result<i32> {
    match count {
        Ok(count) => give(caller, count as u64, pointer),
        Err(error) => fail(caller, format!("{what}: {error}"), pointer),
    }
}

/// Whether the budgets let this process move bytes over the network; a call that begins may go over
/// by what it moves. If not, the text of an error, or the end of the process.
fn permit_bytes(caller: &Caller<'_, State>) -> Result<std::result::Result<(), String>> {
    let account = caller.data().process.account();
    match account.map_or(Ok(()), |account| account.may_use_network()) {
        Ok(()) => Ok(Ok(())),
        Err(over) if over.ends => Err(HostExit::limit(over.limit)),
        Err(over) => Ok(Err(format!("nothing more may be sent or received: {over}"))),
    }
}

/// Result 0 with a count of bytes that were sent or received, or 1 with an error.
fn give_moved(
    caller: &mut Caller<'_, State>,
    count: io::Result<usize>,
    what: &str,
    pointer: i32,
) -> Result<i32> {
    if let (Ok(bytes), Some(account)) = (&count, caller.data().process.account()) {
        account.count_network(*bytes as u64);
    }
    give_count(caller, count, what, pointer)
}

/// How much of a guest's buffer one call uses.
fn at_most(length: i32) -> usize {
    unsigned(length).min(IO_BYTES_MAX)
}

/// When an operation has to give up.
struct Deadline(Option<Sleep>);

impl Deadline {
    /// `milliseconds` from now on; `u64::MAX` is never.
    fn new(caller: &Caller<'_, State>, milliseconds: i64) -> Deadline {
        Deadline(timeout(milliseconds).map(|delay| caller.data().process.sleep(delay)))
    }

    /// Does a piece of the work, which is tried once even if the deadline has passed. `None` when
    /// it has passed and there is nothing yet.
    async fn run<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            match &mut self.0 {
                Some(sleep) => Pin::new(sleep).poll(cx).map(|()| None),
                None => Poll::Pending,
            }
        })
        .await
    }
}
