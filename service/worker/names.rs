//! DNS: the desired set is derived from NetBox and pushed to each server, independently.

use futures_util::future::join_all;
use serde_json::json;

use super::Service;
use crate::dns::{DnsError, Unbound};
use crate::plan::View;
use crate::plan::dns::{self, ForeignRecord, Refused, ReplaceFile};
use crate::plan::materialize::desired_names;
use crate::transport::chain;

/// How one server fared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Server {
    /// Its name in the configuration.
    pub name: String,
    /// Lines of what changes: `+ printer.example.org A 192.0.2.10`.
    pub changes: Vec<String>,
    /// Hash of the plan for this server; none if nothing changes.
    pub plan: Option<String>,
    /// Whether the change was made and is served.
    pub pushed: bool,
    /// What could not be published.
    pub refused: Vec<Refused>,
    /// What went wrong.
    pub error: Option<String>,
    /// Worth knowing.
    pub note: Option<String>,
}

/// What to do with the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// Only say what would change.
    DryRun,
    /// Make it so.
    Now,
    /// Make it so, however much is withdrawn.
    Force,

    /// `--skip-dns`.
    Skip,
}

impl Service {
    /// Records on any server that are not ours, as far as the servers answer.
    pub(super) async fn foreign_records(&self) -> Vec<ForeignRecord> {
        let states = join_all(self.servers.iter().map(Unbound::state)).await;
        let mut foreign: Vec<ForeignRecord> =
            states.into_iter().flatten().flat_map(|state| state.foreign).collect();
        foreign.sort();
        foreign.dedup();
        foreign
    }

    /// Brings every server to what NetBox says.
    pub async fn push_names(&self, view: &View, push: Push) -> Vec<Server> {
        if push == Push::Skip {
            return Vec::new();
        }
        let desired = desired_names(view, self.settings.dns_ttl);
        let servers = join_all(self.servers.iter().map(|server| self.push_one(server, &desired, push))).await;
        for server in &servers {
            let state = json!({
                "error": server.error,
                "refused": server.refused.len(),
                "records": desired.len(),
            });
            let saved = self.store.save_dns_state(&server.name, &state.to_string(), self.now()).await;
            if let Err(error) = saved {
                tracing::warn!(dns.server = server.name, %error, "cannot note the state of a DNS server");
            }
        }
        servers
    }

    async fn push_one(&self, server: &Unbound, desired: &[dns::DesiredAddress], push: Push) -> Server {
        let mut report = Server {
            name: server.name().to_owned(),
            changes: Vec::new(),
            plan: None,
            pushed: false,
            refused: Vec::new(),
            error: None,
            note: None,
        };
        let (records, refused) = dns::records(desired);
        report.refused = refused;
        // One more try where somebody else's push came in between.
        for _ in 0..2 {
            let state = match server.state().await {
                Ok(state) => state,
                Err(error) => {
                    report.error = Some(chain(&error));
                    return report;
                }
            };
            let (kept, refused) = dns::conflicts(records.clone(), &state.foreign);
            report.refused.retain(|known| !refused.contains(known));
            report.refused.extend(refused);
            let change = match dns::plan(server.name(), &kept, state.content.as_deref(), &state.unserved) {
                Ok(Some(change)) => change,
                Ok(None) => return report,
                Err(error) => {
                    report.error = Some(error.to_string());
                    return report;
                }
            };
            report.changes.clone_from(&change.changes);
            report.plan = Some(plan_hash(&change));
            if push == Push::DryRun {
                return report;
            }
            if let Some(reason) = too_much(&change).filter(|_| push != Push::Force) {
                report.error = Some(reason);
                return report;
            }

            match server.replace(&change).await {
                Ok(replaced) => {
                    report.pushed = true;
                    report.error = None;
                    report.note = replaced.unverified.or(replaced.still_served);
                    return report;
                }
                Err(error @ DnsError::Changed { .. }) => report.error = Some(chain(&error)),
                Err(error) => {
                    report.error = Some(chain(&error));
                    return report;
                }
            }
        }
        report
    }
}

/// Fewer withdrawn records than this are never too many.
const FEW: usize = 40;

/// A token that lost a permission sees an empty NetBox: that must not empty a DNS server.
fn too_much(change: &ReplaceFile) -> Option<String> {
    let withdrawn = change.changes.iter().filter(|line| line.starts_with("- ")).count();
    let kept = change.content.lines().filter(|line| line.trim_start().starts_with("local-data")).count();
    (withdrawn >= FEW && withdrawn > kept).then(|| {
        format!(
            "refused: {withdrawn} records would be withdrawn and {kept} kept, which looks like a mistake (hint: look at them with `surveyor apply --dry-run`; if they are to go, `surveyor apply --withdraw-many`)"
        )
    })
}

fn plan_hash(change: &ReplaceFile) -> String {
    change.to_hash.chars().take(16).collect()
}
