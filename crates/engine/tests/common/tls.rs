//! What tests of TLS need outside of guests: authorities, certificates, and the other side of a
//! connection, which is rustls without the runtime. The keys beside this file are for tests only;
//! they are here because of their formats.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use lunatic_engine::ProcessConfig;
use lunatic_wasi::WasiConfig;

use super::guest::module_with;
use super::{check, run_with};

pub const RSA_PKCS8: &str = include_str!("keys/rsa_pkcs8.pem");
pub const RSA_PKCS1: &str = include_str!("keys/rsa_pkcs1.pem");
pub const EC_PKCS8: &str = include_str!("keys/ec_pkcs8.pem");
pub const EC_SEC1: &str = include_str!("keys/ec_sec1.pem");

/// A peer that waits for longer for a guest that does not answer fails its test.
const PATIENCE: Duration = Duration::from_secs(30);

/// The client's end of a connection to a guest.
pub type Client = StreamOwned<ClientConnection, TcpStream>;
/// The server's end of a connection from a guest.
pub type Server = StreamOwned<ServerConnection, TcpStream>;

/// Somebody who signs certificates.
pub struct Authority {
    /// Its certificate.
    pub pem: String,
    /// Certificates between this one and its root, itself included unless it is the root.
    between: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its chain, and its key.
pub struct Leaf {
    pub chain: String,
    pub key: String,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    /// One that signs itself.
    pub fn root(name: &str) -> Authority {
        let (params, key) = (authority(name), KeyPair::generate().expect("a key"));
        let pem = params.self_signed(&key).expect("it can sign itself").pem();
        Authority { pem, between: String::new(), issuer: Issuer::new(params, key) }
    }

    /// One that this one vouches for.
    pub fn below(&self, name: &str) -> Authority {
        let (params, key) = (authority(name), KeyPair::generate().expect("a key"));
        let pem = params.signed_by(&key, &self.issuer).expect("it can be signed").pem();
        let between = format!("{pem}{}", self.between);
        Authority { pem, between, issuer: Issuer::new(params, key) }
    }

    /// A certificate for `localhost` and 127.0.0.1 with a key of its own.
    pub fn leaf(&self) -> Leaf {
        let key = KeyPair::generate().expect("a key").serialize_pem();
        self.leaf_for(&["localhost", "127.0.0.1"], &key)
    }

    /// A certificate for names and addresses with a key in PKCS#8.
    pub fn leaf_for(&self, names: &[&str], key: &str) -> Leaf {
        let pair = KeyPair::from_pem(key).expect("a key in PKCS#8");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("valid names");
        let own = params.signed_by(&pair, &self.issuer).expect("it can be signed").pem();
        Leaf { chain: format!("{own}{}", self.between), key: key.to_owned() }
    }

    fn store(&self) -> Arc<RootCertStore> {
        let mut store = RootCertStore::empty();
        store.add(der(&self.pem).remove(0)).expect("an authority");
        Arc::new(store)
    }

    /// A client that trusts this authority alone, and shows a certificate if asked.
    pub fn client(&self, identity: Option<&Leaf>) -> ClientConfig {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows the defaults")
            .with_root_certificates(self.store());
        match identity {
            None => config.with_no_client_auth(),
            Some(leaf) => config
                .with_client_auth_cert(der(&leaf.chain), key_of(leaf))
                .expect("certificate and key fit"),
        }
    }

    /// A server with this certificate. It wants one of this authority of clients, if `clients`.
    pub fn server(&self, leaf: &Leaf, clients: bool) -> ServerConfig {
        let provider = Arc::new(default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("the provider knows the defaults");
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(self.store(), provider);
        let config = match clients {
            false => config.with_no_client_auth(),
            true => config.with_client_cert_verifier(verifier.build().expect("an authority")),
        };
        config.with_single_cert(der(&leaf.chain), key_of(leaf)).expect("certificate and key fit")
    }
}

/// The certificates of a text.
pub fn der(pem: &str) -> Vec<CertificateDer<'static>> {
    let all: Result<_, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.expect("certificates as PEM")
}

fn key_of(leaf: &Leaf) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).expect("a key as PEM")
}

/// What a guest has told about itself: the port of its listener. The connection on which it did
/// lives as long as the guest.
pub struct Guest {
    pub port: u16,
    pub control: TcpStream,
}

impl Guest {
    /// The next number that the guest tells.
    pub fn hear(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact(&mut bytes).expect("the guest tells a number");
        u64::from_le_bytes(bytes)
    }

    /// Lets the guest go on that waits in `$wait`.
    pub fn go_on(&mut self) {
        self.control.write_all(b".").expect("the guest waits");
    }

    /// A TCP connection to the guest.
    pub fn tcp(&self) -> TcpStream {
        patient(TcpStream::connect(("127.0.0.1", self.port)).expect("the guest listens"))
    }

    /// A TLS connection to the guest, after the handshake.
    pub fn tls(&self, config: ClientConfig) -> io::Result<Client> {
        let name = "localhost".try_into().expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        let mut stream = StreamOwned::new(session, self.tcp());
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }
}

fn patient(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(PATIENCE)).expect("sockets have timeouts");
    socket.set_write_timeout(Some(PATIENCE)).expect("sockets have timeouts");
    socket
}

/// Runs a guest, which calls `$report` with its listener, beside a client.
pub fn serves(source: &str, texts: &[(&str, &str)], client: impl FnOnce(Guest) + Send) {
    let control = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = control.local_addr().expect("it is bound");
    beside(source, texts, address.port(), move || {
        let mut guest = Guest { port: 0, control: patient(control.accept().expect("a guest").0) };
        guest.port = u16::try_from(guest.hear()).expect("a port");
        client(guest);
    });
}

/// Runs a guest, which connects to `(global.get $port)`, beside a server that gets its TCP
/// connection.
pub fn connects(source: &str, texts: &[(&str, &str)], server: impl FnOnce(TcpStream) + Send) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    beside(source, texts, address.port(), move || {
        server(patient(listener.accept().expect("a guest").0));
    });
}

/// The server's end of a TLS connection, after the handshake.
pub fn accept(socket: TcpStream, config: ServerConfig) -> io::Result<Server> {
    let session = ServerConnection::new(Arc::new(config)).expect("a session");
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn beside(source: &str, texts: &[(&str, &str)], port: u16, peer: impl FnOnce() + Send) {
    let source = format!("(global $port i32 (i32.const {port})) {source}");
    let wat = module_with(&source, texts);
    thread::scope(|scope| {
        let peer = scope.spawn(peer);
        let config = ProcessConfig::root(WasiConfig::default());
        let reason = run_with(&wat, config).expect("the module can be spawned");
        // A peer that still waits for a guest has waited in vain.
        let _ = TcpStream::connect(("127.0.0.1", port));
        let peer = peer.join();
        check(&reason);
        peer.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Everything up to the end, which has to be announced.
pub fn read_to_end(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("the end is announced");
    all
}

/// Reads this and nothing else.
pub fn expect(stream: &mut impl Read, text: &str) {
    let mut got = vec![0; text.len()];
    stream.read_exact(&mut got).expect("the guest writes");
    assert_eq!(String::from_utf8_lossy(&got), text);
}

/// Waits for the end of a connection, however it comes.
pub fn ends(socket: &mut TcpStream) {
    loop {
        match socket.read(&mut [0; 1024]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("the connection goes on: {error}"),
        }
    }
}
