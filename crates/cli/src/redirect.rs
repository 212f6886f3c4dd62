//! `--redirect`: puts what the redirections say in the place of streams, clocks, random numbers,
//! variables and files of the root. Its children inherit all of it with its configuration.
//!
//! Sinks are started here and flushed at the end of the program. **Invariant:** a program whose
//! lines did not all arrive never ends without a word about it.

use std::fs::{File as HostFile, OpenOptions};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lunatic_model::{LossPolicy, PathPattern, Redirection, SinkOption, Target, What};
use lunatic_sinks::{Destination, Lines, Loss, Options, Sink};
use lunatic_wasi::provider::divert::{Diversion, DivertedDirectory};
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::provider::scripted::{ScriptedClock, SeededRandom};
use lunatic_wasi::provider::stdio::{Null, ReaderInput, WriterOutput};
use lunatic_wasi::provider::{
    Clock, Directory, File, OpenRequest, Opened, Output, Reply, StreamKind,
};
use lunatic_wasi::{Errno, FileType, Metadata, Preopen, WasiConfig};

use crate::error::CliError;
use crate::redirect::sink_file::{SinkFile, described};

mod sink_file;

/// The variable of this command with what is sent as `authorization` to Elasticsearch. Guests do
/// not get it.
const AUTHORIZATION: &str = "LUNATIC_ELASTICSEARCH_AUTHORIZATION";

/// The sinks of a program.
#[derive(Clone, Default)]
pub struct Sinks {
    sinks: Vec<(String, Sink)>,
    streams: Vec<Arc<Lines>>,
}

impl Sinks {
    /// Sends what waits, for `time_max` at most for each sink. Gives a sentence for each whose
    /// lines did not all arrive.
    pub async fn finish(&self, time_max: Duration) -> Vec<String> {
        for lines in &self.streams {
            // What stands behind the last newline; somebody who waits has not ended.
            tokio::time::timeout(time_max, lines.end()).await.ok();
        }
        let mut sentences = Vec::new();
        for (name, sink) in &self.sinks {
            let figures = sink.flush(time_max).await;
            let lost = figures.dropped() + figures.waiting;
            if lost > 0 {
                sentences.push(format!(
                    "{name}: of {} lines {} arrived, {} were refused, {} found no room, {} were \
                     not sent",
                    figures.taken,
                    figures.arrived,
                    figures.refused,
                    figures.overflowed,
                    figures.waiting
                ));
            }
        }
        sentences
    }

    fn start(&mut self, redirection: &Redirection) -> Result<Option<Sink>, CliError> {
        let Some((name, destination)) = destination(&redirection.target) else { return Ok(None) };
        let sink = Sink::start(destination, options(redirection))
            .map_err(|error| CliError::failure("a sink cannot start").because(&error))?;
        self.sinks.push((name, sink.clone()));
        Ok(Some(sink))
    }
}

/// Applies redirections in order: of two for the same thing, the later one counts.
pub fn apply(redirections: &[Redirection], config: &mut WasiConfig) -> Result<Sinks, CliError> {
    let mut sinks = Sinks::default();
    if redirections.iter().any(|redirection| redirection.target.is_sink()) {
        set_variable(config, AUTHORIZATION, None)?;
    }
    for redirection in redirections {
        match &redirection.what {
            What::Stdin => set_stdin(&redirection.target, config)?,
            What::Stdout => config.set_stdout(output(redirection, "stdout", &mut sinks)?),
            What::Stderr => config.set_stderr(output(redirection, "stderr", &mut sinks)?),
            What::Clock => set_clock(&redirection.target, config),
            What::Random => {
                if let Target::Seed(seed) = redirection.target {
                    config.set_random(Arc::new(SeededRandom::new(seed)));
                }
            }
            What::Variable(name) => {
                let value = match &redirection.target {
                    Target::Text(value) => Some(value.as_str()),
                    _ => None,
                };
                set_variable(config, name, value)?;
            }
            What::Files(pattern) => {
                let behind = behind(redirection, &mut sinks)?;
                divert(config, Arc::new(Diverted { pattern: pattern.clone(), behind }))?;
            }
        }
    }
    Ok(sinks)
}

fn set_stdin(target: &Target, config: &mut WasiConfig) -> Result<(), CliError> {
    match target {
        Target::File(path) => {
            let file = HostFile::open(path).map_err(|error| unusable(path).because(&error))?;
            config.set_stdin(Arc::new(ReaderInput::new(file, StreamKind::Pipe)));
        }
        Target::Text(text) => {
            let text = Cursor::new(text.clone().into_bytes());
            config.set_stdin(Arc::new(ReaderInput::new(text, StreamKind::Pipe)));
        }
        _ => config.set_stdin(Arc::new(Null)),
    }
    Ok(())
}

fn set_clock(target: &Target, config: &mut WasiConfig) {
    let clock: Arc<dyn Clock> = match target {
        Target::FixedTime(time) => Arc::new(ScriptedClock::fixed(*time)),
        Target::SteppedTime(time, step) => Arc::new(ScriptedClock::stepped(*time, *step)),
        Target::ScriptedTime(times) => Arc::new(ScriptedClock::script(times.iter().copied())),
        _ => return,
    };
    config.set_clock(clock);
}

fn set_variable(config: &mut WasiConfig, name: &str, value: Option<&str>) -> Result<(), CliError> {
    let mut variables = config.env().to_vec();
    variables.retain(|(known, _)| known != name);
    variables.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    config.clear_env();
    for (name, value) in variables {
        config.push_env(name, value).map_err(refused)?;
    }
    Ok(())
}

fn output(
    redirection: &Redirection,
    name: &str,
    sinks: &mut Sinks,
) -> Result<Arc<dyn Output>, CliError> {
    if let Some(sink) = sinks.start(redirection)? {
        let lines = Arc::new(Lines::new(sink, name));
        sinks.streams.push(lines.clone());
        return Ok(Arc::new(SinkOutput(lines)));
    }
    let Target::File(path) = &redirection.target else { return Ok(Arc::new(Null)) };
    let file = OpenOptions::new().append(true).create(true).open(path);
    let file = file.map_err(|error| unusable(path).because(&error))?;
    Ok(Arc::new(WriterOutput::new(file, StreamKind::Pipe)))
}

struct SinkOutput(Arc<Lines>);

impl Output for SinkOutput {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move {
            self.0.write(&data).await;
            Ok(data.len())
        })
    }
}

/// What stands behind diverted names.
enum Behind {
    Nothing,
    Sink(Sink),
    /// One file of the host: a directory, and its name there.
    File(Arc<dyn Directory>, String),
}

fn behind(redirection: &Redirection, sinks: &mut Sinks) -> Result<Behind, CliError> {
    if let Some(sink) = sinks.start(redirection)? {
        return Ok(Behind::Sink(sink));
    }
    let Target::File(path) = &redirection.target else { return Ok(Behind::Nothing) };
    let whole = PathBuf::from(path);
    let name = whole.file_name().and_then(|name| name.to_str()).ok_or_else(|| unusable(path))?;
    let parent = whole.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = HostDirectory::open_ambient(parent.unwrap_or(Path::new(".")));
    let directory = directory.map_err(|error| unusable(path).because(&error))?;
    Ok(Behind::File(directory, name.to_owned()))
}

fn divert(config: &mut WasiConfig, diversion: Arc<dyn Diversion>) -> Result<(), CliError> {
    let preopens = config.preopens().to_vec();
    config.clear_preopens();
    for preopen in preopens {
        let (name, access) = (preopen.guest_name(), preopen.access());
        let inner = preopen.directory().clone();
        let directory = DivertedDirectory::over(inner, name, diversion.clone());
        let preopen = Preopen::new(name, directory, access).map_err(refused)?;
        config.push_preopen(preopen).map_err(refused)?;
    }
    Ok(())
}

struct Diverted {
    pattern: PathPattern,
    behind: Behind,
}

impl Diversion for Diverted {
    fn covers(&self, path: &str) -> bool {
        self.pattern.covers(path)
    }

    fn covers_below(&self, directory: &str) -> bool {
        self.pattern.covers_below(directory)
    }

    fn open<'a>(&'a self, path: &'a str, request: OpenRequest) -> Reply<'a, Arc<dyn File>> {
        Box::pin(async move {
            let lines = match &self.behind {
                Behind::File(directory, name) => {
                    return match directory.open(name.clone(), request).await? {
                        Opened::File(file) => Ok(file),
                        Opened::Directory(_) => Err(Errno::Isdir),
                    };
                }
                Behind::Sink(sink) => Some(Lines::new(sink.clone(), path)),
                Behind::Nothing => None,
            };
            if request.create && request.exclusive {
                return Err(Errno::Exist);
            }
            Ok(Arc::new(SinkFile::new(lines)) as Arc<dyn File>)
        })
    }

    fn metadata<'a>(&'a self, _path: &'a str) -> Reply<'a, Metadata> {
        Box::pin(async move {
            match &self.behind {
                Behind::File(directory, name) => directory.metadata_at(name.clone(), true).await,
                Behind::Sink(_) | Behind::Nothing => Ok(described(FileType::RegularFile, 0)),
            }
        })
    }
}

/// Where lines go, and how people know it.
fn destination(target: &Target) -> Option<(String, Destination)> {
    Some(match target {
        Target::Tcp(address) => {
            (format!("tcp:{address}"), Destination::Tcp { address: address.clone() })
        }
        Target::SyslogTcp(address) => {
            (format!("syslog:tcp:{address}"), Destination::SyslogTcp { address: address.clone() })
        }
        Target::SyslogUdp(address) => {
            (format!("syslog:udp:{address}"), Destination::SyslogUdp { address: address.clone() })
        }
        Target::Elasticsearch(address, index) => {
            let authorization = std::env::var(AUTHORIZATION).ok();
            let (shown, index) = (format!("elasticsearch:{address}/{index}"), index.clone());
            (shown, Destination::Elasticsearch { address: address.clone(), index, authorization })
        }
        Target::Null
        | Target::File(_)
        | Target::Text(_)
        | Target::FixedTime(_)
        | Target::SteppedTime(..)
        | Target::ScriptedTime(_)
        | Target::Seed(_) => return None,
    })
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

fn unusable(path: &str) -> CliError {
    let path = crate::report::printable(path);
    CliError::usage(format!("the file `{path}` of --redirect cannot be used"))
}

fn refused(error: lunatic_wasi::ConfigError) -> CliError {
    CliError::usage("the guest cannot be given what --redirect says").because(&error)
}
