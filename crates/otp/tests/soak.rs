//! Signals between processes that are killed at random, counted one by one.
//!
//! `LUNATIC_OTP_SEED` sets the seed. `cargo xtask otp --signals N` does the same for longer.

use std::time::{SystemTime, UNIX_EPOCH};

use lunatic_otp::soak::{Plan, soak};

const SIGNALS: u64 = 200_000;

#[test]
fn nothing_is_lost_doubled_or_out_of_order_while_processes_are_killed() {
    let given = std::env::var("LUNATIC_OTP_SEED").ok();
    let seed = given.map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        |text| text.parse().expect("it is set to a number"),
    );
    println!("LUNATIC_OTP_SEED={seed}");
    for workers in [1, 2, 4] {
        let tally = soak(Plan { signals: SIGNALS, seed, workers }).unwrap_or_else(|failure| {
            panic!("{workers} workers: {failure}");
        });
        assert!(tally.messages + tally.ends_told >= SIGNALS, "{tally}");
        assert!(tally.ended > 0 && tally.ends_told > 0 && tally.pairs_settled > 0, "{tally}");
    }
}
