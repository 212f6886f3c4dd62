//! Redirections of processes: what was asked for becomes providers and routes.
//!
//! A redirection is applied before those of who sets it: its target is reached as its setter
//! reaches it, with the setter's directories, rights and redirections. So what a process redirects
//! never leads further than itself does. **Invariants:** a [`Resolved`] is made by its setter,
//! once; whom it is applied to has no part in it. A process without redirections has no
//! [`Redirected`].

pub(crate) mod ask;
mod files;
pub(crate) mod network;
mod processes;
mod resolve;
mod serve;
pub(crate) mod wire;
pub(crate) mod wiring;

use std::sync::Arc;

use lunatic_model::{Pid, Redirection, What};
use lunatic_wasi::provider::{Directory, Input, Output};
use lunatic_wasi::{Replacement, WasiConfig};

use crate::config::ProcessConfig;
use crate::redirect::network::Route;
pub(crate) use processes::ProcessTarget;
pub(crate) use resolve::{Setter, resolve};

/// Redirections of one configuration, those that it has inherited included.
pub(crate) const REDIRECTIONS_MAX: usize = 64;

/// What of the outside the engine does not know: files of the operator, and sinks.
pub trait Outside: Send + Sync {
    /// Starts a sink for a target that is one. With `chosen_by_program`, a program chose it: it
    /// gets no secrets, and less room. An error is for whoever asked.
    fn sink(
        &self,
        redirection: &Redirection,
        chosen_by_program: bool,
    ) -> Result<Arc<dyn LineSink>, String>;
    /// Opens a file of the operator for reading.
    fn input(&self, path: &str) -> Result<Arc<dyn Input>, String>;
    /// Opens a file of the operator for appending.
    fn output(&self, path: &str) -> Result<Arc<dyn Output>, String>;
    /// The directory of a file of the operator, and its name there.
    fn directory(&self, path: &str) -> Result<(Arc<dyn Directory>, String), String>;
}

/// Where lines go.
pub trait LineSink: Send + Sync {
    /// A stream into it; what stands behind the last newline follows when it is dropped.
    fn output(&self, source: &str) -> Arc<dyn Output>;
}

/// What one redirection comes to.
#[derive(Clone)]
pub(crate) enum Effect {
    Wasi(Replacement),
    Network(Route),
}

/// A redirection that its setter has made.
#[derive(Clone)]
pub(crate) struct Resolved {
    /// What takes the place of an earlier one for the same.
    pub(crate) what: What,
    pub(crate) effect: Effect,
    /// Processes that may be asked or told by it.
    pub(crate) targets: Vec<Pid>,
    /// For one process alone: its children do not inherit it.
    pub(crate) alone: bool,
}

/// What a configuration has of redirections beside its providers.
#[derive(Clone, Default)]
pub struct Redirected {
    /// What is redirected, and which processes may be asked or told by that.
    links: Vec<(What, Vec<Pid>)>,
    /// Redirections of files lie over each other, also those of the same names.
    diversions: usize,
    /// Of the network, the last one that covers an address counts.
    pub(crate) routes: Vec<Route>,
    /// What children get instead, where some are for the process alone.
    heritage: Option<Box<Heritage>>,
}

/// What redirections change of a configuration.
#[derive(Clone)]
pub(crate) struct Heritage {
    pub(crate) wasi: WasiConfig,
    pub(crate) redirected: Option<Arc<Redirected>>,
}

impl Redirected {
    /// None of it is for the process alone.
    pub(crate) fn is_inherited(&self) -> bool {
        self.heritage.is_none()
    }

    /// Processes that may be asked or told.
    pub(crate) fn targets(&self) -> Vec<Pid> {
        self.links.iter().flat_map(|(_, targets)| targets.iter().copied()).collect()
    }

    fn enter(&mut self, resolved: &Resolved) -> Result<(), String> {
        self.links.retain(|(what, _)| *what != resolved.what);
        self.diversions += usize::from(matches!(resolved.what, What::Files(_)));
        if self.links.len().max(self.diversions.saturating_sub(1)) >= REDIRECTIONS_MAX {
            return Err(format!(
                "a process has at most {REDIRECTIONS_MAX} redirections, those that it inherits \
                 included"
            ));
        }
        self.links.push((resolved.what.clone(), resolved.targets.clone()));
        if let Effect::Network(route) = &resolved.effect {
            self.routes.retain(|known| known.what() != resolved.what);
            self.routes.push(route.clone());
        }
        Ok(())
    }
}

/// What children of a process begin with.
pub(crate) fn heritage(config: &ProcessConfig) -> Heritage {
    let own = config.redirected.as_ref().and_then(|redirected| redirected.heritage.as_deref());
    own.cloned().unwrap_or_else(|| Heritage {
        wasi: config.wasi.clone(),
        redirected: config.redirected.clone(),
    })
}

/// Adds a redirection to a configuration. On an error nothing is changed.
pub(crate) fn apply(config: &mut Heritage, resolved: &Resolved) -> Result<(), String> {
    let mut changed = config.clone();
    let mut redirected = config.redirected.as_deref().cloned().unwrap_or_default();
    match (&mut redirected.heritage, resolved.alone) {
        (Some(heritage), false) => apply(heritage, resolved)?,
        (Some(_), true) | (None, false) => {}
        (none, true) => *none = Some(Box::new(config.clone())),
    }
    redirected.enter(resolved)?;
    if let Effect::Wasi(replacement) = &resolved.effect {
        changed.wasi.replace(replacement).map_err(|error| error.to_string())?;
    }
    changed.redirected = Some(Arc::new(redirected));
    *config = changed;
    Ok(())
}

/// Applies what the operator says of the first process, in order.
///
/// # Errors
/// Of the first that cannot be had: its text.
pub async fn redirect_root(
    redirections: &[Redirection],
    wasi: &mut WasiConfig,
    outside: &dyn Outside,
) -> Result<Option<Arc<Redirected>>, String> {
    let mut config = Heritage { wasi: wasi.clone(), redirected: None };
    for redirection in redirections {
        let resolved = resolve(redirection, None, &Setter::Operator(outside)).await?;
        apply(&mut config, &resolved)?;
    }
    *wasi = config.wasi;
    Ok(config.redirected)
}
