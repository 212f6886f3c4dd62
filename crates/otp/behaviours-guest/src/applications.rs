//! One scenario of applications on the Rust library for guests; erl/applications.erl plays it with
//! OTP.
//!
//! What must stay true: whoever tells something goes on only when it is written; when an
//! application has ended all, nothing more is told.

use std::collections::BTreeMap;

use lunatic::application::{Application, ApplicationError, Controller, Environment, Kind, Spec};
use lunatic::process::trap_exit;
use lunatic::server::StartError;
use lunatic::{ExitReason, Mailbox, Pid, Process, Received, register, spawn_link, whereis};

/// Plays the steps.
pub fn play(scenario: &str) {
    let controller = Controller::start_link().expect("there is none yet");
    let mut kinds = BTreeMap::new();
    for line in scenario.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["app", ..] => continue,
            ["start", name, kind] => {
                kinds.insert(name, kind);
            }
            ["ensure", ..] => {
                let before = controller.running().expect("it runs");
                step(controller, &words);
                let started = controller.running().expect("it runs");
                let started = APPS.iter().map(|app| app.name).filter(|name| {
                    let is = |other: &String| other == name;
                    started.iter().any(is) && !before.iter().any(is)
                });
                kinds.extend(started.map(|name| (name, words[2])));
                continue;
            }
            ["end", name, reason] => {
                let others_stay = match kinds[name] {
                    "permanent" => false,
                    "transient" => reason == "normal",
                    _ => true,
                };
                end(controller, name, reason, others_stay);
                if others_stay {
                    continue;
                }
                return;
            }
            _ => {}
        }
        step(controller, &words);
    }
    println!("all is played");
}

/// Does a step, and tells what it gives.
fn step(controller: Controller, words: &[&str]) {
    let said = match *words {
        ["load", name] => result(with(name, |app| (app.load)(controller))),
        ["start", name, kind] => result(with(name, |app| (app.start)(controller, kind_of(kind)))),
        ["ensure", name, kind] => match with(name, |app| (app.ensure)(controller, kind_of(kind))) {
            Ok(names) => format!("ok {}", names.join(" ")),
            Err(error) => result(Err(error)),
        },
        ["stop", name] => result(controller.stop(name)),
        ["unload", name] => result(controller.unload(name)),
        ["set", name, key, value] => result(controller.set_env(name, key, value)),
        ["get", name, key] => match controller.env(name).map(|all| all.get::<String>(key)) {
            Ok(Some(value)) => format!("ok {value}"),
            Ok(None) => "nothing".to_owned(),
            Err(error) => result(Err(error)),
        },
        ["running"] => controller.running().expect("it runs").join(" "),
        _ => panic!("no step: {words:?}"),
    };
    println!("{said}");
}

/// Ends the tree of an application, and waits until it does not run any more, or nothing does.
fn end(controller: Controller, name: &str, reason: &str, others_stay: bool) {
    let reason = match reason {
        "normal" => ExitReason::Normal,
        "shutdown" => ExitReason::Shutdown,
        other => other.into(),
    };
    let monitor = controller.pid().monitor();
    let tree: Process<ExitReason> = whereis(name).expect("it runs").typed();
    tree.send(reason);
    if !others_stay {
        monitor.wait(None);
        return;
    }
    while controller.running().expect("it runs").iter().any(|other| other == name) {}
}

fn result(result: Result<(), ApplicationError>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(ApplicationError::AlreadyLoaded(name)) => format!("already_loaded {name}"),
        Err(ApplicationError::NotLoaded(name)) => format!("not_loaded {name}"),
        Err(ApplicationError::AlreadyStarted(name)) => format!("already_started {name}"),
        Err(ApplicationError::NotStarted(name)) => format!("not_started {name}"),
        Err(ApplicationError::Running(name)) => format!("running {name}"),
        Err(_) => "failed".to_owned(),
    }
}

fn kind_of(word: &str) -> Kind {
    match word {
        "permanent" => Kind::Permanent,
        "transient" => Kind::Transient,
        _ => Kind::Temporary,
    }
}

/// What can be done with an application of a name.
struct App {
    name: &'static str,
    load: fn(Controller) -> Result<(), ApplicationError>,
    start: fn(Controller, Kind) -> Result<(), ApplicationError>,
    ensure: fn(Controller, Kind) -> Result<Vec<String>, ApplicationError>,
    depends_on: fn(Spec) -> Spec,
}

fn with<T>(name: &str, act: impl FnOnce(&App) -> T) -> T {
    act(APPS.iter().find(|app| app.name == name).expect("one of the names that there are"))
}

/// The words behind the name of an application, as the scenario declares it.
fn attributes(name: &str) -> Vec<String> {
    let scenario = std::env::args().next().expect("the scenario is the first argument");
    let begin = format!("app {name}");
    let line = scenario.lines().find_map(|line| {
        line.strip_prefix(&begin).filter(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn spec(name: &str) -> Spec {
    let words = attributes(name);
    words.windows(2).fold(Spec::new(), |spec, pair| match pair[0].as_str() {
        "on" => with(&pair[1], |app| (app.depends_on)(spec)),
        "phase" => spec.phase(&pair[1]),
        _ => spec,
    })
}

fn start(name: &'static str) -> Result<Pid, StartError> {
    println!("{name} starts");
    match attributes(name).last().map(String::as_str) {
        Some("refuses") => Err(StartError::Exit("refused".into())),
        Some("crashes") => panic!("crashed"),
        _ => {
            let tree = spawn_link((), tree);
            register(name, tree).expect("nobody has the name");
            Ok(tree.pid())
        }
    }
}

fn tree((): (), mailbox: Mailbox<ExitReason>) -> ExitReason {
    trap_exit(true);
    match mailbox.receive_any(None) {
        Ok(Received::Message(reason)) => reason,
        Ok(Received::Exit(exit)) => exit.reason,
        Ok(Received::Down(_)) | Err(_) => unreachable!("nothing else comes"),
    }
}

macro_rules! applications {
    ($($type:ident $name:literal),*) => {
        const APPS: &[App] = &[$(App {
            name: $name,
            load: |controller| controller.load::<$type>(),
            start: |controller, kind| controller.start::<$type>(kind),
            ensure: |controller, kind| controller.ensure_all_started::<$type>(kind),
            depends_on: |spec| spec.depends_on::<$type>(),
        }),*];

        $(
            struct $type;

            impl Application for $type {
                const NAME: &'static str = $name;

                fn spec() -> Spec {
                    spec($name)
                }

                fn start(_: &Environment) -> Result<(Pid, Self), StartError> {
                    start($name).map(|pid| (pid, $type))
                }

                fn start_phase(&mut self, phase: &str) -> Result<(), ExitReason> {
                    println!("phase {phase}");
                    Ok(())
                }

                fn prepare_stop(&mut self) {
                    let with = if whereis($name).is_some() { "with" } else { "without" };
                    println!("{} is to stop {with} its tree", $name);
                }

                fn stop(self) {
                    println!("{} stops", $name);
                }
            }
        )*
    };
}

applications!(Base "base", Left "left", Right "right", Top "top");
