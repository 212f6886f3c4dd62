//! Panics become exit reasons: the process ends with an error that says what and where. And
//! [`catch`], for code that must not take its process with it.
//!
//! The runtime reports processes that fail, with the reason; so a panic says nothing by itself,
//! unless it is caught, or the process belongs to a test, whose output is shown on its own. What it
//! says has the form of std's, with the pid in the place of the thread's name, since tools
//! (`lunatic test` for one) read it.
//!
//! What must stay true: a panic that is caught comes back from the hook, so that std knows that the
//! hook is over, and traps behind it; one that is not caught ends the process in the hook.

use core::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;

use crate::abi;
use crate::message;
use crate::pid::Pid;
use crate::process::exit;
use crate::reason::ExitReason;

thread_local! {
    /// How many calls of `catch` there are around what runs.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    /// Whether all panics are told here, as in tests.
    static TELLING: Cell<bool> = const { Cell::new(false) };
    /// Whether the hook was set.
    static INSTALLED: Cell<bool> = const { Cell::new(false) };
    /// What the panic said that is being caught.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What panics call from now on, in this process. Entries that this crate spawns and the attributes
/// `main` and `test` call it; a plain `main` may.
///
/// ```no_run
/// lunatic::panic::install();
/// panic!("the program ends with this as its reason");
/// ```
pub fn install() {
    INSTALLED.set(true);
    std::panic::set_hook(Box::new(hook));
}

/// The same, unless it was done already.
pub(crate) fn install_once() {
    if !INSTALLED.get() {
        install();
    }
}

/// Tells all panics from now on, also in children.
pub(crate) fn tell(telling: bool) {
    TELLING.set(telling);
}

/// Whether it does.
pub(crate) fn tells() -> bool {
    TELLING.get()
}

/// The stack is given up, and with it all calls of `catch`.
pub(crate) fn leave_all() {
    CATCHING.set(0);
}

fn hook(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a value that is no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let text = format!("panicked at {place}: {message}");
    let caught = CATCHING.get() > 0;
    if caught || TELLING.get() {
        eprintln!("thread '{}' panicked at {place}:\n{message}", Pid::this());
    }
    if !caught {
        exit(ExitReason::Error(text));
    }
    CAUGHT.set(Some(text));
}

/// Runs a function; if it panics or traps, gives why instead of ending the process.
///
/// WebAssembly does not unwind: what the function had begun stays as it was at that moment, and no
/// destructors run (its memory, its sockets and its locks stay taken). So what it could change is
/// not to be trusted afterwards, and most code does better in a process of its own. An exit, a kill
/// and a limit are not caught; calls nest sixteen deep. std believes from then on that the process
/// panics ([`std::thread::panicking`]).
///
/// # Errors
///
/// [`ExitReason::Error`] with the message and place of a panic; [`ExitReason::Trap`], without
/// details, for another trap, such as the end of the stack, and for a panic in a program that has
/// set a hook of its own.
///
/// ```standalone_crate
/// use lunatic::{ExitReason, panic};
///
/// assert_eq!(panic::catch(|| 1 + 1), Ok(2));
/// let Err(ExitReason::Error(text)) = panic::catch(|| panic!("oh no")) else { unreachable!() };
/// assert!(text.starts_with("panicked at ") && text.ends_with(": oh no"));
/// ```
pub fn catch<R>(function: impl FnOnce() -> R) -> Result<R, ExitReason> {
    install_once();
    let mut call = Call { function: Some(function), result: None };
    let catching = CATCHING.replace(CATCHING.get() + 1);
    let run = call.run();
    // SAFETY: the export gives both words to `run`, which finds the call where it lies.
    let whole = unsafe { abi::trap::catch(run as usize, (&raw mut call).expose_provenance()) };
    CATCHING.set(catching);
    if whole != 0
        && let Some(result) = call.result
    {
        return Ok(result);
    }
    message::forget_what_was_begun();
    Err(match CAUGHT.take() {
        Some(text) => ExitReason::Error(text),
        None => ExitReason::Trap("a function whose traps are caught".to_owned()),
    })
}

/// A call that may trap, and its result.
struct Call<R, F> {
    function: Option<F>,
    result: Option<R>,
}

impl<R, F: FnOnce() -> R> Call<R, F> {
    /// The function that makes such a call.
    fn run(&self) -> fn(usize) {
        run_call::<R, F>
    }
}

fn run_call<R, F: FnOnce() -> R>(call: usize) {
    // SAFETY: `catch` gives the address of a call of this type, which waits for it.
    let call = unsafe { &mut *core::ptr::with_exposed_provenance_mut::<Call<R, F>>(call) };
    if let Some(function) = call.function.take() {
        call.result = Some(function());
    }
}

/// What the runtime calls for `catch`.
#[cfg(target_family = "wasm")]
#[unsafe(export_name = "_lunatic_catch_trap")]
extern "C" fn enter(run: usize, call: usize) -> usize {
    // SAFETY: `catch` has given a function of this type.
    let run: fn(usize) = unsafe { core::mem::transmute(run) };
    run(call);
    1
}
