//! `lunatic::trap`: calling back into the guest and surviving its traps.

use wasmtime::{
    Caller, Extern, Linker, Result, TypedFunc, WasmParams, WasmResults, bail, format_err,
};

use crate::exit;
use crate::memory;
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async("lunatic::trap", "catch", |caller, (one, two): (i32, i32)| {
        Box::new(catch(caller, one, two))
    })?;
    Ok(())
}

/// Calls `_lunatic_catch_trap` of the guest; 0 if that traps. The instance goes on as the trap left
/// it. What must end the process is not caught: an exit, a limit, fuel that is used up, a kill.
async fn catch(mut caller: Caller<'_, State>, one: i32, two: i32) -> Result<i32> {
    let guest = GuestFunction::find(&mut caller, "_lunatic_catch_trap")?;
    match guest.call(&mut caller, (one, two)).await {
        Ok(value) => Ok(value),
        Err(error) if exit::is_final(&error) => Err(error),
        Err(_) => Ok(0),
    }
}

/// A function of the guest that a host function calls. Each such call has a stack of its own, so
/// they nest only so deep.
pub(super) struct GuestFunction<Params, Results>(TypedFunc<Params, Results>);

impl<Params, Results> GuestFunction<Params, Results>
where
    Params: WasmParams + Sync,
    Results: WasmResults + Sync,
{
    /// The exported function of this name, to be called once; or a trap, also if that would nest
    /// too deep.
    pub(super) fn find(caller: &mut Caller<'_, State>, name: &str) -> Result<Self> {
        let Some(Extern::Func(function)) = memory::export(caller, name) else {
            bail!("the module exports no function `{name}`");
        };
        let function = function
            .typed(&*caller)
            .map_err(|error| format_err!("`{name}` has another type: {error}"))?;
        let max = caller.data().process.limits().catch_depth_max;
        if caller.data().catch_depth >= max {
            bail!("calls of `{name}` and the like are nested catch_depth_max = {max} deep");
        }
        Ok(GuestFunction(function))
    }

    /// Calls it, and gives what it gives or its trap.
    pub(super) async fn call(
        self,
        caller: &mut Caller<'_, State>,
        params: Params,
    ) -> Result<Results> {
        caller.data_mut().catch_depth += 1;
        let result = self.0.call_async(&mut *caller, params).await;
        caller.data_mut().catch_depth -= 1;
        result
    }
}
