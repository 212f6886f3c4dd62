//! `lunatic::message`: sending by pid, by name and by alias, with a deadline.
//!
//! What is not sent stays where it was: in the slot, to be sent again.

use lunatic_node::Destination;
use wasmtime::{Caller, Linker, Result};

use crate::host::bonds::known_flags;
use crate::host::message::data;
use crate::host::process::end_if_exiting;
use crate::host::registry::name;
use crate::host::{TIMED_OUT, identity, timeout};
use crate::state::{Slot, State};

const NAMESPACE: &str = "lunatic::message";
const NO_SUCH_NAME: i32 = 1;
/// `send_alias`: as a priority message, where the alias takes such.
const PRIORITY: i32 = 1;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "send_pid",
        |caller, (node, id, timeout): (i64, i64, i64)| {
            let to = Destination::Process(identity::pid(node, id));
            Box::new(send(caller, to, timeout))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "send_name",
        |caller, (name, length, timeout): (i32, i32, i64)| {
            Box::new(send_name(caller, name, length, timeout))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "send_alias",
        |caller, (node, id, flags, timeout): (i64, i64, i32, i64)| {
            Box::new(send_alias(caller, node, id, flags, timeout))
        },
    )?;
    Ok(())
}

async fn send(mut caller: Caller<'_, State>, to: Destination, milliseconds: i64) -> Result<i32> {
    let state = caller.data_mut();
    data(state)?;
    let Slot::Data { message, cursor } = state.take_slot() else { return Ok(0) };
    let process = state.process.clone();
    let sent = process.send_until(to, message, timeout(milliseconds)).await;
    end_if_exiting(&process)?;
    match sent {
        Ok(()) => Ok(0),
        Err(message) => {
            caller.data_mut().set_slot(Slot::Data { message, cursor });
            Ok(TIMED_OUT)
        }
    }
}

async fn send_name(
    mut caller: Caller<'_, State>,
    name_pointer: i32,
    name_length: i32,
    milliseconds: i64,
) -> Result<i32> {
    data(caller.data_mut())?;
    let name = name(&mut caller, name_pointer, name_length)?;
    match caller.data().process.environment().whereis(&name) {
        Some(pid) => send(caller, Destination::Process(pid), milliseconds).await,
        None => Ok(NO_SUCH_NAME),
    }
}

async fn send_alias(
    caller: Caller<'_, State>,
    node: i64,
    id: i64,
    flags: i32,
    milliseconds: i64,
) -> Result<i32> {
    known_flags(flags, PRIORITY)?;
    let (reference, priority) = (identity::reference(node, id), flags & PRIORITY != 0);
    send(caller, Destination::Alias { reference, priority }, milliseconds).await
}
