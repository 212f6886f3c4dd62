//! What is seen of processes from outside, and timers that can be asked for the time left.
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    GO, READY, Random, custom, message, next, prepare, run, spawn, spawn_waiting, yield_now,
};
use lunatic_model::{
    Envelope, ExitReason, Filter, Limits, MonitorOptions, Pid, Priority, Tag, TrapExit,
};
use lunatic_node::{Bonds, Process, Recipient, Status};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn everything_that_a_process_has_can_be_seen() {
    run(2, |root| async move {
        let environment = root.environment().clone();
        let child = prepare(&environment, Limits::default());
        child.set_priority(Priority::High);
        child.set_label(Some("worker 7".into()));
        child.set_memory_bytes(65_536);
        let bonds = Bonds { link: Some(READY), monitor: Some(MonitorOptions::default()) };
        let body = Box::pin(std::future::pending());
        let reference = environment.start_child(child.clone(), body, &root, bonds);
        environment.register("seven", child.pid()).expect("nobody has the name");
        root.send(child.pid(), message(GO, 1)).await;

        while environment.info(child.pid()).is_some_and(|info| info.status != Status::Waiting) {
            yield_now().await;
        }
        let info = environment.info(child.pid()).expect("it lives");
        assert_eq!(info.names.iter().map(|name| &**name).collect::<Vec<_>>(), ["seven"]);
        assert_eq!((info.priority, info.memory_bytes), (Priority::High, 65_536));
        assert_eq!((info.parent, &*info.entry), (Some(root.pid()), "test"));
        assert_eq!(info.state.label.as_deref(), Some("worker 7"));
        assert_eq!((info.state.messages, info.state.trap_exit), (1, TrapExit::Off));
        assert_eq!(info.state.links, [root.pid()]);
        let watched = reference.map(|reference| (reference, root.pid()));
        assert_eq!(info.state.monitored_by, watched.into_iter().collect::<Vec<_>>());

        let own = environment.info(root.pid()).expect("it lives");
        assert_eq!((own.status, own.parent), (Status::Running, None));
        root.suspend(child.pid()).await.expect("it lives");
        let info = environment.info(child.pid()).expect("it lives");
        assert_eq!(info.status, Status::Suspended);
        root.unlink(child.pid());
        child.kill();
        child.join().await;
        assert!(environment.info(child.pid()).is_none());
    });
}

#[test]
fn a_list_of_processes_is_of_one_moment() {
    // Each of a chain ends only after the next has started: a list without the last that it shows
    // would be of no moment.
    for workers in [2, 4] {
        run(workers, |root| async move {
            let environment = root.environment().clone();
            let walker = spawn(&environment, |me| async move {
                let mut before: Option<Arc<Process>> = None;
                for _ in 0..5000 {
                    let next = spawn_waiting(me.environment(), ExitReason::Normal);
                    if let Some(before) = before.replace(next) {
                        before.kill();
                        before.join().await;
                    }
                }
                ExitReason::Normal
            });
            let mut begun = false;
            while walker.ended().is_none() {
                let pids = environment.processes();
                assert!(pids.contains(&root.pid()));
                let others = [root.pid(), walker.pid()];
                let chain = pids.iter().filter(|pid| !others.contains(pid)).count();
                assert!(chain <= 2, "{chain} of the chain at once");
                // From its first link on there is always one.
                assert!(chain > 0 || !begun);
                begun |= chain > 0;
                yield_now().await;
            }
            environment.processes().into_iter().filter(|pid| *pid != root.pid()).for_each(|pid| {
                root.exit(pid, ExitReason::Kill);
            });
        });
    }
}

#[test]
fn timers_tell_the_time_that_is_left_or_that_it_is_too_late() {
    run(2, |root| async move {
        let far = root.start_timer(Recipient::Process(root.pid()), message(GO, 1), HOUR).await;
        let far = far.expect("there is room");
        let left = root.read_timer(far.serial).expect("it is far away");
        assert!(left <= HOUR && left > HOUR / 2);
        assert!(root.cancel_timer(far.serial).is_some_and(|rest| rest <= left));
        assert!(root.cancel_timer(far.serial).is_none());
        assert!(root.read_timer(far.serial).is_none());

        let soon = root.start_timer(Recipient::Process(root.pid()), message(GO, 2), Duration::ZERO);
        let soon = soon.await.expect("there is room");
        let Envelope::Message(fired) = next(&root).await else { panic!("a message") };
        assert_eq!(fired.reference.as_deref(), Some(&soon));
        assert!(root.read_timer(soon.serial).is_none());
    });
}

#[test]
fn only_its_creator_reads_a_timer() {
    run(2, |root| async move {
        let timer = root.start_timer(Recipient::Process(root.pid()), message(GO, 1), HOUR).await;
        let serial = timer.expect("there is room").serial;
        let other = spawn(root.environment(), move |me| async move {
            assert!(me.read_timer(serial).is_none() && me.cancel_timer(serial).is_none());
            ExitReason::Normal
        });
        assert_eq!(other.join().await, ExitReason::Normal);
        assert!(root.cancel_timer(serial).is_some());
    });
}

#[test]
fn a_timer_to_a_name_reaches_whoever_has_it_when_it_is_time() {
    run(2, |root| async move {
        let environment = root.environment();
        let delay = Duration::from_millis(2);
        let to = || Recipient::Name("clock".into());
        root.start_timer(to(), message(GO, 1), delay).await.expect("there is room");
        environment.register("clock", root.pid()).expect("nobody has it");
        assert!(matches!(next(&root).await, Envelope::Message(_)));
        assert!(environment.remove_name("clock"));
        root.start_timer(to(), message(GO, 2), Duration::ZERO).await.expect("there is room");
        root.start_timer(Recipient::Process(root.pid()), message(READY, 3), delay)
            .await
            .expect("there is room");
        let Envelope::Message(second) = next(&root).await else { panic!("a message") };
        assert_eq!(second.tag, READY, "the one before went to nobody");
    });
}

#[test]
fn a_receive_since_the_mark_passes_over_what_was_there_also_after_other_receives() {
    let mut random = Random::new();
    run(1, move |root| async move {
        let to = root.pid();
        for _ in 0..200 {
            for n in 0..random.below(5) + 1 {
                root.send(to, message(READY, n)).await;
            }
            root.set_mark();
            root.send(to, message(READY, 100)).await;
            next(&root).await;
            let marked = root.receive_marked(Filter::Reply(READY), None).await;
            assert_eq!(common::read(&marked.expect("no deadline")).1, 100);
            common::drain(&root).await;
        }
    });
}

#[test]
fn an_exit_request_carries_its_data_and_reaches_oneself() {
    run(1, |root| async move {
        let child = spawn_waiting(root.environment(), ExitReason::Normal);
        root.exit(child.pid(), custom("enough"));
        assert_eq!(child.join().await, custom("enough"));
        let own = spawn(root.environment(), |me| async move {
            me.exit(me.pid(), ExitReason::Kill);
            std::future::pending().await
        });
        assert_eq!(own.join().await, ExitReason::Killed);
        // Of another node: as one that does not exist.
        let nobody = Pid { node: 9, ..root.pid() };
        root.exit(nobody, ExitReason::Kill);
        root.set_trap_exit(TrapExit::All);
        root.link(nobody, Tag(3));
        let Envelope::Exit { from, reason, tag } = next(&root).await else { panic!("an exit") };
        assert_eq!((from, reason, tag), (nobody, ExitReason::NoProcess, Tag(3)));
    });
}
