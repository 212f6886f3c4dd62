//! What a process is given: rights, limits, and its view of the world outside.

use std::sync::Arc;

use lunatic_model::{Budgets, Grant, Limits, NetworkRights, Reach, Rights};
use lunatic_wasi::WasiConfig;

use crate::audit::Audit;
use crate::redirect::Redirected;
use crate::refused;

/// What a process is given. Children share it unless their parent makes them another, which can
/// only be equal or narrower.
#[derive(Clone)]
pub struct ProcessConfig {
    /// What it may do.
    pub rights: Rights,
    /// Which processes it reaches.
    pub reach: Reach,
    /// Which addresses it may use, and whether it may look up names.
    pub network: NetworkRights,
    /// Its bounds.
    pub limits: Arc<Limits>,
    /// What it may use, and what it and its descendants may use together.
    pub budgets: Budgets,
    /// Arguments, environment, directories and streams.
    pub wasi: WasiConfig,
    /// What there is of redirections beside that.
    pub redirected: Option<Arc<Redirected>>,
    /// Who hears of its calls; nobody, as a rule.
    pub audit: Option<Audit>,
}

impl ProcessConfig {
    /// What the first process of a program has: all rights and the default limits.
    pub fn root(wasi: WasiConfig) -> ProcessConfig {
        ProcessConfig {
            rights: Rights::ALL,
            reach: Reach::WHOLE,
            network: NetworkRights::ALL,
            limits: Arc::default(),
            budgets: Budgets::default(),
            wasi,
            redirected: None,
            audit: None,
        }
    }

    /// Whether some of its imports are made for it alone.
    pub(crate) fn has_own_imports(&self) -> bool {
        self.audit.is_some() || self.wasi.clock().is_asked()
    }

    /// The same with redirections, whose other part is in the providers.
    #[must_use]
    pub fn with_redirected(self, redirected: Option<Arc<Redirected>>) -> ProcessConfig {
        ProcessConfig { redirected, ..self }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> ProcessConfig {
        ProcessConfig { limits: limits.into(), ..self }
    }

    /// The same with budgets.
    #[must_use]
    pub fn with_budgets(self, budgets: Budgets) -> ProcessConfig {
        ProcessConfig { budgets, ..self }
    }

    /// The same with the rights of this grant, which it must have had. What is not in it is taken
    /// out of its view of the world, too.
    #[must_use]
    pub fn confined(self, grant: Grant) -> ProcessConfig {
        let Grant { rights, reach, network } = grant;
        let mut config = ProcessConfig { rights, reach, network, ..self };
        refused::confine(&mut config.wasi, rights);
        config
    }

    /// What it may do by itself.
    pub fn grant(&self) -> Grant {
        Grant { rights: self.rights, reach: self.reach, network: self.network.clone() }
    }

    /// The same with who hears of its calls and of those of all its descendants.
    #[must_use]
    pub fn audited(self, audit: Audit) -> ProcessConfig {
        ProcessConfig { audit: Some(audit), ..self }
    }

    /// The same with other network rights.
    #[must_use]
    pub fn with_network(self, network: NetworkRights) -> ProcessConfig {
        ProcessConfig { network, ..self }
    }
}
