//! The stack that LLVM's programs keep in their memory, beside that of the machine: what can be
//! known of it from outside.
//!
//! What must stay true: nothing here is asked of a process that does well; and what is only likely
//! is said so.

use wasmtime::{Error, Instance, Store, Trap};

use crate::state::State;

/// The name under which a module exports the pointer of that stack.
pub(crate) const POINTER: &str = "__stack_pointer";

/// A function that calls no other does not move the pointer: below this, its own frame can be what
/// had no room.
const LEAF_FRAME_BYTES: u64 = 4096;

/// What to say of a trap that a full stack has probably caused: where the stack lies before the
/// data, an access beyond its end is one before the memory's beginning.
pub(crate) fn overflow(
    error: &Error,
    store: &mut Store<State>,
    instance: &Instance,
) -> Option<&'static str> {
    let Some(Trap::MemoryOutOfBounds) = error.downcast_ref::<Trap>() else { return None };
    let pointer = instance.get_global(&mut *store, POINTER)?.get(&mut *store).i32()?;
    let size = instance.get_memory(&mut *store, "memory")?.data_size(&*store);
    let pointer = u64::from(pointer.cast_unsigned());
    let full = pointer < LEAF_FRAME_BYTES || pointer > size as u64;
    full.then_some(
        "the stack in its memory was probably full; a larger one is a flag of the linker: \
         -Clink-arg=-zstack-size=BYTES in Rust, -Wl,-z,stack-size=BYTES in C",
    )
}
