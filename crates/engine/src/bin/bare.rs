//! Bare Wasmtime, as the other side of benchmarks: runs an exported function without interruption,
//! metering or host functions, and prints how many nanoseconds the call took.
//!
//! `bare FILE.wasm EXPORT [i32]`

use std::time::Instant;

use wasmtime::{Config, Engine, Instance, Module, Store, Val};

fn main() -> wasmtime::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, file, export, rest @ ..] = args.as_slice() else {
        eprintln!("usage: bare FILE.wasm EXPORT [i32]");
        std::process::exit(2);
    };
    let engine = Engine::new(&Config::new())?;
    let module = Module::new(&engine, std::fs::read(file)?)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let Some(function) = instance.get_func(&mut store, export) else {
        wasmtime::bail!("{file} exports no function {export}");
    };
    let params: Vec<Val> = rest
        .iter()
        .map(|argument| Ok(Val::I32(argument.parse()?)))
        .collect::<wasmtime::Result<_>>()?;
    let mut results = vec![Val::I32(0); function.ty(&store).results().len()];
    let started = Instant::now();
    function.call(&mut store, &params, &mut results)?;
    println!("{}", started.elapsed().as_nanos());
    Ok(())
}
