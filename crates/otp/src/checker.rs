//! The checker: is this trace one that the process model allows?
//!
//! It looks for an order of arrivals and steps in which every process does what it was seen to do,
//! as many steps as were seen, and in which the processes end, or wait, as they were last seen. A
//! process that was ended from outside may have done one step more than anybody saw.
//!
//! The search is complete: it goes back wherever it had a choice. It is fast since it does at once
//! what commutes with all else, tries arrivals early and steps in the order in which they were
//! seen, drops a world in which some process cannot receive any more what it was seen to receive,
//! and never enters a world twice. Worlds are not copied but played again from the beginning. What
//! must stay true: equal fingerprints mean equal worlds, and a verdict of [`Verdict::Refused`] is
//! given only after every other order was tried.

use std::collections::HashSet;

use crate::causes::Causes;
use crate::generator::Random;
use crate::mutation::Mutation;
use crate::program::{End, Item, Outcome, Pattern, Program, Query, Step, Trace, Wait, Who};
use crate::steps::Did;
use crate::world::{Arrival, World};

/// Worlds that an attempt enters before another order of moves is tried: where a wrong choice is
/// found out late, luck is faster than patience.
const WORLDS_AT_FIRST: usize = 1_000;
/// Attempts with other orders.
const RESTARTS: u64 = 30;
/// How far such an order moves something away from where the trace has it.
const JITTER: usize = 12;
/// Worlds that the last attempt enters before it gives up.
const WORLDS_MAX: usize = 100_000;

/// What the checker says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The model allows the trace.
    Allowed,
    /// No order of events explains the trace. The text says how far the best one came.
    Refused(String),
    /// The search was given up. That counts as a failure.
    Undecided,
}

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Move {
    Arrive(Arrival),
    Step(Who),
    /// A step that nobody saw, of a process that was ended from outside.
    Unseen(Who),
}

/// What came of a move.
enum Made {
    /// It cannot be made, and nothing has changed.
    Nothing,
    /// It contradicts the trace.
    Nonsense,
    /// It may have been so.
    Sense,
}

/// Whether the model, with a broken rule if one is given, allows the trace.
pub fn check(program: &Program, trace: &Trace, mutation: Option<Mutation>) -> Verdict {
    let mut search = Search::new(program, trace, mutation);
    if let Err(text) = search.complete_trace() {
        return Verdict::Refused(text);
    }
    for attempt in 0..=RESTARTS {
        let budget = if attempt < RESTARTS { WORLDS_AT_FIRST } else { WORLDS_MAX };
        match search.attempt(attempt, budget) {
            Found::Way => return Verdict::Allowed,
            Found::None => return Verdict::Refused(search.report()),
            Found::Unknown => {}
        }
    }
    Verdict::Undecided
}

/// What became of a search from one world on.
#[derive(PartialEq, Eq)]
enum Found {
    /// The trace is explained.
    Way,
    /// Nothing explains it from here.
    None,
    /// The search was given up before it knew.
    Unknown,
}

struct Search<'a> {
    program: &'a Program,
    trace: &'a Trace,
    mutation: Option<Mutation>,
    seen: Vec<Vec<Outcome>>,
    /// Where in the trace these outcomes are.
    places: Vec<Vec<usize>>,
    /// Worlds from which nothing explains the trace.
    dead: HashSet<u128>,
    /// How many worlds this attempt may still enter.
    budget: usize,
    /// Decides the order of moves, in all attempts but the first.
    random: Option<Random>,
    /// The world that explained most, as a list of lines.
    best: (usize, String),
}

impl<'a> Search<'a> {
    fn new(program: &'a Program, trace: &'a Trace, mutation: Option<Mutation>) -> Search<'a> {
        let seen = program.everybody().map(|who| trace.of(who).collect()).collect();
        let places = |who| {
            let events = trace.events.iter().enumerate();
            events.filter(|(_, (by, _))| *by == who).map(|(place, _)| place).collect()
        };
        let places = program.everybody().map(places).collect();
        let best = (0, "nothing at all".into());
        Search {
            program,
            trace,
            mutation,
            seen,
            places,
            dead: HashSet::new(),
            budget: 0,
            random: None,
            best,
        }
    }

    /// A trace that does not even fit the program is the fault of who wrote it down.
    fn complete_trace(&self) -> Result<(), String> {
        if self.trace.ends.len() != self.program.scripts.len() {
            return Err("the trace is of another program".into());
        }
        for who in self.program.everybody() {
            let (seen, steps) = (self.seen(who).len(), self.program.steps(who).len());
            if seen > steps || (seen == steps && self.end(who) == End::Stuck) {
                return Err(format!("{} did more steps than it has", self.program.who(who)));
            }
        }
        Ok(())
    }

    fn seen(&self, who: Who) -> &[Outcome] {
        &self.seen[usize::from(who.0)]
    }

    fn causes(&self) -> Causes<'_> {
        Causes { program: self.program, trace: self.trace, seen: &self.seen }
    }

    fn end(&self, who: Who) -> End {
        self.trace.ends[usize::from(who.0)]
    }

    /// Searches once. Dead worlds of earlier attempts are not entered again.
    fn attempt(&mut self, attempt: u64, budget: usize) -> Found {
        self.budget = budget;
        self.random = (attempt > 0 && attempt < RESTARTS).then(|| Random::new(attempt));
        let mut world = World::new(self.program, self.mutation);
        if !(self.settle(&mut world) && self.is_plausible(&world)) {
            return Found::None;
        }
        self.explore(world, &mut Vec::new())
    }

    /// Goes on from a world that `path` leads to.
    fn explore(&mut self, world: World<'a>, path: &mut Vec<Move>) -> Found {
        let fingerprint = world.fingerprint();
        if self.dead.contains(&fingerprint) {
            return Found::None;
        }
        if self.budget == 0 {
            return Found::Unknown;
        }
        self.budget -= 1;
        self.remember(&world);
        if self.is_explained(&world) {
            return Found::Way;
        }
        let moves = self.moves(&world);
        let mut here = Some(world);
        for next in moves {
            let mut world = here.take().unwrap_or_else(|| self.play(path));
            match self.make(&mut world, next) {
                Made::Nothing => {
                    here = Some(world);
                    continue;
                }
                Made::Nonsense => continue,
                Made::Sense => {}
            }
            if self.settle(&mut world) && self.is_plausible(&world) {
                path.push(next);
                let found = self.explore(world, path);
                path.pop();
                if found != Found::None {
                    return found;
                }
            }
        }
        self.dead.insert(fingerprint);
        Found::None
    }

    /// The world that a path leads to.
    fn play(&self, path: &[Move]) -> World<'a> {
        let mut world = World::new(self.program, self.mutation);
        self.settle(&mut world);
        for next in path {
            self.make(&mut world, *next);
            self.settle(&mut world);
        }
        world
    }

    /// What may happen next, the likeliest first.
    fn moves(&mut self, world: &World) -> Vec<Move> {
        let arrivals = world.arrivals().into_iter();
        let mut moves: Vec<(usize, Move)> =
            arrivals.map(|arrival| (arrival.sent, Move::Arrive(arrival))).collect();
        for who in self.program.everybody().filter(|who| world.lives(*who)) {
            let (at, place) = (world.slot(who).at, self.place(world, who));
            let ended = || matches!(self.end(who), End::Ended(_) | End::Gone);
            if at < self.seen(who).len() || self.ends_itself(world, who) {
                moves.push((place, Move::Step(who)));
            } else if at == self.seen(who).len() && ended() && world.next_step(who).is_some() {
                moves.push((self.trace.events.len(), Move::Unseen(who)));
            }
        }
        if let Some(random) = &mut self.random {
            for (when, _) in &mut moves {
                *when += random.below(JITTER);
            }
        }
        moves.sort_by_key(|(when, _)| *when);
        moves.into_iter().map(|(_, next)| next).collect()
    }

    /// Where in the trace the next step of a process is; its end is right behind its last.
    fn place(&self, world: &World, who: Who) -> usize {
        let places = &self.places[usize::from(who.0)];
        let end = places.last().map_or(0, |last| last + 1);
        places.get(world.slot(who).at).copied().unwrap_or(end)
    }

    /// Whether the next step ends the process by what is written there.
    fn ends_itself(&self, world: &World, who: Who) -> bool {
        let end = || self.end(who) != End::Stuck;
        match world.next_step(who) {
            None | Some(Step::Raise(_) | Step::Crash | Step::Grow) => end(),
            Some(Step::Exit { to, .. }) => *to == who && end(),
            Some(_) => false,
        }
    }

    fn make(&self, world: &mut World, next: Move) -> Made {
        if let Move::Step(who) | Move::Unseen(who) = next {
            world.now = self.place(world, who);
        }
        match next {
            Move::Arrive(arrival) => {
                world.arrive(arrival);
                Made::Sense
            }
            Move::Unseen(who) => match world.step(who, None) {
                Did::Waits => Made::Nothing,
                Did::Ended | Did::Done(_) => Made::Sense,
            },
            Move::Step(who) => {
                let wanted = self.seen(who).get(world.slot(who).at);
                match (world.step(who, wanted), wanted) {
                    (Did::Waits, _) => Made::Nothing,
                    (Did::Done(outcome), Some(wanted)) if outcome == *wanted => Made::Sense,
                    (Did::Ended, None) => Made::Sense,
                    // An exit to itself that it survives is a step like others, and must be seen.
                    (Did::Done(_), _) | (Did::Ended, Some(_)) => Made::Nonsense,
                }
            }
        }
    }

    /// Does all steps that commute with everything else. False if that contradicts the trace.
    fn settle(&self, world: &mut World) -> bool {
        let mut changed = true;
        while changed {
            changed = false;
            for who in self.program.everybody() {
                while world.lives(who)
                    && world.next_is_free(who)
                    && let Some(wanted) = self.seen(who).get(world.slot(who).at)
                {
                    world.now = self.place(world, who);
                    if world.step(who, Some(wanted)) != Did::Done(*wanted) {
                        return false;
                    }
                    changed = true;
                }
            }
        }
        true
    }

    /// Whether every process can still do what it was seen to do.
    fn is_plausible(&self, world: &World) -> bool {
        let each = self.program.everybody().all(|who| {
            let slot = world.slot(who);
            let seen = self.seen(who);
            match (slot.end, self.end(who)) {
                (Some(_), End::Stuck | End::Unborn) => false,
                (Some(reason), End::Ended(wanted)) => reason == wanted && slot.at >= seen.len(),
                (Some(_), End::Gone) => slot.at >= seen.len(),
                (None, End::Unborn) => !slot.started,
                (None, _) if !slot.started => self.may_be_born(world, who),
                (None, end) => {
                    self.can_receive(world, who, end)
                        // What can cause what is known of the unbroken rules only.
                        && (self.mutation.is_some() || self.causes().may_come(world, who))
                }
            }
        });
        each && (self.mutation.is_some() || self.causes().ends_may_come(world))
    }

    /// Whether the process that spawns this one has not ended yet.
    fn may_be_born(&self, world: &World, who: Who) -> bool {
        let spawns = |step: &Step| matches!(step, Step::Spawn { child, .. } if *child == who);
        let mut parents = self.program.everybody().filter(|by| world.slot(*by).end.is_none());
        parents.any(|by| self.program.steps(by).iter().any(spawns))
    }

    /// Plays the receives that are to come with what has arrived: what lies in the mailbox stays
    /// there until one takes it.
    fn can_receive(&self, world: &World, who: Who, end: End) -> bool {
        let slot = world.slot(who);
        let steps = self.program.steps(who);
        let mut mailbox: Vec<Item> = slot.mailbox.clone();
        let first = |patterns: &[Pattern], mailbox: &mut Vec<Item>| {
            let takes = |item: &Item| patterns.iter().any(|pattern| pattern.takes(item));
            let position = match self.mutation {
                Some(Mutation::TakesLatest) => None,
                Some(_) | None => mailbox.iter().position(takes),
            };
            position.map(|position| mailbox.remove(position))
        };
        for (at, outcome) in self.seen(who).iter().enumerate().skip(slot.at) {
            match &steps[at] {
                Step::Receive { patterns, .. } => match (first(patterns, &mut mailbox), outcome) {
                    (None, _) => {}
                    (Some(found), Outcome::Got(wanted)) if found == *wanted => {}
                    (Some(_), _) => return false,
                },
                Step::Demonitor { watch, flush: true } => mailbox.retain(
                    |item| !matches!(item, Item::Down { watch: other, .. } if other == watch),
                ),
                // What lies there stays until then, and more may come.
                Step::Info { of, query: Query::Messages } if *of == who => {
                    let length = mailbox.len();
                    if matches!(outcome, Outcome::Count(count) if length > usize::from(*count)) {
                        return false;
                    }
                }
                _ => {}
            }
        }
        match steps.get(self.seen(who).len()) {
            Some(Step::Hibernate) if end == End::Stuck => mailbox.is_empty(),
            Some(Step::Receive { patterns, .. }) if end == End::Stuck => {
                first(patterns, &mut mailbox).is_none()
            }
            Some(_) | None => true,
        }
    }

    /// Whether the world has come to the end of the trace.
    fn is_explained(&self, world: &World) -> bool {
        world.is_still()
            && self.program.everybody().all(|who| {
                let slot = world.slot(who);
                match self.end(who) {
                    End::Unborn => !slot.started,
                    End::Ended(_) | End::Gone => slot.end.is_some(),
                    End::Stuck => {
                        let waits = matches!(
                            world.next_step(who),
                            Some(
                                Step::Receive { wait: Wait::Far | Wait::Infinite, .. }
                                    | Step::Hibernate
                            )
                        );
                        world.lives(who) && slot.at == self.seen(who).len() && waits
                    }
                }
            })
    }

    /// Keeps the world that explains most.
    fn remember(&mut self, world: &World) {
        let explained = self.program.everybody().map(|who| {
            let slot = world.slot(who);
            slot.at.min(self.seen(who).len()) + usize::from(slot.end.is_some())
        });
        let explained: usize = explained.sum::<usize>() + 1;
        if explained <= self.best.0 {
            return;
        }
        let mut text = String::new();
        for who in self.program.everybody() {
            text.push_str(&self.describe(world, who));
        }
        self.best = (explained, text);
    }

    fn describe(&self, world: &World, who: Who) -> String {
        let slot = world.slot(who);
        let word = self.program.who(who);
        if !slot.started {
            return format!("{word}: not spawned\n");
        }
        if let Some(reason) = slot.end {
            return format!("{word}: ended {reason}\n");
        }
        let step = world.next_step(who).map_or("the end".into(), |step| self.program.step(step));
        let seen = match self.seen(who).get(slot.at) {
            Some(outcome) => format!("seen: {}", self.program.outcome(outcome)),
            None => format!("last seen: {:?}", self.end(who)),
        };
        let mailbox: Vec<_> = slot.mailbox.iter().map(|item| self.program.item(item)).collect();
        let mailbox = mailbox.join(", ");
        format!("{word}: at step {} `{step}`, {seen}; mailbox: [{mailbox}]\n", slot.at + 1)
    }

    fn report(&self) -> String {
        let tried = self.dead.len();
        format!(
            "no order explains the trace ({tried} worlds tried); the best came to\n{}",
            self.best.1
        )
    }
}
