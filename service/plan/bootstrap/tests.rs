//! Bootstrap against a NetBox in every state: empty, complete, drifted, adopted.

use super::*;
use crate::model::Class;

fn parameters() -> Parameters {
    Parameters {
        staged_status: "staged".into(),
        device_statuses: vec!["active".into(), "offline".into()],
        vm_statuses: vec!["active".into(), "paused".into()],
        clusters: vec!["lab".into()],
        webhook: Some(WebhookParameters {
            url: "http://s/".into(),
            body_template: String::new(),
            verify: true,
        }),
        snapshot_conditions: true,
        scripts: vec![Script { file: "a.py".into(), hash: "ab".repeat(32), content: "x".into() }],
    }
}

/// NetBox after the steps of a plan were done.
fn after(plan: &Plan, mut found: Found) -> Found {
    let mut ids = found.ids();
    for (at, planned) in plan.steps.iter().enumerate() {
        match &planned.step {
            Step::Create { key, kind, fields } if *kind != ObjectKind::Token => {
                let id = 1000 + i64::try_from(at).unwrap();
                ids.insert(key.0.clone(), id);
                let fields = resolve(&serde_json::to_value(fields).unwrap(), &ids);
                assert!(!is_open(&fields), "{} refers to what comes later", key.0);
                if *kind == ObjectKind::Permission {
                    found.permissions.insert(fields["name"].as_str().unwrap().into(), id);
                }
                found.objects.insert(key.clone(), Existing { id, fields });
            }
            Step::Change { target: Target::Id(id), after, .. } => {
                let existing = found.objects.values_mut().find(|existing| existing.id == *id).unwrap();
                for (field, value) in after {
                    existing.fields[field] = value.clone();
                }
            }
            Step::Delete { object, .. } => {
                found.objects.retain(|_, existing| existing.id != object.id);
                found.permissions.retain(|_, id| *id != object.id);
            }
            _ => {}
        }
    }
    found
}

fn complete() -> (Vec<Wanted>, Found) {
    let wanted = wanted(&parameters()).unwrap();
    let first = plan(&wanted, &Found::default(), &[], &parameters().scripts);
    let found = after(&first, Found::default());
    (wanted, found)
}

#[test]
fn an_empty_netbox_gets_everything_and_then_nothing() {
    let (wanted, found) = complete();
    assert_eq!(found.objects.len(), wanted.len());
    let again = plan(&wanted, &found, &[], &parameters().scripts);
    assert!(again.is_empty(), "{:?}", again.steps.iter().map(|step| &step.label).collect::<Vec<_>>());
    assert!(again.refused.is_empty());
}

#[test]
fn all_names_are_filled_in() {
    let wanted = wanted(&parameters()).unwrap();
    let text = serde_json::to_string(&wanted.iter().map(|wish| &wish.fields).collect::<Vec<_>>()).unwrap();
    for name in
        ["$staged", "$device_statuses", "$vm_statuses", "$cluster\"", "$webhook", "$script", "$conditions"]
    {
        assert!(!text.contains(name), "{name} is left");
    }
    let mut keys: Vec<&Key> = wanted.iter().map(|wish| &wish.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), wanted.len());
    // Every field that is held is one that is set.
    for wish in &wanted {
        for field in wish.exact.iter().chain(&wish.contains) {
            assert!(
                wish.fields.contains_key(field) || field == "choice_set" || field == "unique",
                "{field} of {}",
                wish.label()
            );
        }
    }
}

#[test]
fn without_webhook_clusters_and_scripts_there_is_nothing_of_them() {
    let parameters = Parameters { webhook: None, clusters: vec![], scripts: vec![], ..parameters() };
    let kinds: BTreeSet<ObjectKind> = wanted(&parameters).unwrap().iter().map(|wish| wish.kind).collect();
    for kind in [ObjectKind::Webhook, ObjectKind::EventRule, ObjectKind::Cluster, ObjectKind::ClusterType] {
        assert!(!kinds.contains(&kind), "{kind}");
    }
}

#[test]
fn an_edited_constraint_is_set_back() {
    let (wanted, mut found) = complete();
    let key = Key::new(ObjectKind::Permission, "Surveyor stager: machines");
    found.objects.get_mut(&key).unwrap().fields["constraints"] = json!({"tags__slug": "surveyor"});
    let plan = plan(&wanted, &found, &[], &[]);
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].label, "permission `Surveyor stager: machines`: constraints");
    let Step::Change { before, after, .. } = &plan.steps[0].step else { panic!() };
    assert_eq!(before["constraints"], json!({"tags__slug": "surveyor"}));
    assert_eq!(after["constraints"], json!({"status": "staged", "tags__slug": "surveyor"}));
}

#[test]
fn order_does_not_count_and_taste_stays() {
    let (wanted, mut found) = complete();
    for (key, existing) in &mut found.objects {
        if key.0.starts_with("users.objectpermission") {
            existing.fields["object_types"].as_array_mut().unwrap().reverse();
        }
    }
    found.objects.get_mut(&Key::new(ObjectKind::DeviceRole, "discovered")).unwrap().fields["color"] =
        json!("ff0000");
    found.objects.get_mut(&Key::new(ObjectKind::TableConfig, "Surveyor: ignored hosts")).unwrap().fields["columns"] =
        json!(["mac_address"]);
    assert!(plan(&wanted, &found, &[], &[]).is_empty());
}

#[test]
fn missing_choices_and_types_are_added_and_more_are_kept() {
    let (wanted, mut found) = complete();
    let set = Key::new(ObjectKind::CustomFieldChoiceSet, "Surveyor class");
    found.objects.get_mut(&set).unwrap().fields["extra_choices"] =
        json!([["server", "Rechner"], ["printer", "Printer"]]);
    let field = Key::new(ObjectKind::CustomField, "surveyor_port");
    found.objects.get_mut(&field).unwrap().fields["object_types"] = json!(["dcim.device", "dcim.frontport"]);
    let plan = plan(&wanted, &found, &[], &[]);
    assert_eq!(plan.steps.len(), 2);
    let Step::Change { after, .. } = &plan.steps[0].step else { panic!() };
    assert_eq!(after["extra_choices"].as_array().unwrap().len(), 6);
    assert_eq!(after["extra_choices"][0], json!(["server", "Rechner"]));
    let Step::Change { after, .. } = &plan.steps[1].step else { panic!() };
    assert!(after["object_types"].as_array().unwrap().contains(&json!("dcim.frontport")));
}

#[test]
fn a_field_of_another_type_is_refused_with_what_helps() {
    let (wanted, mut found) = complete();
    found.objects.get_mut(&Key::new(ObjectKind::CustomField, "surveyor_port")).unwrap().fields["type"] =
        json!("integer");
    let plan = plan(&wanted, &found, &[], &[]);
    assert!(plan.is_empty());
    assert_eq!(
        plan.refused[0].reason,
        "custom field `surveyor_port` exists with type \"integer\", but \"text\" is needed: rename or remove it"
    );
}

#[test]
fn obsolete_permissions_of_the_services_go_and_others_stay() {
    let (wanted, mut found) = complete();
    found.permissions.insert("Surveyor materializer: everything".into(), 7);
    found.permissions.insert("Surveyor watchers".into(), 8);
    let plan = plan(&wanted, &found, &[], &[]);
    let labels: Vec<&str> = plan.steps.iter().map(|step| step.label.as_str()).collect();
    assert_eq!(labels, ["permission `Surveyor materializer: everything`"]);
}

#[test]
fn tokens_are_planned_without_their_text() {
    let (wanted, found) = complete();
    let wish = TokenWish { username: "surveyor-stager".into(), file: "/run/stager".into() };
    let plan = plan(&wanted, &found, &[wish], &[]);
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].label, "token of `surveyor-stager`, written to /run/stager");
    let Step::Create { fields, .. } = &plan.steps[0].step else { panic!() };
    assert!(!is_open(&fields["user"]));
}

#[test]
fn another_script_is_uploaded_before_the_permission_says_so() {
    let (_, found) = complete();
    let mut parameters = parameters();
    parameters.scripts[0].hash = "cd".repeat(32);
    let wanted = wanted(&parameters).unwrap();
    let plan = plan(&wanted, &found, &[], &parameters.scripts);
    let verbs: Vec<&str> = plan.steps.iter().map(|step| step.step.verb()).collect();
    assert_eq!(verbs, ["replace_file", "change"]);
}

#[test]
fn removal_goes_backwards_and_leaves_what_a_person_made() {
    let (wanted, mut found) = complete();
    found.objects.get_mut(&Key::new(ObjectKind::DeviceRole, "discovered")).unwrap().fields["description"] =
        json!("ours");
    let plan = removal(&wanted, &found);
    assert_eq!(plan.steps.len(), wanted.len() - 1);
    let kinds: Vec<ObjectKind> = plan.steps.iter().filter_map(|step| step.step.kind()).collect();
    let first = |kind| kinds.iter().position(|other| *other == kind).unwrap();
    assert!(first(ObjectKind::EventRule) < first(ObjectKind::Webhook));
    assert!(first(ObjectKind::CustomField) < first(ObjectKind::CustomFieldChoiceSet));
    assert!(!kinds.contains(&ObjectKind::DeviceRole));
    assert!(after(&plan, found).objects.len() == 1);
}

#[test]
fn what_may_not_be_read_is_not_planned() {
    let (wanted, mut found) = complete();
    found.objects.retain(|key, _| !key.0.starts_with("extras.webhook"));
    found.unreadable.insert(ObjectKind::Webhook);
    let plan = plan(&wanted, &found, &[], &[]);
    let labels: Vec<&str> = plan.steps.iter().map(|step| step.label.as_str()).collect();
    // The rules point at a webhook that this token cannot see.
    assert!(labels.is_empty(), "{labels:?}");
}

#[test]
fn references_resolve_in_texts() {
    let ids = BTreeMap::from([("a:b: c".to_owned(), 5)]);
    assert_eq!(resolve(&json!("x=$ref(a:b: c)&y=$ref(d)"), &ids), json!("x=5&y=$ref(d)"));
    assert_eq!(resolve(&json!("$ref(open"), &ids), json!("$ref(open"));
}

#[test]
fn every_field_that_planners_write_exists_where_they_write_it() {
    let wanted = wanted(&parameters()).unwrap();
    let has = |name: &str, content_type: &str| {
        let key = Key::new(ObjectKind::CustomField, format!("surveyor_{name}"));
        let field = wanted.iter().find(|wish| wish.key == key);
        field.is_some_and(|field| {
            field.fields["object_types"].as_array().unwrap().contains(&json!(content_type))
        })
    };
    let ours = serde_json::to_value(crate::plan::view::Ours::default()).unwrap();
    for name in ours.as_object().unwrap().keys() {
        assert!(has(name, "dcim.device") && has(name, "virtualization.virtualmachine"), "{name}");
    }
    for name in ["switch", "port", "addresses", "dns_name"] {
        assert!(has(name, "dcim.interface") && has(name, "virtualization.vminterface"), "{name}");
    }
    for name in ["id", "state", "decision", "proposal", "confidence", "sources", "ledger"] {
        assert!(has(name, "dcim.cable"), "{name}");
    }
    for name in ["identity", "decision", "snooze_until", "sources", "reason"] {
        assert!(has(name, "dcim.macaddress"), "{name}");
    }
    assert!(has("key", "extras.journalentry"));
}

#[test]
fn every_class_is_a_choice() {
    let wanted = wanted(&parameters()).unwrap();
    let set = wanted.iter().find(|wish| wish.name() == "Surveyor class").unwrap();
    let choices: Vec<&str> = set.fields["extra_choices"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|choice| choice[0].as_str())
        .collect();
    for class in [Class::Server, Class::Workstation, Class::Iot, Class::Network, Class::Unknown] {
        assert!(choices.contains(&class.as_str()));
    }
}
