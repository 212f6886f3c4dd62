//! What a side of TLS needs to know, out of what guests pass: PEM texts and protocol names.
//!
//! Everything is looked at before anything is opened, and whatever cannot be used is an error that
//! says which part it is: no certificate is skipped, and nothing takes the place of a list that
//! cannot be read.

use std::sync::{Arc, LazyLock};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Bytes of all certificates and keys in one call.
pub(crate) const PEM_BYTES_MAX: usize = 1 << 20;
/// Bytes of all names of protocols in one call.
const PROTOCOLS_BYTES_MAX: usize = 4096;
/// Bytes of comment before the first certificate of a text.
const COMMENT_BYTES_MAX: usize = 16 << 10;
const PEM_BEGIN: &[u8] = b"-----BEGIN ";

static CRYPTO: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));

/// The authorities that browsers trust.
static PUBLIC: LazyLock<Arc<RootCertStore>> =
    LazyLock::new(|| Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }));

/// Whom a listener lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    /// Everybody, and asks for no certificate.
    All,
    /// Who shows no certificate, or one that an authority of the list vouches for.
    Known,
    /// Who shows a certificate that an authority of the list vouches for.
    OnlyKnown,
}

/// A certificate with its chain, and its key, as PEM.
pub(crate) struct Identity<'a> {
    pub(crate) certificate: &'a [u8],
    pub(crate) key: &'a [u8],
}

/// How a listener answers.
pub(crate) fn server(
    identity: &Identity<'_>,
    clients: Clients,
    authorities: &[&[u8]],
    protocols: &[u8],
) -> Result<Arc<ServerConfig>, String> {
    let (chain, key) = chain_and_key(identity)?;
    let config = ServerConfig::builder_with_provider(CRYPTO.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = if clients == Clients::All {
        if !authorities.is_empty() {
            return Err("authorities for clients are of no use: no client is asked for a \
                certificate (mode 0)"
                .into());
        }
        config.with_no_client_auth()
    } else {
        let roots = Arc::new(roots(authorities)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, CRYPTO.clone());
        let verifier = match clients {
            Clients::Known => verifier.allow_unauthenticated(),
            Clients::All | Clients::OnlyKnown => verifier,
        };
        let verifier = verifier
            .build()
            .map_err(|error| format!("the authorities for clients cannot be used: {error}"))?;
        config.with_client_cert_verifier(verifier)
    };
    let mut config = config.with_single_cert(chain, key).map_err(misfit)?;
    config.alpn_protocols = protocol_names(protocols)?;
    Ok(Arc::new(config))
}

/// How a connection begins. Without authorities, the public ones are trusted; an identity is
/// optional.
pub(crate) fn client(
    authorities: &[&[u8]],
    identity: &Identity<'_>,
    protocols: &[u8],
) -> Result<Arc<ClientConfig>, String> {
    let roots = match authorities {
        [] => PUBLIC.clone(),
        authorities => Arc::new(roots(authorities)?),
    };
    let config = ClientConfig::builder_with_provider(CRYPTO.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = if identity.certificate.is_empty() && identity.key.is_empty() {
        config.with_no_client_auth()
    } else {
        let (chain, key) = chain_and_key(identity)?;
        config.with_client_auth_cert(chain, key).map_err(misfit)?
    };
    // Made for one connection.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = protocol_names(protocols)?;
    Ok(Arc::new(config))
}

/// Whether this can be the beginning of a PEM text: comment, if any, and a first line of PEM.
pub(crate) fn begins_like_pem(text: &[u8]) -> bool {
    let comment = &text[..text.len().min(COMMENT_BYTES_MAX)];
    let Some(begin) = comment.windows(PEM_BEGIN.len()).position(|window| window == PEM_BEGIN)
    else {
        return false;
    };
    let at_begin_of_line = begin == 0 || matches!(comment[begin - 1], b'\n' | b'\r');
    let readable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    at_begin_of_line
        && std::str::from_utf8(&comment[..begin])
            .is_ok_and(|comment| comment.trim_start_matches('\u{feff}').chars().all(readable))
}

fn roots(authorities: &[&[u8]]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (index, pem) in authorities.iter().enumerate() {
        let what = format!("authority {index}");
        for certificate in certificates(pem, &what)? {
            roots.add(certificate).map_err(|error| format!("{what} cannot be used: {error}"))?;
        }
    }
    Ok(roots)
}

fn chain_and_key(
    identity: &Identity<'_>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(identity.certificate, "the certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(|error| match error {
        pem::Error::NoItemsFound => "the text of the key holds none: PEM is expected, `PRIVATE \
            KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`, without a password"
            .to_owned(),
        error => format!("the key is not valid PEM: {error}"),
    })?;
    Ok((chain, key))
}

/// All certificates of a text, of which there is at least one.
fn certificates(text: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!(
            "the text of {what} holds none: PEM is expected, which begins with `-----BEGIN \
            CERTIFICATE-----`"
        )),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{what} is not valid PEM: {error}")),
    }
}

fn misfit(error: rustls::Error) -> String {
    format!("the certificate and its key cannot be used together: {error}")
}

/// Names of protocols, each after a byte with its length.
fn protocol_names(mut list: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    if list.len() > PROTOCOLS_BYTES_MAX {
        let length = list.len();
        return Err(format!("{length} bytes of protocols: at most {PROTOCOLS_BYTES_MAX} can be"));
    }
    let mut names = Vec::new();
    while let [length, rest @ ..] = list {
        let (name, rest) = match rest.split_at_checked(usize::from(*length)) {
            Some((name, rest)) if !name.is_empty() => (name, rest),
            _ => return Err("the list of protocols must be names, each after its length".into()),
        };
        names.push(name.to_vec());
        list = rest;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{begins_like_pem, protocol_names};
    use proptest::prelude::*;

    #[test]
    fn a_pem_text_may_begin_with_a_comment_but_not_with_something_else() {
        for (text, is) in [
            ("-----BEGIN CERTIFICATE-----", true),
            ("\r\n  \n-----BEGIN CERTIFICATE-----", true),
            ("\u{feff}# K\u{e4}se CA\n=====\n-----BEGIN CERTIFICATE-----", true),
            ("", false),
            ("-----BEGIN", false),
            ("text -----BEGIN CERTIFICATE-----", false),
            ("\0\0\0\n-----BEGIN CERTIFICATE-----", false),
        ] {
            assert_eq!(begins_like_pem(text.as_bytes()), is, "{text:?}");
        }
        assert!(!begins_like_pem(b"\xff\n-----BEGIN CERTIFICATE-----"));
        let late = format!("{}\n-----BEGIN CERTIFICATE-----", "#".repeat(1 << 20));
        assert!(!begins_like_pem(late.as_bytes()));
    }

    proptest! {
        #[test]
        fn names_of_protocols_are_read_as_they_were_written(
            names in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..9),
            cut in 1_usize..20,
        ) {
            let mut list = Vec::new();
            for name in &names {
                list.push(u8::try_from(name.len()).expect("shorter than 20"));
                list.extend_from_slice(name);
            }
            prop_assert_eq!(protocol_names(&list), Ok(names.clone()));
            // Cut within the last name.
            if let Some(last) = names.last() && cut <= last.len() {
                prop_assert!(protocol_names(&list[..list.len() - cut]).is_err());
            }
        }
    }

    #[test]
    fn an_empty_name_and_too_many_names_are_refused() {
        assert!(protocol_names(&[0]).is_err());
        assert!(protocol_names(&[1; 5000]).is_err());
    }
}
