//! TLS: listeners, and how connections begin. What is read and written is in `tls_io.rs`.
//!
//! One timeout covers a connect as a whole: the look-up of the name, all addresses and the
//! handshake. Certificates and keys that cannot be used are errors; a server never learns of
//! handshakes that fail.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::vec::IntoIter;

use lunatic_model::{Access, Protocol};
use lunatic_node::OpenDescriptor;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use wasmtime::{Caller, Linker, Result, bail};

use crate::host::networking::dns::{NAME_BYTES_MAX, look_up};
use crate::host::networking::tcp::{accept_failed, listen};
use crate::host::networking::{
    Deadline, ID_BYTES, NAMESPACE, RawAddress, add, address, clone, close, connected, give,
    give_address, give_known_address, permit, permit_resolve, shared,
};
use crate::host::{TIMED_OUT, fail, free_place};
use crate::memory::{bytes, check, entries, halves, split, text, unsigned, write_u64};
use crate::net::tls_config::{self, Clients, Identity, PEM_BYTES_MAX};
use crate::net::{HANDSHAKE_TIME_MAX, Shareable, TcpConnection, TlsConnection, TlsListener};
use crate::state::State;

/// Entries in a list of authorities, each of which may hold several.
const AUTHORITIES_MAX: usize = 1024;

/// A pointer and a length, or a pointer and a number of entries.
type Range = (i32, i32);
/// What a process can be told that has asked for something that cannot be had.
type Told<T> = std::result::Result<T, String>;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    link_bind(linker)?;
    link_connect(linker)?;
    linker.func_wrap(NAMESPACE, "drop_tls_listener", close::<TlsListener>)?;
    linker.func_wrap(NAMESPACE, "tls_local_addr", tls_local_addr)?;
    linker.func_wrap_async(
        NAMESPACE,
        "tls_accept",
        |caller, (id, stream, peer): (i64, i32, i32)| {
            Box::new(tls_accept(caller, id, stream, peer))
        },
    )?;
    linker.func_wrap(NAMESPACE, "tls_peer_addr", tls_peer_addr)?;
    linker.func_wrap(NAMESPACE, "drop_tls_stream", close::<TlsConnection>)?;
    linker.func_wrap(NAMESPACE, "clone_tls_stream", clone::<TlsConnection>)?;
    Ok(())
}

fn link_bind(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "tls_bind",
        |caller: Caller<'_, State>,
         kind: i32,
         at: i32,
         port: i32,
         flow: i32,
         scope: i32,
         id: i32,
         certificate: i32,
         certificate_length: i32,
         key: i32,
         key_length: i32| {
            let identity = ((certificate, certificate_length), (key, key_length));
            let server = Server { identity, authorities: (0, 0), clients: 0, protocols: (0, 0) };
            tls_bind(caller, (kind, at, port, flow, scope), id, &server)
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "tls_bind_with",
        |caller: Caller<'_, State>,
         kind: i32,
         at: i32,
         port: i32,
         flow: i32,
         scope: i32,
         id: i32,
         certificate: i32,
         certificate_length: i32,
         key: i32,
         key_length: i32,
         authorities: i32,
         count: i32,
         clients: i32,
         protocols: i32,
         protocols_length: i32| {
            let server = Server {
                identity: ((certificate, certificate_length), (key, key_length)),
                authorities: (authorities, count),
                clients,
                protocols: (protocols, protocols_length),
            };
            tls_bind(caller, (kind, at, port, flow, scope), id, &server)
        },
    )?;
    Ok(())
}

/// Name, port, timeout, place for the id; then as [`Client`]: all but the port are two numbers.
type ConnectWith = (i32, i32, i32, i64, i32, i32, i32, i32, i32, i32, i32, i32, i32);

fn link_connect(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "tls_connect",
        |caller,
         (name, length, port, timeout, id, authorities, count): (
            i32,
            i32,
            i32,
            i64,
            i32,
            i32,
            i32,
        )| {
            let identity = ((0, 0), (0, 0));
            let client = Client { authorities: (authorities, count), identity, protocols: (0, 0) };
            Box::new(tls_connect(caller, (name, length), port, timeout, id, client))
        },
    )?;
    linker.func_wrap_async(NAMESPACE, "tls_connect_with", |caller, all: ConnectWith| {
        let (name, length, port, timeout, id, a, count, c, c_length, k, k_length, p, p_length) =
            all;
        let client = Client {
            authorities: (a, count),
            identity: ((c, c_length), (k, k_length)),
            protocols: (p, p_length),
        };
        Box::new(tls_connect(caller, (name, length), port, timeout, id, client))
    })?;
    Ok(())
}

/// Where the guest has what makes a listener.
struct Server {
    identity: (Range, Range),
    authorities: Range,
    clients: i32,
    protocols: Range,
}

/// Where the guest has what makes a connection.
struct Client {
    authorities: Range,
    identity: (Range, Range),
    protocols: Range,
}

fn tls_bind(
    mut caller: Caller<'_, State>,
    raw: RawAddress,
    id: i32,
    server: &Server,
) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let address = address(&mut caller, raw)?;
    let (memory, _) = split(&mut caller)?;
    let clients = match server.clients {
        0 => Clients::All,
        1 => Clients::Known,
        2 => Clients::OnlyKnown,
        other => bail!("the mode of client certificates is 0, 1 or 2, not {other}"),
    };
    let identity = identity(memory, server.identity)?;
    let protocols = bytes(memory, server.protocols.0, server.protocols.1)?;
    let config = authorities(memory, server.authorities)?.and_then(|authorities| {
        bounded(&identity, &authorities)?;
        tls_config::server(&identity, clients, &authorities, protocols)
    });
    let listener = match permit(&caller, Access::Bind, Protocol::Tcp, address).and(config) {
        Ok(config) => free_place(caller.data())?
            .map_err(io::Error::other)
            .and_then(|place| Ok(TlsListener::new(listen(address)?, config, place)))
            .map_err(|error| format!("cannot listen at {address}: {error}")),
        Err(text) => Err(text),
    };
    match listener {
        Ok(listener) => {
            let new = add(&mut caller, TlsListener::table, Arc::new(listener))?;
            give(&mut caller, new, id)
        }
        Err(text) => fail(&mut caller, text, id),
    }
}

fn identity(memory: &[u8], (certificate, key): (Range, Range)) -> Result<Identity<'_>> {
    let certificate = bytes(memory, certificate.0, certificate.1)?;
    Ok(Identity { certificate, key: bytes(memory, key.0, key.1)? })
}

/// A list of PEM texts. Guests write its entries in either order: pointer and length, as the old
/// documentation says, or length and pointer, as the library for Rust does.
fn authorities(memory: &[u8], (list, count): Range) -> Result<Told<Vec<&[u8]>>> {
    let pem = |pointer: i32, length: i32| {
        bytes(memory, pointer, length).ok().filter(|text| tls_config::begins_like_pem(text))
    };
    let entries = entries(memory, list, count)?;
    if entries.len() > AUTHORITIES_MAX {
        let length = entries.len();
        return Ok(Err(format!(
            "a list of {length} authorities: at most {AUTHORITIES_MAX} can be"
        )));
    }
    let texts = entries.iter().enumerate().map(|(index, entry)| {
        let (one, two) = halves(*entry);
        pem(one, two).or_else(|| pem(two, one)).ok_or_else(|| {
            format!(
                "authority {index} is no PEM text: the entry's numbers are {} and {}, a pointer \
                and a length in either order",
                unsigned(one),
                unsigned(two)
            )
        })
    });
    Ok(texts.collect())
}

/// Parsing costs time, and the same text can be listed many times.
fn bounded(identity: &Identity<'_>, authorities: &[&[u8]]) -> Told<()> {
    let mine = identity.certificate.len().saturating_add(identity.key.len());
    let all = authorities.iter().fold(mine, |sum, text| sum.saturating_add(text.len()));
    match all {
        0..=PEM_BYTES_MAX => Ok(()),
        _ => Err(format!("{all} bytes of certificates and keys: at most {PEM_BYTES_MAX} can be")),
    }
}

fn tls_local_addr(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    let address = shared::<TlsListener>(&mut caller, id)?.socket.local_addr();
    give_known_address(&mut caller, address, "the listener has no address", out)
}

async fn tls_accept(mut caller: Caller<'_, State>, id: i64, stream: i32, peer: i32) -> Result<i32> {
    check(&mut caller, &[(stream, ID_BYTES), (peer, ID_BYTES)])?;
    let listener = shared::<TlsListener>(&mut caller, id)?;
    let process = caller.data().process.clone();
    let deadline = || Box::pin(process.sleep(HANDSHAKE_TIME_MAX)) as _;
    match listener.accept(deadline, || OpenDescriptor::new(process.account())).await {
        Ok((connection, address)) => {
            let new = add(&mut caller, TlsConnection::table, Arc::new(connection))?;
            write_u64(&mut caller, stream, new)?;
            give_address(&mut caller, address, peer)
        }
        Err(error) => accept_failed(caller, &error, (stream, peer)).await,
    }
}

async fn tls_connect(
    mut caller: Caller<'_, State>,
    name: Range,
    port: i32,
    milliseconds: i64,
    id: i32,
    client: Client,
) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let (memory, _) = split(&mut caller)?;
    let name = text(memory, name.0, name.1)?;
    let identity = identity(memory, client.identity)?;
    let protocols = bytes(memory, client.protocols.0, client.protocols.1)?;
    let config = authorities(memory, client.authorities)?.and_then(|authorities| {
        bounded(&identity, &authorities)?;
        tls_config::client(&authorities, &identity, protocols)
    });
    let peer = match config.and_then(|config| Peer::new(name, port as u16, config)) {
        Ok(peer) => peer,
        Err(text) => return fail(&mut caller, text, id),
    };
    let place = match free_place(caller.data())? {
        Ok(place) => place,
        Err(over) => {
            let Peer { host, port, .. } = peer;
            return fail(&mut caller, format!("cannot connect to {host}:{port}: {over}"), id);
        }
    };
    let mut deadline = Deadline::new(&caller, milliseconds);
    match deadline.run(peer.connect(&mut caller, place)).await {
        Some(Ok(connection)) => {
            let new = add(&mut caller, TlsConnection::table, Arc::new(connection))?;
            give(&mut caller, new, id)
        }
        Some(Err(text)) => fail(&mut caller, text, id),
        None => Ok(TIMED_OUT),
    }
}

/// Whom to connect to.
struct Peer {
    name: ServerName<'static>,
    host: String,
    port: u16,
    config: Arc<ClientConfig>,
}

impl Peer {
    fn new(host: &str, port: u16, config: Arc<ClientConfig>) -> Told<Peer> {
        if host.len() > NAME_BYTES_MAX {
            let length = host.len();
            return Err(format!("a name of {length} bytes: at most {NAME_BYTES_MAX} can be"));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            format!("`{host}` is no name of a server: a name or an address is expected, no port")
        })?;
        Ok(Peer { name, host: host.to_owned(), port, config })
    }

    /// Tries one address after the other until one answers; that one has to prove its name.
    async fn connect(
        &self,
        caller: &mut Caller<'_, State>,
        place: OpenDescriptor,
    ) -> Told<TlsConnection> {
        let (host, port) = (&self.host, self.port);
        let mut told = format!("`{host}` has no address");
        for address in self.addresses(caller).await? {
            if let Err(text) = permit(caller, Access::Connect, Protocol::Tcp, address) {
                told = text;
                continue;
            }
            match connected(caller, address).await {
                Ok(connected) => {
                    return self.handshake(connected.placed(place)).await.map_err(|error| {
                        format!("no TLS connection to {host}:{port} ({address}): {error}")
                    });
                }
                Err(error) => {
                    told = format!("cannot connect to {host}:{port} ({address}): {error}")
                }
            }
        }
        Err(told)
    }

    async fn addresses(&self, caller: &mut Caller<'_, State>) -> Told<IntoIter<SocketAddr>> {
        let Peer { host, port, .. } = self;
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, *port)].into_iter());
        }
        permit_resolve(caller, host)?;
        let found = look_up(caller, format!("{host}:{port}")).await;
        found.map_err(|error| format!("cannot resolve `{host}`: {error}"))
    }

    async fn handshake(&self, socket: Arc<TcpConnection>) -> io::Result<TlsConnection> {
        let socket = Arc::try_unwrap(socket).map_err(|_| {
            io::Error::other("the process that gave the connection has a handle of it left")
        })?;
        let session = ClientConnection::new(self.config.clone(), self.name.clone());
        TlsConnection::handshake(socket, session.map_err(io::Error::other)?).await
    }
}

fn tls_peer_addr(mut caller: Caller<'_, State>, id: i64, out: i32) -> Result<i32> {
    let address = shared::<TlsConnection>(&mut caller, id)?.tcp.peer_addr();
    give_known_address(&mut caller, address, "the stream has no peer", out)
}
