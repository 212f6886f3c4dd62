//! The sockets of a native body: closed when it is dropped, as everything that it owns.
//!
//! They never block: a body that waits for one lets others run.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};

use crate::pause::give_way;
use crate::program::{Outcome, Port, Socket};

/// Where the listeners of one run are.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<BTreeMap<Port, SocketAddr>>);

/// What one body has.
#[derive(Default)]
pub(crate) struct Sockets {
    listeners: BTreeMap<Port, TcpListener>,
    streams: BTreeMap<Port, TcpStream>,
}

impl Sockets {
    /// Does a step.
    pub(crate) async fn perform(&mut self, socket: Socket, addresses: &Addresses) -> Outcome {
        let done = match socket {
            Socket::Listen(port) => self.listen(port, addresses),
            Socket::Connect(port) => self.connect(port, addresses),
            Socket::Accept(port) => self.accept(port).await,
            Socket::Closed(port) => return Outcome::Is(self.is_closed(port).await),
        };
        if done.is_ok() { Outcome::Ok } else { Outcome::Badarg }
    }

    fn listen(&mut self, port: Port, addresses: &Addresses) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let mut known = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(port, listener.local_addr()?);
        self.listeners.insert(port, listener);
        Ok(())
    }

    fn connect(&mut self, port: Port, addresses: &Addresses) -> io::Result<()> {
        let known = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = known.get(&port).copied().ok_or(ErrorKind::NotFound)?;
        // The system takes a connection at once, whether or not it is accepted.
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        self.streams.insert(port, stream);
        Ok(())
    }

    async fn accept(&mut self, port: Port) -> io::Result<()> {
        let listener = self.listeners.get(&port).ok_or(ErrorKind::NotFound)?;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    self.streams.insert(port, stream);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => give_way().await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn is_closed(&mut self, port: Port) -> bool {
        let Some(stream) = self.streams.get_mut(&port) else { return false };
        loop {
            match stream.read(&mut [0]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => give_way().await,
                Ok(count) => return count == 0,
                Err(_) => return true,
            }
        }
    }
}
