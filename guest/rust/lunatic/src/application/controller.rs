//! The controller: the server that knows all applications. It does what `table.rs` decides.
//!
//! What must stay true: it waits for no application, so that one that starts or stops can ask for
//! its environment; whoever asked for a start or a stop is answered when it is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::mailbox::Process as Typed;
use crate::process::trap_exit;
use crate::server::{Caller, Info, Init, Next, Server, StartError};
use crate::sys::Term;
use crate::{Exit, ExitReason, Pid};

use super::master::{Start, Stop};
use super::table::{After, Begin, Kind, State, Table};
use super::{ApplicationError, Environment, Loaded};

type Answer<R> = Caller<Result<R, ApplicationError>>;

/// What the controller is asked for.
#[derive(Serialize, Deserialize)]
pub(super) enum Call {
    Load(Loaded, Answer<()>),
    Unload(String, Answer<()>),
    Start(String, Kind, Answer<()>),
    Stop(String, Answer<()>),
    Running(Caller<Vec<String>>),
    AllLoaded(Caller<Vec<String>>),
    Env(String, Answer<Environment>),
    SetEnv(String, String, Term, Answer<()>),
}

/// What masters tell it.
#[derive(Serialize, Deserialize)]
pub(super) enum Cast {
    Started(String, Result<(), StartError>),
}

/// What is needed to start an application.
struct Ready {
    start: Start,
    environment: Environment,
    phases: Vec<String>,
}

/// The controller's state.
pub(super) struct Process {
    table: Table,
    ready: BTreeMap<String, Ready>,
    masters: BTreeMap<String, Typed<Stop>>,
    /// Who waits for starts and ends, of which application.
    waiting: Vec<(String, Answer<()>)>,
}

impl Process {
    fn load(&mut self, loaded: Loaded) -> Result<(), ApplicationError> {
        let Loaded { name, spec, start } = loaded;
        let on = spec.depends_on.into_iter().map(|on| on.name).collect();
        self.table.load(&name, on)?;
        let environment = Environment(spec.environment);
        self.ready.insert(name, Ready { start, environment, phases: spec.phases });
        Ok(())
    }

    fn unload(&mut self, name: &str) -> Result<(), ApplicationError> {
        self.table.unload(name)?;
        self.ready.remove(name);
        Ok(())
    }

    fn start(&mut self, name: String, kind: Kind, caller: Answer<()>) -> Next<Self> {
        match self.table.begin(&name, kind) {
            Err(error) => caller.reply(&Err(error)),
            Ok(Begin::Wait) => self.waiting.push((name, caller)),
            Ok(Begin::Start) => {
                let Some(ready) = self.ready.get(&name) else {
                    unreachable!("what is loaded is ready");
                };
                let argument = (ready.environment.clone(), ready.phases.clone(), Pid::this());
                let master = ready.start.run(argument);
                self.waiting.push((name.clone(), caller));
                match master {
                    Ok(master) => {
                        self.masters.insert(name, master);
                    }
                    Err(error) => {
                        return self.failed(&name, StartError::Spawn(error.to_string()));
                    }
                }
            }
        }
        Next::wait()
    }

    /// An application did not start.
    fn failed(&mut self, name: &str, error: StartError) -> Next<Self> {
        let reason = ExitReason::Error(error.to_string());
        self.answer(name, &Err(ApplicationError::Start(name.to_owned(), error)));
        self.ended(name, &reason)
    }

    fn ended(&mut self, name: &str, reason: &ExitReason) -> Next<Self> {
        self.masters.remove(name);
        match self.table.ended(name, reason) {
            After::GoOn => Next::wait(),
            After::EndAll(reason) => Next::stop(reason),
        }
    }

    fn stop(&mut self, name: String, caller: Answer<()>) {
        match (self.table.stop(&name), self.masters.get(&name)) {
            (Err(error), _) => caller.reply(&Err(error)),
            (Ok(()), Some(master)) => {
                master.send(Stop);
                self.waiting.push((name, caller));
            }
            (Ok(()), None) => unreachable!("what runs has a master"),
        }
    }

    /// Answers all who wait for this application.
    fn answer(&mut self, name: &str, result: &Result<(), ApplicationError>) {
        for (_, caller) in self.waiting.extract_if(.., |(of, _)| of == name) {
            caller.reply(result);
        }
    }

    /// The master of an application has ended.
    fn master_ended(&mut self, name: &str, reason: &ExitReason) -> Next<Self> {
        match self.table.state(name) {
            Some(State::Starting) => self.failed(name, StartError::Exit(reason.clone())),
            Some(State::Stopping) => {
                self.answer(name, &Ok(()));
                self.ended(name, reason)
            }
            Some(State::Running) => {
                log::warn!("the application {name} has ended: {reason}");
                self.ended(name, reason)
            }
            None => Next::wait(),
        }
    }
}

impl Server for Process {
    type Argument = ();
    type Call = Call;
    type Cast = Cast;
    type Message = ();

    fn init((): ()) -> Init<Self> {
        trap_exit(true);
        let (ready, masters) = (BTreeMap::new(), BTreeMap::new());
        Init::ok(Self { table: Table::default(), ready, masters, waiting: Vec::new() })
    }

    fn handle_call(&mut self, call: Call) -> Next<Self> {
        match call {
            Call::Load(loaded, caller) => caller.reply(&self.load(loaded)),
            Call::Unload(name, caller) => caller.reply(&self.unload(&name)),
            Call::Start(name, kind, caller) => return self.start(name, kind, caller),
            Call::Stop(name, caller) => self.stop(name, caller),
            Call::Running(caller) => caller.reply(&self.table.running()),
            Call::AllLoaded(caller) => caller.reply(&self.table.loaded()),
            Call::Env(name, caller) => {
                let environment = self.ready.get(&name).map(|ready| ready.environment.clone());
                caller.reply(&environment.ok_or(ApplicationError::NotLoaded(name)));
            }
            Call::SetEnv(name, key, value, caller) => match self.ready.get_mut(&name) {
                Some(ready) => {
                    ready.environment.0.insert(key, value);
                    caller.reply(&Ok(()));
                }
                None => caller.reply(&Err(ApplicationError::NotLoaded(name))),
            },
        }
        Next::wait()
    }

    fn handle_cast(&mut self, cast: Cast) -> Next<Self> {
        let Cast::Started(name, result) = cast;
        match result {
            Ok(()) => {
                self.table.started(&name);
                self.answer(&name, &Ok(()));
                Next::wait()
            }
            Err(error) => self.failed(&name, error),
        }
    }

    fn handle_info(&mut self, info: Info<()>) -> Next<Self> {
        let Info::Exit(Exit { from, reason, .. }) = info else { return Next::wait() };
        let ended = self.masters.iter().find(|(_, master)| master.pid() == from);
        match ended.map(|(name, _)| name.clone()) {
            Some(name) => self.master_ended(&name, &reason),
            None => Next::wait(),
        }
    }

    /// Stops all, the one that was started last first; those that start are ended by their link.
    fn terminate(&mut self, _: &ExitReason) {
        for name in self.table.running() {
            if let Some(master) = self.masters.remove(&name) {
                let monitor = master.monitor();
                master.exit(ExitReason::Shutdown);
                monitor.wait(None);
            }
        }
    }

    fn state(&self) -> Term {
        Term::of(&self.table.running())
    }

    fn format_status(&self) -> String {
        format!("the application controller; running: {}", self.table.running().join(", "))
    }
}
