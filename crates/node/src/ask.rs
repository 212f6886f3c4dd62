//! Asking another process on behalf of one that waits: a call as the libraries of guests make it.

use std::sync::Arc;

use lunatic_model::{
    AliasMode, Envelope, Filter, Kinds, Message, MonitorOptions, Pattern, Pid, Position, Ref, Scan,
    Signal,
};

use crate::deadline::Destination;
use crate::environment::Environment;
use crate::process::Process;

/// The process that was asked ended without an answer, or there was none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("process {0} does not exist, or ended without an answer")]
pub struct Unanswered(pub Pid);

impl Process {
    /// Sends a message that holds a reference, and waits for what comes back through it. Waits
    /// while the other's mailbox is full. Nothing of the call is left in the mailbox; what was
    /// there before is not looked at. Dropped before it ends, it leaves nothing, either.
    pub async fn ask(
        self: &Arc<Self>,
        target: Pid,
        message: impl FnOnce(Ref) -> Message,
    ) -> Result<Message, Unanswered> {
        let searched = self.with_state(|state| state.mailbox_end());
        let alias = Some((AliasMode::ReplyDemonitor, false));
        let options = MonitorOptions { alias, ..Default::default() };
        // How far this process reaches does not matter: who redirected it chose whom it asks.
        let (reference, signal) = self.begin_monitor(target, options);
        if let Some(signal) = signal {
            self.environment().signal(target, signal);
        }
        let pattern = Pattern {
            kinds: Kinds::MESSAGE | Kinds::DOWN,
            tag: None,
            from: None,
            reference: Some(reference),
        };
        let filter = Filter::Patterns([pattern].into());
        let mut call = Call { process: self, reference, searched, filter, ended: false };
        self.send_redirected(target, message(reference)).await;
        let answer = self.receive_from(call.filter.clone(), searched).await;
        call.ended = true;
        match answer {
            Some(Envelope::Message(message)) => Ok(message),
            Some(Envelope::Exit { .. } | Envelope::Down { .. }) | None => Err(Unanswered(target)),
        }
    }

    /// Sends a message, and waits while the other's mailbox is full.
    ///
    /// # Errors
    /// There is no such process any more. One that ends with the message unread is none.
    pub async fn send_to_live(
        self: &Arc<Self>,
        target: Pid,
        message: Message,
    ) -> Result<(), Unanswered> {
        if self.environment().exists(target) {
            self.send_redirected(target, message).await;
            if self.environment().exists(target) {
                return Ok(());
            }
        }
        Err(Unanswered(target))
    }

    async fn send_redirected(self: &Arc<Self>, target: Pid, message: Message) {
        let sent = self.send_until(Destination::Redirected(target), message, None).await;
        debug_assert!(sent.is_ok(), "without a deadline nothing comes back");
    }
}

/// A call that has not ended.
struct Call<'a> {
    process: &'a Arc<Process>,
    reference: Ref,
    searched: Position,
    /// What takes its answer.
    filter: Filter,
    ended: bool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // From here on nothing comes; what has come by now is taken out.
        self.process.demonitor(self.reference, true);
        self.process.with_state(|state| {
            while let Scan::Unfinished(end) = state.receive(&self.filter, self.searched) {
                self.searched = end;
            }
            state.stop_waiting();
        });
    }
}

impl Environment {
    /// Tells a process something without waiting for room, as a timer does. Who calls it bounds how
    /// many such messages there can be.
    pub fn tell(&self, target: Pid, message: Message) {
        self.signal(target, Signal::Timer(message));
    }
}
