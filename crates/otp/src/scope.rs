//! Which programs make sense: each step names only what its process knows.
//!
//! A process knows itself; those that were there before it was spawned, and their aliases, as far
//! as its parent knew them; and what it has made itself. So every runner can hand the knowledge
//! down, and nobody looks for what is not there yet.

use std::collections::BTreeSet;

use crate::program::{
    Alias, PROCESSES_MAX, Pattern, Port, Program, STEPS_MAX, Socket, Step, Timer, To, Watch, Who,
};

/// What a process knows and has made so far.
#[derive(Clone, Default)]
struct Known {
    processes: BTreeSet<Who>,
    aliases: BTreeSet<Alias>,
    own_aliases: BTreeSet<Alias>,
    watches: BTreeSet<Watch>,
    timers: BTreeSet<Timer>,
}

impl Program {
    /// Whether the program makes sense; if not, the text says why. Every program that is run does.
    pub fn check(&self) -> Result<(), String> {
        if self.scripts.len() > PROCESSES_MAX {
            return Err(format!("there are more than {PROCESSES_MAX} processes"));
        }
        let roots = self.roots();
        let mut known: Vec<Option<Known>> = vec![None; self.scripts.len()];
        let mut queue: Vec<Who> = roots.iter().copied().collect();
        for root in &roots {
            let all = Known { processes: roots.clone(), ..Known::default() };
            known[usize::from(root.0)] = Some(all);
        }
        while let Some(who) = queue.pop() {
            let Some(mut knows) = known[usize::from(who.0)].clone() else { continue };
            if self.steps(who).len() > STEPS_MAX {
                return Err(format!("{} has more than {STEPS_MAX} steps", self.who(who)));
            }
            for step in self.steps(who) {
                knows.check(step).map_err(|text| format!("{}: {text}", self.who(who)))?;
                if let Step::Spawn { child, .. } = step {
                    let Some(Known { processes, aliases, .. }) = knows.child(*child) else {
                        return Err(format!("{} is spawned twice", self.who(*child)));
                    };
                    if known[usize::from(child.0)].is_some() {
                        return Err(format!("{} is spawned twice", self.who(*child)));
                    }
                    let child_knows = Known { processes, aliases, ..Known::default() };
                    known[usize::from(child.0)] = Some(child_knows);
                    queue.push(*child);
                }
            }
        }
        match known.iter().position(Option::is_none) {
            Some(index) => Err(format!("{} is spawned by its own child", self.processes[index])),
            None => self.made_once(),
        }
    }

    fn made_once(&self) -> Result<(), String> {
        let mut watches = BTreeSet::new();
        let mut timers = BTreeSet::new();
        let mut aliases = BTreeSet::new();
        for step in self.scripts.iter().flat_map(|script| &script.steps) {
            let new = match step {
                Step::Spawn { monitor: Some(watch), .. } => watches.insert(*watch),
                Step::Monitor { watch, alias, .. } => {
                    watches.insert(*watch) && alias.is_none_or(|(alias, _)| aliases.insert(alias))
                }
                Step::Alias { alias, .. } => aliases.insert(*alias),
                Step::Timer { timer, .. } => timers.insert(*timer),
                _ => true,
            };
            if !new {
                return Err("a monitor, timer or alias is made twice".into());
            }
        }
        Ok(())
    }

    /// Who makes an alias, and the monitor that it is made with, if any.
    pub fn origin(&self, alias: Alias) -> Option<(Who, Option<Watch>)> {
        self.everybody().find_map(|who| {
            self.steps(who).iter().find_map(|step| match step {
                Step::Alias { alias: made, .. } if *made == alias => Some((who, None)),
                Step::Monitor { watch, alias: Some((made, _)), .. } if *made == alias => {
                    Some((who, Some(*watch)))
                }
                _ => None,
            })
        })
    }
}

impl Program {
    /// Who listens at a socket.
    pub fn listener(&self, port: Port) -> Option<Who> {
        let listens = Step::Socket(Socket::Listen(port));
        self.everybody().find(|who| self.steps(*who).contains(&listens))
    }
}

impl Known {
    /// What a child knows from its parent; none if the child was known already.
    fn child(&mut self, child: Who) -> Option<Known> {
        self.processes.insert(child).then(|| self.clone())
    }

    fn process(&self, who: Who) -> Result<(), String> {
        match self.processes.contains(&who) {
            true => Ok(()),
            false => Err("names a process that it cannot know yet".into()),
        }
    }

    fn watch(&self, watch: Watch) -> Result<(), String> {
        match self.watches.contains(&watch) {
            true => Ok(()),
            false => Err("uses a monitor that it has not made".into()),
        }
    }

    fn timer(&self, timer: Timer) -> Result<(), String> {
        match self.timers.contains(&timer) {
            true => Ok(()),
            false => Err("uses a timer that it has not set".into()),
        }
    }

    /// Where messages may go.
    fn to(&self, to: To) -> Result<(), String> {
        match to {
            To::Process(who) => self.process(who),
            To::Name(_) => Ok(()),
            To::Alias(alias) if self.aliases.contains(&alias) => Ok(()),
            To::Alias(_) => Err("sends to an alias that it cannot know yet".into()),
        }
    }

    /// Checks a step, and learns what it makes.
    fn check(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Spawn { monitor, .. } => self.watches.extend(monitor),
            Step::Monitor { to: To::Alias(_), .. } | Step::Timer { to: To::Alias(_), .. } => {
                return Err("only messages go to aliases".into());
            }
            Step::Monitor { to, watch, alias } => {
                self.to(*to)?;
                self.watches.insert(*watch);
                if let Some((alias, _)) = alias {
                    self.make(*alias);
                }
            }
            Step::Demonitor { watch, .. } => self.watch(*watch)?,
            Step::Timer { timer, to, .. } => {
                self.to(*to)?;
                self.timers.insert(*timer);
            }
            Step::Cancel(timer) | Step::Left(timer) => self.timer(*timer)?,
            Step::Alias { alias, .. } => self.make(*alias),
            Step::Unalias(alias) if !self.own_aliases.contains(alias) => {
                return Err("ends an alias that it has not made".into());
            }
            Step::Send { to, .. } => self.to(*to)?,
            Step::Link(who)
            | Step::Unlink(who)
            | Step::Exit { to: who, .. }
            | Step::Register { to: who, .. }
            | Step::Suspend(who)
            | Step::Resume(who)
            | Step::Info { of: who, .. }
            | Step::Listed(who)
            | Step::Alive(who) => self.process(*who)?,
            Step::Receive { patterns, .. } => {
                for pattern in patterns {
                    match pattern {
                        Pattern::From(who) | Pattern::FromTag(who, _) | Pattern::ExitOf(who) => {
                            self.process(*who)?;
                        }
                        Pattern::DownOf(watch) => self.watch(*watch)?,
                        Pattern::Any | Pattern::Tag(_) | Pattern::Exit | Pattern::Down => {}
                    }
                }
            }
            Step::Raise(_)
            | Step::Crash
            | Step::Trap(_)
            | Step::Unregister(_)
            | Step::Whereis(_)
            | Step::Unalias(_)
            | Step::Priority(_)
            | Step::QueueData(_)
            | Step::Hibernate
            | Step::Socket(_)
            | Step::Limit
            | Step::Grow
            | Step::Spin
            | Step::Nap => {}
        }
        Ok(())
    }

    fn make(&mut self, alias: Alias) {
        self.aliases.insert(alias);
        self.own_aliases.insert(alias);
    }
}
