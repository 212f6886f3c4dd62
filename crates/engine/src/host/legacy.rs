//! Older forms of host functions, chosen by the type with which a module imports them.

use lunatic_model::{Filter, Tag};
use wasmtime::{Caller, ExternType, Linker, Module, Result};

use crate::host::distributed;
use crate::host::message::{send_receive, tag_of_slot};
use crate::state::State;

const MESSAGE: &str = "lunatic::message";
const DISTRIBUTED: &str = "lunatic::distributed";
const SEND_RECEIVE: &str = "send_receive_skip_search";

/// A linker in which older forms stand in the place of today's, if the module wants any.
pub(crate) fn linker_for(module: &Module, linker: &Linker<State>) -> Result<Option<Linker<State>>> {
    let wants = |namespace: &str, parameters: usize| {
        module.imports().any(|import| match import.ty() {
            ExternType::Func(ty) => {
                (import.module(), import.name(), ty.params().len())
                    == (namespace, SEND_RECEIVE, parameters)
            }
            _ => false,
        })
    };
    let (message, distributed) = (wants(MESSAGE, 2), wants(DISTRIBUTED, 3));
    if !message && !distributed {
        return Ok(None);
    }
    let mut linker = linker.clone();
    linker.allow_shadowing(true);
    if message {
        linker.func_wrap_async(MESSAGE, SEND_RECEIVE, |caller, (pid, timeout): (i64, i64)| {
            Box::new(send_receive_own_tag(caller, pid, timeout))
        })?;
    }
    if distributed {
        linker.func_wrap(
            DISTRIBUTED,
            SEND_RECEIVE,
            |caller: Caller<'_, State>, node: i64, pid: i64, timeout: i64| {
                distributed::send_receive(caller, node, pid, Tag::NONE.0, timeout)
            },
        )?;
    }
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
