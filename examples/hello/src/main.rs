//! The smallest guest: one process, which prints a line and ends.
//!
//! Run it: `lunatic run examples/hello`
//!
//! It prints:
//!
//! ```text
//! Hello from a process!
//! ```

use lunatic::Mailbox;

#[lunatic::main]
fn main(_: Mailbox<()>) {
    println!("Hello from a process!");
}
