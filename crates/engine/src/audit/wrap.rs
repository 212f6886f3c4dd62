//! Wrapping the imports of one instance.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use lunatic_node::Process;
use wasmtime::{Caller, Extern, Func, Instance, Result, Store, Val};

use super::texts::{Joined, joined};
use super::{Audit, Call, Hears, Outcome, Value, uses};
use crate::artifact::Artifact;
use crate::exit;
use crate::host::wasi;
use crate::memory;
use crate::state::State;

/// Bytes of a text that are kept.
const TEXT_BYTES_MAX: usize = 256;
/// The arguments of an address: type, pointer, port, flow, scope.
const ADDRESS_ARGUMENTS: usize = 5;

/// A host function, as its listeners know it.
struct Function {
    namespace: String,
    name: String,
    joined: &'static [Joined],
    real: Func,
    audit: Arc<Audit>,
    hears: Hears,
}

/// An instance of which every call of a host function is told, where anybody listens, and which
/// waits for its clock, where that has to be asked.
pub(crate) async fn instantiate(
    store: &mut Store<State>,
    artifact: &Artifact,
    audit: Option<&Audit>,
) -> Result<Instance> {
    let audit = Arc::new(audit.cloned().unwrap_or_default());
    let hears = audit.hears();
    let asked_clock = store.data().config.wasi.clock().is_asked();
    if hears.denied {
        store.data().process.keep_denials();
    }
    let mut imports = Vec::new();
    for import in artifact.module().imports() {
        let (namespace, name) = (import.module(), import.name());
        let item = match (namespace, name) {
            (wasi::NAMESPACE, wasi::CLOCK_CALL) if asked_clock => {
                wasi::asked_clock(&mut *store).into()
            }
            _ => artifact.linker.get(&mut *store, namespace, name)?,
        };
        imports.push(match item {
            Extern::Func(real) if !audit.is_empty() => {
                let function = Function {
                    namespace: namespace.into(),
                    name: name.into(),
                    joined: joined(namespace, name),
                    real,
                    audit: audit.clone(),
                    hears,
                };
                wrapped(store, function).into()
            }
            other => other,
        });
    }
    let instance = Instance::new_async(&mut *store, artifact.module(), &imports).await?;
    store.data_mut().audited = Some(Box::new(instance));
    Ok(instance)
}

fn wrapped(store: &mut Store<State>, function: Function) -> Func {
    let function = Arc::new(function);
    let ty = function.real.ty(&*store);
    Func::new_async(&mut *store, ty, move |mut caller, params, results| {
        let function = function.clone();
        Box::new(async move {
            // The function itself is called from here, not by the instance, so it cannot look for
            // the memory on its own before the instance is known.
            let _ = memory::split(&mut caller);
            let grants = match function.hears.used && function.namespace == wasi::NAMESPACE {
                true => uses::of_wasi(&function.name, &mut caller, params),
                false => Vec::new(),
            };
            let mut watch = Watch::begin(&function, &mut caller, params);
            let result = function.real.call_async(&mut caller, params, results).await;
            watch.end(result.as_ref().map(|()| &*results));
            if !uses::was_refused(results) {
                let process = caller.data().process.pid();
                grants.iter().for_each(|grant| function.audit.used(process, grant, &function.name));
            }
            result
        })
    })
}

/// Tells of one call, also if it never comes back.
struct Watch<'a> {
    function: &'a Function,
    process: Arc<Process>,
    at: SystemTime,
    began: Instant,
    arguments: Vec<Value>,
    told: bool,
}

impl<'a> Watch<'a> {
    fn begin(function: &'a Function, caller: &mut Caller<'_, State>, params: &[Val]) -> Watch<'a> {
        Watch {
            process: caller.data().process.clone(),
            arguments: match function.hears.calls {
                true => arguments(function.joined, caller, params),
                false => Vec::new(),
            },
            function,
            at: SystemTime::now(),
            began: Instant::now(),
            told: false,
        }
    }

    fn end(&mut self, result: std::result::Result<&[Val], &wasmtime::Error>) {
        match result {
            Ok(results) => {
                let results: Vec<Value> = results.iter().map(value).collect();
                self.tell(Outcome::Returned(&results));
            }
            Err(error) => self.tell(Outcome::Failed(&exit::cause(error))),
        }
    }

    fn tell(&mut self, outcome: Outcome<'_>) {
        self.told = true;
        let Function { audit, hears, .. } = self.function;
        let process = self.process.pid();
        if hears.denied {
            for (grant, tried) in self.process.take_denials() {
                audit.denied(process, &grant, &tried);
            }
        }
        if !hears.calls {
            return;
        }
        audit.called(&Call {
            process,
            at: self.at,
            took: self.began.elapsed(),
            namespace: &self.function.namespace,
            name: &self.function.name,
            arguments: &self.arguments,
            outcome,
        });
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.tell(Outcome::Ended);
        }
    }
}

fn value(value: &Val) -> Value {
    match value {
        Val::I32(number) => Value::Integer(i64::from(*number)),
        Val::I64(number) => Value::Integer(*number),
        Val::F32(bits) => Value::Float(f64::from(f32::from_bits(*bits))),
        Val::F64(bits) => Value::Float(f64::from_bits(*bits)),
        _ => Value::Other,
    }
}

fn arguments(joined: &[Joined], caller: &mut Caller<'_, State>, params: &[Val]) -> Vec<Value> {
    let memory = memory::split(caller).map(|(memory, _)| &*memory).unwrap_or_default();
    let (mut values, mut at) = (Vec::with_capacity(params.len()), 0);
    while let Some(param) = params.get(at) {
        let (told, places) = match joined.iter().find(|one| one.place() == at) {
            Some(Joined::Text(_)) => (text(memory, &params[at..]), 2),
            Some(Joined::Address(_)) => (address(memory, &params[at..]), ADDRESS_ARGUMENTS),
            None => (None, 1),
        };
        match told {
            Some(text) => {
                values.push(Value::Text(text));
                at += places;
            }
            // Also what lies outside of the memory, which the function itself refuses.
            None => {
                values.push(value(param));
                at += 1;
            }
        }
    }
    values
}

fn text(memory: &[u8], params: &[Val]) -> Option<Box<str>> {
    let [Val::I32(pointer), Val::I32(length), ..] = params else { return None };
    let bytes = memory::bytes(memory, *pointer, *length).ok()?;
    let kept = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    Some(String::from_utf8_lossy(kept).into())
}

fn address(memory: &[u8], params: &[Val]) -> Option<Box<str>> {
    let [Val::I32(kind), Val::I32(pointer), Val::I32(port), ..] = params else { return None };
    let ip = match kind {
        4 => {
            let bytes = memory::bytes(memory, *pointer, 4).ok()?;
            IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))
        }
        6 => {
            let bytes = memory::bytes(memory, *pointer, 16).ok()?;
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::try_from(*port).ok()?).to_string().into())
}
