//! Spawning: functions with an argument, in a process of their own.
//!
//! One exported function is the entry of all processes that this crate spawns. It is given two
//! places in the table of functions: that of `run`, made for the types of the entry, and that of
//! the
//! entry itself; and what sets up the process as its parent is set up (logging). All processes of a
//! module have the same table, so the numbers mean the same in the child.
//!
//! The argument is written before the spawn, so that one that cannot be written leaves nothing
//! behind, and is sent right after it, before the parent can do anything else.

use core::fmt;
use std::error::Error;

use crate::abi;
use crate::config::{Config, Module};
use crate::entry::{Outcome, run};
use crate::format::{EncodeError, Format, Postcard};
use crate::host_error::HostError;
use crate::mailbox::{Mailbox, Process};
use crate::message::{self, Destination, tag};
use crate::pid::{Pid, Ref};
use crate::process::{Monitor, MonitorOptions, Priority};
use crate::reason::ExitReason;

/// The name under which the entry of this crate's processes is exported.
pub(crate) const ENTRY: &str = "lunatic_rust_entry";

/// Runs a function in a new process, with an argument and a mailbox.
///
/// The function cannot capture anything, since processes share no memory: what it needs is its
/// argument, which is copied. Several values are a tuple.
///
/// # Panics
///
/// If the node takes no more processes, or the argument cannot be written. [`Spawn`] gives an error
/// instead. Traps if the process has no right to spawn.
///
/// ```
/// use lunatic::{Mailbox, Process, spawn};
///
/// let mailbox = Mailbox::<String>::new();
/// spawn((mailbox.this(), 3), |(parent, count), _: Mailbox<()>| {
///     parent.send("ho".repeat(count));
/// });
/// assert_eq!(mailbox.receive().unwrap(), "hohoho");
/// ```
#[track_caller]
pub fn spawn<A, M, F, R>(argument: A, entry: fn(A, Mailbox<M, F>) -> R) -> Process<M, F>
where
    Postcard: Format<A>,
    R: Outcome,
{
    expect(Spawn::new().spawn(argument, entry))
}

/// The same, linked: if one of both ends, the other does, too, unless it traps exits.
///
/// # Panics
///
/// As [`spawn`].
#[track_caller]
pub fn spawn_link<A, M, F, R>(argument: A, entry: fn(A, Mailbox<M, F>) -> R) -> Process<M, F>
where
    Postcard: Format<A>,
    R: Outcome,
{
    expect(Spawn::new().link().spawn(argument, entry))
}

/// The same, watched.
///
/// # Panics
///
/// As [`spawn`].
///
/// ```
/// use lunatic::{ExitReason, Mailbox, spawn_monitor};
///
/// let (_, monitor) = spawn_monitor((), |(), _: Mailbox<()>| panic!("oh no"));
/// let ExitReason::Error(text) = monitor.wait(None).unwrap().reason else { panic!() };
/// assert!(text.starts_with("panicked at ") && text.ends_with(": oh no"));
/// ```
#[track_caller]
pub fn spawn_monitor<A, M, F, R>(
    argument: A,
    entry: fn(A, Mailbox<M, F>) -> R,
) -> (Process<M, F>, Monitor)
where
    Postcard: Format<A>,
    R: Outcome,
{
    expect(Spawn::new().spawn_monitor(argument, entry))
}

#[track_caller]
fn expect<T>(result: Result<T, SpawnError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// Spawns with options.
///
/// ```
/// use lunatic::{Config, Mailbox, Spawn, process::Priority};
///
/// let config = Config::new().unwrap().memory_max(8 << 20);
/// let child = Spawn::new()
///     .config(&config)
///     .label("a child with eight megabytes")
///     .priority(Priority::Low)
///     .spawn("hello".to_owned(), |text, _: Mailbox<()>| println!("{text}"))
///     .unwrap();
/// assert_ne!(child.pid(), lunatic::Pid::this());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Spawn<'a> {
    link: Option<i64>,
    monitor: MonitorOptions,
    priority: Option<Priority>,
    config: Option<&'a Config>,
    module: Option<&'a Module>,
    label: &'a str,
}

impl<'a> Spawn<'a> {
    /// No options.
    pub fn new() -> Spawn<'a> {
        Spawn::default()
    }

    /// Links the child.
    pub fn link(self) -> Self {
        self.link_tagged(0)
    }

    /// Links the child; a trapped exit carries the tag.
    pub fn link_tagged(mut self, tag: i64) -> Self {
        self.link = Some(tag);
        self
    }

    /// What the monitor is, for those spawns that make one.
    pub fn monitor_options(mut self, options: MonitorOptions) -> Self {
        self.monitor = options;
        self
    }

    /// The priority of the child; it is normal otherwise, whatever the parent's is.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// What the child may do; what its parent may, otherwise.
    pub fn config(mut self, config: &'a Config) -> Self {
        self.config = Some(config);
        self
    }

    /// The module that [`spawn_export`](Spawn::spawn_export) spawns from; the own one, otherwise.
    pub fn module(mut self, module: &'a Module) -> Self {
        self.module = Some(module);
        self
    }

    /// The text by which people know the child, of at most 4,096 bytes.
    pub fn label(mut self, label: &'a str) -> Self {
        self.label = label;
        self
    }

    /// Spawns.
    ///
    /// # Errors
    ///
    /// If the node takes no more processes, or the argument cannot be written.
    pub fn spawn<A, M, F, R>(
        self,
        argument: A,
        entry: fn(A, Mailbox<M, F>) -> R,
    ) -> Result<Process<M, F>, SpawnError>
    where
        Postcard: Format<A>,
        R: Outcome,
    {
        let (child, _) = self.start(&argument, own_entry(entry), false)?;
        Ok(Process::from_pid(child))
    }

    /// Spawns and watches.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Spawn::spawn).
    pub fn spawn_monitor<A, M, F, R>(
        self,
        argument: A,
        entry: fn(A, Mailbox<M, F>) -> R,
    ) -> Result<(Process<M, F>, Monitor), SpawnError>
    where
        Postcard: Format<A>,
        R: Outcome,
    {
        let (child, reference) = self.start(&argument, own_entry(entry), true)?;
        Ok((Process::from_pid(child), Monitor::from_reference(reference)))
    }

    /// Spawns and watches, with an argument that depends on the reference of the monitor: for
    /// children that report their start through it (with [`MonitorOptions::CALL`]).
    ///
    /// # Errors
    ///
    /// As [`spawn`](Spawn::spawn).
    pub fn spawn_reporting<A, M, F, R>(
        self,
        argument: impl FnOnce(Ref) -> A,
        entry: fn(A, Mailbox<M, F>) -> R,
    ) -> Result<(Process<M, F>, Monitor), SpawnError>
    where
        Postcard: Format<A>,
        R: Outcome,
    {
        let own = own_entry(entry);
        let (child, reference) = self.spawn_raw(&own, true)?;
        let argument = argument(reference);
        if let Err(error) = message::create::<A, Postcard>(tag::ARGUMENT, &[], &argument) {
            child.unlink();
            Monitor::from_reference(reference).demonitor();
            child.kill();
            return Err(error.into());
        }
        send_argument(child);
        Ok((Process::from_pid(child), Monitor::from_reference(reference)))
    }

    /// Spawns an exported function of the module, which takes no parameters and receives its
    /// argument as `guest/wire.md` says: an entry in any language.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Spawn::spawn), and if the module cannot be instantiated.
    pub fn spawn_export<A, M, F>(
        self,
        name: &str,
        argument: &A,
    ) -> Result<Process<M, F>, SpawnError>
    where
        Postcard: Format<A>,
    {
        let entry = Entry { name, parameters: [Parameter::default(); 3], count: 0 };
        let (child, _) = self.start(argument, entry, false)?;
        Ok(Process::from_pid(child))
    }

    /// The same, watched.
    ///
    /// # Errors
    ///
    /// As [`spawn_export`](Spawn::spawn_export).
    pub fn spawn_export_monitor<A, M, F>(
        self,
        name: &str,
        argument: &A,
    ) -> Result<(Process<M, F>, Monitor), SpawnError>
    where
        Postcard: Format<A>,
    {
        let entry = Entry { name, parameters: [Parameter::default(); 3], count: 0 };
        let (child, reference) = self.start(argument, entry, true)?;
        Ok((Process::from_pid(child), Monitor::from_reference(reference)))
    }

    fn start<A>(
        self,
        argument: &A,
        entry: Entry<'_>,
        monitor: bool,
    ) -> Result<(Pid, Ref), SpawnError>
    where
        Postcard: Format<A>,
    {
        message::create::<A, Postcard>(tag::ARGUMENT, &[], argument)?;
        let (child, reference) = self.spawn_raw(&entry, monitor)?;
        send_argument(child);
        Ok((child, reference))
    }

    fn spawn_raw(self, entry: &Entry<'_>, monitor: bool) -> Result<(Pid, Ref), SpawnError> {
        let flags = u32::from(self.link.is_some())
            | u32::from(monitor) << 1
            | u32::from(self.priority.is_some()) << 2;
        let options = Options {
            flags,
            priority: self.priority.unwrap_or_default() as u32,
            config: self.config.map_or(u64::MAX, Config::id),
            module: self.module.map_or(u64::MAX, Module::id),
            entry: entry.name.as_ptr(),
            entry_length: entry.name.len(),
            parameters: entry.parameters.as_ptr(),
            parameters_length: size_of::<Parameter>() * entry.count,
            link_tag: self.link.unwrap_or(0),
            label: self.label.as_ptr(),
            label_length: self.label.len(),
            monitor: self.monitor.bits(),
            reserved: [0; 3],
        };
        let mut result = [0u64; 4];
        // SAFETY: options has the layout of the ABI; what it points to lives during the call, and
        // the result has 32 bytes.
        let code = unsafe {
            let options = (&raw const options).cast();
            abi::process::spawn_with(options, size_of::<Options>(), result.as_mut_ptr())
        };
        HostError::check(code, result[0]).map_err(SpawnError::Refused)?;
        Ok((Pid::new(result[0], result[1]), Ref::new(result[2], result[3])))
    }
}

/// Sends the argument that is in the slot.
fn send_argument(child: Pid) {
    // The child's mailbox is empty, so this does not wait; a child that is dead already needs none.
    let _ = message::send_created(Destination::Pid(child), None);
}

/// The options of a spawn, as the ABI wants them.
#[repr(C)]
struct Options {
    flags: u32,
    priority: u32,
    config: u64,
    module: u64,
    entry: *const u8,
    entry_length: usize,
    parameters: *const Parameter,
    parameters_length: usize,
    link_tag: i64,
    label: *const u8,
    label_length: usize,
    monitor: u32,
    reserved: [u32; 3],
}

#[cfg(target_family = "wasm")]
const _: () = assert!(size_of::<Options>() == 72 && size_of::<Parameter>() == 17);

/// A parameter of an entry: a type (0x7f is i32) and 16 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Parameter {
    kind: u8,
    value: [u8; 16],
}

impl Default for Parameter {
    fn default() -> Parameter {
        Parameter { kind: 0x7f, value: [0; 16] }
    }
}

impl Parameter {
    pub(crate) fn new(place: usize) -> Parameter {
        let mut value = [0; 16];
        value[..size_of::<usize>()].copy_from_slice(&place.to_le_bytes());
        Parameter { kind: 0x7f, value }
    }
}

/// An exported function and its parameters.
struct Entry<'a> {
    name: &'a str,
    parameters: [Parameter; 3],
    count: usize,
}

fn own_entry<A, M, F, R>(entry: fn(A, Mailbox<M, F>) -> R) -> Entry<'static>
where
    Postcard: Format<A>,
    R: Outcome,
{
    let run: fn(usize) -> ExitReason = run::<A, M, F, R>;
    let parameters = [
        Parameter::new(run as usize),
        Parameter::new(entry as usize),
        Parameter::new(crate::logger::inherited()),
    ];
    Entry { name: ENTRY, parameters, count: 3 }
}

/// Why no process was spawned. Nothing is left of it.
#[derive(Clone, PartialEq, Eq)]
pub enum SpawnError {
    /// The node takes no more, or the module cannot be instantiated.
    Refused(HostError),
    /// The argument cannot be written.
    Argument(EncodeError),
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::Refused(error) => write!(f, "cannot spawn a process: {error}"),
            SpawnError::Argument(error) => write!(f, "cannot spawn a process: {error}"),
        }
    }
}

impl Error for SpawnError {}

impl From<EncodeError> for SpawnError {
    fn from(error: EncodeError) -> SpawnError {
        SpawnError::Argument(error)
    }
}
