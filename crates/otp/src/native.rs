//! This runtime with native bodies: each process is a future that does the steps of its script with
//! the functions of `lunatic-node`.
//!
//! What must stay true: a step is one call of the node, and what it did is written down before the
//! process does anything else. It pauses at random in between, decided by the seed.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lunatic_model::{
    AliasMode as ModelMode, Envelope, ExitReason, Filter, Kinds, Limits, Message, MonitorOptions,
    Pattern as ModelPattern, Pid, Priority as ModelPriority, Ref, Tag, TrapExit,
};
use lunatic_node::{
    Bonds, Destination, Environment, Node, NodeOptions, Process, Recipient, StartError,
};

use crate::board::{Board, GO, PROBE, run_out};
use crate::codec::{name_text, priority_code};
use crate::generator::Random;
use crate::native_sockets::{Addresses, Sockets};
use crate::pause::give_way;
use crate::program::{
    Alias, AliasMode, Item, NOBODY, Outcome, Pattern, Priority, Program, Query, QueueData, Reason,
    Step, Timer, To, Trace, Wait, Watch, Who,
};
use crate::words::{exit_reason, reason_of};

/// What is near: nothing depends on how late it is.
const NAP: Duration = Duration::from_millis(3);
/// What is far.
const FAR: Duration = Duration::from_secs(3600);

/// A node on which programs are played.
pub struct Native {
    node: Node,
}

impl Native {
    /// Starts a node with this many threads.
    pub fn start(workers: usize) -> Result<Native, StartError> {
        let options = NodeOptions { workers: Some(workers), ..NodeOptions::default() };
        Ok(Native { node: Node::start(options)? })
    }

    /// Plays a program. The seed decides where its processes pause.
    pub fn play(&self, program: &Program, seed: u64) -> Trace {
        let environment = self.node.environment(1);
        let board = Board::new(program);
        let addresses = Addresses::default();
        let run = Arc::new(Run { program: program.clone(), board: board.clone(), seed, addresses });
        let roots: Vec<_> = program
            .roots()
            .into_iter()
            .filter_map(|root| Some((root, prepare(&environment, &run, root)?)))
            .collect();
        for (root, process) in roots {
            let (run, me) = (run.clone(), process.clone());
            let body = Box::pin(async move {
                me.receive(Filter::Reply(GO), None).await;
                begin(run, root, me.clone(), BTreeMap::new()).await
            });
            environment.start(process, body, None);
        }
        board.go(&environment);
        board.finish(&environment, || run_out(&self.node.environment(1)))
    }
}

/// What the processes of one run share.
struct Run {
    program: Program,
    board: Arc<Board>,
    seed: u64,
    addresses: Addresses,
}

/// Makes the identity of a process, and writes it down before anybody can meet it. None when the
/// run is over.
fn prepare(environment: &Arc<Environment>, run: &Run, who: Who) -> Option<Arc<Process>> {
    let process = environment.prepare("script", Arc::new(Limits::default())).ok()?;
    run.board.born(who, process.clone());
    Some(process)
}

async fn begin(
    run: Arc<Run>,
    who: Who,
    me: Arc<Process>,
    aliases: BTreeMap<Alias, Ref>,
) -> ExitReason {
    let random = Random::new(run.seed.wrapping_mul(31).wrapping_add(u64::from(who.0)));
    let mut body = Body {
        who,
        me,
        random,
        aliases,
        watches: BTreeMap::new(),
        timers: BTreeMap::new(),
        limited: false,
        sockets: Sockets::default(),
        probed: None,
        run: run.clone(),
    };
    for step in run.program.steps(who) {
        body.stumble().await;
        if body.me.is_exiting() {
            pending::<()>().await;
        }
        match body.perform(step).await {
            // It may have been ended in the middle of the step, which then proves nothing.
            Ok(_) if body.me.is_exiting() => pending().await,
            Ok(outcome) => run.board.seen(who, outcome),
            Err(reason) => return reason,
        }
    }
    body.stumble().await;
    ExitReason::Normal
}

/// One process.
struct Body {
    run: Arc<Run>,
    who: Who,
    me: Arc<Process>,
    random: Random,
    aliases: BTreeMap<Alias, Ref>,
    watches: BTreeMap<Ref, Watch>,
    timers: BTreeMap<Timer, Ref>,
    limited: bool,
    sockets: Sockets,
    /// A probe that came where it cannot be answered.
    probed: Option<u64>,
}

fn refused<T, E>(result: Result<T, E>) -> Outcome {
    if result.is_ok() { Outcome::Ok } else { Outcome::Badarg }
}

impl Body {
    /// Lets others run at random.
    async fn stumble(&mut self) {
        let pauses = match self.random.below(8) {
            0..4 => 0,
            4 | 5 => 1,
            6 => 2,
            _ => self.random.below(6),
        };
        for _ in 0..pauses {
            give_way().await;
        }
    }

    fn pid(&self, who: Who) -> Pid {
        self.run.board.pid(who).expect("a program names only those that have been born")
    }

    fn watch(&self, watch: Watch) -> Ref {
        let mut made = self.watches.iter();
        let found = made.find(|(_, made)| **made == watch).map(|(reference, _)| *reference);
        found.expect("a program uses a monitor after it has made it")
    }

    fn message(tag: u8) -> Message {
        Message { tag: Tag(i64::from(tag)), ..Message::default() }
    }

    /// Does a step. An error is the reason with which it ends the process.
    async fn perform(&mut self, step: &Step) -> Result<Outcome, ExitReason> {
        let environment = self.me.environment().clone();
        Ok(match step {
            Step::Spawn { child, link, monitor } => {
                match prepare(&environment, &self.run, *child) {
                    Some(process) => self.spawn(process, *child, *link, *monitor),
                    None => return pending().await,
                }
            }
            Step::Send { to, tag } => return Ok(self.send(*to, *tag).await),
            Step::Receive { patterns, wait } => return Ok(self.receive(patterns, *wait).await),
            Step::Link(to) => {
                self.me.link(self.pid(*to), Tag::NONE);
                Outcome::Ok
            }
            Step::Unlink(to) => {
                self.me.unlink(self.pid(*to));
                Outcome::Ok
            }
            Step::Monitor { to, watch, alias } => self.monitor(*to, *watch, *alias),
            Step::Demonitor { watch, flush } => {
                self.me.demonitor(self.watch(*watch), *flush);
                Outcome::Ok
            }
            Step::Exit { to, reason } => {
                self.me.exit(self.pid(*to), exit_reason(*reason));
                Outcome::Ok
            }
            Step::Raise(reason) => return Err(exit_reason(*reason)),
            Step::Crash => return Err(exit_reason(Reason::Crash)),
            Step::Trap(on) => {
                let trap_exit = if *on { TrapExit::All } else { TrapExit::Off };
                Outcome::Is(self.me.set_trap_exit(trap_exit) == TrapExit::All)
            }
            Step::Register { .. } | Step::Unregister(_) | Step::Whereis(_) => self.names(step),
            Step::Timer { timer, to, tag, wait } => {
                return self.timer(*timer, *to, *tag, *wait).await;
            }
            Step::Cancel(timer) => {
                Outcome::Is(self.me.cancel_timer(self.timers[timer].serial).is_some())
            }
            Step::Left(timer) => {
                Outcome::Is(self.me.read_timer(self.timers[timer].serial).is_some())
            }
            Step::Alive(who) => {
                let pid = self.settled(*who).await;
                Outcome::Is(environment.exists(pid))
            }
            Step::Alias { alias, reply } => {
                let mode = if *reply { ModelMode::Reply } else { ModelMode::ExplicitUnalias };
                self.aliases.insert(*alias, self.me.alias(mode, false));
                Outcome::Ok
            }
            Step::Unalias(alias) => Outcome::Is(self.me.unalias(self.aliases[alias])),
            Step::Suspend(who) => refused(self.me.suspend(self.pid(*who)).await),
            Step::Resume(who) => refused(self.me.resume(self.pid(*who))),
            Step::Info { of, query } => {
                let pid = self.settled(*of).await;
                self.info(*of, pid, *query)
            }
            Step::Listed(who) => Outcome::Is(environment.processes().contains(&self.pid(*who))),
            step => return self.alone(step).await,
        })
    }

    /// A step that is about nobody else.
    async fn alone(&mut self, step: &Step) -> Result<Outcome, ExitReason> {
        Ok(match step {
            Step::Priority(priority) => self.priority(*priority),
            Step::QueueData(QueueData::OnHeap | QueueData::OffHeap) => Outcome::Ok,
            Step::Hibernate => self.hibernate().await,
            // A body has no memory that the node knows of.
            Step::Limit => {
                self.limited = true;
                Outcome::Ok
            }
            Step::Grow if self.limited => return Err(ExitReason::Killed),
            Step::Grow => Outcome::Ok,
            Step::Spin => loop {
                give_way().await;
            },
            Step::Nap => {
                let begin = Instant::now();
                self.me.sleep(NAP).await;
                Outcome::Is(begin.elapsed() >= NAP)
            }
            Step::Socket(socket) => self.sockets.perform(*socket, &self.run.addresses).await,
            _ => Outcome::Badarg,
        })
    }

    fn spawn(
        &mut self,
        process: Arc<Process>,
        child: Who,
        link: bool,
        monitor: Option<Watch>,
    ) -> Outcome {
        let environment = self.me.environment();
        let body = begin(self.run.clone(), child, process.clone(), self.aliases.clone());
        // The future of a child is one of the same kind: without the box it would contain itself.
        let body: Pin<Box<dyn Future<Output = ExitReason> + Send>> = Box::pin(body);
        let bonds = Bonds {
            link: link.then_some(Tag::NONE),
            monitor: monitor.map(|_| MonitorOptions::default()),
        };
        let reference = environment.start_child(process, body, &self.me, bonds);
        self.watches.extend(reference.zip(monitor));
        Outcome::Ok
    }

    /// What has to do with names.
    fn names(&self, step: &Step) -> Outcome {
        let environment = self.me.environment();
        match step {
            Step::Register { name, to } => {
                refused(environment.register(&name_text(*name), self.pid(*to)))
            }
            Step::Unregister(name) if environment.remove_name(&name_text(*name)) => Outcome::Ok,
            Step::Whereis(name) => {
                let pid = environment.whereis(&name_text(*name));
                Outcome::Leads(pid.map(|pid| self.run.board.who(pid).unwrap_or(NOBODY)))
            }
            _ => Outcome::Badarg,
        }
    }

    async fn send(&mut self, to: To, tag: u8) -> Outcome {
        let message = Body::message(tag);
        let to = match to {
            To::Process(to) => Destination::Process(self.pid(to)),
            To::Name(name) => match self.me.environment().whereis(&name_text(name)) {
                Some(pid) => Destination::Process(pid),
                None => return Outcome::Badarg,
            },
            To::Alias(alias) => {
                Destination::Alias { reference: self.aliases[&alias], priority: false }
            }
        };
        refused(self.me.send_until(to, message, None).await)
    }

    fn monitor(&mut self, to: To, watch: Watch, alias: Option<(Alias, AliasMode)>) -> Outcome {
        let mode = alias.map(|(_, mode)| match mode {
            AliasMode::Explicit => (ModelMode::ExplicitUnalias, false),
            AliasMode::Demonitor => (ModelMode::Demonitor, false),
            AliasMode::Reply => (ModelMode::ReplyDemonitor, false),
        });
        let options = MonitorOptions { alias: mode, ..MonitorOptions::default() };
        let reference = match to {
            To::Process(to) => self.me.monitor_with(self.pid(to), options),
            To::Name(name) => self.me.monitor_name(&name_text(name), options),
            To::Alias(_) => return Outcome::Badarg,
        };
        self.watches.insert(reference, watch);
        if let Some((alias, _)) = alias {
            self.aliases.insert(alias, reference);
        }
        Outcome::Ok
    }

    async fn timer(
        &mut self,
        timer: Timer,
        to: To,
        tag: u8,
        wait: Wait,
    ) -> Result<Outcome, ExitReason> {
        let to = match to {
            To::Process(to) => Recipient::Process(self.pid(to)),
            To::Name(name) => Recipient::Name(name_text(name).into()),
            To::Alias(_) => return Ok(Outcome::Badarg),
        };
        let delay = if wait == Wait::Zero { Duration::ZERO } else { FAR };
        let reference = self.me.start_timer(to, Body::message(tag), delay).await?;
        self.timers.insert(timer, reference);
        Ok(Outcome::Ok)
    }

    /// Waits until a process either lives or is gone.
    async fn settled(&self, who: Who) -> Pid {
        let pid = self.pid(who);
        if who != self.who {
            self.me.environment().settled(pid).await;
        }
        pid
    }

    fn info(&self, of: Who, pid: Pid, query: Query) -> Outcome {
        let environment = self.me.environment();
        let Some(info) = environment.info(pid) else { return Outcome::Leads(None) };
        let count = match query {
            Query::Traps => return Outcome::Is(info.state.trap_exit == TrapExit::All),
            Query::Messages => self
                .run
                .board
                .messages(of, || environment.info(pid).map_or(0, |info| info.state.messages)),
            Query::Links => info.state.links.len(),
            Query::Monitors => info.state.monitors.len(),
            Query::Watchers => info.state.monitored_by.len(),
        };
        Outcome::Count(u8::try_from(count).unwrap_or(u8::MAX))
    }

    fn priority(&self, priority: Priority) -> Outcome {
        match ModelPriority::from_number(priority_code(priority).into()) {
            Some(priority) => {
                self.me.set_priority(priority);
                Outcome::Ok
            }
            None => Outcome::Badarg,
        }
    }

    /// Waits for a message without taking one; probes are none.
    async fn hibernate(&mut self) -> Outcome {
        let board = self.run.board.clone();
        board.waits(self.who);
        if let Some(round) = self.probed.take() {
            board.answer(self.who, round);
        }
        let (environment, pid) = (self.me.environment().clone(), self.me.pid());
        let probe = ModelPattern { tag: Some(PROBE), ..kind(Kinds::MESSAGE) };
        let probe = Filter::patterns(vec![probe]);
        loop {
            self.me.await_message().await;
            let all = || environment.info(pid).map_or(0, |info| info.state.messages);
            if board.messages(self.who, all) > 0 {
                return Outcome::Ok;
            }
            let found = self.me.receive(probe.clone(), Some(Duration::ZERO)).await;
            if let Some(Envelope::Message(message)) = found {
                board.found(self.who);
                board.answer(self.who, message.data.try_into().map_or(0, u64::from_le_bytes));
            }
        }
    }

    async fn receive(&mut self, patterns: &[Pattern], wait: Wait) -> Outcome {
        let mut wanted: Vec<ModelPattern> =
            patterns.iter().map(|pattern| self.pattern(*pattern)).collect();
        let timeout = match wait {
            Wait::Zero => Some(Duration::ZERO),
            Wait::Far => Some(FAR),
            Wait::Infinite => None,
        };
        if wait != Wait::Zero {
            let probe = ModelPattern { tag: Some(PROBE), ..kind(Kinds::MESSAGE) };
            wanted.push(probe);
            self.run.board.waits(self.who);
            if let Some(round) = self.probed.take() {
                self.run.board.answer(self.who, round);
            }
        }
        let filter = Filter::patterns(wanted);
        loop {
            let Some(envelope) = self.me.receive(filter.clone(), timeout).await else {
                return Outcome::Timeout;
            };
            match envelope {
                Envelope::Message(message) if message.tag == PROBE => {
                    self.run.board.found(self.who);
                    let round = message.data.try_into().map_or(0, u64::from_le_bytes);
                    if wait == Wait::Zero {
                        self.probed = Some(round);
                    } else {
                        self.run.board.answer(self.who, round);
                    }
                }
                envelope => return Outcome::Got(self.item(&envelope)),
            }
        }
    }

    fn item(&self, envelope: &Envelope) -> Item {
        let who = |pid: Pid| self.run.board.who(pid).unwrap_or(NOBODY);
        match envelope {
            Envelope::Message(message) => Item::Message {
                from: message.from.map_or(NOBODY, who),
                tag: u8::try_from(message.tag.0).unwrap_or(0),
            },
            Envelope::Exit { from, reason, .. } => {
                Item::Exit { from: who(*from), reason: reason_of(reason) }
            }
            Envelope::Down { reference, reason, .. } => {
                let watch = self.watches.get(reference).copied();
                let watch = watch.unwrap_or(Watch(u8::MAX));
                Item::Down { watch, reason: reason_of(reason) }
            }
        }
    }

    fn pattern(&self, pattern: Pattern) -> ModelPattern {
        let tag = |tag: u8| Some(Tag(i64::from(tag)));
        match pattern {
            Pattern::Any => ModelPattern::ANY,
            Pattern::Tag(wanted) => ModelPattern { tag: tag(wanted), ..kind(Kinds::MESSAGE) },
            Pattern::From(from) => {
                ModelPattern { from: Some(self.pid(from)), ..kind(Kinds::MESSAGE) }
            }
            Pattern::FromTag(from, wanted) => ModelPattern {
                from: Some(self.pid(from)),
                tag: tag(wanted),
                ..kind(Kinds::MESSAGE)
            },
            Pattern::Exit => kind(Kinds::EXIT),
            Pattern::ExitOf(from) => {
                ModelPattern { from: Some(self.pid(from)), ..kind(Kinds::EXIT) }
            }
            Pattern::Down => kind(Kinds::DOWN),
            Pattern::DownOf(watch) => {
                ModelPattern { reference: Some(self.watch(watch)), ..kind(Kinds::DOWN) }
            }
        }
    }
}

fn kind(kinds: Kinds) -> ModelPattern {
    ModelPattern { kinds, ..ModelPattern::ANY }
}
