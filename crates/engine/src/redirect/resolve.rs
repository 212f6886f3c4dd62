//! From what a setter says to what takes the place of what: opens what has to be opened, with the
//! setter's rights, directories and redirections.

use std::net::SocketAddr;
use std::sync::Arc;

use lunatic_model::{Access, NetworkRights, Protocol, Redirection, Target, What};
use lunatic_wasi::provider::scripted::{ScriptedClock, SeededRandom};
use lunatic_wasi::provider::stdio::Null;
use lunatic_wasi::provider::{Directory, File, Input, OpenRequest, Opened, Output};
use lunatic_wasi::{Access as FileAccess, Preopen, Replacement, WasiConfig};

use crate::config::ProcessConfig;
use crate::host::containing;
use crate::redirect::files::{Behind, Diverted, FileInput, FileOutput, TextInput};
use crate::redirect::network::{Answer, End, Reached, Route, reached};
use crate::redirect::processes::{AskedClock, AskedInput, AskedRandom};
use crate::redirect::serve::{Served, ServedDirectory};
use crate::redirect::{Effect, LineSink, Outside, ProcessTarget, Resolved};

/// Who sets a redirection.
pub(crate) enum Setter<'a> {
    /// Whoever started the program.
    Operator(&'a dyn Outside),
    /// A process, and what its runtime has for all.
    Process(&'a ProcessConfig, Option<&'a dyn Outside>),
}

/// Makes a redirection. `to` is the process, where the target is one. Within a process, this may
/// ask others: poll it on behalf of that process.
///
/// # Errors
/// The text of what the setter cannot have, and why.
pub(crate) async fn resolve(
    redirection: &Redirection,
    to: Option<ProcessTarget>,
    setter: &Setter<'_>,
) -> Result<Resolved, String> {
    let effect = setter.effect(redirection, to).await?;
    let mut targets: Vec<_> = to.map(|to| to.pid).into_iter().collect();
    if let (Setter::Process(config, _), true) = (setter, reached_by_setter(&redirection.target)) {
        // What its setter reaches by way of other processes is reached by way of them.
        targets.extend(config.redirected.iter().flat_map(|redirected| redirected.targets()));
    }
    Ok(Resolved { what: redirection.what.clone(), effect, targets, alone: false })
}

fn reached_by_setter(target: &Target) -> bool {
    match target {
        Target::File(_) | Target::Own | Target::Address(..) => true,
        Target::Null
        | Target::Text(_)
        | Target::FixedTime(_)
        | Target::SteppedTime(..)
        | Target::ScriptedTime(_)
        | Target::Seed(_)
        | Target::Tcp(_)
        | Target::Tls(_)
        | Target::SyslogTcp(_)
        | Target::SyslogTls(_)
        | Target::SyslogUdp(_)
        | Target::Elasticsearch { .. }
        | Target::Http { .. }
        | Target::Addresses(_)
        | Target::Process => false,
    }
}

impl Setter<'_> {
    async fn effect(
        &self,
        redirection: &Redirection,
        to: Option<ProcessTarget>,
    ) -> Result<Effect, String> {
        let target = &redirection.target;
        Ok(Effect::Wasi(match &redirection.what {
            What::Stdin => Replacement::Stdin(match to {
                Some(to) => Arc::new(AskedInput::new(asked(to)?)),
                None => self.input(target).await?,
            }),
            What::Stdout => Replacement::Stdout(self.output(redirection, to, "stdout").await?),
            What::Stderr => Replacement::Stderr(self.output(redirection, to, "stderr").await?),
            What::Clock => Replacement::Clock(match (target, to) {
                (Target::FixedTime(time), _) => Arc::new(ScriptedClock::fixed(*time)),
                (Target::SteppedTime(time, step), _) => {
                    Arc::new(ScriptedClock::stepped(*time, *step))
                }
                (Target::ScriptedTime(times), _) => {
                    Arc::new(ScriptedClock::script(times.iter().copied()))
                }
                (_, Some(to)) => Arc::new(AskedClock::new(asked(to)?)),
                _ => self.own()?.clock().clone(),
            }),
            What::Random => Replacement::Random(match (target, to) {
                (Target::Seed(seed), _) => Arc::new(SeededRandom::new(*seed)),
                (_, Some(to)) => Arc::new(AskedRandom(asked(to)?)),
                _ => self.own()?.random().clone(),
            }),
            What::Variable(name) => {
                let value = match target {
                    Target::Text(value) => Some(value.clone()),
                    Target::Own => {
                        let own = self.own()?.env().iter().rev();
                        own.clone().find(|(known, _)| known == name).map(|(_, value)| value.clone())
                    }
                    _ => None,
                };
                Replacement::Variable(name.clone(), value)
            }
            What::Files(pattern) => {
                let behind = self.behind(redirection, to).await?;
                Replacement::Files(Arc::new(Diverted { pattern: pattern.clone(), behind }))
            }
            What::Directory(name) => {
                let served = Served(asked(to.ok_or("a directory is served by a process")?)?);
                let directory = ServedDirectory::at(served, name.as_str());
                let preopen = Preopen::new(name, directory, FileAccess::FULL);
                Replacement::Directory(preopen.map_err(|error| error.to_string())?)
            }
            What::Connect(rule) => {
                return Ok(Effect::Network(Route::Connect {
                    rule: *rule,
                    end: self.end(target, to)?,
                }));
            }
            What::Host(name) => {
                let answer = match (target, to) {
                    (Target::Addresses(addresses), _) => Answer::Addresses(addresses.clone()),
                    (_, Some(to)) => Answer::Process(asked(to)?),
                    _ => Answer::Nothing,
                };
                return Ok(Effect::Network(Route::Host { name: name.clone(), answer }));
            }
        }))
    }

    /// What a setter has himself.
    fn own(&self) -> Result<&WasiConfig, String> {
        match self {
            Setter::Process(config, _) => Ok(&config.wasi),
            Setter::Operator(_) => Err("`own` is for programs: it is what is there anyway".into()),
        }
    }

    async fn input(&self, target: &Target) -> Result<Arc<dyn Input>, String> {
        Ok(match (target, self) {
            (Target::File(path), Setter::Operator(outside)) => outside.input(path)?,
            (Target::File(path), Setter::Process(..)) => {
                let request = OpenRequest { read: true, follow: true, ..OpenRequest::default() };
                Arc::new(FileInput::new(self.open(path, request).await?))
            }
            (Target::Text(text), _) => Arc::new(TextInput::new(text)),
            (Target::Own, _) => self.own()?.stdin().clone(),
            _ => Arc::new(Null),
        })
    }

    async fn output(
        &self,
        redirection: &Redirection,
        to: Option<ProcessTarget>,
        name: &str,
    ) -> Result<Arc<dyn Output>, String> {
        if let Some(to) = to {
            return Ok(to.output(name));
        }
        if let Some(sink) = self.sink(redirection)? {
            return Ok(sink.output(name));
        }
        Ok(match (&redirection.target, self) {
            (Target::File(path), Setter::Operator(outside)) => outside.output(path)?,
            (Target::File(path), Setter::Process(..)) => {
                let request = OpenRequest {
                    write: true,
                    create: true,
                    append: true,
                    follow: true,
                    ..OpenRequest::default()
                };
                Arc::new(FileOutput(self.open(path, request).await?))
            }
            (Target::Own, _) if name == "stdout" => self.own()?.stdout().clone(),
            (Target::Own, _) => self.own()?.stderr().clone(),
            _ => Arc::new(Null),
        })
    }

    async fn behind(
        &self,
        redirection: &Redirection,
        to: Option<ProcessTarget>,
    ) -> Result<Behind, String> {
        if let Some(to) = to {
            return Ok(match to.told {
                Some(_) => Behind::Told(to),
                None => Behind::Served(Served(to.pid)),
            });
        }
        if let Some(sink) = self.sink(redirection)? {
            return Ok(Behind::Sink(sink));
        }
        match &redirection.target {
            Target::File(path) => {
                let (directory, name) = self.directory(path, true)?;
                Ok(Behind::File(directory, name))
            }
            _ => Ok(Behind::Nothing),
        }
    }

    /// The directory of the setter in which a path lies, and the path from there.
    fn directory(&self, path: &str, write: bool) -> Result<(Arc<dyn Directory>, String), String> {
        let config = match self {
            Setter::Operator(outside) => return outside.directory(path),
            Setter::Process(config, _) => config,
        };
        let Some((preopen, rest)) = containing(&config.wasi, path) else {
            return Err(format!("none of the directories that this process has contains {path:?}"));
        };
        let needed = if write { FileAccess::FULL } else { FileAccess::READ };
        if !preopen.access().covers(needed) {
            let what = if write { "reading and writing" } else { "reading" };
            return Err(format!("the directory of {path:?} was not given for {what}"));
        }
        Ok((preopen.directory().clone(), rest))
    }

    async fn open(&self, path: &str, request: OpenRequest) -> Result<Arc<dyn File>, String> {
        let (directory, name) = self.directory(path, request.write)?;
        match directory.open(name, request).await {
            Ok(Opened::File(file)) => Ok(file),
            Ok(Opened::Directory(_)) => Err(format!("{path:?} is a directory")),
            Err(errno) => Err(format!("the file {path:?} cannot be opened: {errno:?}")),
        }
    }

    fn sink(&self, redirection: &Redirection) -> Result<Option<Arc<dyn LineSink>>, String> {
        if !redirection.target.is_sink() {
            return Ok(None);
        }
        let (outside, redirection, by_program) = match self {
            Setter::Operator(outside) => (*outside, redirection.clone(), false),
            Setter::Process(config, outside) => {
                let outside = outside.ok_or("this runtime has no sinks")?;
                (outside, permitted(redirection, config)?, true)
            }
        };
        outside.sink(&redirection, by_program).map(Some)
    }

    fn end(&self, target: &Target, to: Option<ProcessTarget>) -> Result<End, String> {
        let Target::Address(ip, port) = target else {
            return match to {
                Some(to) => Ok(End::Process(asked(to)?)),
                None => Ok(End::Nowhere),
            };
        };
        let config = match self {
            Setter::Operator(_) => {
                let rights = Arc::new(NetworkRights::ALL);
                return Ok(End::Address { ip: *ip, port: *port, rights });
            }
            Setter::Process(config, _) => config,
        };
        let redirected = config.redirected.as_ref().is_some_and(|own| !own.routes.is_empty());
        match (redirected, port) {
            (false, _) => {}
            (true, None) => {
                let text = "this process's own connections are redirected: name the port, too";
                return Err(text.to_owned());
            }
            (true, Some(port)) => {
                let known = SocketAddr::new(*ip, *port);
                return match reached(config, Protocol::Tcp, known) {
                    Ok(Reached::Process(pid)) => Ok(End::Process(pid)),
                    Ok(Reached::Address(address)) => {
                        let rights = Arc::new(config.network.clone());
                        Ok(End::Address { ip: address.ip(), port: Some(address.port()), rights })
                    }
                    Err(_) => Ok(End::Nowhere),
                };
            }
        }
        let rights = Arc::new(config.network.clone());
        Ok(End::Address { ip: *ip, port: *port, rights })
    }
}

/// A process that answers.
fn asked(to: ProcessTarget) -> Result<lunatic_model::Pid, String> {
    match to.told {
        None => Ok(to.pid),
        Some(_) => Err("only what is written can be told to a process: let it answer".to_owned()),
    }
}

/// A sink that a process may use: at an address that is written out, which it may connect to.
fn permitted(redirection: &Redirection, config: &ProcessConfig) -> Result<Redirection, String> {
    let mut redirection = redirection.clone();
    let (address, protocol) = match &mut redirection.target {
        Target::Tcp(address)
        | Target::Tls(address)
        | Target::SyslogTcp(address)
        | Target::SyslogTls(address) => (address, Protocol::Tcp),
        // The name in a certificate is what was asked for, which is an address here.
        Target::Elasticsearch { address, .. } | Target::Http { address, .. } => {
            (address, Protocol::Tcp)
        }
        Target::SyslogUdp(address) => (address, Protocol::Udp),
        _ => return Ok(redirection),
    };
    let known: SocketAddr = address.parse().map_err(|_| {
        format!("`{address}` has to be an address and a port, such as 127.0.0.1:514: look it up")
    })?;
    if !config.network.allows(Access::Connect, protocol, known) {
        return Err(format!(
            "this process may not connect to {protocol} {known}: its network rights do not cover it"
        ));
    }
    match reached(config, protocol, known) {
        Ok(Reached::Address(reached)) => *address = reached.to_string(),
        Ok(Reached::Process(_)) => {
            let text =
                "this process reaches that address by way of another one, which sinks cannot";
            return Err(text.to_owned());
        }
        Err(error) => return Err(format!("{known} cannot be reached: {error}")),
    }
    Ok(redirection)
}
