//! Two processes that talk: the smallest program. `cargo xtask test` holds its size.
//!
//! ```sh
//! cargo run --release --example hello
//! ```
//!
//! Prints `Hello from another process!`.

use lunatic::{Mailbox, spawn_link};

#[lunatic::main]
fn main(mailbox: Mailbox<String>) {
    spawn_link(mailbox.this(), |parent, _: Mailbox<()>| {
        parent.send("Hello from another process!".to_owned());
    });
    println!("{}", mailbox.receive().expect("only strings are sent"));
}
