//! What a state machine promises, as OTP's gen_statem does. Each test is a process of its own on
//! the runtime.

use std::time::Duration;

use lunatic::process::trap_exit;
use lunatic::server::{Caller, StartError};
use lunatic::statem::{Event, Machine, MachineRef, Start, Step};
use lunatic::sys::{self, Term};
use lunatic::{CallError, ExitReason, Mailbox, Pid, Process};
use serde::{Deserialize, Serialize};

/// A machine that tells an observer what it handles, and does what casts say.
struct Lift {
    observer: Process<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Idle,
    Busy,
}

#[derive(Serialize, Deserialize)]
enum Call {
    /// Answered in `Idle`, postponed in `Busy`.
    Ride(u8, Caller<u8>),
}

#[derive(Serialize, Deserialize)]
enum Cast {
    Go(State),
    Repeat,
    /// Handled in `Idle` alone.
    Later(u8),
    /// Gives two events to itself.
    Two,
    Say(u8),
    EventTimer,
    StateTimer(u64),
    NamedTimer(u64),
    Cancel,
    Stop,
}

impl Machine for Lift {
    type Argument = Pid;
    type State = State;
    type Call = Call;
    type Cast = Cast;
    type Message = String;

    fn init(observer: Pid) -> Start<Self> {
        if observer == Pid::NONE {
            return Start::ignore();
        }
        trap_exit(true);
        Start::ok(Lift { observer: observer.typed() }, State::Idle)
    }

    fn enter(&mut self, state: &State, old: &State) -> Step<Self> {
        self.observer.send(format!("{old:?}->{state:?}"));
        Step::keep()
    }

    fn handle(&mut self, state: &State, event: Event<Self>) -> Step<Self> {
        let second = Duration::from_secs(1);
        let text = match event {
            Event::Call(Call::Ride(floor, caller)) if *state == State::Idle => {
                caller.reply(&floor);
                return Step::keep();
            }
            Event::Call(_) => return Step::keep().postpone(event),
            Event::Cast(Cast::Later(_)) if *state == State::Busy => {
                return Step::keep().postpone(event);
            }
            Event::Cast(Cast::Go(state)) => return Step::to(state),
            Event::Cast(Cast::Repeat) => return Step::repeat(),
            Event::Cast(Cast::Two) => {
                return Step::to(State::Idle).next(Cast::Say(1)).next(Cast::Say(2));
            }
            Event::Cast(Cast::EventTimer) => return Step::keep().event_timeout(Duration::ZERO),
            Event::Cast(Cast::StateTimer(time)) => {
                return Step::keep().state_timeout(second * time as u32);
            }
            Event::Cast(Cast::NamedTimer(time)) => {
                return Step::keep().timeout("n", second * time as u32);
            }
            Event::Cast(Cast::Cancel) => return Step::keep().cancel("n"),
            Event::Cast(Cast::Stop) => return Step::stop("enough".into()),
            Event::Cast(Cast::Say(n)) => format!("cast {n}"),
            Event::Cast(Cast::Later(n)) => format!("later {n}"),
            Event::Internal(Cast::Say(n)) => format!("internal {n}"),
            Event::Internal(_) => "another internal event".to_owned(),
            Event::Message(text) => text,
            Event::Exit(exit) => format!("exit {}", exit.reason),
            Event::Down(down) => format!("down {}", down.reason),
            Event::EventTimeout => "event timeout".to_owned(),
            Event::StateTimeout => "state timeout".to_owned(),
            Event::Timeout(name) => format!("timeout {name}"),
        };
        self.observer.send(text);
        Step::keep()
    }

    fn terminate(&mut self, state: &State, reason: &ExitReason) {
        self.observer.send(format!("terminate in {state:?}: {reason}"));
    }

    fn snapshot(&self, state: &State) -> Term {
        Term::of(state)
    }

    fn restore(&mut self, state: &mut State, snapshot: &Term) -> Result<(), String> {
        *state = snapshot.decode().map_err(|cause| cause.to_string())?;
        Ok(())
    }
}

fn lift() -> (MachineRef<Lift>, Mailbox<String>) {
    let lift = Lift::start_link(Pid::this()).expect("it starts");
    let mailbox = Mailbox::new();
    assert_eq!(mailbox.receive().unwrap(), "Idle->Idle", "the first state is entered");
    (lift, mailbox)
}

fn expect(mailbox: &Mailbox<String>, lines: &[&str]) {
    for line in lines {
        assert_eq!(mailbox.receive().unwrap(), *line);
    }
}

#[lunatic::test]
fn postponed_events_are_tried_again_in_their_order_when_the_state_changes() {
    let (lift, mailbox) = lift();
    lift.cast(&Cast::Go(State::Busy));
    for n in [1, 2] {
        lift.cast(&Cast::Later(n));
    }
    lift.cast(&Cast::Say(3));
    lift.cast(&Cast::Go(State::Busy)); // no change: nothing is tried again
    lift.cast(&Cast::Go(State::Idle));
    lift.cast(&Cast::Say(4));
    expect(&mailbox, &["Idle->Busy", "cast 3", "Busy->Idle", "later 1", "later 2", "cast 4"]);
}

#[lunatic::test]
fn a_call_that_is_postponed_is_answered_later() {
    let (lift, _mailbox) = lift();
    assert_eq!(lift.call(|caller| Call::Ride(3, caller)), Ok(3));
    lift.cast(&Cast::Go(State::Busy));
    let late = lift.call_with(Some(Duration::ZERO), |caller| Call::Ride(4, caller));
    assert_eq!(late, Err(CallError::Timeout));
    lift.cast(&Cast::StateTimer(0));
    lift.cast(&Cast::Go(State::Idle));
    assert_eq!(lift.call(|caller| Call::Ride(5, caller)), Ok(5));
}

#[lunatic::test]
fn events_that_a_machine_gives_itself_come_first_and_a_state_is_entered_before_them() {
    let (lift, mailbox) = lift();
    lift.cast(&Cast::Go(State::Busy));
    lift.cast(&Cast::Later(9));
    lift.cast(&Cast::Two);
    expect(&mailbox, &["Idle->Busy", "Busy->Idle", "internal 1", "internal 2", "later 9"]);
    lift.cast(&Cast::Repeat);
    expect(&mailbox, &["Idle->Idle"]);
}

#[lunatic::test]
fn a_state_that_is_entered_again_has_not_changed() {
    let (lift, mailbox) = lift();
    lift.cast(&Cast::Go(State::Busy));
    lift.cast(&Cast::Later(9));
    lift.cast(&Cast::Repeat);
    lift.cast(&Cast::Say(1));
    expect(&mailbox, &["Idle->Busy", "Busy->Busy", "cast 1"]);
    lift.cast(&Cast::Go(State::Idle));
    expect(&mailbox, &["Busy->Idle", "later 9"]);
}

#[lunatic::test]
fn timeouts_fire_or_end_with_what_they_belong_to() {
    let (lift, mailbox) = lift();
    lift.cast(&Cast::EventTimer);
    expect(&mailbox, &["event timeout"]);
    lift.cast(&Cast::StateTimer(0));
    expect(&mailbox, &["state timeout"]);
    lift.cast(&Cast::NamedTimer(0));
    expect(&mailbox, &["timeout n"]);
    lift.cast(&Cast::StateTimer(1000));
    lift.cast(&Cast::NamedTimer(1000));
    lift.cast(&Cast::Go(State::Busy));
    lift.cast(&Cast::Cancel);
    lift.cast(&Cast::Say(1));
    expect(&mailbox, &["Idle->Busy", "cast 1"]);
}

#[lunatic::test]
fn terminate_runs_at_a_stop_and_with_the_parent() {
    trap_exit(true);
    let (first, mailbox) = lift();
    let monitor = first.pid().monitor();
    first.cast(&Cast::Stop);
    expect(&mailbox, &["terminate in Idle: enough"]);
    assert_eq!(monitor.wait(None).unwrap().reason, "enough".into());
    let _ = lunatic::message::receive(&[lunatic::message::Pattern::EXIT], None);
    let (second, mailbox) = lift();
    second.pid().exit(ExitReason::Shutdown);
    expect(&mailbox, &["terminate in Idle: shutdown"]);
}

#[lunatic::test]
fn a_machine_can_ignore_its_start() {
    assert_eq!(Lift::start_link(Pid::NONE).map(|_| ()), Err(StartError::Ignored));
}

#[lunatic::test]
fn a_machine_understands_system_messages() {
    let (lift, mailbox) = lift();
    sys::suspend(lift.pid()).unwrap();
    lift.cast(&Cast::Later(1));
    assert_eq!(sys::get_state::<State>(lift.pid()), Ok(State::Idle));
    assert_eq!(sys::replace_state(lift.pid(), &State::Busy), Ok(Ok(())));
    sys::resume(lift.pid()).unwrap();
    lift.cast(&Cast::Go(State::Idle));
    expect(&mailbox, &["Busy->Idle", "later 1"]);
    assert_eq!(lift.stop(), Ok(()));
    expect(&mailbox, &["terminate in Idle: normal"]);
}
