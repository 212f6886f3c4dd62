//! Rights and limits only ever narrow: no descendant can do more than any of its ancestors.

mod support;

use lunatic_model::{Limits, Rights};
use proptest::collection::vec;
use proptest::prelude::*;
use support::cases;

const FIELDS: usize = 18;

/// Every limit as a number. It takes the struct apart by name: a new limit has to come here, too.
fn fields(limits: &Limits) -> [u64; FIELDS] {
    let Limits {
        memory_bytes_max,
        fuel_max,
        table_elements_max,
        mailbox_messages_max,
        mailbox_bytes_max,
        message_bytes_max,
        message_resources_max,
        links_max,
        monitors_max,
        timers_max,
        names_max,
        errors_max,
        resources_max,
        sqlite_bytes_max,
        catch_depth_max,
        lookups_max,
        aliases_max,
        exit_reason_bytes_max,
    } = *limits;
    [
        memory_bytes_max,
        fuel_max,
        table_elements_max,
        mailbox_messages_max as u64,
        mailbox_bytes_max as u64,
        message_bytes_max as u64,
        message_resources_max as u64,
        links_max as u64,
        monitors_max as u64,
        timers_max as u64,
        names_max as u64,
        errors_max as u64,
        resources_max as u64,
        sqlite_bytes_max as u64,
        u64::from(catch_depth_max),
        lookups_max as u64,
        aliases_max as u64,
        exit_reason_bytes_max as u64,
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    // Small numbers meet each other often; the ends of the range must not overflow anything.
    let number = prop_oneof![4 => 0u32..8, 1 => Just(u32::MAX), 1 => any::<u32>()];
    vec(number, FIELDS).prop_map(|n| Limits {
        memory_bytes_max: n[0].into(),
        fuel_max: n[1].into(),
        table_elements_max: n[2].into(),
        mailbox_messages_max: n[3] as usize,
        mailbox_bytes_max: n[4] as usize,
        message_bytes_max: n[5] as usize,
        message_resources_max: n[6] as usize,
        links_max: n[7] as usize,
        monitors_max: n[8] as usize,
        timers_max: n[9] as usize,
        names_max: n[10] as usize,
        errors_max: n[11] as usize,
        resources_max: n[12] as usize,
        sqlite_bytes_max: n[13] as usize,
        catch_depth_max: n[14],
        lookups_max: n[15] as usize,
        aliases_max: n[16] as usize,
        exit_reason_bytes_max: n[17] as usize,
    })
}

const EACH: [Rights; 3] = [Rights::SPAWN, Rights::COMPILE_MODULES, Rights::CREATE_CONFIGS];

fn set(chosen: [bool; 3]) -> Rights {
    let granted = EACH.into_iter().zip(chosen);
    granted.fold(Rights::NONE, |set, (right, granted)| set.with(right, granted))
}

fn all_sets() -> impl Iterator<Item = Rights> {
    (0..8).map(|bits| set([bits & 1 != 0, bits & 2 != 0, bits & 4 != 0]))
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn no_descendant_is_wider_than_an_ancestor_or_than_its_wish(
        root in (any::<[bool; 3]>().prop_map(set), limits()),
        wishes in vec((any::<usize>(), any::<[bool; 3]>().prop_map(set), limits()), 0..40),
    ) {
        let mut tree = vec![(None, root.0, root.1)];
        for (parent, rights, limits) in wishes {
            let parent = parent % tree.len();
            let (_, own_rights, own_limits) = tree[parent];
            let child = (own_rights.narrowed(rights), own_limits.narrowed(&limits));
            prop_assert!(rights.contains(child.0));

            let (have, wish) = (fields(&own_limits), fields(&limits));
            for (field, given) in fields(&child.1).into_iter().enumerate() {
                prop_assert_eq!(given, have[field].min(wish[field]), "field {}", field);
            }
            tree.push((Some(parent), child.0, child.1));
        }
        for (parent, rights, limits) in &tree {
            let mut next = *parent;
            while let Some(ancestor) = next {
                let (above, wide_rights, wide_limits) = &tree[ancestor];
                prop_assert!(wide_rights.contains(*rights));
                let wide = fields(wide_limits);
                prop_assert!(fields(limits).into_iter().zip(wide).all(|(own, max)| own <= max));
                next = *above;
            }
        }
    }

    #[test]
    fn to_ask_for_the_same_or_more_gives_the_same(own in limits()) {
        prop_assert_eq!(own.narrowed(&own), own);
        let most = Limits {
            memory_bytes_max: u64::MAX,
            fuel_max: u64::MAX,
            table_elements_max: u64::MAX,
            mailbox_messages_max: usize::MAX,
            mailbox_bytes_max: usize::MAX,
            message_bytes_max: usize::MAX,
            message_resources_max: usize::MAX,
            links_max: usize::MAX,
            monitors_max: usize::MAX,
            timers_max: usize::MAX,
            names_max: usize::MAX,
            errors_max: usize::MAX,
            resources_max: usize::MAX,
            sqlite_bytes_max: usize::MAX,
            catch_depth_max: u32::MAX,
            lookups_max: usize::MAX,
            aliases_max: usize::MAX,
            exit_reason_bytes_max: usize::MAX,
        };
        prop_assert_eq!(own.narrowed(&most), own);
    }
}

#[test]
fn a_child_has_exactly_the_rights_that_its_parent_has_and_it_asked_for() {
    for parent in all_sets() {
        for wish in all_sets() {
            let child = parent.narrowed(wish);
            for right in EACH {
                let both = parent.contains(right) && wish.contains(right);
                assert_eq!(child.contains(right), both, "{parent:?}, {wish:?}, {right:?}");
            }
        }
    }
}

#[test]
fn one_right_is_granted_or_taken_without_touching_the_others() {
    for set in all_sets() {
        for right in EACH {
            for granted in [true, false] {
                let changed = set.with(right, granted);
                for other in EACH {
                    let expected = if other == right { granted } else { set.contains(other) };
                    assert_eq!(changed.contains(other), expected, "{set:?}, {right:?}");
                }
            }
        }
    }
}

#[test]
fn all_is_every_right_and_none_is_in_every_set() {
    let each = Rights::EACH.iter().map(|(right, _)| *right);
    assert_eq!(each.fold(Rights::NONE, |set, right| set | right), Rights::ALL);
    for set in all_sets() {
        assert!(Rights::ALL.contains(set) && set.contains(Rights::NONE));
        assert_eq!(set.contains(Rights::ALL), set == Rights::ALL);
    }
}
