//! Budgets: what is used counts in the whole chain, nobody gets beyond a limit, and whoever is held
//! can be ended.
mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{GO, READY, drain, eventually, message, next, node, read, run, yield_now};
use lunatic_model::{
    Budget, Budgeted, Budgets, ExitReason, Filter, Limits, MESSAGE_OVERHEAD_BYTES, Policy, Reach,
    Tag,
};
use lunatic_node::{
    Account, Bonds, Destination, Environment, OpenDescriptor, Process, SpawnError, Terms,
};

fn budget(kind: Budgeted, amount: u64, policy: Policy) -> Budget {
    let mut budget = Budget::default();
    assert!(budget.set(kind, amount, policy));
    budget
}

fn of_process(kind: Budgeted, amount: u64) -> Budgets {
    Budgets { process: Some(budget(kind, amount, kind.usual_policy()).into()), subtree: None }
}

fn of_subtree(kind: Budgeted, amount: u64) -> Budgets {
    Budgets { process: None, subtree: Some(budget(kind, amount, kind.usual_policy()).into()) }
}

/// A process that is ready to run, as the child of another.
fn prepare(
    environment: &Arc<Environment>,
    parent: Option<&Process>,
    budgets: &Budgets,
) -> Result<Arc<Process>, SpawnError> {
    let terms = Terms { reach: Reach::WHOLE, budgets, parent };
    environment.prepare_with("test", Arc::new(Limits::default()), terms)
}

fn spawn<F, Fut>(
    environment: &Arc<Environment>,
    parent: Option<&Process>,
    budgets: &Budgets,
    body: F,
) -> Arc<Process>
where
    F: FnOnce(Arc<Process>) -> Fut,
    Fut: Future<Output = ExitReason> + Send + 'static,
{
    let process = prepare(environment, parent, budgets).expect("there is room");
    let body = Box::pin(body(process.clone()));
    match parent {
        Some(parent) => {
            environment.start_child(process.clone(), body, parent, Bonds::default());
        }
        None => environment.start(process.clone(), body, None),
    }
    process
}

fn account(process: &Process) -> &Arc<Account> {
    process.account().expect("it was given a budget")
}

fn subtree(process: &Process) -> &Arc<Account> {
    account(process).subtree().expect("it was given a budget for its subtree")
}

async fn busy(counted: Arc<AtomicU64>) -> ExitReason {
    loop {
        counted.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
    }
}

#[test]
fn a_process_without_budgets_has_no_account() {
    run(1, |root| async move {
        let child = spawn(root.environment(), Some(&root), &Budgets::default(), |_| pending());
        assert!(root.account().is_none() && child.account().is_none());
    });
}

#[test]
fn children_are_refused_at_the_limit_and_their_ends_make_room() {
    let node = node(2);
    let environment = node.environment(1);
    let parent = spawn(&environment, None, &of_process(Budgeted::Children, 2), |_| pending());
    let child = |_| spawn(&environment, Some(&parent), &Budgets::default(), |_| pending());
    let children: Vec<_> = (0..2).map(child).collect();
    let refused = || prepare(&environment, Some(&parent), &Budgets::default());
    let Err(SpawnError::OverBudget(over)) = refused() else { panic!("a third child") };
    assert_eq!((over.limit, over.ends), ("children_max", false));
    children[0].kill();
    common::block_on(children[0].join());
    // One that is prepared and dropped leaves no trace.
    drop(refused().expect("one has ended"));
    assert_eq!(account(&parent).usage().children, 1);
}

#[test]
fn all_descendants_count_in_a_subtree_and_nested_ones_in_each() {
    let node = node(2);
    let environment = node.environment(1);
    let tenant = spawn(&environment, None, &of_subtree(Budgeted::Children, 3), |_| pending());
    let inner = of_subtree(Budgeted::Children, Budget::UNBOUNDED);
    let child = spawn(&environment, Some(&tenant), &inner, |_| pending());
    let grandchild = spawn(&environment, Some(&child), &Budgets::default(), |_| pending());
    let last = spawn(&environment, Some(&grandchild), &Budgets::default(), |_| pending());
    assert_eq!(subtree(&tenant).usage().children, 3);
    assert_eq!(subtree(&child).usage().children, 2);
    assert!(account(&last).subtree().is_none(), "it is the first of none");
    for parent in [&tenant, &child, &grandchild, &last] {
        let Err(SpawnError::OverBudget(over)) =
            prepare(&environment, Some(parent), &Budgets::default())
        else {
            panic!("a fourth descendant")
        };
        assert_eq!(over.limit, "tree_children_max");
    }
    last.kill();
    common::block_on(last.join());
    assert_eq!(subtree(&tenant).usage().children, 2);
    assert_eq!(subtree(&child).usage().children, 1);
}

#[test]
fn subtrees_nest_only_so_deep() {
    let node = node(1);
    let environment = node.environment(1);
    let nested = of_subtree(Budgeted::Children, Budget::UNBOUNDED);
    let mut process = spawn(&environment, None, &nested, |_| pending());
    let refused = (0..100).find_map(|_| match prepare(&environment, Some(&process), &nested) {
        Ok(_) => {
            process = spawn(&environment, Some(&process), &nested, |_| pending());
            None
        }
        Err(error) => Some(error),
    });
    assert_eq!(refused, Some(SpawnError::NestedBudgets(16)));
}

#[test]
fn memory_counts_in_the_whole_chain_or_nowhere() {
    let node = node(1);
    let environment = node.environment(1);
    let tenant = spawn(&environment, None, &of_subtree(Budgeted::Memory, 1 << 20), |_| pending());
    let own = of_process(Budgeted::Memory, 1 << 19);
    let child = spawn(&environment, Some(&tenant), &own, |_| pending());
    let before = [account(&child).usage().memory, subtree(&tenant).usage().memory];
    let over = account(&child).charge_memory(1 << 19).expect_err("its own budget is smaller");
    assert_eq!(over.limit, "total_memory_max");
    account(&tenant).charge_memory(800_000).expect("there is so much");
    let over = account(&child).charge_memory(400_000).expect_err("together it is too much");
    assert_eq!(over.limit, "tree_total_memory_max");
    account(&tenant).release_memory(800_000);
    assert_eq!([account(&child).usage().memory, subtree(&tenant).usage().memory], before);
    child.kill();
    common::block_on(child.join());
    assert!(subtree(&tenant).usage().memory < before[1], "what it had is free again");
}

#[test]
fn a_flood_waits_at_a_budget_of_memory_and_goes_on_when_others_free_some() {
    let node = node(2);
    let environment = node.environment(1);
    let tenant = spawn(&environment, None, &of_subtree(Budgeted::Memory, 1 << 20), |_| pending());
    // It waits for something else, so that nothing is ever taken out.
    let deaf = spawn(&environment, Some(&tenant), &Budgets::default(), |me| async move {
        me.receive(Filter::Reply(GO), None).await;
        ExitReason::Normal
    });
    let to = deaf.pid();
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let other = account(&tenant);
    other.charge_memory(500_000).expect("there is so much");
    let flood = spawn(&environment, None, &Budgets::default(), |me| async move {
        loop {
            let mut one = message(READY, 0);
            one.data = vec![0; 10_000];
            me.send(to, one).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let room = |bytes: u64| bytes / (10_000 + MESSAGE_OVERHEAD_BYTES as u64);
    let full = |bytes: u64| (subtree(&tenant).usage().memory + bytes) >= (1 << 20);
    eventually("the flood to stop", || full(20_000));
    assert!(sent.load(Ordering::Relaxed) <= room((1 << 20) - 500_000));
    let before = sent.load(Ordering::Relaxed);
    other.release_memory(500_000);
    eventually("the flood to go on", || sent.load(Ordering::Relaxed) > before + 30);
    assert!(subtree(&tenant).usage().memory <= 1 << 20);
    flood.kill();
    assert_eq!(common::block_on(flood.join()), ExitReason::Killed);
    // What it waits for gets in all the same.
    let teller = spawn(&environment, None, &Budgets::default(), |me| async move {
        me.send(to, message(GO, 0)).await;
        ExitReason::Normal
    });
    assert_eq!(common::block_on(teller.join()), ExitReason::Normal);
    assert_eq!(common::block_on(deaf.join()), ExitReason::Normal);
}

#[test]
fn messages_of_timers_count_for_whoever_set_them_until_they_fire_or_are_cancelled() {
    run(2, |root| async move {
        let budgets = of_process(Budgeted::Memory, 1 << 20);
        let bomb = spawn(root.environment(), Some(&root), &budgets, |me| async move {
            let before = account(&me).usage().memory;
            let later = || {
                let data = vec![0; 100_000];
                let message = lunatic_model::Message { tag: Tag(5), data, ..Default::default() };
                me.send_after(me.pid(), message, Duration::from_secs(100_000))
            };
            let id = later().await.expect("one has room");
            assert!(account(&me).usage().memory >= before + 100_000);
            assert!(me.cancel_timer(id).is_some());
            assert_eq!(account(&me).usage().memory, before);
            loop {
                if let Err(reason) = later().await {
                    return reason;
                }
            }
        });
        assert_eq!(bomb.join().await, ExitReason::Limit("total_memory_max"));
    });
}

#[test]
fn a_total_of_processor_time_ends_a_process_and_one_of_a_subtree_each_that_runs() {
    run(2, |root| async move {
        let steps = Arc::new(AtomicU64::new(0));
        let budgets = of_process(Budgeted::CpuTime, 2);
        let hog = spawn(root.environment(), Some(&root), &budgets, |_| busy(steps.clone()));
        assert_eq!(hog.join().await, ExitReason::Limit("cpu_time_max"));

        let budgets = of_subtree(Budgeted::CpuTime, 2);
        let tenant = spawn(root.environment(), Some(&root), &budgets, |_| busy(steps.clone()));
        let child = spawn(root.environment(), Some(&tenant), &Budgets::default(), |_| busy(steps));
        for process in [tenant, child] {
            assert_eq!(process.join().await, ExitReason::Limit("tree_cpu_time_max"));
        }
    });
}

#[test]
fn work_that_is_done_elsewhere_counts_too() {
    run(2, |root| async move {
        let budgets = of_process(Budgeted::CpuTime, 1000);
        let waits = spawn(root.environment(), Some(&root), &budgets, |_| pending());
        waits.charge_cpu(999_000_000);
        assert_eq!(account(&waits).usage().cpu_nanoseconds / 1_000_000, 999);
        waits.charge_cpu(2_000_000);
        assert_eq!(waits.join().await, ExitReason::Limit("cpu_time_max"));
    });
}

#[test]
fn a_process_beyond_its_rate_is_held_and_goes_on_by_itself() {
    run(1, |root| async move {
        let steps = Arc::new(AtomicU64::new(0));
        let budgets = of_process(Budgeted::CpuRate, 100);
        let hog = spawn(root.environment(), Some(&root), &budgets, |_| busy(steps.clone()));
        for times in 1..4 {
            while account(&hog).usage().held < times {
                yield_now().await;
            }
        }
        hog.kill();
        assert_eq!(hog.join().await, ExitReason::Killed);
    });
}

#[test]
fn a_process_that_is_held_for_ever_does_not_run_and_is_killed_at_once() {
    run(2, |root| async move {
        let steps = Arc::new(AtomicU64::new(0));
        // A rate of nothing: what is in debt stays so.
        let budgets = of_subtree(Budgeted::CpuRate, 0);
        let hog = spawn(root.environment(), Some(&root), &budgets, |_| busy(steps.clone()));
        let child = spawn(root.environment(), Some(&hog), &Budgets::default(), |_| busy(steps));
        while !hog.is_held() || !child.is_held() {
            yield_now().await;
        }
        root.send(hog.pid(), message(READY, 0)).await;
        for process in [hog, child] {
            let before = process.turns();
            for _ in 0..100 {
                yield_now().await;
            }
            assert!(process.is_held() && process.turns() <= before + 1);
            process.kill();
            assert_eq!(process.join().await, ExitReason::Killed);
        }
    });
}

#[test]
fn a_lifetime_ends_a_process_that_waits_and_one_of_a_subtree_all_in_it() {
    run(2, |root| async move {
        let budgets = of_process(Budgeted::Lifetime, 1);
        let waits = spawn(root.environment(), Some(&root), &budgets, |_| pending());
        assert_eq!(waits.join().await, ExitReason::Limit("lifetime_max"));
        let budgets = of_subtree(Budgeted::Lifetime, 1);
        let tenant = spawn(root.environment(), Some(&root), &budgets, |_| pending());
        let child = spawn(root.environment(), Some(&tenant), &Budgets::default(), |_| pending());
        for process in [tenant, child] {
            assert_eq!(process.join().await, ExitReason::Limit("tree_lifetime_max"));
        }
        // What ends before leaves no deadline behind.
        let budgets = of_process(Budgeted::Lifetime, Budget::UNBOUNDED - 1);
        let done =
            spawn(root.environment(), Some(&root), &budgets, |_| async { ExitReason::Normal });
        assert_eq!(done.join().await, ExitReason::Normal);
    });
}

#[test]
fn who_sends_or_receives_faster_than_its_budget_waits_and_nothing_is_lost_or_reordered() {
    for kind in [Budgeted::MessagesOut, Budgeted::MessagesIn] {
        run(2, |root| async move {
            const COUNT: u64 = 150;
            let budgets = of_subtree(kind, 100);
            let tenant = spawn(root.environment(), Some(&root), &budgets, |me| async move {
                me.receive(Filter::Reply(GO), None).await;
                for expected in 0..COUNT {
                    assert_eq!(read(&next(&me).await).1, expected);
                }
                ExitReason::Normal
            });
            let to = tenant.pid();
            let sender =
                spawn(root.environment(), Some(&tenant), &Budgets::default(), |me| async move {
                    for number in 0..COUNT {
                        me.send(to, message(READY, number)).await;
                    }
                    ExitReason::Normal
                });
            let used = || match kind {
                Budgeted::MessagesOut => subtree(&tenant).usage().sent,
                _ => subtree(&tenant).usage().received,
            };
            while used() < 100 {
                yield_now().await;
            }
            root.send(to, message(GO, 0)).await;
            assert_eq!(sender.join().await, ExitReason::Normal);
            assert_eq!(tenant.join().await, ExitReason::Normal);
            assert!(used() >= COUNT);
        });
    }
}

#[test]
fn who_may_send_nothing_waits_until_its_timeout_and_can_be_killed() {
    run(2, |root| async move {
        let to = root.pid();
        let budgets = of_process(Budgeted::MessagesOut, 0);
        let impatient = spawn(root.environment(), Some(&root), &budgets, |me| async move {
            let sent = me
                .send_until(Destination::Process(to), message(READY, 7), Some(Duration::ZERO))
                .await;
            assert!(sent.is_err_and(|message| message.data == 7_u64.to_le_bytes()));
            ExitReason::Normal
        });
        assert_eq!(impatient.join().await, ExitReason::Normal);
        let patient = spawn(root.environment(), Some(&root), &budgets, |me| async move {
            me.send(to, message(READY, 0)).await;
            ExitReason::Normal
        });
        for _ in 0..100 {
            yield_now().await;
        }
        patient.kill();
        assert_eq!(patient.join().await, ExitReason::Killed);
        assert_eq!(account(&patient).usage().sent, 0);
        assert!(drain(&root).await.is_empty());
    });
}

#[test]
fn bytes_on_the_network_count_in_the_whole_chain_until_none_are_left() {
    let node = node(1);
    let environment = node.environment(1);
    let tenant = spawn(&environment, None, &of_subtree(Budgeted::Network, 100), |_| pending());
    let child = spawn(&environment, Some(&tenant), &Budgets::default(), |_| pending());
    for _ in 0..2 {
        account(&child).may_use_network().expect("something is left");
        account(&child).count_network(60);
    }
    for process in [&tenant, &child] {
        let over = account(process).may_use_network().expect_err("nothing is left");
        assert_eq!((over.limit, over.ends), ("tree_network_bytes_max", false));
    }
    assert_eq!(subtree(&tenant).usage().network, 120);
}

#[test]
fn what_is_open_counts_for_who_opened_it_and_above_also_after_its_end() {
    run(1, |root| async move {
        let environment = root.environment().clone();
        let tenant =
            spawn(&environment, Some(&root), &of_subtree(Budgeted::Descriptors, 2), |_| pending());
        let child =
            spawn(&environment, Some(&tenant), &of_process(Budgeted::Descriptors, 1), |_| {
                pending()
            });
        let one = OpenDescriptor::new(child.account()).expect("there is room");
        let over = OpenDescriptor::new(child.account()).err().expect("it has one");
        assert_eq!((over.limit, over.ends), ("descriptors_max", false));
        let _two = OpenDescriptor::new(tenant.account()).expect("there is room");
        let over = OpenDescriptor::new(tenant.account()).err().expect("there are two");
        assert_eq!((over.limit, over.ends), ("tree_descriptors_max", false));
        let used = |account: &Arc<Account>| account.usage().descriptors;
        // What was refused above is counted nowhere.
        assert_eq!((used(account(&child)), used(account(&tenant))), (1, 1));
        child.kill();
        child.join().await;
        assert_eq!(used(subtree(&tenant)), 2);
        drop(one);
        assert_eq!(used(subtree(&tenant)), 1);
    });
}
