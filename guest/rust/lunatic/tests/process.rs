//! The library on the runtime: `cargo test --test process`, with `lunatic run` as the runner. Each
//! test is the first process of an environment of its own.

use std::time::Duration;

use lunatic::message::{self, Destination, Pattern, tag};
use lunatic::process::{self, AliasOf, AliasOptions, MonitorOptions, Priority};
use lunatic::timer::{send_after, send_interval};
use lunatic::{
    Alias, Bytes, CallError, Config, ExitReason, Given, Mailbox, Monitor, Pid, Postcard, Process,
    Raw, ReceiveError, Received, Ref, RegisterError, SendError, Spawn, call, register, spawn,
    spawn_link, spawn_monitor, unregister, whereis,
};

/// A process that waits for ever.
fn wait((): (), mailbox: Mailbox<u8>) {
    let _ = mailbox.receive();
}

#[lunatic::test]
fn messages_arrive_in_the_order_in_which_they_were_sent(mailbox: Mailbox<u32>) {
    let me = mailbox.this();
    spawn((me, 100u32), |(parent, count), _: Mailbox<()>| (0..count).for_each(|n| parent.send(n)));
    for n in 0..100 {
        assert_eq!(mailbox.receive(), Ok(n));
    }
}

#[lunatic::test]
fn a_receive_that_ends_by_its_deadline_loses_nothing(mailbox: Mailbox<u8>) {
    assert_eq!(mailbox.receive_timeout(Duration::ZERO), Err(ReceiveError::Timeout));
    mailbox.this().send(1);
    assert_eq!(mailbox.receive_timeout(Duration::ZERO), Ok(1));
}

#[lunatic::test]
fn a_message_of_another_type_is_an_error_with_type_and_sender(mailbox: Mailbox<String>) {
    lunatic::send(Pid::this(), 300u32).unwrap();
    let Err(ReceiveError::Decode(error)) = mailbox.receive() else { panic!("it decoded") };
    assert_eq!((error.expected, error.sender), ("alloc::string::String", Pid::this()));
    mailbox.this().send("next".into());
    assert_eq!(mailbox.receive().as_deref(), Ok("next"));
}

#[lunatic::test]
fn messages_of_all_sizes_come_back(mailbox: Mailbox<(u8, Bytes, String)>) {
    for size in [0, 1, 255, 256, 257, 511, 512, 513, 70_000] {
        let bytes = Bytes((0..size).map(|n| n as u8).collect());
        let message = (7, bytes, "x".repeat(size));
        mailbox.this().send(message.clone());
        assert_eq!(mailbox.receive(), Ok(message));
    }
}

#[lunatic::test]
fn raw_bytes_are_the_message(mailbox: Mailbox<Vec<u8>, Raw>) {
    for size in [0usize, 1, 600, 100_000] {
        mailbox.this().send(vec![9; size]);
        assert_eq!(mailbox.receive(), Ok(vec![9; size]));
    }
}

#[lunatic::test]
fn an_envelope_that_was_overtaken_is_an_error() {
    let me = Destination::Pid(Pid::this());
    message::send::<u8, Postcard>(me, 5, &1, None).unwrap();
    let first = message::receive(&[Pattern::tag(5)], None).unwrap();
    message::send::<u8, Postcard>(me, 6, &2, None).unwrap();
    assert!(first.decode::<u8, Postcard>().is_err());
    let second = message::receive(&[Pattern::tag(6)], None).unwrap();
    assert_eq!(second.decode::<u8, Postcard>(), Ok(2));
}

#[lunatic::test]
fn a_panic_is_an_exit_reason_with_message_and_place() {
    fn fails(number: u32, _: Mailbox<()>) {
        assert_eq!(number, 1, "one was wanted");
    }
    let (child, monitor) = spawn_monitor(2, fails);
    let down = monitor.wait(None).unwrap();
    assert_eq!((down.from, down.reference), (child.pid(), monitor.reference()));
    let ExitReason::Error(text) = down.reason else { panic!("{:?}", down.reason) };
    assert!(text.starts_with("panicked at ") && text.contains("process.rs:"), "{text}");
    assert!(text.contains("one was wanted"), "{text}");
}

#[lunatic::test]
fn an_error_of_an_entry_is_its_exit_reason() {
    fn fails((): (), _: Mailbox<()>) -> Result<(), Box<dyn std::error::Error>> {
        let _: u32 = "x".parse()?;
        Ok(())
    }
    fn gives_up((): (), _: Mailbox<()>) -> Result<(), ExitReason> {
        Err(ExitReason::custom(&(1u8, "two")).unwrap())
    }
    let end = |monitor: Monitor| monitor.wait(None).unwrap().reason;
    let reason = end(spawn_monitor((), fails).1);
    assert_eq!(reason, ExitReason::Error("invalid digit found in string".into()));
    let reason = end(spawn_monitor((), gives_up).1);
    assert_eq!(reason.decode::<(u8, String)>(), Some((1, "two".into())));
    assert_eq!(end(spawn_monitor((), |(), _: Mailbox<()>| ()).1), ExitReason::Normal);
}

#[lunatic::test]
fn every_reason_that_can_be_given_arrives_as_it_was_given() {
    let reasons = [
        ExitReason::Shutdown,
        ExitReason::ShutdownWith(vec![7]),
        ExitReason::Kill,
        ExitReason::NoProcess,
        ExitReason::NoConnection,
        ExitReason::Status(-3),
        ExitReason::Trap("so it was".into()),
        ExitReason::Error("no".into()),
        ExitReason::Custom(vec![0, 255]),
    ];
    for reason in reasons {
        let (_, monitor) =
            spawn_monitor(reason.clone(), |reason, _: Mailbox<()>| lunatic::exit(reason));
        assert_eq!(monitor.wait(None).unwrap().reason, reason);
    }
}

#[lunatic::test]
fn an_entry_that_does_not_exist_is_a_child_that_fails() {
    let spawn = Spawn::new();
    let (_, monitor) = spawn.spawn_export_monitor::<u32, (), Postcard>("nothing", &1).unwrap();
    assert!(!monitor.wait(None).unwrap().reason.is_orderly());
}

#[lunatic::test]
fn a_trapped_exit_of_a_link_carries_tag_and_reason(mailbox: Mailbox<u8>) {
    assert!(!process::trap_exit(true));
    let child = Spawn::new().link_tagged(42).spawn((), wait).unwrap();
    child.exit(ExitReason::Shutdown);
    let Ok(Received::Exit(exit)) = mailbox.receive_any(None) else { panic!("no exit") };
    assert_eq!((exit.from, exit.tag), (child.pid(), 42));
    assert_eq!(exit.reason, ExitReason::Shutdown);
}

#[lunatic::test]
fn nothing_comes_after_unlink_and_demonitor(mailbox: Mailbox<u8>) {
    let child = spawn_link((), wait);
    child.unlink();
    let monitor = child.monitor();
    assert!(monitor.demonitor() && !monitor.demonitor());
    child.kill();
    assert_eq!(child.monitor().wait(None).map(|down| down.from), Some(child.pid()));
    assert_eq!(mailbox.receive_any(Some(Duration::ZERO)), Err(ReceiveError::Timeout));
}

#[lunatic::test]
fn names_follow_the_rules_of_otp() {
    let child = spawn((), wait);
    assert_eq!(register("child", child), Ok(()));
    assert_eq!(register("child", Pid::this()), Err(RegisterError::NameTaken));
    assert_eq!(register("other", child), Err(RegisterError::HasName));
    assert_eq!(register("x", Pid::new(0, u64::MAX)), Err(RegisterError::NoProcess));
    assert_eq!(whereis("child"), Some(child.pid()));
    let monitor = Monitor::of_name("child", MonitorOptions::default());
    lunatic::send("child", 1u8).unwrap();
    assert_eq!(monitor.wait(None).unwrap().name.as_deref(), Some("child"));
    assert_eq!((whereis("child"), unregister("child")), (None, false));
    assert_eq!(lunatic::send("child", 1u8), Err(SendError::NoName));
}

#[lunatic::test]
fn an_alias_takes_what_it_was_made_for(mailbox: Mailbox<u8>) {
    let once = Alias::new(AliasOptions { once: true, urgent_messages: true });
    mailbox.this().send(1);
    lunatic::send(Destination::Urgent(once.reference()), 2u8).unwrap();
    lunatic::send(Destination::Alias(once.reference()), 3u8).unwrap();
    assert_eq!([mailbox.receive(), mailbox.receive()], [Ok(2), Ok(1)]);
    assert_eq!(mailbox.receive_timeout(Duration::ZERO), Err(ReceiveError::Timeout));
    assert!(!once.end());
}

#[lunatic::test]
fn a_call_ends_with_the_answer_the_end_of_the_server_or_the_deadline() {
    fn server((): (), _: Mailbox<()>) {
        loop {
            let envelope = message::receive(&[Pattern::tag(tag::CALL)], None).unwrap();
            match envelope.decode_call::<u8, Postcard>().unwrap() {
                (from, 0) => message::reply_postcard(from, &"zero".to_owned()).unwrap(),
                (_, 1) => {}
                _ => lunatic::exit(ExitReason::Shutdown),
            }
        }
    }
    let server = spawn((), server);
    let ask = |request: u8, timeout| call::<u8, String, Postcard>(server.pid(), &request, timeout);
    assert_eq!(ask(0, None).as_deref(), Ok("zero"));
    assert_eq!(ask(1, Some(Duration::from_millis(1))), Err(CallError::Timeout));
    assert_eq!(ask(2, None), Err(CallError::Down(ExitReason::Shutdown)));
    assert_eq!(ask(0, None), Err(CallError::Down(ExitReason::NoProcess)));
    let by_name = call::<u8, String, Postcard>("nobody", &0, None);
    assert_eq!(by_name, Err(CallError::Down(ExitReason::NoProcess)));
    assert!(message::receive(&[], Some(Duration::ZERO)).is_none(), "something is left behind");
}

#[lunatic::test]
fn a_timer_can_be_read_and_cancelled(mailbox: Mailbox<u8>) {
    let timer = send_after(mailbox.this(), 1, Duration::from_secs(3600)).unwrap();
    assert!(timer.left().is_some() && timer.cancel().is_some());
    assert_eq!((timer.left(), timer.cancel()), (None, None));
    send_after(mailbox.this(), 2, Duration::ZERO).unwrap();
    assert_eq!(mailbox.receive(), Ok(2));
}

#[lunatic::test]
fn an_interval_sends_until_it_is_cancelled_or_its_receiver_ends(mailbox: Mailbox<u8>) {
    let interval = send_interval(mailbox.this(), 1, Duration::from_millis(1)).unwrap();
    assert_eq!([mailbox.receive(), mailbox.receive()], [Ok(1), Ok(1)]);
    interval.cancel();
    let child = spawn((), wait);
    let interval = send_interval(child, 2, Duration::from_millis(1)).unwrap();
    let watching = interval.process().monitor();
    assert_eq!(child.monitor().wait(None).unwrap().reason, ExitReason::Normal);
    assert!(watching.wait(None).is_some());
}

#[lunatic::test]
fn a_process_shows_what_it_is() {
    let child: Process<u8> =
        Spawn::new().link().label("the child").priority(Priority::High).spawn((), wait).unwrap();
    register("child", child).unwrap();
    let info = child.info().unwrap();
    assert_eq!((info.label.as_str(), info.names), ("the child", vec!["child".to_owned()]));
    assert_eq!((info.priority, info.parent), (Priority::High, Some(Pid::this())));
    assert_eq!(info.links, [Pid::this()]);
    assert!(process::all().contains(&child));
    child.suspend().unwrap();
    assert_eq!(child.info().unwrap().status, lunatic::Status::Suspended);
    assert!(child.resume() && !child.resume());
    assert!(Pid::this().suspend().is_err());
}

#[lunatic::test]
fn a_monitor_can_be_an_alias_for_one_answer(mailbox: Mailbox<u8>) {
    let child = spawn((), wait);
    let options = MonitorOptions { alias: AliasOf::OneReply, ..MonitorOptions::default() };
    let monitor = child.monitor_with(options);
    lunatic::send(Destination::Alias(monitor.reference()), 1u8).unwrap();
    assert_eq!(mailbox.receive(), Ok(1));
    assert!(!monitor.demonitor());
}

#[lunatic::test]
fn files_are_read_and_written_by_std() {
    let name = format!("lunatic-test-{}", Pid::this().id());
    spawn_monitor(name.clone(), |name, _: Mailbox<()>| std::fs::write(name, "text"))
        .1
        .wait(None)
        .map(|down| assert_eq!(down.reason, ExitReason::Normal))
        .unwrap();
    assert_eq!(std::fs::read_to_string(&name).unwrap(), "text");
    std::fs::remove_file(name).unwrap();
}

#[lunatic::test]
#[should_panic(expected = "on purpose")]
fn a_test_may_want_a_panic() {
    panic!("on purpose");
}

#[lunatic::test]
fn a_process_can_hibernate_as_often_as_it_wants(mailbox: Mailbox<u32>) {
    fn count((total, parent): (u32, Process<u32>), mailbox: Mailbox<u32>) {
        // Larger than what hibernating leaves of a stack that does not begin anew.
        let place = core::hint::black_box([total; 100]);
        match mailbox.receive().unwrap() {
            0 => parent.send(place[99]),
            number => process::hibernate((total + number, parent), count),
        }
    }
    let counter = spawn((0, mailbox.this()), count);
    for _ in 0..2_000 {
        counter.send(1);
    }
    counter.send(0);
    assert_eq!(mailbox.receive().unwrap(), 2_000);
    let reason = counter.monitor().wait(None).unwrap().reason;
    assert!(matches!(reason, ExitReason::Normal | ExitReason::NoProcess), "{reason}");
}

#[lunatic::test]
fn a_panic_after_hibernating_is_the_reason_of_the_end() {
    let (process, monitor) = spawn_monitor((), |(), _: Mailbox<u8>| {
        // Nobody catches what comes later.
        let wake: fn((), Mailbox<u8>) = |(), _| panic!("late");
        lunatic::panic::catch(|| process::hibernate((), wake))
    });
    process.send(1);
    let reason = monitor.wait(None).unwrap().reason.to_string();
    assert!(reason.ends_with(": late"), "{reason}");
}

#[lunatic::test]
fn an_exit_through_an_alias_goes_first_where_that_was_wanted(mailbox: Mailbox<u8>) {
    process::trap_exit(true);
    for (urgent, first) in [(true, message::Kind::Exit), (false, message::Kind::Message)] {
        let alias = Alias::new(AliasOptions { once: false, urgent_messages: true });
        mailbox.this().send(1);
        Alias::exit(alias.reference(), ExitReason::Shutdown, urgent);
        let kinds = [(); 2].map(|()| message::receive(&[Pattern::ANY], None).unwrap().kind());
        assert_eq!(kinds[0], first);
        assert_ne!(kinds[0], kinds[1]);
        assert!(alias.end());
        Alias::exit(alias.reference(), ExitReason::Kill, urgent);
    }
}

#[lunatic::test]
fn a_process_in_a_sandbox_reaches_a_stranger_that_it_was_given_and_no_other(
    mailbox: Mailbox<String>,
) {
    type Both = (Process<String>, Given<Process<String>>);
    let (told, given) = [(), ()]
        .map(|()| {
            spawn(mailbox.this(), |to: Process<String>, mailbox: Mailbox<String>| {
                to.send(mailbox.receive().unwrap());
            })
        })
        .into();
    let (_, monitor) = Spawn::new()
        .config(&Config::new().unwrap())
        .spawn_monitor((told, Given(given)), |(told, given): Both, _: Mailbox<()>| {
            told.send("to one that it was told of".to_owned());
            given.send("to one that it was given".to_owned());
        })
        .unwrap();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
    assert_eq!(mailbox.receive().unwrap(), "to one that it was given");
    assert!(mailbox.receive_timeout(Duration::ZERO).is_err());
    assert!(told.is_alive(), "it still waits");
}

#[lunatic::test]
fn what_is_given_is_a_resource_of_its_kind_in_a_message(mailbox: Mailbox<Given<Ref>>) {
    assert!(lunatic::format::to_vec(&Given(Pid::this())).is_err());
    Mailbox::<Given<Pid>>::new().this().send(Given(Pid::this()));
    assert!(mailbox.receive().is_err(), "a process is no alias");
    lunatic::send(*mailbox.this(), 0u8).unwrap();
    assert!(mailbox.receive().is_err(), "there is no resource");
    let alias = Alias::new(AliasOptions::default());
    mailbox.this().send(alias.into());
    assert_eq!(*mailbox.receive().unwrap(), alias.reference());
}

#[lunatic::test]
fn who_recurses_too_deep_ends_with_a_trap_that_says_so() {
    #[inline(never)]
    fn deep(above: &[u64; 32]) -> u64 {
        let mut here = core::hint::black_box(*above);
        here[3] += 1;
        if here[3] == 0 { here[5] } else { deep(&here) + here[7] }
    }
    let (_, monitor) = spawn_monitor((), |(), _: Mailbox<()>| {
        core::hint::black_box(deep(&[1; 32]));
    });
    let ExitReason::Trap(text) = monitor.wait(None).unwrap().reason else { panic!("no trap") };
    assert!(text.contains("the stack in its memory was probably full"), "{text}");
}
