//! Rights: their one written form, and that no descendant reaches whom its ancestors cannot.

mod support;

use lunatic_model::{Access, Deed, Extent, Grant, NetworkRights, Permit, Reach, Right, Rights};
use proptest::collection::vec;
use proptest::prelude::*;
use support::cases;

fn scopes() -> impl Strategy<Value = Reach> {
    vec(0usize..4, 5).prop_map(|scopes| {
        let pairs = Deed::EACH.into_iter().zip(scopes);
        pairs.fold(Reach::NONE, |reach, ((deed, _), scope)| reach.with(deed, Extent::EACH[scope].0))
    })
}

fn rights() -> impl Strategy<Value = Rights> {
    vec(any::<bool>(), Rights::EACH.len()).prop_map(|granted| {
        let pairs = Rights::EACH.iter().zip(granted);
        pairs.fold(Rights::NONE, |set, ((right, _), granted)| set.with(*right, granted))
    })
}

fn grants() -> impl Strategy<Value = Grant> {
    (rights(), scopes(), any::<[bool; 3]>()).prop_map(
        |(rights, reach, [connect, bind, resolve])| {
            let mut network = NetworkRights::ALL;
            network.resolve = resolve;
            for (access, allowed) in [(Access::Connect, connect), (Access::Bind, bind)] {
                if !allowed {
                    network.deny_all(access);
                }
            }
            Grant { rights, reach, network }
        },
    )
}

/// A tree of processes: for each, its parent and what it was given.
type Tree = Vec<(Option<usize>, Grant)>;

fn is_below(tree: &Tree, one: usize, above: usize) -> bool {
    let mut next = tree[one].0;
    while let Some(ancestor) = next {
        if ancestor == above {
            return true;
        }
        next = tree[ancestor].0;
    }
    false
}

fn reaches(tree: &Tree, from: usize, to: usize, deed: Deed) -> bool {
    if from == to {
        return true;
    }
    match tree[from].1.reach.of(deed) {
        Extent::None => false,
        Extent::Descendants => is_below(tree, to, from),
        Extent::Family => tree[from].0 == Some(to) || is_below(tree, to, from),
        Extent::Tree => true,
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_child_may_do_and_reach_at_most_what_its_parent_does(
        root in grants(),
        wishes in vec((any::<usize>(), grants()), 0..20),
    ) {
        let mut tree: Tree = vec![(None, root)];
        for (parent, wish) in wishes {
            let parent = parent % tree.len();
            let child = tree[parent].1.narrowed(&wish).expect("few rules");
            prop_assert!(wish.rights.contains(child.rights));
            tree.push((Some(parent), child));
        }
        for (child, (parent, grant)) in tree.iter().enumerate() {
            let Some(parent) = *parent else { continue };
            prop_assert!(tree[parent].1.rights.contains(grant.rights));
            prop_assert_eq!(&tree[parent].1.narrowed(grant).unwrap(), grant);
            for to in (0..tree.len()).filter(|to| *to != child) {
                for (deed, _) in Deed::EACH {
                    prop_assert!(
                        !reaches(&tree, child, to, deed) || reaches(&tree, parent, to, deed),
                        "{child} reaches {to}, its parent {parent} does not"
                    );
                }
            }
        }
    }

    #[test]
    fn to_allow_and_deny_one_right_changes_nothing_else(grant in grants(), scope in 0usize..4) {
        let flags = Rights::EACH.iter().map(|(right, _)| Right::Flag(*right));
        let reaches = Deed::EACH.map(|(deed, _)| Right::Reach(deed, Extent::EACH[scope].0));
        for right in flags.chain(reaches) {
            let (mut more, mut less) = (grant.clone(), grant.clone());
            more.allow(right).unwrap();
            less.deny(right).unwrap();
            prop_assert_eq!(&more.narrowed(&grant).unwrap(), &grant);
            prop_assert_eq!(&grant.narrowed(&less).unwrap(), &less);
            prop_assert_eq!(&more.network, &grant.network);
            match right {
                Right::Flag(flag) => {
                    prop_assert_eq!(more.rights.with(flag, false), less.rights);
                    prop_assert_eq!(more.reach, less.reach);
                }
                Right::Reach(deed, scope) => {
                    prop_assert!(more.reach.of(deed) >= scope);
                    prop_assert!(less.reach.of(deed) < scope || scope == Extent::None);
                    prop_assert_eq!(more.rights, less.rights);
                }
                Right::Resolve | Right::Network(..) => unreachable!("not in the list"),
            }
        }
    }
}

#[test]
fn a_right_is_read_as_it_is_written() {
    let texts = Rights::EACH.iter().map(|(_, name)| *name);
    let others = ["resolve", "connect:tcp:127.0.0.1:80", "bind:*", "send:family", "exit:none"];
    for text in texts.chain(others) {
        let right: Right = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(right.to_string(), text);
    }
}

#[test]
fn what_is_no_right_says_what_there_is() {
    for (text, says) in [
        ("spawm", "there are spawn, compile"),
        ("send", "the extent is none"),
        ("send:all", "the extent is none"),
        ("connect:example.com", "is no protocol"),
        ("", "there are spawn"),
    ] {
        let error = text.parse::<Right>().unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_part_of_the_network_cannot_be_taken_away_and_that_is_an_error() {
    let mut grant = Grant::ALL;
    assert!(grant.deny("connect:tcp:127.0.0.1".parse().unwrap()).is_err());
    assert_eq!(grant, Grant::ALL);
    grant.deny("connect:*".parse().unwrap()).unwrap();
    assert_ne!(grant.network, NetworkRights::ALL);
}

#[test]
fn rights_to_files_and_variables_are_read_as_they_are_written() {
    for text in ["read:data", "files:a b::c", "remove:/", "env:HOME", "env:*", "bind:*", "spawn"] {
        let permit: Permit = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(permit.to_string(), text);
    }
    for text in ["read", "read:", "env", "env:A=1", "wrote:data", &"x".repeat(5000)] {
        let error = text.parse::<Permit>().expect_err(text).to_string();
        assert!(error.contains("is no right") && error.len() < 1000, "{text}: {error}");
    }
}
