//! Sockets: TCP, unix, TLS and UDP, with the traits of std.
//!
//! A call suspends its process only. Sockets are handles: clones in any process are the same
//! socket,
//! with the same timeouts. They travel in messages as resources (serde writes them), which takes
//! them out of the process that sends; what is used afterwards gives an error.
//!
//! ```
//! use std::io::{Read, Write};
//! use lunatic::net::{TcpListener, TcpStream};
//! use lunatic::{Mailbox, spawn_link};
//!
//! let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! let address = listener.local_addr().unwrap();
//! spawn_link(listener, |listener, _: Mailbox<()>| {
//!     let (stream, _peer) = listener.accept().unwrap();
//!     // A process for each connection, which the stream moves to.
//!     spawn_link(stream, |mut stream, _: Mailbox<()>| {
//!         std::io::copy(&mut stream.clone(), &mut stream).unwrap();
//!     });
//! });
//! let mut stream = TcpStream::connect(address).unwrap();
//! stream.write_all(b"hello").unwrap();
//! let mut answer = [0; 5];
//! stream.read_exact(&mut answer).unwrap();
//! assert_eq!(&answer, b"hello");
//! ```

mod address;
mod handle;
mod tcp;
mod tls;
mod udp;

use std::io;
use std::time::Duration;

pub use address::{ToSocketAddrs, resolve};
pub use tcp::{Shutdown, TcpListener, TcpStream, UnixListener, UnixStream};
pub use tls::{Clients, TlsClient, TlsListener, TlsServer, TlsStream};
pub use udp::UdpSocket;

use crate::abi::TIMED_OUT;
use crate::host_error::HostError;

/// The number of a socket that was sent away.
const GONE: u64 = u64::MAX;

/// Calls a host function that stores a number, or the id of an error.
fn call(function: impl FnOnce(*mut u64) -> i32) -> io::Result<u64> {
    let mut place = 0;
    match function(&raw mut place) {
        0 => Ok(place),
        TIMED_OUT => Err(timed_out()),
        _ if place == 0 => Err(timed_out()),
        _ => Err(HostError::take(place).into()),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed")
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket was sent to another process")
}

/// A timeout as sockets have it: none is the largest number.
fn milliseconds(timeout: Option<Duration>) -> u64 {
    crate::message::milliseconds(timeout)
}

fn duration(milliseconds: u64) -> Option<Duration> {
    (milliseconds != u64::MAX).then(|| Duration::from_millis(milliseconds))
}
