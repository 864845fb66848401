//! How the source proves who it is: an SNMP v2c community or an SNMP v3 user, shared by name between sources. Knows
//! nothing of the network.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transport::{Secret, SecretError, read_secret_file};

/// RFC 3414 section 11.2: passwords shorter than this are refused by every agent.
const MIN_PASSWORD: usize = 8;

/// Longest user name and context in octets (RFC 3414 and RFC 3411: `SnmpAdminString` of at most 32).
const MAX_NAME: usize = 32;

/// A `[[credentials]]` entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// What sources refer to it by.
    pub name: String,
    /// SNMP version.
    #[serde(default)]
    pub version: Version,
    /// File with the community (version 2c).
    pub community_file: Option<PathBuf>,
    /// User name, in SNMP's words the security name (version 3).
    pub username: Option<String>,
    /// How messages are authenticated (version 3).
    pub auth_protocol: Option<AuthProtocol>,
    /// File with the authentication password.
    pub auth_password_file: Option<PathBuf>,
    /// How messages are encrypted (version 3).
    pub priv_protocol: Option<PrivProtocol>,
    /// File with the encryption password.
    pub priv_password_file: Option<PathBuf>,
    /// Context name (version 3); empty by default.
    pub context: Option<String>,
    /// Permits MD5, DES and 3DES, which protect against nobody who tries.
    #[serde(default)]
    pub allow_weak: bool,
}

/// SNMP version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// Community, in clear text.
    #[default]
    #[serde(rename = "2c")]
    V2c,
    /// User-based security (RFC 3414).
    #[serde(rename = "3")]
    V3,
}

/// HMAC of SNMP v3 messages (RFC 3414, RFC 7860).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthProtocol {
    /// Broken; needs `allow_weak`.
    Md5,
    /// HMAC-SHA-96.
    #[serde(alias = "sha")]
    Sha1,
    /// HMAC-128-SHA-224.
    Sha224,
    /// HMAC-192-SHA-256.
    Sha256,
    /// HMAC-256-SHA-384.
    Sha384,
    /// HMAC-384-SHA-512.
    Sha512,
}

/// Cipher of SNMP v3 messages. Keys longer than the digest are extended in one of two ways that do not understand each
/// other: Blumenthal's draft (net-snmp and most) or Reeder's (Cisco and some).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrivProtocol {
    /// Broken; needs `allow_weak`.
    Des,
    /// Obsolete; needs `allow_weak`.
    #[serde(rename = "3des")]
    TripleDes,
    /// RFC 3826.
    #[serde(alias = "aes")]
    Aes128,
    /// Blumenthal's key extension.
    Aes192,
    /// Reeder's key extension.
    #[serde(rename = "aes192-cisco")]
    Aes192Cisco,
    /// Blumenthal's key extension.
    Aes256,
    /// Reeder's key extension.
    #[serde(rename = "aes256-cisco")]
    Aes256Cisco,
}

/// Why credentials cannot be used. All of them are the user's to fix.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A key that the version needs is absent, or one that it cannot use is present.
    #[error("credentials `{name}`: {what}")]
    Inconsistent {
        /// The entry.
        name: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A secret file gave no secret.
    #[error("credentials `{name}`: `{key}`")]
    Secret {
        /// The entry.
        name: String,
        /// The key that names the file.
        key: &'static str,
        /// What is wrong with the file.
        #[source]
        source: SecretError,
    },
}

/// Credentials with their secrets read.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// SNMP v2c.
    Community(Secret),
    /// SNMP v3.
    User {
        /// Security name.
        name: String,
        /// Absent: noAuthNoPriv.
        auth: Option<(AuthProtocol, Secret)>,
        /// Absent: authNoPriv.
        privacy: Option<(PrivProtocol, Secret)>,
        /// Context name.
        context: String,
    },
}

impl Credentials {
    /// Checks the entry and reads its secrets.
    pub(crate) fn resolve(&self) -> Result<Access, CredentialsError> {
        let inconsistent = |what: &str| {
            Err(CredentialsError::Inconsistent { name: self.name.clone(), what: what.to_owned() })
        };
        let secret = |key, path: &Option<PathBuf>| {
            path.as_deref().map(read_secret_file).transpose().map_err(|source| CredentialsError::Secret {
                name: self.name.clone(),
                key,
                source,
            })
        };
        if self.version == Version::V2c {
            let for_v3 = self.username.is_some()
                || self.auth_protocol.is_some()
                || self.auth_password_file.is_some()
                || self.priv_protocol.is_some()
                || self.priv_password_file.is_some()
                || self.context.is_some();
            if for_v3 {
                return inconsistent("it has keys of version 3; hint: set `version = \"3\"`");
            }
            return match secret("community_file", &self.community_file)? {
                Some(community) => Ok(Access::Community(community)),
                None => inconsistent("`community_file` is missing; hint: version 2c needs it"),
            };
        }
        if self.community_file.is_some() {
            return inconsistent("`community_file` is of version 2c; hint: version 3 has users");
        }
        let Some(username) = self.username.clone().filter(|name| (1..=MAX_NAME).contains(&name.len())) else {
            return inconsistent("`username` must have 1 to 32 characters in version 3");
        };
        if self.context.as_ref().is_some_and(|context| context.len() > MAX_NAME) {
            return inconsistent("`context` must have at most 32 characters");
        }
        if self.auth_protocol.is_none() && self.priv_protocol.is_some() {
            return inconsistent("encryption needs authentication; hint: set `auth_protocol`");
        }
        let weak = matches!(self.auth_protocol, Some(AuthProtocol::Md5))
            || matches!(self.priv_protocol, Some(PrivProtocol::Des | PrivProtocol::TripleDes));
        if weak && !self.allow_weak {
            return inconsistent(
                "MD5, DES and 3DES are broken; hint: use sha256 and aes128, or set `allow_weak = true` if the device has nothing else",
            );
        }
        let auth_password = secret("auth_password_file", &self.auth_password_file)?;
        let priv_password = secret("priv_password_file", &self.priv_password_file)?;
        let auth = match (self.auth_protocol, auth_password) {
            (Some(protocol), Some(password)) => Some((protocol, password)),
            (None, None) => None,
            _ => return inconsistent("`auth_protocol` and `auth_password_file` go together"),
        };
        let privacy = match (self.priv_protocol, priv_password) {
            (Some(protocol), Some(password)) => Some((protocol, password)),
            (None, None) => None,
            _ => return inconsistent("`priv_protocol` and `priv_password_file` go together"),
        };
        let too_short = |secret: Option<&Secret>| secret.is_some_and(|s| s.expose().len() < MIN_PASSWORD);
        if too_short(auth.as_ref().map(|(_, secret)| secret))
            || too_short(privacy.as_ref().map(|(_, secret)| secret))
        {
            return inconsistent(
                "a password has fewer than 8 characters, which SNMP version 3 does not allow",
            );
        }
        Ok(Access::User { name: username, auth, privacy, context: self.context.clone().unwrap_or_default() })
    }
}

impl Access {
    /// What a person would look for on the device, without the secret.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Community(_) => "SNMP v2c".to_owned(),
            Self::User { name, .. } => format!("SNMP v3 as `{name}`"),
        }
    }

    /// The same access to one VLAN's bridge tables (Cisco): `community@VLAN`, or the context `vlan-N`.
    pub(crate) fn for_vlan(&self, vlan: u16) -> Self {
        match self {
            Self::Community(community) => {
                Self::Community(Secret::new(format!("{}@{vlan}", community.expose())))
            }
            Self::User { name, auth, privacy, .. } => Self::User {
                name: name.clone(),
                auth: auth.clone(),
                privacy: privacy.clone(),
                context: format!("vlan-{vlan}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(toml: &str) -> Result<Access, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("long", "password123\n"), ("short", "pass")] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let text = toml.replace("DIR", folder.path().to_str().unwrap());
        let credentials: Credentials = config::Config::builder()
            .add_source(config::File::from_str(&text, config::FileFormat::Toml))
            .build()
            .unwrap()
            .try_deserialize()
            .map_err(|error: config::ConfigError| error.to_string())?;
        credentials.resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn a_community_is_enough_for_2c() {
        let access = resolve("name = 'ro'\ncommunity_file = 'DIR/short'").unwrap();
        assert!(matches!(&access, Access::Community(secret) if secret.expose() == "pass"));
        assert!(matches!(access.for_vlan(950), Access::Community(secret) if secret.expose() == "pass@950"));
        assert!(!format!("{access:?}").contains("pass\""), "secrets do not print");
    }

    #[test]
    fn a_user_may_authenticate_and_encrypt() {
        let access = resolve(
            "name = 'ro'\nversion = '3'\nusername = 'u'\nauth_protocol = 'sha256'\nauth_password_file = 'DIR/long'\npriv_protocol = 'aes256-cisco'\npriv_password_file = 'DIR/long'",
        )
        .unwrap();
        let Access::User { auth, privacy, .. } = &access else { panic!("{access:?}") };
        assert!(matches!(auth, Some((AuthProtocol::Sha256, _))));
        assert!(matches!(privacy, Some((PrivProtocol::Aes256Cisco, _))));
        assert!(matches!(access.for_vlan(7), Access::User { context, .. } if context == "vlan-7"));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        for (toml, reason) in [
            ("name = 'ro'", "`community_file` is missing"),
            ("name = 'ro'\nusername = 'u'", "set `version = \"3\"`"),
            ("name = 'ro'\nversion = '3'\ncommunity_file = 'DIR/long'", "version 2c"),
            ("name = 'ro'\nversion = '3'", "`username`"),
            (
                "name = 'ro'\nversion = '3'\nusername = 'u'\ncontext = 'a-context-of-thirty-three-octets!'",
                "`context`",
            ),
            ("name = 'ro'\nversion = '3'\nusername = 'u'\nauth_protocol = 'sha1'", "go together"),
            (
                "name = 'ro'\nversion = '3'\nusername = 'u'\npriv_protocol = 'aes128'\npriv_password_file = 'DIR/long'",
                "needs authentication",
            ),
            (
                "name = 'ro'\nversion = '3'\nusername = 'u'\nauth_protocol = 'md5'\nauth_password_file = 'DIR/long'",
                "allow_weak",
            ),
            (
                "name = 'ro'\nversion = '3'\nusername = 'u'\nauth_protocol = 'sha1'\nauth_password_file = 'DIR/short'",
                "fewer than 8",
            ),
            ("name = 'ro'\ncommunity_file = 'DIR/none'", "`community_file`"),
            ("name = 'ro'\ncommunity = 'public'", "community"),
        ] {
            let error = resolve(toml).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn weak_protocols_are_possible_on_demand() {
        let access = resolve(
            "name = 'ro'\nversion = '3'\nusername = 'u'\nauth_protocol = 'md5'\nauth_password_file = 'DIR/long'\nallow_weak = true",
        );
        assert!(access.is_ok());
    }
}
