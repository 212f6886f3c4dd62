//! TCP and syslog: what receivers get, and a receiver that does not read.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use lunatic_sinks::{Destination, LINE_BYTES_MAX, Lines, Loss, Options, Sink};

use crate::{WATCHDOG, balanced, options, runtime};

fn start(destination: Destination, options: Options) -> Sink {
    Sink::start(destination, options).expect("it starts")
}

#[test]
fn lines_arrive_over_tcp_in_order_however_they_were_written() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let sink = start(Destination::Tcp { address, trust: None }, options());
    let lines = Lines::new(sink.clone(), "test");
    let long = "x".repeat(LINE_BYTES_MAX + 10);
    runtime().block_on(async {
        for piece in ["one\ntw", "o\n\nthr", "ee\n", &long, "\nrest"] {
            lines.write(piece.as_bytes()).await;
        }
        drop(lines);
        let figures = sink.flush(WATCHDOG).await;
        assert_eq!((figures.taken, figures.arrived), (7, 7));
    });
    let (stream, _) = listener.accept().unwrap();
    drop(sink);
    let read: Vec<String> = BufReader::new(stream).lines().map(Result::unwrap).collect();
    let (head, tail) = long.split_at(LINE_BYTES_MAX);
    assert_eq!(read, ["one", "two", "", "three", head, tail, "rest"]);
}

#[test]
fn a_receiver_that_does_not_read_keeps_nobody_waiting_where_lines_may_be_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let bounds = Options { queue_bytes: 1 << 20, loss: Loss::DropOldest, ..options() };
    let sink = start(Destination::Tcp { address, trust: None }, bounds);
    let lines = Lines::new(sink.clone(), "test");
    let line = format!("{}\n", "x".repeat(60_000));
    runtime().block_on(async {
        while sink.figures().overflowed < 1000 {
            lines.write(line.as_bytes()).await;
        }
    });
    balanced(&sink);
    assert!(sink.figures().waiting * 60_000 <= 1 << 20);
}

#[test]
fn syslog_over_udp_is_rfc_5424() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(WATCHDOG)).unwrap();
    let address = receiver.local_addr().unwrap().to_string();
    let sink = start(Destination::SyslogUdp { address }, options());
    let lines = Lines::new(sink.clone(), "app log");
    runtime().block_on(lines.write(b"hello\n"));
    let mut datagram = [0; 2048];
    let length = receiver.recv(&mut datagram).unwrap();
    let text = std::str::from_utf8(&datagram[..length]).unwrap();
    let fields: Vec<&str> = text.splitn(7, ' ').collect();
    assert_eq!(fields[0], "<14>1");
    assert!(fields[1].ends_with('Z') && fields[1].contains('T'), "{text}");
    assert_eq!((fields[2], fields[3], fields[5]), ("-", "lunatic", "applog"));
    assert_eq!(fields[6], "[meta sequenceId=\"1\"] hello");
}

#[test]
fn syslog_over_tcp_counts_its_octets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let sink = start(Destination::SyslogTcp { address, trust: None }, options());
    runtime().block_on(async {
        let lines = Lines::new(sink.clone(), "test");
        lines.write(b"one\ntwo\n").await;
        sink.flush(Duration::from_secs(60)).await;
    });
    let (mut stream, _) = listener.accept().unwrap();
    drop(sink);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    for message in ["one", "two"] {
        let (length, rest) = text.split_once(' ').unwrap();
        let (this, rest) = rest.split_at(length.parse().unwrap());
        assert!(this.starts_with("<14>1 ") && this.ends_with(&format!("] {message}")), "{this}");
        text = rest.to_owned();
    }
    assert_eq!(text, "");
}
