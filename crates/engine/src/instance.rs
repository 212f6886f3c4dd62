//! From a module to a running process.
//!
//! A process is prepared (an identity that nobody sees), instantiated, and only then started: a
//! failed instantiation leaves nothing behind. The start section runs while its spawner waits, so
//! it yields to the pulse like everything else.

use std::sync::Arc;

use lunatic_model::{Budgets, ExitReason, Priority, Ref};
use lunatic_node::{Body, Bonds, Environment, Process, Terms};
use wasmtime::{FuncType, Store, UpdateDeadline, Val, ValType};

use crate::artifact::{Artifact, ModuleError};
use crate::audit;
use crate::config::ProcessConfig;
use crate::engines::STACK_BYTES;
use crate::exit;
use crate::hibernate::{self, Hibernation};
use crate::module::Module;
use crate::reuse::{Ready, Reuse};
use crate::runtime::Shared;
use crate::state::State;

/// Instructions in one unit of the old ABI's fuel.
pub(crate) const INSTRUCTIONS_PER_FUEL_UNIT: u64 = 100_000;

/// Why a process was not spawned. Nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The node or environment takes no more processes.
    #[error(transparent)]
    Node(#[from] lunatic_node::SpawnError),
    /// The module cannot be used in the engine that the process needs.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The instance could not be made, or its start section failed.
    #[error("the instance cannot be made: {0}")]
    Instantiate(String),
}

/// What to spawn.
pub(crate) struct SpawnRequest {
    pub(crate) module: Module,
    pub(crate) config: Arc<ProcessConfig>,
    /// Those of the configuration, unless the child shares its parent's.
    pub(crate) budgets: Budgets,
    pub(crate) entry: Arc<str>,
    pub(crate) params: Vec<Val>,
}

/// How a child stands to its parent, and what it starts with.
pub(crate) struct Child<'a> {
    pub(crate) parent: &'a Process,
    pub(crate) bonds: Bonds,
    pub(crate) priority: Priority,
    pub(crate) label: Option<Arc<str>>,
}

/// The pulse has beaten since the deadline was set. A process that was waiting then has just begun
/// its turn: it gets a whole slice, instead of giving way before it has done anything.
fn give_way(state: &mut State) -> UpdateDeadline {
    let turn = state.process.turns();
    if state.slice_of_turn != turn {
        state.slice_of_turn = turn;
        return UpdateDeadline::Continue(1);
    }
    // The slice of the next turn starts with the yield itself.
    state.slice_of_turn = turn.wrapping_add(1);
    UpdateDeadline::Yield(1)
}

/// Spawns a process; a `child` is bound to its parent before its first step. With it comes the
/// reference of a monitor that was asked for.
pub(crate) async fn spawn(
    runtime: &Arc<Shared>,
    environment: &Arc<Environment>,
    request: SpawnRequest,
    child: Option<Child<'_>>,
) -> Result<(Arc<Process>, Option<Ref>), SpawnError> {
    let SpawnRequest { module, config, budgets, entry, params } = request;
    let (parent, limits) = (child.as_ref().map(|child| child.parent), config.limits.clone());
    let terms = Terms { reach: config.reach, budgets: &budgets, parent };
    let prepared = environment.prepare_with(entry.clone(), limits, terms);
    let process = prepared.inspect_err(|error| {
        // The spawner has gone over the limit, and its call ends with it.
        if let (lunatic_node::SpawnError::OverBudget(over), Some(parent)) = (error, parent)
            && over.ends
        {
            parent.end(ExitReason::Limit(over.limit));
        }
    })?;
    let fuel = (config.limits.fuel_max != u64::MAX).then_some(config.limits.fuel_max);
    let artifact = module.artifact(runtime, fuel.is_some()).await?;
    if let Some(redirected) = &config.redirected {
        runtime.wiring.enter(process.pid(), &redirected.targets());
    }
    let new_state = || State::new(process.clone(), runtime.clone(), module.clone(), config.clone());
    let again = artifact.reuse.as_ref().filter(|_| !config.has_own_imports());
    let mut ready = match again.and_then(|reuse| reuse.take(new_state)) {
        Some(ready) => ready,
        None => make(artifact, new_state(), fuel).await?,
    };
    ready.store.data_mut().starting = false;
    let body: Body = Box::pin(run(ready, artifact.reuse.clone(), entry, params));
    let Some(Child { parent, bonds, priority, label }) = child else {
        environment.start(process.clone(), body, None);
        return Ok((process, None));
    };
    process.set_priority(priority);
    if label.is_some() {
        process.set_label(label);
    }
    let reference = environment.start_child(process.clone(), body, parent, bonds);
    Ok((process, reference))
}

/// A new store and instance for the process of this state.
async fn make(artifact: &Artifact, state: State, fuel: Option<u64>) -> Result<Ready, SpawnError> {
    let failed = |error| SpawnError::Instantiate(exit::cause(&error));
    let stack = state.runtime.stacks.promise(STACK_BYTES).map_err(SpawnError::Instantiate)?;
    let config = state.config.clone();
    let mut store = Store::try_new(artifact.module().engine(), state).map_err(failed)?;
    store.limiter(|state| state);
    store.epoch_deadline_callback(|mut store| Ok(give_way(store.data_mut())));
    store.set_epoch_deadline(1);
    if let Some(fuel) = fuel {
        store.set_fuel(fuel).map_err(failed)?;
    }
    let instance = match config.has_own_imports() {
        false => artifact.pre.instantiate_async(&mut store).await,
        // Boxed, so that the others' future is not larger for it.
        true => Box::pin(audit::instantiate(&mut store, artifact, config.audit.as_ref())).await,
    };
    let instance = instance.map_err(failed)?;
    let ready = Ready::once(store, instance, stack);
    Ok(match &artifact.reuse {
        Some(reuse) => reuse.complete(ready),
        None => ready,
    })
}

async fn run(
    mut ready: Ready,
    reuse: Option<Arc<Reuse>>,
    entry: Arc<str>,
    params: Vec<Val>,
) -> ExitReason {
    // It is asked for a few lines below.
    drop(ready.stack.take());
    let Some(function) = ready.function(&entry) else {
        return ExitReason::Error(format!("the module exports no function `{entry}`").into());
    };
    let store = &mut ready.store;
    let result = function.call_async(&mut *store, &params, &mut []).await;
    // Only looked at when the call failed, since it costs more than most spawns can spare. A call
    // with the wrong types has not run at all.
    if result.is_err()
        && let Some(text) = mismatch(&function.ty(&*store), &entry, &params)
    {
        return ExitReason::Error(text.into());
    }
    match (result, reuse) {
        // Boxed, so that the others' future is not larger for it.
        (Err(error), _) if error.is::<Hibernation>() => {
            Box::pin(hibernate::go_on(ready.store, ready.instance, error)).await
        }
        (Ok(()), Some(reuse)) => {
            reuse.give(ready);
            ExitReason::Normal
        }
        (Ok(()), None) => ExitReason::Normal,
        (Err(error), _) => exit::failed(error, store, &ready.instance),
    }
}

/// What is wrong with the type of an entry function, if anything.
pub(crate) fn mismatch(ty: &FuncType, entry: &str, params: &[Val]) -> Option<String> {
    if ty.results().len() > 0 {
        return Some(format!("the function `{entry}` gives results, which nobody would read"));
    }
    let matching = ty.params().len() == params.len()
        && ty.params().zip(params).all(|(ty, param)| same_type(&ty, param));
    let text = "takes other parameters than the";
    (!matching).then(|| format!("the function `{entry}` {text} {} that it was given", params.len()))
}

fn same_type(ty: &ValType, value: &Val) -> bool {
    matches!(
        (ty, value),
        (ValType::I32, Val::I32(_)) | (ValType::I64, Val::I64(_)) | (ValType::V128, Val::V128(_))
    )
}
