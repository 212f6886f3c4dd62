//! Hibernating: a process that waits for long gives up its stack.

use crate::abi;
use crate::entry::Outcome;
use crate::host_error::HostError;
use crate::mailbox::Mailbox;
use crate::reason::ExitReason;
use crate::spawn::{ENTRY, Parameter};

/// Gives up the call stack, waits until there is a message, and goes on in `entry`, with what it
/// needs: OTP's `hibernate`. When that comes back, the process ends, as if it had been spawned with
/// it. No message is taken.
///
/// Nothing on the stack is cleaned up: destructors of callers do not run. What `state` holds is
/// moved, not copied; so it may hold anything. The stack begins anew only if the program exports
/// its pointer, as the settings of `lunatic new` say; else it becomes smaller each time.
///
/// # Panics
///
/// If the runtime refuses, which it does where the entry of this crate was taken out of the
/// program.
///
/// ```
/// use lunatic::{Mailbox, Process, process::hibernate, spawn};
///
/// fn count((total, parent): (u32, Process<u32>), mailbox: Mailbox<u32>) {
///     match mailbox.receive().unwrap() {
///         0 => parent.send(total),
///         // Nothing of this call is kept until the next message.
///         number => hibernate((total + number, parent), count),
///     }
/// }
///
/// let mailbox = Mailbox::<u32>::new();
/// let counter = spawn((0, mailbox.this()), count);
/// for number in [1, 2, 3, 0] {
///     counter.send(number);
/// }
/// assert_eq!(mailbox.receive().unwrap(), 6);
/// ```
pub fn hibernate<S, M, F, R: Outcome>(state: S, entry: fn(S, Mailbox<M, F>) -> R) -> ! {
    let run: fn(usize) -> ExitReason = wake::<S, M, F, R>;
    let kept = Box::into_raw(Box::new((state, entry)));
    let parameters = [
        Parameter::new(run as usize),
        Parameter::new(kept.expose_provenance()),
        Parameter::new(crate::logger::inherited()),
    ];
    let mut error = 0;
    crate::panic::leave_all();
    // SAFETY: name and parameters live during the call, which reads them before anything else.
    let result = unsafe {
        abi::process::hibernate(
            ENTRY.as_ptr(),
            ENTRY.len(),
            parameters.as_ptr().cast(),
            size_of_val(&parameters),
            &raw mut error,
        )
    };
    match HostError::check(result, error) {
        Ok(()) => unreachable!("a process that hibernates goes on elsewhere"),
        Err(error) => panic!("the process cannot hibernate: {error}"),
    }
}

/// What runs when there is a message.
fn wake<S, M, F, R: Outcome>(kept: usize) -> ExitReason {
    let kept = core::ptr::with_exposed_provenance_mut::<(S, fn(S, Mailbox<M, F>) -> R)>(kept);
    // SAFETY: `hibernate` has left a box of this type, and this runs once.
    let (state, entry) = *unsafe { Box::from_raw(kept) };
    entry(state, Mailbox::new()).reason()
}
