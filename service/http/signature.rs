//! Whether a body comes from NetBox: `X-Hook-Signature`, HMAC-SHA512 over the raw bytes. Pure; knows neither HTTP nor JSON.
//!
//! NetBox signs in `extras/webhooks.py` (`generate_signature`): lower-case hexadecimal, no prefix, key = the secret in UTF-8,
//! and only if the webhook has a secret. There is no timestamp or nonce in it, so an old body can be sent again: that is why a
//! body decides nothing.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "X-Hook-Signature";

/// The secrets that are accepted: one, or several while one replaces another. Prints nothing of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// These secrets. Empty ones are left out: anybody could sign with them.
    pub fn new<S: Into<Vec<u8>>>(secrets: impl IntoIterator<Item = S>) -> Self {
        Self(secrets.into_iter().map(Into::into).filter(|secret| !secret.is_empty()).collect())
    }

    /// Whether there is none, so that nothing would be accepted.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets([redacted]; {})", self.0.len())
    }
}

/// Why a body is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The webhook in NetBox has no secret, or it is not NetBox.
    #[error("no `{SIGNATURE_HEADER}`\nhint: set the secret of the webhook in NetBox")]
    Missing,
    /// Not 128 hexadecimal digits.
    #[error("`{SIGNATURE_HEADER}` is not an HMAC-SHA512 in hexadecimal")]
    Malformed,
    /// Signed with another secret, or changed on the way.
    #[error(
        "`{SIGNATURE_HEADER}` does not match\nhint: the secret of the webhook in NetBox and `webhook.secret_file` differ, or a proxy changes the body"
    )]
    Wrong,
    /// There is nothing to compare with.
    #[error("no webhook secret is configured\nhint: set `webhook.secret_file`")]
    NoSecret,
}

/// Checks the signature of a body, in constant time, against every secret.
pub fn verify(secrets: &Secrets, body: &[u8], header: Option<&[u8]>) -> Result<(), SignatureError> {
    if secrets.is_empty() {
        return Err(SignatureError::NoSecret);
    }
    let header = header.filter(|header| !header.is_empty()).ok_or(SignatureError::Missing)?;
    let mut given = [0; 64];
    hex::decode_to_slice(header, &mut given).map_err(|_| SignatureError::Malformed)?;
    let mut matches = false;
    for secret in &secrets.0 {
        // Every secret is tried even after one matched, so that time does not tell which.
        matches |= signed(secret, body).is_some_and(|mac| mac.verify_slice(&given).is_ok());
    }
    if matches { Ok(()) } else { Err(SignatureError::Wrong) }
}

/// The signature NetBox would send, in hexadecimal: for tests of the whole way and for `doctor`.
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    signed(secret, body).map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
}

/// The MAC over a body. HMAC takes keys of any length; `None` is for the type only.
fn signed(secret: &[u8], body: &[u8]) -> Option<Hmac<Sha512>> {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret).ok()?;
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 4231, section 4: key, data, HMAC-SHA-512.
    fn rfc_4231() -> Vec<(Vec<u8>, Vec<u8>, &'static str)> {
        vec![
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
            ),
        ]
    }

    #[test]
    fn agrees_with_rfc_4231() {
        for (key, data, expected) in rfc_4231() {
            assert_eq!(sign(&key, &data), expected);
            assert_eq!(verify(&Secrets::new([key]), &data, Some(expected.as_bytes())), Ok(()));
        }
    }

    #[test]
    fn accepts_any_of_several_secrets() {
        let body = br#"{"event":"updated"}"#;
        let secrets = Secrets::new(["new", "old"]);
        for secret in ["new", "old"] {
            assert_eq!(verify(&secrets, body, Some(sign(secret.as_bytes(), body).as_bytes())), Ok(()));
        }
        let other = sign(b"other", body);
        assert_eq!(verify(&secrets, body, Some(other.as_bytes())), Err(SignatureError::Wrong));
    }

    #[test]
    fn says_what_is_wrong() {
        let secrets = Secrets::new(["secret"]);
        let good = sign(b"secret", b"body");
        assert_eq!(verify(&secrets, b"body", None), Err(SignatureError::Missing));
        assert_eq!(verify(&secrets, b"body", Some(b"")), Err(SignatureError::Missing));
        for bad in ["x", "sha512=00", &good[..126], &format!("{good}00"), &good.replace(&good[..1], "g")] {
            assert_eq!(
                verify(&secrets, b"body", Some(bad.as_bytes())),
                Err(SignatureError::Malformed),
                "{bad}"
            );
        }
        assert_eq!(verify(&secrets, b"body\n", Some(good.as_bytes())), Err(SignatureError::Wrong));
        assert_eq!(verify(&secrets, b"", Some(good.as_bytes())), Err(SignatureError::Wrong));
    }

    #[test]
    fn an_empty_secret_opens_nothing() {
        let secrets = Secrets::new(["", ""]);
        assert!(secrets.is_empty());
        assert_eq!(verify(&secrets, b"x", Some(sign(b"", b"x").as_bytes())), Err(SignatureError::NoSecret));
        assert_eq!(
            verify(&Secrets::new(["", "a"]), b"x", Some(sign(b"", b"x").as_bytes())),
            Err(SignatureError::Wrong)
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", Secrets::new(["hunter2"])), "Secrets([redacted]; 1)");
    }

    proptest! {
        #[test]
        fn never_panics_and_accepts_only_its_own(
            secret in "\\PC{1,40}",
            body in prop::collection::vec(any::<u8>(), 0..200),
            header in prop::collection::vec(any::<u8>(), 0..200),
            bit in 0..512_usize,
        ) {
            let secrets = Secrets::new([secret.as_bytes()]);
            prop_assert!(verify(&secrets, &body, Some(&header)).is_err());
            let good = sign(secret.as_bytes(), &body);
            prop_assert_eq!(verify(&secrets, &body, Some(good.as_bytes())), Ok(()));
            let mut bytes = hex::decode(&good).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = hex::encode(bytes);
            prop_assert_eq!(verify(&secrets, &body, Some(flipped.as_bytes())), Err(SignatureError::Wrong));
        }
    }
}
