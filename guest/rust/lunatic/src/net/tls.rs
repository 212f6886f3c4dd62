//! TLS: streams and listeners, as those of TCP. Certificates and keys are PEM texts.

use core::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::abi::{message, networking};

use super::address::{RawAddress, each};
use super::handle::{address, handle, stream, timeout};
use super::{ToSocketAddrs, call, milliseconds};

/// A connection by TLS. Both it and a reference to it read and write; a read gives 0 bytes only
/// where the peer has said that this is the end.
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use lunatic::net::{TlsClient, TlsListener, TlsStream};
/// use lunatic::{Mailbox, spawn_link};
///
/// # const CERTIFICATE: &str =
/// #     include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certificate.pem"));
/// # const KEY: &str =
/// #     include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/key.pem"));
/// let listener = TlsListener::bind("127.0.0.1:0", CERTIFICATE, KEY).unwrap();
/// let port = listener.local_addr().unwrap().port();
/// spawn_link(listener, |listener, _: Mailbox<()>| {
///     let (mut stream, _peer) = listener.accept().unwrap();
///     stream.write_all(b"hello").unwrap();
///     stream.shutdown().unwrap();
/// });
///
/// let client = TlsClient::new().authority(CERTIFICATE);
/// let mut stream: TlsStream = client.connect("localhost", port).unwrap();
/// stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
/// let mut text = String::new();
/// stream.read_to_string(&mut text).unwrap();
/// assert_eq!(text, "hello");
/// assert!(stream.peer_certificate().unwrap().is_some());
/// assert_eq!(stream.protocol().unwrap(), None);
/// // Nobody is there any more, and browsers would not trust that certificate.
/// assert!(TlsStream::connect("localhost", port).is_err());
/// ```
#[derive(Debug)]
pub struct TlsStream {
    pub(super) id: Cell<u64>,
}

/// A listener for TLS. The connections that it gives have done their handshakes; those whose
/// handshakes fail are dropped, and never an error of it.
///
/// ```no_run
/// use std::io::Write;
/// use lunatic::net::TlsListener;
/// use lunatic::{Mailbox, spawn};
///
/// # fn main() -> std::io::Result<()> {
/// # let (certificate, key) = ("", "");
/// let listener = TlsListener::bind("0.0.0.0:443", certificate, key)?;
/// println!("listening at {}", listener.local_addr()?);
/// loop {
///     let (stream, peer) = listener.accept()?;
///     spawn((stream, peer), |(mut stream, peer), _: Mailbox<()>| {
///         let _ = writeln!(stream, "hello, {peer}");
///     });
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct TlsListener {
    pub(super) id: Cell<u64>,
}

/// How a client connects: whom it trusts, what it shows.
///
/// ```no_run
/// use std::io::{Read, Write};
/// use lunatic::net::TlsClient;
///
/// # fn main() -> std::io::Result<()> {
/// let mut stream = TlsClient::new().protocol("http/1.1").connect("example.com", 443)?;
/// stream.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")?;
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TlsClient {
    authorities: Vec<String>,
    certificate: String,
    key: String,
    protocols: Vec<u8>,
    timeout: Option<Duration>,
}

/// How a server listens: what it shows, which clients it lets in.
///
/// ```no_run
/// use lunatic::net::TlsServer;
///
/// # fn main() -> std::io::Result<()> {
/// let (certificate, key) =
///     (std::fs::read_to_string("cert.pem")?, std::fs::read_to_string("key.pem")?);
/// let listener = TlsServer::new(&certificate, &key).protocol("h2").bind("0.0.0.0:443")?;
/// let (stream, _peer) = listener.accept()?;
/// assert_eq!(stream.protocol()?.as_deref(), Some(&b"h2"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsServer {
    certificate: String,
    key: String,
    authorities: Vec<String>,
    clients: Clients,
    protocols: Vec<u8>,
}

/// Which clients a server lets in.
///
/// ```
/// use std::time::Duration;
/// use lunatic::net::{Clients, TlsClient, TlsServer};
/// use lunatic::{Mailbox, spawn_link};
///
/// # const CERTIFICATE: &str =
/// #     include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certificate.pem"));
/// # const KEY: &str =
/// #     include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/key.pem"));
/// let server =
///     TlsServer::new(CERTIFICATE, KEY).clients(Clients::MustShowCertificate, CERTIFICATE);
/// let listener = server.bind("127.0.0.1:0").unwrap();
/// let port = listener.local_addr().unwrap().port();
/// spawn_link(listener, |listener, _: Mailbox<()>| {
///     let (stream, _peer) = listener.accept().unwrap();
///     assert!(stream.peer_certificate().unwrap().is_some());
/// });
/// let client = TlsClient::new()
///     .authority(CERTIFICATE)
///     .certificate(CERTIFICATE, KEY)
///     .timeout(Duration::from_secs(5));
/// client.connect("localhost", port).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum Clients {
    /// All; none is asked for a certificate.
    #[default]
    All = 0,
    /// Those that show none, and those that show one of a known authority.
    MayShowCertificate = 1,
    /// Only those that show one of a known authority.
    MustShowCertificate = 2,
}

/// Adds a protocol to a list as the ABI has them. A name of no length, or of more than 255 bytes,
/// makes a list that the host refuses.
fn add_protocol(protocols: &mut Vec<u8>, name: &str) {
    protocols.push(u8::try_from(name.len()).unwrap_or(0));
    protocols.extend_from_slice(name.as_bytes());
}

/// A list of authorities as the ABI has them.
fn entries(authorities: &[String]) -> Vec<[usize; 2]> {
    authorities.iter().map(|text| [text.as_ptr().expose_provenance(), text.len()]).collect()
}

impl TlsClient {
    /// Trusts whom browsers trust, shows no certificate, speaks any protocol, waits for ever.
    pub fn new() -> TlsClient {
        TlsClient::default()
    }

    /// Trusts this authority (or these), a PEM text, and no longer whom browsers trust.
    pub fn authority(mut self, certificates: &str) -> TlsClient {
        self.authorities.push(certificates.to_owned());
        self
    }

    /// Shows this certificate (a PEM text, with those between it and its root) to a server that
    /// asks for one.
    pub fn certificate(mut self, certificate: &str, key: &str) -> TlsClient {
        (self.certificate, self.key) = (certificate.to_owned(), key.to_owned());
        self
    }

    /// Speaks this protocol (ALPN), if not one that was named before.
    pub fn protocol(mut self, name: &str) -> TlsClient {
        add_protocol(&mut self.protocols, name);
        self
    }

    /// Waits for at most so long: for the look-up, all addresses, and the handshake.
    pub fn timeout(mut self, timeout: Duration) -> TlsClient {
        self.timeout = Some(timeout);
        self
    }

    /// Connects to a host, a name or an IP address, which it has to prove to be.
    ///
    /// # Errors
    ///
    /// If it cannot be reached in time, does not prove it, the process may not connect there, or a
    /// certificate or key cannot be used: the error says which.
    pub fn connect(&self, host: &str, port: u16) -> io::Result<TlsStream> {
        let authorities = entries(&self.authorities);
        // SAFETY: all texts and lists live during the call; the place has eight bytes.
        let id = call(|id| unsafe {
            networking::tls_connect_with(
                host.as_ptr(),
                host.len(),
                port.into(),
                milliseconds(self.timeout),
                id,
                authorities.as_ptr(),
                authorities.len(),
                self.certificate.as_ptr(),
                self.certificate.len(),
                self.key.as_ptr(),
                self.key.len(),
                self.protocols.as_ptr(),
                self.protocols.len(),
            )
        })?;
        Ok(TlsStream::from_id(id))
    }
}

impl TlsServer {
    /// Shows this certificate (a PEM text, with those between it and its root), lets all clients
    /// in, speaks any protocol.
    pub fn new(certificate: &str, key: &str) -> TlsServer {
        TlsServer {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            authorities: Vec::new(),
            clients: Clients::All,
            protocols: Vec::new(),
        }
    }

    /// Asks clients for certificates, of this authority (or these), a PEM text.
    pub fn clients(mut self, clients: Clients, certificates: &str) -> TlsServer {
        self.clients = clients;
        self.authorities.push(certificates.to_owned());
        self
    }

    /// Speaks this protocol (ALPN), if not one that was named before. A client that offers only
    /// others is turned away.
    pub fn protocol(mut self, name: &str) -> TlsServer {
        add_protocol(&mut self.protocols, name);
        self
    }

    /// Listens at the first address where it can; port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// If it can at none, the process may not, or a certificate or key cannot be used: the error
    /// says which.
    pub fn bind(&self, address: impl ToSocketAddrs) -> io::Result<TlsListener> {
        let authorities = entries(&self.authorities);
        each(address, |address| {
            let raw = RawAddress::from(address);
            // SAFETY: all texts and lists live during the call; the place has eight bytes.
            let id = call(|id| unsafe {
                networking::tls_bind_with(
                    raw.family,
                    raw.octets.as_ptr(),
                    raw.port,
                    raw.flow_info,
                    raw.scope_id,
                    id,
                    self.certificate.as_ptr(),
                    self.certificate.len(),
                    self.key.as_ptr(),
                    self.key.len(),
                    authorities.as_ptr(),
                    authorities.len(),
                    self.clients as u32,
                    self.protocols.as_ptr(),
                    self.protocols.len(),
                )
            })?;
            Ok(TlsListener::from_id(id))
        })
    }
}

handle!(
    TlsStream,
    networking::drop_tls_stream,
    message::push_tls_stream,
    message::take_tls_stream,
    clone networking::clone_tls_stream
);
stream!(TlsStream, networking::tls_read, networking::tls_write_vectored, networking::tls_flush);
handle!(
    TlsListener,
    networking::drop_tls_listener,
    message::push_tls_listener,
    message::take_tls_listener
);

impl TlsStream {
    /// Connects to a host that browsers would trust: see [`TlsClient`] for other ways.
    ///
    /// # Errors
    ///
    /// As [`TlsClient::connect`].
    pub fn connect(host: &str, port: u16) -> io::Result<TlsStream> {
        TlsClient::new().connect(host, port)
    }

    address!("The address of the other end.", peer_addr = networking::tls_peer_addr);
    timeout!(
        "a read",
        set_read_timeout = networking::set_tls_read_timeout,
        read_timeout = networking::get_tls_read_timeout
    );
    timeout!(
        "a write",
        set_write_timeout = networking::set_tls_write_timeout,
        write_timeout = networking::get_tls_write_timeout
    );

    /// Tells the other end that nothing follows, and ends the sending half.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::TimedOut`] after the write timeout.
    pub fn shutdown(&self) -> io::Result<()> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        call(|result| unsafe { networking::tls_shutdown(id, result) })?;
        Ok(())
    }

    /// The protocol on which both ends have agreed (ALPN).
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn protocol(&self) -> io::Result<Option<Vec<u8>>> {
        // SAFETY: `text` gives places of the length that it says.
        self.text(|id, place, room, length| unsafe {
            networking::tls_alpn(id, place, room, length)
        })
    }

    /// The other end's own certificate in DER, if it has shown one.
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn peer_certificate(&self) -> io::Result<Option<Vec<u8>>> {
        // SAFETY: `text` gives places of the length that it says.
        self.text(|id, place, room, length| unsafe {
            networking::tls_peer_certificate(id, place, room, length)
        })
    }

    /// What a host function stores; none if it is empty.
    fn text(
        &self,
        get: impl Fn(u64, *mut u8, usize, *mut u32) -> i32,
    ) -> io::Result<Option<Vec<u8>>> {
        let (id, mut length) = (self.id()?, 0);
        get(id, core::ptr::null_mut(), 0, &raw mut length);
        let mut bytes = vec![0; length as usize];
        get(id, bytes.as_mut_ptr(), bytes.len(), &raw mut length);
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

impl TlsListener {
    /// Listens with a certificate and its key: see [`TlsServer`] for other ways.
    ///
    /// # Errors
    ///
    /// As [`TlsServer::bind`].
    pub fn bind(
        address: impl ToSocketAddrs,
        certificate: &str,
        key: &str,
    ) -> io::Result<TlsListener> {
        TlsServer::new(certificate, key).bind(address)
    }

    /// Waits for a connection whose handshake is over. Gives the address of the other end, too.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn accept(&self) -> io::Result<(TlsStream, SocketAddr)> {
        let id = self.id()?;
        let mut peer = 0;
        // SAFETY: the places have eight bytes each.
        let stream = call(|result| unsafe { networking::tls_accept(id, result, &raw mut peer) })?;
        let stream = TlsStream::from_id(stream);
        Ok((stream, super::address::address(peer)?))
    }

    address!(
        "The address at which it listens, with its port.",
        local_addr = networking::tls_local_addr
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_written_as_the_page_about_tls_says() {
        let client = TlsClient::new().protocol("h2").protocol("http/1.1");
        assert_eq!(client.protocols, b"\x02h2\x08http/1.1");
    }
}
