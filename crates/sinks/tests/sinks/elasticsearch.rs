//! Elasticsearch: whatever the server does, each line is stored once, or counted as dropped.

use std::collections::BTreeSet;

use lunatic_sinks::{Destination, Figures, Lines, Loss, Options, Sink};

use crate::elastic::{Fault, Server, Store};
use crate::{WATCHDOG, balanced, options, runtime};

fn sink(address: impl ToString, options: Options) -> Sink {
    let server =
        lunatic_sinks::Server { address: address.to_string(), authorization: None, trust: None };
    let destination = Destination::Elasticsearch { server, index: "logs".into() };
    Sink::start(destination, options).expect("it starts")
}

async fn write(sink: &Sink, numbers: std::ops::Range<usize>) {
    let lines = Lines::new(sink.clone(), "test");
    for number in numbers {
        lines.write(format!("line {number}\n").as_bytes()).await;
    }
}

/// Each line of these is stored once.
fn all_stored(store: &Store, numbers: std::ops::Range<usize>) {
    let messages = store.messages();
    let different: BTreeSet<_> = messages.iter().cloned().collect();
    assert_eq!(messages.len(), different.len(), "something was stored twice");
    let expected: BTreeSet<_> = numbers.map(|number| format!("line {number}")).collect();
    assert_eq!(different, expected);
}

#[test]
fn lines_survive_every_fault_and_none_is_stored_twice() {
    let store = Store::default();
    store.plan([
        Fault::Status(429),
        Fault::Partly,
        Fault::ForgetsToAnswer,
        Fault::Status(503),
        Fault::ClosesMidway,
        Fault::Garbage,
        Fault::Partly,
        Fault::Status(413),
        Fault::Status(401),
        Fault::ForgetsToAnswer,
    ]);
    let server = Server::start(&store);
    let sink = sink(server.address, options());
    let figures = runtime().block_on(async {
        write(&sink, 0..2000).await;
        sink.flush(WATCHDOG).await
    });
    assert_eq!((figures.arrived, figures.dropped(), figures.waiting), (2000, 0, 0));
    assert!(figures.repeated > 0 && store.conflicts() > 0, "{figures:?}");
    all_stored(&store, 0..2000);
}

#[test]
fn a_line_that_the_server_refuses_for_good_is_counted_and_holds_nobody_up() {
    let store = Store::default();
    store.plan([Fault::RefusesOne]);
    let server = Server::start(&store);
    let sink = sink(server.address, options());
    let figures = runtime().block_on(async {
        write(&sink, 0..100).await;
        sink.flush(WATCHDOG).await
    });
    assert_eq!((figures.arrived, figures.refused, figures.waiting), (99, 1, 0));
    assert_eq!(store.messages().len(), 99);
}

#[test]
fn a_server_that_is_restarted_midway_has_every_line_once() {
    let store = Store::default();
    store.stop_at(Some(500));
    let server = Server::start(&store);
    let address = server.address;
    let sink = sink(address, Options { queue_lines: 100, ..options() });
    let runtime = runtime();
    let writer = runtime.spawn({
        let sink = sink.clone();
        async move { write(&sink, 0..3000).await }
    });
    store.wait_for(500);
    drop(server);
    // With nobody there, the queue is what the writer gets rid of at most.
    let stored = store.messages().len() as u64;
    let figures = sink.figures();
    assert!(figures.taken < 3000 && figures.waiting <= 100, "{figures:?}");
    assert!(figures.arrived <= stored, "{figures:?} {stored}");
    balanced(&sink);
    store.stop_at(None);
    let server = Server::start_at(address, &store);
    let figures = runtime.block_on(async {
        writer.await.expect("the writer goes on");
        sink.flush(WATCHDOG).await
    });
    assert_eq!((figures.taken, figures.arrived, figures.dropped()), (3000, 3000, 0));
    all_stored(&store, 0..3000);
    drop(server);
}

#[test]
fn what_finds_no_room_is_dropped_where_that_is_asked_for_and_counted() {
    for loss in [Loss::DropNewest, Loss::DropOldest] {
        let store = Store::default();
        let server = Server::start(&store);
        let address = server.address;
        drop(server);
        let sink = sink(address, Options { queue_lines: 70, loss, ..options() });
        let runtime = runtime();
        runtime.block_on(write(&sink, 0..1000));
        let figures = sink.figures();
        let expected = Figures { taken: 1000, overflowed: 930, waiting: 70, ..Figures::default() };
        assert_eq!(Figures { repeated: 0, ..figures }, expected, "{loss:?}");
        let server = Server::start_at(address, &store);
        let figures = runtime.block_on(sink.flush(WATCHDOG));
        assert_eq!((figures.arrived, figures.waiting), (70, 0), "{loss:?}");
        if loss == Loss::DropNewest {
            all_stored(&store, 0..70);
        } else {
            assert!(store.messages().contains(&"line 999".to_owned()));
        }
        drop(server);
    }
}

#[test]
fn a_writer_that_is_dropped_while_it_waits_loses_nothing_that_was_taken() {
    let store = Store::default();
    let server = Server::start(&store);
    let address = server.address;
    drop(server);
    let sink = sink(address, Options { queue_lines: 10, ..options() });
    let runtime = runtime();
    let writer = runtime.spawn({
        let sink = sink.clone();
        async move { write(&sink, 0..1000).await }
    });
    runtime.block_on(async {
        while sink.figures().waiting < 10 {
            tokio::task::yield_now().await;
        }
        writer.abort();
        assert!(writer.await.expect_err("it waited").is_cancelled());
    });
    let server = Server::start_at(address, &store);
    runtime.block_on(sink.flush(WATCHDOG));
    all_stored(&store, 0..10);
    balanced(&sink);
    drop(server);
}
