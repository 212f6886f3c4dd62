//! `lunatic::message`: sending by pid, by name and by alias, with a deadline.
//!
//! What is not sent stays where it was: in the slot, to be sent again.

use lunatic_model::{Pid, Ref, Resource, Rights};
use lunatic_node::{Destination, Handed};
use wasmtime::{Caller, Linker, Result};

use crate::exit::HostExit;
use crate::host::bonds::known_flags;
use crate::host::identity::PAIR_BYTES;
use crate::host::message::{attach, data, detach};
use crate::host::process::end_if_exiting;
use crate::host::registry::name;
use crate::host::{TIMED_OUT, identity, timeout};
use crate::memory::{check, write_u64s};
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
    linker.func_wrap(NAMESPACE, "push_alias", push_alias)?;
    linker.func_wrap(NAMESPACE, "take_alias", take_alias)?;
    linker.func_wrap(NAMESPACE, "push_process", push_process)?;
    linker.func_wrap(NAMESPACE, "take_process", take_process)?;
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
    if caller.data().permit(Rights::NAMES, "send_name").is_err() {
        return Ok(NO_SUCH_NAME);
    }
    match caller.data().process.whereis(&name) {
        Some(pid) => send(caller, Destination::Process(pid), milliseconds).await,
        None => Ok(NO_SUCH_NAME),
    }
}

/// An alias on its way in a message.
struct PassedAlias {
    reference: Ref,
    /// Whether who attached it may use it itself: what is guessed stays worth nothing.
    usable: bool,
}

/// Attaches an alias to the message in the slot, and gives its index.
fn push_alias(mut caller: Caller<'_, State>, node: i64, id: i64) -> Result<i64> {
    let state = caller.data_mut();
    let reference = identity::reference(node, id);
    let usable = state.process.may_use_alias(reference);
    let max = state.process.limits().message_resources_max;
    attach(state, Resource(Box::new(PassedAlias { reference, usable })), max)
}

/// Takes an alias out of the message: from now on this process may send through it.
fn take_alias(mut caller: Caller<'_, State>, index: i64, reference_pointer: i32) -> Result<()> {
    check(&mut caller, &[(reference_pointer, PAIR_BYTES)])?;
    let state = caller.data_mut();
    let PassedAlias { reference, usable } = detach(state, index, "alias")?;
    if usable {
        state.process.take_alias(reference);
    }
    write_u64s(&mut caller, reference_pointer, &identity::reference_pair(Some(reference)))
}

/// A process on its way in a message, and what its sender can give of it.
struct PassedProcess {
    pid: Pid,
    handed: Handed,
}

/// Attaches a process to the message in the slot, and gives its index.
fn push_process(mut caller: Caller<'_, State>, node: i64, id: i64) -> Result<i64> {
    let state = caller.data_mut();
    let pid = identity::pid(node, id);
    let handed = state.process.hand_over(pid);
    let max = state.process.limits().message_resources_max;
    attach(state, Resource(Box::new(PassedProcess { pid, handed })), max)
}

/// Takes a process out of the message: from now on this one may send to it and watch it, as far as
/// who attached it may.
fn take_process(mut caller: Caller<'_, State>, index: i64, pid_pointer: i32) -> Result<()> {
    check(&mut caller, &[(pid_pointer, PAIR_BYTES)])?;
    let state = caller.data_mut();
    let PassedProcess { pid, handed } = detach(state, index, "process")?;
    if !state.process.take_over(pid, handed) {
        return Err(HostExit::limit("processes_given_max"));
    }
    write_u64s(&mut caller, pid_pointer, &identity::pid_pair(pid))
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
