//! What a process is given: rights, limits, and its view of the world outside.

use std::sync::Arc;

use lunatic_model::{Limits, Rights};
use lunatic_wasi::WasiConfig;

/// What a process is given. Children share it unless their parent makes them another, which can
/// only be equal or narrower.
#[derive(Clone)]
pub struct ProcessConfig {
    /// What it may do.
    pub rights: Rights,
    /// Its bounds.
    pub limits: Arc<Limits>,
    /// Arguments, environment, directories and streams.
    pub wasi: WasiConfig,
}

impl ProcessConfig {
    /// What the first process of a program has: all rights and the default limits.
    pub fn root(wasi: WasiConfig) -> ProcessConfig {
        ProcessConfig { rights: Rights::ALL, limits: Arc::default(), wasi }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> ProcessConfig {
        ProcessConfig { limits: limits.into(), ..self }
    }
}
