//! One attempt to send a batch, whatever the destination.

use hyper::StatusCode;

use crate::bulk;
use crate::http::Client;
use crate::options::{Destination, Options};
use crate::queue::{Fate, Line};
use crate::stream::{Framing, Tcp, Udp};

const NDJSON: &str = "application/x-ndjson";

pub(crate) enum Delivery {
    Tcp(Tcp),
    Udp(Udp),
    Bulk { client: Client, path: String, sink: String },
    Post { client: Client, path: String, sink: String },
}

/// What an attempt came to.
pub(crate) struct Outcome {
    /// For each line of the batch.
    pub(crate) fates: Vec<Fate>,
    /// Why some are to be sent again.
    pub(crate) trouble: Option<String>,
    /// The destination wants less at once.
    pub(crate) too_large: bool,
}

impl Outcome {
    fn all(batch: &[Line], fate: Fate, trouble: Option<String>) -> Outcome {
        Outcome { fates: vec![fate; batch.len()], trouble, too_large: false }
    }
}

impl Delivery {
    /// `sink` is the part of ids that all lines of the sink share.
    pub(crate) fn new(
        destination: Destination,
        options: &Options,
        sink: String,
    ) -> Result<Delivery, String> {
        let time_max = options.answer_time;
        Ok(match destination {
            Destination::Tcp { address, trust } => {
                Delivery::Tcp(Tcp::new(address, trust, Framing::Lines, time_max)?)
            }
            Destination::SyslogTcp { address, trust } => {
                Delivery::Tcp(Tcp::new(address, trust, Framing::Syslog, time_max)?)
            }
            Destination::SyslogUdp { address } => Delivery::Udp(Udp::new(address)),
            Destination::Elasticsearch { server, index } => {
                let (client, path) = (Client::new(server, time_max)?, format!("/{index}/_bulk"));
                Delivery::Bulk { client, path, sink }
            }
            Destination::Http { server, path } => {
                Delivery::Post { client: Client::new(server, time_max)?, path, sink }
            }
        })
    }

    pub(crate) async fn attempt(&mut self, batch: &[Line]) -> Outcome {
        match self {
            Delivery::Tcp(tcp) => match tcp.send(batch).await {
                Ok(()) => Outcome::all(batch, Fate::Arrived, None),
                Err(error) => Outcome::all(batch, Fate::Again, Some(error.to_string())),
            },
            Delivery::Udp(udp) => {
                let sent = udp.send(batch).await;
                let mut outcome = Outcome::all(batch, Fate::Again, None);
                outcome.fates[..sent].fill(Fate::Arrived);
                let trouble = || "the system does not take datagrams for it".to_owned();
                outcome.trouble = (sent < batch.len()).then(trouble);
                outcome
            }
            Delivery::Bulk { client, path, sink } => {
                match client.post(path, NDJSON, bulk::body(sink, batch)).await {
                    Ok((StatusCode::OK, answer)) => stored(sink, batch, &answer),
                    Ok((status, _)) => judged(batch, status),
                    Err(error) => Outcome::all(batch, Fate::Again, Some(error.to_string())),
                }
            }
            Delivery::Post { client, path, sink } => {
                match client.post(path, NDJSON, bulk::documents(sink, batch)).await {
                    Ok((status, _)) if status.is_success() => {
                        Outcome::all(batch, Fate::Arrived, None)
                    }
                    Ok((status, _)) => judged(batch, status),
                    Err(error) => Outcome::all(batch, Fate::Again, Some(error.to_string())),
                }
            }
        }
    }
}

/// What Elasticsearch says of each line.
fn stored(sink: &str, batch: &[Line], answer: &[u8]) -> Outcome {
    let Some(fates) = bulk::fates(sink, batch, answer) else {
        let why = "the answer is not one to what was sent".to_owned();
        return Outcome::all(batch, Fate::Again, Some(why));
    };
    let repeated = fates.iter().filter(|fate| **fate == Fate::Again).count();
    let why = || format!("{repeated} lines are to be sent again");
    Outcome { trouble: (repeated > 0).then(why), fates, too_large: false }
}

/// What a status says that does not mean success.
fn judged(batch: &[Line], status: StatusCode) -> Outcome {
    let again = |why: String| Outcome::all(batch, Fate::Again, Some(why));
    match status {
        StatusCode::PAYLOAD_TOO_LARGE if batch.len() > 1 => {
            Outcome { too_large: true, ..again("the request is too large".to_owned()) }
        }
        // What is wrong with the request as such does not get better by itself.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
            tracing::warn!("a server refuses {} lines: {status}", batch.len());
            Outcome::all(batch, Fate::Refused, None)
        }
        // Overload, restarts, and what an operator can mend: rights, a missing index.
        status => again(format!("it answers {status}")),
    }
}
