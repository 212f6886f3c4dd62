//! Reach: who is out of reach is as if there were no such process, and a guessed reference is worth
//! nothing.

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{GO, node, spawn_waiting};
use lunatic_model::{
    AliasMode, Budgets, Deed, ExitReason, Filter, Limits, Message, MonitorOptions, Pid, Protocol,
    Reach,
};
use lunatic_node::{
    Bonds, DENIED_ADDRESSES_MAX, Denial, Destination, Environment, ExitReport, Handed, Node,
    NodeOptions, Observer, Process, SpawnError, Terms,
};

fn child(environment: &Arc<Environment>, parent: &Process, reach: Reach) -> Arc<Process> {
    let limits = Arc::new(Limits::default());
    let terms = Terms { reach, budgets: &Budgets::default(), parent: Some(parent) };
    let child = environment.prepare_with("child", limits, terms).expect("there is room");
    let me = child.clone();
    let body = Box::pin(async move {
        me.receive(Filter::Reply(GO), None).await;
        ExitReason::Normal
    });
    environment.start_child(child.clone(), body, parent, Bonds::default());
    child
}

fn end(process: &Arc<Process>) {
    process.kill();
    assert_eq!(common::block_on(process.join()), ExitReason::Killed);
}

fn messages(process: &Process) -> usize {
    let environment = process.environment();
    environment.info(process.pid()).expect("it lives").state.messages
}

#[test]
fn a_sandbox_reaches_parent_and_descendants_also_when_those_in_between_have_ended() {
    let node = node(1);
    let environment = node.environment(1);
    let root = spawn_waiting(&environment, ExitReason::Normal);
    let stranger = spawn_waiting(&environment, ExitReason::Normal);
    let sandbox = child(&environment, &root, Reach::SANDBOX);
    let middle = child(&environment, &sandbox, Reach::SANDBOX);
    let grandchild = child(&environment, &middle, Reach::SANDBOX);
    let reaches = |deed, to: &Process| sandbox.reaches(deed, to.pid());
    assert!(reaches(Deed::Send, &root) && !reaches(Deed::Exit, &root));
    assert!(reaches(Deed::Send, &middle) && reaches(Deed::Exit, &middle));
    assert!(!reaches(Deed::Send, &stranger) && !reaches(Deed::Inspect, &stranger));
    end(&middle);
    assert!(reaches(Deed::Exit, &grandchild));
    let late = child(&environment, &grandchild, Reach::SANDBOX);
    assert!(reaches(Deed::Exit, &late) && !late.reaches(Deed::Send, sandbox.pid()));
    assert!(root.reaches(Deed::Exit, stranger.pid()));
}

#[test]
fn what_is_done_to_a_process_out_of_reach_is_as_to_none() {
    let node = node(1);
    let environment = node.environment(1);
    let root = spawn_waiting(&environment, ExitReason::Normal);
    let target = spawn_waiting(&environment, ExitReason::Normal);
    assert!(environment.put_name("target", target.pid()));
    let sandbox = child(&environment, &root, Reach::SANDBOX);
    let (there, missing) = (target.pid(), Pid { serial: 1 << 40, ..target.pid() });
    for pid in [there, missing] {
        assert!(sandbox.try_send(pid, Message::default()).is_ok());
        sandbox.exit(pid, ExitReason::Kill);
        assert!(!sandbox.exists(pid) && sandbox.inspect(pid).is_none());
        assert!(common::block_on(sandbox.suspend(pid)).is_err());
        sandbox.monitor(pid);
    }
    sandbox.monitor_name("target", MonitorOptions::default());
    // A down for each of the three monitors.
    assert_eq!(messages(&sandbox), 3);
    assert_eq!(sandbox.whereis("target"), None);
    assert_eq!(sandbox.processes(), [sandbox.pid()]);
    assert!(environment.exists(there));
    assert_eq!(messages(&target), 0);
    assert!(environment.info(there).expect("it lives").state.monitored_by.is_empty());
    // A link to it is one to the dead.
    sandbox.link(there, GO);
    assert_eq!(common::block_on(sandbox.join()), ExitReason::NoProcess);
    assert!(environment.exists(there));
}

#[test]
fn an_alias_is_of_use_to_its_owner_to_whom_it_was_given_and_to_the_watched() {
    let node = node(1);
    let environment = node.environment(1);
    let root = spawn_waiting(&environment, ExitReason::Normal);
    let client = spawn_waiting(&environment, ExitReason::Normal);
    let server = child(&environment, &root, Reach::SANDBOX);
    let other = child(&environment, &root, Reach::SANDBOX);
    let send = |from: &Arc<Process>, reference| {
        let to = Destination::Alias { reference, priority: false };
        common::block_on(from.send_until(to, Message::default(), None)).expect("there is room");
    };
    let guessed = client.alias(AliasMode::ExplicitUnalias, false);
    assert!(!server.may_use_alias(guessed) && client.may_use_alias(guessed));
    send(&server, guessed);
    assert_eq!(messages(&client), 0);
    server.take_alias(guessed);
    send(&server, guessed);
    send(&other, guessed);
    assert_eq!(messages(&client), 1);
    let alias = Some((AliasMode::ReplyDemonitor, false));
    let options = MonitorOptions { alias, ..MonitorOptions::default() };
    let reply = client.monitor_with(server.pid(), options);
    send(&other, reply);
    assert_eq!(messages(&client), 1);
    send(&server, reply);
    assert_eq!(messages(&client), 2);
    assert!(!server.may_use_alias(reply), "the first message has ended it");
}

#[test]
fn generations_of_restricted_processes_are_bounded_and_the_dead_do_not_count() {
    let node = node(1);
    let environment = node.environment(1);
    let root = spawn_waiting(&environment, ExitReason::Normal);
    let mut last = child(&environment, &root, Reach::SANDBOX);
    for _ in 0..600 {
        let next = child(&environment, &last, Reach::SANDBOX);
        end(&last);
        last = next;
    }
    let limits = Arc::new(Limits::default());
    let mut alive = vec![last];
    let refused = (0..300).find_map(|_| {
        let parent = alive.last().expect("it has the first");
        let budgets = Budgets::default();
        let terms = Terms { reach: Reach::SANDBOX, budgets: &budgets, parent: Some(parent) };
        match environment.prepare_with("x", limits.clone(), terms) {
            Ok(_) => {
                let next = child(&environment, parent, Reach::SANDBOX);
                alive.push(next);
                None
            }
            Err(error) => Some(error),
        }
    });
    assert_eq!(refused, Some(SpawnError::Generations(256)));
}

#[test]
fn a_process_that_is_handed_over_can_be_sent_to_and_watched_and_nothing_more() {
    let node = node(1);
    let environment = node.environment(1);
    let root = spawn_waiting(&environment, ExitReason::Normal);
    let service = spawn_waiting(&environment, ExitReason::Normal);
    let sandbox = child(&environment, &root, Reach::SANDBOX);
    // Who cannot reach it has nothing to give.
    assert_eq!(sandbox.hand_over(service.pid()), Handed::default());
    let handed = root.hand_over(service.pid());
    assert_eq!(handed, Handed { send: true, monitor: true });
    assert!(sandbox.take_over(service.pid(), handed));
    assert!(sandbox.try_send(service.pid(), Message::default()).is_ok());
    assert_eq!(messages(&service), 1);
    sandbox.monitor(service.pid());
    assert_eq!(messages(&sandbox), 0, "no down has come");
    sandbox.exit(service.pid(), ExitReason::Kill);
    assert!(environment.exists(service.pid()) && !sandbox.exists(service.pid()));
    assert_eq!(sandbox.hand_over(service.pid()), handed);
}

/// Keeps what it is told.
#[derive(Default)]
struct Log(Mutex<Vec<Denial>>);

impl Observer for Log {
    fn exited(&self, _report: &ExitReport) {}

    fn denied(&self, denial: &Denial) {
        self.0.lock().expect("no panic").push(denial.clone());
    }
}

#[test]
fn denials_are_told_once_for_each_right_and_counted_at_the_end() {
    let log = Arc::new(Log::default());
    let observer = Some(log.clone() as Arc<dyn Observer>);
    let options = NodeOptions { workers: Some(1), observer, ..NodeOptions::default() };
    let node = Node::start(options).expect("the machine has threads to spare");
    let environment = node.environment(1);
    let root = spawn_waiting(&environment, ExitReason::Normal);
    let target = spawn_waiting(&environment, ExitReason::Normal);
    let sandbox = child(&environment, &root, Reach::SANDBOX);
    let missing = Pid { serial: 1 << 40, ..target.pid() };
    for _ in 0..1000 {
        assert!(sandbox.try_send(target.pid(), Message::default()).is_ok());
        assert!(sandbox.try_send(missing, Message::default()).is_ok());
    }
    sandbox.exit(target.pid(), ExitReason::Kill);
    end(&sandbox);
    let told = log.0.lock().expect("no panic");
    let told: Vec<_> = told.iter().map(|d| (d.grant.as_str(), d.count, d.ended)).collect();
    assert_eq!(told, [("send:tree", 1, false), ("exit:tree", 1, false), ("send:tree", 1000, true)]);
}

#[test]
fn denied_addresses_are_told_apart_up_to_a_limit_and_the_others_are_counted() {
    let log = Arc::new(Log::default());
    let observer = Some(log.clone() as Arc<dyn Observer>);
    let options = NodeOptions { workers: Some(1), observer, ..NodeOptions::default() };
    let node = Node::start(options).expect("the machine has threads to spare");
    let environment = node.environment(1);
    let process = spawn_waiting(&environment, ExitReason::Normal);
    let deny = |right: &'static str, protocol: Protocol, port: usize| {
        let address = SocketAddr::from(([192, 0, 2, 1], u16::try_from(port).expect("a port")));
        process.deny_address(right, (protocol, address), || {
            (format!("{right}:{protocol}:{port}"), String::new())
        });
    };
    for _ in 0..2 {
        (0..DENIED_ADDRESSES_MAX).for_each(|port| deny("connect", Protocol::Tcp, port));
    }
    // One more, one that differs by its protocol alone, and another right.
    deny("connect", Protocol::Tcp, DENIED_ADDRESSES_MAX);
    deny("connect", Protocol::Udp, 0);
    deny("bind", Protocol::Udp, 0);
    deny("connect", Protocol::Tcp, 3);
    end(&process);
    let told = log.0.lock().expect("no panic");
    let told: Vec<_> = told.iter().map(|d| (d.right, &*d.grant, d.count, d.ended)).collect();
    let grants: Vec<_> =
        (0..DENIED_ADDRESSES_MAX).map(|port| format!("connect:tcp:{port}")).collect();
    let mut expected: Vec<_> = grants.iter().map(|g| ("connect", &**g, 1, false)).collect();
    expected.push(("bind", "bind:udp:0", 1, false));
    for (port, grant) in grants.iter().enumerate() {
        expected.push(("connect", grant, if port == 3 { 3 } else { 2 }, true));
    }
    expected.push(("connect", "", 2, true));
    assert_eq!(told, expected);
}
