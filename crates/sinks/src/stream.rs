//! Destinations that only take bytes: TCP, and syslog (RFC 5424) over TCP or UDP.
//!
//! None of them confirms anything. A line counts as arrived when the system has taken it; the
//! batch whose write failed is sent again, so that some of its lines may arrive twice.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::options::Trust;
use crate::queue::Line;
use crate::time::rfc3339;
use crate::tls::Tls;

/// Facility "user", severity "informational".
const PRIORITY: u8 = 8 + 6;
/// Bytes of a datagram; what is longer is cut off, as RFC 5426 lets senders do.
const DATAGRAM_BYTES_MAX: usize = 8 << 10;

/// How lines are put into a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    Lines,
    Syslog,
}

pub(crate) struct Tcp {
    address: String,
    tls: Option<Tls>,
    framing: Framing,
    time_max: Duration,
    connection: Option<Connection>,
}

/// To a receiver, over TLS or not.
type Connection = Box<dyn AsyncWrite + Send + Unpin>;

impl Tcp {
    /// An error is the text of what is wrong with the server's name, or with whom to trust.
    pub(crate) fn new(
        address: String,
        trust: Option<Trust>,
        framing: Framing,
        time_max: Duration,
    ) -> Result<Tcp, String> {
        let tls = trust.map(|trust| Tls::new(&address, &trust)).transpose()?;
        Ok(Tcp { address, tls, framing, time_max, connection: None })
    }

    pub(crate) async fn send(&mut self, batch: &[Line]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in batch {
            match self.framing {
                Framing::Lines => {
                    bytes.extend_from_slice(&line.text);
                    bytes.push(b'\n');
                }
                Framing::Syslog => {
                    let message = syslog(line);
                    bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
                    bytes.extend_from_slice(&message);
                }
            }
        }
        let connection = self.connection.take();
        let sending = async {
            let mut stream = match connection {
                Some(stream) => stream,
                None => {
                    let stream = TcpStream::connect(&self.address).await?;
                    let stream: Connection = match &self.tls {
                        Some(tls) => Box::new(tls.connect(stream).await?),
                        None => Box::new(stream),
                    };
                    stream
                }
            };
            stream.write_all(&bytes).await?;
            // TLS keeps what the system has not taken.
            stream.flush().await?;
            io::Result::Ok(stream)
        };
        let sent = tokio::time::timeout(self.time_max, sending).await;
        self.connection = Some(sent.map_err(|_| io::ErrorKind::TimedOut)??);
        Ok(())
    }
}

pub(crate) struct Udp {
    address: String,
    socket: Option<UdpSocket>,
}

impl Udp {
    pub(crate) fn new(address: String) -> Udp {
        Udp { address, socket: None }
    }

    /// How many lines of the batch were sent before the first that failed.
    pub(crate) async fn send(&mut self, batch: &[Line]) -> usize {
        for (index, line) in batch.iter().enumerate() {
            if self.send_one(line).await.is_err() {
                self.socket = None;
                return index;
            }
        }
        batch.len()
    }

    async fn send_one(&mut self, line: &Line) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connected(&self.address).await?,
        };
        let message = syslog(line);
        socket.send(&message[..message.len().min(DATAGRAM_BYTES_MAX)]).await?;
        self.socket = Some(socket);
        Ok(())
    }
}

async fn connected(address: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in tokio::net::lookup_host(address).await? {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A message of RFC 5424. The source is its MSGID, and structured data carries the sequence.
pub(crate) fn syslog(line: &Line) -> Vec<u8> {
    let printable = |byte: &u8| (b'!'..=b'~').contains(byte);
    let id: String = line.source.bytes().filter(printable).take(32).map(char::from).collect();
    let id = if id.is_empty() { "-" } else { &id };
    let (time, sequence) = (rfc3339(line.time), line.sequence);
    let head = format!(
        "<{PRIORITY}>1 {time} - lunatic {} {id} [meta sequenceId=\"{}\"] ",
        std::process::id(),
        // RFC 5424 lets this count from 1 up to 2147483647, and then from 1 again.
        (sequence - 1) % 2_147_483_647 + 1,
    );
    let mut message = head.into_bytes();
    message.extend_from_slice(&line.text);
    message
}
