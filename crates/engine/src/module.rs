//! A module: its bytes, and the compiled code for each kind of engine that it has run in.

use std::fmt;
use std::sync::Arc;

use lunatic_node::Charged;
use tokio::sync::OnceCell;
use wasmtime::ExternType;

use crate::artifact::{Artifact, ModuleError};
use crate::engines::{Kind, Tier};
use crate::runtime::Shared;

/// A module that can be spawned any number of times. Cloning it is cheap.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    wasm: Vec<u8>,
    /// The layout of memory that its processes use.
    tier: Tier,
    artifacts: [OnceCell<Artifact>; 4],
    /// What it counts for in the memory of whoever had it compiled, until the last handle goes.
    _memory: Option<Charged>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("bytes", &self.0.wasm.len()).finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles a module (or takes it from the cache) for processes without metering, so that what
    /// is wrong with it is known at once. Blocks: never call it on a worker.
    pub(crate) fn new(
        runtime: &Shared,
        bytes: &[u8],
        tier: Tier,
        memory: Option<Charged>,
    ) -> Result<Module, ModuleError> {
        let wasm = runtime.artifacts.read(bytes)?;
        let kind = Kind { tier, metered: false };
        let artifact = runtime.artifacts.build(&wasm, kind)?;
        let module = Inner { wasm, tier, artifacts: Default::default(), _memory: memory };
        let _ = module.artifacts[kind.index()].set(artifact);
        Ok(Module(Arc::new(module)))
    }

    pub(crate) fn tier(&self) -> Tier {
        self.0.tier
    }

    /// The compiled code for a process. The first use of a kind compiles, off the workers.
    pub(crate) async fn artifact(
        &self,
        runtime: &Arc<Shared>,
        metered: bool,
    ) -> Result<&Artifact, ModuleError> {
        let kind = Kind { tier: self.0.tier, metered };
        let place = &self.0.artifacts[kind.index()];
        if let Some(artifact) = place.get() {
            return Ok(artifact);
        }
        place
            .get_or_try_init(|| async {
                let (module, runtime) = (self.clone(), runtime.clone());
                let build = move || runtime.artifacts.build(&module.0.wasm, kind);
                match tokio::task::spawn_blocking(build).await {
                    Ok(result) => result,
                    Err(panic) => Err(ModuleError::CompilerFailed(panic.to_string())),
                }
            })
            .await
    }

    /// The names of its exported functions, and whether each has neither parameters nor results.
    pub fn exports(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        let artifact = self.0.artifacts.iter().find_map(OnceCell::get);
        let exports = artifact.into_iter().flat_map(|artifact| artifact.module().exports());
        exports.filter_map(|export| match export.ty() {
            ExternType::Func(ty) => {
                let plain = ty.params().len() == 0 && ty.results().len() == 0;
                Some((export.name().to_owned(), plain))
            }
            _ => None,
        })
    }
}
