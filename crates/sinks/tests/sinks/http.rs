//! Lines that are posted over HTTP and HTTPS: what a server gets, and what its statuses do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use lunatic_sinks::{Destination, Figures, Lines, Server, Sink, StartError, Trust};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::{WATCHDOG, balanced, options, runtime};

/// What a server has stored, by the id that each line carries.
type Stored = Arc<Mutex<BTreeMap<String, String>>>;

/// Answers requests of one connection; the statuses of the first ones are planned. What is wrong
/// with a request ends the thread.
fn serve(stream: impl Read + Write, planned: &Mutex<Vec<u16>>, stored: &Stored) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut authorized, mut first) = (0, false, String::new());
        if stream.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        assert_eq!(first, "POST /in?app=a HTTP/1.1\r\n");
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).expect("a header");
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("content-type", value)) => assert_eq!(value, "application/x-ndjson"),
                Some(("authorization", value)) => authorized = value == "secret",
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        assert!(authorized, "the header is missing");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("the body");
        let status = planned.lock().unwrap().pop().unwrap_or(204);
        // One that fails may have stored all the same.
        if status < 300 || status == 500 {
            for line in String::from_utf8(body).expect("JSON").lines() {
                let document: Value = serde_json::from_str(line).expect("a document in a line");
                assert!(document["@timestamp"].is_string() && document["log"]["sequence"].is_u64());
                let [id, message] = ["id", "message"].map(|key| document[key].as_str());
                let mut known = stored.lock().unwrap();
                known.insert(id.expect("an id").into(), message.expect("a message").into());
            }
        }
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        stream.get_mut().write_all(answer.as_bytes()).expect("it reads");
        stream.get_mut().flush().expect("it reads");
    }
}

/// A server that answers these statuses first, the last one of them first; with `tls`, over TLS.
fn start(planned: Vec<u16>, tls: Option<Arc<ServerConfig>>) -> (SocketAddr, Stored) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (address, stored) = (listener.local_addr().unwrap(), Stored::default());
    let (planned, kept) = (Arc::new(Mutex::new(planned)), stored.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (planned, stored) = (planned.clone(), kept.clone());
            let (stream, tls) = (stream.expect("a connection"), tls.clone());
            std::thread::spawn(move || match tls {
                Some(config) => {
                    let session = ServerConnection::new(config).expect("a session");
                    serve(StreamOwned::new(session, stream), &planned, &stored);
                }
                None => serve(stream, &planned, &stored),
            });
        }
    });
    (address, stored)
}

fn sink(address: SocketAddr, trust: Option<Trust>) -> Result<Sink, StartError> {
    let authorization = Some("secret".to_owned());
    let server = Server { address: address.to_string(), authorization, trust };
    Sink::start(Destination::Http { server, path: "/in?app=a".into() }, options())
}

fn write(sink: &Sink, count: usize) -> Figures {
    runtime().block_on(async {
        let lines = Lines::new(sink.clone(), "test");
        for number in 0..count {
            lines.write(format!("line {number}\n").as_bytes()).await;
        }
        sink.flush(WATCHDOG).await
    })
}

#[test]
fn each_line_is_posted_until_it_is_taken_under_the_same_id() {
    let (address, stored) = start(vec![401, 500, 413, 503, 500], None);
    let sink = sink(address, None).expect("it starts");
    let figures = write(&sink, 500);
    assert_eq!((figures.arrived, figures.dropped(), figures.waiting), (500, 0, 0));
    assert!(figures.repeated > 0, "{figures:?}");
    balanced(&sink);
    // By their ids none is there twice.
    let mut messages: Vec<String> = stored.lock().unwrap().values().cloned().collect();
    let mut expected: Vec<String> = (0..500).map(|number| format!("line {number}")).collect();
    messages.sort();
    expected.sort();
    assert_eq!(messages, expected);
}

#[test]
fn a_request_that_the_server_refuses_for_good_is_counted() {
    let (address, stored) = start(vec![400], None);
    let sink = sink(address, None).expect("it starts");
    let figures = write(&sink, 300);
    assert!(figures.refused > 0, "{figures:?}");
    assert_eq!(figures.arrived, stored.lock().unwrap().len() as u64);
    balanced(&sink);
}

/// A certificate for 127.0.0.1 in PEM, and a server that has it.
fn identity() -> (Vec<u8>, Arc<ServerConfig>) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("it fits");
    (certificate.pem().into_bytes(), Arc::new(config))
}

#[test]
fn over_tls_lines_go_to_a_server_that_an_authority_vouches_for() {
    let (pem, config) = identity();
    let (address, stored) = start(vec![503], Some(config));
    let sink = sink(address, Some(Trust::Authorities(pem))).expect("it starts");
    let figures = write(&sink, 100);
    assert_eq!((figures.arrived, figures.waiting), (100, 0));
    assert_eq!(stored.lock().unwrap().len(), 100);
}

#[test]
fn syslog_goes_over_tls_with_counted_octets() {
    let (pem, config) = identity();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().unwrap().to_string();
    let received = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let session = ServerConnection::new(config).expect("a session");
        let mut stream = BufReader::new(StreamOwned::new(session, stream));
        let mut messages = Vec::new();
        for _ in 0..3 {
            let mut length = Vec::new();
            stream.read_until(b' ', &mut length).expect("a length");
            let length = String::from_utf8(length).expect("digits");
            let mut message = vec![0; length.trim_end().parse().expect("a length")];
            stream.read_exact(&mut message).expect("a message");
            messages.push(String::from_utf8(message).expect("text"));
        }
        messages
    });
    let trust = Some(Trust::Authorities(pem));
    let sink =
        Sink::start(Destination::SyslogTcp { address, trust }, options()).expect("it starts");
    let figures = write(&sink, 3);
    assert_eq!((figures.arrived, figures.waiting), (3, 0));
    for (number, message) in received.join().expect("it was served").iter().enumerate() {
        assert!(message.starts_with("<14>1 "), "{message}");
        assert!(message.ends_with(&format!("line {number}")), "{message}");
    }
}

#[test]
fn nothing_goes_to_a_server_that_nobody_vouches_for() {
    let (_, config) = identity();
    let (other, _) = identity();
    let (address, stored) = start(Vec::new(), Some(config));
    let sink = sink(address, Some(Trust::Authorities(other))).expect("it starts");
    runtime().block_on(async {
        let lines = Lines::new(sink.clone(), "test");
        lines.write(b"secret\n").await;
        // It is tried again and again.
        while sink.figures().repeated < 3 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((sink.figures().arrived, sink.figures().waiting), (0, 1));
    assert!(stored.lock().unwrap().is_empty());
}

#[test]
fn authorities_that_are_none_are_told_at_the_start() {
    let (address, _) = start(Vec::new(), None);
    let refused = sink(address, Some(Trust::Authorities(b"nothing".to_vec())));
    assert!(matches!(refused, Err(StartError::Tls(_))));
}
