//! Bare Wasmtime, as the other side of benchmarks: runs code without interruption or metering, and
//! shares nothing with the runtime.
//!
//! `bare [--bounds] FILE EXPORT [i32]` calls an exported function of a module without imports and
//! prints how many nanoseconds the call took. With `--bounds`, memories are as in the dense tier of
//! the runtime: code checks bounds itself.
//!
//! `bare --code CODE FILE` runs `_start` of a module that writes to standard output, from code that
//! an earlier run has compiled into CODE, as a runtime with a warm cache does.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Module, Result, Store, Val};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["--code", code, file] => whole(Path::new(code), Path::new(file)),
        ["--bounds", file, export, rest @ ..] => timed(&bounds(), file, export, rest),
        [file, export, rest @ ..] => timed(&Config::new(), file, export, rest),
        _ => {
            eprintln!("usage: bare [--bounds] FILE EXPORT [i32]\n       bare --code CODE FILE");
            std::process::exit(2);
        }
    }
}

/// Memories without guard pages, as the dense tier has them.
fn bounds() -> Config {
    let mut config = Config::new();
    config
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .memory_may_move(true)
        .memory_init_cow(false);
    config
}

fn timed(config: &Config, file: &str, export: &str, args: &[&str]) -> Result<()> {
    let engine = Engine::new(config)?;
    let module = Module::new(&engine, std::fs::read(file)?)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let Some(function) = instance.get_func(&mut store, export) else {
        wasmtime::bail!("{file} exports no function {export}");
    };
    let params: Vec<Val> =
        args.iter().map(|argument| Ok(Val::I32(argument.parse()?))).collect::<Result<_>>()?;
    let mut results = vec![Val::I32(0); function.ty(&store).results().len()];
    let started = Instant::now();
    function.call(&mut store, &params, &mut results)?;
    println!("{}", started.elapsed().as_nanos());
    Ok(())
}

fn whole(code: &Path, file: &Path) -> Result<()> {
    let engine = Engine::new(&Config::new())?;
    if !code.exists() {
        std::fs::write(code, engine.precompile_module(&std::fs::read(file)?)?)?;
    }
    // SAFETY: the file was written by this program, for whoever measures it.
    let module = unsafe { Module::deserialize_file(&engine, code)? };
    let mut linker = Linker::new(&engine);
    linker.func_wrap("wasi_snapshot_preview1", "fd_write", write)?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
}

/// One slice, to standard output, whatever the descriptor.
fn write(mut caller: Caller<'_, ()>, _: i32, slices: i32, _: i32, _: i32) -> Result<i32> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        wasmtime::bail!("the module exports no memory");
    };
    let number = |at: usize| -> Result<usize> {
        let mut bytes = [0; 4];
        memory.read(&caller, at, &mut bytes)?;
        Ok(usize::try_from(u32::from_le_bytes(bytes))?)
    };
    let at = usize::try_from(slices)?;
    let (from, length) = (number(at)?, number(at + 4)?);
    let Some(bytes) = memory.data(&caller).get(from..from.saturating_add(length)) else {
        wasmtime::bail!("the slice is outside of the memory");
    };
    std::io::stdout().write_all(bytes)?;
    Ok(0)
}
