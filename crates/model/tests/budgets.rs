//! Budgets only ever narrow, and a bucket never gives more than its rate and its burst.

mod support;

use lunatic_model::{Bucket, Budget, Budgeted, Policy, Scope};
use proptest::collection::vec;
use proptest::prelude::*;
use support::cases;

fn budget() -> impl Strategy<Value = Budget> {
    let amount = prop_oneof![4 => 0u64..6, 1 => Just(Budget::UNBOUNDED), 1 => any::<u64>()];
    vec((amount, any::<bool>()), Budgeted::ALL.len()).prop_map(|chosen| {
        let mut budget = Budget::default();
        for (kind, (amount, ends)) in Budgeted::ALL.into_iter().zip(chosen) {
            let policy = if ends { Policy::End } else { kind.usual_policy() };
            if !budget.set(kind, amount, policy) {
                assert!(budget.set(kind, amount, kind.usual_policy()));
            }
        }
        budget
    })
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn no_descendant_has_more_than_an_ancestor_or_than_its_wish(
        root in budget(),
        wishes in vec((any::<usize>(), budget()), 0..40),
    ) {
        let mut tree = vec![(None, root)];
        for (parent, wish) in wishes {
            let parent = parent % tree.len();
            let child = tree[parent].1.narrowed(&wish);
            for kind in Budgeted::ALL {
                prop_assert!(child.amount(kind) <= wish.amount(kind));
            }
            tree.push((Some(parent), child));
        }
        for (parent, budget) in &tree {
            let mut next = *parent;
            while let Some(ancestor) = next {
                let (above, wide) = &tree[ancestor];
                for kind in Budgeted::ALL {
                    prop_assert!(budget.amount(kind) <= wide.amount(kind));
                    // Who reaches an ancestor's amount meets what the ancestor wanted there.
                    if budget.amount(kind) == wide.amount(kind) {
                        prop_assert_eq!(budget.policy(kind), wide.policy(kind));
                    }
                }
                next = *above;
            }
        }
    }

    #[test]
    fn a_bucket_gives_at_most_its_burst_its_rate_and_one_debt(
        rate in 0u64..5_000_000_000,
        burst in 1u64..10_000_000,
        steps in vec((0u64..10_000_000, 1u64..1_000_000), 1..200),
    ) {
        let mut bucket = Bucket::new(rate, burst, 0);
        let (mut now, mut taken, mut largest) = (0, 0, 0);
        for (wait, tokens) in steps {
            now += wait;
            if bucket.level(now) > 0 {
                bucket.take(now, tokens);
                taken += tokens;
                largest = largest.max(tokens);
            }
            let earned = u128::from(rate) * u128::from(now) / 1_000_000_000;
            prop_assert!(u128::from(taken) <= u128::from(burst) + earned + u128::from(largest));
        }
    }

    #[test]
    fn a_bucket_is_ready_when_it_says_so_and_not_before(
        rate in 1u64..5_000_000_000,
        debt in 1u64..1_000_000_000,
    ) {
        let mut bucket = Bucket::new(rate, 1, 0);
        bucket.take(0, debt);
        let ready = bucket.ready_at(0);
        prop_assert!(bucket.clone().level(ready) > 0);
        prop_assert!(ready == 0 || bucket.level(ready - 1) <= 0);
    }
}

#[test]
fn asking_often_loses_no_tokens() {
    let mut often = Bucket::new(3, 1_000, 0);
    often.take(0, 1_000);
    let mut rarely = often;
    for now in 0..2_000 {
        often.level(now * 1_000_000);
    }
    assert_eq!(often.level(2_000_000_000), 6);
    assert_eq!(rarely.level(2_000_000_000), 6);
}

#[test]
fn a_bucket_without_a_rate_stays_empty() {
    let mut bucket = Bucket::new(0, 5, 0);
    bucket.take(0, 5);
    assert_eq!(bucket.ready_at(7), u64::MAX);
    assert_eq!(bucket.level(u64::MAX), 0);
}

#[test]
fn time_that_is_used_up_can_only_end_and_every_limit_has_its_name() {
    let mut budget = Budget::default();
    for policy in [Policy::Error, Policy::Wait] {
        assert!(!budget.set(Budgeted::CpuTime, 1, policy));
        assert!(!budget.set(Budgeted::Lifetime, 1, policy));
    }
    assert!(!budget.set(Budgeted::CpuRate, 1, Policy::Error));
    assert!(!budget.set(Budgeted::Memory, 1, Policy::Wait));
    assert_eq!(budget, Budget::default());
    for scope in [Scope::Process, Scope::Subtree] {
        for kind in Budgeted::ALL {
            assert_eq!(Budgeted::from_limit(kind.limit(scope)), Some((scope, kind)));
        }
    }
    assert_eq!(Budgeted::from_limit("fuel_max"), None);
}
