//! Hibernation: a process gives up its call stack, waits until there is a message, and goes on in
//! another function.
//!
//! The stack is unwound by an error that nothing catches. What must stay true: the function was
//! looked up and its parameters compared before that, so that whatever is wrong is told to a caller
//! who still exists; no message is taken; what the guest keeps in its memory stays as it was.

use wasmtime::{Error, Func, Instance, Store, Val};

use lunatic_model::ExitReason;

use crate::exit;
use crate::stack;
use crate::state::State;

/// Unwinds the stack; where the process goes on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the process hibernates")]
pub(crate) struct Hibernation {
    pub(crate) entry: Func,
    pub(crate) params: Vec<Val>,
}

/// The rest of the life of a process whose last call gave this error.
pub(crate) async fn go_on(
    mut store: Store<State>,
    instance: Instance,
    mut error: Error,
) -> ExitReason {
    loop {
        let Some(Hibernation { entry, params }) = error.downcast_ref().cloned() else {
            return exit::failed(error, &mut store, &instance);
        };
        if let Err(error) = reset_stack(&mut store, &instance).await {
            return exit::reason(Err(error));
        }
        let process = store.data().process.clone();
        process.await_message().await;
        match entry.call_async(&mut store, &params, &mut []).await {
            Ok(()) => return ExitReason::Normal,
            Err(next) => error = next,
        }
    }
}

/// Puts the pointer of the stack in the memory back to where it was in the beginning: what lay
/// there belonged to calls that are gone. A module that does not export the pointer keeps it.
async fn reset_stack(store: &mut Store<State>, instance: &Instance) -> Result<(), Error> {
    let (module, runtime) = (store.data().module.clone(), store.data().runtime.clone());
    let metered = store.get_fuel().is_ok();
    let Some(top) = module.artifact(&runtime, metered).await?.stack_top else { return Ok(()) };
    match instance.get_global(&mut *store, stack::POINTER) {
        Some(pointer) => pointer.set(&mut *store, Val::I32(top)),
        None => Ok(()),
    }
}
