//! `lunatic::process` `hibernate`: giving up the call stack until there is a message.

use wasmtime::{Caller, Extern, Linker, Result};

use crate::hibernate::Hibernation;
use crate::host::process::nobody_knows_it_yet;
use crate::host::{entry, fail};
use crate::instance::mismatch;
use crate::memory::{check, export};
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap("lunatic::process", "hibernate", hibernate)?;
    Ok(())
}

/// Comes back only if there is no such function, with 1 and an error.
fn hibernate(
    mut caller: Caller<'_, State>,
    name: i32,
    name_length: i32,
    params_pointer: i32,
    params_length: i32,
    error: i32,
) -> Result<i32> {
    check(&mut caller, &[(error, 8)])?;
    nobody_knows_it_yet(caller.data())?;
    let name = entry::name(&mut caller, name, name_length)?;
    let params = entry::params(&mut caller, params_pointer, params_length)?;
    let Some(Extern::Func(entry)) = export(&mut caller, &name) else {
        return fail(&mut caller, format!("the module exports no function `{name}`"), error);
    };
    match mismatch(&entry.ty(&caller), &name, &params) {
        Some(text) => fail(&mut caller, text, error),
        None => Err(Hibernation { entry, params }.into()),
    }
}
