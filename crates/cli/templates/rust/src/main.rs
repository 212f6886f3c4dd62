//! {{name}}: one process asks another, and a test does the same.

use lunatic::{Mailbox, Process, spawn_link};

#[lunatic::main]
fn main() {
    println!("{}", ask("world"));
}

/// Lets another process make a greeting, and waits for it.
fn ask(whom: &str) -> String {
    let mailbox = Mailbox::<String>::new();
    // A process shares no memory with others: it gets a copy of what it is given.
    spawn_link((mailbox.this(), whom.to_owned()), greet);
    mailbox.receive().expect("greet sends a text")
}

/// The body of the other process.
fn greet((parent, whom): (Process<String>, String), _: Mailbox<()>) {
    parent.send(format!("Hello {whom}, from another process!"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[lunatic::test]
    fn a_process_greets() {
        assert_eq!(ask("test"), "Hello test, from another process!");
    }
}
