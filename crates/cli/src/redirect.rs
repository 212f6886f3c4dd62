//! What redirections need of the outside: files of whoever runs the command, and sinks, for
//! `--redirect` as for what programs redirect.
//!
//! Sinks are started here and flushed at the end of the program. **Invariants:** a program whose
//! lines did not all arrive never ends without a word about it; what a program chose gets none of
//! the command's secrets, and bounded room.

use std::fs::{File as HostFile, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lunatic_engine::{LineSink, Outside};
use lunatic_model::{LossPolicy, Redirection, SinkOption, Target};
use lunatic_sinks::{Destination, Figures, Lines, Loss, Options, Server, Sink, Trust};
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::provider::stdio::{ReaderInput, WriterOutput};
use lunatic_wasi::provider::{Directory, Input, Output, Reply, StreamKind};

use crate::report::printable;

/// The variable of this command with what is sent as `authorization` to Elasticsearch. Guests do
/// not get it.
const AUTHORIZATION: &str = "LUNATIC_ELASTICSEARCH_AUTHORIZATION";
/// The same for `http://` and `https://`.
const HTTP_AUTHORIZATION: &str = "LUNATIC_HTTP_AUTHORIZATION";
/// The variables of this command that guests do not get.
pub const SECRETS: [&str; 2] = [AUTHORIZATION, HTTP_AUTHORIZATION];
/// The variable of this command with a file of authorities (PEM) that TLS trusts in the place of
/// the public ones.
const AUTHORITIES: &str = "LUNATIC_SINK_AUTHORITIES";
/// Sinks that programs have chosen, at once.
const PROGRAM_SINKS_MAX: usize = 64;
/// Bytes in the queue of a sink that a program has chosen: they count in no account.
const PROGRAM_QUEUE_BYTES_MAX: usize = 1 << 20;
/// Sentences about sinks that have ended.
const SENTENCES_MAX: usize = 64;

/// The sinks of a program. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Sinks(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    open: Vec<Arc<Entry>>,
    /// About those that nobody writes to any more.
    sentences: Vec<String>,
}

/// A sink with what it is called, and the streams into it.
struct Entry {
    name: String,
    sink: Sink,
    chosen_by_program: bool,
    streams: Mutex<Vec<Weak<Lines>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each section leaves its data whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sinks {
    /// Sends what waits, for `time_max` at most for each sink. Gives a sentence for each whose
    /// lines did not all arrive.
    pub async fn finish(&self, time_max: Duration) -> Vec<String> {
        let (open, mut sentences) = {
            let mut inner = lock(&self.0);
            (inner.open.clone(), std::mem::take(&mut inner.sentences))
        };
        for entry in &open {
            let streams: Vec<_> = lock(&entry.streams).iter().filter_map(Weak::upgrade).collect();
            for lines in streams {
                // What stands behind the last newline; somebody who waits has not ended.
                tokio::time::timeout(time_max, lines.end()).await.ok();
            }
        }
        for entry in &open {
            sentences.extend(sentence(&entry.name, &entry.sink.flush(time_max).await));
        }
        sentences
    }
}

/// What is said of a sink of which not every line arrived.
fn sentence(name: &str, figures: &Figures) -> Option<String> {
    (figures.dropped() + figures.waiting > 0).then(|| {
        format!(
            "{name}: of {} lines {} arrived, {} were refused, {} found no room, {} were not sent",
            figures.taken, figures.arrived, figures.refused, figures.overflowed, figures.waiting
        )
    })
}

impl Inner {
    /// Forgets sinks of programs that nobody writes to, and that have nothing left to send.
    fn prune(&mut self) {
        let Inner { open, sentences } = self;
        open.retain(|entry| {
            let idle = entry.chosen_by_program && Arc::strong_count(entry) == 1;
            let figures = entry.sink.figures();
            let ended = idle && figures.waiting == 0;
            if ended && sentences.len() < SENTENCES_MAX {
                sentences.extend(sentence(&entry.name, &figures));
            }
            !ended
        });
    }
}

impl Outside for Sinks {
    fn sink(
        &self,
        redirection: &Redirection,
        chosen_by_program: bool,
    ) -> Result<Arc<dyn LineSink>, String> {
        let (name, destination) = destination(&redirection.target, chosen_by_program)?
            .ok_or("only tcp:, syslog:, elasticsearch: and http: are sinks")?;
        let mut options = options(redirection);
        let mut inner = lock(&self.0);
        if chosen_by_program {
            options.queue_bytes = options.queue_bytes.min(PROGRAM_QUEUE_BYTES_MAX);
            inner.prune();
            let count = inner.open.iter().filter(|entry| entry.chosen_by_program).count();
            if count >= PROGRAM_SINKS_MAX {
                return Err(format!(
                    "programs have {PROGRAM_SINKS_MAX} sinks open already, the most that a node has"
                ));
            }
        }
        let sink = Sink::start(destination, options).map_err(|error| error.to_string())?;
        let streams = Mutex::default();
        let entry = Arc::new(Entry { name, sink, chosen_by_program, streams });
        inner.open.push(entry.clone());
        Ok(Arc::new(OpenSink(entry)))
    }

    fn input(&self, path: &str) -> Result<Arc<dyn Input>, String> {
        let file = HostFile::open(path).map_err(|error| unusable(path, &error))?;
        Ok(Arc::new(ReaderInput::new(file, StreamKind::Pipe)))
    }

    fn output(&self, path: &str) -> Result<Arc<dyn Output>, String> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| unusable(path, &error))?;
        Ok(Arc::new(WriterOutput::new(file, StreamKind::Pipe)))
    }

    fn directory(&self, path: &str) -> Result<(Arc<dyn Directory>, String), String> {
        let whole = PathBuf::from(path);
        let name = whole.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| unusable(path, &"it is no name of a file"))?;
        let parent = whole.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = HostDirectory::open_ambient(parent.unwrap_or(Path::new(".")));
        Ok((directory.map_err(|error| unusable(path, &error))?, name.to_owned()))
    }
}

struct OpenSink(Arc<Entry>);

impl LineSink for OpenSink {
    fn output(&self, source: &str) -> Arc<dyn Output> {
        let lines = Arc::new(Lines::new(self.0.sink.clone(), source));
        let mut streams = lock(&self.0.streams);
        if streams.len() == streams.capacity() {
            streams.retain(|stream| stream.strong_count() > 0);
        }
        streams.push(Arc::downgrade(&lines));
        drop(streams);
        Arc::new(SinkOutput { lines, _open: self.0.clone() })
    }
}

struct SinkOutput {
    lines: Arc<Lines>,
    _open: Arc<Entry>,
}

impl Output for SinkOutput {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move {
            self.lines.write(&data).await;
            Ok(data.len())
        })
    }
}

/// A server with what it wants to know, which is the command's secret: a program could have it sent
/// to itself.
fn server(
    address: &str,
    tls: bool,
    authorization: &str,
    chosen_by_program: bool,
) -> Result<Server, String> {
    let authorization = std::env::var(authorization).ok().filter(|_| !chosen_by_program);
    let trust = if tls { Some(trust()?) } else { None };
    Ok(Server { address: address.to_owned(), authorization, trust })
}

/// Whom TLS trusts: the authorities of the operator's file, or the public ones.
fn trust() -> Result<Trust, String> {
    let Ok(path) = std::env::var(AUTHORITIES) else { return Ok(Trust::Public) };
    let pem = std::fs::read(&path).map_err(|error| {
        format!("the file `{}` of {AUTHORITIES} cannot be read: {error}", printable(&path))
    })?;
    Ok(Trust::Authorities(pem))
}

/// Where lines go, and how people know it; nothing if the target is no sink.
fn destination(
    target: &Target,
    chosen_by_program: bool,
) -> Result<Option<(String, Destination)>, String> {
    Ok(Some(match target {
        Target::Tcp(address) => {
            let (address, trust) = (address.clone(), None);
            (format!("tcp:{address}"), Destination::Tcp { address, trust })
        }
        Target::Tls(address) => {
            let (address, trust) = (address.clone(), Some(trust()?));
            (format!("tls:{address}"), Destination::Tcp { address, trust })
        }
        Target::SyslogTcp(address) => {
            let (address, trust) = (address.clone(), None);
            (format!("syslog:tcp:{address}"), Destination::SyslogTcp { address, trust })
        }
        Target::SyslogTls(address) => {
            let (address, trust) = (address.clone(), Some(trust()?));
            (format!("syslog:tls:{address}"), Destination::SyslogTcp { address, trust })
        }
        Target::SyslogUdp(address) => {
            (format!("syslog:udp:{address}"), Destination::SyslogUdp { address: address.clone() })
        }
        Target::Elasticsearch { address, index, tls } => {
            let scheme = if *tls { "https://" } else { "" };
            let shown = format!("elasticsearch:{scheme}{address}/{index}");
            let server = server(address, *tls, AUTHORIZATION, chosen_by_program)?;
            (shown, Destination::Elasticsearch { server, index: index.clone() })
        }
        Target::Http { address, path, tls } => {
            let scheme = if *tls { "https" } else { "http" };
            // A query may hold a secret.
            let shown = format!("{scheme}://{address}{}", path.split('?').next().unwrap_or(path));
            let server = server(address, *tls, HTTP_AUTHORIZATION, chosen_by_program)?;
            (shown, Destination::Http { server, path: path.clone() })
        }
        Target::Null
        | Target::File(_)
        | Target::Text(_)
        | Target::FixedTime(_)
        | Target::SteppedTime(..)
        | Target::ScriptedTime(_)
        | Target::Seed(_)
        | Target::Own
        | Target::Address(..)
        | Target::Addresses(_)
        | Target::Process => return Ok(None),
    }))
}

fn options(redirection: &Redirection) -> Options {
    let mut options = Options {
        loss: match redirection.loss {
            LossPolicy::Block => Loss::Block,
            LossPolicy::DropNewest => Loss::DropNewest,
            LossPolicy::DropOldest => Loss::DropOldest,
        },
        ..Options::default()
    };
    for (option, value) in &redirection.options {
        let (count, time) = (usize::try_from(*value), Duration::from_millis(*value));
        let count = count.unwrap_or(usize::MAX);
        match option {
            SinkOption::QueueLines => options.queue_lines = count,
            SinkOption::QueueBytes => options.queue_bytes = count,
            SinkOption::BatchLines => options.batch_lines = count,
            SinkOption::BatchBytes => options.batch_bytes = count,
            SinkOption::BatchMilliseconds => options.batch_time = time,
            SinkOption::RetryMilliseconds => options.retry_time = time,
            SinkOption::RetryMaxMilliseconds => options.retry_time_max = time,
        }
    }
    options
}

fn unusable(path: &str, why: &dyn std::fmt::Display) -> String {
    format!("the file `{}` of --redirect cannot be used: {why}", printable(path))
}
