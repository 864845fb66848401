//! The cable of a network card: both ends free, or a refusal that names the other end. A refused cable never stops the rest.

use serde_json::json;

use super::{CLAIM_TTL_MS, Context, Nic, title_identity};
use crate::model::name::escape_markdown;
use crate::model::{ObjectKind, ObjectRef, Timestamp};
use crate::plan::ledger::{Ledger, Made};
use crate::plan::view::{Interface, Machine, TAG, takes_cable};
use crate::plan::{Credential, Fields, Key, Phase, Plan, RefusalKind, Step};

/// Plans the cable; true if it is there, planned, or not wanted: the proposal's port is done with.
pub(super) fn plan(
    machine: &Machine,
    nic: &Nic<'_>,
    seen: Option<Timestamp>,
    ledger: &mut Ledger,
    plan: &mut Plan,
    context: &Context<'_>,
) -> bool {
    let Some(port) = &nic.port else { return true };
    match far_end(nic, port, context).and_then(|far| check(machine, nic, far, seen, context)) {
        Ok(Wish::Present(cable)) => {
            let is_recorded =
                ledger.made.iter().any(|made| made.kind == ObjectKind::Cable && made.id == json!(cable));
            let is_ours = context.view.cable(cable).is_some_and(|cable| {
                cable.tags.contains(TAG) && cable.ours.id.is_none() && cable.status == "connected"
            });
            if is_ours && !is_recorded {
                ledger.made.push(Made { kind: ObjectKind::Cable, id: json!(cable) });
            }
            true
        }
        Ok(Wish::Connect(far)) if is_planned(far, plan) => {
            let place = format!("{} is proposed for another interface too", escape_markdown(&far.name, 64));
            plan.refuse(RefusalKind::Cable, format!("no cable: {place}"));
            false
        }
        Ok(Wish::Connect(far)) => {
            let key = Key::new(ObjectKind::Cable, format!("{}/{}", title_identity(machine), nic.name));
            let end = |id: serde_json::Value| json!([{ "object_type": "dcim.interface", "object_id": id }]);
            let fields = Fields::from([
                ("a_terminations".to_owned(), end(nic.target.value())),
                ("b_terminations".to_owned(), end(json!(far.object.id))),
                ("status".to_owned(), json!("connected")),
                ("tags".to_owned(), json!([{ "slug": TAG }])),
            ]);
            let step = Step::Create { key: key.clone(), kind: ObjectKind::Cable, fields };
            let fact = super::cable_fact(&nic.name, far, context.view);
            plan.facts.insert(fact.clone());
            plan.push(Phase::Cable, Credential::Materializer, step, fact);

            ledger.made.push(Made { kind: ObjectKind::Cable, id: key.reference() });
            true
        }
        Err(reason) => {
            plan.refuse(RefusalKind::Cable, reason);
            false
        }
    }
}

/// Whether another network card of the machine gets a cable to this port.
fn is_planned(far: &Interface, plan: &Plan) -> bool {
    plan.steps.iter().any(|planned| match &planned.step {
        Step::Create { kind: ObjectKind::Cable, fields, .. } => {
            fields.get("b_terminations").and_then(|end| end.get(0)?.get("object_id")?.as_i64())
                == Some(far.object.id)
        }
        _ => false,
    })
}

enum Wish<'a> {
    Present(i64),
    Connect(&'a Interface),
}

/// The switch port the proposal names, as NetBox documents it.
fn far_end<'a>(nic: &Nic<'_>, port: &str, context: &Context<'a>) -> Result<&'a Interface, String> {
    let view = context.view;
    let shown = escape_markdown(port, 64);
    let Some(switch) = nic.switch else {
        return Err(format!("no cable: the port `{shown}` is proposed without a switch"));
    };
    let device = view
        .machine(ObjectRef::new(ObjectKind::Device, switch))
        .ok_or_else(|| format!("no cable: the switch dcim.device/{switch} is gone"))?;
    let name = escape_markdown(&device.title(), 64);
    if device.status == view.defaults.staged {
        return Err(format!(
            "no cable yet: the switch {name} is not approved itself; approve it and the cable follows"
        ));
    }
    let interface = view.interface_named(device.object, port).ok_or_else(|| {
        format!("no cable: {name} has no interface `{shown}` in NetBox; add it there or correct the port")
    })?;
    if !takes_cable(&interface.kind) {
        return Err(format!("no cable: {name} {shown} is of type `{}`, which takes none", interface.kind));
    }
    Ok(interface)
}

fn check<'a>(
    machine: &Machine,
    nic: &Nic<'_>,
    far: &'a Interface,
    seen: Option<Timestamp>,
    context: &Context<'_>,
) -> Result<Wish<'a>, String> {
    let view = context.view;
    let switch = view.machine(far.machine).map(Machine::title).unwrap_or_default();
    let place = format!("{} {}", escape_markdown(&switch, 64), escape_markdown(&far.name, 64));
    if machine.object.kind != ObjectKind::Device {
        return Err("no cable: a virtual machine has no plug".to_owned());
    }
    if let (Some(near), Some(cable)) = (nic.interface.and_then(|near| near.cable), far.cable)
        && near == cable
    {
        return Ok(Wish::Present(cable));
    }
    if let Some(near) = nic.interface {
        if near.cable.is_some() {
            let far = near.connected_to.join(", ");
            let far = if far.is_empty() { "something".to_owned() } else { escape_markdown(&far, 120) };
            return Err(format!("no cable to {place}: {} is already connected to {far}", nic.name));
        }
        if !takes_cable(&near.kind) {
            return Err(format!("no cable: {} is of type `{}`, which takes none", nic.name, near.kind));
        }
        if near.mark_connected {
            return Err(format!("no cable: {} is marked as connected", nic.name));
        }
    }
    if let Some(cable) = far.cable {
        let other = far.connected_to.join(", ");
        let other = if other.is_empty() {
            format!("dcim.cable/{cable}, whose other end is empty")
        } else {
            escape_markdown(&other, 120)
        };
        return Err(format!("no cable: {place} is already connected to {other}"));
    }
    if far.mark_connected {
        return Err(format!("no cable: {place} is marked as connected"));
    }
    if let Some(seen) = seen.filter(|seen| context.now.millis() - seen.millis() > CLAIM_TTL_MS) {
        return Err(format!("no cable: it was last seen on {place} on {}, too long ago", seen.day()));
    }
    Ok(Wish::Connect(far))
}
