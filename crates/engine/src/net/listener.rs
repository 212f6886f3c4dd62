//! Listeners: TCP, and unix sockets. Any number of processes may accept at once; each connection
//! goes to one of them.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use lunatic_node::OpenDescriptor;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

#[cfg(unix)]
use crate::net::platform;
use crate::net::{Socket, Timeout, retry};

/// A listener with what belongs to it in all processes that have a handle.
pub(crate) struct Listener {
    socket: Kind,
    pub(crate) accept_timeout: Timeout,
    _place: OpenDescriptor,
}

/// What listens.
pub(crate) enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

/// A new connection, and the address of its other end if it has one.
type Accepted = (Socket, Option<SocketAddr>);

impl From<TcpListener> for Kind {
    fn from(socket: TcpListener) -> Kind {
        Kind::Tcp(socket)
    }
}

#[cfg(unix)]
impl From<tokio::net::UnixListener> for Kind {
    fn from(socket: tokio::net::UnixListener) -> Kind {
        Kind::Unix(socket)
    }
}

impl Listener {
    pub(crate) fn new(socket: impl Into<Kind>, place: OpenDescriptor) -> Listener {
        Listener { socket: socket.into(), accept_timeout: Timeout::default(), _place: place }
    }

    /// The next connection. One that ended before anybody accepted it is passed over: nothing is
    /// wrong with the listener.
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        loop {
            let accepted = match &self.socket {
                Kind::Tcp(socket) => {
                    let accepted = socket.accept().await;
                    accepted.map(|(socket, peer)| (Socket::Tcp(socket), Some(peer)))
                }
                #[cfg(unix)]
                Kind::Unix(socket) => {
                    socket.accept().await.map(|(socket, _)| (Socket::Unix(socket), None))
                }
            };
            match accepted {
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                accepted => return accepted,
            }
        }
    }

    /// A connection that is there, whatever Tokio knows of it yet, or `WouldBlock`.
    pub(crate) fn try_accept(&self) -> io::Result<Accepted> {
        match &self.socket {
            Kind::Tcp(listener) => {
                let (socket, peer) = retry(|| SockRef::from(listener).accept())?;
                socket.set_nonblocking(true)?;
                let stream = TcpStream::from_std(socket.into())?;
                Ok((Socket::Tcp(stream), peer.as_socket()))
            }
            #[cfg(unix)]
            Kind::Unix(listener) => {
                let (socket, _) = retry(|| SockRef::from(listener).accept())?;
                socket.set_nonblocking(true)?;
                let stream = tokio::net::UnixStream::from_std(socket.into())?;
                Ok((Socket::Unix(stream), None))
            }
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Kind::Tcp(socket) => socket.local_addr(),
            #[cfg(unix)]
            Kind::Unix(_) => Err(platform::no_address()),
        }
    }
}
