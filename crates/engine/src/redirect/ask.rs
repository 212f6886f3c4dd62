//! For whom a provider works: the process that makes the call.
//!
//! Providers are shared by processes that inherit them, and know nobody. One that asks or tells a
//! process does so on behalf of whoever calls, who waits, can be killed there, and pays for the
//! messages. So calls of a process that is redirected to others are polled within [`on_behalf_of`].

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use lunatic_model::{Message, Pid, Tag};
use lunatic_node::Process;
use lunatic_wasi::Errno;

thread_local! {
    static CALLER: RefCell<Option<Arc<Process>>> = const { RefCell::new(None) };
}

/// Of the wire format: a call, which begins with the reference to answer to.
const CALL: Tag = Tag(-1);
/// Of the wire format: what wants no answer.
const CAST: Tag = Tag(-2);

/// Polls a call; providers find the process, if there is one.
pub(crate) async fn on_behalf_of<F: Future>(process: Option<Arc<Process>>, call: F) -> F::Output {
    let mut call = pin!(call);
    let Some(process) = process else { return call.await };
    poll_fn(|context| {
        let _caller = Caller::enter(process.clone());
        call.as_mut().poll(context)
    })
    .await
}

/// Puts back who called before, also after a panic.
struct Caller(Option<Arc<Process>>);

impl Caller {
    fn enter(process: Arc<Process>) -> Caller {
        Caller(CALLER.replace(Some(process)))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        CALLER.set(self.0.take());
    }
}

/// The process that calls.
pub(super) fn caller() -> Result<Arc<Process>, Errno> {
    CALLER.with_borrow(Clone::clone).ok_or(Errno::Io)
}

/// Asks a process, and gives its whole answer.
///
/// # Errors
/// `Io` if it does not exist, or ends without an answer.
pub(super) async fn ask(target: Pid, request: Vec<u8>) -> Result<Message, Errno> {
    let process = caller()?;
    ask_for(&process, target, request).await
}

/// The same for a process that is known.
pub(crate) async fn ask_for(
    process: &Arc<Process>,
    target: Pid,
    request: Vec<u8>,
) -> Result<Message, Errno> {
    let answer = process.ask(target, |reference| {
        let mut data = Vec::with_capacity(16 + request.len());
        for number in crate::host::identity::reference_pair(Some(reference)) {
            data.extend_from_slice(&number.to_le_bytes());
        }
        data.extend_from_slice(&request);
        Message { tag: CALL, data, ..Message::default() }
    });
    answer.await.map_err(|_| Errno::Io)
}

/// Tells a process something that there is only so much of, without waiting.
pub(super) fn tell(
    environment: &lunatic_node::Environment,
    from: Pid,
    target: Pid,
    request: Vec<u8>,
) {
    let message = Message { tag: CAST, from: Some(from), data: request, ..Message::default() };
    environment.tell(target, message);
}
