//! Processes of several languages in one node, under one supervisor: each language's client asks
//! each language's counter, then the counters are crashed, and asked again when the supervisor has
//! started new ones.
//!
//! Its arguments are the modules of `counter`, as LANGUAGE=FILE.
//!
//! What must stay true: the supervisor's process starts its children by the id of their module,
//! sends them their argument, and registers their names, as examples/languages/README.md says.

use lunatic::message::{self, Destination, tag};
use lunatic::process::trap_exit;
use lunatic::server::StartError;
use lunatic::supervisor::{ChildSpec, Strategy, Supervisor};
use lunatic::{ExitReason, Mailbox, Module, Pid, Postcard, Process, Spawn, register, whereis};
use serde::{Deserialize, Serialize};

/// A counter that the supervisor starts.
#[derive(Clone, Serialize, Deserialize)]
struct Counter {
    name: String,
    file: String,
    /// Who hears of each start.
    observer: Process<String>,
}

/// The variant of the cast that crashes a counter.
const CRASH: u8 = 1;

fn main_of(mailbox: &Mailbox<String>) -> Result<(), String> {
    let languages: Vec<(String, String)> = std::env::args()
        .skip(1)
        .filter_map(|argument| {
            argument.split_once('=').map(|(name, file)| (name.to_owned(), file.to_owned()))
        })
        .collect();
    let mut supervisor =
        Supervisor::new(Strategy::OneForOne).intensity(10, std::time::Duration::from_secs(10));
    for (language, file) in &languages {
        let counter = Counter {
            name: format!("counter.{language}"),
            file: file.clone(),
            observer: mailbox.this(),
        };
        supervisor = supervisor.child(ChildSpec::new(&counter.name, start, &counter));
    }
    let supervisor = supervisor.start_link().map_err(|error| error.to_string())?;
    for round in 1..=2 {
        for (language, _) in &languages {
            // One after the other, so that what is printed has an order.
            if round > 1 {
                crash(&format!("counter.{language}"))?;
            }
            println!("{} is up", mailbox.receive().map_err(|error| error.to_string())?);
        }
        for (language, _) in &languages {
            for (asking, file) in &languages {
                println!("round {round}: {asking} asks {language}");
                ask(file, &format!("counter.{language}"))?;
            }
        }
    }
    // Else the end of the supervisor, which is linked, would be ours.
    trap_exit(true);
    supervisor.stop().map_err(|error| error.to_string())
}

/// Starts a counter, in the process of the supervisor.
fn start(counter: Counter) -> Result<Pid, StartError> {
    let failed = |error: String| StartError::Spawn(error);
    let module = compile(&counter.file).map_err(failed)?;
    let child: Process<()> = Spawn::new()
        .link()
        .module(&module)
        .spawn_export("counter_server", &0i64)
        .map_err(|error| failed(error.to_string()))?;
    register(&counter.name, child).map_err(|error| failed(error.to_string()))?;
    counter.observer.send(counter.name);
    Ok(child.pid())
}

fn compile(file: &str) -> Result<Module, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    Module::compile(&bytes).map_err(|error| format!("cannot compile {file}: {error}"))
}

/// Runs a client, and waits for its end.
fn ask(file: &str, server: &str) -> Result<(), String> {
    let module = compile(file)?;
    let (_, client): (Process<()>, _) = Spawn::new()
        .module(&module)
        .spawn_export_monitor("counter_client", &server.to_owned())
        .map_err(|error| error.to_string())?;
    match client.wait(None).map(|down| down.reason) {
        Some(ExitReason::Normal) => Ok(()),
        other => Err(format!("the client has ended otherwise: {other:?}")),
    }
}

/// Crashes a counter. Its name goes before anybody hears of its end.
fn crash(name: &str) -> Result<(), String> {
    let counter = whereis(name).ok_or_else(|| format!("nobody is called {name}"))?;
    message::send::<_, Postcard>(Destination::Pid(counter), tag::CAST, &CRASH, None)
        .map_err(|error| error.to_string())
}

#[lunatic::main]
fn main(mailbox: Mailbox<String>) -> Result<(), String> {
    main_of(&mailbox)
}
