//! What sockets need of the system and have no portable name for.

pub(crate) use imp::*;

#[cfg(unix)]
mod imp {
    use std::io::{self, ErrorKind};
    use std::task::{Context, Poll, ready};

    use lunatic_node::OpenDescriptor;
    use lunatic_wasi::provider::SocketPath;
    use rustix::net::RecvFlags;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use tokio::io::{Interest, ReadBuf};
    use tokio::net::{UnixListener, UnixStream};

    use crate::net::{Listener, Socket};

    /// Whether the system had no descriptor, or no memory, for a new socket.
    pub(crate) fn is_exhausted(error: &io::Error) -> bool {
        let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
        error.raw_os_error().is_some_and(|code| codes.contains(&code))
    }

    /// Raises the number of descriptors that this program may have as far as it may raise it.
    /// Connections are descriptors, and the usual default is made for programs that poll few.
    pub(crate) fn raise_descriptor_limit() {
        // More than this the kernel of macOS does not take, whatever it says.
        const MACOS_MAX: u64 = 10_240;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = match maximum {
            maximum if cfg!(target_vendor = "apple") => {
                Some(maximum.map_or(MACOS_MAX, |maximum| maximum.min(MACOS_MAX)))
            }
            maximum => maximum,
        };
        let enough = |current| wanted.is_some_and(|wanted| current >= wanted);
        if current.is_none_or(enough) {
            return;
        }
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum }) {
            tracing::debug!("the limit of descriptors stays {current:?}: {error}");
        }
    }

    /// Tokio has none for unix sockets.
    pub(crate) fn poll_peek(
        socket: &UnixStream,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(socket.poll_read_ready(cx))?;
            let peek = || {
                let room = buffer.initialize_unfilled();
                let (count, _) = rustix::net::recv(socket, room, RecvFlags::PEEK)?;
                Ok(count)
            };
            match socket.try_io(Interest::READABLE, peek) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                peeked => return Poll::Ready(peeked),
            }
        }
    }

    /// The error of asking a unix socket for an address of the network.
    pub(crate) fn no_address() -> io::Error {
        io::Error::new(ErrorKind::Unsupported, "a unix socket has no address of the network")
    }

    /// Makes a unix socket in the file system and listens there.
    pub(crate) async fn listen(way: SocketPath, place: OpenDescriptor) -> io::Result<Listener> {
        // A file is made, which may take a disk's time.
        let bind = move || std::os::unix::net::UnixListener::bind(way.path());
        let socket = tokio::task::spawn_blocking(bind).await.map_err(io::Error::other)??;
        socket.set_nonblocking(true)?;
        Ok(Listener::new(UnixListener::from_std(socket)?, place))
    }

    /// Connects, or fails with `WouldBlock` when the listener has connections enough.
    pub(crate) async fn connect(place: &SocketPath) -> io::Result<Socket> {
        UnixStream::connect(place.path()).await.map(Socket::Unix)
    }
}

#[cfg(not(unix))]
mod imp {
    use std::io;

    use lunatic_node::OpenDescriptor;
    use lunatic_wasi::provider::SocketPath;

    use crate::net::{Listener, Socket};

    /// Whether the system had no descriptor, or no memory, for a new socket.
    pub(crate) fn is_exhausted(error: &io::Error) -> bool {
        const WSAEMFILE: i32 = 10024;
        const WSAENOBUFS: i32 = 10055;
        matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
    }

    /// There is no such limit here.
    pub(crate) fn raise_descriptor_limit() {}

    /// No directory gives out places for unix sockets here, so this is never reached.
    pub(crate) async fn listen(_: SocketPath, _: OpenDescriptor) -> io::Result<Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// As [`listen`].
    pub(crate) async fn connect(_: &SocketPath) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
