//! The child's side of a spawn: the one exported entry, the argument, and how a process ends that
//! its function has given a result.

use crate::format::{Format, Postcard};
use crate::mailbox::Mailbox;
use crate::message::{self, Pattern, tag};
use crate::process::exit;
use crate::reason::ExitReason;

/// What the function of a process may give: nothing, or a result whose error is why it ends.
///
/// ```
/// use lunatic::{ExitReason, Mailbox, Outcome, spawn_monitor};
///
/// assert_eq!(().reason(), ExitReason::Normal);
/// assert_eq!(Err::<(), _>("it broke").reason(), ExitReason::Error("it broke".into()));
///
/// fn parse(text: String, _: Mailbox<()>) -> Result<(), Box<dyn std::error::Error>> {
///     text.parse::<u32>()?;
///     Ok(())
/// }
///
/// let (_, monitor) = spawn_monitor("seven".to_owned(), parse);
/// let reason = monitor.wait(None).unwrap().reason;
/// assert_eq!(reason, ExitReason::Error("invalid digit found in string".into()));
/// ```
pub trait Outcome {
    /// The reason to end with.
    fn reason(self) -> ExitReason;
}

impl Outcome for () {
    fn reason(self) -> ExitReason {
        ExitReason::Normal
    }
}

/// Names the type of a function that never comes back, which has no stable name of its own.
#[doc(hidden)]
pub trait Gives {
    /// That type.
    type Type;
}

impl<T> Gives for fn() -> T {
    type Type = T;
}

impl Outcome for <fn() -> ! as Gives>::Type {
    fn reason(self) -> ExitReason {
        self
    }
}

impl Outcome for ExitReason {
    fn reason(self) -> ExitReason {
        self
    }
}

impl<T: Outcome, E: Into<ExitReason>> Outcome for Result<T, E> {
    fn reason(self) -> ExitReason {
        match self {
            Ok(value) => value.reason(),
            Err(error) => error.into(),
        }
    }
}

/// Receives the argument and calls the entry.
pub(crate) fn run<A, M, F, R>(entry: usize) -> ExitReason
where
    Postcard: Format<A>,
    R: Outcome,
{
    // SAFETY: `own_entry` made the number of a function of this type, in the same module.
    let entry: fn(A, Mailbox<M, F>) -> R = unsafe { core::mem::transmute(entry) };
    match argument::<A>() {
        Ok(argument) => entry(argument, Mailbox::new()).reason(),
        Err(reason) => reason,
    }
}

/// The argument of the process that runs: the first thing that an exported entry asks for, when it
/// is one that processes of other languages may spawn.
///
/// # Errors
///
/// The reason to end with, if the argument is no `A`, or the parent ended before it sent it.
///
/// ```
/// use lunatic::{ExitReason, Process};
///
/// /// Spawned by `Spawn::spawn_export("adder", …)`, or by a program in another language.
/// #[unsafe(export_name = "adder")]
/// extern "C" fn adder() {
///     match lunatic::argument::<(Process<u32>, u32, u32)>() {
///         Ok((parent, a, b)) => parent.send(a + b),
///         Err(reason) => lunatic::exit(reason),
///     }
/// }
/// # let mailbox = lunatic::Mailbox::<u32>::new();
/// # let argument = (mailbox.this(), 1u32, 2u32);
/// # let _: Process<()> = lunatic::Spawn::new().spawn_export("adder", &argument).unwrap();
/// # assert_eq!(mailbox.receive().unwrap(), 3);
/// ```
pub fn argument<A>() -> Result<A, ExitReason>
where
    Postcard: Format<A>,
{
    let pattern = Pattern::tag(tag::ARGUMENT);
    let envelope = match message::receive(&[pattern], Some(core::time::Duration::ZERO)) {
        Some(envelope) => envelope,
        None => wait_for_argument(pattern)?,
    };
    envelope.decode::<A, Postcard>().map_err(|error| ExitReason::Error(error.to_string()))
}

/// The parent was interrupted between the spawn and the argument. It may end there.
#[cold]
fn wait_for_argument(pattern: Pattern) -> Result<message::Envelope, ExitReason> {
    let Some(parent) = crate::info::parent() else {
        return Err("a process that nobody spawned has no argument".into());
    };
    let monitor = parent.monitor();
    let patterns = [pattern, Pattern::DOWN.and_reference(monitor.reference())];
    match message::receive(&patterns, None) {
        Some(envelope) if envelope.kind() == message::Kind::Message => {
            monitor.demonitor();
            Ok(envelope)
        }
        Some(_) | None => Err("the parent ended before it sent the argument".into()),
    }
}

/// The entry of all processes that this crate spawns.
#[cfg(target_family = "wasm")]
#[unsafe(export_name = "lunatic_rust_entry")]
extern "C" fn enter(run: usize, entry: usize, logging: usize) {
    crate::panic::install_once();
    crate::logger::inherit(logging);
    // SAFETY: `own_entry` made the number of a function of this type, in the same module.
    let run: fn(usize) -> ExitReason = unsafe { core::mem::transmute(run) };
    finish(run(entry));
}

/// Ends the process with the reason; comes back if that is normal.
pub(crate) fn finish(reason: ExitReason) {
    if reason != ExitReason::Normal {
        exit(reason);
    }
}

/// What the attribute `lunatic::test` expands to.
#[doc(hidden)]
pub fn run_test<R: Outcome>(test: impl FnOnce() -> R) {
    crate::panic::tell(true);
    run_main(test);
}

/// What the attribute `lunatic::main` expands to.
#[doc(hidden)]
pub fn run_main<R: Outcome>(main: impl FnOnce() -> R) {
    crate::panic::install_once();
    finish(main().reason());
}
