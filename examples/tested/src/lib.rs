//! A guest crate with a test suite: each test is the root process of an environment of its own,
//! may spawn processes, and passes when it ends normally.
//!
//! Run it: `cargo test -p tested` in `examples/`, with `lunatic` on the PATH
//!
//! Six tests pass, among them three that must panic; one is ignored.

use lunatic::{Mailbox, Process};

/// The sum of `numbers`, worked out by one process for each half. The answers arrive in
/// `mailbox`, the caller's own.
///
/// # Panics
///
/// When `numbers` is empty: there is no half to give away.
pub fn sum(mailbox: &Mailbox<u64>, numbers: &[u64]) -> u64 {
    assert!(!numbers.is_empty(), "nothing to add up");
    let (left, right) = numbers.split_at(numbers.len() / 2);
    for half in [left, right] {
        Process::spawn_link((mailbox.this(), half.to_vec()), add_up);
    }
    mailbox.receive() + mailbox.receive()
}

fn add_up((parent, half): (Process<u64>, Vec<u64>), _: Mailbox<()>) {
    parent.send(half.iter().sum());
}

#[cfg(test)]
mod tests {
    use lunatic::{test, Mailbox, Process};

    use super::sum;

    #[test]
    fn two_halves_make_the_sum(mailbox: Mailbox<u64>) {
        let numbers: Vec<u64> = (1..=100).collect();
        assert_eq!(sum(&mailbox, &numbers), 5050);
    }

    #[test]
    fn one_number_is_its_own_sum(mailbox: Mailbox<u64>) {
        assert_eq!(sum(&mailbox, &[7]), 7);
    }

    #[test]
    fn a_test_may_take_a_mailbox(mailbox: Mailbox<String>) {
        Process::spawn(mailbox.this(), |parent: Process<String>, _: Mailbox<()>| {
            parent.send("from the child".to_owned());
        });
        assert_eq!(mailbox.receive(), "from the child");
    }

    #[test]
    #[should_panic]
    fn a_link_takes_the_test_with_it(mailbox: Mailbox<()>) {
        Process::spawn_link((), |(), _: Mailbox<()>| panic!("the child fails"));
        mailbox.receive();
    }

    #[test]
    #[should_panic]
    fn a_test_that_must_panic() {
        panic!("any message will do");
    }

    #[test]
    #[should_panic(expected = "nothing to add up")]
    fn nothing_cannot_be_added_up(mailbox: Mailbox<u64>) {
        sum(&mailbox, &[]);
    }

    #[test]
    #[ignore]
    fn an_ignored_test_is_not_run() {
        panic!("this test is only run with --ignored");
    }
}
