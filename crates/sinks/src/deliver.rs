//! One attempt to send a batch, whatever the destination.

use hyper::StatusCode;

use crate::bulk;
use crate::http::Client;
use crate::options::{Destination, Options};
use crate::queue::{Fate, Line};
use crate::stream::{Framing, Tcp, Udp};

pub(crate) enum Delivery {
    Tcp(Tcp),
    Udp(Udp),
    Bulk { client: Client, path: String, authorization: Option<String>, sink: String },
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
    pub(crate) fn new(destination: Destination, options: &Options, sink: String) -> Delivery {
        let time_max = options.answer_time;
        match destination {
            Destination::Tcp { address } => {
                Delivery::Tcp(Tcp::new(address, Framing::Lines, time_max))
            }
            Destination::SyslogTcp { address } => {
                Delivery::Tcp(Tcp::new(address, Framing::Syslog, time_max))
            }
            Destination::SyslogUdp { address } => Delivery::Udp(Udp::new(address)),
            Destination::Elasticsearch { address, index, authorization } => Delivery::Bulk {
                client: Client::new(address, time_max),
                path: format!("/{index}/_bulk"),
                authorization,
                sink,
            },
        }
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
            Delivery::Bulk { client, path, authorization, sink } => {
                let body = bulk::body(sink, batch);
                let authorization = authorization.as_deref();
                let answer = client.post(path, "application/x-ndjson", authorization, body).await;
                match answer {
                    Ok((status, answer)) => judged(sink, batch, status, &answer),
                    Err(error) => Outcome::all(batch, Fate::Again, Some(error.to_string())),
                }
            }
        }
    }
}

fn judged(sink: &str, batch: &[Line], status: StatusCode, answer: &[u8]) -> Outcome {
    let again = |why: String| Outcome::all(batch, Fate::Again, Some(why));
    match status {
        StatusCode::OK => match bulk::fates(sink, batch, answer) {
            Some(fates) => {
                let repeated = fates.iter().filter(|fate| **fate == Fate::Again).count();
                let why = || format!("{repeated} lines are to be sent again");
                Outcome { trouble: (repeated > 0).then(why), fates, too_large: false }
            }
            None => again("the answer is not one to what was sent".to_owned()),
        },
        StatusCode::PAYLOAD_TOO_LARGE if batch.len() > 1 => {
            Outcome { too_large: true, ..again("the request is too large".to_owned()) }
        }
        // What is wrong with the request as such does not get better by itself.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
            tracing::warn!("Elasticsearch refuses {} lines: {status}", batch.len());
            Outcome::all(batch, Fate::Refused, None)
        }
        // Overload, restarts, and what an operator can mend: rights, a missing index.
        status => again(format!("it answers {status}")),
    }
}
