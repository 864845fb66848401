//! Staging: candidates and links that NetBox does not know become plans to propose them there.
//!
//! Writes staged objects only. An object that a person documented is never touched here.

mod admission;
mod claim;
mod create;
mod links;
mod matching;
mod proposal;
mod update;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{
    Candidate, Discovery, Explanation, Gap, HostName, Identity, ObjectKind, ObjectRef, SourceName, Timestamp,
};
use crate::plan::{Plan, RefusalKind, Step, Target, View, explain, view};

pub use admission::{Admission, Rule};
pub use claim::claim_hash;
pub(crate) use claim::short_hash;
pub use links::LinkPolicy;
pub use matching::{Found, find};
pub(crate) use update::current as current_value;

/// How far staging goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// New objects per run; the rest is counted.
    pub max_new: usize,
    /// Which candidates belong in the inventory.
    pub admission: Admission,
    /// What happens with links between network devices.
    pub links: LinkPolicy,
    /// Below this confidence no cable is proposed.
    pub cable_threshold: u8,
}

/// New candidates per run unless configured otherwise: a first run on a campus must not flood the inventory.
pub const DEFAULT_MAX_NEW: usize = 100;
/// Confidence below which a host is proposed without a cable, unless configured otherwise.
pub const DEFAULT_CABLE_THRESHOLD: u8 = 50;

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_new: DEFAULT_MAX_NEW,
            admission: Admission::default(),
            links: LinkPolicy::Planned,
            cable_threshold: DEFAULT_CABLE_THRESHOLD,
        }
    }
}

/// What became of each candidate.
#[derive(Debug, Clone, Default)]
pub struct Staging {
    /// Plans with something to do, in the order of the candidates; links last.
    pub plans: Vec<Plan>,
    /// Candidates already proposed and unchanged.
    pub unchanged: Vec<(String, ObjectRef)>,
    /// Candidates that NetBox documents: identity, object, differences in words.
    pub documented: Vec<(String, ObjectRef, Vec<String>)>,
    /// Candidates that are not staged: identity, name, why.
    pub held_back: Vec<(String, String, String)>,
    /// Candidates beyond `max_new`, by VLAN and class.
    pub beyond_limit: BTreeMap<String, usize>,
}

impl Staging {
    /// What became of the candidate with this identity, in words.
    pub fn fate(&self, identity: &Identity) -> Option<String> {
        let identity = identity.as_str();
        if let Some(plan) = self.plans.iter().find(|plan| plan.object == identity) {
            let steps = plan.steps.len();
            return Some(match plan.netbox {
                Some(object) => format!("proposed as {object}; staging changes the proposal ({steps} steps)"),
                None => format!("not there; staging proposes it ({steps} steps)"),
            });
        }
        if let Some((_, object)) = self.unchanged.iter().find(|(known, _)| known == identity) {
            return Some(format!("proposed as {object}, unchanged"));
        }
        if let Some((_, object, differences)) = self.documented.iter().find(|(known, ..)| known == identity) {
            return Some(if differences.is_empty() {
                format!("documented as {object}, and nothing differs")
            } else {
                format!("documented as {object}; differs: {}", differences.join("; "))
            });
        }
        let held = self.held_back.iter().find(|(known, ..)| known == identity);
        held.map(|(_, _, reason)| format!("not there; held back: {reason}"))
    }
}

/// Everything the stage planner looks at besides the candidates.
pub struct Context<'a> {
    /// NetBox.
    pub view: &'a View,
    /// How far to go.
    pub policy: &'a Policy,
    /// When this run began.
    pub now: Timestamp,
    /// Names of steps that an earlier run planned and did not finish.
    pub open_steps: &'a BTreeSet<String>,
    /// The reasoning for the candidates that get a journal entry ([`to_explain`]); without it an entry says what the
    /// candidate knows of itself.
    pub explanations: &'a BTreeMap<Identity, Explanation>,
}

impl Context<'_> {
    /// The journal entry of a candidate's claim.
    fn note(&self, candidate: &Candidate, proposal: &str) -> String {
        let known = self.explanations.get(&candidate.identity).cloned();
        let explanation = known.unwrap_or_else(|| explain::summary(candidate));
        proposal::note(&explanation, &candidate.identity, proposal, self.now)
    }
}

/// The candidates that get a journal entry: whoever plans again with their reasoning gets the same steps with longer entries.
pub fn to_explain(staging: &Staging) -> BTreeSet<Identity> {
    let has_note = |plan: &&Plan| plan.steps.iter().any(|planned| matches!(planned.step, Step::Note { .. }));
    staging.plans.iter().filter(has_note).map(|plan| Identity(plan.object.clone())).collect()
}

/// Where the network's own devices are, by the name attachments refer to: in NetBox already, or planned now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Devices {
    targets: HashMap<String, Target>,
    /// Interfaces that this run creates, by device name and port.
    planned: BTreeSet<(String, String)>,
}

impl Devices {
    pub(crate) fn target(&self, name: &str) -> Option<&Target> {
        self.targets.get(name)
    }

    pub(crate) fn has_planned(&self, device: &str, port: &str) -> bool {
        self.planned.contains(&(device.to_owned(), port.to_owned()))
    }
}

/// Plans what `discover` found. The same world planned twice gives no step the second time.
pub fn stage(discovery: &Discovery, context: &Context<'_>) -> Staging {
    let mut staging = Staging::default();
    let mut names = Names::default();
    let mut devices = Devices::default();
    let silent: BTreeSet<&SourceName> = discovery.gaps.iter().map(|gap: &Gap| &gap.source).collect();
    let today = context.now.day();
    let mut created = 0_usize;

    // Network devices first: hosts refer to them.
    let (network, hosts): (Vec<&Candidate>, Vec<&Candidate>) =
        discovery.candidates.iter().partition(|candidate| candidate.device.is_some());
    for candidate in network.into_iter().chain(hosts) {
        let identity = candidate.identity.to_string();
        let found = find(candidate, context.view);
        if let (Some(device), Some(target)) = (&candidate.device, found.target()) {
            devices.targets.insert(device.clone(), target);
        }
        if let Some(reason) = remembered(candidate, context.view, &today) {
            staging.held_back.push((identity, candidate.name.to_string(), reason));
            continue;
        }
        match found {
            Found::Proposed(machine) => {
                // A source that could not be read, or evidence that does not suffice for a proposal, changes none either.
                let is_held = candidate.evidence_only.is_some() || update::rests_on(machine, &silent);
                let is_other_kind = matching::kind_of(candidate) != machine.object.kind;
                let plan = if is_other_kind && !is_held {
                    if let Some(reason) = create::impossible(candidate, context.view) {
                        staging.held_back.push((identity, candidate.name.to_string(), reason));
                        continue;
                    }
                    update::replace(candidate, machine, &mut devices, &mut names, context)
                } else {
                    update::plan(candidate, machine, &devices, &mut names, context, is_held)
                };
                if plan.is_empty() {
                    staging.unchanged.push((identity, machine.object));
                } else {
                    staging.plans.push(plan);
                }
            }
            Found::Documented(machine, _) => {
                let differences = matching::differences(candidate, machine, context.view);
                staging.documented.push((identity, machine.object, differences));
            }
            Found::Ambiguous(machines) => {
                let list: Vec<String> = machines.iter().map(ToString::to_string).collect();
                let reason = format!("NetBox has it more than once: {}", list.join(", "));
                staging.held_back.push((identity, candidate.name.to_string(), reason));
            }
            Found::Nothing | Found::Contradicted(..) => {
                let reason = candidate
                    .evidence_only
                    .clone()
                    .or_else(|| context.policy.admission.refuses(candidate))
                    .or_else(|| create::impossible(candidate, context.view));
                if let Some(reason) = reason {
                    staging.held_back.push((identity, candidate.name.to_string(), reason));
                    continue;
                }
                if created >= context.policy.max_new {
                    *staging.beyond_limit.entry(limit_group(candidate)).or_default() += 1;
                    continue;
                }
                created += 1;
                let plan = create::plan(candidate, &found, &mut devices, &mut names, context);
                staging.plans.push(plan);
            }
        }
    }
    links::stage(discovery, &devices, context, &mut staging);
    withdraw::stage(discovery, &devices, &silent, context, &mut staging);
    staging
}

/// Names given out in this run, so that two candidates never get the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    taken: BTreeSet<(ObjectKind, Option<i64>, String)>,
}

impl Names {
    /// The candidate's name if it is free in NetBox (or its own there) and in this run, else the fallback with the reason.
    pub(crate) fn choose(
        &mut self,
        candidate: &Candidate,
        own: Option<ObjectRef>,
        view: &View,
    ) -> (String, Option<(RefusalKind, String)>) {
        let place = Place::of(candidate, own, view);
        let problem = self.problem(candidate, &place, view);
        let name = if problem.is_some() {
            self.fallback(candidate, &place, view)
        } else {
            candidate.name.as_str().to_owned()
        };
        self.taken.insert((place.kind, place.scope, name.clone()));
        (name, problem.map(|reason| (RefusalKind::Name, reason)))
    }

    /// Why the candidate cannot have its name.
    fn problem(&self, candidate: &Candidate, place: &Place, view: &View) -> Option<String> {
        let wish = candidate.name.as_str();
        if wish.len() > crate::model::name::MAX_NETBOX_NAME {
            return Some(format!("the name `{wish}` is longer than NetBox's 64 characters"));
        }
        if let Some(owner) = place.owner_of(wish, view) {
            return Some(format!("the name `{wish}` is taken by {owner}"));
        }
        self.taken
            .contains(&(place.kind, place.scope, wish.to_owned()))
            .then(|| format!("the name `{wish}` is proposed for another candidate of this run"))
    }

    /// Why a proposal that a person named otherwise cannot have the candidate's name.
    pub(crate) fn wish_fails(&self, candidate: &Candidate, own: ObjectRef, view: &View) -> bool {
        self.problem(candidate, &Place::of(candidate, Some(own), view), view).is_some()
    }

    fn fallback(&self, candidate: &Candidate, place: &Place, view: &View) -> String {
        let base = match candidate.interfaces.iter().find_map(|interface| interface.mac) {
            Some(mac) => format!("host-{}", mac.compact()),
            None => format!("host-{}", &claim::short_hash(candidate.identity.as_str())[..12]),
        };
        let free = |name: &str| {
            place.owner_of(name, view).is_none()
                && !self.taken.contains(&(place.kind, place.scope, name.to_owned()))
        };
        (1..=self.taken.len() + view.machines.len() + 1)
            .map(|count| if count == 1 { base.clone() } else { format!("{base}-{count}") })
            .find(|name| free(name))
            .unwrap_or(base)
    }
}

/// Where NetBox wants a name to be unique: site for devices, cluster for guests.
struct Place {
    kind: ObjectKind,
    scope: Option<i64>,
    own: Option<ObjectRef>,
}

impl Place {
    fn of(candidate: &Candidate, own: Option<ObjectRef>, view: &View) -> Self {
        let kind = matching::kind_of(candidate);
        let scope = match kind {
            ObjectKind::VirtualMachine => {
                let cluster = candidate.cluster.as_ref().and_then(|name| view.defaults.clusters.get(name));
                cluster.map(|cluster| cluster.id)
            }
            _ => Some(view.defaults.site),
        };
        Self { kind, scope, own }
    }

    /// Who else has this name already.
    fn owner_of(&self, name: &str, view: &View) -> Option<String> {
        let scope = |machine: &view::Machine| match self.kind {
            ObjectKind::VirtualMachine => machine.cluster,
            _ => machine.site,
        };
        view.by_name(self.kind, name)
            .into_iter()
            .filter(|machine| Some(machine.object) != self.own)
            .find(|machine| self.scope.is_none() || scope(machine) == self.scope)
            .map(|machine| machine.object.to_string())
    }
}

/// Whether a person rejected or ignored any identity of the candidate, and it is still in force.
fn remembered(candidate: &Candidate, view: &View, today: &str) -> Option<String> {
    view.tombstones
        .iter()
        .filter(|tombstone| tombstone.until.as_deref().is_none_or(|until| until > today))
        .find(|tombstone| {
            candidate.interfaces.iter().any(|interface| interface.mac == Some(tombstone.mac))
                || tombstone.identity.as_deref().is_some_and(|identity| {
                    candidate.identity.as_str() == identity
                        || candidate.aliases.iter().any(|alias| alias.as_str() == identity)
                })
        })
        .map(|tombstone| match &tombstone.until {
            Some(until) => format!("ignored until {until} (dcim.macaddress/{})", tombstone.id),
            None => format!("rejected (dcim.macaddress/{}; delete it to be asked again)", tombstone.id),
        })
}

fn limit_group(candidate: &Candidate) -> String {
    let vlan = candidate
        .interfaces
        .iter()
        .find_map(|interface| interface.attachment.as_ref()?.vlan)
        .map_or_else(|| "no VLAN".to_owned(), |vlan| format!("VLAN {vlan}"));
    format!("{vlan}, {}", candidate.class.as_str())
}

/// The DNS name of a machine in the configured zone; none for names that nobody gave it.
pub(crate) fn dns_name(candidate: &Candidate, zone: Option<&str>) -> Option<HostName> {
    let zone = zone?;
    if candidate.name_origin == crate::model::NameOrigin::Fallback {
        return None;
    }
    let name = candidate.name.as_str();
    if name == zone || name.ends_with(&format!(".{zone}")) {
        return Some(candidate.name.clone());
    }
    format!("{}.{zone}", candidate.name.short()).parse().ok()
}
