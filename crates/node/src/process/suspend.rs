//! Suspending other processes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use lunatic_model::{Deed, NotSuspended, Pid};

use super::{NOTIFIED, Process, RUNNING};

/// Why a process was not suspended. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SuspendError {
    /// Nobody could resume it.
    #[error("a process cannot suspend itself")]
    OfItself,
    /// It does not exist, or ends already.
    #[error("the process does not exist, or it is ending")]
    NoProcess,
}

impl Process {
    /// Keeps another process from running, until it is resumed as often, or this one ends. It still
    /// handles signals. Ready when that process does not run.
    ///
    /// Two processes that suspend each other wait for ever, as in OTP.
    pub async fn suspend(self: &Arc<Self>, target: Pid) -> Result<(), SuspendError> {
        if target == self.pid {
            return Err(SuspendError::OfItself);
        }
        if !self.may(Deed::Exit, target) {
            return Err(SuspendError::NoProcess);
        }
        let other = self.environment.find(target).ok_or(SuspendError::NoProcess)?;
        self.with_both(&other, |own, state| {
            if !state.is_alive() {
                return Err(SuspendError::NoProcess);
            }
            own.suspend(state);
            other.suspended.store(true, Ordering::SeqCst);
            Ok(())
        })?;
        std::future::poll_fn(|_| {
            let turn = other.turn.load(Ordering::SeqCst);
            let stopped = turn != RUNNING && turn != NOTIFIED;
            if stopped || other.is_exiting() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Ok(())
    }

    /// Takes back one [`Process::suspend`].
    pub fn resume(&self, target: Pid) -> Result<(), NotSuspended> {
        let other = self.environment.find(target).filter(|other| other.pid != self.pid);
        let other = other.ok_or(NotSuspended)?;
        self.with_both(&other, |own, state| {
            own.resume(state)?;
            other.suspended.store(state.is_suspended(), Ordering::SeqCst);
            Ok(())
        })?;
        other.wake_by_ref();
        Ok(())
    }

    /// Its suspender has ended.
    pub(super) fn forget_suspender(self: &Arc<Self>, suspender: Pid) {
        self.with_state(|state| {
            state.forget_suspender(suspender);
            self.suspended.store(state.is_suspended(), Ordering::SeqCst);
        });
        self.wake_by_ref();
    }

    /// A turn of this suspended process is over: who waits for that goes on.
    pub(super) fn tell_suspenders(&self) {
        let suspenders: Vec<Pid> = self.with_state(|state| state.suspenders().collect());
        for suspender in suspenders {
            self.environment.wake(suspender);
        }
    }
}
