//! A process and its account: turns that are counted, and held where there is a debt.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lunatic_model::{ExitReason, Process as State};

use super::Process;
use crate::account::{Account, Membership};

impl Process {
    /// What it uses of its budgets; `None` if it has none.
    pub fn account(&self) -> Option<&Arc<Account>> {
        self.account.as_ref().map(|Membership(account)| account)
    }

    /// Whether it is held until its share of a core has come back.
    pub fn is_held(&self) -> bool {
        self.in_line.load(Ordering::SeqCst)
    }

    /// What its mailbox may hold follows from the memory that its budgets have left.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_room(&self, state: &mut State) {
        if let Some(account) = self.account() {
            state.allow(account.room());
        }
    }

    /// What lies in its mailbox counts in its budgets.
    #[cold]
    #[inline(never)]
    pub(super) fn count_mailbox(&self, state: &State) {
        if let Some(account) = self.account() {
            account.set_mailbox(state.mailbox_bytes());
        }
    }

    /// A turn of a process with an account: it does not begin in debt, unless it is the last one.
    /// Returns whether the process has more to do at once.
    #[cold]
    #[inline(never)]
    pub(super) fn take_counted_turn(self: &Arc<Self>, account: &Arc<Account>) -> bool {
        if !self.is_exiting() && !account.may_run(self) {
            return false;
        }
        let node = self.environment.node().clone();
        let began = node.cpu_clock();
        let again = self.take_turn();
        let used = node.cpu_clock().saturating_sub(began);
        again | self.count_cpu(account, used)
    }

    /// Counts processor time that was used for the process elsewhere, in nanoseconds. It ends if
    /// that was the last that it had.
    pub fn charge_cpu(self: &Arc<Self>, nanoseconds: u64) {
        if let Some(account) = self.account()
            && self.count_cpu(account, nanoseconds)
        {
            self.wake_by_ref();
        }
    }

    /// Whether it must end for it.
    fn count_cpu(&self, account: &Arc<Account>, nanoseconds: u64) -> bool {
        match account.charge_cpu(nanoseconds) {
            Some(limit) if !self.is_exiting() => {
                self.end(ExitReason::Limit(limit));
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether it was in no line before.
    pub(crate) fn stand_in_line(&self) -> bool {
        !self.in_line.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn leave_line(&self) {
        self.in_line.store(false, Ordering::SeqCst);
    }
}
