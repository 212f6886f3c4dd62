//! `lunatic::message`: the one message that a process writes or has received, sending, receiving.
//!
//! A trap leaves the message as it was, so that a guest that catches the trap has lost nothing.

use std::sync::Arc;

use lunatic_model::{Filter, Message, Resource, Tag};
use wasmtime::{Caller, Linker, Result, bail, format_err};

use crate::exit::HostExit;
use crate::host::process::end_if_exiting;
use crate::host::{TIMED_OUT, reason, timeout};
use crate::memory::{bytes, bytes_mut, i64s, split, unsigned};
use crate::module::Module;
use crate::net::{DatagramSocket, Listener, Shareable, TcpConnection, TlsConnection, TlsListener};
use crate::state::{Notice, Slot, State};

const NAMESPACE: &str = "lunatic::message";
/// A capacity hint reserves no more than this; the rest grows as it is written.
const CAPACITY_HINT_MAX: u64 = 64 << 10;
/// Tags in the list of one receive.
const TAGS_MAX: usize = 4096;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "create_data", create_data)?;
    linker.func_wrap(NAMESPACE, "write_data", write_data)?;
    linker.func_wrap(NAMESPACE, "read_data", read_data)?;
    linker.func_wrap(NAMESPACE, "seek_data", seek_data)?;
    linker.func_wrap(NAMESPACE, "get_tag", get_tag)?;
    linker.func_wrap(NAMESPACE, "get_process_id", get_process_id)?;
    linker.func_wrap(NAMESPACE, "data_size", data_size)?;
    linker.func_wrap(NAMESPACE, "push_module", push_module)?;
    linker.func_wrap(NAMESPACE, "take_module", take_module)?;
    linker.func_wrap(NAMESPACE, "push_tcp_stream", push::<TcpConnection>)?;
    linker.func_wrap(NAMESPACE, "take_tcp_stream", take::<TcpConnection>)?;
    linker.func_wrap(NAMESPACE, "push_tcp_listener", push::<Listener>)?;
    linker.func_wrap(NAMESPACE, "take_tcp_listener", take::<Listener>)?;
    linker.func_wrap(NAMESPACE, "push_tls_stream", push::<TlsConnection>)?;
    linker.func_wrap(NAMESPACE, "take_tls_stream", take::<TlsConnection>)?;
    linker.func_wrap(NAMESPACE, "push_tls_listener", push::<TlsListener>)?;
    linker.func_wrap(NAMESPACE, "take_tls_listener", take::<TlsListener>)?;
    linker.func_wrap(NAMESPACE, "push_udp_socket", push::<DatagramSocket>)?;
    linker.func_wrap(NAMESPACE, "take_udp_socket", take::<DatagramSocket>)?;
    linker
        .func_wrap_async(NAMESPACE, "send", |caller, (pid,): (i64,)| Box::new(send(caller, pid)))?;
    linker.func_wrap_async(
        NAMESPACE,
        "send_receive_skip_search",
        |caller, (pid, tag, timeout): (i64, i64, i64)| {
            Box::new(send_receive(caller, pid, Filter::Reply(Tag(tag)), timeout))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "receive",
        |caller, (tags, count, timeout): (i32, i32, i64)| {
            Box::new(receive(caller, tags, count, timeout))
        },
    )?;
    Ok(())
}

pub(super) fn data(state: &mut State) -> Result<(&mut Message, &mut u64)> {
    match &mut state.slot {
        Slot::Data { message, cursor } => Ok((message, cursor)),
        Slot::Empty => bail!("there is no message: create or receive one first"),
        Slot::Exit(_) | Slot::Down(_) => {
            bail!("the message tells of the end of a process: it can only be read")
        }
    }
}

/// What can be read: the data of a message, or of the reason of an end.
fn readable(state: &mut State) -> Result<(&[u8], &mut u64)> {
    match &mut state.slot {
        Slot::Data { message, cursor } => Ok((&message.data, cursor)),
        Slot::Empty => bail!("there is no message: create or receive one first"),
        Slot::Exit(notice) | Slot::Down(notice) => {
            let Notice { reason, data, cursor, .. } = &mut **notice;
            Ok((data.get_or_insert_with(|| reason::data(reason)), cursor))
        }
    }
}

fn create_data(mut caller: Caller<'_, State>, tag: i64, capacity: i64) {
    let capacity = capacity.cast_unsigned().min(CAPACITY_HINT_MAX) as usize;
    let data = Vec::with_capacity(capacity);
    let message = Message { tag: Tag(tag), data, ..Message::default() };
    caller.data_mut().set_slot(Slot::Data { message, cursor: 0 });
}

fn write_data(mut caller: Caller<'_, State>, pointer: i32, length: i32) -> Result<i32> {
    let (memory, state) = split(&mut caller)?;
    let max = state.process.limits().message_bytes_max;
    let source = bytes(memory, pointer, length)?;
    let (message, _) = data(state)?;
    if source.len() > max.saturating_sub(message.data.len()) {
        bail!("the message would be larger than message_bytes_max = {max}");
    }
    if let Err(over) = state.hold_in_slot(source.len() as u64) {
        if over.ends {
            return Err(HostExit::limit(over.limit));
        }
        bail!("the message cannot grow: {over}");
    }
    let (message, _) = data(state)?;
    message.data.extend_from_slice(source);
    Ok(length)
}

fn read_data(mut caller: Caller<'_, State>, pointer: i32, length: i32) -> Result<i32> {
    let (memory, state) = split(&mut caller)?;
    let destination = bytes_mut(memory, pointer, unsigned(length))?;
    let (data, cursor) = readable(state)?;
    let rest = usize::try_from(*cursor).ok().and_then(|cursor| data.get(cursor..));
    let Some(rest) = rest else {
        bail!("the cursor {cursor} is beyond the end of the message");
    };
    let count = rest.len().min(destination.len());
    destination[..count].copy_from_slice(&rest[..count]);
    *cursor += count as u64;
    // No more than `length`, which came in as 32 bits.
    Ok((count as u32).cast_signed())
}

fn seek_data(mut caller: Caller<'_, State>, position: i64) -> Result<()> {
    *readable(caller.data_mut())?.1 = position.cast_unsigned();
    Ok(())
}

fn get_tag(caller: Caller<'_, State>) -> Result<i64> {
    match &caller.data().slot {
        Slot::Empty => bail!("there is no message: create or receive one first"),
        Slot::Data { message, .. } => Ok(message.tag.0),
        Slot::Exit(notice) | Slot::Down(notice) => Ok(notice.tag.0),
    }
}

fn get_process_id(caller: Caller<'_, State>) -> Result<i64> {
    match &caller.data().slot {
        Slot::Empty => bail!("there is no message: create or receive one first"),
        Slot::Down(notice) => Ok(notice.from.serial.cast_signed()),
        Slot::Data { .. } | Slot::Exit(_) => Ok(0),
    }
}

fn data_size(mut caller: Caller<'_, State>) -> Result<i64> {
    Ok((readable(caller.data_mut())?.0.len() as u64).cast_signed())
}

fn push_module(mut caller: Caller<'_, State>, id: i64) -> Result<i64> {
    let state = caller.data_mut();
    let module = state.tables().modules.get(id, "module")?.clone();
    let max = state.process.limits().message_resources_max;
    attach(state, Resource(Box::new(module)), max)
}

/// Attaches a resource and gives its index in the message.
pub(super) fn attach(state: &mut State, resource: Resource, max: usize) -> Result<i64> {
    let index = free_index(state, max)?;
    let (message, _) = data(state)?;
    message.resources.push(Some(resource));
    Ok((index as u64).cast_signed())
}

/// The index that the next resource of the message gets.
fn free_index(state: &mut State, max: usize) -> Result<usize> {
    let (message, _) = data(state)?;
    let index = message.resources.len();
    if index >= max {
        bail!("the message holds message_resources_max = {max} resources already");
    }
    Ok(index)
}

/// Moves a socket from the table to the message. It leaves the table last: a trap leaves it there.
fn push<T: Shareable>(mut caller: Caller<'_, State>, id: i64) -> Result<i64> {
    let state = caller.data_mut();
    let max = state.process.limits().message_resources_max;
    T::table(state.tables().sockets()).get(id, T::WHAT)?;
    free_index(state, max)?;
    let socket = T::table(state.tables().sockets()).remove(id, T::WHAT)?;
    attach(state, Resource(Box::new(socket)), max)
}

fn take<T: Shareable>(mut caller: Caller<'_, State>, index: i64) -> Result<i64> {
    let state = caller.data_mut();
    let max = state.process.limits().resources_max;
    let socket = detach::<Arc<T>>(state, index, T::WHAT)?;
    let id = T::table(state.tables().sockets()).add(socket, max, "resources_max")?;
    Ok(id.cast_signed())
}

fn take_module(mut caller: Caller<'_, State>, index: i64) -> Result<i64> {
    let state = caller.data_mut();
    let max = state.process.limits().resources_max;
    let module = detach::<Module>(state, index, "module")?;
    let id = state.tables().modules.add(module, max, "resources_max")?;
    Ok(id.cast_signed())
}

/// Takes a resource out of the message; one of another kind stays in its place.
pub(super) fn detach<T: 'static>(state: &mut State, index: i64, what: &str) -> Result<T> {
    let (message, _) = data(state)?;
    let place = usize::try_from(index).ok().and_then(|index| message.resources.get_mut(index));
    let missing = || format_err!("the message has no {what} at index {index}");
    let place = place.ok_or_else(missing)?;
    match place.take().map(|resource| resource.0.downcast::<T>()) {
        Some(Ok(resource)) => Ok(*resource),
        Some(Err(other)) => {
            *place = Some(Resource(other));
            Err(missing())
        }
        None => Err(missing()),
    }
}

/// Takes the message that is to be sent.
pub(super) fn take_data(state: &mut State) -> Result<Message> {
    data(state)?;
    match state.take_slot() {
        Slot::Data { message, .. } => Ok(message),
        Slot::Empty | Slot::Exit(_) | Slot::Down(_) => bail!("there is no message"),
    }
}

async fn send(mut caller: Caller<'_, State>, pid: i64) -> Result<i32> {
    let state = caller.data_mut();
    let message = take_data(state)?;
    let (process, to) = (state.process.clone(), state.pid_of(pid));
    process.send(to, message).await;
    end_if_exiting(&process)?;
    Ok(0)
}

/// Sends, then takes what `filter` wants of what arrives from now on. What is in the mailbox
/// already is not looked at and keeps its order.
pub(super) async fn send_receive(
    mut caller: Caller<'_, State>,
    pid: i64,
    filter: Filter,
    milliseconds: i64,
) -> Result<i32> {
    let state = caller.data_mut();
    let message = take_data(state)?;
    let (process, to) = (state.process.clone(), state.pid_of(pid));
    let receive = process.receive_new(filter, timeout(milliseconds));
    process.send(to, message).await;
    end_if_exiting(&process)?;
    match receive.await {
        Some(envelope) => {
            caller.data_mut().set_slot(envelope.into());
            Ok(0)
        }
        None => Ok(TIMED_OUT),
    }
}

async fn receive(
    mut caller: Caller<'_, State>,
    tags: i32,
    count: i32,
    milliseconds: i64,
) -> Result<i32> {
    let filter = if count == 0 {
        Filter::Any
    } else {
        if unsigned(count) > TAGS_MAX {
            bail!("a receive takes at most {TAGS_MAX} tags");
        }
        let (memory, _) = split(&mut caller)?;
        Filter::Tags(i64s(memory, tags, count)?.into_iter().map(Tag).collect())
    };
    let process = caller.data().process.clone();
    let Some(envelope) = process.receive(filter, timeout(milliseconds)).await else {
        return Ok(TIMED_OUT);
    };
    let slot = Slot::from(envelope);
    let code = match slot {
        Slot::Data { .. } | Slot::Empty => 0,
        Slot::Exit(_) => 1,
        Slot::Down(_) => 2,
    };
    caller.data_mut().set_slot(slot);
    Ok(code)
}

/// The tag of the message that is to be sent.
pub(super) fn tag_of_slot(state: &mut State) -> Result<Tag> {
    Ok(data(state)?.0.tag)
}
