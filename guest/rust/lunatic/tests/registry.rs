//! What a registry and a group promise, as Elixir's Registry and OTP's pg do.

use lunatic::registry::{JoinError, Keys, Registry};
use lunatic::{ExitReason, Mailbox, Pid, spawn};

fn waiting() -> Pid {
    spawn((), |(), mailbox: Mailbox<()>| {
        let _ = mailbox.receive();
    })
    .pid()
}

/// Ends a process, and gives the registry the time to hear of it: its down was sent before ours.
fn end(pid: Pid, registry: Registry, key: &str, left: usize) {
    let monitor = pid.monitor();
    pid.kill();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Killed);
    while registry.members(key).unwrap().len() != left {}
}

#[lunatic::test]
fn a_unique_key_has_one_owner_and_is_free_when_that_ends() {
    let registry = Registry::start_link_named(Keys::Unique, "registry").unwrap();
    assert_eq!(Registry::find("registry"), Some(registry));
    let (first, second) = (waiting(), waiting());
    assert_eq!(registry.join("key", first), Ok(()));
    assert_eq!(registry.join("key", second), Err(JoinError::Taken(first)));
    assert_eq!(registry.join("other", first), Ok(()));
    assert_eq!(registry.keys().unwrap(), ["key", "other"]);
    end(first, registry, "key", 0);
    assert_eq!(registry.join("key", second), Ok(()));
    assert_eq!(registry.keys().unwrap(), ["key"]);
    assert_eq!(registry.leave("key", second), Ok(true));
    assert_eq!(registry.leave("key", second), Ok(false));
}

#[lunatic::test]
fn joins_of_a_group_are_counted_and_end_with_the_process() {
    let groups = Registry::start_link(Keys::Duplicate).unwrap();
    let (first, second) = (waiting(), waiting());
    for pid in [first, second, first] {
        assert_eq!(groups.join("room", pid), Ok(()));
    }
    assert_eq!(groups.members("room").unwrap(), [first, second, first]);
    assert_eq!(groups.leave("room", first), Ok(true));
    assert_eq!(groups.members("room").unwrap(), [second, first]);
    assert_eq!(groups.join("room", first), Ok(()));
    end(first, groups, "room", 1);
    assert_eq!(groups.members("room").unwrap(), [second]);
    let gone = waiting();
    end(gone, groups, "room", 1);
    assert_eq!(groups.join("room", gone), Ok(()));
    while groups.members("room").unwrap() != [second] {}
}
