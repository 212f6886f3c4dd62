//! A soak: very many signals between processes that are killed at random, each accounted for.
//!
//! Each place is held by one life after another: a process that sends numbered messages to the
//! others, and watches and links whoever writes to it. What must stay true, or the soak fails:
//!
//! * the messages of a pair arrive in order, none twice, and none is missing before a later one;
//! * the news of an end (the down of a monitor, the exit of a link) comes after everything that the
//!   dead one has sent to the same receiver, and comes once; nothing comes after it;
//! * whoever lives at the end has received everything that was ever sent to it.
//!
//! A sender counts a message in the step that sends it, so that a kill cannot come between. What is
//! answered for the dead (`noproc`) says nothing of their messages: those are counted at the end.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lunatic_model::{
    Envelope, ExitReason, Filter, Kinds, Limits, Message, Pattern, Pid, Ref, Signal, Tag, TrapExit,
};
use lunatic_node::{Environment, Node, NodeOptions, Process};

use crate::generator::Random;
use crate::pause::give_way;

/// Processes that live at the same time.
const PLACES: usize = 48;
/// Signals received between two lives that are ended by others.
const SIGNALS_PER_END: u64 = 2_000;
/// Most messages that are sent in one go.
const BURST_MAX: usize = 32;
/// Most signals that a life takes between two bursts: far more than one holds, so that nobody falls
/// behind; but it gets round to the next however fast others send.
const TAKEN_MAX: usize = 1_000;
/// A life ends itself after one in so many bursts.
const BURSTS_OF_A_LIFE: usize = 4_000;
/// How long the driver pauses between two looks at the count.
const LOOK: Duration = Duration::from_millis(1);

const NUMBERED: Tag = Tag(1);
const COUNT_UP: Tag = Tag(2);

/// How much, and which.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Signals to be received before it ends.
    pub signals: u64,
    /// Decides whom each life writes to and who is killed; threads do the rest.
    pub seed: u64,
    /// Threads that run the processes.
    pub workers: usize,
}

/// What was seen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Messages that were received.
    pub messages: u64,
    /// Downs and exits that were received.
    pub ends_told: u64,
    /// Lives that ended before the last count.
    pub ended: u64,
    /// Pairs whose messages were counted to the last one: those of a dead sender whose end was
    /// told, and those of a receiver that lived to the end.
    pub pairs_settled: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { messages, ends_told, ended, pairs_settled } = self;
        let signals = messages + ends_told;
        write!(
            f,
            "{signals} signals received ({messages} messages, {ends_told} ends); {ended} processes \
             ended on the way; {pairs_settled} pairs counted to the last message: nothing lost, \
             doubled or out of order"
        )
    }
}

/// Runs it. A failure tells what one receiver saw.
pub fn soak(plan: Plan) -> Result<Tally, String> {
    let options = NodeOptions { workers: Some(plan.workers), ..NodeOptions::default() };
    let node = Node::start(options).map_err(|error| error.to_string())?;
    let environment = node.environment(1);
    let stage = Arc::new(Stage::default());
    let driver = spawn(&environment, |me| drive(me, stage.clone(), plan))?;
    let (finished, end) = std::sync::mpsc::channel();
    let join = driver.clone();
    spawn(&environment, |_| async move {
        let _ = finished.send(join.join().await);
        ExitReason::Normal
    })?;
    let reason = end.recv().map_err(|error| error.to_string())?;
    if let Some(failure) = lock(&stage.failures).first() {
        return Err(failure.clone());
    }
    match reason {
        ExitReason::Normal => Ok(*lock(&stage.tally)),
        other => Err(format!("the driver ended: {other}")),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn<F, Fut>(environment: &Arc<Environment>, body: F) -> Result<Arc<Process>, String>
where
    F: FnOnce(Arc<Process>) -> Fut,
    Fut: Future<Output = ExitReason> + Send + 'static,
{
    let process = environment
        .prepare("soak", Arc::new(Limits::default()))
        .map_err(|error| error.to_string())?;
    environment.start(process.clone(), Box::pin(body(process.clone())), None);
    Ok(process)
}

/// What all lives share.
#[derive(Default)]
struct Stage {
    driver: OnceLock<Pid>,
    /// Who holds each place now.
    places: Mutex<Vec<Arc<Process>>>,
    /// What each life has sent, dead ones included.
    ledgers: Mutex<HashMap<Pid, Arc<Ledger>>>,
    received: AtomicU64,
    over: AtomicBool,
    tally: Mutex<Tally>,
    failures: Mutex<Vec<String>>,
}

/// How many messages one life has sent to each other.
#[derive(Default)]
struct Ledger {
    sent: Mutex<HashMap<Pid, u64>>,
}

impl Ledger {
    fn sent_to(&self, to: Pid) -> u64 {
        lock(&self.sent).get(&to).copied().unwrap_or(0)
    }
}

impl Stage {
    fn fail(&self, text: String) {
        lock(&self.failures).push(text);
        self.over.store(true, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// Fills the places, waits until enough was received, and has everybody count at the end.
async fn drive(me: Arc<Process>, stage: Arc<Stage>, plan: Plan) -> ExitReason {
    let mut random = Random::new(plan.seed);
    let _ = stage.driver.set(me.pid());
    for _ in 0..PLACES {
        match begin_life(&me, &stage, &mut random) {
            Ok(life) => lock(&stage.places).push(life),
            Err(text) => stage.fail(text),
        }
    }
    while !stage.is_over() && stage.received.load(Ordering::Relaxed) < plan.signals {
        me.sleep(LOOK).await;
    }
    let last: Vec<_> = {
        let places = lock(&stage.places);
        stage.over.store(true, Ordering::Release);
        places.clone()
    };
    // Whoever says that it has stopped sends nothing more; then all there is lies in mailboxes.
    for life in &last {
        wait_for_stop(&me, life.pid()).await;
    }
    for life in &last {
        let message = Message { tag: COUNT_UP, ..Message::default() };
        me.environment().signal(life.pid(), Signal::Message(message));
    }
    for life in &last {
        life.join().await;
    }
    ExitReason::Normal
}

fn begin_life(
    me: &Arc<Process>,
    stage: &Arc<Stage>,
    random: &mut Random,
) -> Result<Arc<Process>, String> {
    let stage = stage.clone();
    let random = Random::new(random.number());
    spawn(me.environment(), |me| {
        let ledger = Arc::new(Ledger::default());
        lock(&stage.ledgers).insert(me.pid(), ledger.clone());
        Life { me, stage, ledger, random, seen: HashMap::new(), tally: Tally::default() }.live()
    })
}

/// Waits for the message with which a life says that it has stopped, or for the news of its end.
async fn wait_for_stop(me: &Arc<Process>, life: Pid) {
    let watch = me.monitor(life);
    let stopped = Pattern { kinds: Kinds::MESSAGE, tag: None, from: Some(life), reference: None };
    let ended = Pattern { kinds: Kinds::DOWN, tag: None, from: None, reference: Some(watch) };
    me.receive(Filter::patterns([stopped, ended]), None).await;
    me.demonitor(watch, true);
}

/// What a life knows of somebody who has written to it.
struct Seen {
    ledger: Arc<Ledger>,
    watch: Ref,
    next: u64,
    /// Which news of its end have come.
    ended: HashSet<&'static str>,
}

/// One process.
struct Life {
    me: Arc<Process>,
    stage: Arc<Stage>,
    ledger: Arc<Ledger>,
    random: Random,
    seen: HashMap<Pid, Seen>,
    /// What it has seen since it last added to everybody's.
    tally: Tally,
}

impl Life {
    async fn live(mut self) -> ExitReason {
        self.me.set_trap_exit(TrapExit::All);
        while !self.stage.is_over() {
            self.burst().await;
            let received = self.take(TAKEN_MAX).await;
            let before = self.stage.received.fetch_add(received, Ordering::Relaxed);
            for _ in before / SIGNALS_PER_END..(before + received) / SIGNALS_PER_END {
                let place = self.random.below(PLACES);
                self.replace(|_| Some(place));
            }
            if self.random.one_in(BURSTS_OF_A_LIFE) {
                let me = self.me.pid();
                self.replace(|places| places.iter().position(|life| life.pid() == me));
            }
            give_way().await;
        }
        self.count_up().await;
        ExitReason::Normal
    }

    /// Takes and checks up to so many signals of those that lie in the mailbox; gives how many.
    async fn take(&mut self, most: usize) -> u64 {
        let mut received = 0;
        for _ in 0..most {
            let zero = Some(Duration::ZERO);
            let Some(envelope) = self.me.receive(Filter::Any, zero).await else { break };
            received += 1;
            if let Err(text) = self.check(&envelope) {
                self.stage.fail(text);
            }
        }
        let mut tally = lock(&self.stage.tally);
        let own = std::mem::take(&mut self.tally);
        tally.messages += own.messages;
        tally.ends_told += own.ends_told;
        tally.pairs_settled += own.pairs_settled;
        received
    }

    /// Ends the holder of a place, which may be this life, and puts another there; unless it is
    /// over, since then the driver counts on those that there are.
    fn replace(&mut self, choose: impl FnOnce(&[Arc<Process>]) -> Option<usize>) {
        let mut places = lock(&self.stage.places);
        // Not all places are filled yet when the first lives begin.
        let Some(place) = choose(&places).filter(|place| *place < places.len()) else { return };
        if self.stage.is_over() {
            return;
        }
        match begin_life(&self.me, &self.stage, &mut self.random) {
            Ok(life) => {
                let old = std::mem::replace(&mut places[place], life);
                drop(places);
                old.kill();
                lock(&self.stage.tally).ended += 1;
            }
            Err(text) => {
                drop(places);
                self.stage.fail(text);
            }
        }
    }

    async fn burst(&mut self) {
        let to = {
            let places = lock(&self.stage.places);
            // There may be none yet when the first life begins.
            let place = self.random.below(places.len());
            places.get(place).map_or(self.me.pid(), |life| life.pid())
        };
        for _ in 0..=self.random.below(BURST_MAX) {
            let number = self.ledger.sent_to(to);
            let data = number.to_le_bytes().to_vec();
            self.me.send(to, Message { tag: NUMBERED, data, ..Message::default() }).await;
            lock(&self.ledger.sent).insert(to, number + 1);
        }
    }

    fn check(&mut self, envelope: &Envelope) -> Result<(), String> {
        match envelope {
            Envelope::Message(message) => self.check_message(message),
            Envelope::Down { from, reference, reason, .. } => {
                let expected = self.seen.get(from).map(|seen| seen.watch);
                if expected != Some(*reference) {
                    return Err(self.says(*from, "a down of a monitor that was never made"));
                }
                self.check_end(*from, reason, "a down")
            }
            Envelope::Exit { from, reason, .. } => self.check_end(*from, reason, "an exit"),
        }
    }

    fn check_message(&mut self, message: &Message) -> Result<(), String> {
        self.tally.messages += 1;
        let (Some(from), Ok(number)) = (message.from, message.data.as_slice().try_into()) else {
            return Err(format!("{}: a message that nobody sent", self.me.pid()));
        };
        let number = u64::from_le_bytes(number);
        if !self.seen.contains_key(&from) {
            let ledger = lock(&self.stage.ledgers).get(&from).cloned();
            let Some(ledger) = ledger else {
                return Err(self.says(from, "a message from nobody"));
            };
            let watch = self.me.monitor(from);
            self.me.link(from, Tag::NONE);
            self.seen.insert(from, Seen { ledger, watch, next: 0, ended: HashSet::new() });
        }
        let seen = self.seen.get_mut(&from).expect("it was put there");
        let (expected, ended) = (seen.next, !seen.ended.is_empty());
        seen.next = number + 1;
        if number != expected {
            let text = format!("message {number} where {expected} was due");
            return Err(self.says(from, &text));
        }
        if ended {
            return Err(self.says(from, &format!("message {number} after the news of its end")));
        }
        Ok(())
    }

    fn check_end(
        &mut self,
        from: Pid,
        reason: &ExitReason,
        news: &'static str,
    ) -> Result<(), String> {
        self.tally.ends_told += 1;
        if *reason == ExitReason::NoProcess {
            return Ok(());
        }
        // Somebody may link and end before it has written anything.
        let Some(seen) = self.seen.get_mut(&from) else { return Ok(()) };
        if !seen.ended.insert(news) {
            return Err(self.says(from, &format!("{news} a second time")));
        }
        let (received, sent) = (seen.next, seen.ledger.sent_to(self.me.pid()));
        if received != sent {
            let text = format!("{news} after {received} of {sent} messages");
            return Err(self.says(from, &text));
        }
        self.tally.pairs_settled += u64::from(news == "a down");
        Ok(())
    }

    /// Stops sending, and counts when everybody has stopped.
    async fn count_up(&mut self) {
        let Some(driver) = self.stage.driver.get().copied() else { return };
        self.me.send(driver, Message { tag: COUNT_UP, ..Message::default() }).await;
        self.me.receive(Filter::Reply(COUNT_UP), None).await;
        self.take(usize::MAX).await;
        let ledgers: Vec<_> = {
            let ledgers = lock(&self.stage.ledgers);
            ledgers.iter().map(|(pid, ledger)| (*pid, ledger.clone())).collect()
        };
        for (from, ledger) in ledgers {
            let sent = ledger.sent_to(self.me.pid());
            let received = self.seen.get(&from).map_or(0, |seen| seen.next);
            if sent != received {
                let text = format!("{received} of {sent} messages at the end");
                self.stage.fail(self.says(from, &text));
            }
            lock(&self.stage.tally).pairs_settled += u64::from(sent > 0);
        }
    }

    fn says(&self, from: Pid, text: &str) -> String {
        format!("{} from {from}: {text}", self.me.pid())
    }
}
