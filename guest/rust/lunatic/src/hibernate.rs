//! Hibernation: the call stack goes, and a function is called when there is a message.

use crate::abi;
use crate::entry::{Outcome, finish};
use crate::reason::ExitReason;

/// The name under which the function that goes on is exported.
const WAKE: &str = "lunatic_rust_wake";

/// How a process goes on: kept in its memory while it hibernates.
struct Rest<A, R> {
    entry: fn(A) -> R,
    argument: A,
}

/// Gives up the call stack, waits until there is a message, and calls `entry`, as Erlang's
/// `hibernate`; when that comes back, the process ends. No message is taken; if there is one, the
/// function is called at once.
///
/// What the process has stays: memory, statics, links, monitors, names, timers. What is on the
/// stack is neither dropped nor kept: everything that is still needed goes into the argument.
///
/// The stack of a program lies in its memory, and the runtime can put it back only if the program
/// exports its pointer: `-Clink-arg=--export=__stack_pointer` in `rustflags` of the project's
/// `.cargo/config.toml`. Else each call of this function costs the stack that was in use.
///
/// ```
/// use lunatic::{ExitReason, Mailbox, hibernate, spawn_monitor};
///
/// fn awake((mailbox, count): (Mailbox<u8>, u8)) {
///     assert_eq!(mailbox.receive(), Ok(count));
///     if count < 3 {
///         hibernate((mailbox, count + 1), awake);
///     }
/// }
///
/// let (child, monitor) = spawn_monitor((), |(), mailbox| hibernate((mailbox, 1), awake));
/// for count in 1..=3 {
///     child.send(count);
/// }
/// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
/// ```
pub fn hibernate<A: 'static, R: Outcome + 'static>(argument: A, entry: fn(A) -> R) -> ! {
    let rest = Box::into_raw(Box::new(Rest { entry, argument }));
    let run: fn(usize) -> ExitReason = run::<A, R>;
    let mut params = [0; 34];
    for (param, number) in params.chunks_exact_mut(17).zip([run as usize, rest as usize]) {
        // An i32 and its value.
        param[0] = 0x7f;
        param[1..1 + size_of::<usize>()].copy_from_slice(&number.to_le_bytes());
    }
    let mut error = 0;
    // SAFETY: the texts live during the call, the place has eight bytes; what is on the stack is
    // not looked at again.
    unsafe {
        abi::process::hibernate(
            WAKE.as_ptr(),
            WAKE.len(),
            params.as_ptr(),
            params.len(),
            &raw mut error,
        )
    };
    unreachable!("the function is exported with these parameters")
}

/// Calls the function.
fn run<A, R: Outcome>(rest: usize) -> ExitReason {
    // SAFETY: `hibernate` made the address of a box of this type, and gave it away for this call.
    let rest = unsafe { Box::from_raw(rest as *mut Rest<A, R>) };
    let Rest { entry, argument } = *rest;
    entry(argument).reason()
}

/// Where every process of this crate goes on.
#[cfg(target_family = "wasm")]
#[unsafe(export_name = "lunatic_rust_wake")]
extern "C" fn wake(run: usize, rest: usize) {
    // SAFETY: `hibernate` made the number of a function of this type, in the same module.
    let run: fn(usize) -> ExitReason = unsafe { core::mem::transmute(run) };
    finish(run(rest));
}
