//! What a process does with itself and with others: ends, links, monitors, flags, names.

use core::fmt;
use std::error::Error;
use std::time::Duration;

use crate::abi;
pub use crate::hibernate::hibernate;
use crate::host_error::HostError;
use crate::mailbox::Process;
use crate::message;
pub use crate::monitor::{Alias, AliasOf, AliasOptions, Monitor, MonitorOptions};
use crate::pid::{Pair, Pid};
use crate::reason::ExitReason;

/// Ends the process that runs, with this reason. Linked processes and monitors hear of it.
/// Destructors do not run; what the process has is given back by the runtime.
///
/// ```
/// use lunatic::{ExitReason, Mailbox, exit, spawn_monitor};
///
/// let (_, monitor) = spawn_monitor((), |(), _: Mailbox<()>| exit(ExitReason::Status(3)));
/// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Status(3));
/// ```
pub fn exit(reason: ExitReason) -> ! {
    let (kind, data) = reason.parts_to_give();
    // SAFETY: the data lives during the call, which does not come back.
    unsafe { abi::process::exit_self(kind, data.as_ptr(), data.len()) };
    unreachable!("the runtime ends a process that exits")
}

/// Waits. Messages that come meanwhile stay in the mailbox.
///
/// ```
/// let begin = std::time::Instant::now();
/// lunatic::sleep(std::time::Duration::from_millis(2));
/// assert!(begin.elapsed().as_millis() >= 2);
/// ```
pub fn sleep(time: Duration) {
    // SAFETY: no pointers.
    unsafe { abi::process::sleep_ms(message::milliseconds(Some(time))) }
}

/// All processes of the environment at one moment.
///
/// ```
/// assert!(lunatic::process::all().contains(&lunatic::Pid::this()));
/// ```
pub fn all() -> Vec<Pid> {
    let mut pids: Vec<Pair> = Vec::new();
    loop {
        let room = pids.len();
        // SAFETY: there is room for so many pairs.
        let there = unsafe { abi::process::processes(pids.as_mut_ptr().cast(), room) };
        if there <= room {
            pids.truncate(there);
            return pids.into_iter().map(Pid::from).collect();
        }
        // Some may be spawned until the next look.
        pids.resize(there + there / 8 + 8, [0; 2]);
    }
}

/// Whether exits of linked processes become messages instead of ending this one. Gives what was
/// before.
///
/// ```
/// use lunatic::process::trap_exit;
/// use lunatic::{ExitReason, Mailbox, Received, exit, spawn_link, spawn_monitor};
///
/// let (_, monitor) = spawn_monitor((), |(), mailbox: Mailbox<()>| {
///     trap_exit(true);
///     let child = spawn_link((), |(), _: Mailbox<()>| exit(ExitReason::Kill)).pid();
///     let Received::Exit(end) = mailbox.receive_any(None).unwrap() else { unreachable!() };
///     assert_eq!((end.from, end.reason), (child, ExitReason::Kill));
/// });
/// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
/// ```
pub fn trap_exit(on: bool) -> bool {
    set_flag(0, on.into()).is_ok_and(|before| before != 0)
}

/// Who runs first among processes that are ready.
///
/// ```
/// use lunatic::process::Priority;
/// use lunatic::{Mailbox, Spawn, spawn_link};
///
/// let wait = |(), mailbox: Mailbox<()>| drop(mailbox.receive());
/// let urgent = Spawn::new().priority(Priority::High).spawn((), wait).unwrap();
/// assert_eq!(urgent.info().unwrap().priority, Priority::High);
/// assert!(Priority::Low < Priority::Normal && Priority::High < Priority::Max);
/// urgent.kill();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u32)]
pub enum Priority {
    /// After the others, seven times of eight.
    Low = 0,
    /// As most are.
    #[default]
    Normal = 1,
    /// Before these.
    High = 2,
    /// Before all.
    Max = 3,
}

impl Priority {
    fn from_number(number: u64) -> Priority {
        match number {
            0 => Priority::Low,
            2 => Priority::High,
            3 => Priority::Max,
            _ => Priority::Normal,
        }
    }
}

/// Sets the priority of the process that runs. Gives what was before.
///
/// ```
/// use lunatic::process::{Priority, set_priority};
///
/// let before = set_priority(Priority::Low);
/// assert_eq!(set_priority(before), Priority::Low);
/// ```
pub fn set_priority(priority: Priority) -> Priority {
    set_flag(1, priority as u64).map_or(Priority::Normal, Priority::from_number)
}

/// Whether the process ends when it is at its limit of memory (OTP's `max_heap_size`), instead of
/// being refused more. Gives what was before.
pub fn end_at_memory_limit(on: bool) -> bool {
    set_flag(2, on.into()).is_ok_and(|before| before != 0)
}

/// Sets a limit of memory for the process that runs, in bytes, for later growth. Gives what was
/// before.
///
/// # Errors
///
/// If it is 0, or more than the process was given.
///
/// ```
/// use lunatic::process::{end_at_memory_limit, set_memory_max};
/// use lunatic::{ExitReason, Mailbox, spawn_monitor};
///
/// let (_, monitor) = spawn_monitor((), |(), _: Mailbox<()>| {
///     end_at_memory_limit(true);
///     set_memory_max(8 << 20).unwrap();
///     core::hint::black_box(vec![1u8; 16 << 20]);
/// });
/// let reason = monitor.wait(None).unwrap().reason;
/// assert_eq!(reason, ExitReason::Limit("memory_bytes_max".into()));
/// ```
pub fn set_memory_max(bytes: u64) -> Result<u64, HostError> {
    set_flag(3, bytes)
}

fn set_flag(flag: u32, value: u64) -> Result<u64, HostError> {
    let mut place = 0;
    // SAFETY: the place has eight bytes.
    let result = unsafe { abi::process::set_flag(flag, value, &raw mut place) };
    HostError::check(result, place)?;
    Ok(place)
}

/// Sets the text by which people know this process; an empty one takes it away. At most 4,096
/// bytes; the rest is cut off.
///
/// ```
/// lunatic::process::set_label("the clerk");
/// assert_eq!(lunatic::Pid::this().info().unwrap().label, "the clerk");
/// # lunatic::process::set_label("");
/// ```
pub fn set_label(label: &str) {
    let label = &label[..label.floor_char_boundary(4096)];
    // SAFETY: the text lives during the call.
    unsafe { abi::process::set_label(label.as_ptr(), label.len()) }
}

impl Pid {
    /// The process that runs.
    pub fn this() -> Pid {
        let mut pair: Pair = [0; 2];
        // SAFETY: the place has 16 bytes.
        unsafe { abi::process::own_pid(pair.as_mut_ptr()) };
        pair.into()
    }

    /// Whether the process exists. If it is ending, waits until everybody has been told.
    ///
    /// ```
    /// use lunatic::{Mailbox, spawn};
    ///
    /// let child = spawn((), |(), mailbox: Mailbox<()>| drop(mailbox.receive()));
    /// assert!(child.is_alive());
    /// child.kill();
    /// assert!(!child.is_alive());
    /// ```
    pub fn is_alive(self) -> bool {
        // SAFETY: no pointers.
        unsafe { abi::process::is_alive(self.node(), self.id()) != 0 }
    }

    /// Asks the process to exit, as Erlang's `exit/2`: it ends, or gets a message if it traps
    /// exits. [`ExitReason::Normal`] ends nobody but oneself.
    ///
    /// ```
    /// use lunatic::{ExitReason, Mailbox, spawn_monitor};
    ///
    /// let (process, monitor) =
    ///     spawn_monitor((), |(), mailbox: Mailbox<()>| drop(mailbox.receive()));
    /// process.exit(ExitReason::Normal); // is ignored
    /// process.exit(ExitReason::Shutdown);
    /// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Shutdown);
    /// ```
    pub fn exit(self, reason: ExitReason) {
        let (kind, data) = reason.parts_to_give();
        // SAFETY: the data lives during the call.
        unsafe { abi::process::exit(self.node(), self.id(), kind, data.as_ptr(), data.len()) }
    }

    /// Ends the process, whatever it traps.
    ///
    /// ```
    /// use lunatic::{ExitReason, Mailbox, spawn_monitor};
    ///
    /// let (process, monitor) =
    ///     spawn_monitor((), |(), mailbox: Mailbox<()>| drop(mailbox.receive()));
    /// process.kill();
    /// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Killed);
    /// ```
    pub fn kill(self) {
        self.exit(ExitReason::Kill);
    }

    /// Links this process with the one that runs: if one ends, the other hears of it, and ends,
    /// too, unless the reason was normal or it traps exits. Linking twice is linking once.
    ///
    /// ```
    /// use lunatic::{ExitReason, Mailbox, Pid, spawn, spawn_monitor};
    ///
    /// let other = spawn((), |(), mailbox: Mailbox<()>| drop(mailbox.receive())).pid();
    /// let (_, monitor) = spawn_monitor(other, |other: Pid, _: Mailbox<()>| {
    ///     other.link();
    ///     other.unlink();
    ///     other.link_tagged(7, false);
    ///     lunatic::exit(ExitReason::Shutdown)
    /// });
    /// let other = other.monitor();
    /// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Shutdown);
    /// assert_eq!(other.wait(None).unwrap().reason, ExitReason::Shutdown);
    /// ```
    pub fn link(self) {
        self.link_tagged(0, false);
    }

    /// The same with a tag that a trapped exit carries; an urgent exit goes before ordinary
    /// messages.
    pub fn link_tagged(self, tag: i64, urgent: bool) {
        // SAFETY: no pointers.
        unsafe { abi::process::link_pid(self.node(), self.id(), tag, urgent.into()) }
    }

    /// Takes the link away. No exit of it has an effect from now on.
    pub fn unlink(self) {
        // SAFETY: no pointers.
        unsafe { abi::process::unlink_pid(self.node(), self.id()) }
    }

    /// Watches the process: when it ends, or if it does not exist, one [`Down`](message::Down)
    /// comes.
    pub fn monitor(self) -> Monitor {
        self.monitor_with(MonitorOptions::default())
    }

    /// The same with options.
    ///
    /// ```
    /// use lunatic::process::MonitorOptions;
    /// use lunatic::{ExitReason, Pid};
    ///
    /// // Its down goes before ordinary messages.
    /// let options = MonitorOptions { urgent_down: true, ..Default::default() };
    /// let monitor = Pid::new(0, 999_999_999).monitor_with(options);
    /// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::NoProcess);
    /// ```
    pub fn monitor_with(self, options: MonitorOptions) -> Monitor {
        Monitor::of_pid(self, options)
    }

    /// Keeps the process from running until it is resumed as often, or this one ends. Comes back
    /// when it does not run. It still receives, and can be killed.
    ///
    /// # Errors
    ///
    /// For oneself, and for what does not exist.
    ///
    /// ```
    /// use lunatic::{Mailbox, Process, Status, spawn};
    ///
    /// let echo = |to: Process<u8>, mailbox: Mailbox<u8>| to.send(mailbox.receive().unwrap());
    /// let mailbox = Mailbox::<u8>::new();
    /// let process = spawn(mailbox.this(), echo);
    /// process.suspend().unwrap();
    /// process.send(1);
    /// assert_eq!(process.info().unwrap().status, Status::Suspended);
    /// assert!(process.resume());
    /// assert_eq!(mailbox.receive().unwrap(), 1);
    /// ```
    pub fn suspend(self) -> Result<(), HostError> {
        let mut place = 0;
        // SAFETY: the place has eight bytes.
        let result = unsafe { abi::process::suspend(self.node(), self.id(), &raw mut place) };
        HostError::check(result, place)
    }

    /// Takes back one [`suspend`](Pid::suspend). `false` if this process has not suspended it.
    pub fn resume(self) -> bool {
        // SAFETY: no pointers.
        unsafe { abi::process::resume(self.node(), self.id()) == 0 }
    }

    /// The process, believed to take messages of this type.
    ///
    /// ```
    /// use lunatic::{Mailbox, Process, register, unregister, whereis};
    ///
    /// let mailbox = Mailbox::<u8>::new();
    /// register("typed", mailbox.this()).unwrap();
    /// let process: Process<u8> = whereis("typed").unwrap().typed();
    /// process.send(3);
    /// assert_eq!(mailbox.receive().unwrap(), 3);
    /// # unregister("typed");
    /// ```
    pub fn typed<M, F>(self) -> Process<M, F> {
        Process::from_pid(self)
    }
}

/// Gives a name to a process of this node. The name goes when the process ends.
///
/// # Errors
///
/// If the name is taken, there is no such process, or it has a name already.
///
/// ```
/// use lunatic::{Pid, register, unregister, whereis};
///
/// register("me", Pid::this()).unwrap();
/// assert_eq!(whereis("me"), Some(Pid::this()));
/// unregister("me");
/// ```
pub fn register(name: &str, process: impl Into<Pid>) -> Result<(), RegisterError> {
    let pid = process.into();
    // SAFETY: the text lives during the call.
    let result =
        unsafe { abi::registry::register(name.as_ptr(), name.len(), pid.node(), pid.id()) };
    match result {
        0 => Ok(()),
        1 => Err(RegisterError::NameTaken),
        2 => Err(RegisterError::NoProcess),
        _ => Err(RegisterError::HasName),
    }
}

/// Takes a name away. `false` if nobody has it.
pub fn unregister(name: &str) -> bool {
    // SAFETY: the text lives during the call.
    unsafe { abi::registry::unregister(name.as_ptr(), name.len()) == 0 }
}

/// The process that has the name now.
pub fn whereis(name: &str) -> Option<Pid> {
    let (mut node, mut id) = (0, 0);
    // SAFETY: the text lives during the call; the places have eight bytes each.
    let result =
        unsafe { abi::registry::get(name.as_ptr(), name.len(), &raw mut node, &raw mut id) };
    // The function of 0.13 tells no node; names lead to processes of this one.
    (result == 0).then(|| Pid::new(Pid::this().node(), id))
}

/// Why a name was not given. Nothing has changed.
///
/// ```
/// use lunatic::{Pid, RegisterError, register, unregister};
///
/// register("one", Pid::this()).unwrap();
/// assert_eq!(register("one", Pid::this()), Err(RegisterError::NameTaken));
/// assert_eq!(register("two", Pid::this()), Err(RegisterError::HasName));
/// assert_eq!(register("two", Pid::new(0, 999_999_999)), Err(RegisterError::NoProcess));
/// # unregister("one");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RegisterError {
    /// Another process has the name.
    NameTaken,
    /// The process does not exist.
    NoProcess,
    /// The process has a name already.
    HasName,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RegisterError::NameTaken => "another process has the name",
            RegisterError::NoProcess => "there is no such process",
            RegisterError::HasName => "the process has a name already",
        })
    }
}

impl Error for RegisterError {}
