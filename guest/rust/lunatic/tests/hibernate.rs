//! Hibernation on the runtime: `cargo test --test hibernate`, with `lunatic run` as the runner.

use std::cell::Cell;

use lunatic::{ExitReason, Mailbox, Pid, Status, hibernate, spawn, spawn_monitor};

thread_local! {
    static KEPT: Cell<u32> = const { Cell::new(0) };
}

#[lunatic::test]
fn it_goes_on_with_its_argument_when_a_message_comes_and_takes_none() {
    fn sleeps(parent: Pid, mailbox: Mailbox<u32>) {
        KEPT.set(7);
        lunatic::send(parent, 1u32).unwrap();
        hibernate((parent, mailbox, vec![1, 2, 3]), awake)
    }
    fn awake((parent, mailbox, numbers): (Pid, Mailbox<u32>, Vec<u32>)) {
        let sum = mailbox.receive().unwrap() + KEPT.get() + numbers.iter().sum::<u32>();
        lunatic::send(parent, sum).unwrap();
    }
    let mailbox = Mailbox::<u32>::new();
    let (child, monitor) = spawn_monitor(Pid::this(), sleeps);
    assert_eq!(mailbox.receive(), Ok(1));
    child.send(100);
    assert_eq!(mailbox.receive(), Ok(113));
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
}

/// More of them would be on the stack than it has room for.
const TIMES: u32 = 10_000;

#[lunatic::test]
fn whoever_hibernates_ten_thousand_times_has_the_stack_of_one() {
    fn again((parent, times): (Pid, u32)) -> Result<(), ExitReason> {
        let large = std::hint::black_box([times; 1000]);
        match times {
            0 => lunatic::send(parent, large[0]).map_err(|error| error.to_string().into()),
            _ => hibernate((parent, large[999] - 1), again),
        }
    }
    let mailbox = Mailbox::<u32>::new();
    let child = spawn(Pid::this(), |parent, _: Mailbox<u8>| again((parent, TIMES)));
    // One message is enough, since it is never taken.
    child.send(1);
    assert_eq!(mailbox.receive(), Ok(0));
}

#[lunatic::test]
fn a_process_that_hibernates_is_killed() {
    let (child, monitor) = spawn_monitor((), |(), _: Mailbox<u8>| hibernate((), |()| ()));
    while child.pid().info().is_some_and(|info| info.status != Status::Waiting) {
        lunatic::sleep(std::time::Duration::ZERO);
    }
    child.pid().kill();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Killed);
}

#[lunatic::test]
fn the_reason_that_its_function_gives_is_its_own() {
    let (child, monitor) = spawn_monitor((), |(), _: Mailbox<u8>| {
        hibernate(3u8, |number| -> Result<(), ExitReason> {
            Err(ExitReason::Status(number.into()))
        })
    });
    child.send(1);
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Status(3));
}
