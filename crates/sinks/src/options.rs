//! Where a sink sends lines to, and how much it may keep meanwhile.

use std::time::Duration;

/// Where lines go. Hosts are names or addresses; names are looked up at each connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// Lines as they are, over TCP. It confirms nothing: what the system took counts as arrived.
    Tcp {
        /// `host:port`.
        address: String,
        /// Over TLS, with servers that these vouch for.
        trust: Option<Trust>,
    },
    /// RFC 5424 over TCP, each message with its length before it (RFC 6587); confirms nothing.
    SyslogTcp {
        /// `host:port`.
        address: String,
        /// Over TLS (RFC 5425), with servers that these vouch for.
        trust: Option<Trust>,
    },
    /// RFC 5424 over UDP, a datagram for each line; confirms nothing.
    SyslogUdp {
        /// `host:port`.
        address: String,
    },
    /// Elasticsearch's `_bulk` over HTTP: each line is a document, created under an id of its own.
    Elasticsearch {
        /// Where it is.
        server: Server,
        /// The index or data stream.
        index: String,
    },
    /// Posts to an HTTP server: each line is a document of JSON with an id of its own, one a line.
    /// A status of 2xx confirms them.
    Http {
        /// Where it is.
        server: Server,
        /// The path, with a query if there is one.
        path: String,
    },
}

/// A server that speaks HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// `host:port`.
    pub address: String,
    /// The value of the header `authorization`, if the server wants one.
    pub authorization: Option<String>,
    /// Over TLS, with servers that these vouch for.
    pub trust: Option<Trust>,
}

/// Whose word counts for who a server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trust {
    /// The public authorities.
    Public,
    /// These alone, in PEM.
    Authorities(Vec<u8>),
}

/// What happens to a line for which the queue has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Loss {
    /// Nothing is lost: the writer waits.
    #[default]
    Block,
    /// The line itself is dropped.
    DropNewest,
    /// The oldest line that is not on its way is dropped.
    DropOldest,
}

/// The bounds of a sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// When the queue is full.
    pub loss: Loss,
    /// Lines in the queue, those on their way included.
    pub queue_lines: usize,
    /// Bytes of these lines.
    pub queue_bytes: usize,
    /// Lines that are sent at once.
    pub batch_lines: usize,
    /// Bytes of the lines that are sent at once; a longer line goes alone.
    pub batch_bytes: usize,
    /// How long the first line of a batch waits for others.
    pub batch_time: Duration,
    /// Before the first repetition; doubles with each until `retry_time_max`.
    pub retry_time: Duration,
    /// Between repetitions at most.
    pub retry_time_max: Duration,
    /// For an answer, and for a connection.
    pub answer_time: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            loss: Loss::Block,
            queue_lines: 10_000,
            queue_bytes: 8 << 20,
            batch_lines: 500,
            batch_bytes: 1 << 20,
            batch_time: Duration::from_millis(200),
            retry_time: Duration::from_millis(100),
            retry_time_max: Duration::from_secs(10),
            answer_time: Duration::from_secs(30),
        }
    }
}
