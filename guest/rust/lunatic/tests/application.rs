//! Applications, as OTP's `application` behaves.

use lunatic::application::{Application, ApplicationError, Controller, Environment, Kind, Spec};
use lunatic::process::trap_exit;
use lunatic::server::{Info, Init, Next, Server, ServerRef, StartError};
use lunatic::{Exit, ExitReason, Mailbox, Pid, Process, send, whereis};

/// The first process of each tree; it has the name of its application.
struct Tree;

impl Server for Tree {
    type Argument = String;
    type Call = ();
    type Cast = ExitReason;
    type Message = ();

    fn init(name: String) -> Init<Self> {
        lunatic::register(&name, Pid::this()).unwrap();
        trap_exit(true);
        Init::ok(Tree)
    }

    fn handle_call(&mut self, (): ()) -> Next<Self> {
        Next::wait()
    }

    fn handle_cast(&mut self, reason: ExitReason) -> Next<Self> {
        Next::stop(reason)
    }

    fn handle_info(&mut self, _: Info<()>) -> Next<Self> {
        Next::wait()
    }
}

/// Tells the test, which has the name `test`, what happens.
fn tell(what: String) {
    let _ = send("test", what);
}

fn start<A: Application>(environment: &Environment) -> Result<Pid, StartError> {
    tell(format!("{} starts", A::NAME));
    match environment.get::<String>("start").as_deref() {
        Some("error") => Err(StartError::Exit("no".into())),
        Some("panic") => panic!("in start"),
        _ => Tree::start_link(A::NAME.to_owned()).map(ServerRef::pid),
    }
}

fn prepare_stop<A: Application>() {
    let tree = if whereis(A::NAME).is_some() { "with" } else { "without" };
    tell(format!("{} is to stop, {tree} a tree", A::NAME));
}

fn stop<A: Application>() {
    assert_eq!(whereis(A::NAME), None);
    tell(format!("{} stops", A::NAME));
}

macro_rules! application {
    ($name:ident = $text:literal on $($other:ident),* $(; phases $($phase:literal),*)?) => {
        struct $name;

        impl Application for $name {
            const NAME: &'static str = $text;

            fn spec() -> Spec {
                Spec::new()$(.depends_on::<$other>())*$($(.phase($phase))*)?
            }

            fn start(environment: &Environment) -> Result<(Pid, Self), StartError> {
                start::<Self>(environment).map(|pid| (pid, Self))
            }

            fn start_phase(&mut self, phase: &str) -> Result<(), ExitReason> {
                tell(format!("{} phase {phase}", Self::NAME));
                if phase == "bad" { Err("bad phase".into()) } else { Ok(()) }
            }

            fn prepare_stop(&mut self) {
                prepare_stop::<Self>();
            }

            fn stop(self) {
                stop::<Self>();
            }
        }
    };
}

application!(Base = "base" on);
application!(Left = "left" on Base);
application!(Right = "right" on Base);
application!(Top = "top" on Left, Right);
application!(Phases = "phases" on Base; phases "one", "two");
application!(Bad = "bad" on Base; phases "one", "bad", "two");
application!(Ring = "ring" on Round);
application!(Round = "round" on Ring);

fn controller() -> Controller {
    lunatic::register("test", Pid::this()).unwrap();
    trap_exit(true);
    Controller::start_link().unwrap()
}

fn said(mailbox: &Mailbox<String>, expected: &[&str]) {
    for text in expected {
        assert_eq!(mailbox.receive().unwrap(), *text);
    }
    assert!(mailbox.receive_timeout(std::time::Duration::ZERO).is_err(), "nothing else is said");
}

/// Lets the tree of an application end with this reason, and waits until the process above it has
/// ended, too. The controller, which is linked with that one, hears of it before this process does.
fn end_tree(name: &str, reason: ExitReason) {
    let tree = ServerRef::<Tree>::find(name).unwrap();
    let master = tree.pid().info().and_then(|info| info.parent).unwrap();
    let monitor = master.monitor();
    tree.cast(&reason);
    monitor.wait(None).unwrap();
}

/// The exit of the controller, which is linked with the test.
fn exit(controller: Controller) -> ExitReason {
    let Some(exit) = lunatic::message::receive(
        &[lunatic::message::Pattern::EXIT.and_sender(controller.pid())],
        None,
    )
    .and_then(|envelope| envelope.exit()) else {
        panic!("it is an exit")
    };
    let Exit { reason, .. } = exit;
    reason
}

#[lunatic::test]
fn those_that_others_depend_on_start_first_and_stop_last(mailbox: Mailbox<String>) {
    let controller = controller();
    let started = controller.ensure_all_started::<Top>(Kind::Temporary).unwrap();
    assert_eq!(started, ["base", "left", "right", "top"]);
    assert_eq!(controller.running().unwrap(), ["top", "right", "left", "base"]);
    said(&mailbox, &["base starts", "left starts", "right starts", "top starts"]);
    assert!(controller.ensure_all_started::<Top>(Kind::Temporary).unwrap().is_empty());
    controller.shut_down().unwrap();
    let ends = ["top", "right", "left", "base"]
        .map(|name| [format!("{name} is to stop, with a tree"), format!("{name} stops")]);
    let ends: Vec<_> = ends.iter().flatten().map(String::as_str).collect();
    said(&mailbox, &ends);
}

#[lunatic::test]
fn an_application_does_not_start_without_those_it_depends_on(mailbox: Mailbox<String>) {
    let controller = controller();
    let not = |name: &str| Err(ApplicationError::NotStarted(name.into()));
    assert_eq!(controller.start::<Left>(Kind::Temporary), not("base"));
    controller.start::<Base>(Kind::Temporary).unwrap();
    controller.start::<Left>(Kind::Temporary).unwrap();
    let again = controller.start::<Left>(Kind::Temporary);
    assert_eq!(again, Err(ApplicationError::AlreadyStarted("left".into())));
    // As in OTP, those that depend on it stay.
    controller.stop("base").unwrap();
    assert_eq!(controller.running().unwrap(), ["left"]);
    assert_eq!(controller.stop("base"), not("base"));
    let ends = ["base is to stop, with a tree", "base stops"];
    said(&mailbox, &[&["base starts", "left starts"][..], &ends].concat());
}

#[lunatic::test]
fn phases_follow_the_start_and_a_bad_one_stops_the_tree_again(mailbox: Mailbox<String>) {
    let controller = controller();
    controller.ensure_all_started::<Phases>(Kind::Temporary).unwrap();
    let phases = ["base starts", "phases starts", "phases phase one", "phases phase two"];
    said(&mailbox, &phases);
    let error = controller.start::<Bad>(Kind::Temporary);
    let reason = StartError::Exit("bad phase".into());
    assert_eq!(error, Err(ApplicationError::Start("bad".into(), reason)));
    let begin = ["bad starts", "bad phase one", "bad phase bad"];
    said(&mailbox, &[&begin[..], &["bad is to stop, with a tree", "bad stops"]].concat());
    assert_eq!(controller.running().unwrap(), ["phases", "base"]);
}

#[lunatic::test]
fn those_that_were_started_for_one_that_fails_are_stopped_again(mailbox: Mailbox<String>) {
    let controller = controller();
    controller.load::<Left>().unwrap();
    for (how, text) in [("error", "no"), ("panic", "in start")] {
        controller.set_env("left", "start", how).unwrap();
        let error = controller.ensure_all_started::<Left>(Kind::Temporary).unwrap_err();
        let ApplicationError::Start(name, StartError::Exit(ExitReason::Error(cause))) = error
        else {
            panic!("another error: {error}")
        };
        assert!(name == "left" && cause.ends_with(text), "{cause}");
        assert!(controller.running().unwrap().is_empty());
        let ends = ["base is to stop, with a tree", "base stops"];
        said(&mailbox, &[&["base starts", "left starts"][..], &ends].concat());
    }
}

#[lunatic::test]
fn applications_that_depend_on_each_other_are_an_error() {
    let error = controller().ensure_all_started::<Ring>(Kind::Temporary).unwrap_err();
    let ring = ["ring", "round", "ring"].map(str::to_owned).to_vec();
    assert_eq!(error, ApplicationError::Cycle(ring));
}

#[lunatic::test]
fn the_end_of_a_permanent_application_ends_all(mailbox: Mailbox<String>) {
    let controller = controller();
    controller.ensure_all_started::<Left>(Kind::Temporary).unwrap();
    controller.start::<Right>(Kind::Permanent).unwrap();
    end_tree("right", ExitReason::Normal);
    let reason = exit(controller).to_string();
    assert_eq!(reason, "the application right has ended: normal");
    said(
        &mailbox,
        &[
            "base starts",
            "left starts",
            "right starts",
            "right is to stop, without a tree",
            "right stops",
            "left is to stop, with a tree",
            "left stops",
            "base is to stop, with a tree",
            "base stops",
        ],
    );
}

#[lunatic::test]
fn the_end_of_a_transient_application_ends_all_unless_it_is_normal() {
    let controller = controller();
    controller.start::<Base>(Kind::Transient).unwrap();
    end_tree("base", ExitReason::Normal);
    assert!(controller.running().unwrap().is_empty());
    controller.start::<Base>(Kind::Transient).unwrap();
    end_tree("base", ExitReason::Shutdown);
    assert_eq!(exit(controller).to_string(), "the application base has ended: shutdown");
}

#[lunatic::test]
fn the_end_of_a_temporary_application_ends_nobody_else() {
    let controller = controller();
    controller.ensure_all_started::<Left>(Kind::Temporary).unwrap();
    end_tree("left", ExitReason::Killed);
    assert_eq!(controller.running().unwrap(), ["base"]);
}

#[lunatic::test]
fn one_that_is_permanent_and_does_not_start_ends_the_controller() {
    let controller = controller();
    controller.load::<Base>().unwrap();
    controller.set_env("base", "start", "error").unwrap();
    let error = controller.start::<Base>(Kind::Permanent);
    let reason = StartError::Exit("no".into());
    assert_eq!(error, Err(ApplicationError::Start("base".into(), reason)));
    let reason = exit(controller).to_string();
    assert!(reason.starts_with("the application base did not start: "), "{reason}");
}

#[lunatic::test]
fn environments_are_read_and_changed_and_what_runs_stays_loaded() {
    let controller = controller();
    let unknown = ApplicationError::NotLoaded("base".into());
    assert_eq!(controller.env("base"), Err(unknown.clone()));
    assert_eq!(controller.set_env("base", "key", &1u8), Err(unknown));
    controller.load::<Base>().unwrap();
    controller.set_env("base", "key", &1u8).unwrap();
    let environment = controller.env("base").unwrap();
    assert_eq!(environment.get::<u8>("key"), Some(1));
    assert_eq!((environment.get::<String>("key"), environment.get::<u8>("other")), (None, None));
    controller.start::<Base>(Kind::Temporary).unwrap();
    assert_eq!(controller.unload("base"), Err(ApplicationError::Running("base".into())));
    controller.stop("base").unwrap();
    controller.unload("base").unwrap();
    assert!(controller.loaded().unwrap().is_empty());
    assert!(Controller::start_link().is_err(), "there is one");
    assert_eq!(Controller::find(), Some(controller));
}

#[lunatic::test]
fn the_end_of_the_process_that_began_stops_all(mailbox: Mailbox<String>) {
    lunatic::register("test", Pid::this()).unwrap();
    let main: Process<()> = lunatic::spawn((), |(), _| {
        let controller = Controller::start_link().unwrap();
        controller.start::<Base>(Kind::Permanent).unwrap();
        lunatic::exit(ExitReason::Shutdown)
    });
    main.monitor().wait(None).unwrap();
    for text in ["base starts", "base is to stop, with a tree", "base stops"] {
        assert_eq!(mailbox.receive().unwrap(), text);
    }
}
