//! `lunatic::process`: ending, with any reason, oneself and others.

use wasmtime::{Caller, Linker, Result};

use crate::exit::HostExit;
use crate::host::process::end_if_exiting;
use crate::host::{identity, reason};
use crate::state::State;

const NAMESPACE: &str = "lunatic::process";

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "exit", exit)?;
    linker.func_wrap(NAMESPACE, "exit_self", exit_self)?;
    Ok(())
}

/// Sends an exit signal, as OTP's `exit/2`.
fn exit(
    mut caller: Caller<'_, State>,
    node: i64,
    id: i64,
    kind: i32,
    data: i32,
    length: i32,
) -> Result<()> {
    let reason = reason::from_guest(&mut caller, kind, data, length)?;
    let process = &caller.data().process;
    process.exit(identity::pid(node, id), reason);
    end_if_exiting(process)
}

/// Ends the calling process with this reason, whatever it traps or catches.
fn exit_self(mut caller: Caller<'_, State>, kind: i32, data: i32, length: i32) -> Result<()> {
    let reason = reason::from_guest(&mut caller, kind, data, length)?;
    Err(HostExit::error(reason))
}
