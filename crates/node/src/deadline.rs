//! Sending with a deadline, to processes and to aliases.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lunatic_model::{Message, Pid, Ref};

use crate::process::Process;
use crate::send::InLine;

/// Where a message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To a process.
    Process(Pid),
    /// To a process that the sender was redirected to: whoever did that reaches it.
    Redirected(Pid),
    /// Through an alias of a process.
    Alias {
        /// The alias.
        reference: Ref,
        /// As a priority message, where the alias takes such.
        priority: bool,
    },
}

impl Process {
    /// Sends a message, and waits while the receiver's mailbox is full, for `timeout` at most. It
    /// is tried once before the deadline is looked at; at the deadline it comes back. What does not
    /// exist swallows it. A message to itself that does not fit ends this process.
    pub async fn send_until(
        self: &Arc<Self>,
        to: Destination,
        mut message: Message,
        timeout: Option<Duration>,
    ) -> Result<(), Message> {
        message.from = Some(self.pid());
        let mut waiting = Some(message);
        let mut deadline = timeout.map(|timeout| self.sleep(timeout));
        let mut line = InLine::new(self, to);
        let (mut counted, mut pause) = (self.account().is_none(), None);
        std::future::poll_fn(|cx| {
            let Some(mut message) = waiting.take() else { return Poll::Ready(Ok(())) };
            match self.account().filter(|_| !counted).map(|account| account.take_send()) {
                Some(Err(at)) => {
                    // Its budget of messages is used up for now.
                    let timers = self.environment().node().timers();
                    pause.insert(timers.sleep_until(at)).arm(cx.waker());
                }
                Some(Ok(())) | None => {
                    counted = true;
                    match line.send_or_wait(message) {
                        Ok(()) => return Poll::Ready(Ok(())),
                        Err(unsent) => message = unsent,
                    }
                }
            }
            if let Some(deadline) = &mut deadline {
                if deadline.has_passed() {
                    return Poll::Ready(Err(message));
                }
                deadline.arm(cx.waker());
            }
            waiting = Some(message);
            Poll::Pending
        })
        .await
    }
}
