//! `lunatic::wasi`: what a configuration gives to a child of arguments, environment, directories.

use lunatic_wasi::{Access, Preopen, WasiConfig};
use wasmtime::{Caller, Linker, Result};

use crate::exit::HostExit;
use crate::host::process::changed_draft;
use crate::memory::string;
use crate::state::State;
use crate::tables::ConfigDraft;

const NAMESPACE: &str = "lunatic::wasi";
/// Entries of each kind in one configuration.
const ENTRIES_MAX: usize = 10_000;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "config_add_environment_variable", add_environment_variable)?;
    linker.func_wrap(NAMESPACE, "config_add_command_line_argument", add_command_line_argument)?;
    linker.func_wrap(NAMESPACE, "config_preopen_dir", preopen_dir)?;
    Ok(())
}

fn add_environment_variable(
    mut caller: Caller<'_, State>,
    id: i64,
    key: i32,
    key_length: i32,
    value: i32,
    value_length: i32,
) -> Result<()> {
    let key = string(&mut caller, key, key_length)?;
    let value = string(&mut caller, value, value_length)?;
    append(&mut changed_draft(&mut caller, id)?.env, (key, value))
}

fn add_command_line_argument(
    mut caller: Caller<'_, State>,
    id: i64,
    argument: i32,
    length: i32,
) -> Result<()> {
    let argument = string(&mut caller, argument, length)?;
    append(&mut changed_draft(&mut caller, id)?.args, argument)
}

fn preopen_dir(mut caller: Caller<'_, State>, id: i64, path: i32, length: i32) -> Result<()> {
    let path = string(&mut caller, path, length)?;
    append(&mut changed_draft(&mut caller, id)?.preopens, path)
}

fn append<T>(list: &mut Vec<T>, value: T) -> Result<()> {
    if list.len() >= ENTRIES_MAX {
        return Err(HostExit::limit("config_entries_max"));
    }
    list.push(value);
    Ok(())
}

/// The child's view of the world: what the draft lists, of what its parent has. A directory is
/// opened through one of the parent's, never by its path on the host.
pub(super) async fn narrowed(
    parent: &WasiConfig,
    draft: &ConfigDraft,
) -> Result<WasiConfig, String> {
    let mut config = parent.clone();
    config.clear_args();
    config.clear_env();
    config.clear_preopens();
    for argument in &draft.args {
        config.push_arg(argument).map_err(|error| error.to_string())?;
    }
    for (key, value) in &draft.env {
        config.push_env(key, value).map_err(|error| error.to_string())?;
    }
    for path in &draft.preopens {
        let preopen = narrowed_directory(parent, path).await?;
        config.push_preopen(preopen).map_err(|error| error.to_string())?;
    }
    Ok(config)
}

async fn narrowed_directory(parent: &WasiConfig, path: &str) -> Result<Preopen, String> {
    let inside = |preopen: &Preopen| inside(preopen.guest_name(), path);
    let found = parent.preopens().iter().find_map(|preopen| Some((preopen, inside(preopen)?)));
    let Some((preopen, rest)) = found else {
        return Err(format!(
            "the directory {path:?} cannot be given to a process: none of the directories that its \
             parent has contains it"
        ));
    };
    preopen.narrow(path, &rest, Access::FULL).await.map_err(|errno| {
        format!("the directory {path:?} cannot be opened for a process: {errno:?}")
    })
}

/// The path below the directory that guests know as `directory`, if it lies there by its text.
fn inside(directory: &str, path: &str) -> Option<String> {
    let directory = directory.trim_end_matches('/');
    let rest = if path == directory {
        ""
    } else if directory == "." {
        Some(path).filter(|path| !path.starts_with('/'))?
    } else {
        path.strip_prefix(directory)?.strip_prefix('/')?
    };
    Some(if rest.is_empty() { ".".into() } else { rest.into() })
}
