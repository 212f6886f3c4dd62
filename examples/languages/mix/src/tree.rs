//! The tree of supervisors: servers of all languages under one supervisor, and below it, for each
//! pool, one that has a worker of each language.

use std::time::Duration;

use lunatic::server::StartError;
use lunatic::supervisor::{ChildSpec, StartResult, Strategy, Supervisor, SupervisorRef};
use lunatic::{Mailbox, Pid, Postcard, Process, Spawn, SpawnError, register};
use serde::{Deserialize, Serialize};

use crate::modules::{Language, with_module};
use crate::{Result, SERVERS};

/// A child has started.
#[derive(Debug, Serialize, Deserialize)]
pub struct Up {
    name: String,
    pid: Pid,
}

/// What a child is. Servers have their name registered, workers do not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Role {
    Counter,
    Pool,
    Broker,
    /// A worker of the pool with this name.
    Worker(String),
}

/// A child, as data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Child {
    pub name: String,
    pub language: Language,
    pub role: Role,
    /// Who hears of each start.
    pub observer: Process<Up>,
}

/// Starts all of it.
pub fn start(languages: &[Language], observer: Process<Up>) -> Result<SupervisorRef> {
    let mut all = supervisor();
    for server in SERVERS {
        for language in languages {
            let name = format!("{server}.{}", language.name);
            let role = match server {
                "counter" => Role::Counter,
                "pool" => Role::Pool,
                _ => Role::Broker,
            };
            let child = Child { name: name.clone(), language: language.clone(), role, observer };
            if server == "pool" {
                all = all.child(ChildSpec::supervisor(&name, &pool(languages, &child)));
            } else {
                all = all.child(child.spec());
            }
        }
    }
    Ok(all.start_link()?)
}

/// A pool comes before its workers, which have to announce themselves again to a new one.
fn pool(languages: &[Language], pool: &Child) -> Supervisor {
    let mut workers = supervisor();
    for language in languages {
        let name = format!("{} of {}", language.name, pool.name);
        let role = Role::Worker(pool.name.clone());
        let language = language.clone();
        workers = workers.child(Child { name, language, role, ..pool.clone() }.spec());
    }
    let strategy = Supervisor::new(Strategy::RestForOne).intensity(10, Duration::from_secs(10));
    strategy.child(pool.spec()).child(ChildSpec::supervisor("workers", &workers))
}

/// Many are ended on purpose.
pub fn supervisor() -> Supervisor {
    Supervisor::new(Strategy::OneForOne).intensity(1000, Duration::from_secs(10))
}

impl Child {
    pub fn spec(&self) -> ChildSpec {
        ChildSpec::new(&self.name, start_child, self)
    }

    /// Spawns from the language's module, by the name of the entry, and sends the argument.
    fn spawn(&self) -> Result<Pid> {
        let program = match self.role {
            Role::Counter => "counter",
            Role::Pool | Role::Worker(_) => "pool",
            Role::Broker => "pubsub",
        };
        with_module(&self.language, program, |module| {
            let spawn = Spawn::new().link().module(module).label(&self.name);
            let child: std::result::Result<Process<(), Postcard>, SpawnError> = match &self.role {
                Role::Counter => spawn.spawn_export("counter_server", &0i64),
                Role::Pool => spawn.spawn_export("pool_server", &()),
                Role::Broker => spawn.spawn_export("pubsub_broker", &()),
                Role::Worker(pool) => spawn.spawn_export("pool_worker", pool),
            };
            Ok(child?.pid())
        })
    }
}

/// Runs in the process of the supervisor.
fn start_child(child: Child) -> StartResult {
    let failed = |error: String| StartError::Spawn(error);
    let pid = child.spawn().map_err(|error| failed(error.to_string()))?;
    if !matches!(child.role, Role::Worker(_)) {
        register(&child.name, pid).map_err(|error| failed(error.to_string()))?;
    }
    child.observer.send(Up { name: child.name, pid });
    Ok(pid)
}

/// Waits for the next start of a child. What else has started meanwhile is passed over.
pub fn wait_until_up(mailbox: &Mailbox<Up>, name: &str) -> Result<Pid> {
    loop {
        let up = mailbox.receive()?;
        if up.name == name {
            return Ok(up.pid);
        }
    }
}
