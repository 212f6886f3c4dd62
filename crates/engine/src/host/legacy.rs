//! Older forms of host functions, chosen by the type with which a module imports them.

use lunatic_model::{Filter, Tag};
use wasmtime::{Caller, ExternType, Linker, Module, Result};

use crate::host::message::{send_receive, tag_of_slot};
use crate::state::State;

const MESSAGE: &str = "lunatic::message";
const SEND_RECEIVE: &str = "send_receive_skip_search";

/// A linker in which older forms stand in the place of today's, if the module wants any.
pub(crate) fn linker_for(module: &Module, linker: &Linker<State>) -> Result<Option<Linker<State>>> {
    let wants_old = module.imports().any(|import| {
        let parameters = match import.ty() {
            ExternType::Func(ty) => ty.params().len(),
            _ => return false,
        };
        (import.module(), import.name(), parameters) == (MESSAGE, SEND_RECEIVE, 2)
    });
    if !wants_old {
        return Ok(None);
    }
    let mut linker = linker.clone();
    linker.allow_shadowing(true);
    linker.func_wrap_async(MESSAGE, SEND_RECEIVE, |caller, (pid, timeout): (i64, i64)| {
        Box::new(send_receive_own_tag(caller, pid, timeout))
    })?;
    Ok(Some(linker))
}

/// `lunatic` 0.12 and as-lunatic 0.12: the reply carries the tag of the request; the reply to an
/// untagged request is the next message of any kind.
async fn send_receive_own_tag(
    mut caller: Caller<'_, State>,
    pid: i64,
    timeout: i64,
) -> Result<i32> {
    let filter = match tag_of_slot(caller.data_mut())? {
        Tag::NONE => Filter::Any,
        tag => Filter::Reply(tag),
    };
    send_receive(caller, pid, filter, timeout).await
}
