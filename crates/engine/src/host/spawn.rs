//! `lunatic::process` `spawn_with`: spawning with options, bound to the parent in one step.

use std::sync::Arc;

use lunatic_model::{Priority, Tag};
use lunatic_node::Bonds;
use wasmtime::{Caller, Linker, Result, bail};

use crate::host::bonds::monitor_options;
use crate::host::process::{Extras, RawSpawn, spawn_child};
use crate::host::{fail, identity};
use crate::memory::{bytes, check, split, text, unsigned, write_u64s};
use crate::state::State;

/// The options as far as this runtime knows them. `abi/process.md` lists the fields.
const OPTIONS_BYTES: usize = 72;
/// What every program gives: up to the parameters of the entry.
const OPTIONS_BYTES_MIN: usize = 40;
/// A structure that is longer than this is no structure.
const OPTIONS_BYTES_MAX: usize = 4096;
/// The pid and the reference of the monitor.
const RESULT_BYTES: usize = 32;

const LINK: u32 = 1;
const MONITOR: u32 = 1 << 1;
const PRIORITY: u32 = 1 << 2;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        "lunatic::process",
        "spawn_with",
        |caller, (options, length, result): (i32, i32, i32)| {
            Box::new(spawn_with(caller, options, length, result))
        },
    )?;
    Ok(())
}

/// The structure, with zeros where the program is older than this runtime.
struct Options([u8; OPTIONS_BYTES]);

impl Options {
    fn read(memory: &[u8], pointer: i32, length: i32) -> Result<Options> {
        if !(OPTIONS_BYTES_MIN..=OPTIONS_BYTES_MAX).contains(&unsigned(length)) {
            bail!(
                "the options of a spawn have {OPTIONS_BYTES_MIN} to {OPTIONS_BYTES_MAX} bytes, \
                 not {}",
                unsigned(length)
            );
        }
        let given = bytes(memory, pointer, length)?;
        let (known, newer) = given.split_at(given.len().min(OPTIONS_BYTES));
        if newer.iter().any(|byte| *byte != 0) {
            bail!("the options of a spawn hold some that this runtime does not know");
        }
        let mut options = [0; OPTIONS_BYTES];
        options[..known.len()].copy_from_slice(known);
        Ok(Options(options))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|byte| self.0[at + byte]))
    }

    fn i32(&self, at: usize) -> i32 {
        self.u32(at).cast_signed()
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(std::array::from_fn(|byte| self.0[at + byte]))
    }
}

async fn spawn_with(
    mut caller: Caller<'_, State>,
    pointer: i32,
    length: i32,
    result: i32,
) -> Result<i32> {
    check(&mut caller, &[(result, RESULT_BYTES)])?;
    let max = caller.data().runtime.limits.name_bytes_max;
    let (memory, _) = split(&mut caller)?;
    let options = Options::read(memory, pointer, length)?;
    let extras = extras(&options, label(memory, &options, max)?)?;
    let raw = RawSpawn {
        link: Tag::NONE.0,
        config: options.i64(8),
        module: options.i64(16),
        name: options.i32(24),
        name_length: options.i32(28),
        params: options.i32(32),
        params_length: options.i32(36),
    };
    match spawn_child(&mut caller, &raw, extras).await? {
        Ok((child, reference)) => {
            let [node, id] = identity::pid_pair(child.pid());
            let [reference_node, reference] = identity::reference_pair(reference);
            write_u64s(&mut caller, result, &[node, id, reference_node, reference])?;
            Ok(0)
        }
        Err(text) => fail(&mut caller, text, result),
    }
}

fn label(memory: &[u8], options: &Options, max: usize) -> Result<Option<Arc<str>>> {
    let (pointer, length) = (options.i32(48), options.i32(52));
    if length == 0 {
        return Ok(None);
    }
    if unsigned(length) > max {
        bail!("a label has at most name_bytes_max = {max} bytes");
    }
    Ok(Some(text(memory, pointer, length)?.into()))
}

fn extras(options: &Options, label: Option<Arc<str>>) -> Result<Extras> {
    let flags = options.u32(0);
    if flags & !(LINK | MONITOR | PRIORITY) != 0 {
        bail!("the flags {flags:#x} of a spawn hold some that do not exist");
    }
    let wish = options.u32(4);
    let priority = match Priority::from_number(wish.into()) {
        Some(priority) if flags & PRIORITY != 0 => priority,
        None if flags & PRIORITY != 0 => bail!("there is no priority {wish}"),
        Some(_) | None => Priority::Normal,
    };
    let link = (flags & LINK != 0).then(|| Tag(options.i64(40)));
    let monitor = match flags & MONITOR {
        0 => None,
        _ => Some(monitor_options(options.i32(56))?),
    };
    Ok(Extras { bonds: Bonds { link, monitor }, priority, label })
}
