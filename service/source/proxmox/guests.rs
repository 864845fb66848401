//! Guests of a cluster: their configurations, then the addresses inside them. Talks; knows no meaning of an answer.
//!
//! Every guest is in the sink before its details are read, and details are filled in where it stands: what is known when
//! the time runs out stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::api::ApiError;
use super::parse::{self, GuestRow};
use super::{Proxmox, segment};
use crate::model::observation::{GuestFact, GuestKind};
use crate::model::{Collection, Fact, FactKind};

/// Calls into guests at the same time on one node: each holds a worker of pvedaemon there until the agent answers.
const INSIDE_CALLS_PER_NODE: usize = 4;

/// A guest agent answers in milliseconds or hangs; Proxmox VE itself waits 3 to 10 s.
const INSIDE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long addresses inside guests are asked for as a whole: dozens of hanging agents must not use up the run.
const INSIDE_BUDGET: Duration = Duration::from_secs(30);

/// Guests that a message names; of the rest only the number.
const NAMED_GUESTS: usize = 8;

/// A guest in the sink whose addresses can be asked for.
struct Running {
    row: GuestRow,
    at: usize,
}

impl Proxmox {
    /// Pushes every guest. A guest whose details cannot be read stays without network cards, and is in a gap.
    pub(super) async fn read_guests(&self, sink: &mut Collection, cluster: &str, rows: Vec<GuestRow>) {
        let first = sink.facts.len();
        sink.facts.extend(rows.iter().map(|row| Fact::Guest(parse::guest_fact(cluster, row, None))));
        let offline: Vec<u32> = rows.iter().filter(|row| row.running.is_none()).map(|row| row.id).collect();
        if !offline.is_empty() {
            sink.gap(
                FactKind::Guests,
                format!("{} could not be read: their node is offline", listed(&offline)),
            );
        }

        let mut asked: Vec<(usize, GuestRow)> =
            rows.into_iter().enumerate().filter(|(_, row)| row.running.is_some()).collect();
        let mut running = Vec::new();
        let failed = self.read_configs(sink, cluster, first, &asked, &mut running).await;
        let mut gone = BTreeSet::new();
        let mut failed: BTreeMap<usize, ApiError> = failed;
        if failed.values().any(|error| !matches!(error, ApiError::Forbidden(_))) {
            // Between the list and the question a guest may have moved to another node or gone: ask once more.
            if let Ok(now) = self.api.get("cluster/resources?type=vm").await {
                let now: BTreeMap<u32, GuestRow> =
                    parse::guest_rows(&now).into_iter().map(|row| (row.id, row)).collect();
                asked.retain(|(index, _)| failed.contains_key(index));
                gone = asked.iter().filter(|(_, row)| !now.contains_key(&row.id)).map(|(i, _)| *i).collect();
                let moved: Vec<(usize, GuestRow)> = asked
                    .iter()
                    .filter_map(|(index, row)| Some((*index, now.get(&row.id)?.clone())))
                    .collect();
                failed = self.read_configs(sink, cluster, first, &moved, &mut running).await;
            }
        }
        note_failures(sink, FactKind::Guests, first, &failed);
        self.read_inside(sink, running).await;
        let mut index = 0;
        sink.facts.retain(|_| {
            index += 1;
            index <= first || !gone.contains(&(index - 1 - first))
        });
    }

    /// Reads configurations into the facts in the sink; returns which could not be read.
    async fn read_configs(
        &self,
        sink: &mut Collection,
        cluster: &str,
        first: usize,
        rows: &[(usize, GuestRow)],
        running: &mut Vec<Running>,
    ) -> BTreeMap<usize, ApiError> {
        let reading: Vec<BoxFuture<'_, _>> = rows
            .iter()
            .map(|(index, row)| {
                async move { (*index, row, self.api.get(&format!("{}/config?current=1", path(row))).await) }
                    .boxed()
            })
            .collect();
        let mut answers = stream::iter(reading).buffer_unordered(self.concurrency);
        let mut failed = BTreeMap::new();
        while let Some((index, row, answer)) = answers.next().await {
            let config = match answer {
                Ok(config) => config,
                Err(error) => {
                    failed.insert(index, error);
                    continue;
                }
            };
            let at = first + index;
            if let Some(fact) = sink.facts.get_mut(at) {
                *fact = Fact::Guest(parse::guest_fact(cluster, row, Some(&config)));
            }
            let has_agent = row.kind == GuestKind::Lxc || parse::agent_enabled(&config);
            if row.running == Some(true) && has_agent {
                running.push(Running { row: row.clone(), at });
            }
        }
        failed
    }

    /// Asks inside running guests for their addresses.
    async fn read_inside(&self, sink: &mut Collection, running: Vec<Running>) {
        let per_node: BTreeMap<&str, Semaphore> = running
            .iter()
            .map(|guest| (guest.row.node.as_str(), Semaphore::new(INSIDE_CALLS_PER_NODE)))
            .collect();
        let asking: Vec<BoxFuture<'_, _>> = running
            .iter()
            .map(|guest| self.ask_inside(&guest.row, &per_node).map(move |answer| (guest, answer)).boxed())
            .collect();
        // All of them wait at the same time, each for its own node: one node's hanging agents hold up no other's.
        let mut answers = stream::iter(asking).buffer_unordered(running.len().max(1));
        let mut waiting: BTreeSet<u32> = running.iter().map(|guest| guest.row.id).collect();
        let mut failed: BTreeMap<usize, ApiError> = BTreeMap::new();
        let asked = tokio::time::timeout(INSIDE_BUDGET, async {
            while let Some((guest, answer)) = answers.next().await {
                waiting.remove(&guest.row.id);
                match answer {
                    Ok(seen) => {
                        if let Some(Fact::Guest(fact)) = sink.facts.get_mut(guest.at) {
                            parse::join(fact, &seen);
                        }
                    }
                    Err(error) if is_normal(&error) => {}
                    Err(error) => {
                        failed.insert(guest.at, error);
                    }
                }
            }
        })
        .await;
        if asked.is_err() {
            let guests: Vec<u32> = waiting.into_iter().collect();
            let limit = crate::source::run::seconds(INSIDE_BUDGET);
            sink.gap(FactKind::GuestAddresses, format!("{} did not answer within {limit}", listed(&guests)));
        }
        note_failures(sink, FactKind::GuestAddresses, 0, &failed);
    }

    async fn ask_inside(
        &self,
        row: &GuestRow,
        per_node: &BTreeMap<&str, Semaphore>,
    ) -> Result<Vec<parse::Inside>, ApiError> {
        let question = match row.kind {
            GuestKind::Qemu => "agent/network-get-interfaces",
            GuestKind::Lxc => "interfaces",
        };
        let _slot = match per_node.get(row.node.as_str()) {
            Some(slots) => slots.acquire().await.ok(),
            None => None,
        };
        let data: Value = self.api.get_within(&format!("{}/{question}", path(row)), INSIDE_TIMEOUT).await?;
        parse::inside(&data)
            .ok_or_else(|| ApiError::Malformed("the guest agent answered something else".to_owned()))
    }
}

fn path(row: &GuestRow) -> String {
    let kind = match row.kind {
        GuestKind::Qemu => "qemu",
        GuestKind::Lxc => "lxc",
    };
    format!("nodes/{}/{kind}/{}", segment(&row.node), row.id)
}

/// No agent inside, or the guest was stopped meanwhile: then there is nothing to ask, which is an answer.
fn is_normal(error: &ApiError) -> bool {
    matches!(error, ApiError::Rejected { status: 500, reason }
        if reason.contains("not running") || reason.contains("No QEMU guest agent configured"))
}

/// One gap per reason, not per guest.
fn note_failures(sink: &mut Collection, kind: FactKind, first: usize, failed: &BTreeMap<usize, ApiError>) {
    let mut by_reason: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (index, error) in failed {
        if let Some(Fact::Guest(GuestFact { id, .. })) = sink.facts.get(first + index) {
            by_reason.entry(reason(error, *id, kind)).or_default().push(*id);
        }
    }
    for (reason, guests) in by_reason {
        sink.gap(kind, format!("{}: {reason}", listed(&guests)));
    }
}

/// Texts that differ only in the guest's number are one reason.
fn reason(error: &ApiError, id: u32, kind: FactKind) -> String {
    match error {
        ApiError::Forbidden(_) if kind == FactKind::GuestAddresses => {
            "the API token may not ask the guest agent; hint: it needs VM.GuestAgent.Audit (VM.Monitor before \
             Proxmox VE 9)"
                .to_owned()
        }
        ApiError::Forbidden(_) => {
            "the API token may not read the configuration; hint: it needs VM.Audit on /vms".to_owned()
        }
        ApiError::Rejected { status, reason } => {
            let reason = reason.replace(&id.to_string(), "N");
            ApiError::Rejected { status: *status, reason }.to_string()
        }
        other => other.to_string(),
    }
}

/// `guests 101, 102 and 17 more`.
fn listed(guests: &[u32]) -> String {
    let mut sorted = guests.to_vec();
    sorted.sort_unstable();
    let named: Vec<String> = sorted.iter().take(NAMED_GUESTS).map(u32::to_string).collect();
    let word = if sorted.len() == 1 { "guest" } else { "guests" };
    match sorted.len().checked_sub(NAMED_GUESTS) {
        Some(more) if more > 0 => format!("{word} {} and {more} more", named.join(", ")),
        _ => format!("{word} {}", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_some_guests() {
        assert_eq!(listed(&[7]), "guest 7");
        assert_eq!(listed(&[9, 7]), "guests 7, 9");
        assert_eq!(listed(&(1..=10).collect::<Vec<_>>()), "guests 1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
    }

    #[test]
    fn a_missing_agent_is_an_answer() {
        let said = |reason: &str| ApiError::Rejected { status: 500, reason: reason.to_owned() };
        assert!(is_normal(&said("QEMU guest agent is not running")));
        assert!(is_normal(&said("VM 101 is not running")));
        assert!(is_normal(&said("No QEMU guest agent configured")));
        assert!(!is_normal(&said("VM 101 qmp command 'guest-network-get-interfaces' failed - got timeout")));
        assert!(!is_normal(&ApiError::TimedOut("5 s".to_owned())));
    }
}
