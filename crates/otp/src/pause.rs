//! Giving way: what a native body does where a guest would be interrupted.

use std::future::poll_fn;
use std::task::Poll;

/// Lets other processes run.
pub(crate) async fn give_way() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
