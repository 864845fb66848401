//! How a TLS peer is trusted: system roots or a CA file, a pinned certificate, or nothing. Knows no protocol above TLS.
//!
//! One cryptography provider (ring), named explicitly, so that no process-wide default is needed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How the certificate of a peer is checked: `verify`, `sha256:<fingerprint>` or `insecure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum TlsMode {
    /// Against the system's roots, or only the configured CA file.
    #[default]
    Verify,
    /// The leaf certificate must have this SHA-256; names and dates do not matter.
    Fingerprint([u8; 32]),
    /// Not at all. The caller warns, loudly.
    Insecure,
}

/// A text that is no [`TlsMode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no TLS mode; hint: write \"verify\", \"sha256:<64 hex digits>\" (colons allowed) or \"insecure\""
)]
pub struct InvalidTlsMode(String);

impl FromStr for TlsMode {
    type Err = InvalidTlsMode;

    fn from_str(text: &str) -> Result<Self, InvalidTlsMode> {
        let invalid = || InvalidTlsMode(text.to_owned());
        match text {
            "verify" => return Ok(Self::Verify),
            "insecure" => return Ok(Self::Insecure),
            _ => {}
        }
        let (prefix, digits) = text.split_once(':').ok_or_else(invalid)?;
        if !prefix.eq_ignore_ascii_case("sha256") {
            return Err(invalid());
        }
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        let mut fingerprint = [0; 32];
        hex::decode_to_slice(&digits, &mut fingerprint).map_err(|_| invalid())?;
        Ok(Self::Fingerprint(fingerprint))
    }
}

impl TryFrom<String> for TlsMode {
    type Error = InvalidTlsMode;

    fn try_from(text: String) -> Result<Self, InvalidTlsMode> {
        text.parse()
    }
}

impl From<TlsMode> for String {
    fn from(mode: TlsMode) -> Self {
        mode.to_string()
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verify => f.write_str("verify"),
            Self::Fingerprint(fingerprint) => write!(f, "sha256:{}", hex::encode(fingerprint)),
            Self::Insecure => f.write_str("insecure"),
        }
    }
}

/// Why no TLS client can be made. All of them are the user's to fix.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA file is missing, unreadable or no PEM.
    #[error("ca file `{}` cannot be read as PEM certificates", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The CA file holds no certificate.
    #[error("ca file `{}` has no certificate in it; hint: PEM, with BEGIN CERTIFICATE lines", .0.display())]
    NoCertificates(PathBuf),
    /// The system has no roots to verify against.
    #[error(
        "the system has no trusted root certificates; hint: install ca-certificates, or set ca_file or tls = \"sha256:..\""
    )]
    NoSystemRoots,
    /// A pin or `insecure` makes the CA file meaningless: one of the two was not meant.
    #[error("ca_file has no effect with tls = \"{0}\"; hint: remove one of the two")]
    UnusedCaFile(TlsMode),
    /// The TLS library refused what it was given.
    #[error("cannot set up TLS")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a certificate was refused, with the fingerprint that was seen so that a person can compare it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its fingerprint is sha256:{}, {why}", hex::encode(seen))]
pub struct Untrusted {
    /// SHA-256 of the leaf certificate that the peer sent.
    pub seen: [u8; 32],
    /// What is wrong with it.
    pub why: String,
}

/// The TLS settings for one peer.
pub fn client_config(mode: &TlsMode, ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    if ca_file.is_some() && *mode != TlsMode::Verify {
        return Err(TlsError::UnusedCaFile(*mode));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trust = match mode {
        TlsMode::Verify => roots(ca_file, &provider)?,
        TlsMode::Fingerprint(pin) => Trust::Pin(*pin),
        TlsMode::Insecure => Trust::Anything,
    };
    let verifier = Arc::new(Verifier { trust, provider: Arc::clone(&provider) });
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(Box::new(error)))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// The roots of the CA file, or else of the system.
fn roots(ca_file: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Trust, TlsError> {
    let mut store = RootCertStore::empty();
    let mut listed = Vec::new();
    if let Some(path) = ca_file {
        let unreadable = |source| TlsError::CaFile { path: path.to_owned(), source };
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            listed.push(certificate.map_err(unreadable)?);
        }
        let (added, _) = store.add_parsable_certificates(listed.iter().cloned());
        if added == 0 {
            return Err(TlsError::NoCertificates(path.to_owned()));
        }
    } else {
        // Single unreadable certificates of a system store are common and harmless; none at all is not.
        let (added, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            return Err(TlsError::NoSystemRoots);
        }
    }
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| TlsError::Setup(Box::new(error)))?;
    Ok(Trust::Chain { chain, listed })
}

#[derive(Debug)]
enum Trust {
    /// A chain to a root. `listed` are the certificates of a CA file: a self-signed peer is often listed itself.
    Chain {
        chain: Arc<WebPkiServerVerifier>,
        listed: Vec<CertificateDer<'static>>,
    },
    Pin([u8; 32]),
    Anything,
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen: [u8; 32] = Sha256::digest(leaf).into();
        let refused = |why: String| {
            let untrusted = Arc::new(Untrusted { seen, why });
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(untrusted)))
        };
        match &self.trust {
            Trust::Anything => Ok(ServerCertVerified::assertion()),
            Trust::Pin(pin) if *pin == seen => Ok(ServerCertVerified::assertion()),
            Trust::Pin(pin) => Err(refused(format!("not the pinned sha256:{}", hex::encode(pin)))),
            // webpki refuses a self-signed certificate (which is its own CA) as a leaf; if the user listed exactly
            // this one in the CA file, its name still has to fit.
            Trust::Chain { listed, .. } if listed.iter().any(|known| known == leaf) => {
                ParsedCertificate::try_from(leaf)
                    .and_then(|parsed| rustls::client::verify_server_name(&parsed, name))
                    .map(|()| ServerCertVerified::assertion())
                    .map_err(|error| refused(reason(&error, name)))
            }
            Trust::Chain { chain, .. } => chain
                .verify_server_cert(leaf, intermediates, name, ocsp_response, now)
                .map_err(|error| refused(reason(&error, name))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What webpki found, in words a person acts on.
fn reason(error: &rustls::Error, name: &ServerName<'_>) -> String {
    let rustls::Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        CertificateError::UnknownIssuer => "issued by an unknown authority".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("not valid for the name `{}`", name.to_str())
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not valid yet (is the clock right?)".to_owned()
        }
        // rustls reports webpki's `CaUsedAsEndEntity` as this: a self-signed certificate that calls itself a CA.
        CertificateError::Other(_) => format!("self-signed or malformed ({error})"),
        other => other.to_string(),
    }
}
