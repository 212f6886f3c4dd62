//! Sending a message, which is the only signal that can wait: at a full mailbox.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lunatic_model::{Delivery, ExitReason, Message, Pid, Process as State, Signal};

use crate::process::Process;

impl Process {
    /// Sends a message. Waits while the receiver's mailbox is full; a receiver that does not exist
    /// swallows it. A message to itself that does not fit ends this process.
    ///
    /// The sender can be killed while it waits; then the message was not sent.
    pub async fn send(self: &Arc<Self>, to: Pid, message: Message) {
        let Err(message) = self.try_send(to, message) else { return };
        let mut waiting = Some(message);
        let mut line = InLine { sender: self, to, place: None };
        std::future::poll_fn(|_| {
            let Some(message) = waiting.take() else { return Poll::Ready(()) };
            match line.send_or_wait(message) {
                Ok(()) => Poll::Ready(()),
                Err(message) => {
                    waiting = Some(message);
                    Poll::Pending
                }
            }
        })
        .await;
    }

    /// Waits while the mailbox of `to` is full. What fires later never waits, so it waits here,
    /// where it is made. If it is its own mailbox, this process ends: nobody else makes room.
    async fn wait_for_room(self: &Arc<Self>, to: Pid) {
        let mut line = InLine { sender: self, to, place: None };
        std::future::poll_fn(|_| {
            let Some(receiver) = self.environment().find(to) else { return Poll::Ready(()) };
            receiver.with_state(|state| {
                if state.has_room() {
                    Poll::Ready(())
                } else if to == self.pid() {
                    state.end(ExitReason::Limit("mailbox_limit"));
                    Poll::Ready(())
                } else {
                    line.place = Some(state.wait_for_room(self.pid(), 0, line.place));
                    Poll::Pending
                }
            })
        })
        .await;
    }

    /// Sends a message later, also if this process is dead by then. Waits while the receiver's
    /// mailbox is full. At a limit of timers the reason to end is returned.
    pub async fn send_after(
        self: &Arc<Self>,
        to: Pid,
        mut message: Message,
        delay: Duration,
    ) -> Result<u64, ExitReason> {
        self.wait_for_room(to).await;
        if let Some(reason) = self.exit_reason() {
            return Err(reason);
        }
        message.from = Some(self.pid());
        self.environment().node().timers().send_after(self, to, message, delay)
    }

    /// Sends a message unless the receiver's mailbox is full; then it comes back.
    pub fn try_send(self: &Arc<Self>, to: Pid, mut message: Message) -> Result<(), Message> {
        message.from = Some(self.pid());
        if to == self.pid() {
            self.deliver(Signal::Message(message));
            // One that does not fit ends the process.
            self.environment().count_message(!self.is_exiting());
            return Ok(());
        }
        let Some(receiver) = self.environment().find(to) else {
            self.environment().count_message(false);
            return Ok(());
        };
        receiver.deliver_in_line(message, None, |_, _| {})
    }
}

impl Process {
    /// Delivers a message in the order of those that wait. If it does not fit, `full` runs in the
    /// same step under the lock, so that room that appears later finds who waits for it.
    fn deliver_in_line(
        self: &Arc<Self>,
        message: Message,
        place: Option<u64>,
        full: impl FnOnce(&mut State, &Message),
    ) -> Result<(), Message> {
        let delivery = self.with_state(|state| {
            let delivery = state.deliver_in_line(message, place);
            if let Delivery::Full(message) = &delivery {
                full(state, message);
            }
            delivery
        });
        match delivery {
            Delivery::Full(message) => return Err(message),
            Delivery::Dead(_) => self.environment().count_message(false),
            Delivery::Done | Delivery::Answer(..) => self.environment().count_message(true),
            Delivery::Wake => {
                self.environment().count_message(true);
                self.wake_by_ref();
            }
        }
        Ok(())
    }
}

/// A sender at a full mailbox. However it leaves, by sending or by being killed, whoever is next in
/// line has its turn if there is room: a wake-up is never lost with the one who got it.
struct InLine<'a> {
    sender: &'a Arc<Process>,
    to: Pid,
    place: Option<u64>,
}

impl InLine<'_> {
    fn send_or_wait(&mut self, message: Message) -> Result<(), Message> {
        let environment = self.sender.environment();
        let Some(receiver) = environment.find(self.to) else {
            environment.count_message(false);
            return Ok(());
        };
        let sender = self.sender.pid();
        receiver.deliver_in_line(message, self.place, |state, message| {
            self.place = Some(state.wait_for_room(sender, message.bytes(), self.place));
        })
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let (environment, Some(place)) = (self.sender.environment(), self.place) else { return };
        let Some(receiver) = environment.find(self.to) else { return };
        let next = receiver.with_state(|state| {
            state.leave_line(place);
            state.next_sender()
        });
        if let Some(next) = next {
            environment.wake(next);
        }
    }
}
