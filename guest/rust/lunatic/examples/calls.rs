//! What the library adds to a call: calls by raw host functions and through the library,
//! in turn, with the same kind of server.
//!
//! ```sh
//! cargo run --release --example calls
//! ```
//!
//! Prints nanoseconds for a call of both kinds, the best of a hundred rounds, and their ratio: what
//! else a machine does makes rounds slower, never faster. A ratio of at most 1.3 is the goal.

use std::time::Instant;

use lunatic::abi;
use lunatic::message::{self, Header, Pattern, tag};
use lunatic::{Mailbox, Pid, Postcard, Ref, call, spawn_link};

const CALLS: u32 = 500;
const ROUNDS: u32 = 100;

#[lunatic::main]
fn main() {
    let raw = spawn_link((), |(), _: Mailbox<()>| raw_server()).pid();
    let library = spawn_link((), |(), _: Mailbox<()>| library_server()).pid();
    let (mut raw_best, mut library_best) = (u128::MAX, u128::MAX);
    for _ in 0..ROUNDS {
        raw_best = raw_best.min(time(|number| raw_call(raw, number)));
        library_best = library_best.min(time(|number| {
            call::<u32, u32, Postcard>(library, &number, None).expect("an answer")
        }));
    }
    let (raw, library) = (raw_best, library_best);
    println!("raw {raw} ns, library {library} ns, ratio {:.2}", library as f64 / raw as f64);
}

fn time(call: impl Fn(u32) -> u32) -> u128 {
    let begin = Instant::now();
    for number in 0..CALLS {
        assert_eq!(call(number), number);
    }
    begin.elapsed().as_nanos() / u128::from(CALLS)
}

fn library_server() {
    while let Some(envelope) = message::receive(&[Pattern::tag(tag::CALL)], None) {
        let (from, number) = envelope.decode_call::<u32, Postcard>().expect("a number");
        message::reply_postcard(from, &number).expect("numbers can be written");
    }
}

fn raw_receive(pattern: Pattern) {
    let mut header = core::mem::MaybeUninit::<Header>::uninit();
    // SAFETY: pattern and header have the layout of the ABI.
    unsafe { abi::message::receive_with(&raw const pattern, 1, 0, u64::MAX, header.as_mut_ptr()) };
}

fn raw_server() {
    let mut bytes = [0u8; 20];
    loop {
        raw_receive(Pattern::tag(tag::CALL));
        // SAFETY: the places have the lengths that are given.
        unsafe {
            abi::message::read_data(bytes.as_mut_ptr(), 20);
            let from = Ref::from_bytes(core::array::from_fn(|n| bytes[n]));
            abi::message::create_data(tag::REPLY, 4);
            abi::message::write_data(bytes[16..].as_ptr(), 4);
            abi::message::send_alias(from.node(), from.id(), 0, u64::MAX);
        }
    }
}

fn raw_call(server: Pid, number: u32) -> u32 {
    let (mut pair, mut bytes) = ([0u64; 2], [0u8; 20]);
    // SAFETY: the places have the lengths that are given.
    unsafe {
        abi::process::monitor_pid(server.node(), server.id(), 3, pair.as_mut_ptr());
        let reference = Ref::new(pair[0], pair[1]);
        bytes[..16].copy_from_slice(&reference.to_bytes());
        bytes[16..].copy_from_slice(&number.to_le_bytes());
        abi::message::create_data(tag::CALL, 20);
        abi::message::write_data(bytes.as_ptr(), 20);
        abi::message::send_pid(server.node(), server.id(), u64::MAX);
        raw_receive(Pattern::reference(reference));
        abi::message::read_data(bytes.as_mut_ptr(), 4);
    }
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
