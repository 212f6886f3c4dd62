//! Older forms of host functions, chosen by the type with which a module imports them.
//!
//! A linker knows functions by name alone. So imports of an older form get a name of their own
//! before the module is compiled; it is as long as the old name, so that nothing else in the module
//! changes. A module may import both forms.

use std::borrow::Cow;

use lunatic_model::{Filter, Tag};
use wasmparser::{
    BinaryReaderError, CompositeInnerType, Import, Parser, Payload, TypeRef, ValType,
};
use wasmtime::{Caller, Linker, Result};

use crate::host::distributed;
use crate::host::message::{send_receive, tag_of_slot};
use crate::state::State;

const MESSAGE: &str = "lunatic::message";
const DISTRIBUTED: &str = "lunatic::distributed";
const TODAY: &str = "send_receive_skip_search";
const LEGACY: &str = "send_receive_skip_legacy";
const _: () = assert!(TODAY.len() == LEGACY.len(), "a renamed import moves nothing");

/// Namespaces of the older form, with its parameters: so many i64. Its result is an i32.
const FORMS: [(&str, usize); 2] = [(MESSAGE, 2), (DISTRIBUTED, 3)];

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(MESSAGE, LEGACY, |caller, (pid, timeout): (i64, i64)| {
        Box::new(send_receive_own_tag(caller, pid, timeout))
    })?;
    linker.func_wrap(
        DISTRIBUTED,
        LEGACY,
        |caller: Caller<'_, State>, node: i64, pid: i64, timeout: i64| {
            distributed::send_receive(caller, node, pid, Tag::NONE.0, timeout)
        },
    )?;
    Ok(())
}

/// The module with its imports of older forms renamed, or borrowed when it has none.
pub(crate) fn rename_imports(wasm: &[u8]) -> Result<Cow<'_, [u8]>, BinaryReaderError> {
    let mut renamed = Cow::Borrowed(wasm);
    // Of each type the number of its parameters, if it is a function's of the kind above.
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(groups) => {
                for group in groups {
                    types.extend(group?.types().map(|ty| parameters(&ty.composite_type.inner)));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    if is_legacy(&import, &types) {
                        // The name is a part of the module's bytes.
                        let at = import.name.as_ptr().addr() - wasm.as_ptr().addr();
                        renamed.to_mut()[at..at + LEGACY.len()].copy_from_slice(LEGACY.as_bytes());
                    }
                }
                break;
            }
            // Types and imports come before everything that can be large.
            _ => {}
        }
    }
    Ok(renamed)
}

fn parameters(ty: &CompositeInnerType) -> Option<usize> {
    let CompositeInnerType::Func(function) = ty else { return None };
    let plain = function.params().iter().all(|ty| *ty == ValType::I64)
        && function.results() == [ValType::I32];
    plain.then_some(function.params().len())
}

fn is_legacy(import: &Import<'_>, types: &[Option<usize>]) -> bool {
    let (TypeRef::Func(ty) | TypeRef::FuncExact(ty)) = import.ty else { return false };
    let parameters = types.get(ty as usize).copied().flatten();
    let known = |(namespace, count)| import.module == namespace && parameters == Some(count);
    import.name == TODAY && FORMS.into_iter().any(known)
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
