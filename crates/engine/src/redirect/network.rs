//! Routes: connections and names of hosts that lead elsewhere.
//!
//! The route that was set last and covers an address counts, and its end is final: it was made by
//! a setter whose own routes are in it already. A route's address must be one that its setter may
//! use; what the guest asked for must be one that the guest may.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use lunatic_model::{Access, NetworkRights, NetworkRule, Pid, Protocol, What};
use lunatic_node::Process;

use crate::config::ProcessConfig;
use crate::net::TcpConnection;
use crate::redirect::ask::ask_for;
use crate::redirect::wire::{Reader, Writer};

/// Requests of the network, by their numbers in `abi/redirect.md`.
const CONNECT: u8 = 22;
const RESOLVE: u8 = 23;
/// Of a name: addresses that a process may answer.
const ADDRESSES_MAX: usize = 64;

/// One redirection of the network.
#[derive(Clone)]
pub(crate) enum Route {
    Connect {
        rule: NetworkRule,
        end: End,
    },
    /// Without a name, of all.
    Host {
        name: Option<String>,
        answer: Answer,
    },
}

impl Route {
    /// What it redirects.
    pub(super) fn what(&self) -> What {
        match self {
            Route::Connect { rule, .. } => What::Connect(*rule),
            Route::Host { name, .. } => What::Host(name.clone()),
        }
    }
}

/// Where a connection leads.
#[derive(Clone)]
pub(crate) enum End {
    Nowhere,
    /// Another address, with the same port where there is none; and what its setter may use.
    Address {
        ip: IpAddr,
        port: Option<u16>,
        rights: Arc<NetworkRights>,
    },
    Process(Pid),
}

/// What a name leads to.
#[derive(Clone)]
pub(crate) enum Answer {
    Nothing,
    Addresses(Vec<IpAddr>),
    Process(Pid),
}

/// What is reached in the place of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reached {
    Address(SocketAddr),
    Process(Pid),
}

/// What a process reaches when it connects to an address, or why nothing.
pub(crate) fn reached(
    config: &ProcessConfig,
    protocol: Protocol,
    address: SocketAddr,
) -> io::Result<Reached> {
    let Some(redirected) = &config.redirected else { return Ok(Reached::Address(address)) };
    let end = redirected.routes.iter().rev().find_map(|route| match route {
        Route::Connect { rule, end } => rule.reaches(protocol, address).then_some(end),
        Route::Host { .. } => None,
    });
    match end {
        None => Ok(Reached::Address(address)),
        Some(End::Nowhere) => Err(io::ErrorKind::ConnectionRefused.into()),
        Some(End::Process(pid)) => Ok(Reached::Process(*pid)),
        Some(End::Address { ip, port, rights }) => {
            let address = SocketAddr::new(*ip, port.unwrap_or(address.port()));
            if rights.allows(Access::Connect, protocol, address) {
                return Ok(Reached::Address(address));
            }
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

/// The same for what no process can answer: datagrams.
pub(crate) fn address_reached(
    config: &ProcessConfig,
    protocol: Protocol,
    address: SocketAddr,
) -> io::Result<SocketAddr> {
    match reached(config, protocol, address)? {
        Reached::Address(address) => Ok(address),
        Reached::Process(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// What answers for "host:port", and the parts of that; `None` if nothing but the system does.
pub(crate) fn answer<'a>(
    config: &'a ProcessConfig,
    name: &str,
) -> Option<(&'a Answer, String, u16)> {
    let redirected = config.redirected.as_ref()?;
    // An address that is written out is no name.
    if name.parse::<SocketAddr>().is_ok() {
        return None;
    }
    let (host, port) = name.rsplit_once(':')?;
    let (host, port) = (host.trim_end_matches('.').to_ascii_lowercase(), port.parse().ok()?);
    let answer = redirected.routes.iter().rev().find_map(|route| match route {
        Route::Host { name, answer } => {
            name.as_ref().is_none_or(|name| *name == host).then_some(answer)
        }
        Route::Connect { .. } => None,
    });
    answer.map(|answer| (answer, host, port))
}

/// Looks up a name by what answers for it.
pub(crate) async fn look_up(
    process: Arc<Process>,
    answer: Answer,
    host: String,
    port: u16,
) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let addresses = match answer {
        Answer::Nothing => return Err(io::ErrorKind::NotFound.into()),
        Answer::Addresses(addresses) => addresses,
        Answer::Process(pid) => {
            let request = Writer::new(RESOLVE).text(&host).number(port.into()).done();
            let answer = ask_for(&process, pid, request).await.map_err(told)?;
            read_addresses(&answer.data).map_err(told)?
        }
    };
    let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
    Ok(addresses.collect::<Vec<_>>().into_iter())
}

fn read_addresses(reply: &[u8]) -> Result<Vec<IpAddr>, lunatic_wasi::Errno> {
    let mut reader = Reader::of(reply)?;
    let count = reader.count(ADDRESSES_MAX)?;
    let mut addresses = Vec::new();
    for _ in 0..count {
        let octets = reader.bytes(16)?;
        let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
        let v6 = || <[u8; 16]>::try_from(octets).map(IpAddr::from);
        addresses.push(v4.or_else(|_| v6()).map_err(|_| lunatic_wasi::Errno::Io)?);
    }
    reader.end()?;
    Ok(addresses)
}

/// Asks a process for a connection: a TCP stream that comes with its answer.
pub(crate) async fn connect(
    process: Arc<Process>,
    target: Pid,
    address: SocketAddr,
) -> io::Result<Arc<TcpConnection>> {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let request = Writer::new(CONNECT).bytes(&octets).number(address.port().into()).done();
    let mut answer = ask_for(&process, target, request).await.map_err(told)?;
    Reader::of(&answer.data).and_then(Reader::end).map_err(told)?;
    let resource = answer.resources.first_mut().and_then(Option::take);
    let stream = resource.and_then(|resource| resource.0.downcast().ok());
    stream.map(|stream| *stream).ok_or_else(|| told(lunatic_wasi::Errno::Io))
}

/// The error that the kind of an answer is.
fn told(errno: lunatic_wasi::Errno) -> io::Error {
    use io::ErrorKind;
    use lunatic_wasi::Errno;
    let kind = match errno {
        Errno::Connrefused => ErrorKind::ConnectionRefused,
        Errno::Connreset => ErrorKind::ConnectionReset,
        Errno::Timedout => ErrorKind::TimedOut,
        Errno::Noent => ErrorKind::NotFound,
        Errno::Acces | Errno::Perm => ErrorKind::PermissionDenied,
        _ => return io::Error::other(format!("the process that was asked answers {errno:?}")),
    };
    kind.into()
}
