//! A TLS connection over a TCP connection.
//!
//! The session (keys and buffers) is locked only for steps that do not wait, so that who waits for
//! the socket keeps nobody out: turns and timeouts are those of the TCP connection below. Whoever
//! has the lock may put on the wire what the session holds; its order is the session's. What a
//! session holds back is bounded by [`BUFFER_BYTES_MAX`].

use std::future;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::select;
use rustls::Connection;
use tokio::task::yield_now;

use crate::net::TcpConnection;

/// Bytes that one write takes: they are kept as records until the system has them.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Reads of the system in one turn. A record takes five; more bring no text, only work.
const ROUNDS_MAX: usize = 16;
/// Bytes of no interest that are taken from the system at once, at the end.
const REST_BYTES: usize = 4096;

pub(crate) struct TlsConnection {
    pub(crate) tcp: TcpConnection,
    session: Mutex<Connection>,
}

impl TlsConnection {
    /// Agrees on keys with the peer. Gives way between two steps, each of which may take a
    /// millisecond of arithmetic.
    pub(crate) async fn handshake(
        tcp: TcpConnection,
        session: impl Into<Connection>,
    ) -> io::Result<TlsConnection> {
        let mut session = session.into();
        session.set_buffer_limit(Some(BUFFER_BYTES_MAX));
        loop {
            yield_now().await;
            match step(&mut session, &tcp) {
                Ok(true) => return Ok(TlsConnection { tcp, session: Mutex::new(session) }),
                Ok(false) => {}
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) if session.wants_write() => tcp.writable().await?,
                Err(_) => tcp.readable().await?,
            }
        }
    }

    /// Reads what is there, or fails with `WouldBlock`: then `readable` says when to try again; or
    /// with `Interrupted`, when others should have a turn first.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut session = self.session();
        let mut failed = None;
        for _ in 0..ROUNDS_MAX {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(cut_off()),
                read => return read,
            }
            // Later than what had come before it.
            if let Some(error) = failed {
                return Err(error);
            }
            failed = receive(&mut session, &self.tcp).err();
            // An answer, such as to new keys. If there is no room now, `readable` sends it.
            let _ = send(&mut session, &self.tcp);
        }
        Err(ErrorKind::Interrupted.into())
    }

    /// Waits until there may be something to read. Sends what is left of a write that timed out:
    /// what is waited for may be the answer to it.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        let sending = async {
            // Who writes is told if that fails.
            let _ = self.flush().await;
            future::pending().await
        };
        select(pin!(self.tcp.readable()), pin!(sending)).await.factor_first().0
    }

    /// Takes bytes to be sent by `flush`, which has to have been done before.
    pub(crate) fn accept(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session().writer().write_vectored(buffers)
    }

    /// Waits until the system has everything that was taken.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        loop {
            let sent = send(&mut self.session(), &self.tcp);
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.tcp.writable().await?;
                }
                sent => return sent,
            }
        }
    }

    /// Tells the peer that nothing follows, and waits until the system knows.
    pub(crate) async fn shutdown(&self) -> io::Result<()> {
        self.flush().await?;
        self.session().send_close_notify();
        self.flush().await?;
        self.tcp.system().shutdown(Shutdown::Write)
    }

    /// The name of the protocol that both sides have agreed on.
    pub(crate) fn protocol(&self) -> Vec<u8> {
        self.session().alpn_protocol().unwrap_or_default().to_vec()
    }

    /// The certificate of the peer in DER.
    pub(crate) fn peer_certificate(&self) -> Vec<u8> {
        let session = self.session();
        let leaf = session.peer_certificates().and_then(|chain| chain.first());
        leaf.map(|leaf| leaf.to_vec()).unwrap_or_default()
    }

    /// A panic while it was locked leaves a session that says so itself.
    fn session(&self) -> MutexGuard<'_, Connection> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TlsConnection {
    /// Tells the peer that this is the end, as far as that can be done without waiting.
    fn drop(&mut self) {
        let session = self.session.get_mut().unwrap_or_else(PoisonError::into_inner);
        session.send_close_notify();
        let _ = send(session, &self.tcp);
        let _ = self.tcp.system().shutdown(Shutdown::Write);
        // Where something is left unread, such as tickets for a next session, the system would
        // reset the connection, and the peer could lose our last bytes.
        let mut rest = [0; REST_BYTES];
        for _ in 0..ROUNDS_MAX {
            if !matches!(self.tcp.try_read(&mut rest), Ok(1..)) {
                break;
            }
        }
    }
}

/// One step of a handshake; true when it is over.
fn step(session: &mut Connection, tcp: &TcpConnection) -> io::Result<bool> {
    send(session, tcp)?;
    if !session.is_handshaking() {
        return Ok(true);
    }
    match receive(session, tcp)? {
        0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "the peer hung up")),
        _ => Ok(false),
    }
}

/// Takes what the socket has; 0 bytes are its end.
fn receive(session: &mut Connection, tcp: &TcpConnection) -> io::Result<usize> {
    let received = session.read_tls(&mut Wire(tcp));
    // Whether something came or not: a session that has failed says so again.
    if let Err(error) = session.process_new_packets() {
        // The peer hears what is wrong, if there is room.
        let _ = send(session, tcp);
        return Err(io::Error::new(ErrorKind::InvalidData, error));
    }
    received
}

/// Puts on the wire what the session holds, or fails with `WouldBlock`.
fn send(session: &mut Connection, tcp: &TcpConnection) -> io::Result<()> {
    while session.wants_write() {
        if session.write_tls(&mut Wire(tcp))? == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

fn cut_off() -> io::Error {
    let text = "the connection was cut off: it ended without the peer's word (close_notify) that \
        nothing is missing";
    io::Error::new(ErrorKind::UnexpectedEof, text)
}

/// The TCP connection as a session sees it: nothing waits.
struct Wire<'a>(&'a TcpConnection);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(&[IoSlice::new(buffer)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
