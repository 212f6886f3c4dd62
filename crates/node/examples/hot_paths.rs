//! The hot paths of this room alone, with native bodies on one worker: what `cargo xtask
//! instructions` counts.
//!
//! `hot_paths spawn N` spawns so many processes in turn, each of which sends one message and ends;
//! `hot_paths round_trip N` sends so many messages to a process that answers.

use std::sync::Arc;

use lunatic_model::{ExitReason, Filter, Limits, Message, Tag};
use lunatic_node::{Environment, Node, NodeOptions, Process};

fn main() {
    let question = std::env::args().nth(1).unwrap_or_default();
    let size = std::env::args().nth(2).and_then(|text| text.parse().ok());
    let (Some(size), "spawn" | "round_trip") = (size, question.as_str()) else {
        eprintln!("usage: hot_paths spawn|round_trip N");
        std::process::exit(2);
    };
    let options = NodeOptions { workers: Some(1), ..NodeOptions::default() };
    let node = Node::start(options).expect("a node starts");
    let environment = node.environment(1);
    let limits = Arc::new(Limits::default());
    let root = if question == "spawn" {
        let limits = limits.clone();
        spawn(&environment, &limits.clone(), |this| spawn_in_turn(this, limits, size))
    } else {
        let limits = limits.clone();
        spawn(&environment, &limits.clone(), |this| round_trips(this, limits, size))
    };
    let reason = futures::executor::block_on(root.join());
    assert!(matches!(reason, ExitReason::Normal), "{reason}");
}

fn spawn<F>(
    environment: &Arc<Environment>,
    limits: &Arc<Limits>,
    body: impl FnOnce(Arc<Process>) -> F,
) -> Arc<Process>
where
    F: Future<Output = ExitReason> + Send + 'static,
{
    let process = environment.prepare("hot path", limits.clone()).expect("there is room");
    environment.start(process.clone(), Box::pin(body(process.clone())), None);
    process
}

fn message(tag: i64) -> Message {
    Message { tag: Tag(tag), ..Message::default() }
}

async fn spawn_in_turn(this: Arc<Process>, limits: Arc<Limits>, size: u64) -> ExitReason {
    let root = this.pid();
    for _ in 0..size {
        spawn(this.environment(), &limits, |child| async move {
            child.send(root, message(1)).await;
            ExitReason::Normal
        });
        this.receive(Filter::Any, None).await;
    }
    ExitReason::Normal
}

async fn round_trips(this: Arc<Process>, limits: Arc<Limits>, size: u64) -> ExitReason {
    let root = this.pid();
    let echo = spawn(this.environment(), &limits, |echo| async move {
        loop {
            echo.receive(Filter::Any, None).await;
            echo.send(root, message(2)).await;
        }
    });
    for _ in 0..size {
        this.send(echo.pid(), message(1)).await;
        this.receive(Filter::Any, None).await;
    }
    ExitReason::Normal
}
