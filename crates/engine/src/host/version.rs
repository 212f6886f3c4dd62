//! `lunatic::version`: the version of the ABI that these functions follow, which is that of the old
//! runtime: programs that ask want to know what they can call.

use wasmtime::{Linker, Result};

use crate::state::State;

const NAMESPACE: &str = "lunatic::version";

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "major", || 0_i32)?;
    linker.func_wrap(NAMESPACE, "minor", || 13_i32)?;
    linker.func_wrap(NAMESPACE, "patch", || 2_i32)?;
    Ok(())
}
