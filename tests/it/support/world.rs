//! A NetBox in memory, as far as planners see it: steps are applied to it under NetBox's rules. Used for properties and scenarios
//! only; nothing here speaks HTTP, and nothing of the program's edges is tested with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use surveyor::model::{Class, ObjectKind, ObjectRef, Timestamp};
use surveyor::plan::step::REFERENCE;
use surveyor::plan::view::{Cluster, Defaults};
use surveyor::plan::{Credential, Fields, Key, Plan, Step, Target, View};

/// When every world begins.
pub(crate) const START: &str = "2026-11-20T10:52:00Z";

/// An entry of the journal: about what, how serious, the text.
pub(crate) type Entry = (ObjectRef, &'static str, String);

/// NetBox, and what the store remembers of writes that were planned and not done.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) view: View,
    /// By `surveyor_key`, which is unique.
    pub(crate) journal: BTreeMap<String, Entry>,
    pub(crate) now: Timestamp,
    pub(crate) next: BTreeMap<ObjectKind, i64>,
    open: BTreeMap<String, BTreeSet<String>>,
}

/// How one plan fared: why it stopped, if it did.
pub(crate) type Outcome = Option<String>;

impl World {
    /// A NetBox fresh from `bootstrap`: a site, roles, types, a cluster, and nothing else.
    pub(crate) fn new() -> Self {
        let classes = [Class::Server, Class::Workstation, Class::Iot, Class::Network, Class::Unknown];
        let defaults = Defaults {
            site: 1,
            site_name: "hq".to_owned(),
            roles: classes.iter().map(|class| (*class, 1)).collect(),
            device_types: classes.iter().map(|class| (*class, 1)).collect(),
            clusters: BTreeMap::from([("lab".to_owned(), Cluster { id: 1, site: None })]),
            staged: "staged".to_owned(),
            zone: Some("lan.example.org".to_owned()),
        };
        let mut view = View::default();
        view.defaults = defaults;
        Self {
            view,
            journal: BTreeMap::new(),
            now: Timestamp::parse(START).unwrap(),
            next: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// What planners read now.
    pub(crate) fn view(&self) -> View {
        let mut view = self.view.clone();
        super::fields::derive(&mut view);
        view.indexed()
    }

    /// Names of steps that were planned and not done.
    pub(crate) fn open_steps(&self) -> BTreeSet<String> {
        self.open.values().flatten().cloned().collect()
    }

    /// Makes an object as a person would.
    pub(crate) fn document(&mut self, kind: ObjectKind, fields: Value) -> i64 {
        let fields: Fields = serde_json::from_value(fields).unwrap();
        self.create(kind, &fields).unwrap_or_else(|error| panic!("{kind} {fields:?}: {error}"))
    }

    /// Does everything that these plans say.
    pub(crate) fn apply(&mut self, plans: &[Plan]) -> Vec<Outcome> {
        self.apply_some(plans, usize::MAX)
    }

    /// Does at most this many steps, in the order in which they are executed; then the process is killed.
    pub(crate) fn apply_some(&mut self, plans: &[Plan], limit: usize) -> Vec<Outcome> {
        for plan in plans {
            let open = self.open.entry(plan.object.clone()).or_default();
            open.retain(|step| step.starts_with("note "));
            open.extend(plan.steps.iter().map(|planned| planned.step.name()));
        }
        let mut outcomes: Vec<Outcome> = vec![None; plans.len()];
        let mut made = HashMap::new();
        let mut killed = false;
        for (count, (plan, step)) in in_order(plans).into_iter().enumerate() {
            if count >= limit {
                killed = true;
                break;
            }
            if outcomes[plan].is_some() {
                continue;
            }
            let planned = &plans[plan].steps[step];
            match self.step(&planned.step, planned.credential, &mut made) {
                Ok(()) => {
                    let open = self.open.entry(plans[plan].object.clone()).or_default();
                    open.remove(&planned.step.name());
                }
                Err(reason) => outcomes[plan] = Some(format!("{}: {reason}", planned.label)),
            }
        }
        if !killed {
            for plan in plans {
                self.open.remove(&plan.object);
            }
        }
        outcomes
    }

    fn step(
        &mut self,
        step: &Step,
        credential: Credential,
        made: &mut HashMap<Key, i64>,
    ) -> Result<(), String> {
        match step {
            Step::Create { key, kind, fields } => {
                let fields = resolved(fields, made)?;
                self.may_create(credential, *kind, &fields)?;
                let id = self.create(*kind, &fields)?;
                assert!(made.insert(key.clone(), id).is_none(), "two objects are called `{}`", key.0);
                Ok(())
            }
            Step::Change { kind, target, before, after, guard } => {
                let object = ObjectRef::new(*kind, id_of(target, made)?);
                let (before, after) = (resolved(before, made)?, resolved(after, made)?);
                self.may_change(credential, object)?;
                if *guard {
                    self.holds(object, &before)?;
                }
                self.change(object, &after)
            }
            Step::Delete { object, guard } => {
                if !self.exists(*object) {
                    return Ok(());
                }
                self.holds(*object, guard)?;
                self.may_delete(credential, *object)?;
                self.delete(*object);
                Ok(())
            }
            Step::Note { kind, target, key, level, text } => {
                let object = ObjectRef::new(*kind, id_of(target, made)?);
                if !self.exists(object) {
                    return Err(format!("{object} does not exist"));
                }
                // A second entry with the key is refused, which means that it is there.
                self.journal.entry(key.clone()).or_insert((object, level.as_str(), text.clone()));
                Ok(())
            }
            Step::ReplaceFile { .. } => Ok(()),
        }
    }
}

/// Plan and step of every step, in the order of execution: by phase; within one, what is made, then bulk changes, then the journal,
/// then single writes, and the kinds in their order.
pub(crate) fn in_order(plans: &[Plan]) -> Vec<(usize, usize)> {
    let mut order = Vec::new();
    for (plan, steps) in plans.iter().enumerate() {
        for (step, planned) in steps.steps.iter().enumerate() {
            let (group, kind) = match &planned.step {
                Step::Create { kind, .. } => (0, Some(*kind)),
                Step::Change { kind, guard: false, .. } => (1, Some(*kind)),
                Step::Note { .. } => (2, None),
                Step::Change { .. } | Step::Delete { .. } => (3, None),
                Step::ReplaceFile { .. } => (4, None),
            };
            order.push((planned.phase, group, planned.credential, kind, plan, step));
        }
    }
    order.sort();
    order.into_iter().map(|(.., plan, step)| (plan, step)).collect()
}

fn id_of(target: &Target, made: &HashMap<Key, i64>) -> Result<i64, String> {
    match target {
        Target::Id(id) => Ok(*id),
        Target::New(key) => made.get(key).copied().ok_or_else(|| format!("`{}` was not made", key.0)),
    }
}

fn resolved(fields: &Fields, made: &HashMap<Key, i64>) -> Result<Fields, String> {
    fields.iter().map(|(name, value)| Ok((name.clone(), resolve(value, made)?))).collect()
}

fn resolve(value: &Value, made: &HashMap<Key, i64>) -> Result<Value, String> {
    Ok(match value {
        Value::Object(map) => match map.get(REFERENCE).and_then(Value::as_str) {
            Some(key) => {
                Value::from(*made.get(&Key(key.to_owned())).ok_or_else(|| format!("`{key}` was not made"))?)
            }
            None => {
                let inner: Result<_, String> =
                    map.iter().map(|(name, value)| Ok((name.clone(), resolve(value, made)?))).collect();
                Value::Object(inner?)
            }
        },
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| resolve(item, made)).collect::<Result<_, _>>()?)
        }
        plain => plain.clone(),
    })
}
