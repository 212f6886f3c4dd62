//! Random programs. The same seed gives the same program.
//!
//! What must stay true: each program keeps the rules of [`Program::check`], ends or waits for ever
//! by itself, and mixes what decides over life and death with what tells of it.

use crate::program::{
    Alias, AliasMode, Name, Pattern, Program, Query, QueueData, Reason, Script, Step, Timer, To,
    Wait, Watch, Who,
};

/// Random numbers, the same for the same seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator.
    pub fn new(seed: u64) -> Random {
        // Spread, since seeds are small numbers; never 0, which the generator would not leave.
        Random((seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9) | 1)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() >> 33) as usize % end.max(1)
    }

    /// Whether a chance of one in `many` comes true.
    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Fewest and most processes of a program.
const PROCESSES: (usize, usize) = (2, 5);
/// Most steps of a process.
const STEPS: usize = 8;
/// Names that processes fight for.
const NAMES: u8 = 2;
/// Tags of messages.
const TAGS: usize = 2;

/// The program of a seed.
pub fn generate(seed: u64) -> Program {
    let mut random = Random::new(seed);
    let count = PROCESSES.0 + random.below(PROCESSES.1 - PROCESSES.0 + 1);
    let program = Program {
        scripts: vec![Script::default(); count],
        processes: (0..count).map(|index| format!("p{index}")).collect(),
        names: (0..NAMES).map(|index| format!("n{index}")).collect(),
        watches: Vec::new(),
        timers: Vec::new(),
        aliases: Vec::new(),
        ports: Vec::new(),
    };
    // The first is there from the beginning; each other one is, or is spawned by one before it.
    let parents: Vec<Option<usize>> = (0..count)
        .map(|index| (index > 0 && random.one_in(2)).then(|| random.below(index)))
        .collect();
    let mut maker = Maker { random, program, parents };
    maker.write_scripts();
    debug_assert_eq!(maker.program.check(), Ok(()), "seed {seed}");
    maker.program
}

struct Maker {
    random: Random,
    program: Program,
    parents: Vec<Option<usize>>,
}

/// What the process that is being written knows.
struct Known {
    me: Who,
    others: Vec<Who>,
    aliases: Vec<Alias>,
    own_aliases: Vec<Alias>,
    watches: Vec<Watch>,
    timers: Vec<Timer>,
}

impl Maker {
    fn write_scripts(&mut self) {
        let count = self.parents.len();
        let roots: Vec<Who> =
            (0..count).filter(|index| self.parents[*index].is_none()).map(who).collect();
        let mut known: Vec<(Vec<Who>, Vec<Alias>)> = vec![(roots, Vec::new()); count];
        for index in 0..count {
            let children: Vec<usize> =
                (0..count).filter(|child| self.parents[*child] == Some(index)).collect();
            let (others, aliases) = known[index].clone();
            let mut mine = Known {
                me: who(index),
                others,
                aliases,
                own_aliases: Vec::new(),
                watches: Vec::new(),
                timers: Vec::new(),
            };
            let steps = 1 + self.random.below(STEPS);
            let mut script = Vec::new();
            if self.random.one_in(3) {
                script.push(Step::Trap(true));
            }
            // Children come early, so that there is somebody to do something to.
            for child in children {
                while self.random.one_in(4) {
                    script.push(self.step(&mut mine));
                }
                let link = self.random.one_in(2);
                let monitor = self.random.one_in(3).then(|| self.watch(&mut mine));
                script.push(Step::Spawn { child: who(child), link, monitor });
                mine.others.push(who(child));
                known[child] = (mine.others.clone(), mine.aliases.clone());
            }
            while script.len() < steps {
                script.push(self.step(&mut mine));
            }
            self.program.scripts[index].steps = script;
        }
    }

    fn watch(&mut self, mine: &mut Known) -> Watch {
        let watch = Watch(self.program.watches.len() as u8);
        self.program.watches.push(format!("m{}", watch.0));
        mine.watches.push(watch);
        watch
    }

    fn other(&mut self, mine: &Known) -> Who {
        // Seldom itself: most rules for that are others'.
        let choices: Vec<Who> =
            mine.others.iter().copied().filter(|other| *other != mine.me).collect();
        if choices.is_empty() || self.random.one_in(12) {
            mine.me
        } else {
            self.random.pick(&choices)
        }
    }

    fn tag(&mut self) -> u8 {
        1 + self.random.below(TAGS) as u8
    }

    fn name(&mut self) -> Name {
        Name(self.random.below(usize::from(NAMES)) as u8)
    }

    fn reason(&mut self) -> Reason {
        self.random.pick(&[
            Reason::Normal,
            Reason::Kill,
            Reason::Kill,
            Reason::Killed,
            Reason::Shutdown,
            Reason::Custom(0),
            Reason::Custom(1),
        ])
    }

    fn step(&mut self, mine: &mut Known) -> Step {
        match self.random.below(116) {
            0..20 => Step::Send { to: To::Process(self.other(mine)), tag: self.tag() },
            20..46 => self.receive(mine),
            46..54 => Step::Link(self.other(mine)),
            54..59 => Step::Unlink(self.other(mine)),
            59..66 => self.monitor(mine),
            66..69 if !mine.watches.is_empty() => Step::Demonitor {
                watch: self.random.pick(&mine.watches),
                flush: self.random.one_in(2),
            },
            66..77 => Step::Exit { to: self.other(mine), reason: self.reason() },
            77..80 => Step::Raise(self.reason()),
            80 => Step::Crash,
            81..85 => Step::Trap(self.random.one_in(2)),
            85..88 => Step::Register { name: self.name(), to: mine.me },
            88 => Step::Unregister(self.name()),
            89..91 => Step::Whereis(self.name()),
            91..93 => Step::Send { to: To::Name(self.name()), tag: self.tag() },
            93..95 => self.timer(mine),
            95..97 if !mine.timers.is_empty() => {
                let timer = self.random.pick(&mine.timers);
                if self.random.one_in(3) { Step::Left(timer) } else { Step::Cancel(timer) }
            }
            97..100 => Step::Alive(self.other(mine)),
            100..102 => {
                let alias = self.alias(mine);
                Step::Alias { alias, reply: self.random.one_in(2) }
            }
            102..108 if !mine.aliases.is_empty() => {
                Step::Send { to: To::Alias(self.random.pick(&mine.aliases)), tag: self.tag() }
            }
            108 if !mine.own_aliases.is_empty() => {
                Step::Unalias(self.random.pick(&mine.own_aliases))
            }
            112..115 => Step::Hibernate,
            115 => Step::QueueData(self.random.pick(&[QueueData::OnHeap, QueueData::OffHeap])),
            _ => {
                // Not numbers of messages and links, which say little and are hard to explain.
                let queries = [Query::Watchers, Query::Traps];
                Step::Info { of: self.other(mine), query: self.random.pick(&queries) }
            }
        }
    }

    fn alias(&mut self, mine: &mut Known) -> Alias {
        let alias = Alias(self.program.aliases.len() as u8);
        self.program.aliases.push(format!("a{}", alias.0));
        mine.aliases.push(alias);
        mine.own_aliases.push(alias);
        alias
    }

    fn monitor(&mut self, mine: &mut Known) -> Step {
        let by_name = self.random.one_in(4);
        let to = if by_name { To::Name(self.name()) } else { To::Process(self.other(mine)) };
        let modes = [AliasMode::Explicit, AliasMode::Demonitor, AliasMode::Reply];
        let alias = self.random.one_in(4).then(|| (self.alias(mine), self.random.pick(&modes)));
        Step::Monitor { to, watch: self.watch(mine), alias }
    }

    fn timer(&mut self, mine: &mut Known) -> Step {
        let timer = Timer(self.program.timers.len() as u8);
        self.program.timers.push(format!("t{}", timer.0));
        mine.timers.push(timer);
        let wait = if self.random.one_in(3) { Wait::Far } else { Wait::Zero };
        Step::Timer { timer, to: To::Process(self.other(mine)), tag: self.tag(), wait }
    }

    fn receive(&mut self, mine: &mut Known) -> Step {
        let wait = self.random.pick(&[Wait::Zero, Wait::Infinite, Wait::Infinite, Wait::Far]);
        let count = 1 + usize::from(self.random.one_in(4));
        let patterns = (0..count).map(|_| self.pattern(mine)).collect();
        Step::Receive { patterns, wait }
    }

    fn pattern(&mut self, mine: &Known) -> Pattern {
        match self.random.below(12) {
            0..4 => Pattern::Any,
            4..6 => Pattern::Tag(self.tag()),
            6 => Pattern::From(self.other(mine)),
            7 => Pattern::FromTag(self.other(mine), self.tag()),
            8 => Pattern::Exit,
            9 => Pattern::ExitOf(self.other(mine)),
            10 if !mine.watches.is_empty() => Pattern::DownOf(self.random.pick(&mine.watches)),
            _ => Pattern::Down,
        }
    }
}

fn who(index: usize) -> Who {
    Who(index as u8)
}
