//! `lunatic::trap`: calling back into the guest and surviving its traps.

use wasmtime::{Caller, Extern, Linker, Result, TypedFunc, bail, format_err};

use crate::exit;
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
    let Some(Extern::Func(function)) = caller.get_export("_lunatic_catch_trap") else {
        bail!("the module exports no function `_lunatic_catch_trap`");
    };
    let function: TypedFunc<(i32, i32), i32> = function
        .typed(&caller)
        .map_err(|error| format_err!("`_lunatic_catch_trap` has another type: {error}"))?;
    let max = caller.data().process.limits().catch_depth_max;
    if caller.data().catch_depth >= max {
        bail!("calls of `catch` are nested catch_depth_max = {max} deep");
    }
    caller.data_mut().catch_depth += 1;
    let result = function.call_async(&mut caller, (one, two)).await;
    caller.data_mut().catch_depth -= 1;
    match result {
        Ok(value) => Ok(value),
        Err(error) if exit::is_final(&error) => Err(error),
        Err(_) => Ok(0),
    }
}
