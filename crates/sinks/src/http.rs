//! One connection over which requests are posted, opened when it is needed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::options::Server;
use crate::tls::Tls;

/// Bytes of an answer. What is longer is no answer that we understand.
const ANSWER_BYTES_MAX: usize = 64 << 20;

pub(crate) struct Client {
    address: String,
    authorization: Option<String>,
    tls: Option<Tls>,
    time_max: Duration,
    connection: Option<SendRequest<String>>,
}

impl Client {
    /// An error is the text of what is wrong with the server's name, or with whom to trust.
    pub(crate) fn new(server: Server, time_max: Duration) -> Result<Client, String> {
        let Server { address, authorization, trust } = server;
        let tls = trust.map(|trust| Tls::new(&address, &trust)).transpose()?;
        Ok(Client { address, authorization, tls, time_max, connection: None })
    }

    /// Posts a body, and gives the status and body of the answer. After a failure, which includes
    /// a timeout, the next request opens a new connection.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: String,
    ) -> io::Result<(StatusCode, Vec<u8>)> {
        let connection = self.connection.take();
        let mut request =
            Request::post(path).header(HOST, &self.address).header(CONTENT_TYPE, content_type);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(body).map_err(io::Error::other)?;
        let exchange = async {
            let mut connection = match connection {
                Some(connection) if connection.is_ready() => connection,
                Some(_) | None => connect(&self.address, self.tls.as_ref()).await?,
            };
            let answer = connection.send_request(request).await.map_err(io::Error::other)?;
            let status = answer.status();
            let answer = collect(answer.into_body()).await?;
            io::Result::Ok((connection, status, answer))
        };
        let answered = tokio::time::timeout(self.time_max, exchange).await;
        let (connection, status, answer) = answered.map_err(|_| io::ErrorKind::TimedOut)??;
        self.connection = Some(connection);
        Ok((status, answer))
    }
}

async fn connect(address: &str, tls: Option<&Tls>) -> io::Result<SendRequest<String>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => speak(tls.connect(stream).await?).await,
        None => speak(stream).await,
    }
}

async fn speak<T>(stream: T) -> io::Result<SendRequest<String>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends with the sender, or when the server closes.
    tokio::spawn(connection);
    Ok(sender)
}

async fn collect(mut body: Incoming) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            if bytes.len() + data.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other("the answer is too long"));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
