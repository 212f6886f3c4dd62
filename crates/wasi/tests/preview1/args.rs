//! Arguments, environment, clocks, random, and the end of the process.

use std::sync::atomic::Ordering;

use lunatic_wasi::call::*;
use lunatic_wasi::{Errno, Failure, Fault, Wasi, WasiConfig};

use crate::guest::{DATA, JumpingClock, MEMORY, Mock, OUT, returned};

fn strings(mock: &Mock, count: u32) -> Vec<String> {
    let string = |index: u32| {
        let start = mock.u32(OUT + index * 4) as usize;
        let length = mock.memory[start..].iter().position(|byte| *byte == 0).unwrap();
        String::from_utf8(mock.memory[start..start + length].to_vec()).unwrap()
    };
    (0..count).map(string).collect()
}

#[test]
fn arguments_come_in_order_and_their_sizes_agree() {
    let mut config = WasiConfig::default();
    for arg in ["program", "", "ä"] {
        config.push_arg(arg).unwrap();
    }
    let mut mock = Mock::new(&config);
    returned(args_sizes_get(&mut mock, OUT, OUT + 4)).unwrap();
    assert_eq!((mock.u32(OUT), mock.u32(OUT + 4)), (3, 8 + 1 + 3));
    returned(args_get(&mut mock, OUT, DATA)).unwrap();
    assert_eq!(strings(&mock, 3), ["program", "", "ä"]);
}

#[test]
fn environment_keeps_duplicates_in_order() {
    let mut config = WasiConfig::default();
    config.push_env("A", "1").unwrap();
    config.push_env("A", "2=3").unwrap();
    let mut mock = Mock::new(&config);
    returned(environ_sizes_get(&mut mock, OUT, OUT + 4)).unwrap();
    assert_eq!((mock.u32(OUT), mock.u32(OUT + 4)), (2, 4 + 6));
    returned(environ_get(&mut mock, OUT, DATA)).unwrap();
    assert_eq!(strings(&mock, 2), ["A=1", "A=2=3"]);
}

#[test]
fn no_arguments_need_no_room() {
    let mut mock = Mock::new(&WasiConfig::default());
    let end = MEMORY as u32;
    returned(args_get(&mut mock, end, end)).unwrap();
    returned(environ_get(&mut mock, end, end)).unwrap();
}

#[test]
fn each_process_has_its_own_monotonic_origin() {
    let clock = JumpingClock::new(1000, 5_000_000);
    let mut config = WasiConfig::default();
    config.set_clock(clock.clone());
    let mut mock = Mock::new(&config);
    clock.now.store(1700, Ordering::SeqCst);
    for (id, time) in [(0, 5_001_700), (1, 700), (2, 700), (3, 700)] {
        returned(clock_time_get(&mut mock, id, 0, OUT)).unwrap();
        assert_eq!(mock.u64(OUT), time, "clock {id}");
    }
    mock.wasi = Wasi::new(&config);
    returned(clock_time_get(&mut mock, 1, 0, OUT)).unwrap();
    assert_eq!(mock.u64(OUT), 0);
}

#[test]
fn resolution_is_the_clock_s_and_unknown_clocks_are_invalid() {
    let mut config = WasiConfig::default();
    config.set_clock(JumpingClock::new(0, 0));
    let mut mock = Mock::new(&config);
    returned(clock_res_get(&mut mock, 1, OUT)).unwrap();
    assert_eq!(mock.u64(OUT), 25);
    assert_eq!(returned(clock_res_get(&mut mock, 4, OUT)), Err(Errno::Inval));
    assert_eq!(returned(clock_time_get(&mut mock, 4, 0, OUT)), Err(Errno::Inval));
}

#[tokio::test]
async fn random_fills_exactly_the_range_asked_for() {
    let mut mock = Mock::new(&WasiConfig::default());
    // Longer than one chunk.
    let (start, length) = (DATA, 0x20000);
    returned(random_get(&mut mock, start, length).await).unwrap();
    let (start, end) = (start as usize, (start + length) as usize);
    assert!(mock.memory[..start].iter().all(|byte| *byte == 0));
    assert!(mock.memory[end..].iter().all(|byte| *byte == 0));
    for chunk in mock.memory[start..end].chunks(1024) {
        assert!(chunk.iter().any(|byte| *byte != 0));
    }
    returned(random_get(&mut mock, MEMORY as u32, 0).await).unwrap();
}

#[tokio::test]
async fn exit_raise_and_yield_do_what_their_names_say() {
    let mut mock = Mock::new(&WasiConfig::default());
    assert_eq!(proc_exit(&mut mock, 7).unwrap_err(), Failure::Exit(7));
    assert_eq!(proc_raise(&mut mock, 6), Err(Failure::Fault(Fault::Raised(6))));
    let mut pending = 0;
    let mut future = Box::pin(sched_yield(&mut mock));
    std::future::poll_fn(|context| {
        let poll = future.as_mut().poll(context);
        pending += u32::from(poll.is_pending());
        poll.map(drop)
    })
    .await;
    assert_eq!(pending, 1);
}

#[test]
fn no_descriptor_is_a_socket() {
    let mut mock = Mock::new(&WasiConfig::default());
    for (fd, errno) in [(1, Errno::Notsock), (99, Errno::Badf)] {
        assert_eq!(returned(sock_accept(&mut mock, fd, 0, OUT)), Err(errno));
        assert_eq!(returned(sock_recv(&mut mock, fd, 0, 0, 0, OUT, OUT)), Err(errno));
        assert_eq!(returned(sock_send(&mut mock, fd, 0, 0, 0, OUT)), Err(errno));
        assert_eq!(returned(sock_shutdown(&mut mock, fd, 0)), Err(errno));
    }
}
