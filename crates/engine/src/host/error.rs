//! `lunatic::error`: error resources, which carry the text of a failure to the guest.

use wasmtime::{Caller, Linker, Result, format_err};

use crate::memory::{bytes_mut, split};
use crate::state::State;
use crate::tables::TIMED_OUT_ERROR;

const NAMESPACE: &str = "lunatic::error";
const TIMED_OUT_TEXT: &str = "operation timed out";

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "string_size", string_size)?;
    linker.func_wrap(NAMESPACE, "to_string", to_string)?;
    linker.func_wrap(NAMESPACE, "drop", drop_error)?;
    Ok(())
}

fn text(state: &mut State, id: i64) -> Result<std::sync::Arc<str>> {
    if id.cast_unsigned() == TIMED_OUT_ERROR {
        return Ok(TIMED_OUT_TEXT.into());
    }
    state.tables().errors.get(id, "error").cloned()
}

fn string_size(mut caller: Caller<'_, State>, id: i64) -> Result<i32> {
    let size = text(caller.data_mut(), id)?.len();
    i32::try_from(size).map_err(|_| format_err!("the error's text is too long"))
}

fn to_string(mut caller: Caller<'_, State>, id: i64, pointer: i32) -> Result<()> {
    let (memory, state) = split(&mut caller)?;
    let text = text(state, id)?;
    bytes_mut(memory, pointer, text.len())?.copy_from_slice(text.as_bytes());
    Ok(())
}

fn drop_error(mut caller: Caller<'_, State>, id: i64) -> Result<()> {
    // Guest libraries drop this one after a timeout, more than once: it stays.
    if id.cast_unsigned() != TIMED_OUT_ERROR {
        caller.data_mut().tables().errors.remove(id, "error")?;
    }
    Ok(())
}
