//! Names: one process behind a name, one spawner for a name, and none that leads to the dead.
mod common;

use std::collections::HashSet;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{
    GO, Random, message, next, prepare, run, spawn, spawn_waiting, spawn_with, yield_now,
};
use lunatic_model::{Envelope, ExitReason, Limits, Pid};
use lunatic_node::{Claim, Process};

/// Finds the process with this name, or spawns one; says which.
async fn find_or_spawn(me: &Arc<Process>, name: &str) -> (Pid, bool) {
    match me.environment().claim_name(name).await {
        Claim::Taken(pid) => (pid, false),
        Claim::Reserved(reservation) => {
            let process = prepare(me.environment(), Limits::default());
            // Compiling would take several turns.
            for _ in 0..3 {
                yield_now().await;
            }
            me.environment().start(process.clone(), Box::pin(pending()), None);
            reservation.fulfil(process.pid());
            (process.pid(), true)
        }
    }
}

#[test]
fn of_many_claimants_one_reserves_and_the_others_find_its_process() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            for round in 0..30 {
                let name: Arc<str> = format!("name {round}").into();
                let found = Arc::new(Mutex::new(Vec::new()));
                let claimants: Vec<_> = (0..100)
                    .map(|_| {
                        let (name, found) = (name.clone(), found.clone());
                        spawn(root.environment(), |me| async move {
                            let result = find_or_spawn(&me, &name).await;
                            found.lock().unwrap().push(result);
                            ExitReason::Normal
                        })
                    })
                    .collect();
                for claimant in claimants {
                    assert_eq!(claimant.join().await, ExitReason::Normal);
                }
                let found = std::mem::take(&mut *found.lock().unwrap());
                assert_eq!(found.len(), 100);
                assert_eq!(found.iter().filter(|(_, spawned)| *spawned).count(), 1);
                let pid = root.environment().whereis(&name);
                assert!(found.iter().all(|(found, _)| Some(*found) == pid));
            }
        });
    }
}

#[test]
fn a_dropped_reservation_lets_the_next_claimant_try() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            const CLAIMANTS: usize = 50;
            let reserved = Arc::new(AtomicUsize::new(0));
            let claimants: Vec<_> = (0..CLAIMANTS)
                .map(|_| {
                    let reserved = reserved.clone();
                    spawn(root.environment(), |me| async move {
                        let claim = me.environment().claim_name("name").await;
                        assert!(matches!(claim, Claim::Reserved(_)), "nobody has fulfilled it");
                        yield_now().await;
                        match reserved.fetch_add(1, Ordering::Relaxed) % 3 {
                            // Each of the ways in which a spawn can fail.
                            0 => drop(claim),
                            1 => panic!("with a reservation"),
                            _ => {
                                me.kill();
                                yield_now().await;
                            }
                        }
                        ExitReason::Normal
                    })
                })
                .collect();
            for claimant in claimants {
                claimant.join().await;
            }
            assert_eq!(reserved.load(Ordering::Relaxed), CLAIMANTS);
            let (pid, spawned) = find_or_spawn(&root, "name").await;
            assert!(spawned);
            assert_eq!(root.environment().whereis("name"), Some(pid));
        });
    }
}

#[test]
fn a_claimant_killed_while_it_waits_keeps_nobody_waiting() {
    run(1, |root| async move {
        let Claim::Reserved(reservation) = root.environment().claim_name("name").await else {
            panic!("nobody has the name");
        };
        let claimants: Vec<_> = (0..10)
            .map(|_| {
                spawn(root.environment(), |me| async move {
                    find_or_spawn(&me, "name").await;
                    ExitReason::Normal
                })
            })
            .collect();
        yield_now().await;
        for claimant in claimants.iter().step_by(2) {
            claimant.kill();
        }
        drop(reservation);
        for (index, claimant) in claimants.iter().enumerate() {
            let reason = [ExitReason::Killed, ExitReason::Normal][index % 2].clone();
            assert_eq!(claimant.join().await, reason);
        }
        assert!(root.environment().whereis("name").is_some());
    });
}

#[test]
fn a_name_fulfilled_with_a_process_that_has_died_is_free() {
    run(1, |root| async move {
        let Claim::Reserved(reservation) = root.environment().claim_name("name").await else {
            panic!("nobody has the name");
        };
        let process = spawn(root.environment(), |_| async { ExitReason::Normal });
        process.join().await;
        reservation.fulfil(process.pid());
        assert_eq!(root.environment().whereis("name"), None);
        assert!(find_or_spawn(&root, "name").await.1);
    });
}

#[test]
fn a_name_never_leads_to_the_dead() {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            let mut random = Random::new();
            let dead = Arc::new(Mutex::new(HashSet::new()));
            let churn: Vec<_> = (0..8)
                .map(|_| {
                    let (mut random, dead) = (random.fork(), dead.clone());
                    spawn(root.environment(), |me| async move {
                        for _ in 0..500 {
                            churn(&me, &mut random, &dead, &NAMES).await;
                        }
                        ExitReason::Normal
                    })
                })
                .collect();
            for process in churn {
                assert_eq!(process.join().await, ExitReason::Normal);
            }
            assert_eq!(NAMES.map(|name| root.environment().whereis(name)), [None; 4]);
        });
    }
}

/// Names a process that ends at some moment, and looks where the names lead.
async fn churn(me: &Arc<Process>, random: &mut Random, dead: &Mutex<HashSet<Pid>>, names: &[&str]) {
    let environment = me.environment();
    let name = names[random.below(names.len() as u64) as usize];
    let process = spawn_waiting(environment, ExitReason::Normal);
    me.monitor(process.pid());
    match random.below(3) {
        0 => process.kill(),
        1 => me.send(process.pid(), message(GO, 0)).await,
        _ => {}
    }
    if random.below(2) == 0 {
        yield_now().await;
    }
    environment.put_name(name, process.pid());
    {
        // What is in the list was dead before the name is looked up.
        let dead = dead.lock().unwrap();
        for name in names {
            if let Some(pid) = environment.whereis(name) {
                assert!(!dead.contains(&pid), "{name} leads to the dead {pid}");
            }
        }
    }
    process.kill();
    let Envelope::Down { from, .. } = next(me).await else { panic!("no down") };
    assert_eq!(from, process.pid());
    assert_ne!(environment.whereis(name), Some(from));
    dead.lock().unwrap().insert(from);
    // Too late: it has no effect.
    environment.put_name(name, from);
    assert_ne!(environment.whereis(name), Some(from));
}

#[test]
fn a_name_moves_to_the_last_that_it_was_given_and_can_be_taken_away() {
    run(1, |root| async move {
        let environment = root.environment();
        let [a, b] = [(); 2].map(|()| spawn_waiting(environment, ExitReason::Normal));
        assert!(environment.put_name("name", a.pid()));
        assert!(environment.put_name("name", b.pid()));
        assert_eq!(environment.whereis("name"), Some(b.pid()));
        // The end of the former owner takes nothing away.
        a.kill();
        a.join().await;
        assert_eq!(environment.whereis("name"), Some(b.pid()));
        environment.remove_name("name");
        assert_eq!(environment.whereis("name"), None);
    });
}

#[test]
fn environments_do_not_share_names() {
    let node = common::node(1);
    let [one, other] = [1, 2].map(|public_id| node.environment(public_id));
    let process = spawn_waiting(&one, ExitReason::Normal);
    assert!(one.put_name("name", process.pid()));
    assert_eq!(other.whereis("name"), None);
    assert!(!other.exists(process.pid()));
}

#[test]
fn a_process_has_names_max_names() {
    run(1, |root| async move {
        let limits = Limits { names_max: 2, ..Limits::default() };
        let process = spawn_with(root.environment(), limits, |_| pending());
        let put = |name| root.environment().put_name(name, process.pid());
        assert!(put("a") && put("b"));
        assert!(!put("c"));
        assert_eq!(root.environment().whereis("c"), None);
        root.environment().remove_name("a");
        assert!(put("c"));
    });
}
