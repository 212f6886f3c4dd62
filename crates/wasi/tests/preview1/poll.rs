//! `poll_oneoff`: clocks and descriptors.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lunatic_wasi::call::*;
use lunatic_wasi::limits::SUBSCRIPTIONS_MAX;
use lunatic_wasi::provider::stdio::Null;
use lunatic_wasi::provider::{Input, Ready, Reply, StreamKind};
use lunatic_wasi::{Errno, WasiConfig};

use crate::guest::*;

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const MINUTE: u64 = 60_000_000_000;

fn clock(user_data: u64, id: u32, timeout: u64, absolute: bool) -> Vec<u8> {
    let mut out = vec![0; 48];
    out[0..8].copy_from_slice(&user_data.to_le_bytes());
    out[16..20].copy_from_slice(&id.to_le_bytes());
    out[24..32].copy_from_slice(&timeout.to_le_bytes());
    out[40] = u8::from(absolute);
    out
}

fn stream(user_data: u64, kind: u8, fd: u32) -> Vec<u8> {
    let mut out = vec![0; 48];
    out[0..8].copy_from_slice(&user_data.to_le_bytes());
    out[8] = kind;
    out[16..20].copy_from_slice(&fd.to_le_bytes());
    out
}

/// User data, errno, kind, bytes and hang-up of each event.
type Events = Vec<(u64, u16, u8, u64, u8)>;

async fn poll(mock: &mut Mock, subscriptions: &[Vec<u8>]) -> Result<Events, Errno> {
    let (at, _) = mock.put(DATA, &subscriptions.concat());
    let events = DATA + 0x4000;
    let count = subscriptions.len() as u32;
    returned(poll_oneoff(mock, at, events, count, OUT).await)?;
    let event = |index: u32| {
        let at = events + index * 32;
        let byte = |offset: u32| mock.memory[(at + offset) as usize];
        let errno = u16::from_le_bytes([byte(8), byte(9)]);
        (mock.u64(at), errno, byte(10), mock.u64(at + 16), byte(24))
    };
    Ok((0..mock.u32(OUT)).map(event).collect())
}

fn on(clock: &Arc<JumpingClock>) -> Mock {
    let mut config = WasiConfig::default();
    config.set_clock(clock.clone());
    Mock::new(&config)
}

#[tokio::test]
async fn no_subscription_and_too_many_are_invalid() {
    let mut mock = on(&JumpingClock::new(0, 0));
    assert_eq!(poll(&mut mock, &[]).await, Err(Errno::Inval));
    mock.memory = vec![0; 0x100000];
    let many = SUBSCRIPTIONS_MAX as u32 + 1;
    let answer = poll_oneoff(&mut mock, 0, 0x50000, many, OUT).await;
    assert_eq!(returned(answer), Err(Errno::Inval));
    let unknown = stream(1, 3, 0);
    assert_eq!(poll(&mut mock, &[unknown]).await, Err(Errno::Inval));
}

#[tokio::test]
async fn the_earliest_clock_ends_the_wait() {
    let clocks = JumpingClock::new(1000, 5000);
    let mut mock = on(&clocks);
    let events =
        poll(&mut mock, &[clock(1, MONOTONIC, 900, false), clock(2, MONOTONIC, 300, false)])
            .await
            .unwrap();
    assert_eq!(events, [(2, 0, 0, 0, 0)]);
    assert_eq!(clocks.now.load(Ordering::SeqCst), 1300);
}

#[tokio::test]
async fn clocks_due_together_are_reported_together() {
    let mut mock = on(&JumpingClock::new(1000, 5000));
    let both = [clock(1, MONOTONIC, 300, false), clock(2, REALTIME, 300, false)];
    assert_eq!(poll(&mut mock, &both).await.unwrap().len(), 2);
}

#[tokio::test]
async fn absolute_timeouts_count_from_the_process_s_origin_or_1970() {
    let clocks = JumpingClock::new(1000, 5000);
    let mut mock = on(&clocks);
    poll(&mut mock, &[clock(1, MONOTONIC, 400, true)]).await.unwrap();
    assert_eq!(clocks.now.load(Ordering::SeqCst), 1400);
    poll(&mut mock, &[clock(1, REALTIME, 6900, true)]).await.unwrap();
    assert_eq!(clocks.now.load(Ordering::SeqCst), 1900);
}

#[tokio::test]
async fn what_is_past_or_zero_is_due_without_sleeping() {
    let clocks = JumpingClock::new(1000, 5000);
    let mut mock = on(&clocks);
    for subscription in
        [clock(7, MONOTONIC, 0, false), clock(7, MONOTONIC, 0, true), clock(7, REALTIME, 1, true)]
    {
        assert_eq!(poll(&mut mock, &[subscription]).await.unwrap(), [(7, 0, 0, 0, 0)]);
    }
    assert_eq!(clocks.sleeps.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn realtime_deadlines_are_looked_at_again_every_minute() {
    let clocks = JumpingClock::new(0, 0);
    let mut mock = on(&clocks);
    poll(&mut mock, &[clock(1, REALTIME, 5 * MINUTE, true)]).await.unwrap();
    assert_eq!(clocks.sleeps.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn an_endless_timeout_does_not_overflow() {
    let clocks = JumpingClock::new(1000, 0);
    let mut mock = on(&clocks);
    poll(&mut mock, &[clock(1, MONOTONIC, u64::MAX, false)]).await.unwrap();
    assert_eq!(clocks.now.load(Ordering::SeqCst), u64::MAX);
}

#[tokio::test]
async fn an_unknown_clock_or_descriptor_is_an_event_of_its_own() {
    let mut mock = on(&JumpingClock::new(0, 0));
    let events = poll(
        &mut mock,
        &[clock(1, 9, 0, false), stream(2, 1, 77), stream(3, 2, 77), stream(4, 1, 1)],
    )
    .await
    .unwrap();
    let (inval, badf) = (Errno::Inval.number(), Errno::Badf.number());
    assert_eq!(
        events,
        [(1, inval, 0, 0, 0), (2, badf, 1, 0, 0), (3, badf, 2, 0, 0), (4, badf, 1, 0, 0)]
    );
}

#[tokio::test]
async fn files_and_outputs_are_ready_at_once() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.write(fd, b"12345").await.unwrap();
    mock.seek(fd, 2, 0).await.unwrap();
    let endless = clock(9, MONOTONIC, u64::MAX, false);
    let events = poll(&mut mock, &[stream(1, 1, fd), stream(2, 2, fd), stream(3, 2, 1), endless])
        .await
        .unwrap();
    let found: Vec<_> = events.iter().map(|event| (event.0, event.1)).collect();
    assert_eq!(found, [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(events[0].3, 3);
}

#[tokio::test]
async fn captured_streams_refuse_polling() {
    let (_capture, mut mock) = with_capture();
    let events = poll(&mut mock, &[stream(1, 2, 1)]).await.unwrap();
    assert_eq!(events, [(1, Errno::Badf.number(), 2, 0, 0)]);
}

/// Input that never comes, or is there.
struct Still(Option<Ready>);

impl Input for Still {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, _: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(std::future::pending())
    }

    fn ready(&self) -> Reply<'_, Ready> {
        match self.0 {
            Some(ready) => Box::pin(async move { Ok(ready) }),
            None => Box::pin(std::future::pending()),
        }
    }
}

#[tokio::test]
async fn a_timeout_ends_a_wait_for_input() {
    let clocks = JumpingClock::new(0, 0);
    let mut config = WasiConfig::default();
    config.set_clock(clocks.clone());
    config.set_stdin(Arc::new(Still(None)));
    let mut mock = Mock::new(&config);
    let events = poll(&mut mock, &[stream(1, 1, 0), clock(2, MONOTONIC, 50, false)]).await.unwrap();
    assert_eq!(events, [(2, 0, 0, 0, 0)]);
}

#[tokio::test]
async fn input_ends_a_wait_for_a_clock_and_says_how_much_there_is() {
    let ready = Ready { bytes: 12, ended: false };
    let mut mock = with_streams(Arc::new(Still(Some(ready))), Arc::new(Null));
    let timeout = clock(2, MONOTONIC, u64::MAX, false);
    let events = poll(&mut mock, &[timeout, stream(1, 1, 0)]).await.unwrap();
    assert_eq!(events, [(1, 0, 1, 12, 0)]);
    let ended = Ready { bytes: 0, ended: true };
    let mut mock = with_streams(Arc::new(Still(Some(ended))), Arc::new(Null));
    let events = poll(&mut mock, &[stream(1, 1, 0)]).await.unwrap();
    assert_eq!(events, [(1, 0, 1, 0, 1)]);
}
