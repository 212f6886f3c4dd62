//! Sending a message, which is the only signal that can wait: at a full mailbox.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lunatic_model::{
    AliasDelivery, Deed, Delivery, ExitReason, Message, Pid, Process as State, Ref, Signal,
};

use crate::account::Account;
use crate::deadline::Destination;
use crate::process::Process;

impl Process {
    /// Sends a message. Waits while the receiver's mailbox is full; a receiver that does not exist
    /// swallows it. A message to itself that does not fit ends this process.
    ///
    /// The sender can be killed while it waits; then the message was not sent.
    pub async fn send(self: &Arc<Self>, to: Pid, message: Message) {
        if self.account().is_some() {
            // Boxed, so that the others' future is not larger for it.
            Box::pin(self.wait_to_send()).await;
        }
        let Err(message) = self.try_send(to, message) else { return };
        let mut waiting = Some(message);
        let mut line = InLine::new(self, Destination::Process(to));
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

    /// Waits until its budgets let it send one message more, which counts from then on.
    async fn wait_to_send(&self) {
        let Some(account) = self.account() else { return };
        while let Err(at) = account.take_send() {
            self.environment().node().timers().sleep_until(at).await;
        }
    }

    /// Waits while the mailbox of `to` is full. What fires later never waits, so it waits here,
    /// where it is made. If it is its own mailbox, this process ends: nobody else makes room.
    async fn wait_for_room(self: &Arc<Self>, to: Pid) {
        let mut line = InLine::new(self, Destination::Process(to));
        std::future::poll_fn(|_| {
            let Some(receiver) = self.environment().find(to) else { return Poll::Ready(()) };
            receiver.with_state(|state| {
                if state.has_room() {
                    Poll::Ready(())
                } else if to == self.pid() {
                    state.end(ExitReason::Limit("mailbox_limit"));
                    Poll::Ready(())
                } else {
                    let place = line.place.map(|(_, place)| place);
                    line.place = Some((to, state.wait_for_room(self.pid(), 0, place)));
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
        message: Message,
        delay: Duration,
    ) -> Result<u64, ExitReason> {
        let reference = self.environment().node().next_ref();
        self.set_timer(reference, Recipient::Process(to), message, delay).await?;
        Ok(reference.serial)
    }

    /// The same with a reference that the message carries. A name is looked up when it is time, and
    /// what nobody has then swallows the message.
    pub async fn start_timer(
        self: &Arc<Self>,
        to: Recipient,
        mut message: Message,
        delay: Duration,
    ) -> Result<Ref, ExitReason> {
        let reference = self.environment().node().next_ref();
        message.reference = Some(Box::new(reference));
        self.set_timer(reference, to, message, delay).await?;
        Ok(reference)
    }

    async fn set_timer(
        self: &Arc<Self>,
        reference: Ref,
        to: Recipient,
        mut message: Message,
        delay: Duration,
    ) -> Result<(), ExitReason> {
        let receiver = match &to {
            Recipient::Process(to) => Some(*to),
            Recipient::Name(name) => self.environment().whereis(name),
        };
        self.wait_to_send().await;
        if let Some(receiver) = receiver.filter(|to| self.reaches(Deed::Send, *to)) {
            self.wait_for_room(receiver).await;
        }
        if let Some(reason) = self.exit_reason() {
            return Err(reason);
        }
        message.from = Some(self.pid());
        self.environment().node().timers().send_after(self, reference.serial, to, message, delay)
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
        let receiver = self.may(Deed::Send, to).then(|| self.environment().find(to)).flatten();
        let Some(receiver) = receiver else {
            self.environment().count_message(false);
            return Ok(());
        };
        receiver.deliver_in_line(message, None, |_, _| {})
    }
}

impl Process {
    /// Delivers a message that nobody waits with: it comes back if the mailbox is full, or others
    /// wait already.
    pub fn offer(self: &Arc<Self>, message: Message) -> Result<(), Message> {
        self.deliver_in_line(message, None, |_, _| {})
    }

    /// Delivers a message in the order of those that wait. If it does not fit, `full` runs in the
    /// same step under the lock, so that room that appears later finds who waits for it.
    fn deliver_in_line(
        self: &Arc<Self>,
        message: Message,
        place: Option<u64>,
        full: impl FnOnce(&mut State, &Message),
    ) -> Result<(), Message> {
        let delivery = self.with_state(|state| {
            let delivery = match self.may_receive(&message) {
                true => state.deliver_in_line(message, place),
                false => Delivery::Full(message),
            };
            if let Delivery::Full(message) = &delivery {
                full(state, message);
            }
            delivery
        });
        self.note_delivery(&delivery);
        self.delivered(delivery)
    }

    /// Counts a message that is delivered, and lets the process run if it must.
    fn delivered(self: &Arc<Self>, delivery: Delivery) -> Result<(), Message> {
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

    /// Whether its budgets of messages have room; it never waits for itself.
    fn may_receive(&self, message: &Message) -> bool {
        let to_self = message.from == Some(self.pid());
        self.account().is_none_or(|account| to_self || account.may_receive())
    }

    /// Counts what was received. What was not, for want of memory elsewhere or for its rate, is
    /// tried again in time.
    #[inline]
    fn note_delivery(self: &Arc<Self>, delivery: &Delivery) {
        if let Some(account) = self.account() {
            self.note_counted_delivery(account, delivery);
        }
    }

    #[cold]
    #[inline(never)]
    fn note_counted_delivery(self: &Arc<Self>, account: &Arc<Account>, delivery: &Delivery) {
        match delivery {
            Delivery::Full(message) => {
                account.starves(self, message.bytes());
                account.receives_later(self);
            }
            Delivery::Done | Delivery::Wake | Delivery::Answer(..) => account.count_received(),
            Delivery::Dead(_) => {}
        }
    }

    /// The same through an alias of this process. To itself, too: then it never comes back.
    fn deliver_by_alias(
        self: &Arc<Self>,
        reference: Ref,
        message: Message,
        priority: bool,
        place: Option<u64>,
        full: impl FnOnce(&mut State, &Message),
    ) -> Result<(), Message> {
        let done = self.with_state(|state| {
            let done = match self.may_receive(&message) {
                true => state.deliver_by_alias(reference, message, priority, place),
                false => AliasDelivery {
                    delivery: Delivery::Full(message),
                    ended: false,
                    demonitor: None,
                },
            };
            if let Delivery::Full(message) = &done.delivery {
                full(state, message);
            }
            done
        });
        let AliasDelivery { delivery, ended, demonitor } = done;
        self.note_delivery(&delivery);
        if ended {
            self.environment().aliases().remove(reference);
        }
        if let Some(target) = demonitor {
            self.environment().signal(target, Signal::Demonitor { reference });
        }
        self.delivered(delivery)
    }
}

/// To whom a timer sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recipient {
    /// To a process.
    Process(Pid),
    /// To the process that has the name when it is time.
    Name(Arc<str>),
}

/// A sender at a full mailbox. However it leaves, by sending or by being killed, whoever is next in
/// line has its turn if there is room: a wake-up is never lost with the one who got it.
pub(crate) struct InLine<'a> {
    sender: &'a Arc<Process>,
    to: Destination,
    /// At whose mailbox it waits, and where in the line.
    place: Option<(Pid, u64)>,
}

impl<'a> InLine<'a> {
    pub(crate) fn new(sender: &'a Arc<Process>, to: Destination) -> InLine<'a> {
        InLine { sender, to, place: None }
    }

    /// Sends the message, or waits for room; the message comes back then.
    pub(crate) fn send_or_wait(&mut self, message: Message) -> Result<(), Message> {
        let environment = self.sender.environment();
        let sender = self.sender.pid();
        let (receiver, alias) = match self.to {
            Destination::Process(to) if self.sender.may(Deed::Send, to) => (to, None),
            Destination::Process(_) => {
                environment.count_message(false);
                return Ok(());
            }
            Destination::Redirected(to) => (to, None),
            Destination::Alias { reference, priority } => {
                let Some(owner) = environment.aliases().owner(reference, self.sender) else {
                    environment.count_message(false);
                    return Ok(());
                };
                (owner, Some((reference, priority)))
            }
        };
        // In its start section a process is not in the table yet, and finds itself all the same.
        let own = || (receiver == sender).then(|| self.sender.clone());
        let Some(receiver) = own().or_else(|| environment.find(receiver)) else {
            environment.count_message(false);
            return Ok(());
        };
        let to = receiver.pid();
        let place = self.place.map(|(_, place)| place);
        let wait = |state: &mut State, message: &Message| {
            self.place = Some((to, state.wait_for_room(sender, message.bytes(), place)));
        };
        match alias {
            Some((reference, priority)) => {
                receiver.deliver_by_alias(reference, message, priority, place, wait)
            }
            None => receiver.deliver_in_line(message, place, wait),
        }
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let (environment, Some((to, place))) = (self.sender.environment(), self.place) else {
            return;
        };
        let Some(receiver) = environment.find(to) else { return };
        let next = receiver.with_state(|state| {
            state.leave_line(place);
            state.next_sender()
        });
        if let Some(next) = next {
            environment.wake(next);
        }
    }
}
