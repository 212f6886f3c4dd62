//! The process above the tree of an application, which keeps the application's state.
//!
//! What must stay true: it tells the controller once how its start went; `prepare_stop` runs before
//! the tree is stopped, `stop` when it has ended, whoever ended it; it ends with the tree's reason,
//! or with normal where it was asked to stop.

use core::mem::transmute;

use serde::{Deserialize, Serialize};

use crate::behaviour::{Received, receive, send, unlink_flush};
use crate::mailbox::{Mailbox, Process};
use crate::message::{Destination, Pattern, tag};
use crate::process::trap_exit;
use crate::server::StartError;
use crate::spawn::{Spawn, SpawnError};
use crate::{ExitReason, Pid};

use super::controller::Cast;
use super::{Application, Environment};

/// What the controller tells a master.
#[derive(Serialize, Deserialize)]
pub(super) struct Stop;

/// What a master begins with: the environment, the phases of the start, the controller.
pub(super) type Argument = (Environment, Vec<String>, Pid);

/// How the master of an application is started, as data.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Start {
    /// A [`Run`].
    run: usize,
}

type Run = fn(Argument) -> Result<Process<Stop>, SpawnError>;

impl Start {
    pub(super) fn of<A: Application>() -> Self {
        let run: Run = spawn::<A>;
        Self { run: run as usize }
    }

    /// Spawns the master, linked to this process; does not wait for it.
    pub(super) fn run(self, argument: Argument) -> Result<Process<Stop>, SpawnError> {
        // SAFETY: `of` has stored a function of this type, in the same module.
        let run = unsafe { transmute::<usize, Run>(self.run) };
        run(argument)
    }
}

fn spawn<A: Application>(argument: Argument) -> Result<Process<Stop>, SpawnError> {
    let label = format!("application {}", A::NAME);
    Spawn::new().link().label(&label).spawn(argument, master::<A>)
}

fn master<A: Application>(argument: Argument, _: Mailbox<Stop>) -> ExitReason {
    let (environment, phases, controller) = argument;
    trap_exit(true);
    let tell = |result: Result<(), StartError>| {
        let started = Cast::Started(A::NAME.to_owned(), result);
        send(Destination::Pid(controller), tag::CAST, &started);
    };
    let (tree, mut application) = match A::start(&environment) {
        Ok(started) => started,
        Err(error) => {
            tell(Err(error));
            // Not normal, so that what was started and linked ends, too.
            return ExitReason::Shutdown;
        }
    };
    for phase in phases {
        if let Err(reason) = application.start_phase(&phase) {
            end(application, tree);
            tell(Err(StartError::Exit(reason)));
            return ExitReason::Shutdown;
        }
    }
    tell(Ok(()));
    let tree_ends = tree.monitor();
    let patterns = [
        Pattern::tag(tag::NONE).and_sender(controller),
        Pattern::EXIT.and_sender(controller),
        Pattern::DOWN.and_reference(tree_ends.reference()),
    ];
    match receive(&patterns, None) {
        Some(Received::Down(down)) => {
            application.prepare_stop();
            application.stop();
            down.reason
        }
        Some(Received::Exit(exit)) => {
            end(application, tree);
            exit.reason
        }
        Some(Received::Message(_)) | None => {
            end(application, tree);
            ExitReason::Normal
        }
    }
}

/// Stops the tree, however long that takes.
fn end<A: Application>(mut application: A, tree: Pid) {
    application.prepare_stop();
    let monitor = tree.monitor();
    tree.exit(ExitReason::Shutdown);
    monitor.wait(None);
    unlink_flush(tree);
    application.stop();
}
