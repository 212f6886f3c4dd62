//! Sockets as resources of a process: what host functions keep of them.
//!
//! Streams, listeners and UDP sockets are shared by their clones in all processes, and close when
//! the last handle goes, wherever it is: in a table or in a message. Addresses belong to one
//! process. Everything here may be used from several processes at once.

mod datagram;
mod listener;
pub(crate) mod names;
pub(crate) mod platform;
mod stream;
mod tls;
pub(crate) mod tls_config;
mod tls_listener;

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::SockRef;
use tokio::sync::Semaphore;

pub(crate) use datagram::DatagramSocket;
pub(crate) use listener::Listener;
pub(crate) use stream::{Socket, TcpConnection};

use crate::tables::Table;

pub(crate) use tls::TlsConnection;
pub(crate) use tls_listener::{HANDSHAKE_TIME_MAX, TlsListener};

/// The socket tables of a process.
#[derive(Default)]
pub(crate) struct Sockets {
    pub(crate) addresses: Table<std::vec::IntoIter<SocketAddr>>,
    /// Names that the process may have looked up at once, made on first use.
    pub(crate) lookups: Option<Arc<Semaphore>>,
    listeners: Table<Arc<Listener>>,
    streams: Table<Arc<TcpConnection>>,
    udp_sockets: Table<Arc<DatagramSocket>>,
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

impl Shareable for Listener {
    const WHAT: &'static str = "TCP listener";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<Listener>> {
        &mut sockets.listeners
    }
}

impl Shareable for TcpConnection {
    const WHAT: &'static str = "TCP stream";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<TcpConnection>> {
        &mut sockets.streams
    }
}

impl Shareable for DatagramSocket {
    const WHAT: &'static str = "UDP socket";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<DatagramSocket>> {
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

/// Whether there is something to read, be it the end or an error, whatever Tokio knows of it yet.
fn has_something(socket: &SockRef<'_>) -> io::Result<bool> {
    let byte = &mut [MaybeUninit::uninit()];
    match retry(|| socket.peek(byte)) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        result => result.map(|_| true),
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
    pub(crate) const NONE: u64 = u64::MAX;

    pub(crate) fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds.cast_unsigned(), Ordering::Relaxed);
    }

    /// In milliseconds.
    pub(crate) fn milliseconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed).cast_signed()
    }
}
