//! Systems that can be read for observations: the trait they share, and nothing about any one of them.
//!
//! A source reads, never writes. It pushes facts into a [`Collection`] that the runner made (name and time are set);
//! what it could not read is a gap there, never an `Err`: so one broken menu never hides the rest, and absence is only
//! believed where there is no gap. A source knows no NetBox: what it needs from there is handed in as data.
//!
//! A new source is one folder (`mod.rs` talks, `parse.rs` is pure) and three lines here.

pub mod proxmox;
pub mod record;
pub mod routeros;
pub mod run;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Collection, SourceName};
use crate::transport::SecretError;
use crate::transport::http::ClientError;

pub use run::{Limits, check_all, collect_all};

/// A system that can be read for observations.
#[async_trait]
pub trait Source: Send + Sync {
    /// The name in the configuration; everything it reports is attributed to it.
    fn name(&self) -> &SourceName;

    /// Whether it can be reached and the credentials suffice: one line per thing tried, for `doctor`.
    async fn check(&self) -> Vec<Check>;

    /// Reads everything it knows now into `sink`. Push facts as soon as they are read, because what is in the sink is
    /// kept when the time runs out; push a gap for what failed.
    async fn collect(&self, sink: &mut Collection);
}

/// One thing that `doctor` tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was tried: `router1: log in`.
    pub what: String,
    /// What was found, or what is wrong and what to do about it.
    pub outcome: Result<String, String>,
}

impl Check {
    /// A check that passed.
    pub fn passed(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), outcome: Ok(found.into()) }
    }

    /// A check that failed.
    pub fn failed(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), outcome: Err(why.into()) }
    }
}

/// A source as the user configures it: one table of `[[source]]`, told apart by `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SourceConfig {
    /// MikroTik RouterOS.
    RouterOs(routeros::Config),
    /// Proxmox VE.
    Proxmox(proxmox::Config),
}

impl SourceConfig {
    /// The name that everything the source reports is attributed to.
    pub const fn name(&self) -> &SourceName {
        match self {
            Self::RouterOs(config) => &config.name,
            Self::Proxmox(config) => &config.name,
        }
    }

    /// The source itself. Reads its secrets; connects to nothing.
    pub fn build(&self) -> Result<Box<dyn Source>, SetupError> {
        match self {
            Self::RouterOs(config) => config.build(),
            Self::Proxmox(config) => config.build(),
        }
    }
}

/// Why a source cannot be made from its configuration. All of them are the user's to fix.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A password or token cannot be read.
    #[error("source `{name}`")]
    Secret {
        /// The source.
        name: SourceName,
        /// Which file, and why.
        #[source]
        source: SecretError,
    },
    /// The TLS settings do not work.
    #[error("source `{name}`")]
    Client {
        /// The source.
        name: SourceName,
        /// What is wrong with them.
        #[source]
        source: ClientError,
    },
    /// A value is not what it should be.
    #[error("source `{name}`: {reason}")]
    Invalid {
        /// The source.
        name: SourceName,
        /// Which value, and what it should be.
        reason: String,
    },
}

impl SetupError {
    fn secret(name: &SourceName, source: SecretError) -> Self {
        Self::Secret { name: name.clone(), source }
    }

    fn client(name: &SourceName, source: ClientError) -> Self {
        Self::Client { name: name.clone(), source }
    }
}
