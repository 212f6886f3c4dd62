//! `--metrics ADDR`: a small HTTP server that answers `GET /metrics`, and nothing else.
//!
//! It runs on the command's own thread beside the wait for the root's end, and looks figures up on
//! threads for blocking work, one scrape after the other: no worker is ever asked for anything.
//! Whoever connects is bounded in number, in bytes and in time, and a client that is too slow is
//! cut off, so that it cannot keep others out for long. Dropping the server ends all connections.

mod figures;
#[cfg(test)]
#[path = "../../tests/cli/prometheus.rs"]
mod prometheus;
mod text;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::error::CliError;

pub use figures::text;

/// Clients that are served at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 16;
/// How long a client may take to send the head of its request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(3);
/// How long a connection may last.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// After the system has refused a connection, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Looks all figures up, which may take a while. One at a time: a scrape of many processes is work.
type Collect = Mutex<Box<dyn FnMut() -> String + Send>>;

/// An address that is listened at, before anybody is served.
pub struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Takes the address, or says why it cannot be had.
    pub fn bind(address: SocketAddr) -> Result<Endpoint, CliError> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Endpoint { listener, address })
        };
        bind().map_err(|error: std::io::Error| {
            CliError::failure(format!("metrics cannot be served at {address}"))
                .because(&error)
                .hint("choose another address for --metrics; port 0 means any that is free")
        })
    }

    /// Where metrics are found.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Serves what `collect` gives, until it is dropped. Must be called within a Tokio runtime.
    pub async fn serve(
        self,
        collect: impl FnMut() -> String + Send + 'static,
    ) -> std::io::Result<Infallible> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let collect: Arc<Collect> = Arc::new(Mutex::new(Box::new(collect)));
        let mut connections = JoinSet::new();
        loop {
            while connections.len() >= CONNECTIONS_MAX {
                connections.join_next().await;
            }
            match listener.accept().await {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, collect.clone()))),
                Err(error) => {
                    tracing::warn!("metrics: a client could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Serves one request. Errors are the client's, who hears of them by the end of the connection.
async fn connection(stream: TcpStream, collect: Arc<Collect>) {
    let serve = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(|request| answer(request, collect.clone())),
        );
    let _ = tokio::time::timeout(CONNECTION_TIME_MAX, serve).await;
}

async fn answer(
    request: Request<Incoming>,
    collect: Arc<Collect>,
) -> Result<Response<String>, Infallible> {
    let (status, body) = match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET) => {
            let collect = move || collect.lock().unwrap_or_else(PoisonError::into_inner)();
            match tokio::task::spawn_blocking(collect).await {
                Ok(body) => (StatusCode::OK, body),
                Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "a bug of the runtime\n".into()),
            }
        }
        ("/metrics", _) => (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".into()),
        _ => (StatusCode::NOT_FOUND, "there is only /metrics\n".into()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(text::CONTENT_TYPE));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
    }
    Ok(response)
}
