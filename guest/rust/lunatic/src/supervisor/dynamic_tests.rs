//! Tests of the decisions of a dynamic supervisor, without a runtime.

use std::time::Duration;

use crate::{ExitReason, Pid};

use super::ManageError;
use super::decisions::{Again, Event, Outcome};
use super::dynamic_children::DynamicChildren;
use super::spec::{AutoShutdown, ChildSpec, Flags, Restart};
use super::stand::{Stand, child, failure};

fn dynamic(template: ChildSpec, auto_shutdown: AutoShutdown) -> (DynamicChildren, Stand) {
    let flags = Flags { intensity: 3, auto_shutdown, ..Flags::default() };
    (DynamicChildren::new(flags, template).expect("valid"), Stand::default())
}

fn dynamic_ends(
    children: &mut DynamicChildren,
    stand: &mut Stand,
    name: char,
    reason: &ExitReason,
) -> Outcome {
    let pid = stand.pid(name);
    stand.alive.remove(&pid);
    children.exited(pid, reason, Duration::ZERO, stand)
}

#[test]
fn dynamic_children_come_back_with_their_own_argument() {
    let (mut children, mut stand) = dynamic(child('t'), AutoShutdown::Never);
    for name in "abc".bytes() {
        children.start_child(vec![name].into(), &mut stand).expect("nothing fails");
    }
    assert_eq!(dynamic_ends(&mut children, &mut stand, 'b', &failure()), Outcome::Continue);
    assert_eq!(stand.take_log(), "+a +b +c +b");
    stand.failing.insert('a', 1);
    let was = stand.pid('a');
    assert_eq!(dynamic_ends(&mut children, &mut stand, 'a', &failure()), Outcome::Continue);
    let counts = children.count();
    assert_eq!((counts.specs, counts.active, counts.workers), (1, 2, 3));
    assert_eq!(stand.again, [Again::Was(was)]);
    assert_eq!(children.try_again(was, Duration::ZERO, &mut stand), Outcome::Continue);
    assert_eq!(stand.take_log(), "a! +a");
    let outcome = dynamic_ends(&mut children, &mut stand, 'a', &failure());
    assert_eq!(outcome, Outcome::Shutdown, "the try that failed has counted");
}

#[test]
fn a_temporary_dynamic_child_is_forgotten_when_it_ends() {
    let template = child('t').restart(Restart::Temporary);
    let (mut children, mut stand) = dynamic(template, AutoShutdown::Never);
    children.start_child(vec![b'a'].into(), &mut stand).expect("nothing fails");
    assert_eq!(dynamic_ends(&mut children, &mut stand, 'a', &failure()), Outcome::Continue);
    assert_eq!(children.count().workers, 0);
    assert_eq!(stand.take_log(), "+a");
}

#[test]
fn dynamic_children_are_stopped_by_pid() {
    let (mut children, mut stand) = dynamic(child('t'), AutoShutdown::Never);
    children.start_child(vec![b'a'].into(), &mut stand).expect("nothing fails");
    let pid = stand.pid('a');
    let stranger = Pid::new(0, 999);
    stand.alive.insert(stranger, 's');
    assert_eq!(children.terminate_child(stranger, &mut stand), Err(ManageError::NotFound));
    assert_eq!(children.terminate_child(pid, &mut stand), Ok(()));
    assert_eq!(children.terminate_child(pid, &mut stand), Ok(()), "what has ended is no error");
    assert_eq!(children.count().workers, 0);
}

#[test]
fn the_last_significant_dynamic_child_ends_the_supervisor() {
    let template = child('t').restart(Restart::Transient).significant();
    let (mut children, mut stand) = dynamic(template, AutoShutdown::AllSignificant);
    for name in "ab".bytes() {
        children.start_child(vec![name].into(), &mut stand).expect("nothing fails");
    }
    let normal = ExitReason::Normal;
    assert_eq!(dynamic_ends(&mut children, &mut stand, 'a', &normal), Outcome::Continue);
    assert_eq!(dynamic_ends(&mut children, &mut stand, 'b', &normal), Outcome::Shutdown);
}

#[test]
fn dynamic_children_stop_together_and_what_went_wrong_is_reported_once_for_each_reason() {
    let (mut children, mut stand) = dynamic(child('t'), AutoShutdown::Never);
    for name in "abcd".bytes() {
        children.start_child(vec![name].into(), &mut stand).expect("nothing fails");
    }
    stand.stubborn.extend("bc".chars());
    children.stop_all(&mut stand);
    assert!(stand.alive.is_empty());
    assert_eq!(stand.reports, [(Event::ShutdownError, "t".to_string())]);
}
