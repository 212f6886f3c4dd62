//! `lunatic::timer`: messages that are sent later.

use std::time::Duration;

use wasmtime::{Caller, Linker, Result};

use crate::exit::HostExit;
use crate::host::message::take_data;
use crate::state::State;

const NAMESPACE: &str = "lunatic::timer";

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "send_after",
        |caller, (pid, milliseconds): (i64, i64)| Box::new(send_after(caller, pid, milliseconds)),
    )?;
    linker.func_wrap(NAMESPACE, "cancel_timer", cancel_timer)?;
    Ok(())
}

async fn send_after(mut caller: Caller<'_, State>, pid: i64, milliseconds: i64) -> Result<i64> {
    let state = caller.data_mut();
    let message = take_data(state)?;
    let to = state.pid_of(pid);
    let delay = Duration::from_millis(milliseconds.cast_unsigned());
    let process = state.process.clone();
    let id = process.send_after(to, message, delay).await.map_err(HostExit::error)?;
    Ok(id.cast_signed())
}

fn cancel_timer(caller: Caller<'_, State>, id: i64) -> i32 {
    i32::from(caller.data().process.cancel_timer(id.cast_unsigned()))
}
