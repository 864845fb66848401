//! Taking back what was proposed and nobody decided: planned cables whose evidence is gone.

use std::collections::BTreeSet;

use serde_json::json;

use super::links::{documented_between, identity};
use super::{Context, Devices, Staging};
use crate::model::{Discovery, ObjectKind, ObjectRef, SourceName};
use crate::plan::view::{Cable, TAG};
use crate::plan::{Cause, Credential, Fields, Phase, Plan, Step, Target};

/// Plans the removal of planned cables that no link of this run shows any more, where both devices were read in full.
pub(super) fn stage(
    discovery: &Discovery,
    devices: &Devices,
    silent: &BTreeSet<&SourceName>,
    context: &Context<'_>,
    staging: &mut Staging,
) {
    let shown: BTreeSet<String> = discovery.links.iter().map(identity).collect();
    // Devices in NetBox that were read without a gap.
    let read: BTreeSet<i64> = discovery
        .candidates
        .iter()
        .filter(|candidate| {
            candidate.sources.iter().all(|source| !silent.iter().any(|name| name.as_str() == source))
        })
        .filter_map(|candidate| match devices.target(candidate.device.as_ref()?)? {
            Target::Id(id) => Some(*id),
            Target::New(_) => None,
        })
        .collect();
    for cable in &context.view.cables {
        let Some(link) = cable.ours.id.as_ref().filter(|id| id.starts_with("link:")) else { continue };
        let is_open = cable.status == "planned"
            && cable.tags.contains(TAG)
            && cable.ours.decision.as_deref().is_none_or(str::is_empty);
        if !is_open || shown.contains(link) || !is_between(cable, &read, context) {
            continue;
        }
        if discovery.links.iter().any(|link| documented_between(link, devices, context) == Some(cable.id)) {
            continue;
        }
        staging.plans.push(plan(cable, link));
    }
}

/// Whether both ends are on these devices.
fn is_between(cable: &Cable, read: &BTreeSet<i64>, context: &Context<'_>) -> bool {
    let on_read = |ends: &[(String, i64)]| {
        !ends.is_empty()
            && ends.iter().all(|(_, id)| {
                let interface = context.view.interface(ObjectRef::new(ObjectKind::Interface, *id));
                interface.is_some_and(|interface| read.contains(&interface.machine.id))
            })
    };
    on_read(&cable.a) && on_read(&cable.b)
}

fn plan(cable: &Cable, identity: &str) -> Plan {
    let object = ObjectRef::new(ObjectKind::Cable, cable.id);
    let mut plan = Plan::new(identity.to_owned(), cable.label.clone(), Cause::Withdraw);
    plan.netbox = Some(object);
    let guard = Fields::from([
        ("status".to_owned(), json!("planned")),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    let label = format!("planned cable {}: nothing shows it any more", cable.label);
    plan.push(Phase::Uncable, Credential::Stager, Step::Delete { object, guard }, label);
    plan
}
