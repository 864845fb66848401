//! Plans of one run that want the same thing: the later one waits and is planned again with the first in place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Fields, Plan, Step};
use crate::model::ObjectKind;

/// What plans may not share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// A port, as NetBox's list of terminations.
    Port(String),
    /// An address, without its mask.
    Address(String),
    /// A DNS name: one object may have it on several addresses.
    DnsName(String),
}

/// Takes out the plans that want a port, address or name of an earlier one; how many.
pub fn put_off(plans: &mut Vec<Plan>) -> usize {
    let before = plans.len();
    let mut taken: BTreeMap<Claim, String> = BTreeMap::new();
    plans.retain(|plan| {
        let wanted: BTreeSet<Claim> = plan.steps.iter().flat_map(|step| claims(&step.step)).collect();
        let is_free = wanted.iter().all(|claim| taken.get(claim).is_none_or(|owner| *owner == plan.object));
        if is_free {
            taken.extend(wanted.into_iter().map(|claim| (claim, plan.object.clone())));
        }
        is_free
    });
    before - plans.len()
}

fn claims(step: &Step) -> Vec<Claim> {
    let (kind, fields, target) = match step {
        Step::Create { kind, fields, .. } => (kind, fields, None),
        // An address that was there is taken by its key: it has no other.
        Step::Change { kind, target, after, .. } => (kind, after, Some(target)),
        _ => return Vec::new(),
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_lowercase);
    match kind {
        ObjectKind::Cable => {
            ["a_terminations", "b_terminations"].iter().filter_map(|end| port(fields, end)).collect()
        }
        ObjectKind::IpAddress => {
            let address = text("address").and_then(|net| net.split('/').next().map(str::to_owned));
            let known = target.map(|target| format!("#{target}"));
            let name = text("dns_name").filter(|name| !name.is_empty()).map(Claim::DnsName);
            address.or(known).map(Claim::Address).into_iter().chain(name).collect()
        }
        _ => Vec::new(),
    }
}

fn port(fields: &Fields, end: &str) -> Option<Claim> {
    fields.get(end).map(|terminations| Claim::Port(terminations.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Cause, Credential, Key, Phase};
    use serde_json::json;

    fn plan(object: &str, address: &str, name: &str, port: i64) -> Plan {
        let mut plan = Plan::new(object, object, Cause::Materialize);
        let mut push = |kind: ObjectKind, fields: Value| {
            let fields = serde_json::from_value(fields).unwrap();
            let step = Step::Create { key: Key::new(kind, object), kind, fields };
            plan.push(Phase::Cable, Credential::Materializer, step, "");
        };
        push(ObjectKind::IpAddress, json!({ "address": address, "dns_name": name }));
        let end = json!([{ "object_type": "dcim.interface", "object_id": port }]);
        push(ObjectKind::Cable, json!({ "b_terminations": end }));
        plan
    }

    #[test]
    fn the_later_of_two_waits() {
        for (address, name, port) in
            [("192.0.2.1/25", "b", 2), ("192.0.2.2/24", "A", 2), ("192.0.2.2/24", "b", 1)]
        {
            let mut plans = vec![plan("x", "192.0.2.1/24", "a", 1), plan("y", address, name, port)];
            assert_eq!(put_off(&mut plans), 1, "{address} {name} {port}");
            assert_eq!(plans[0].object, "x");
        }
        let mut plans = vec![plan("x", "192.0.2.1/24", "a", 1), plan("y", "192.0.2.2/24", "b", 2)];
        assert_eq!(put_off(&mut plans), 0);
    }

    #[test]
    fn an_address_that_is_adopted_counts_too() {
        let adopts = |object: &str, id: i64, name: &str| {
            let mut plan = Plan::new(object, object, Cause::Materialize);
            let after = serde_json::from_value(json!({ "assigned_object_id": 1, "dns_name": name })).unwrap();
            let target = crate::plan::Target::Id(id);
            let before = Fields::new();
            let step = Step::Change { kind: ObjectKind::IpAddress, target, before, after, guard: true };
            plan.push(Phase::Address, Credential::Materializer, step, "");
            plan
        };
        for (mut plans, count) in [
            (vec![adopts("x", 1, "a"), plan("y", "192.0.2.2/24", "A", 2)], 1),
            (vec![adopts("x", 1, "a"), adopts("y", 1, "b")], 1),
            (vec![adopts("x", 1, ""), adopts("y", 2, "")], 0),
        ] {
            assert_eq!(put_off(&mut plans), count, "{plans:?}");
        }
    }
}
