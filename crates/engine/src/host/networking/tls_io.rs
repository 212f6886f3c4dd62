//! TLS streams: reading, writing, timeouts, and what the handshake has told.
//!
//! Turns, timeouts and results are those of TCP streams. A write that times out after the session
//! has taken bytes counts them: the rest of them goes out with the next call on the stream.

use std::io::ErrorKind;
use std::sync::Arc;

use tokio::task::yield_now;
use wasmtime::{Caller, Linker, Result};

use crate::host::networking::tcp::buffers;
use crate::host::networking::{
    Deadline, ID_BYTES, NAMESPACE, at_most, give, give_moved, link_timeout, permit_bytes, shared,
};
use crate::host::{TIMED_OUT, fail};
use crate::memory::{bytes_mut, check, split, unsigned, write_u64};
use crate::net::TlsConnection;
use crate::state::State;
use crate::tables::TIMED_OUT_ERROR;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "tls_write_vectored",
        |caller, (id, list, count, out): (i64, i32, i32, i32)| {
            Box::new(tls_write_vectored(caller, id, (list, count), out))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "tls_read",
        |caller, (id, buffer, length, out): (i64, i32, i32, i32)| {
            Box::new(tls_read(caller, id, (buffer, length), out))
        },
    )?;
    linker.func_wrap_async(NAMESPACE, "tls_flush", |caller, (id, out): (i64, i32)| {
        Box::new(finish(caller, id, out, Last::Flush))
    })?;
    linker.func_wrap_async(NAMESPACE, "tls_shutdown", |caller, (id, out): (i64, i32)| {
        Box::new(finish(caller, id, out, Last::Shutdown))
    })?;
    linker.func_wrap(
        NAMESPACE,
        "tls_alpn",
        |mut caller: Caller<'_, State>, id: i64, buffer: i32, length: i32, out: i32| {
            let name = stream(&mut caller, id)?.protocol();
            give_bytes(caller, &name, (buffer, length), out)
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "tls_peer_certificate",
        |mut caller: Caller<'_, State>, id: i64, buffer: i32, length: i32, out: i32| {
            let certificate = stream(&mut caller, id)?.peer_certificate();
            give_bytes(caller, &certificate, (buffer, length), out)
        },
    )?;
    link_timeout(
        linker,
        ("set_tls_read_timeout", "get_tls_read_timeout"),
        |stream: &TlsConnection| &stream.tcp.read_timeout,
    )?;
    link_timeout(
        linker,
        ("set_tls_write_timeout", "get_tls_write_timeout"),
        |stream: &TlsConnection| &stream.tcp.write_timeout,
    )
}

fn stream(caller: &mut Caller<'_, State>, id: i64) -> Result<Arc<TlsConnection>> {
    shared(caller, id)
}

async fn tls_write_vectored(
    mut caller: Caller<'_, State>,
    id: i64,
    (list, count): (i32, i32),
    out: i32,
) -> Result<i32> {
    let stream = stream(&mut caller, id)?;
    check(&mut caller, &[(out, ID_BYTES)])?;
    let (memory, _) = split(&mut caller)?;
    if buffers(memory, list, count)?.is_empty() {
        return give(&mut caller, 0, out);
    }
    if let Err(text) = permit_bytes(&caller)? {
        return fail(&mut caller, text, out);
    }
    let mut deadline = Deadline::new(&caller, stream.tcp.write_timeout.milliseconds());
    let Some(_turn) = deadline.run(stream.tcp.writing.lock()).await else { return Ok(TIMED_OUT) };
    // What an earlier call has left.
    let flushed = match deadline.run(stream.flush()).await {
        Some(flushed) => flushed,
        None => return Ok(TIMED_OUT),
    };
    let (memory, _) = split(&mut caller)?;
    let buffers = buffers(memory, list, count)?;
    let written = match flushed.and_then(|()| stream.accept(&buffers)) {
        // Taken is taken: if there is no time left, these bytes follow later.
        Ok(written) => deadline.run(stream.flush()).await.unwrap_or(Ok(())).map(|()| written),
        Err(error) => Err(error),
    };
    give_moved(&mut caller, written, "cannot write", out)
}

async fn tls_read(
    mut caller: Caller<'_, State>,
    id: i64,
    (buffer, length): (i32, i32),
    out: i32,
) -> Result<i32> {
    let stream = stream(&mut caller, id)?;
    check(&mut caller, &[(buffer, unsigned(length)), (out, ID_BYTES)])?;
    if length == 0 {
        return give(&mut caller, 0, out);
    }
    if let Err(text) = permit_bytes(&caller)? {
        return fail(&mut caller, text, out);
    }
    let mut deadline = Deadline::new(&caller, stream.tcp.read_timeout.milliseconds());
    let Some(_turn) = deadline.run(stream.tcp.reading.lock()).await else { return Ok(TIMED_OUT) };
    let count = loop {
        let (memory, _) = split(&mut caller)?;
        match stream.try_read(bytes_mut(memory, buffer, at_most(length))?) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                yield_now().await;
                continue;
            }
            count => break count,
        }
        match deadline.run(stream.readable()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => break Err(error),
            None => return Ok(TIMED_OUT),
        }
    };
    give_moved(&mut caller, count, "cannot read", out)
}

/// What may follow the last write.
#[derive(Clone, Copy)]
enum Last {
    Flush,
    Shutdown,
}

/// Both have to wait for room, so the write timeout holds. Guests take what is at `out` for an
/// error whenever the result is not 0.
async fn finish(mut caller: Caller<'_, State>, id: i64, out: i32, last: Last) -> Result<i32> {
    let stream = stream(&mut caller, id)?;
    check(&mut caller, &[(out, ID_BYTES)])?;
    let mut deadline = Deadline::new(&caller, stream.tcp.write_timeout.milliseconds());
    let done = deadline.run(async {
        let _turn = stream.tcp.writing.lock().await;
        match last {
            Last::Flush => stream.flush().await,
            Last::Shutdown => stream.shutdown().await,
        }
    });
    match done.await {
        Some(Ok(())) => give(&mut caller, 0, out),
        Some(Err(error)) => fail(&mut caller, format!("cannot write: {error}"), out),
        None => {
            write_u64(&mut caller, out, TIMED_OUT_ERROR)?;
            Ok(TIMED_OUT)
        }
    }
}

/// Result 0: stores as many of the bytes as fit, and how many there are.
fn give_bytes(
    mut caller: Caller<'_, State>,
    bytes: &[u8],
    (buffer, length): (i32, i32),
    out: i32,
) -> Result<i32> {
    let (memory, _) = split(&mut caller)?;
    let place = bytes_mut(memory, buffer, unsigned(length))?;
    let count = bytes.len().min(place.len());
    place[..count].copy_from_slice(&bytes[..count]);
    // All of them: a guest whose place is too small asks again.
    let all = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    bytes_mut(memory, out, size_of::<u32>())?.copy_from_slice(&all.to_le_bytes());
    Ok(0)
}
