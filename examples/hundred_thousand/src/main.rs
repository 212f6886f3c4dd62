//! A hundred thousand processes that wait, each with a memory of its own. The root wakes every
//! one of them, and every one has to answer.
//!
//! Run it: `lunatic run --release examples/hundred_thousand` (another number of
//! processes: write it behind)
//!
//! It prints:
//!
//! ```text
//! 10000 processes wait
//! 20000 processes wait
//! 30000 processes wait
//! 40000 processes wait
//! 50000 processes wait
//! 60000 processes wait
//! 70000 processes wait
//! 80000 processes wait
//! 90000 processes wait
//! 100000 processes wait
//! waking all of them
//! all 100000 answered, each once
//! ```

use lunatic::{Mailbox, Process};

const PROCESSES_DEFAULT: u64 = 100_000;

#[lunatic::main]
fn main(mailbox: Mailbox<u64>) {
    let wanted = match std::env::args().nth(1) {
        None => PROCESSES_DEFAULT,
        Some(text) => match text.parse() {
            Ok(number) if number > 0 => number,
            _ => {
                eprintln!("`{text}` is not a number of processes; give a number above 0");
                std::process::exit(2);
            }
        },
    };

    let step = wanted.div_ceil(10);
    let mut processes = Vec::new();
    for number in 0..wanted {
        processes.push(Process::spawn((mailbox.this(), number), wait));
        if (number + 1) % step == 0 || number + 1 == wanted {
            println!("{} processes wait", number + 1);
        }
    }

    println!("waking all of them");
    for process in &processes {
        process.send(());
    }

    let mut answered = vec![false; processes.len()];
    for _ in 0..wanted {
        let number = mailbox.receive();
        let seen = &mut answered[usize::try_from(number).expect("numbers come from a Vec index")];
        assert!(!*seen, "process {number} answered twice");
        *seen = true;
    }
    println!("all {wanted} answered, each once");
}

/// Sleeps in `receive` until the root says so, then answers with its own number.
fn wait((root, number): (Process<u64>, u64), mailbox: Mailbox<()>) {
    mailbox.receive();
    root.send(number);
}
