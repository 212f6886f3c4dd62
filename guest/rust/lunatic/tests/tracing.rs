//! The facade `tracing` on the runtime: the feature `tracing`.

#![cfg(feature = "tracing")]

use lunatic::{ExitReason, Mailbox, spawn_monitor};

#[lunatic::test]
fn a_child_traces_as_its_parent_does() {
    lunatic::logger::init_tracing(log::LevelFilter::Info);
    tracing::info_span!("parent").in_scope(|| tracing::info!("the parent's line"));
    let (_, monitor) = spawn_monitor((), |(), _: Mailbox<()>| {
        assert!(tracing::enabled!(tracing::Level::INFO));
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        assert!(log::max_level() == log::LevelFilter::Info);
        tracing::info!("the child's line, without the parent's span");
    });
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
}
