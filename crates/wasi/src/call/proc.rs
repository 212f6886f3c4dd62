//! The process itself: end, signals, giving way.

use std::convert::Infallible;
use std::future::poll_fn;
use std::task::Poll;

use crate::errno::Errno;
use crate::guest::{Answer, Failure, Fault, Guest};

/// Ends the process with `code`: never returns to the guest.
///
/// # Errors
/// Always [`Failure::Exit`].
pub fn proc_exit<G: Guest>(_guest: &mut G, code: u32) -> Result<Infallible, Failure> {
    Err(Failure::Exit(code.cast_signed()))
}

/// There are no signals of this kind here: always traps.
///
/// # Errors
/// Always [`Fault::Raised`].
pub fn proc_raise<G: Guest>(_guest: &mut G, signal: u32) -> Answer {
    Err(Fault::Raised(signal).into())
}

/// Lets other processes run first.
pub async fn sched_yield<G: Guest>(_guest: &mut G) -> Answer {
    give_way().await;
    Ok(Errno::Success)
}

/// Suspends once, and is ready to go on at once.
pub(super) async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
