//! `poll_oneoff`: waiting for clocks and descriptors at once.
//!
//! What must stay true: a call returns with at least one event; what is ready at once is reported
//! without waiting; every subscription is decoded before anything waits. Files are always ready.
//! A relative timeout runs on the monotonic clock; an absolute one on the realtime clock is looked
//! at again at least every [`REALTIME_STEP`], as that clock may jump.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::clock::{ClockId, refresh};
use crate::errno::Errno;
use crate::guest::{Answer, Guest, Stop, answer};
use crate::limits::{IO_BYTES_MAX, SUBSCRIPTIONS_MAX};
use crate::memory;
use crate::provider::{File, Input, Ready, Reply, StreamKind};
use crate::table::{Object, Wasi};
use crate::types::{Event, FileType, Rights};

/// Nanoseconds after which a jump of the realtime clock is noticed at the latest.
const REALTIME_STEP: u64 = 60 * 1_000_000_000;

const SUBSCRIPTION_BYTES: u64 = 48;
const KIND_CLOCK: u8 = 0;
const KIND_READ: u8 = 1;
const KIND_WRITE: u8 = 2;

/// Waits for the first of `count` subscriptions at `subscriptions`, and writes what has happened
/// to `events` and the number of them to `occurred`. `Inval` for none or more than
/// [`SUBSCRIPTIONS_MAX`]; an error of one subscription is an event of its own.
pub async fn poll_oneoff<G: Guest>(
    guest: &mut G,
    subscriptions: u32,
    events: u32,
    count: u32,
    occurred: u32,
) -> Answer {
    answer(
        async {
            let memory = guest.memory()?;
            memory::check(memory, occurred, 4)?;
            let room = u64::from(count) * u64::from(Event::SIZE);
            memory::range(memory, u64::from(events), room)?;
            let wishes = decode(memory, subscriptions, count)?;
            if wishes.iter().any(|wish| matches!(wish.subject, Subject::Clock { .. })) {
                refresh(guest.wasi()).await?;
            }
            let mut plan = Plan::default();
            for wish in wishes {
                plan.add(guest.wasi(), wish).await;
            }
            let happened = plan.wait(guest.wasi()).await;
            let memory = guest.memory()?;
            let mut place = u64::from(events);
            for event in &happened {
                memory::write(memory, place, &event.encode())?;
                place += u64::from(Event::SIZE);
            }
            // At most one event for each subscription.
            memory::write_u32(memory, occurred, happened.len() as u32)?;
            Ok(())
        }
        .await,
    )
}

/// One decoded subscription.
struct Wish {
    user_data: u64,
    subject: Subject,
}

enum Subject {
    Clock { id: u32, timeout: u64, absolute: bool },
    Stream { fd: u32, kind: u8 },
}

fn decode(memory: &[u8], place: u32, count: u32) -> Result<Vec<Wish>, Stop> {
    if count == 0 || count as usize > SUBSCRIPTIONS_MAX {
        return Err(Errno::Inval.into());
    }
    let wish = |index: u64| {
        let at = u64::from(place) + index * SUBSCRIPTION_BYTES;
        memory::bytes(memory, at, SUBSCRIPTION_BYTES)?;
        let subject = match memory::read_u8(memory, at + 8)? {
            KIND_CLOCK => Subject::Clock {
                id: memory::read_u32(memory, at + 16)?,
                timeout: memory::read_u64(memory, at + 24)?,
                absolute: memory::read_u16(memory, at + 40)? & 1 != 0,
            },
            kind @ (KIND_READ | KIND_WRITE) => {
                Subject::Stream { fd: memory::read_u32(memory, at + 16)?, kind }
            }
            _ => return Err(Errno::Inval.into()),
        };
        Ok(Wish { user_data: memory::read_u64(memory, at)?, subject })
    };
    (0..u64::from(count)).map(wish).collect()
}

/// When a clock subscription is due.
#[derive(Clone, Copy)]
enum Due {
    /// On the configuration's monotonic clock.
    Monotonic(u64),
    Realtime(u64),
}

impl Due {
    /// Nanoseconds from now; 0 if it is due.
    fn remaining(self, wasi: &Wasi) -> u64 {
        let clock = wasi.config().clock();
        match self {
            Due::Monotonic(time) => time.saturating_sub(clock.monotonic()),
            Due::Realtime(time) => time.saturating_sub(clock.realtime()),
        }
    }
}

/// What has happened already and what is to be waited for.
#[derive(Default)]
struct Plan {
    events: Vec<Event>,
    clocks: Vec<(u64, Due)>,
    inputs: Vec<(u64, Arc<dyn Input>)>,
}

impl Plan {
    async fn add(&mut self, wasi: &Wasi, wish: Wish) {
        let user_data = wish.user_data;
        match wish.subject {
            Subject::Clock { id, timeout, absolute } => match due(wasi, id, timeout, absolute) {
                Ok(due) => self.clocks.push((user_data, due)),
                Err(errno) => self.events.push(failed(user_data, KIND_CLOCK, errno)),
            },
            Subject::Stream { fd, kind } => match stream(wasi, fd, kind) {
                Err(errno) => self.events.push(failed(user_data, kind, errno)),
                Ok(Stream::Input(input)) => self.inputs.push((user_data, input)),
                Ok(Stream::Writable) => {
                    self.events.push(ready(user_data, kind, IO_BYTES_MAX as u64));
                }
                Ok(Stream::Readable(file, position)) => {
                    self.events.push(readable(user_data, &*file, position).await);
                }
            },
        }
    }

    /// Returns as soon as there is an event.
    async fn wait(self, wasi: &Wasi) -> Vec<Event> {
        let Plan { mut events, clocks, inputs } = self;
        let mut waiting: Vec<(u64, Reply<'_, Ready>)> =
            inputs.iter().map(|(user_data, input)| (*user_data, input.ready())).collect();
        loop {
            collect_due(wasi, &clocks, &mut events);
            let clock = wasi.config().clock();
            let mut sleep = next_wait(wasi, &clocks)
                .map(|wait| clock.sleep_until(clock.monotonic().saturating_add(wait)));
            poll_fn(|context| poll_once(context, &mut waiting, &mut sleep, &mut events)).await;
            if !events.is_empty() {
                return events;
            }
        }
    }
}

fn due(wasi: &Wasi, id: u32, timeout: u64, absolute: bool) -> Result<Due, Errno> {
    let clock = wasi.config().clock();
    Ok(match (ClockId::decode(id)?, absolute) {
        // Who sees every clock at 0 counts from now.
        (_, true) if wasi.config().is_time_hidden() => {
            Due::Monotonic(clock.monotonic().saturating_add(timeout))
        }
        (ClockId::Realtime, true) => Due::Realtime(timeout),
        (ClockId::Elapsed, true) => Due::Monotonic(wasi.deadline(timeout)),
        (_, false) => Due::Monotonic(clock.monotonic().saturating_add(timeout)),
    })
}

/// Moves clocks that are due to the events. Called once for each round, and a round that finds
/// any is the last.
fn collect_due(wasi: &Wasi, clocks: &[(u64, Due)], events: &mut Vec<Event>) {
    let due = clocks.iter().filter(|(_, due)| due.remaining(wasi) == 0);
    events.extend(due.map(|(user_data, _)| ready(*user_data, KIND_CLOCK, 0)));
}

/// Nanoseconds until a clock is worth looking at again.
fn next_wait(wasi: &Wasi, clocks: &[(u64, Due)]) -> Option<u64> {
    let wait = |due: &Due| match due {
        Due::Monotonic(_) => due.remaining(wasi),
        Due::Realtime(_) => due.remaining(wasi).min(REALTIME_STEP),
    };
    clocks.iter().map(|(_, due)| wait(due)).min()
}

/// Looks at every input once; ready if there is an event or the clocks are worth another look.
fn poll_once(
    context: &mut Context<'_>,
    waiting: &mut Vec<(u64, Reply<'_, Ready>)>,
    sleep: &mut Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>>,
    events: &mut Vec<Event>,
) -> Poll<()> {
    waiting.retain_mut(|(user_data, future)| {
        let event = match future.as_mut().poll(context) {
            Poll::Pending => return true,
            Poll::Ready(Err(errno)) => failed(*user_data, KIND_READ, errno),
            Poll::Ready(Ok(found)) => {
                Event { hang_up: found.ended, ..ready(*user_data, KIND_READ, found.bytes) }
            }
        };
        events.push(event);
        false
    });
    if !events.is_empty() {
        return Poll::Ready(());
    }
    match sleep {
        Some(sleep) => sleep.as_mut().poll(context),
        None => Poll::Pending,
    }
}

/// What a descriptor is to a subscription.
enum Stream {
    Input(Arc<dyn Input>),
    Readable(Arc<dyn File>, u64),
    Writable,
}

fn stream(wasi: &Wasi, fd: u32, kind: u8) -> Result<Stream, Errno> {
    let descriptor = wasi.get(fd)?;
    descriptor.require(if kind == KIND_READ { Rights::FD_READ } else { Rights::FD_WRITE })?;
    descriptor.require(Rights::POLL)?;
    match &descriptor.object {
        Object::Input(input) if input.kind() == StreamKind::Captured => Err(Errno::Badf),
        Object::Input(input) => Ok(Stream::Input(input.clone())),
        Object::Output(output, _) if output.kind() == StreamKind::Captured => Err(Errno::Badf),
        Object::Output(..) => Ok(Stream::Writable),
        Object::File { file, position } if kind == KIND_READ => {
            Ok(Stream::Readable(file.clone(), *position))
        }
        Object::File { .. } => Ok(Stream::Writable),
        Object::Directory(_) => Err(Errno::Isdir),
    }
}

/// A file can always be read; how much is left is what guests ask this for.
async fn readable(user_data: u64, file: &dyn File, position: u64) -> Event {
    if file.file_type() != FileType::RegularFile {
        return ready(user_data, KIND_READ, 1);
    }
    match file.metadata().await {
        Ok(metadata) => ready(user_data, KIND_READ, metadata.size.saturating_sub(position)),
        Err(errno) => failed(user_data, KIND_READ, errno),
    }
}

fn ready(user_data: u64, kind: u8, bytes: u64) -> Event {
    Event { user_data, errno: Errno::Success, kind, bytes, hang_up: false }
}

fn failed(user_data: u64, kind: u8, errno: Errno) -> Event {
    Event { user_data, errno, kind, bytes: 0, hang_up: false }
}
