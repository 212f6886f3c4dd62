//! Request and reply: a counter kept by a process of its own. `add` is a message (the caller
//! does not wait), `total` a request (the caller waits for the answer).
//!
//! Run it: `lunatic run examples/request`
//!
//! It prints:
//!
//! ```text
//! the counter starts at 10
//! after adding 5 and 27: 42
//! the counter stops at 42
//! the root has the last word
//! ```

use lunatic::ap::{AbstractProcess, Config};
use lunatic::{abstract_process, Mailbox};

struct Counter {
    total: u64,
}

#[abstract_process]
impl Counter {
    #[init]
    fn init(_: Config<Self>, start: u64) -> Result<Self, ()> {
        Ok(Self { total: start })
    }

    #[terminate]
    fn terminate(self) {
        println!("the counter stops at {}", self.total);
    }

    #[handle_message]
    fn add(&mut self, amount: u64) {
        self.total += amount;
    }

    #[handle_request]
    fn total(&self) -> u64 {
        self.total
    }
}

#[lunatic::main]
fn main(_: Mailbox<()>) {
    let counter = Counter::link().start(10).expect("init of Counter never fails");
    println!("the counter starts at {}", counter.total());

    // Messages of one sender arrive in order, so the request sees both additions.
    counter.add(5);
    counter.add(27);
    println!("after adding 5 and 27: {}", counter.total());

    // A request too: it returns when the counter has run its `terminate`.
    counter.shutdown();
    println!("the root has the last word");
}
