//! What a server promises, as OTP's gen_server does. Each test is a process of its own on the
//! runtime.

use std::time::Duration;

use lunatic::message::{self, Pattern};
use lunatic::process::trap_exit;
use lunatic::server::{Caller, Info, Init, Next, Options, Server, ServerRef, StartError};
use lunatic::sys::{self, Term};
use lunatic::{CallError, Exit, ExitReason, Mailbox, Pid, Process, spawn_link, whereis};
use serde::{Deserialize, Serialize};

/// A server that tells an observer what is done to it.
struct Desk {
    observer: Process<String>,
    value: u32,
    /// Callers that are answered later.
    waiting: Vec<Caller<u32>>,
}

#[derive(Serialize, Deserialize)]
enum Begin {
    Ok,
    Trap,
    ThenContinue,
    Ignore,
    Stop,
    Panic,
    Never,
}

#[derive(Serialize, Deserialize)]
enum Call {
    Get(Caller<u32>),
    /// Answered by the cast `Answer`.
    Later(Caller<u32>),
    /// The same by another process, which gets the token.
    HandOn(Caller<u32>),
    /// Ends without an answer.
    Crash(Caller<()>),
    StopWithReply(Caller<String>),
    ShortWait(Caller<()>),
    WhoCalls(Caller<Pid>),
}

#[derive(Serialize, Deserialize)]
enum Cast {
    Set(u32),
    Answer,
    Stop,
}

impl Desk {
    fn tell(&self, what: &str) {
        self.observer.send(what.to_owned());
    }

    fn go_on(&mut self) -> Next<Self> {
        self.tell("continue");
        Next::wait()
    }
}

impl Server for Desk {
    type Argument = (Pid, Begin);
    type Call = Call;
    type Cast = Cast;
    type Message = String;

    fn init((observer, begin): (Pid, Begin)) -> Init<Self> {
        let desk = Desk { observer: observer.typed(), value: 7, waiting: Vec::new() };
        match begin {
            Begin::Ok => Init::ok(desk),
            Begin::Trap => {
                trap_exit(true);
                Init::ok(desk)
            }
            Begin::ThenContinue => Init::ok_then(desk, Next::then(Desk::go_on)),
            Begin::Ignore => Init::ignore(),
            Begin::Stop => Init::stop("no desk".into()),
            Begin::Panic => panic!("it breaks"),
            Begin::Never => loop {
                lunatic::sleep(Duration::from_secs(1000));
            },
        }
    }

    fn handle_call(&mut self, call: Call) -> Next<Self> {
        match call {
            Call::Get(caller) => caller.reply(&self.value),
            Call::Later(caller) => self.waiting.push(caller),
            Call::HandOn(caller) => {
                spawn_link(caller, |caller: Caller<u32>, _: Mailbox<()>| caller.reply(&99));
            }
            Call::Crash(_) => return Next::stop("crash".into()),
            Call::StopWithReply(caller) => {
                return Next::stop_with_reply(ExitReason::Normal, caller, &"bye".to_owned());
            }
            Call::ShortWait(caller) => {
                caller.reply(&());
                return Next::wait_for(Duration::ZERO);
            }
            Call::WhoCalls(caller) => {
                let pid = caller.pid();
                caller.reply(&pid);
            }
        }
        Next::wait()
    }

    fn handle_cast(&mut self, cast: Cast) -> Next<Self> {
        match cast {
            Cast::Set(value) => self.value = value,
            Cast::Answer => {
                for caller in self.waiting.drain(..) {
                    caller.reply(&self.value);
                }
            }
            Cast::Stop => return Next::stop(ExitReason::Shutdown),
        }
        Next::wait()
    }

    fn handle_info(&mut self, info: Info<String>) -> Next<Self> {
        match info {
            Info::Message(text) => self.tell(&text),
            Info::Exit(exit) => self.tell(&format!("exit {}", exit.reason)),
            Info::Down(down) => self.tell(&format!("down {}", down.reason)),
            Info::Timeout => self.tell("timeout"),
        }
        Next::wait()
    }

    fn terminate(&mut self, reason: &ExitReason) {
        self.tell(&format!("terminate {reason}"));
    }

    fn state(&self) -> Term {
        Term::of(&self.value)
    }

    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        self.value = state.decode().map_err(|cause| cause.to_string())?;
        Ok(())
    }

    fn code_change(&mut self, old_version: &str, extra: &Term) -> Result<(), String> {
        let add: u32 = extra.decode().map_err(|cause| cause.to_string())?;
        self.tell(&format!("from {old_version}"));
        self.value += add;
        Ok(())
    }
}

fn desk(begin: Begin) -> ServerRef<Desk> {
    Desk::start_link((Pid::this(), begin)).expect("it starts")
}

#[lunatic::test]
fn a_call_is_answered_and_a_cast_comes_before_the_call_after_it() {
    let desk = desk(Begin::Ok);
    assert_eq!(desk.call(Call::Get), Ok(7));
    desk.cast(&Cast::Set(8));
    assert_eq!(desk.call(Call::Get), Ok(8));
    assert_eq!(desk.call(Call::WhoCalls), Ok(Pid::this()));
}

#[lunatic::test]
fn the_continuation_of_a_start_runs_before_any_message(mailbox: Mailbox<String>) {
    let desk = desk(Begin::ThenContinue);
    desk.send(&"message".to_owned());
    assert_eq!(mailbox.receive().unwrap(), "continue");
    assert_eq!(mailbox.receive().unwrap(), "message");
}

#[lunatic::test]
fn a_start_waits_for_init_and_tells_how_it_went() {
    trap_exit(true);
    let start = |begin| Desk::start((Pid::this(), begin)).map(|_| ());
    assert_eq!(start(Begin::Ignore), Err(StartError::Ignored));
    assert_eq!(start(Begin::Stop), Err(StartError::Exit("no desk".into())));
    let Err(StartError::Exit(ExitReason::Error(text))) = start(Begin::Panic) else {
        panic!("a panic in init is an error of the start");
    };
    assert!(text.ends_with("it breaks"), "{text}");
    let options = Options::new().timeout(Duration::from_millis(1));
    let late = options.start_link::<Desk>((Pid::this(), Begin::Never));
    assert_eq!(late.map(|_| ()), Err(StartError::Timeout));
}

#[lunatic::test]
fn a_linked_start_that_fails_is_heard_as_an_exit_too(mailbox: Mailbox<String>) {
    trap_exit(true);
    let failed = Desk::start_link((Pid::this(), Begin::Stop));
    assert_eq!(failed.map(|_| ()), Err(StartError::Exit("no desk".into())));
    let exit = mailbox.receive_any(None).unwrap();
    let lunatic::Received::Exit(Exit { reason, .. }) = exit else { panic!("an exit") };
    assert_eq!(reason, "no desk".into());
}

#[lunatic::test]
fn a_name_is_taken_before_init_and_is_free_when_a_start_has_failed() {
    let options = Options::new().name("desk");
    let failed = options.start::<Desk>((Pid::this(), Begin::Stop));
    assert!(failed.is_err());
    assert_eq!(whereis("desk"), None);
    let first = options.start_link::<Desk>((Pid::this(), Begin::Ok)).unwrap();
    assert_eq!(ServerRef::find("desk"), Some(first));
    trap_exit(true);
    let second = options.start_link::<Desk>((Pid::this(), Begin::Panic));
    assert_eq!(second, Err(StartError::AlreadyStarted(first.pid())));
    let heard = message::receive(&[Pattern::EXIT], Some(Duration::ZERO));
    assert!(heard.is_none(), "no process was made for it");
}

#[lunatic::test]
fn a_caller_hears_of_the_end_of_its_server() {
    let desk = Desk::start((Pid::this(), Begin::Ok)).unwrap();
    assert_eq!(desk.call(Call::Crash), Err(CallError::Down("crash".into())));
    assert_eq!(desk.call(Call::Get), Err(CallError::Down(ExitReason::NoProcess)));
    desk.cast(&Cast::Set(1)); // never fails
}

#[lunatic::test]
fn an_answer_that_is_too_late_vanishes(mailbox: Mailbox<String>) {
    let desk = desk(Begin::Ok);
    let late = desk.call_with(Some(Duration::ZERO), Call::Later);
    assert_eq!(late, Err(CallError::Timeout));
    desk.cast(&Cast::Answer);
    assert_eq!(desk.call(Call::Get), Ok(7));
    assert!(mailbox.receive_any(Some(Duration::ZERO)).is_err(), "nothing is left behind");
}

#[lunatic::test]
fn an_answer_can_be_given_later_and_by_another_process() {
    let desk = desk(Begin::Ok);
    assert_eq!(desk.call(Call::HandOn), Ok(99));
    let caller = spawn_link(desk, |desk: ServerRef<Desk>, _: Mailbox<()>| {
        assert_eq!(desk.call(Call::Later), Ok(7));
    });
    let monitor = caller.pid().monitor();
    while monitor.wait(Some(Duration::from_millis(1))).is_none() {
        desk.cast(&Cast::Answer);
    }
}

#[lunatic::test]
fn terminate_runs_when_a_server_stops_and_before_its_last_answer(mailbox: Mailbox<String>) {
    let desk = Desk::start((Pid::this(), Begin::Ok)).unwrap();
    assert_eq!(desk.call(Call::StopWithReply), Ok("bye".to_owned()));
    assert_eq!(mailbox.receive_timeout(Duration::ZERO).unwrap(), "terminate normal");
    let desk = Desk::start((Pid::this(), Begin::Ok)).unwrap();
    let monitor = desk.pid().monitor();
    desk.cast(&Cast::Stop);
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Shutdown);
    assert_eq!(mailbox.receive().unwrap(), "terminate shutdown");
}

#[lunatic::test]
fn terminate_runs_when_the_parent_ends_if_the_server_traps_exits(mailbox: Mailbox<String>) {
    let parent = lunatic::spawn(Pid::this(), |me: Pid, parent: Mailbox<u8>| {
        Desk::start_link((me, Begin::Trap)).unwrap();
        Desk::start_link((me, Begin::Ok)).unwrap();
        me.typed::<String, lunatic::Postcard>().send("ready".to_owned());
        drop(parent.receive());
    });
    assert_eq!(mailbox.receive().unwrap(), "ready");
    parent.pid().exit(ExitReason::Shutdown);
    assert_eq!(mailbox.receive().unwrap(), "terminate shutdown");
}

#[lunatic::test]
fn a_time_to_wait_that_passes_is_told(mailbox: Mailbox<String>) {
    let desk = desk(Begin::Ok);
    assert_eq!(desk.call(Call::ShortWait), Ok(()));
    assert_eq!(mailbox.receive().unwrap(), "timeout");
}

#[lunatic::test]
fn what_does_not_decode_is_left_aside(mailbox: Mailbox<String>) {
    let desk = desk(Begin::Ok);
    for tag in [-1, -2, -6, -77, 0, 5] {
        let to = lunatic::message::Destination::Pid(desk.pid());
        lunatic::message::send::<_, lunatic::Raw>(to, tag, &vec![0xff; 3], None).unwrap();
    }
    assert_eq!(desk.call(Call::Get), Ok(7));
    assert!(mailbox.receive_any(Some(Duration::ZERO)).is_err(), "nothing came of it");
}

#[lunatic::test]
fn a_server_cannot_call_itself() {
    let me = ServerRef::<Desk>::from_pid(Pid::this());
    assert!(matches!(me.call(Call::Get), Err(CallError::Down(_))));
}

#[lunatic::test]
fn a_suspended_server_handles_system_messages_alone(mailbox: Mailbox<String>) {
    let desk = desk(Begin::Ok);
    let pid = desk.pid();
    assert!(sys::get_status(pid).unwrap().starts_with("running"));
    assert!(sys::code_change(pid, "1", &5u32).unwrap().is_err(), "only a suspended one");
    sys::suspend(pid).unwrap();
    desk.send(&"later".to_owned());
    desk.cast(&Cast::Set(1));
    assert!(sys::get_status(pid).unwrap().starts_with("suspended"));
    assert_eq!(sys::get_state::<u32>(pid), Ok(7));
    assert_eq!(sys::replace_state(pid, &20u32), Ok(Ok(())));
    assert_eq!(sys::code_change(pid, "1", &5u32), Ok(Ok(())));
    assert_eq!(mailbox.receive().unwrap(), "from 1");
    assert_eq!(sys::get_state::<u32>(pid), Ok(25));
    assert!(mailbox.receive_any(Some(Duration::ZERO)).is_err(), "nothing else was handled");
    sys::resume(pid).unwrap();
    assert_eq!(mailbox.receive().unwrap(), "later");
    assert_eq!(desk.call(Call::Get), Ok(1));
}

#[lunatic::test]
fn a_stop_ends_a_server_with_the_reason_that_was_asked_for(mailbox: Mailbox<String>) {
    let desk = Desk::start((Pid::this(), Begin::Ok)).unwrap();
    sys::suspend(desk.pid()).unwrap();
    let reason = ExitReason::shutdown_with(&3u8).unwrap();
    assert_eq!(sys::stop(desk.pid(), &reason, None), Ok(()));
    assert!(mailbox.receive().unwrap().starts_with("terminate shutdown"));
    let gone = Err(CallError::Down(ExitReason::NoProcess));
    assert_eq!(desk.stop(), gone);
}

/// Counts calls, and hibernates after each.
struct Sleepy(u32);

impl Server for Sleepy {
    type Argument = ();
    type Call = Caller<u32>;
    type Cast = ();
    type Message = ();

    fn init((): ()) -> Init<Self> {
        Init::ok_then(Sleepy(0), Next::hibernate())
    }

    fn handle_call(&mut self, caller: Caller<u32>) -> Next<Self> {
        self.0 += 1;
        caller.reply(&self.0);
        Next::hibernate()
    }
}

#[lunatic::test]
fn a_server_that_hibernates_keeps_its_state_and_its_mailbox() {
    let server = Sleepy::start_link(()).unwrap();
    for number in 1..500 {
        assert_eq!(server.call(|caller| caller), Ok(number));
    }
    server.stop().unwrap();
}
