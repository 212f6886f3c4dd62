//! A TLS listener: connections whose handshakes are over.
//!
//! Handshakes run beside each other, so that one that fails or stalls keeps nobody else waiting.
//! They go on only while somebody accepts, in the accepting process's turns, and end with the
//! listener. Each counts for the process that accepted at its begin.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use lunatic_node::{OpenDescriptor, OverBudget};
use rustls::{ServerConfig, ServerConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::net::{TcpConnection, TlsConnection};

/// Handshakes that run at once for one listener; further connections wait in the system.
const HANDSHAKES_MAX: usize = 256;
/// For how long a handshake may run.
pub(crate) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// A listener that was left alone for longer begins the time of its handshakes anew: it is not the
/// clients who were late.
const LEFT_ALONE: Duration = Duration::from_secs(1);

pub(crate) struct TlsListener {
    pub(crate) socket: TcpListener,
    config: Arc<ServerConfig>,
    handshakes: Mutex<Handshakes>,
    _place: OpenDescriptor,
}

struct Handshakes {
    running: FuturesUnordered<Handshake>,
    left_at: Instant,
}

/// A connection, and the address of its peer.
type Accepted = (TlsConnection, SocketAddr);

/// When a handshake has taken too long.
type Deadline = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Handshake {
    work: Pin<Box<dyn Future<Output = io::Result<Accepted>> + Send>>,
    deadline: Deadline,
}

impl Future for Handshake {
    type Output = io::Result<Accepted>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        if let Poll::Ready(result) = self.work.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        self.deadline.as_mut().poll(cx).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl TlsListener {
    pub(crate) fn new(
        socket: TcpListener,
        config: Arc<ServerConfig>,
        place: OpenDescriptor,
    ) -> TlsListener {
        let running = FuturesUnordered::new();
        let handshakes = Mutex::new(Handshakes { running, left_at: Instant::now() });
        TlsListener { socket, config, handshakes, _place: place }
    }

    /// The next connection whose handshake is over; `deadline` makes the deadline of one that
    /// begins, `place` a place for its socket. Handshakes that fail are none of the caller's
    /// business; only what the system says of the listener itself is an error, or that there is no
    /// place (an [`OverBudget`]) and no handshake that may give one back.
    pub(crate) async fn accept(
        &self,
        deadline: impl Fn() -> Deadline,
        place: impl Fn() -> Result<OpenDescriptor, OverBudget>,
    ) -> io::Result<Accepted> {
        let mut handshakes = self.handshakes.lock().await;
        if handshakes.left_at.elapsed() > LEFT_ALONE {
            let running = std::mem::take(&mut handshakes.running).into_iter();
            handshakes.running =
                running.map(|handshake| Handshake { deadline: deadline(), ..handshake }).collect();
        }
        let accepted =
            poll_fn(|cx| self.poll(cx, &mut handshakes.running, &deadline, &place)).await;
        handshakes.left_at = Instant::now();
        accepted
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        running: &mut FuturesUnordered<Handshake>,
        deadline: &impl Fn() -> Deadline,
        place: &impl Fn() -> Result<OpenDescriptor, OverBudget>,
    ) -> Poll<io::Result<Accepted>> {
        loop {
            let (mut failed, mut full) = (None, None);
            while failed.is_none() && running.len() < HANDSHAKES_MAX {
                let place = match place() {
                    Ok(place) => place,
                    Err(over) => {
                        full = Some(over);
                        break;
                    }
                };
                match self.socket.poll_accept(cx) {
                    Poll::Ready(Ok((socket, peer))) => {
                        let work = Box::pin(handshake(socket, peer, self.config.clone(), place));
                        running.push(Handshake { work, deadline: deadline() });
                    }
                    // It was gone before anybody came for it.
                    Poll::Ready(Err(error)) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Poll::Ready(Err(error)) => failed = Some(error),
                    Poll::Pending => break,
                }
            }
            // The system repeats its error, a finished handshake would be forgotten.
            match (running.poll_next_unpin(cx), failed) {
                (Poll::Ready(Some(Ok(accepted))), _) => return Poll::Ready(Ok(accepted)),
                (Poll::Ready(Some(Err(error))), _) => tracing::debug!("TLS handshake: {error}"),
                (Poll::Ready(None) | Poll::Pending, Some(error)) => return Poll::Ready(Err(error)),
                (Poll::Pending, None) => return Poll::Pending,
                (Poll::Ready(None), None) => match full {
                    Some(over) => return Poll::Ready(Err(io::Error::other(over))),
                    None => return Poll::Pending,
                },
            }
        }
    }
}

async fn handshake(
    socket: TcpStream,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
    place: OpenDescriptor,
) -> io::Result<Accepted> {
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    Ok((TlsConnection::handshake(TcpConnection::new(socket, place), session).await?, peer))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::io::Read;
    use std::net::TcpStream;
    use std::pin::pin;

    use futures::poll;
    use tokio::net::TcpSocket;
    use tokio::task::yield_now;

    use super::*;
    use crate::net::tls_config::{self, Clients, Identity};

    /// More than any of these tests needs.
    const TURNS_MAX: usize = 1 << 20;

    fn listener() -> TlsListener {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a name");
        let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let identity = Identity { certificate: certificate.as_bytes(), key: key.as_bytes() };
        let config = tls_config::server(&identity, Clients::All, &[], &[]).expect("they fit");
        let socket = TcpSocket::new_v4().expect("a descriptor");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        // All clients of a test have to find a place.
        let socket = socket.listen(1024).expect("nobody else listens there");
        TlsListener::new(socket, config, free().expect("nobody counts"))
    }

    fn free() -> Result<OpenDescriptor, OverBudget> {
        OpenDescriptor::new(None)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime")
    }

    /// Clients who never say a word.
    fn silent(listener: &TlsListener, count: usize) -> Vec<TcpStream> {
        let address = listener.socket.local_addr().expect("it is bound");
        (0..count).map(|_| TcpStream::connect(address).expect("it listens")).collect()
    }

    async fn running(listener: &TlsListener) -> usize {
        listener.handshakes.lock().await.running.len()
    }

    /// Accepts until so many handshakes run, and for as many turns again.
    async fn accept_until(listener: &TlsListener, count: usize) {
        for _ in 0..TURNS_MAX {
            {
                let mut accept = pin!(listener.accept(|| Box::pin(pending()), free));
                for _ in 0..count {
                    assert!(poll!(&mut accept).is_pending());
                    yield_now().await;
                }
            }
            if running(listener).await >= count {
                return;
            }
        }
        panic!("no {count} handshakes run");
    }

    #[test]
    fn a_handshake_that_takes_too_long_is_given_up() {
        runtime().block_on(async {
            let listener = listener();
            let mut clients = silent(&listener, 1);
            let mut accept = pin!(listener.accept(|| Box::pin(ready(())), free));
            clients[0].set_nonblocking(true).expect("sockets can");
            for _ in 0..TURNS_MAX {
                assert!(poll!(&mut accept).is_pending());
                yield_now().await;
                match clients[0].read(&mut [0]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Ok(0) => return,
                    other => panic!("not the end of the connection: {other:?}"),
                }
            }
            panic!("the handshake goes on and on");
        });
    }

    #[test]
    fn no_more_handshakes_run_at_once_than_the_limit() {
        runtime().block_on(async {
            let listener = listener();
            let _clients = silent(&listener, HANDSHAKES_MAX + 3);
            accept_until(&listener, HANDSHAKES_MAX).await;
            assert_eq!(running(&listener).await, HANDSHAKES_MAX);
        });
    }

    #[test]
    fn a_listener_that_was_left_alone_begins_the_time_of_its_handshakes_anew() {
        runtime().block_on(async {
            let listener = listener();
            let _clients = silent(&listener, 1);
            accept_until(&listener, 1).await;
            for (left_at, renewed) in [(Instant::now(), 0), (Instant::now() - 2 * LEFT_ALONE, 1)] {
                listener.handshakes.lock().await.left_at = left_at;
                let asked = std::cell::Cell::new(0);
                let deadline = || -> Deadline {
                    asked.set(asked.get() + 1);
                    Box::pin(pending())
                };
                assert!(poll!(pin!(listener.accept(deadline, free))).is_pending());
                assert_eq!((asked.get(), running(&listener).await), (renewed, 1));
            }
        });
    }
    #[test]
    fn handshakes_that_have_no_place_do_not_begin_and_without_any_that_is_an_error() {
        runtime().block_on(async {
            let listener = listener();
            let _clients = silent(&listener, 3);
            let free = std::cell::Cell::new(2);
            let place = || match free.get() {
                0 => Err(OverBudget { limit: "descriptors_max", ends: false }),
                _ => {
                    free.set(free.get() - 1);
                    OpenDescriptor::new(None)
                }
            };
            // Two stall, and may yet give their places back.
            for _ in 0..TURNS_MAX {
                let accept = listener.accept(|| Box::pin(pending()), place);
                assert!(poll!(pin!(accept)).is_pending());
                if running(&listener).await == 2 {
                    break;
                }
                free.set(2 - running(&listener).await);
                yield_now().await;
            }
            assert_eq!(running(&listener).await, 2);
            listener.handshakes.lock().await.running.clear();
            let accepted = listener.accept(|| Box::pin(pending()), place).await;
            let error = accepted.err().expect("there is no place and no handshake");
            assert!(error.get_ref().is_some_and(|source| source.is::<OverBudget>()), "{error}");
        });
    }
}
