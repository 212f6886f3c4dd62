//! A program that writes a log file, and knows nothing else. Whoever runs it decides where its
//! lines really go:
//!
//! ```sh
//! lunatic run --redirect 'file:log/*.log=elasticsearch:127.0.0.1:9200/app' examples/log_file
//! ```
//!
//! Each line is stored once, also when Elasticsearch is restarted in between; without a redirection
//! they are in `log/app.log`. The number of lines is an argument (1,000 without one).
//! docs/redirection.md says what else can be redirected, and how to try it with a real cluster.

use std::fs::{create_dir_all, OpenOptions};
use std::io::{BufWriter, Write};

fn main() {
    let count = std::env::args().nth(1).map_or(1000, |count| count.parse().expect("a number"));
    create_dir_all("log").expect("a directory for the log");
    let log = OpenOptions::new().append(true).create(true).open("log/app.log");
    // A write for a few lines, none of which it cuts.
    let mut log = BufWriter::with_capacity(256, log.expect("the log can be opened"));
    for number in 0..count {
        writeln!(log, "order {number} was shipped").expect("the log takes it");
    }
    log.flush().expect("the log takes it");
}
