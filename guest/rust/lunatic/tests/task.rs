//! What tasks promise, as Elixir's do.

use std::time::Duration;

use lunatic::process::trap_exit;
use lunatic::task::{self, Task, TaskError};
use lunatic::{ExitReason, Mailbox, ReceiveError};

fn double(number: u32) -> u32 {
    assert!(number != 1_313, "an unlucky number");
    number * 2
}

fn never((): ()) -> u32 {
    loop {
        lunatic::sleep(Duration::MAX);
    }
}

#[lunatic::test]
fn results_come_in_the_order_of_the_tasks_and_leave_nothing(mailbox: Mailbox<u8>) {
    let tasks: Vec<_> = (0..50).map(|n| Task::start(&n, double).unwrap()).collect();
    let results: Vec<_> = task::wait_many(tasks, None).into_iter().map(Result::unwrap).collect();
    assert_eq!(results, (0..50).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(mailbox.receive_timeout(Duration::ZERO), Err(ReceiveError::Timeout));
}

#[lunatic::test]
fn a_task_that_fails_tells_why() {
    trap_exit(true);
    let failed = Task::start(&1_313, double).unwrap().wait(None);
    let Err(TaskError::Exited(ExitReason::Error(text))) = failed else { panic!("{failed:?}") };
    assert!(text.ends_with("an unlucky number"), "{text}");
}

#[lunatic::test]
fn a_task_that_is_late_can_be_waited_for_again_or_is_killed() {
    let task = Task::start(&(), never).unwrap();
    let pid = task.pid();
    let task = task.wait_more(Some(Duration::ZERO)).expect_err("there is no result yet");
    assert!(pid.is_alive());
    assert_eq!(task.wait(Some(Duration::from_millis(1))), Err(TaskError::Timeout));
    assert!(!pid.is_alive());
}

#[lunatic::test]
fn a_stream_starts_no_more_tasks_than_it_may() {
    let results: Vec<_> = task::stream(0..20, 3, double).map(Result::unwrap).collect();
    assert_eq!(results, (0..20).map(|n| n * 2).collect::<Vec<_>>());
    let mut started = 0;
    let mut stream = task::stream((0..20).inspect(|_| started += 1), 3, double);
    assert_eq!(stream.next(), Some(Ok(0)));
    drop(stream);
    assert_eq!(started, 3);
}
