//! Sockets as resources of a process: what host functions keep of them.
//!
//! TCP connections and UDP sockets are shared by their clones in all processes, and close when the
//! last handle goes, wherever it is: in a table or in a message. Listeners and addresses belong to
//! one process. Everything here may be used from several processes at once.

mod tls;
pub(crate) mod tls_config;
mod tls_listener;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Mutex;

use crate::tables::Table;

pub(crate) use tls::TlsConnection;
pub(crate) use tls_listener::{HANDSHAKE_TIME_MAX, TlsListener};

/// The socket tables of a process.
#[derive(Default)]
pub(crate) struct Sockets {
    pub(crate) addresses: Table<std::vec::IntoIter<SocketAddr>>,
    pub(crate) listeners: Table<Arc<TcpListener>>,
    streams: Table<Arc<TcpConnection>>,
    udp_sockets: Table<Arc<UdpSocket>>,
    tls_listeners: Table<Arc<TlsListener>>,
    tls_streams: Table<Arc<TlsConnection>>,
}

/// Sockets that can be cloned, and moved in messages.
pub(crate) trait Shareable: Send + Sync + Sized + 'static {
    /// How an error calls it.
    const WHAT: &'static str;

    /// The table of its kind.
    fn table(sockets: &mut Sockets) -> &mut Table<Arc<Self>>;
}

impl Shareable for TcpConnection {
    const WHAT: &'static str = "TCP stream";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<TcpConnection>> {
        &mut sockets.streams
    }
}

impl Shareable for UdpSocket {
    const WHAT: &'static str = "UDP socket";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<UdpSocket>> {
        &mut sockets.udp_sockets
    }
}

impl Shareable for TlsListener {
    const WHAT: &'static str = "TLS listener";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<TlsListener>> {
        &mut sockets.tls_listeners
    }
}

impl Shareable for TlsConnection {
    const WHAT: &'static str = "TLS stream";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<TlsConnection>> {
        &mut sockets.tls_streams
    }
}

/// A TCP connection. One process reads or peeks at a time, and one writes; others wait their turn.
pub(crate) struct TcpConnection {
    pub(crate) socket: TcpStream,
    pub(crate) reading: Mutex<()>,
    pub(crate) writing: Mutex<()>,
    pub(crate) read_timeout: Timeout,
    pub(crate) write_timeout: Timeout,
    pub(crate) peek_timeout: Timeout,
}

impl TcpConnection {
    pub(crate) fn new(socket: TcpStream) -> TcpConnection {
        TcpConnection {
            socket,
            reading: Mutex::default(),
            writing: Mutex::default(),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
            peek_timeout: Timeout::default(),
        }
    }

    /// Reads what is there, or fails with `WouldBlock`: then `readable` says when to try again.
    ///
    /// What Tokio knows of the socket lags behind, so the system has the last word. Tokio comes
    /// first all the same, because it has to forget a readiness that is used up.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.socket.try_read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                retry(|| (&*SockRef::from(&self.socket)).read(buffer))
            }
            result => result,
        }
    }

    /// Writes what fits, or fails with `WouldBlock`: then `writable` says when to try again.
    pub(crate) fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.socket.try_write_vectored(buffers) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                retry(|| (&*SockRef::from(&self.socket)).write_vectored(buffers))
            }
            result => result,
        }
    }

    /// Whether a peek has something to tell, be it the end, whatever Tokio knows of it yet.
    pub(crate) fn has_something(&self) -> io::Result<bool> {
        let byte = &mut [MaybeUninit::uninit()];
        match retry(|| SockRef::from(&self.socket).peek(byte)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            result => result.map(|_| true),
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A timeout that can be read and changed while somebody waits by it: who waits keeps to the one
/// that he began with.
pub(crate) struct Timeout(AtomicU64);

impl Default for Timeout {
    fn default() -> Timeout {
        Timeout(AtomicU64::new(Timeout::NONE))
    }
}

impl Timeout {
    /// "None" in milliseconds, as the ABI writes it.
    const NONE: u64 = u64::MAX;

    pub(crate) fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds.cast_unsigned(), Ordering::Relaxed);
    }

    /// In milliseconds.
    pub(crate) fn milliseconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed).cast_signed()
    }
}
