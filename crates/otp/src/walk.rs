//! Random walks through a program's world: what a runtime that follows the model could do.
//!
//! A walk plays the part of a runner, for a model with all its rules or with a broken one. At its
//! end the laws are checked that hold whatever the order of events was.

use crate::generator::Random;
use crate::mutation::Mutation;
use crate::program::{End, Outcome, Program, Step, Trace, Who};
use crate::steps::Did;
use crate::words::pid;
use crate::world::World;

/// Plays a program in a random order, and gives its trace and its last world.
pub fn walk<'a>(program: &'a Program, seed: u64, mutation: Option<Mutation>) -> (Trace, World<'a>) {
    let mut random = Random::new(seed);
    let mut world = World::new(program, mutation);
    let mut events = Vec::new();
    // Some runs let steps go ahead of arrivals, others the reverse.
    let patience = 1 + random.below(8);
    loop {
        let arrivals = world.arrivals();
        let living: Vec<Who> = program.everybody().filter(|who| world.lives(*who)).collect();
        let arrive = !arrivals.is_empty() && random.one_in(patience);
        if arrive {
            world.arrive(arrivals[random.below(arrivals.len())]);
            continue;
        }
        let first = random.below(living.len().max(1));
        let turns = living.iter().cycle().skip(first).take(living.len());
        let stepped = turns.copied().any(|who| {
            let too_late = random.one_in(2).then_some(Outcome::Is(false));
            match world.step(who, too_late.as_ref()) {
                Did::Done(outcome) => {
                    events.push((who, outcome));
                    true
                }
                Did::Ended => true,
                Did::Waits => false,
            }
        });
        match (stepped, arrivals.is_empty()) {
            (true, _) => {}
            (false, false) => world.arrive(arrivals[random.below(arrivals.len())]),
            (false, true) => break,
        }
    }
    let end = |who| match world.slot(who) {
        slot if !slot.started => End::Unborn,
        slot => slot.end.map_or(End::Stuck, End::Ended),
    };
    let ends = program.everybody().map(end).collect();
    (Trace { events, ends }, world)
}

/// The laws that hold when nothing is on its way. An error tells which is broken.
pub fn check_laws(world: &World, trace: &Trace) -> Result<(), String> {
    let program = world.program;
    if !world.is_still() {
        return Err("something is still on its way".into());
    }
    for who in program.everybody() {
        let slot = world.slot(who);
        if slot.end.is_some() {
            if !world.names.names_of(pid(who)).is_empty() {
                return Err(format!("{} is dead and has a name", program.who(who)));
            }
            continue;
        }
        for peer in program.everybody().filter(|peer| *peer != who) {
            let links = |one: Who, other: Who| {
                world.lives(one) && world.slot(one).state.links().any(|link| link == pid(other))
            };
            if slot.started && links(who, peer) != links(peer, who) {
                let (who, peer) = (program.who(who), program.who(peer));
                return Err(format!("{who} and {peer} disagree about their link"));
            }
        }
        messages_kept(world, trace, who)?;
    }
    Ok(())
}

/// Every message to a process that lives was received or lies in its mailbox, in the order of its
/// sender.
fn messages_kept(world: &World, trace: &Trace, to: Who) -> Result<(), String> {
    use crate::program::{Item, To};
    let program = world.program;
    let received = trace.of(to).filter_map(|outcome| match outcome {
        Outcome::Got(item) => Some(item),
        _ => None,
    });
    let all: Vec<Item> = received.chain(world.slot(to).mailbox.iter().copied()).collect();
    for from in program.everybody() {
        let done = &program.steps(from)[..trace.of(from).count()];
        let sent = done.iter().filter_map(|step| match step {
            Step::Send { to: To::Process(receiver), tag } if *receiver == to => Some(*tag),
            _ => None,
        });
        let by_other_means = done.iter().any(|step| {
            matches!(step, Step::Send { to: To::Name(_) | To::Alias(_), .. } | Step::Timer { .. })
        });
        let mut sent: Vec<u8> = sent.collect();
        let mut got: Vec<u8> = all
            .iter()
            .filter_map(|item| match item {
                Item::Message { from: sender, tag } if *sender == from => Some(*tag),
                _ => None,
            })
            .collect();
        // A selective receive takes them in another order; what lies there keeps it.
        sent.sort_unstable();
        got.sort_unstable();
        if !by_other_means && sent != got {
            let (from, to) = (program.who(from), program.who(to));
            return Err(format!("{from} sent {sent:?} to {to}, who has had {got:?}"));
        }
    }
    Ok(())
}
