//! `lunatic::registry`: names of processes in an environment. A name goes when its process goes.

use lunatic_model::{Deed, NameRefused, Rights};
use lunatic_node::RegisterError;
use wasmtime::{Caller, Linker, Result, bail};

use crate::exit::HostExit;
use crate::host::identity;
use crate::memory::{string, unsigned, write_u64};
use crate::state::State;

const NAMESPACE: &str = "lunatic::registry";
/// The number of the own node as programs see it while there is no cluster.
pub(super) const OWN_NODE: u64 = 0;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "put", put)?;
    linker.func_wrap(NAMESPACE, "get", get)?;
    linker.func_wrap(NAMESPACE, "remove", remove)?;
    linker.func_wrap(NAMESPACE, "register", register)?;
    linker.func_wrap(NAMESPACE, "unregister", unregister)?;
    Ok(())
}

/// A name of the guest, within the limit.
pub(super) fn name(caller: &mut Caller<'_, State>, pointer: i32, length: i32) -> Result<String> {
    let max = caller.data().runtime.limits.name_bytes_max;
    if unsigned(length) > max {
        bail!("a name has at most name_bytes_max = {max} bytes");
    }
    string(caller, pointer, length)
}

fn put(
    mut caller: Caller<'_, State>,
    name_pointer: i32,
    name_length: i32,
    node: i64,
    pid: i64,
) -> Result<()> {
    let name = name(&mut caller, name_pointer, name_length)?;
    if caller.data().permit(Rights::NAMES, "registry put").is_err() || !may_take(&caller, &name) {
        return Ok(());
    }
    let state = caller.data();
    let pid = state.pid_of(pid);
    // Processes of other nodes cannot be named: there is no cluster.
    if node.cast_unsigned() == OWN_NODE
        && state.process.may(Deed::Exit, pid)
        && !state.process.environment().put_name(&name, pid)
    {
        return Err(HostExit::limit("names_max"));
    }
    Ok(())
}

fn get(
    mut caller: Caller<'_, State>,
    name_pointer: i32,
    name_length: i32,
    node_pointer: i32,
    pid_pointer: i32,
) -> Result<i32> {
    let name = name(&mut caller, name_pointer, name_length)?;
    if caller.data().permit(Rights::NAMES, "registry get").is_err() {
        return Ok(1);
    }
    let Some(pid) = caller.data().process.whereis(&name) else { return Ok(1) };
    write_u64(&mut caller, node_pointer, OWN_NODE)?;
    write_u64(&mut caller, pid_pointer, pid.serial)?;
    Ok(0)
}

fn remove(mut caller: Caller<'_, State>, name_pointer: i32, name_length: i32) -> Result<()> {
    let name = name(&mut caller, name_pointer, name_length)?;
    if caller.data().permit(Rights::NAMES, "registry remove").is_ok() && may_take(&caller, &name) {
        caller.data().process.environment().remove_name(&name);
    }
    Ok(())
}

/// Whether nobody has the name, or somebody whom this process may end.
fn may_take(caller: &Caller<'_, State>, name: &str) -> bool {
    let process = &caller.data().process;
    let owner = process.environment().whereis(name);
    owner.is_none_or(|owner| process.may(Deed::Exit, owner))
}

/// As OTP's `register`: a name that nobody has, for a live process that has none.
fn register(
    mut caller: Caller<'_, State>,
    name_pointer: i32,
    name_length: i32,
    node: i64,
    id: i64,
) -> Result<i32> {
    let name = name(&mut caller, name_pointer, name_length)?;
    let pid = identity::pid(node, id);
    let may = caller.data().permit(Rights::NAMES, "registry register").is_ok();
    if !may || !caller.data().process.may(Deed::Exit, pid) {
        return Ok(2);
    }
    let environment = caller.data().process.environment();
    Ok(match environment.register(&name, pid) {
        Ok(()) => 0,
        Err(RegisterError::Refused(NameRefused::Taken(_))) => 1,
        Err(RegisterError::NoProcess(_)) => 2,
        Err(RegisterError::Refused(NameRefused::HasName(_))) => 3,
    })
}

/// 1 if nobody has the name.
fn unregister(mut caller: Caller<'_, State>, name_pointer: i32, name_length: i32) -> Result<i32> {
    let name = name(&mut caller, name_pointer, name_length)?;
    let may = caller.data().permit(Rights::NAMES, "registry unregister").is_ok()
        && may_take(&caller, &name);
    Ok(i32::from(!(may && caller.data().process.environment().remove_name(&name))))
}
