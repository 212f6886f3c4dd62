//! `lunatic::timer`: messages that are sent later.

use std::time::Duration;

use lunatic_model::Rights;
use lunatic_node::{Process, Recipient};
use wasmtime::{Caller, Linker, Result};

use crate::exit::HostExit;
use crate::host::fail;
use crate::host::identity::{self, PAIR_BYTES};
use crate::host::message::take_data;
use crate::host::registry::name;
use crate::memory::{check, write_u64, write_u64s};
use crate::state::State;

const NAMESPACE: &str = "lunatic::timer";

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "send_after",
        |caller, (pid, milliseconds): (i64, i64)| Box::new(send_after(caller, pid, milliseconds)),
    )?;
    linker.func_wrap(NAMESPACE, "cancel_timer", cancel_timer)?;
    linker.func_wrap_async(
        NAMESPACE,
        "start",
        |caller, (node, id, milliseconds, reference): (i64, i64, i64, i32)| {
            let to = Recipient::Process(identity::pid(node, id));
            Box::new(start(caller, to, milliseconds, reference))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "start_named",
        |caller, (name, length, milliseconds, reference): (i32, i32, i64, i32)| {
            Box::new(start_named(caller, (name, length), milliseconds, reference))
        },
    )?;
    linker.func_wrap(NAMESPACE, "cancel", cancel)?;
    linker.func_wrap(NAMESPACE, "read", read)?;
    Ok(())
}

async fn send_after(mut caller: Caller<'_, State>, pid: i64, milliseconds: i64) -> Result<i64> {
    let state = caller.data_mut();
    let message = take_data(state)?;
    if state.permit(Rights::TIMERS, "send_after").is_err() {
        // No timer has this id, and nobody gets the message.
        return Ok(0);
    }
    let to = state.pid_of(pid);
    let delay = Duration::from_millis(milliseconds.cast_unsigned());
    let process = state.process.clone();
    let id = process.send_after(to, message, delay).await.map_err(HostExit::error)?;
    Ok(id.cast_signed())
}

fn cancel_timer(caller: Caller<'_, State>, id: i64) -> i32 {
    i32::from(caller.data().process.cancel_timer(id.cast_unsigned()).is_some())
}

/// Sends the message in the slot later; it will carry the reference of the timer.
async fn start(
    mut caller: Caller<'_, State>,
    to: Recipient,
    milliseconds: i64,
    reference_pointer: i32,
) -> Result<i32> {
    check(&mut caller, &[(reference_pointer, PAIR_BYTES)])?;
    if let Err(text) = caller.data().permit(Rights::TIMERS, "timer start") {
        return fail(&mut caller, text, reference_pointer);
    }
    let state = caller.data_mut();
    let message = take_data(state)?;
    let delay = Duration::from_millis(milliseconds.cast_unsigned());
    let process = state.process.clone();
    let reference = process.start_timer(to, message, delay).await.map_err(HostExit::error)?;
    let pair = identity::reference_pair(Some(reference));
    write_u64s(&mut caller, reference_pointer, &pair)?;
    Ok(0)
}

async fn start_named(
    mut caller: Caller<'_, State>,
    (name_pointer, name_length): (i32, i32),
    milliseconds: i64,
    reference_pointer: i32,
) -> Result<i32> {
    let name = name(&mut caller, name_pointer, name_length)?;
    if let Err(text) = caller.data().permit(Rights::NAMES, "timer start_named") {
        return fail(&mut caller, text, reference_pointer);
    }
    start(caller, Recipient::Name(name.into()), milliseconds, reference_pointer).await
}

fn cancel(caller: Caller<'_, State>, node: i64, id: i64, left: i32) -> Result<i32> {
    tell(caller, node, id, left, |process, id| process.cancel_timer(id))
}

fn read(caller: Caller<'_, State>, node: i64, id: i64, left: i32) -> Result<i32> {
    tell(caller, node, id, left, |process, id| process.read_timer(id))
}

/// 0 and the milliseconds that are left, rounded up; 1 if the timer has fired or was cancelled.
fn tell(
    mut caller: Caller<'_, State>,
    node: i64,
    id: i64,
    left: i32,
    ask: impl FnOnce(&Process, u64) -> Option<Duration>,
) -> Result<i32> {
    check(&mut caller, &[(left, 8)])?;
    let process = &caller.data().process;
    let reference = identity::reference(node, id);
    // Timers of other nodes are none of this one's.
    let own = process.environment().is_own(reference);
    let Some(rest) = own.then(|| ask(process, reference.serial)).flatten() else { return Ok(1) };
    let milliseconds = rest.as_nanos().div_ceil(1_000_000);
    write_u64(&mut caller, left, u64::try_from(milliseconds).unwrap_or(u64::MAX))?;
    Ok(0)
}
