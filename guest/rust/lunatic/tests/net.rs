//! Sockets on the runtime: `cargo test --test net`, with `lunatic run` as the runner.

use std::io::{self, Read, Write};
use std::time::Duration;

use lunatic::net::{
    Clients, Shutdown, TcpListener, TcpStream, TlsClient, TlsListener, TlsServer, TlsStream,
    UdpSocket,
};
use lunatic::{Config, ExitReason, Mailbox, Spawn, spawn_link, spawn_monitor};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (two, peer) = listener.accept().unwrap();
    assert_eq!(peer, Some(one.local_addr().unwrap()));
    (one, two)
}

#[lunatic::test]
fn a_stream_reads_and_writes_as_those_of_std(_mailbox: Mailbox<()>) {
    let (mut one, mut two) = pair();
    one.write_all(b"hello").unwrap();
    one.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    two.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(two.peer_addr().unwrap(), one.local_addr().unwrap());
}

#[lunatic::test]
fn a_stream_that_was_sent_works_there_and_no_more_here(mailbox: Mailbox<String>) {
    let (mut one, two) = pair();
    let stays = two.clone();
    spawn_link((mailbox.this(), two), |(parent, mut two), _: Mailbox<()>| {
        let mut bytes = [0; 2];
        two.read_exact(&mut bytes).unwrap();
        parent.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    one.write_all(b"ab").unwrap();
    assert_eq!(mailbox.receive().as_deref(), Ok("ab"));
    let mailbox = Mailbox::<TcpStream>::new();
    mailbox.this().send(stays);
    let mut back = mailbox.receive().unwrap();
    back.write_all(b"c").unwrap();
    let mut byte = [0];
    one.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"c");
}

#[lunatic::test]
fn a_socket_that_is_no_part_of_a_message_is_a_decode_error(mailbox: Mailbox<TcpStream>) {
    lunatic::send(*mailbox.this(), 3u32).unwrap();
    assert!(mailbox.receive().is_err());
    let (one, _two) = pair();
    assert!(lunatic::format::to_vec(&one).is_err());
}

#[lunatic::test]
fn deadlines_of_sockets_are_errors_of_std() {
    let (mut one, _two) = pair();
    one.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    assert_eq!(one.read_timeout().unwrap(), Some(Duration::from_millis(1)));
    assert_eq!(one.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_accept_timeout(Some(Duration::ZERO)).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::TimedOut);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::ZERO)).unwrap();
    assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[lunatic::test]
fn datagrams_go_where_the_socket_is_connected() {
    let (one, two) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0"));
    let two = two.unwrap();
    one.connect(two.local_addr().unwrap()).unwrap();
    one.send(b"x").unwrap();
    let mut place = [0; 4];
    assert_eq!(two.recv_from(&mut place).unwrap(), (1, one.local_addr().unwrap()));
}

#[lunatic::test]
fn a_child_of_an_empty_configuration_has_no_network_and_no_directories() {
    fn tries((): (), _: Mailbox<()>) -> Result<(), Box<dyn std::error::Error>> {
        assert!(TcpListener::bind("127.0.0.1:0").is_err());
        assert!(std::fs::read_dir(".").is_err());
        assert_eq!(std::env::var("MODE")?, "strict");
        Ok(())
    }
    let config = Config::new().unwrap().env("MODE", "strict");
    let (_, monitor) = Spawn::new().config(&config).spawn_monitor((), tries).unwrap();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
    let config = Config::new().unwrap().allow_bind("tcp:127.0.0.1").unwrap();
    assert!(Config::new().unwrap().allow_bind("no rule").is_err());
    let (_, monitor) = Spawn::new()
        .config(&config)
        .spawn_monitor((), |(), _: Mailbox<()>| drop(TcpListener::bind("127.0.0.1:0").unwrap()))
        .unwrap();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
}

#[lunatic::test]
fn several_processes_accept_at_one_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = [0, 1].map(|_| {
        spawn_monitor(listener.clone(), |listener, _: Mailbox<()>| drop(listener.accept())).1
    });
    let _streams = [0, 1].map(|_| TcpStream::connect(address).unwrap());
    for monitor in accepting {
        assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
    }
}

/// A certificate of `localhost` for a hundred years, and its key: for tests alone.
const CERTIFICATE: &str = include_str!("data/certificate.pem");
const KEY: &str = include_str!("data/key.pem");

/// Both ends of a connection by TLS.
fn tls_pair(server: &TlsServer, client: &TlsClient) -> io::Result<(TlsStream, TlsStream)> {
    let listener = server.bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    // Handshakes go on while somebody accepts: a process of its own does.
    let parent = Mailbox::<TlsStream>::new();
    let accepting = spawn_link((listener, parent.this()), |(listener, parent), _: Mailbox<()>| {
        if let Ok((stream, peer)) = listener.accept() {
            assert_eq!(stream.peer_addr().unwrap(), peer);
            parent.send(stream);
        }
    });
    match client.connect("localhost", port) {
        Ok(stream) => Ok((stream, parent.receive().unwrap())),
        Err(error) => {
            accepting.unlink();
            accepting.kill();
            Err(error)
        }
    }
}

#[lunatic::test]
fn a_tls_stream_reads_and_writes_as_those_of_std() {
    let server = TlsServer::new(CERTIFICATE, KEY).protocol("h2").protocol("http/1.1");
    let client = TlsClient::new().authority(CERTIFICATE).protocol("http/1.1");
    let (mut one, mut two) = tls_pair(&server, &client.timeout(Duration::from_secs(60))).unwrap();
    one.write_all(b"hello").unwrap();
    one.flush().unwrap();
    one.shutdown().unwrap();
    let mut text = String::new();
    two.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(one.protocol().unwrap().as_deref(), Some(&b"http/1.1"[..]));
    assert!(one.peer_certificate().unwrap().is_some_and(|der| der[0] == 0x30));
    assert_eq!(two.peer_certificate().unwrap(), None);
    one.set_read_timeout(Some(Duration::ZERO)).unwrap();
    assert_eq!(one.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[lunatic::test]
fn who_cannot_prove_what_is_asked_for_gets_no_tls_connection() {
    let server = TlsServer::new(CERTIFICATE, KEY);
    assert!(tls_pair(&server, &TlsClient::new()).is_err(), "browsers do not trust it");
    let strict = server.clients(Clients::MustShowCertificate, CERTIFICATE);
    let client = TlsClient::new().authority(CERTIFICATE).certificate(CERTIFICATE, KEY);
    let (_one, two) = tls_pair(&strict, &client).unwrap();
    assert!(two.peer_certificate().unwrap().is_some());
    assert!(TlsListener::bind("127.0.0.1:0", "no certificate", KEY).is_err());
    assert!(TlsClient::new().protocol("").connect("localhost", 1).is_err());
}

#[lunatic::test]
fn a_resource_of_another_kind_is_a_decode_error(mailbox: Mailbox<UdpSocket>) {
    let (one, two) = pair();
    for (number, stream) in [one, two].into_iter().enumerate() {
        Mailbox::<TcpStream>::new().this().send(stream);
        let error = mailbox.receive().unwrap_err().to_string();
        assert!(error.contains("UdpSocket"), "{number}: {error}");
    }
    mailbox.this().send(UdpSocket::bind("127.0.0.1:0").unwrap());
    assert!(mailbox.receive().is_ok(), "the next message is not concerned");
}
