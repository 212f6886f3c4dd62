//! What a waiting process costs: spawns processes that wait, and says how many pages of 4 KiB of
//! its memory one of them has written to. `cargo xtask test` holds the figure.
//!
//! ```sh
//! cargo run --release --example waiting
//! ```
//!
//! A page counts if one of its bytes is not zero. The process looks at its own memory after it has
//! received a message, decoded it and waited for the next, as a waiting server has.

use lunatic::{Mailbox, Process, spawn_link};

const PAGE_BYTES: usize = 4096;

#[lunatic::main]
fn main(mailbox: Mailbox<usize>) {
    let child = spawn_link(mailbox.this(), waiting);
    child.send("a state of its own".to_owned());
    child.send(String::new());
    println!("{} pages", mailbox.receive().expect("a number"));
}

fn waiting(parent: Process<usize>, mailbox: Mailbox<String>) {
    let state = mailbox.receive().expect("a state");
    while !mailbox.receive().expect("a command").is_empty() {}
    parent.send(written_pages());
    drop(state);
}

#[cfg(target_family = "wasm")]
fn written_pages() -> usize {
    let bytes = core::arch::wasm32::memory_size(0) * (64 << 10);
    // Address 0 is as good as others here, but not to Rust: the page is looked at from 8 on.
    let page = |begin: usize| {
        (begin.max(8)..begin + PAGE_BYTES).step_by(8).any(|at| {
            // SAFETY: all of it is inside of the linear memory; a volatile read of any bytes is one
            // of integers.
            unsafe { core::ptr::with_exposed_provenance::<u64>(at).read_volatile() != 0 }
        })
    };
    (0..bytes).step_by(PAGE_BYTES).filter(|begin| page(*begin)).count()
}

#[cfg(not(target_family = "wasm"))]
fn written_pages() -> usize {
    PAGE_BYTES
}
