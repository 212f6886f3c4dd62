//! Names against a plain list: a name leads to one process, and both directions always agree.

mod support;

use lunatic_model::{NameRefused, Names, Pid};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, pid};

#[derive(Clone, Debug)]
enum Step {
    Register(String, u64),
    Put(String, u64),
    Remove(String),
    Clear(u64),
}

const PIDS: u64 = 4;

fn step() -> impl Strategy<Value = Step> {
    let name = || "[a-d]?|é";
    let one = || 1..=PIDS;
    prop_oneof![
        3 => (name(), one()).prop_map(|(name, pid)| Step::Register(name, pid)),
        3 => (name(), one()).prop_map(|(name, pid)| Step::Put(name, pid)),
        2 => name().prop_map(Step::Remove),
        1 => one().prop_map(Step::Clear),
    ]
}

/// Pairs in the order in which they were made.
#[derive(Default)]
struct List(Vec<(String, Pid)>);

impl List {
    fn whereis(&self, name: &str) -> Option<Pid> {
        self.0.iter().find(|pair| pair.0 == name).map(|pair| pair.1)
    }

    fn remove(&mut self, name: &str) -> Option<Pid> {
        let owner = self.whereis(name);
        self.0.retain(|pair| pair.0 != name);
        owner
    }

    fn names_of(&self, pid: Pid) -> Vec<String> {
        self.0.iter().filter(|pair| pair.1 == pid).map(|pair| pair.0.clone()).collect()
    }
}

fn own(names: &[std::sync::Arc<str>]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn names_do_what_a_plain_list_does(steps in vec(step(), 0..60)) {
        let (mut names, mut list) = (Names::default(), List::default());
        for step in steps {
            match step {
                Step::Register(name, serial) => {
                    let own = list.names_of(pid(serial)).first().cloned();
                    let expected = match (list.whereis(&name), own) {
                        (Some(owner), _) => Err(NameRefused::Taken(owner)),
                        (None, Some(own)) => Err(NameRefused::HasName(own.into())),
                        (None, None) => Ok(()),
                    };
                    prop_assert_eq!(names.register(&name, pid(serial)), expected.clone());
                    if expected.is_ok() {
                        list.0.push((name, pid(serial)));
                    }
                }
                Step::Put(name, serial) => {
                    names.put(&name, pid(serial));
                    list.remove(&name);
                    list.0.push((name, pid(serial)));
                }
                Step::Remove(name) => {
                    prop_assert_eq!(names.remove(&name), list.remove(&name));
                }
                Step::Clear(serial) => {
                    let expected = list.names_of(pid(serial));
                    prop_assert_eq!(own(&names.clear(pid(serial))), expected);
                    list.0.retain(|pair| pair.1 != pid(serial));
                }
            }
            prop_assert_eq!(names.len(), list.0.len());
            prop_assert_eq!(names.is_empty(), list.0.is_empty());
            for name in ["", "a", "b", "c", "d", "é"] {
                prop_assert_eq!(names.whereis(name), list.whereis(name), "{}", name);
            }
            for serial in 1..=PIDS {
                let expected = list.names_of(pid(serial));
                prop_assert_eq!(own(names.names_of(pid(serial))), expected, "{}", serial);
            }
        }
    }
}

#[test]
fn a_name_is_registered_once_also_by_its_owner() {
    let mut names = Names::default();
    assert_eq!(names.register("clock", pid(1)), Ok(()));
    assert_eq!(names.register("clock", pid(2)), Err(NameRefused::Taken(pid(1))));
    assert_eq!(names.register("clock", pid(1)), Err(NameRefused::Taken(pid(1))));
    assert_eq!(names.whereis("clock"), Some(pid(1)));
}

#[test]
fn a_process_that_has_a_name_registers_no_other_until_it_is_removed() {
    let mut names = Names::default();
    names.put("watch", pid(1));
    assert_eq!(names.register("clock", pid(1)), Err(NameRefused::HasName("watch".into())));
    assert_eq!(names.remove("watch"), Some(pid(1)));
    assert_eq!(names.register("clock", pid(1)), Ok(()));
    assert_eq!(names.remove("watch"), None);
}

#[test]
fn put_takes_a_name_from_whoever_had_it() {
    let mut names = Names::default();
    names.put("clock", pid(1));
    names.put("clock", pid(2));
    assert_eq!(names.whereis("clock"), Some(pid(2)));
    assert!(names.names_of(pid(1)).is_empty());
    assert!(names.clear(pid(1)).is_empty(), "the end of the first leaves the name");
    assert_eq!(names.whereis("clock"), Some(pid(2)));
}

#[test]
fn all_names_of_a_process_go_when_it_goes() {
    let mut names = Names::default();
    for (name, serial) in [("a", 1), ("b", 2), ("c", 1)] {
        names.put(name, pid(serial));
    }
    assert_eq!(own(&names.clear(pid(1))), ["a", "c"]);
    assert_eq!((names.whereis("a"), names.whereis("b")), (None, Some(pid(2))));
    assert_eq!(names.len(), 1);
}

#[test]
fn a_pid_of_another_life_of_the_node_is_another_process() {
    let mut names = Names::default();
    let earlier = Pid { incarnation: 0, ..pid(1) };
    names.put("clock", pid(1));
    assert!(names.clear(earlier).is_empty());
    assert_eq!(names.whereis("clock"), Some(pid(1)));
}
