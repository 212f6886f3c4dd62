//! Sending a message, which is the only signal that can wait: at a full mailbox.

use std::sync::Arc;
use std::task::Poll;

use lunatic_model::{Delivery, Message, Pid, Signal};

use crate::process::Process;

impl Process {
    /// Sends a message. Waits while the receiver's mailbox is full; a receiver that does not exist
    /// swallows it. A message to itself that does not fit ends this process.
    ///
    /// The sender can be killed while it waits; then the message was not sent.
    pub async fn send(self: &Arc<Self>, to: Pid, message: Message) {
        let mut waiting = self.try_send(to, message).err();
        if waiting.is_none() {
            return;
        }
        std::future::poll_fn(|_| {
            let Some(message) = waiting.take() else { return Poll::Ready(()) };
            match self.send_or_enqueue(to, message) {
                Ok(()) => Poll::Ready(()),
                Err(message) => {
                    waiting = Some(message);
                    Poll::Pending
                }
            }
        })
        .await;
    }

    /// Sends a message unless the receiver's mailbox is full; then it comes back.
    pub fn try_send(self: &Arc<Self>, to: Pid, mut message: Message) -> Result<(), Message> {
        message.from = Some(self.pid());
        if to == self.pid() {
            self.deliver(Signal::Message(message));
            return Ok(());
        }
        self.environment().try_signal(to, Signal::Message(message))
    }

    fn send_or_enqueue(self: &Arc<Self>, to: Pid, message: Message) -> Result<(), Message> {
        let Some(receiver) = self.environment().find(to) else { return Ok(()) };
        // One step under the receiver's lock: room that appears after it was full wakes us.
        let delivery = receiver.with_state(|state| match state.deliver(Signal::Message(message)) {
            Delivery::Full(message) => {
                state.wait_for_room(self.pid());
                Delivery::Full(message)
            }
            delivery => delivery,
        });
        match delivery {
            Delivery::Full(message) => Err(message),
            Delivery::Wake => {
                receiver.wake_by_ref();
                Ok(())
            }
            Delivery::Done | Delivery::Answer(..) | Delivery::Dead(_) => Ok(()),
        }
    }
}
