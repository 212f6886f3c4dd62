//! A supervisor that restarts a crashing child. The worker adds numbers up and panics on a zero.
//! It is a process, so nothing else is lost: the supervisor starts a new worker under the old
//! name, and the program goes on.
//!
//! Run it: `lunatic run examples/supervisor` (the reports of the two crashes go to stderr)
//!
//! It prints:
//!
//! ```text
//! worker 1 is up
//!   5 + 7 = 12
//!   now a zero ...
//! worker 2 is up
//!   the sum starts again: 3
//!   now a zero ...
//! worker 3 is up
//!   the sum starts again: 4
//! three workers, two crashes, one program that never stopped
//! ```

use lunatic::ap::{AbstractProcess, Config, ProcessRef};
use lunatic::supervisor::{Supervisor, SupervisorConfig, SupervisorStrategy};
use lunatic::{abstract_process, Mailbox, Process};
use serde::{Deserialize, Serialize};

/// What a worker tells the root as soon as it is ready.
#[derive(Serialize, Deserialize)]
struct Up;

struct Worker {
    sum: u64,
}

#[abstract_process]
impl Worker {
    #[init]
    fn init(_: Config<Self>, root: Process<Up>) -> Result<Self, ()> {
        root.send(Up);
        Ok(Self { sum: 0 })
    }

    #[handle_message]
    fn add(&mut self, number: u64) {
        assert_ne!(number, 0, "a zero is more than this worker can bear");
        self.sum += number;
    }

    #[handle_request]
    fn sum(&self) -> u64 {
        self.sum
    }
}

struct Workers;

impl Supervisor for Workers {
    type Arg = Process<Up>;
    type Children = (Worker,);

    fn init(config: &mut SupervisorConfig<Self>, root: Process<Up>) {
        config.set_strategy(SupervisorStrategy::OneForOne);
        config.set_args((root,));
        config.set_names((Some("worker".to_owned()),));
    }
}

/// Waits until the next worker is up and finds it by its name: the old reference would be of
/// no use, because it names a process that is gone.
fn next_worker(mailbox: &Mailbox<Up>, number: u32) -> ProcessRef<Worker> {
    mailbox.receive();
    println!("worker {number} is up");
    ProcessRef::<Worker>::lookup("worker").expect("a worker that is up has its name")
}

#[lunatic::main]
fn main(mailbox: Mailbox<Up>) {
    let supervisor = Workers::link().start(mailbox.this()).expect("init never fails");

    let worker = next_worker(&mailbox, 1);
    worker.add(5);
    worker.add(7);
    println!("  5 + 7 = {}", worker.sum());

    for number in 2..=3 {
        println!("  now a zero ...");
        ProcessRef::<Worker>::lookup("worker").expect("the worker is up").add(0);

        let worker = next_worker(&mailbox, number);
        worker.add(u64::from(number) + 1);
        println!("  the sum starts again: {}", worker.sum());
    }

    supervisor.shutdown();
    println!("three workers, two crashes, one program that never stopped");
}
