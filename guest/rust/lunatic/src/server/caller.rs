//! Who calls: the token with which a call is answered.
//!
//! What must stay true: in the body of a call the token of that call has no bytes, since the
//! message has its reference before the body (`guest/wire.md`); everywhere else it is written
//! whole, so that it can be handed on.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::behaviour::send;
use crate::format::{self, DecodeCause, EncodeError, Raw};
use crate::message::{self, Destination, tag};
use crate::{Pid, Ref};

thread_local! {
    /// The call whose body is being read, until its token was met.
    static READING: Cell<Option<(Pid, Ref)>> = const { Cell::new(None) };
    /// Whether the body of a call is being written whose token was not met yet.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// Answers one call with an `R`. It is a field of the request; keep it to answer later, send it to
/// let another process answer. A caller that does not wait any more never hears of the answer.
///
/// ```
/// use lunatic::server::{Caller, Init, Next, Server};
/// use serde::{Deserialize, Serialize};
///
/// /// Answers all that ask when somebody opens.
/// #[derive(Default)]
/// struct Gate(Vec<Caller<u32>>);
///
/// #[derive(Serialize, Deserialize)]
/// enum Call {
///     Pass(Caller<u32>),
///     Open(Caller<()>),
/// }
///
/// impl Server for Gate {
/// #   type Argument = ();
/// #   type Call = Call;
/// #   type Cast = ();
/// #   type Message = ();
/// #   fn init((): ()) -> Init<Self> { Init::ok(Gate::default()) }
///     fn handle_call(&mut self, call: Call) -> Next<Self> {
///         match call {
///             Call::Pass(caller) => {
///                 println!("{} waits", caller.pid());
///                 self.0.push(caller);
///             }
///             Call::Open(opener) => {
///                 let waiting = self.0.drain(..).zip(1..);
///                 waiting.for_each(|(caller, number)| caller.reply(&number));
///                 opener.reply(&());
///             }
///         }
///         Next::wait()
///     }
/// }
///
/// use lunatic::server::ServerRef;
/// use lunatic::{Mailbox, Process, spawn_link};
///
/// let (gate, mailbox) = (Gate::start_link(()).unwrap(), Mailbox::<u32>::new());
/// spawn_link(
///     (gate, mailbox.this()),
///     |(gate, parent): (ServerRef<Gate>, Process<u32>), _: Mailbox<()>| {
///         parent.send(0);
///         parent.send(gate.call(Call::Pass).unwrap());
///     },
/// );
/// assert_eq!(mailbox.receive().unwrap(), 0);
/// while mailbox.receive_timeout(std::time::Duration::ZERO) != Ok(1) {
///     gate.call(Call::Open).unwrap();
/// }
/// ```
pub struct Caller<R> {
    pid: Pid,
    reference: Ref,
    answer: PhantomData<fn(R)>,
}

impl<R> Caller<R> {
    pub(super) fn of_this_call() -> Self {
        Self::new(Pid::NONE, Ref::NONE)
    }

    fn new(pid: Pid, reference: Ref) -> Self {
        Self { pid, reference, answer: PhantomData }
    }

    /// The process that has called.
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl<R: Serialize + DeserializeOwned> Caller<R> {
    /// Answers.
    pub fn reply(self, answer: &R) {
        send(Destination::Alias(self.reference), tag::REPLY, answer);
    }

    /// An answer that is still to be sent.
    pub(super) fn prepare(self, answer: &R) -> Result<Reply, EncodeError> {
        Ok(Reply { reference: self.reference, body: format::to_vec(answer)? })
    }
}

/// An answer on its way.
pub(super) struct Reply {
    reference: Ref,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn send(self) {
        let to = Destination::Alias(self.reference);
        if let Err(error) = message::send::<_, Raw>(to, tag::REPLY, &self.body, None) {
            log::error!("an answer was not sent: {error}");
        }
    }
}

impl<R> fmt::Debug for Caller<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({}, {})", self.pid, self.reference)
    }
}

impl<R> Serialize for Caller<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if WRITING.replace(false) {
            return serializer.serialize_unit();
        }
        (self.pid, self.reference).serialize(serializer)
    }
}

impl<'de, R> Deserialize<'de> for Caller<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (pid, reference) = match READING.take() {
            Some(call) => call,
            None => Deserialize::deserialize(deserializer)?,
        };
        Ok(Self::new(pid, reference))
    }
}

/// Does what writes the body of a call.
pub(super) fn writing<T>(write: impl FnOnce() -> T) -> T {
    WRITING.set(true);
    let result = write();
    WRITING.set(false);
    result
}

/// Reads a request of a call that came from `pid`: the reference, then the body.
pub(super) fn decode<C: DeserializeOwned>(pid: Pid, data: &[u8]) -> Result<C, DecodeCause> {
    let (reference, body) = data
        .split_first_chunk::<16>()
        .ok_or_else(|| DecodeCause::new("a call begins with a reference of 16 bytes"))?;
    READING.set(Some((pid, Ref::from_bytes(*reference))));
    let request = format::from_slice(body);
    READING.set(None);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    enum Call {
        Add(i64, Caller<i64>),
        HandOn(Caller<()>, Caller<u8>),
    }

    #[test]
    fn the_token_of_a_call_has_no_bytes_in_its_body() {
        let body = writing(|| format::to_vec(&Call::Add(1, Caller::of_this_call()))).unwrap();
        assert_eq!(body, [0, 2]);
        let data = [Ref::new(7, 9).to_bytes().to_vec(), body].concat();
        let call = decode(Pid::new(0, 3), &data).unwrap();
        let Call::Add(1, caller) = call else { panic!("another request: {call:?}") };
        assert_eq!((caller.pid(), caller.reference), (Pid::new(0, 3), Ref::new(7, 9)));
    }

    #[test]
    fn the_token_of_another_call_is_handed_on_whole() {
        let other = Caller::new(Pid::new(0, 5), Ref::new(0, 6));
        let body =
            writing(|| format::to_vec(&Call::HandOn(Caller::of_this_call(), other))).unwrap();
        let data = [Ref::new(0, 9).to_bytes().to_vec(), body].concat();
        let call = decode(Pid::new(0, 3), &data).unwrap();
        let Call::HandOn(own, other) = call else { panic!("another request: {call:?}") };
        assert_eq!(own.reference, Ref::new(0, 9));
        assert_eq!((other.pid(), other.reference), (Pid::new(0, 5), Ref::new(0, 6)));
    }

    #[test]
    fn a_call_without_a_reference_is_an_error() {
        assert!(decode::<Call>(Pid::new(0, 3), &[0; 15]).is_err());
    }
}
