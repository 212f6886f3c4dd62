//! An environment: a set of processes that can reach each other, with names of its own.
//!
//! Here signals find their receiver. A signal that finds none is answered on the dead one's behalf,
//! so that a link or monitor to nothing tells `noproc`.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lunatic_model::{
    Budgets, Delivery, ExitReason, Limits, LinkOutcome, MonitorOptions, Pid, Process as State,
    Reach, Ref, Signal, Tag,
};

use crate::account::{Account, OverBudget};
use crate::aliases::Aliases;
use crate::figures::Mailboxes;
use crate::lineage::Lineage;
use crate::lock;
use crate::names::Directory;
use crate::node::Inner;
use crate::process::{Body, Process};

const SHARDS: usize = 32;

type Shard = Mutex<HashMap<u64, Arc<Process>, BuildHasherDefault<SerialHasher>>>;

/// Why a process was not spawned. Nothing is left of the attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpawnError {
    /// The node is full.
    #[error("the node runs processes_max = {0} processes already; end some, or raise the limit")]
    ProcessesMax(usize),
    /// The environment is being ended.
    #[error("the environment is ending, so nothing can be spawned in it")]
    Closing,
    /// A budget has no room for the process.
    #[error("the process cannot be spawned: {0}")]
    OverBudget(OverBudget),
    /// Too many budgets of subtrees lie within each other.
    #[error("at most {0} accounts can be around one process, its own included")]
    NestedBudgets(usize),
    /// A chain of restricted processes, each spawned by the one before, is too long.
    #[error("at most {0} generations of processes whose reach is restricted can live")]
    Generations(usize),
}

/// What a process is given with its place in the environment.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// How far it reaches.
    pub reach: Reach,
    /// What it may use.
    pub budgets: &'a Budgets,
    /// Who spawns it, if a process does.
    pub parent: Option<&'a Process>,
}

/// What stands between a parent and its child from the start.
#[derive(Clone, Debug, Default)]
pub struct Bonds {
    /// A link, with its tag for the parent.
    pub link: Option<Tag>,
    /// The parent watches the child.
    pub monitor: Option<MonitorOptions>,
}

/// A set of processes that can reach each other.
pub struct Environment {
    node: Arc<Inner>,
    public_id: u64,
    shards: [Shard; SHARDS],
    directory: Directory,
    aliases: Aliases,
    closing: AtomicBool,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("public_id", &self.public_id).finish_non_exhaustive()
    }
}

impl Environment {
    pub(crate) fn new(node: Arc<Inner>, public_id: u64) -> Arc<Environment> {
        Arc::new(Environment {
            node,
            public_id,
            shards: std::array::from_fn(|_| Mutex::default()),
            directory: Directory::default(),
            aliases: Aliases::default(),
            closing: AtomicBool::new(false),
        })
    }

    /// The number that old programs see.
    pub fn public_id(&self) -> u64 {
        self.public_id
    }

    pub(crate) fn node(&self) -> &Arc<Inner> {
        &self.node
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// Makes the identity of a new process. It can be built up (and dropped again) without anybody
    /// seeing it, until it is started.
    pub fn prepare(
        self: &Arc<Self>,
        entry: impl Into<Arc<str>>,
        limits: Arc<Limits>,
    ) -> Result<Arc<Process>, SpawnError> {
        let (reach, budgets) = (Reach::WHOLE, &Budgets::default());
        self.prepare_with(entry, limits, Terms { reach, budgets, parent: None })
    }

    /// The same for a child: within the budgets around its parent, reaching what `terms` say.
    pub fn prepare_with(
        self: &Arc<Self>,
        entry: impl Into<Arc<str>>,
        limits: Arc<Limits>,
        terms: Terms<'_>,
    ) -> Result<Arc<Process>, SpawnError> {
        if self.closing.load(Ordering::SeqCst) {
            return Err(SpawnError::Closing);
        }
        let place = self.node.reserve_place()?;
        let around = terms.parent.and_then(Process::account);
        let account = Account::open(self.node.timers(), around, terms.budgets)?;
        let pid = self.node.next_pid();
        let lineage = Lineage::of(terms.parent, terms.reach, pid)?;
        let place = (place, terms.reach, lineage);
        let process = Process::new(self.clone(), pid, entry.into(), limits, place, account);
        if let Some(parent) = terms.parent {
            process.set_parent(parent.pid());
        }
        Ok(process)
    }

    /// Lets a prepared process run. With `link`, it and `link.0` are linked before its first step,
    /// and if that process has ended already, this one hears of it at once.
    pub fn start(&self, process: Arc<Process>, body: Body, link: Option<(&Process, Tag)>) {
        self.enter(&process);
        if let Some((parent, tag)) = link {
            parent.link_child(&process, tag);
        }
        self.run(process, body);
    }

    /// The same for a child, with what is to stand between it and its parent before its first step.
    /// Gives the reference of the monitor, if one was asked for.
    pub fn start_child(
        &self,
        process: Arc<Process>,
        body: Body,
        parent: &Process,
        bonds: Bonds,
    ) -> Option<Ref> {
        process.set_parent(parent.pid());
        self.enter(&process);
        if let Some(tag) = bonds.link {
            parent.link_child(&process, tag);
        }
        let reference = bonds.monitor.map(|options| parent.monitor_child(&process, options));
        self.run(process, body);
        reference
    }

    /// From here on others can find it: whoever guesses its pid may kill it at any moment.
    fn enter(&self, process: &Arc<Process>) {
        let serial = process.pid().serial;
        lock(self.shard(serial)).insert(serial, process.clone());
        self.node.counters().count(|shard| &shard.spawns);
    }

    /// From here on it can end, so it is in the table, linked and watched before.
    fn run(&self, process: Arc<Process>, body: Body) {
        process.set_body(body);
        if let Some(account) = process.account() {
            account.begin(&process);
        }
        if self.closing.load(Ordering::SeqCst) {
            // It may have come too late for the sweep that ends all.
            process.kill();
        }
        process.wake_by_ref();
    }

    fn shard(&self, serial: u64) -> &Shard {
        &self.shards[(serial % SHARDS as u64) as usize]
    }

    /// A live process.
    pub fn find(&self, pid: Pid) -> Option<Arc<Process>> {
        let process = lock(self.shard(pid.serial)).get(&pid.serial).cloned()?;
        (process.pid() == pid).then_some(process)
    }

    /// The pid that an old program means by a serial.
    pub fn pid_of(&self, serial: u64) -> Pid {
        Pid { serial, ..self.node.pid_base() }
    }

    /// Whether a reference was made here, in this life of the node.
    pub fn is_own(&self, reference: Ref) -> bool {
        let base = self.node.pid_base();
        (reference.node, reference.incarnation) == (base.node, base.incarnation)
    }

    /// Whether the process lives.
    pub fn exists(&self, pid: Pid) -> bool {
        self.find(pid).is_some_and(|process| process.with_state(|state| state.is_alive()))
    }

    /// Waits until a process either lives or has ended for everybody. In between, somebody who has
    /// asked it to exit would find it dead and its name still taken.
    pub async fn settled(&self, pid: Pid) {
        let Some(process) = self.find(pid) else { return };
        if process.is_exiting() {
            process.join().await;
        }
    }

    /// All processes at one moment, those that are ending included.
    pub fn processes(&self) -> Vec<Pid> {
        // All locks at once, in a fixed order: else one that ended before another could be listed
        // without it.
        let shards: Vec<_> = self.shards.iter().map(lock).collect();
        let mut pids = Vec::with_capacity(shards.iter().map(|shard| shard.len()).sum());
        pids.extend(shards.iter().flat_map(|shard| shard.values().map(|process| process.pid())));
        pids
    }

    /// Adds up what lies in the mailboxes of all processes.
    pub(crate) fn add_mailboxes(&self, sum: &mut Mailboxes) {
        for shard in &self.shards {
            // Serials lie in the table itself. To look at each process under the table's lock would
            // take far longer, and hold up whoever sends to one.
            let serials: Vec<u64> = lock(shard).keys().copied().collect();
            for serial in serials {
                let Some(process) = lock(shard).get(&serial).cloned() else { continue };
                let mailbox = |state: &mut State| (state.mailbox_len(), state.mailbox_bytes());
                let (messages, bytes) = process.with_state(mailbox);
                sum.add(messages, bytes);
            }
        }
    }

    /// Kills every process, and refuses new ones from now on.
    pub fn kill_all(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            let processes: Vec<_> = lock(shard).values().cloned().collect();
            processes.iter().for_each(|process| process.kill());
        }
    }

    /// Lets a process run, if it lives.
    pub(crate) fn wake(&self, pid: Pid) {
        if let Some(process) = self.find(pid) {
            process.wake_by_ref();
        }
    }

    pub(crate) fn remove(&self, pid: Pid) {
        lock(self.shard(pid.serial)).remove(&pid.serial);
    }

    /// Delivers a signal. A message that meets a full mailbox is lost: a process sends with
    /// [`Process::send`].
    pub fn signal(&self, to: Pid, signal: Signal) {
        let is_message = matches!(signal, Signal::Message(_) | Signal::Timer(_));
        if let Signal::Down { reference, .. } = &signal {
            self.aliases.monitor_ended(*reference);
        }
        let delivery = match self.find(to) {
            Some(process) => process.deliver(signal),
            None => Delivery::Dead(signal),
        };
        if is_message {
            self.count_message(matches!(delivery, Delivery::Done | Delivery::Wake));
        }
        match delivery {
            // A message that may have to wait is sent by its process, not here.
            Delivery::Done | Delivery::Wake | Delivery::Full(_) => {}
            Delivery::Answer(asker, answer) => self.signal(asker, answer),
            Delivery::Dead(signal) => self.answer_for_the_dead(to, signal),
        }
    }

    /// Counts a message that has left its sender.
    pub(crate) fn count_message(&self, delivered: bool) {
        let counters = self.node.counters();
        if delivered {
            counters.count(|shard| &shard.delivered);
        } else {
            counters.count(|shard| &shard.unheard);
        }
    }

    /// What a process that does not exist answers.
    pub(crate) fn answer_for_the_dead(&self, dead: Pid, signal: Signal) {
        match signal {
            Signal::Link { from, .. } => {
                let reason = ExitReason::NoProcess;
                self.signal(from, Signal::Exit { from: dead, reason, link: true });
            }
            Signal::Unlink { from, id } => {
                self.signal(from, Signal::UnlinkAck { from: dead, id });
            }
            Signal::Monitor { from, reference } => {
                let reason = ExitReason::NoProcess;
                self.signal(from, Signal::Down { reference, from: dead, reason });
            }
            Signal::Message(_)
            | Signal::Timer(_)
            | Signal::Exit { .. }
            | Signal::UnlinkAck { .. }
            | Signal::Demonitor { .. }
            | Signal::Down { .. } => {}
        }
    }

    /// Tells a linked process of an end, and learns what that did.
    pub(crate) fn tell_link(&self, to: Pid, from: Pid, reason: ExitReason) -> LinkOutcome {
        match self.find(to) {
            Some(process) => process.link_exit(from, reason),
            None => LinkOutcome::Gone,
        }
    }
}

/// Serials are dense numbers that no guest chooses: a multiplication spreads them well enough.
#[derive(Default)]
pub(crate) struct SerialHasher(u64);

impl Hasher for SerialHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte) ^ self.0.rotate_left(8));
        }
    }

    fn write_u64(&mut self, serial: u64) {
        self.0 = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}
