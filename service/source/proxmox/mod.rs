//! Proxmox VE: guests with their network cards and addresses, and the nodes they run on. Talks; what the answers mean is
//! in `parse`. Reads only.

mod api;
mod guests;
#[cfg(test)]
mod live_tests;
mod parse;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

use self::api::{Api, ApiError};
use self::parse::NodeRow;
use super::run::{expect, read};
use super::snmp::Credentials;
use super::{Check, SetupError, Source};
use crate::model::{Collection, FactKind, SourceName};
use crate::transport::{Secret, TlsMode, http, read_secret_file};

/// pveproxy asks the other nodes of the cluster itself and gives up on one after 30 s; ours is shorter, because one
/// hanging node must not use up the time of the others.
const DEFAULT_TIMEOUT_SECONDS: u64 = 15;

/// Calls in flight: pveproxy runs three workers, which answer most calls in milliseconds.
const DEFAULT_CONCURRENCY: usize = 16;

/// A Proxmox VE cluster or single node, by its API, with an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the source.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// Any node of the cluster: `https://pve.example.org:8006`.
    pub url: String,
    /// `USER@REALM!TOKEN`, with the role `PVEAuditor` (and VM.Monitor up to version 8, VM.GuestAgent.Audit from 9, for the
    /// addresses inside guests).
    pub token_id: String,
    /// File with the token's secret.
    pub token_secret_file: PathBuf,
    /// `verify`, `sha256:<fingerprint>` or `insecure`.
    #[serde(default)]
    pub tls: TlsMode,
    /// PEM file of the authority for `verify`: `/etc/pve/pve-root-ca.pem` of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Names the identity of the guests; by default the name of the cluster, or of the only node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Longest time for one call.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
    /// Calls in flight.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

const fn default_timeout_seconds() -> u64 {
    DEFAULT_TIMEOUT_SECONDS
}

const fn default_concurrency() -> usize {
    DEFAULT_CONCURRENCY
}

impl Config {
    /// The source. Reads the token's secret.
    pub fn build(&self, _: &[Credentials]) -> Result<Box<dyn Source>, SetupError> {
        let invalid =
            |reason: &str| SetupError::Invalid { name: self.name.clone(), reason: reason.to_owned() };
        let url = reqwest::Url::parse(&self.url).map_err(|_| invalid("`url` is no URL"))?;
        if url.scheme() != "https" || url.host_str().is_none() {
            return Err(invalid(
                "`url` must begin with https://, because the token must not be read on the way",
            ));
        }
        if !self.token_id.contains('@') || !self.token_id.contains('!') {
            return Err(invalid("`token_id` must have the form USER@REALM!TOKEN"));
        }
        if self.timeout_seconds == 0 {
            return Err(invalid("`timeout_seconds` must be at least 1"));
        }
        let timeout = Duration::from_secs(self.timeout_seconds);
        let agent = concat!("surveyor/", env!("CARGO_PKG_VERSION"));
        let secret = read_secret_file(&self.token_secret_file)
            .map_err(|error| SetupError::secret(&self.name, error))?;
        let authorization = format!("PVEAPIToken={}={}", self.token_id, secret.expose());
        if !authorization.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(invalid("the token has characters that cannot be sent in a header"));
        }
        Ok(Box::new(Proxmox {
            name: self.name.clone(),
            cluster: self.cluster.clone(),
            concurrency: self.concurrency.max(1),
            token_id: self.token_id.clone(),
            api: Api {
                client: http::client(&self.tls, self.ca_file.as_deref(), timeout, agent)
                    .map_err(|error| SetupError::client(&self.name, error))?,
                base: self.url.trim_end_matches('/').to_owned(),
                authorization: Secret::new(authorization),
                slots: Semaphore::new(self.concurrency.max(1)),
                timeout,
            },
        }))
    }
}

struct Proxmox {
    name: SourceName,
    cluster: Option<String>,
    concurrency: usize,
    token_id: String,
    api: Api,
}

/// What is read once the endpoint answers, so that a cut run names what is missing.
const KINDS: [FactKind; 5] =
    [FactKind::Device, FactKind::Interfaces, FactKind::Networks, FactKind::Guests, FactKind::GuestAddresses];

#[async_trait]
impl Source for Proxmox {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        let name = &self.name;
        let reach = format!("{name}: log in with the API token");
        let version = match self.api.get("version").await {
            Ok(version) => version_text(&version),
            Err(error) => return vec![Check::failed(reach, error.to_string())],
        };
        let mut checks = vec![Check::passed(reach, format!("Proxmox VE {version}"))];
        let granted = self.api.get("access/permissions").await.map_err(|error| error.to_string());
        let sees_all = match &granted {
            Ok(granted) if parse::sees_all_guests(granted) => Ok("VM.Audit on all guests".to_owned()),
            Ok(_) => Err(self.under_privileged()),
            Err(error) => Err(error.clone()),
        };
        checks.push(Check { what: format!("{name}: privileges of the token"), outcome: sees_all });
        let wanted = parse::agent_privileges(&version);
        let asks_agents = granted.and_then(|granted| {
            if parse::on_all_guests(&granted, wanted) {
                return Ok("the guest agents may be asked".to_owned());
            }
            let wanted = wanted.first().copied().unwrap_or_default();
            Err(format!(
                "the token has no {wanted} on all of /vms, so addresses inside virtual machines stay unknown; hint: pveum \
                 role add SurveyorAgent --privs {wanted}; pveum acl modify /vms --tokens '{}' --roles SurveyorAgent",
                self.token_id
            ))
        });
        checks.push(Check { what: format!("{name}: addresses inside guests"), outcome: asks_agents });
        let guests = self.api.get("cluster/resources?type=vm").await;
        checks.push(Check {
            what: format!("{name}: list guests"),
            outcome: guests
                .map(|data| format!("{} guests", parse::guest_rows(&data).len()))
                .map_err(|error| error.to_string()),
        });
        checks
    }

    async fn collect(&self, sink: &mut Collection) {
        // One call alone first: an endpoint that is down or refuses us is asked once.
        let version = match self.api.get("version").await {
            Ok(version) => Some(version_text(&version)),
            Err(error) if error.is_fatal() => return sink.gap(FactKind::All, error.to_string()),
            Err(_) => None,
        };
        expect(sink, &KINDS);
        let (granted, status, nodes, resources) = tokio::join!(
            self.api.get("access/permissions"),
            self.api.get("cluster/status"),
            self.api.get("nodes"),
            self.api.get("cluster/resources?type=vm"),
        );
        let cluster = self.cluster_name(sink, &status);
        let nodes = match (nodes, &status) {
            (Ok(nodes), status) => parse::node_rows(&nodes, status.as_ref().unwrap_or(&Value::Null)),
            (Err(_), Ok(status)) => parse::node_rows(&Value::Null, status),
            (Err(error), Err(_)) => {
                sink.gap(FactKind::Device, format!("nodes: {error}"));
                sink.gap(FactKind::Interfaces, format!("nodes: {error}"));
                Vec::new()
            }
        };
        self.read_nodes(sink, &nodes, cluster.as_deref().unwrap_or_default(), version.as_deref()).await;
        for kind in [FactKind::Device, FactKind::Interfaces, FactKind::Networks] {
            read(sink, kind);
        }
        let guests = match resources {
            Ok(resources) => parse::guest_rows(&resources),
            Err(error) => {
                sink.gap(FactKind::Guests, format!("cluster/resources: {error}"));
                Vec::new()
            }
        };
        self.note_privileges(sink, granted, guests.is_empty());
        if let Some(cluster) = cluster {
            self.read_guests(sink, &cluster, guests).await;
        }
        read(sink, FactKind::Guests);
        read(sink, FactKind::GuestAddresses);
    }
}

impl Proxmox {
    /// The name is part of the identity of every guest: if it cannot be found out this time, there are no guests this
    /// time. If the token may never read it, the source's name stands in, because that stays the same.
    fn cluster_name(&self, sink: &mut Collection, status: &Result<Value, ApiError>) -> Option<String> {
        if let Some(configured) = &self.cluster {
            return Some(configured.clone());
        }
        match status {
            Ok(status) => parse::cluster_name(status).or_else(|| Some(self.name.to_string())),
            Err(ApiError::Forbidden(_)) => Some(self.name.to_string()),
            Err(error) if error.is_missing() => Some(self.name.to_string()),
            Err(error) => {
                sink.gap(
                    FactKind::Guests,
                    format!("the name of the cluster is unknown: cluster/status: {error}"),
                );
                None
            }
        }
    }

    /// A token without VM.Audit gets a short list that looks complete: such a list is not believed to be all.
    fn note_privileges(&self, sink: &mut Collection, granted: Result<Value, ApiError>, no_guests: bool) {
        match granted {
            Ok(granted) if parse::sees_all_guests(&granted) => {}
            Ok(_) => sink.gap(FactKind::Guests, self.under_privileged()),
            // Where it cannot be asked, guests are proof of the privilege; none may be the lack of it.
            Err(error) if error.is_missing() && !no_guests => {}
            Err(error) => sink.gap(
                FactKind::Guests,
                format!("whether the token sees all guests is unknown: access/permissions: {error}"),
            ),
        }
    }

    fn under_privileged(&self) -> String {
        format!(
            "the token has no VM.Audit on all of /vms, so guests may be hidden from it; hint: pveum acl modify / \
             --tokens '{}' --roles PVEAuditor",
            self.token_id
        )
    }

    async fn read_nodes(
        &self,
        sink: &mut Collection,
        nodes: &[NodeRow],
        cluster: &str,
        version: Option<&str>,
    ) {
        let reading: Vec<BoxFuture<'_, _>> = nodes
            .iter()
            .map(|node| {
                async move {
                    let network = if node.online {
                        self.api.get(&format!("nodes/{}/network", segment(&node.name))).await
                    } else {
                        Ok(Value::Null)
                    };
                    (node, network)
                }
                .boxed()
            })
            .collect();
        let mut answers = stream::iter(reading).buffered(self.concurrency);
        while let Some((node, network)) = answers.next().await {
            if !node.online {
                sink.gap(FactKind::Interfaces, format!("node {} is offline", node.name));
            }
            let network = network.unwrap_or_else(|error| {
                sink.gap(FactKind::Interfaces, format!("nodes/{}/network: {error}", node.name));
                Value::Null
            });
            sink.facts.extend(parse::node_facts(node, cluster, version, &network));
        }
    }
}

/// `8.4.1`, as `/version` says.
fn version_text(version: &Value) -> String {
    version.get("version").and_then(Value::as_str).unwrap_or("of unknown version").to_owned()
}

/// A node's name as part of a path. Node names are host names; anything else must not change the path.
fn segment(name: &str) -> impl std::fmt::Display + '_ {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(name, SEGMENT)
}
