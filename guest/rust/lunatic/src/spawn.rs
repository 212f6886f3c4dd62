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

use crate::abi;
use crate::config::{Config, Module};
use crate::entry::{Outcome, run};
use crate::format::{Format, Postcard};
use crate::host_error::HostError;
use crate::mailbox::{Mailbox, Process};
use crate::message::{self, Destination, tag};
use crate::pid::{Pid, Ref};
use crate::process::{Monitor, MonitorOptions, Priority};
use crate::reason::ExitReason;
pub use crate::spawn_error::SpawnError;

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
///
/// ```
/// use lunatic::{ExitReason, Mailbox, spawn_link, spawn_monitor};
///
/// let (_, monitor) = spawn_monitor((), |(), mailbox: Mailbox<()>| {
///     spawn_link((), |(), _: Mailbox<()>| -> ExitReason { "the child is ill".into() });
///     mailbox.receive().ok(); // never comes
/// });
/// let reason = monitor.wait(None).unwrap().reason;
/// assert_eq!(reason, ExitReason::Error("the child is ill".into()));
/// ```
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
///
/// Links, monitors, and entries by name:
///
/// ```
/// use lunatic::process::{MonitorOptions, trap_exit};
/// use lunatic::{ExitReason, Mailbox, Monitor, Process, Received, Ref, Spawn, message};
///
/// #[unsafe(export_name = "worker")]
/// extern "C" fn worker() {
///     let number = lunatic::argument::<u32>();
///     lunatic::exit(if number == Ok(7) { ExitReason::Shutdown } else { "another number".into() });
/// }
///
/// let (child, monitor): (Process<()>, Monitor) =
///     Spawn::new().spawn_export_monitor("worker", &7u32).unwrap();
/// let down = monitor.wait(None).unwrap();
/// assert_eq!((down.from, down.reason), (child.pid(), ExitReason::Shutdown));
///
/// let before = trap_exit(true);
/// let linked = Spawn::new().link_tagged(5).spawn((), |(), _: Mailbox<()>| ()).unwrap();
/// let Ok(Received::Exit(exit)) = Mailbox::<()>::new().receive_any(None) else { panic!() };
/// assert_eq!((exit.from, exit.tag), (linked.pid(), 5));
/// # trap_exit(before);
///
/// // The child answers through its monitor.
/// let answer = |to: Ref, _: Mailbox<()>| message::reply_postcard(to, &42u8).map_err(|_| "no");
/// let (_, monitor) = Spawn::new()
///     .link()
///     .monitor_options(MonitorOptions::CALL)
///     .spawn_reporting(|reference| reference, answer)
///     .unwrap();
/// let pattern = message::Pattern::reference(monitor.reference());
/// let envelope = message::receive(&[pattern], None).unwrap();
/// assert_eq!(envelope.decode::<u8, lunatic::Postcard>(), Ok(42));
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
    ///
    /// ```
    /// use lunatic::{ExitReason, Mailbox, Module, Spawn};
    ///
    /// // The bytes of a `.wasm` file that exports the function `f`.
    /// # let head = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0";
    /// # let wasm = &[&head[..], b"\x07\x05\x01\x01f\0\0\x0a\x04\x01\x02\0\x0b"].concat();
    /// let module = Module::compile(wasm).unwrap();
    /// let (_, monitor) =
    ///     Spawn::new().module(&module).spawn_export_monitor::<(), (), ()>("f", &()).unwrap();
    /// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
    ///
    /// // Without it, what runs is a function of this module.
    /// let (_, monitor) = Spawn::new().spawn_monitor((), |(), _: Mailbox<()>| ()).unwrap();
    /// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
    /// ```
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
    ///
    /// ```
    /// use lunatic::{Mailbox, Process, Spawn};
    ///
    /// #[unsafe(export_name = "double")]
    /// extern "C" fn double() {
    ///     if let Ok((parent, number)) = lunatic::argument::<(Process<u32>, u32)>() {
    ///         parent.send(2 * number);
    ///     }
    /// }
    ///
    /// let mailbox = Mailbox::<u32>::new();
    /// let argument = (mailbox.this(), 21u32);
    /// let _double: Process<()> = Spawn::new().spawn_export("double", &argument).unwrap();
    /// assert_eq!(mailbox.receive().unwrap(), 42);
    /// ```
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
