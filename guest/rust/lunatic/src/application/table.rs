//! Which applications are loaded, start, run and stop, and what follows from that: decisions
//! without host calls.
//!
//! What must stay true, as in OTP: an application starts only while those that it depends on run;
//! all are stopped in the reverse order of their starts; the end of a permanent one, and of a
//! transient one that is not normal, ends all others, unless somebody asked it to stop.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ExitReason;

use super::ApplicationError;

/// What follows from the end of an application that nobody asked to stop.
///
/// ```
/// # use lunatic::application::{Application, Environment};
/// # use lunatic::supervisor::{Strategy, StartError, Supervisor};
/// # struct Shop;
/// # impl Application for Shop {
/// #     const NAME: &'static str = "shop";
/// #     fn start(_: &Environment) -> Result<(lunatic::Pid, Self), StartError> {
/// #         Ok((Supervisor::new(Strategy::OneForOne).start_link()?.pid(), Shop))
/// #     }
/// # }
/// use lunatic::application::{Controller, Kind};
///
/// let controller = Controller::start_link().unwrap();
/// // When the shop ends by itself, nothing else does.
/// controller.start::<Shop>(Kind::Temporary).unwrap();
/// assert_eq!(controller.running().unwrap(), ["shop"]);
/// # controller.shut_down().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The others are stopped, and the controller ends.
    Permanent,
    /// The same, unless the reason is normal. A supervision tree ends with the reason shutdown,
    /// which is not normal.
    Transient,
    /// Nothing but a line in the log.
    Temporary,
}

/// Where an application is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Running,
    Stopping,
}

/// What is to be done about a start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is to be started.
    Start,
    /// Somebody has begun that already.
    Wait,
}

/// What is to be done after an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    GoOn,
    /// All others are to be stopped; the controller ends with this reason.
    EndAll(ExitReason),
}

/// All applications.
#[derive(Default)]
pub(super) struct Table {
    /// Whom each loaded one depends on.
    loaded: BTreeMap<String, Vec<String>>,
    /// In the order of their starts.
    begun: Vec<(String, Kind, State)>,
}

impl Table {
    pub(super) fn load(&mut self, name: &str, on: Vec<String>) -> Result<(), ApplicationError> {
        if self.loaded.contains_key(name) {
            return Err(ApplicationError::AlreadyLoaded(name.into()));
        }
        self.loaded.insert(name.into(), on);
        Ok(())
    }

    pub(super) fn unload(&mut self, name: &str) -> Result<(), ApplicationError> {
        if self.state(name).is_some() {
            return Err(ApplicationError::Running(name.into()));
        }
        let removed = self.loaded.remove(name);
        removed.map(|_| ()).ok_or_else(|| ApplicationError::NotLoaded(name.into()))
    }

    pub(super) fn loaded(&self) -> Vec<String> {
        self.loaded.keys().cloned().collect()
    }

    /// Those that run, the one that was started last first.
    pub(super) fn running(&self) -> Vec<String> {
        let running = self.begun.iter().rev().filter(|begun| begun.2 != State::Starting);
        running.map(|begun| begun.0.clone()).collect()
    }

    pub(super) fn state(&self, name: &str) -> Option<State> {
        self.begun.iter().find(|begun| begun.0 == name).map(|begun| begun.2)
    }

    fn runs(&self, name: &str) -> bool {
        matches!(self.state(name), Some(State::Running | State::Stopping))
    }

    pub(super) fn begin(&mut self, name: &str, kind: Kind) -> Result<Begin, ApplicationError> {
        match self.state(name) {
            Some(State::Starting) => return Ok(Begin::Wait),
            Some(_) => return Err(ApplicationError::AlreadyStarted(name.into())),
            None => {}
        }
        let Some(on) = self.loaded.get(name) else {
            return Err(ApplicationError::NotLoaded(name.into()));
        };
        if let Some(missing) = on.iter().find(|on| !self.runs(on)) {
            return Err(ApplicationError::NotStarted(missing.clone()));
        }
        self.begun.push((name.into(), kind, State::Starting));
        Ok(Begin::Start)
    }

    pub(super) fn started(&mut self, name: &str) {
        if let Some(at) = self.begun.iter().position(|begun| begun.0 == name) {
            let mut begun = self.begun.remove(at);
            begun.2 = State::Running;
            // The order of starts is that in which they were done.
            self.begun.push(begun);
        }
    }

    pub(super) fn stop(&mut self, name: &str) -> Result<(), ApplicationError> {
        match self.begun.iter_mut().find(|begun| begun.0 == name) {
            Some((_, _, state)) if *state != State::Starting => {
                *state = State::Stopping;
                Ok(())
            }
            _ => Err(ApplicationError::NotStarted(name.into())),
        }
    }

    /// An application has ended, or did not start.
    pub(super) fn ended(&mut self, name: &str, reason: &ExitReason) -> After {
        let Some(at) = self.begun.iter().position(|begun| begun.0 == name) else {
            return After::GoOn;
        };
        let (name, kind, state) = self.begun.remove(at);
        let ends_all = match (kind, state) {
            (_, State::Stopping) | (Kind::Temporary, _) => false,
            (Kind::Permanent, State::Starting | State::Running) => true,
            (Kind::Transient, State::Starting | State::Running) => *reason != ExitReason::Normal,
        };
        if !ends_all {
            return After::GoOn;
        }
        let what = if state == State::Starting { "did not start" } else { "has ended" };
        After::EndAll(ExitReason::Error(format!("the application {name} {what}: {reason}")))
    }
}

/// In which order applications are to be started, so that the first one can: those that it depends
/// on before it, in the order in which it names them.
pub(super) fn start_order(
    first: &str,
    depends_on: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<String>, ApplicationError> {
    let (mut order, mut path) = (Vec::new(), Vec::new());
    visit(first, depends_on, &mut order, &mut path)?;
    Ok(order)
}

fn visit(
    name: &str,
    depends_on: &BTreeMap<String, Vec<String>>,
    order: &mut Vec<String>,
    path: &mut Vec<String>,
) -> Result<(), ApplicationError> {
    if order.iter().any(|done| done == name) {
        return Ok(());
    }
    let again = path.iter().any(|above| above == name);
    path.push(name.into());
    if again {
        return Err(ApplicationError::Cycle(path.clone()));
    }
    for on in depends_on.get(name).into_iter().flatten() {
        visit(on, depends_on, order, path)?;
    }
    path.pop();
    order.push(name.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(name, on)| ((*name).to_owned(), names(on))).collect()
    }

    fn table(edges: &[(&str, &[&str])]) -> Table {
        let mut table = Table::default();
        for (name, on) in graph(edges) {
            table.load(&name, on).unwrap();
        }
        table
    }

    fn start(table: &mut Table, name: &str, kind: Kind) {
        assert_eq!(table.begin(name, kind), Ok(Begin::Start));
        table.started(name);
    }

    #[test]
    fn those_that_others_depend_on_are_started_first_and_each_once() {
        let graph = graph(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])]);
        assert_eq!(start_order("a", &graph).unwrap(), ["d", "b", "c", "a"]);
        assert_eq!(start_order("d", &graph).unwrap(), ["d"]);
    }

    #[test]
    fn a_cycle_is_an_error_that_shows_it() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        let cycle = ["a", "b", "c", "b"].map(str::to_owned).to_vec();
        assert_eq!(start_order("a", &graph), Err(ApplicationError::Cycle(cycle)));
    }

    #[test]
    fn an_application_starts_only_while_those_run_that_it_depends_on() {
        let mut table = table(&[("a", &["b"]), ("b", &[])]);
        let not = |name: &str| ApplicationError::NotStarted(name.into());
        assert_eq!(table.begin("a", Kind::Temporary), Err(not("b")));
        assert_eq!(table.begin("b", Kind::Temporary), Ok(Begin::Start));
        assert_eq!(table.begin("b", Kind::Temporary), Ok(Begin::Wait));
        assert_eq!(table.begin("a", Kind::Temporary), Err(not("b")), "it only starts");
        table.started("b");
        let already = ApplicationError::AlreadyStarted("b".into());
        assert_eq!(table.begin("b", Kind::Temporary), Err(already));
        start(&mut table, "a", Kind::Temporary);
        assert_eq!(table.running(), ["a", "b"], "the last one first");
        let unknown = ApplicationError::NotLoaded("x".into());
        assert_eq!(table.begin("x", Kind::Temporary), Err(unknown));
        assert_eq!(table.stop("x"), Err(not("x")));
    }

    #[test]
    fn what_follows_from_an_end_is_what_otp_does() {
        use Kind::{Permanent, Temporary, Transient};
        let normal = ExitReason::Normal;
        let cases = [
            (Permanent, normal.clone(), true),
            (Permanent, ExitReason::Shutdown, true),
            (Transient, normal.clone(), false),
            (Transient, ExitReason::Shutdown, true),
            (Transient, ExitReason::Killed, true),
            (Temporary, normal, false),
            (Temporary, ExitReason::Killed, false),
        ];
        for (kind, reason, ends_all) in cases {
            for running in [true, false] {
                let mut table = table(&[("a", &[])]);
                assert_eq!(table.begin("a", kind), Ok(Begin::Start));
                if running {
                    table.started("a");
                }
                let after = table.ended("a", &reason);
                assert_eq!(after != After::GoOn, ends_all, "{kind:?} {reason} {running}");
                assert!(table.running().is_empty());
            }
            let mut table = table(&[("a", &[])]);
            start(&mut table, "a", kind);
            table.stop("a").unwrap();
            assert_eq!(table.ended("a", &reason), After::GoOn, "it was asked to stop");
        }
    }

    #[test]
    fn what_runs_cannot_be_unloaded() {
        let mut table = table(&[("a", &[])]);
        assert_eq!(table.load("a", Vec::new()), Err(ApplicationError::AlreadyLoaded("a".into())));
        start(&mut table, "a", Kind::Temporary);
        assert_eq!(table.unload("a"), Err(ApplicationError::Running("a".into())));
        table.ended("a", &ExitReason::Normal);
        table.unload("a").unwrap();
        assert_eq!(table.unload("a"), Err(ApplicationError::NotLoaded("a".into())));
    }
}
