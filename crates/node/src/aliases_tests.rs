//! The table of aliases holds what is active and nothing else, however an alias ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lunatic_model::{AliasMode, ExitReason, Message, MonitorOptions, Ref, Tag};

use crate::{Destination, Environment, Node, NodeOptions, Process};

fn entries(environment: &Environment) -> usize {
    let aliases = environment.aliases();
    let held: usize = aliases.shards.iter().map(|shard| crate::lock(shard).len()).sum();
    assert_eq!(held, aliases.count.load(Ordering::Relaxed));
    held
}

fn spawn(environment: &Arc<Environment>) -> Arc<Process> {
    let process = environment.prepare("test", Arc::default()).expect("there is room");
    environment.start(process.clone(), Box::pin(std::future::pending()), None);
    process
}

/// A monitor of `target` with an alias.
fn monitor(owner: &Process, target: &Process, mode: AliasMode) -> Ref {
    let alias = Some((mode, false));
    owner.monitor_with(target.pid(), MonitorOptions { alias, ..MonitorOptions::default() })
}

fn send(from: &Arc<Process>, reference: Ref) {
    let to = Destination::Alias { reference, priority: false };
    let message = Message { tag: Tag(7), ..Message::default() };
    let sent = futures::executor::block_on(from.send_until(to, message, None));
    assert!(sent.is_ok());
}

#[test]
fn an_alias_that_ended_leaves_no_entry() {
    let node = Node::start(NodeOptions { workers: Some(1), ..NodeOptions::default() });
    let node = node.expect("the machine has threads to spare");
    let environment = node.environment(1);
    let (owner, target) = (spawn(&environment), spawn(&environment));
    type Way = (AliasMode, fn(&Arc<Process>, &Arc<Process>, Ref));
    let ways: [Way; 5] = [
        (AliasMode::ExplicitUnalias, |owner, _, alias| assert!(owner.unalias(alias))),
        (AliasMode::Reply, |_, target, alias| send(target, alias)),
        (AliasMode::ReplyDemonitor, |_, target, alias| send(target, alias)),
        (AliasMode::Demonitor, |owner, _, alias| assert!(owner.demonitor(alias, false))),
        (AliasMode::Demonitor, |owner, _, alias| assert!(owner.unalias(alias))),
    ];
    for (mode, end) in ways {
        let alias = match mode {
            AliasMode::Reply => owner.alias(mode, false),
            _ => monitor(&owner, &target, mode),
        };
        assert_eq!(entries(&environment), 1, "{mode:?}");
        end(&owner, &target, alias);
        assert_eq!(entries(&environment), 0, "{mode:?}");
    }

    // By a down of one that dies, and of one that is dead already.
    monitor(&owner, &target, AliasMode::Demonitor);
    monitor(&owner, &target, AliasMode::ReplyDemonitor);
    monitor(&owner, &target, AliasMode::ExplicitUnalias);
    target.kill();
    futures::executor::block_on(target.join());
    assert_eq!(entries(&environment), 1);
    monitor(&owner, &target, AliasMode::Demonitor);
    assert_eq!(entries(&environment), 1);

    // By the end of the owner.
    owner.alias(AliasMode::Reply, true);
    owner.kill();
    assert_eq!(futures::executor::block_on(owner.join()), ExitReason::Killed);
    assert_eq!(entries(&environment), 0);
}

#[test]
fn at_the_limit_of_aliases_none_is_entered() {
    let node = Node::start(NodeOptions { workers: Some(1), ..NodeOptions::default() });
    let node = node.expect("the machine has threads to spare");
    let environment = node.environment(1);
    let limits = lunatic_model::Limits { aliases_max: 0, ..Default::default() };
    let owner = environment.prepare("test", Arc::new(limits)).expect("there is room");
    owner.alias(AliasMode::Reply, false);
    assert_eq!(entries(&environment), 0);
    assert_eq!(owner.exit_reason(), Some(ExitReason::Limit("aliases_max")));
}
