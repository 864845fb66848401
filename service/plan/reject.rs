//! Rejecting, ignoring, forgetting: the staged object goes, a tombstone remembers it by every MAC address.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ledger::Ledger;
use super::materialize::title_identity;
use super::view::{Cable, Machine, TAG, TAG_IGNORED};
use super::{Cause, Credential, Fields, Key, Phase, Plan, Step, View};
use crate::model::{MacAddr, ObjectKind, ObjectRef, Timestamp};

/// Days a deleted candidate is not proposed again, unless configured otherwise.
pub const DEFAULT_SNOOZE_DAYS: i64 = 7;
/// The address of a tombstone for something without one (a cable): NetBox wants a MAC address there.
const NO_MAC: MacAddr = MacAddr::new([0; 6]);

/// What is remembered about a reject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Who it was.
    pub identity: String,
    /// `reject` or `ignore`.
    pub decision: String,
    /// Until when, a day; for ever if none.
    pub until: Option<String>,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// All addresses it is known by.
    pub macs: BTreeSet<MacAddr>,
}

/// Plans the removal of a staged device or guest that a person rejected or ignored.
pub fn reject(machine: &Machine, by: &str, view: &View, now: Timestamp) -> Plan {
    let identity = title_identity(machine);
    let mut plan = Plan::new(identity.clone(), machine.title(), Cause::Reject);
    plan.netbox = Some(machine.object);
    let Some(ours) = &machine.ours else { return plan };
    let mut macs: BTreeSet<MacAddr> = view.macs_of(machine.object).iter().copied().collect();
    let ledger = Ledger::read(ours.ledger.as_ref());
    let names = ledger.aliases.iter().chain(std::iter::once(&identity));
    macs.extend(names.filter_map(|name| name.strip_prefix("mac:")?.parse::<MacAddr>().ok()));
    let memory = Memory {
        identity,
        decision: ours.decision.clone().unwrap_or_else(|| "reject".to_owned()),
        until: ours.snooze_until.clone(),
        by: by.to_owned(),
        at: now,
        macs,
    };
    remember(&memory, view, &mut plan);
    let guard = Fields::from([
        ("status".to_owned(), json!(view.defaults.staged)),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    let step = Step::Delete { object: machine.object, guard };
    plan.push(
        Phase::Remove,
        Credential::Stager,
        step,
        format!("staged {} `{}`", machine.object.kind, machine.title()),
    );
    plan
}

/// Plans the removal of a planned cable that a person rejected.
pub fn reject_cable(cable: &Cable, by: &str, view: &View, now: Timestamp) -> Plan {
    let object = ObjectRef::new(ObjectKind::Cable, cable.id);
    let identity = cable.ours.id.clone().unwrap_or_else(|| object.to_string());
    let mut plan = Plan::new(identity.clone(), cable.label.clone(), Cause::Reject);
    plan.netbox = Some(object);
    let memory = Memory {
        identity,
        decision: match cable.ours.decision.as_deref() {
            Some("undo") => "ignore".to_owned(),
            Some(decision) => decision.to_owned(),
            None => "reject".to_owned(),
        },
        until: cable.ours.snooze_until.clone(),
        by: by.to_owned(),
        at: now,
        macs: BTreeSet::new(),
    };
    remember(&memory, view, &mut plan);
    let guard = Fields::from([
        ("status".to_owned(), json!("planned")),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    let step = Step::Delete { object, guard };
    plan.push(Phase::Uncable, Credential::Stager, step, format!("planned cable {}", cable.label));
    plan
}

/// Plans the removal of a link that a person had approved and wants undone: the cable goes, and is not proposed again.
pub fn undo_cable(cable: &Cable, by: &str, view: &View, now: Timestamp) -> Plan {
    let mut plan = reject_cable(cable, by, view, now);
    plan.cause = Cause::Rollback;
    for planned in &mut plan.steps {
        if let Step::Delete { guard, .. } = &mut planned.step {
            *guard = Fields::from([
                ("status".to_owned(), json!(cable.status)),
                ("tags".to_owned(), json!([{ "slug": TAG }])),
            ]);
            planned.credential = Credential::Materializer;
            planned.label = format!("cable {}", cable.label);
        }
    }
    plan
}

/// Plans the memory of something that is gone already: a person deleted the candidate.
pub fn snooze(memory: &Memory, title: &str, view: &View) -> Plan {
    let mut plan = Plan::new(memory.identity.clone(), title, Cause::Reject);
    remember(memory, view, &mut plan);
    plan
}

fn remember(memory: &Memory, view: &View, plan: &mut Plan) {
    let mut macs = memory.macs.clone();
    if macs.is_empty() {
        macs.insert(NO_MAC);
    }
    for mac in macs {
        let is_known = view.tombstones.iter().any(|tombstone| {
            tombstone.mac == mac
                && (mac != NO_MAC || tombstone.identity.as_deref() == Some(&memory.identity))
                && tombstone.until == memory.until
        });
        if is_known {
            continue;
        }
        let verb = if memory.decision == "reject" { "rejected" } else { "ignored" };
        let description = format!("{verb} by {} at {}: {}", memory.by, memory.at, memory.identity);
        let fields = Fields::from([
            ("mac_address".to_owned(), json!(mac)),
            ("tags".to_owned(), json!([{ "slug": TAG_IGNORED }])),
            ("description".to_owned(), json!(description.chars().take(200).collect::<String>())),
            (
                "custom_fields".to_owned(),
                json!({
                    "surveyor_identity": memory.identity,
                    "surveyor_reason": format!("{verb} by {}", memory.by),
                    "surveyor_decision": memory.decision,
                    "surveyor_snooze_until": memory.until.as_ref().map_or(Value::Null, |until| json!(until)),
                }),
            ),
        ]);
        let key = Key::new(ObjectKind::MacAddress, format!("ignored/{}/{mac}", memory.identity));
        let step = Step::Create { key, kind: ObjectKind::MacAddress, fields };
        let until = memory.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        plan.push(Phase::Tombstone, Credential::Stager, step, format!("memory: {mac} is {verb}{until}"));
    }
}

/// Cables of ours with an empty side: NetBox leaves them behind when a device is deleted, and the other port stays occupied.
pub fn half_cables(view: &View) -> Vec<Plan> {
    view.cables
        .iter()
        .filter(|cable| cable.tags.contains(TAG) && (cable.a.is_empty() || cable.b.is_empty()))
        .map(|cable| {
            let object = ObjectRef::new(ObjectKind::Cable, cable.id);
            let mut plan = Plan::new(object.to_string(), cable.label.clone(), Cause::Tidy);
            plan.netbox = Some(object);
            let credential =
                if cable.status == "planned" { Credential::Stager } else { Credential::Materializer };
            let guard = Fields::from([("tags".to_owned(), json!([{ "slug": TAG }]))]);
            plan.push(
                Phase::Uncable,
                credential,
                Step::Delete { object, guard },
                format!("half cable #{}: the device at its other end was deleted", cable.id),
            );
            plan
        })
        .collect()
}
