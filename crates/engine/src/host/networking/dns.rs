//! Name resolution, and the iterators in which guests are given addresses.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::vec::IntoIter;

use tokio::sync::Semaphore;
use wasmtime::{Caller, Linker, Result};

use crate::host::networking::{Deadline, ID_BYTES, NAMESPACE, add, give, permit_resolve, sockets};
use crate::host::{TIMED_OUT, fail};
use crate::memory::{bytes_mut, check, split, text, write_u64};
use crate::redirect::network;
use crate::state::State;
use crate::tables::TIMED_OUT_ERROR;

/// Bytes of "host:port". Names of the domain name system have no more than 253.
pub(super) const NAME_BYTES_MAX: usize = 1024;
/// Result: all addresses have been given.
const EXHAUSTED: i32 = 1;
const WHAT: &str = "DNS iterator";

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "resolve",
        |caller, (name, length, timeout, id): (i32, i32, i64, i32)| {
            Box::new(resolve(caller, (name, length), timeout, id))
        },
    )?;
    linker.func_wrap(NAMESPACE, "drop_dns_iterator", drop_dns_iterator)?;
    linker.func_wrap(
        NAMESPACE,
        "resolve_next",
        |caller: Caller<'_, State>,
         id: i64,
         kind: i32,
         address: i32,
         port: i32,
         flow_info: i32,
         scope_id: i32| {
            let places = Places { kind, address, port, flow_info, scope_id };
            resolve_next(caller, id, &places)
        },
    )?;
    Ok(())
}

async fn resolve(
    mut caller: Caller<'_, State>,
    name: (i32, i32),
    milliseconds: i64,
    id: i32,
) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let (memory, _) = split(&mut caller)?;
    let name = text(memory, name.0, name.1)?;
    if name.len() > NAME_BYTES_MAX {
        let length = name.len();
        let text = format!("a name of {length} bytes: at most {NAME_BYTES_MAX} can be resolved");
        return fail(&mut caller, text, id);
    }
    let name = name.to_owned();
    if let Err(text) = permit_resolve(&caller, &name) {
        return fail(&mut caller, text, id);
    }
    let look_up = look_up(&mut caller, name.clone());
    let mut deadline = Deadline::new(&caller, milliseconds);
    match deadline.run(look_up).await {
        Some(Ok(addresses)) => {
            let iterator = add(&mut caller, |sockets| &mut sockets.addresses, addresses)?;
            give(&mut caller, iterator, id)
        }
        Some(Err(error)) => {
            let text = format!("cannot resolve `{name}` (`host:port` is expected): {error}");
            fail(&mut caller, text, id)
        }
        None => {
            write_u64(&mut caller, id, TIMED_OUT_ERROR)?;
            Ok(TIMED_OUT)
        }
    }
}

/// Looks up "host:port" on the process's account.
pub(super) fn look_up(
    caller: &mut Caller<'_, State>,
    name: String,
) -> impl Future<Output = io::Result<IntoIter<SocketAddr>>> + Send + use<> {
    let state = caller.data_mut();
    state.catch_up();
    let redirected = network::answer(&state.config, &name);
    let redirected = redirected.map(|(answer, host, port)| {
        network::look_up(state.process.clone(), answer.clone(), host, port)
    });
    let system = redirected.is_none().then(|| system_look_up(caller, name));
    async move {
        match (redirected, system) {
            (Some(redirected), _) => redirected.await,
            (None, Some(system)) => system.await,
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn system_look_up(
    caller: &mut Caller<'_, State>,
    name: String,
) -> impl Future<Output = io::Result<IntoIter<SocketAddr>>> + Send + use<> {
    let max = caller.data().process.limits().lookups_max.min(Semaphore::MAX_PERMITS);
    let own = sockets(caller).lookups.get_or_insert_with(|| Arc::new(Semaphore::new(max))).clone();
    if max == 0 {
        // Nobody shall wait for what never comes.
        own.close();
    }
    caller.data().runtime.names.look_up(own, name)
}

fn drop_dns_iterator(mut caller: Caller<'_, State>, id: i64) -> Result<()> {
    sockets(&mut caller).addresses.remove(id, WHAT).map(drop)
}

/// Where the guest wants the parts of an address.
struct Places {
    kind: i32,
    address: i32,
    port: i32,
    flow_info: i32,
    scope_id: i32,
}

/// The address counts as given only when all of it has been stored.
fn resolve_next(mut caller: Caller<'_, State>, id: i64, places: &Places) -> Result<i32> {
    let (memory, state) = split(&mut caller)?;
    let addresses = state.tables().sockets().addresses.get_mut(id, WHAT)?;
    let Some(address) = addresses.as_slice().first() else { return Ok(EXHAUSTED) };
    let mut store = |pointer, bytes: &[u8]| -> Result<()> {
        bytes_mut(memory, pointer, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    };
    match address {
        SocketAddr::V4(address) => {
            store(places.kind, &4_u32.to_le_bytes())?;
            store(places.address, &address.ip().octets())?;
        }
        SocketAddr::V6(address) => {
            store(places.kind, &6_u32.to_le_bytes())?;
            store(places.address, &address.ip().octets())?;
            store(places.flow_info, &address.flowinfo().to_le_bytes())?;
            store(places.scope_id, &address.scope_id().to_le_bytes())?;
        }
    }
    store(places.port, &address.port().to_le_bytes())?;
    addresses.next();
    Ok(0)
}
