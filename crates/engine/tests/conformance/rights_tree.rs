//! Narrowing through the real configuration functions: in trees of processes whose configurations
//! are random, each process is tried at each right, and may exactly what the meet of all wishes
//! above it allows, as the model says.

use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};

use lunatic_engine::{Access, Extent, Grant, ProcessConfig, Rights};
use lunatic_model::{Deed, Permit, Protocol};
use lunatic_wasi::WasiConfig;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::common::guest::module;
use crate::common::{check, run_with};

/// What is written into configurations. `PORT` is that of a listener.
const WISHES: [&str; 21] = [
    "stdout",
    "stderr",
    "clocks",
    "random",
    "names",
    "timers",
    "sqlite",
    "configs",
    "spawn",
    "connect:*",
    "connect:tcp:127.0.0.1:PORT",
    "connect:udp",
    "connect:tcp:127.0.0.0/8",
    "bind:tcp:127.0.0.1",
    "inspect:none",
    "inspect:descendants",
    "inspect:family",
    "inspect:tree",
    "monitor:tree",
    "resolve",
    "compile",
];

/// The configuration of one process, and its children.
#[derive(Clone, Debug)]
struct Node {
    /// Made by the function of version 0.13.
    old: bool,
    /// Which wishes, and whether they are denied instead.
    changes: Vec<(usize, bool)>,
    children: Vec<Node>,
}

fn trees() -> impl Strategy<Value = Node> {
    // Most are allowed to have children, so that trees are deep.
    let changes = || {
        let base = Just(vec![(7, false), (8, false)]);
        let random = vec((0..WISHES.len(), any::<bool>()), 0..10);
        (base, random).prop_map(|(base, random)| [base, random].concat())
    };
    let leaf = (any::<bool>(), changes()).prop_map(|(old, changes)| Node {
        old,
        changes,
        children: Vec::new(),
    });
    leaf.prop_recursive(4, 10, 3, move |inner| {
        (any::<bool>(), changes(), vec(inner, 0..3)).prop_map(|(old, changes, children)| Node {
            old,
            changes,
            children,
        })
    })
}

/// Writes a tree as a program, with what each process must find.
struct Writer {
    port: u16,
    functions: String,
    count: usize,
}

impl Writer {
    fn right(&self, wish: usize) -> String {
        WISHES[wish].replace("PORT", &self.port.to_string())
    }

    /// The grant of a child that is made with this configuration.
    fn granted(&self, parent: &Grant, node: &Node) -> Grant {
        let checked = Rights::SPAWN | Rights::COMPILE_MODULES | Rights::CREATE_CONFIGS;
        let mut wish = match node.old {
            true => Grant { rights: Rights::ALL.with(checked, false), ..Grant::ALL },
            false => Grant::SANDBOX,
        };
        for (index, deny) in &node.changes {
            let Ok(Permit::Right(right)) = self.right(*index).parse() else { panic!("a right") };
            // A refused one changes nothing, there and here.
            let _ = if *deny { wish.deny(right) } else { wish.allow(right) };
        }
        parent.narrowed(&wish).expect("there are few rules")
    }

    /// Writes the function of a process that has `grant`, and gives its name.
    fn process(&mut self, grant: &Grant, node: &Node) -> String {
        let name = format!("p{}", self.count);
        self.count += 1;
        let mut body = self.probes(grant);
        let has = |right| grant.rights.contains(right);
        if has(Rights::CREATE_CONFIGS) && has(Rights::SPAWN) {
            for child in &node.children {
                let name = self.process(&self.granted(grant, child), child);
                body += &self.spawn(child, &name);
            }
            for _ in &node.children {
                body += "(call $expect (i64.const 1))";
            }
        }
        let _ = write!(
            self.functions,
            r#"(func (export "{name}") (param $parent i64) (local $config i64) {body}
                (call $tell (local.get $parent) (i64.const 1) (i64.const 1)))"#
        );
        name
    }

    fn spawn(&self, node: &Node, name: &str) -> String {
        let make = if node.old { "create_config" } else { "create_empty_config" };
        let mut text = format!("(local.set $config (call $process.{make}))");
        for (index, deny) in &node.changes {
            let change = if *deny { "config_deny" } else { "config_allow" };
            let right = self.right(*index);
            let _ = write!(
                text,
                r#"(drop (call $process.{change} (local.get $config) @"{right}"
                    (i32.const 0x3010)))"#
            );
        }
        let _ = write!(
            text,
            r#"(call $is (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1)
                @"{name}") (i32.const 0))"#
        );
        text
    }

    /// What a process with this grant tries, and must find.
    fn probes(&self, grant: &Grant) -> String {
        let mut text = String::new();
        for (right, probe, granted, denied) in FLAGS {
            let expected = if grant.rights.contains(right) { granted } else { denied };
            let _ = write!(text, "(call $is {probe} (i32.const {expected}))");
        }
        let address: SocketAddr = ([127, 0, 0, 1], self.port).into();
        let reaches = grant.network.allows(Access::Connect, Protocol::Tcp, address);
        let parent = grant.reach.of(Deed::Inspect) >= Extent::Family;
        let _ = write!(
            text,
            "(call $is (call $connect_code (i32.const {}) (i64.const -1)) (i32.const {}))
            (call $is (call $process.is_alive (i64.const 0) (local.get $parent)) (i32.const {}))",
            self.port,
            i32::from(!reaches),
            i32::from(parent)
        );
        text
    }
}

/// A right, what tries it, and what comes of that with the right and without.
type Probe = (Rights, &'static str, i32, i32);

const FLAGS: [Probe; 8] = [
    (
        Rights::STDOUT,
        "(block (result i32) (i64.store (i32.const 0x3020) (i64.const 0x100000000))
        (call $p1.fd_write (i32.const 1) (i32.const 0x3020) (i32.const 1) (i32.const 0x3030)))",
        0,
        76,
    ),
    (
        Rights::STDERR,
        "(block (result i32) (i64.store (i32.const 0x3020) (i64.const 0x100000000))
        (call $p1.fd_write (i32.const 2) (i32.const 0x3020) (i32.const 1) (i32.const 0x3030)))",
        0,
        76,
    ),
    (
        Rights::CLOCKS,
        "(block (result i32) (drop (call $p1.clock_time_get (i32.const 0) (i64.const 1)
        (i32.const 0x3040))) (i64.eqz (i64.load (i32.const 0x3040))))",
        0,
        1,
    ),
    (
        Rights::RANDOM,
        "(block (result i32)
        (drop (call $p1.random_get (i32.const 0x3040) (i32.const 8)))
        (drop (call $p1.random_get (i32.const 0x3048) (i32.const 8)))
        (i64.eq (i64.load (i32.const 0x3040)) (i64.load (i32.const 0x3048))))",
        0,
        1,
    ),
    (
        Rights::NAMES,
        // Others may have the name: that is code 1.
        r#"(i32.eq (i32.const 2) (block (result i32)
        (call $process.own_pid (i32.const 0x3040))
        (call $registry.register @"name" (i64.load (i32.const 0x3040))
            (i64.load (i32.const 0x3048)))))"#,
        0,
        1,
    ),
    (
        Rights::TIMERS,
        "(block (result i32) (call $message.create_data (i64.const 1) (i64.const 0))
        (call $timer.start (i64.const 0) (i64.const 0) (i64.const 0) (i32.const 0x3040)))",
        0,
        1,
    ),
    (Rights::SQLITE, r#"(i32.wrap_i64 (call $sqlite.open @":memory:" (i32.const 0x3040)))"#, 0, 1),
    (
        Rights::CREATE_CONFIGS,
        "(i32.wrap_i64 (i64.shr_s (call $process.create_empty_config) (i64.const 63)))",
        0,
        -1,
    ),
];

#[test]
fn in_random_trees_each_process_may_what_the_meet_of_all_wishes_above_it_allows() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || while listener.accept().is_ok() {});
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&trees(), |tree| {
        let mut writer = Writer { port, functions: String::new(), count: 0 };
        let granted = writer.granted(&Grant::ALL, &tree);
        let name = writer.process(&granted, &tree);
        let spawn = writer.spawn(&tree, &name);
        let functions = writer.functions;
        let source = format!(
            r#"{functions} (func (export "_start") (local $config i64)
                {spawn} (call $expect (i64.const 1)))"#
        );
        let config = ProcessConfig::root(WasiConfig::default());
        check(&run_with(&module(&source), config).expect("it can be spawned"));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
