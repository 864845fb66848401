//! Links between known network devices: planned cables, on free ports only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::create::interface_key;
use super::{Context, Devices, Staging};
use crate::model::candidate::SHARED_SEGMENT;

use crate::model::{Candidate, Class, Discovery, Link, LinkEnd, ObjectKind, ObjectRef};
use crate::plan::view::{TAG, takes_cable};
use crate::plan::{Cause, Credential, Fields, Key, Phase, Plan, Step, Target};

/// What to do with links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkPolicy {
    /// Propose a cable with status planned.
    #[default]
    Planned,
    /// Only say so.
    Journal,
    /// Nothing.
    Off,
}

/// One end of a link in NetBox.
struct End {
    target: Target,
    label: String,
}

/// Identity of a link: both ends, smaller first.
pub(crate) fn identity(link: &Link) -> String {
    format!("link:{}|{}|{}|{}", link.a.switch, link.a.port, link.b.switch, link.b.port)
}

pub(super) fn stage(discovery: &Discovery, devices: &Devices, context: &Context<'_>, staging: &mut Staging) {
    if context.policy.links == LinkPolicy::Off {
        return;
    }
    let today = context.now.day();
    for link in &discovery.links {
        let identity = identity(link);
        let label = format!("{} {} - {} {}", link.a.switch, link.a.port, link.b.switch, link.b.port);
        let ends = end(&link.a, discovery, devices, context)
            .and_then(|a| Ok((a, end(&link.b, discovery, devices, context)?)));
        let (a, b) = match ends {
            Ok(ends) => ends,
            Err(reason) => {
                staging.held_back.push((identity, label, reason));
                continue;
            }
        };
        if documented(&a, &b, context) {
            continue;
        }
        if [&link.a, &link.b].iter().any(|end| is_host_port(end, discovery)) {
            continue;
        }
        let remembered = context.view.tombstones.iter().any(|tombstone| {
            tombstone.identity.as_deref() == Some(identity.as_str())
                && tombstone.until.as_deref().is_none_or(|until| until > today.as_str())
        });
        let reason = if remembered {
            Some("a person rejected this cable".to_owned())
        } else if link.evidence.iter().any(|evidence| evidence == SHARED_SEGMENT) {
            Some("something unmanaged lies between the two: no single cable".to_owned())
        } else if link.confidence < context.policy.cable_threshold {
            Some(format!("confidence {} is below `stage.cable_threshold`", link.confidence))
        } else if context.policy.links == LinkPolicy::Journal {
            Some("`stage.links` is `journal`".to_owned())
        } else {
            occupied(&a, context).or_else(|| occupied(&b, context))
        };
        if let Some(reason) = reason {
            staging.held_back.push((identity, label, reason));
            continue;
        }
        staging.plans.push(plan(link, &identity, &a, &b, &label));
    }
}

fn plan(link: &Link, identity: &str, a: &End, b: &End, label: &str) -> Plan {
    let mut plan = Plan::new(identity, label, Cause::Stage);
    let termination =
        |end: &End| json!([{ "object_type": "dcim.interface", "object_id": end.target.value() }]);
    let proposal = format!(
        "**{} - {}**: cable between two network devices, confidence {}  \nShown by {}  \nOn approval (status `connected`): nothing else changes",
        a.label,
        b.label,
        link.confidence,
        link.evidence.join(", "),
    );
    let fields = Fields::from([
        ("a_terminations".to_owned(), termination(a)),
        ("b_terminations".to_owned(), termination(b)),
        ("status".to_owned(), json!("planned")),
        ("label".to_owned(), json!(label.chars().take(100).collect::<String>())),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
        (
            "custom_fields".to_owned(),
            json!({
                "surveyor_id": identity,
                "surveyor_state": "candidate",
                "surveyor_proposal": proposal,
                "surveyor_confidence": link.confidence,
                "surveyor_sources": link.evidence.join(", "),
            }),
        ),
    ]);
    let key = Key::new(ObjectKind::Cable, identity);
    let step = Step::Create { key, kind: ObjectKind::Cable, fields };
    plan.push(Phase::Cable, Credential::Stager, step, format!("planned cable {label}"));
    plan
}

/// The interface a link end is, in NetBox or in this run.
fn end(
    end: &LinkEnd,
    discovery: &Discovery,
    devices: &Devices,
    context: &Context<'_>,
) -> Result<End, String> {
    let label = format!(
        "{} {}",
        crate::model::name::escape_markdown(&end.switch, 80),
        crate::model::name::escape_markdown(&end.port, 80)
    );
    match devices.target(&end.switch) {
        None => Err(format!("`{}` is not in NetBox and not proposed", end.switch)),
        Some(Target::Id(id)) => {
            let device = ObjectRef::new(ObjectKind::Device, *id);
            let interface = context
                .view
                .interface_named(device, &end.port)
                .ok_or_else(|| format!("NetBox has no interface `{}` on {}", end.port, end.switch))?;
            Ok(End { target: Target::Id(interface.object.id), label })
        }
        Some(Target::New(_)) => {
            if !devices.has_planned(&end.switch, &end.port) {
                return Err(format!("{} has no port `{}`", end.switch, end.port));
            }
            let owner: Option<&Candidate> = discovery
                .candidates
                .iter()
                .find(|candidate| candidate.device.as_deref() == Some(&end.switch));
            let identity = owner.map(|candidate| candidate.identity.to_string()).unwrap_or_default();
            Ok(End { target: Target::New(interface_key(ObjectKind::Interface, &identity, &end.port)), label })
        }
    }
}

/// Whether the end is a network card of a hypervisor node that is proposed with its own cable: not a second one.
fn is_host_port(end: &LinkEnd, discovery: &Discovery) -> bool {
    discovery
        .candidates
        .iter()
        .filter(|candidate| {
            candidate.device.as_deref() == Some(&end.switch) && candidate.class != Class::Network
        })
        .flat_map(|candidate| &candidate.interfaces)
        .filter(|interface| interface.name.as_deref() == Some(&end.port))
        .any(|interface| interface.attachment.as_ref().is_some_and(|attachment| attachment.exclusive))
}

/// Whether NetBox has exactly this cable (or our proposal of it) already.
fn documented(a: &End, b: &End, context: &Context<'_>) -> bool {
    let (Target::Id(a), Target::Id(b)) = (&a.target, &b.target) else { return false };
    cable_between(*a, *b, context).is_some()
}

fn cable_between(a: i64, b: i64, context: &Context<'_>) -> Option<i64> {
    let interface = |id: i64| context.view.interface(ObjectRef::new(ObjectKind::Interface, id));
    let cable = interface(a)?.cable?;
    (interface(b)?.cable == Some(cable)).then_some(cable)
}

/// The cable that NetBox has between the two ends of a link.
pub(super) fn documented_between(link: &Link, devices: &Devices, context: &Context<'_>) -> Option<i64> {
    let interface = |end: &LinkEnd| match devices.target(&end.switch)? {
        Target::Id(id) => {
            let device = ObjectRef::new(ObjectKind::Device, *id);
            Some(context.view.interface_named(device, &end.port)?.object.id)
        }
        Target::New(_) => None,
    };
    cable_between(interface(&link.a)?, interface(&link.b)?, context)
}

/// Why the port cannot take the cable.
fn occupied(end: &End, context: &Context<'_>) -> Option<String> {
    let Target::Id(id) = end.target else { return None };
    let interface = context.view.interface(ObjectRef::new(ObjectKind::Interface, id))?;
    if let Some(cable) = interface.cable {
        let far = if interface.connected_to.is_empty() {
            format!("dcim.cable/{cable}")
        } else {
            interface.connected_to.join(", ")
        };
        return Some(format!("{} is already connected to {far}", end.label));
    }
    if interface.mark_connected {
        return Some(format!("{} is marked as connected in NetBox", end.label));
    }
    if !takes_cable(&interface.kind) {
        return Some(format!("{} is of type `{}`, which takes no cable", end.label, interface.kind));
    }
    None
}
