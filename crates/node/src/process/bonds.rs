//! Links and monitors of a process: what is changed at both ends, and in which order.
//!
//! A link changes at both ends in one step, under both locks. A monitor begins at the watcher, so
//! that a down finds it.

use std::sync::Arc;

use lunatic_model::{
    Deed, Delivery, ExitReason, MonitorOptions, Pid, Process as State, Ref, Signal, Tag,
};

use super::Process;

impl Process {
    /// Links itself with another process. If that one is dead, the exit signal comes at once.
    pub fn link(self: &Arc<Self>, to: Pid, tag: Tag) {
        self.link_with(to, tag, false);
    }

    /// The same; with `priority`, a trapped exit of this link goes before ordinary messages.
    pub fn link_with(self: &Arc<Self>, to: Pid, tag: Tag, priority: bool) {
        let reached = self.may(Deed::Link, to);
        self.change_link(to, reached, |state| state.link_with(to, tag, priority));
    }

    /// Links this process with a child that has no body yet. If this one is dead, or at its limit
    /// of links, the child hears of that at once: nobody could tell it later.
    pub(crate) fn link_child(&self, child: &Process, tag: Tag) {
        let (from, pid) = (self.pid, child.pid);
        self.with_both(child, |state, child| {
            // The child's end has no tag: only its parent chose one.
            child.begin_linked(from);
            let refused = match state.link(pid, tag) {
                None => state.exiting().cloned(),
                Some(_) => match state.deliver(Signal::Link { from: pid, tag }) {
                    Delivery::Dead(_) => Some(ExitReason::NoProcess),
                    Delivery::Done | Delivery::Wake | Delivery::Answer(..) | Delivery::Full(_) => {
                        None
                    }
                },
            };
            if let Some(reason) = refused {
                child.deliver(Signal::Exit { from, reason, link: true });
            }
        });
    }

    /// Removes a link; from now on its exit signals have no effect here.
    pub fn unlink(self: &Arc<Self>, from: Pid) {
        self.change_link(from, true, |state| state.unlink(from));
    }

    /// Changes both ends of a link in one step. Were the other end changed later, its own change of
    /// the link could come in between, and one end would stay.
    /// Who is not `reached` is as dead.
    fn change_link(
        self: &Arc<Self>,
        peer: Pid,
        reached: bool,
        own: impl FnOnce(&mut State) -> Option<Signal>,
    ) {
        let other = self.environment.find(peer).filter(|other| reached && other.pid != self.pid);
        let unheard = match other {
            Some(other) => self.with_both(&other, |state, peer| match peer.deliver(own(state)?) {
                Delivery::Answer(_, answer) => {
                    state.deliver(answer);
                    None
                }
                Delivery::Dead(signal) => Some(signal),
                Delivery::Done | Delivery::Wake | Delivery::Full(_) => None,
            }),
            None => self.with_state(own),
        };
        if let Some(signal) = unheard {
            self.environment.answer_for_the_dead(peer, signal);
        }
    }

    /// The states of two processes at once, locked in the order of their pids.
    pub(super) fn with_both<R>(
        &self,
        other: &Process,
        act: impl FnOnce(&mut State, &mut State) -> R,
    ) -> R {
        if self.pid < other.pid {
            self.with_state(|one| other.with_state(|two| act(one, two)))
        } else {
            other.with_state(|two| self.with_state(|one| act(one, two)))
        }
    }

    /// Watches another process. If that one is dead, the down comes at once.
    pub fn monitor(&self, target: Pid) -> Ref {
        let reference = self.environment.node().next_ref();
        if let Some(signal) = self.with_state(|state| state.monitor(reference, target)) {
            self.watch(target, signal);
        }
        reference
    }

    /// Who is out of reach is as dead.
    fn watch(&self, target: Pid, signal: Signal) {
        if self.may(Deed::Monitor, target) {
            self.environment.signal(target, signal);
        } else {
            self.environment.answer_for_the_dead(target, signal);
        }
    }

    /// The same with options. An alias that comes with it can be sent to from now on.
    pub fn monitor_with(&self, target: Pid, options: MonitorOptions) -> Ref {
        let (reference, signal) = self.begin_monitor(target, options);
        if let Some(signal) = signal {
            self.watch(target, signal);
        }
        reference
    }

    /// Watches the process that a name leads to now. If there is none, the down comes at once; in
    /// any case it carries the name.
    pub fn monitor_name(&self, name: &str, mut options: MonitorOptions) -> Ref {
        let (name, target) = match self.environment.name_entry(name) {
            Some((name, pid)) if self.sees(pid) => (name, pid),
            Some(_) | None => return self.monitor_nobody(name, options),
        };
        options.name = Some(name);
        self.monitor_with(target, options)
    }

    /// The same for a name that nobody has, or that leads nowhere for this process.
    pub fn monitor_nobody(&self, name: &str, mut options: MonitorOptions) -> Ref {
        options.name = Some(name.into());
        self.monitor_with(self.environment.pid_of(0), options)
    }

    /// Watches a child that has no body yet.
    pub(crate) fn monitor_child(&self, child: &Process, options: MonitorOptions) -> Ref {
        let (reference, signal) = self.begin_monitor(child.pid, options);
        if signal.is_some() {
            child.with_state(|child| child.begin_watched(reference, self.pid));
        }
        reference
    }

    /// Enters a monitor here; the signal is for the other end.
    pub(crate) fn begin_monitor(
        &self,
        target: Pid,
        options: MonitorOptions,
    ) -> (Ref, Option<Signal>) {
        let reference = self.environment.node().next_ref();
        let ends_with_monitor = options.alias.map(|(mode, _)| mode.ends_with_monitor());
        let signal = self.with_state(|state| state.monitor_with(reference, target, options));
        // Entered before the target can end, which may take it out again.
        if let (Some(ends), Some(_)) = (ends_with_monitor, &signal) {
            self.environment.aliases().insert(reference, self.pid, ends, Some(target));
        }
        (reference, signal)
    }

    /// Stops watching; with `flush`, a down that lies in the mailbox goes, too.
    /// False if it had ended already.
    pub fn demonitor(&self, reference: Ref, flush: bool) -> bool {
        let Some(target) = self.with_state(|state| state.demonitor(reference, flush)) else {
            return false;
        };
        self.environment.aliases().monitor_ended(reference);
        self.environment.signal(target, Signal::Demonitor { reference });
        true
    }

    /// Stops all its monitors of `target`, as the old ABI's `stop_monitoring`.
    pub fn demonitor_all(&self, target: Pid) {
        for reference in self.with_state(|state| state.monitors_of(target)) {
            self.demonitor(reference, false);
        }
    }
}
