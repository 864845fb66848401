//! Plans and their steps: five verbs, built from plain values, so that printing, hashing, grouping and undoing are written once.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{ObjectKind, ObjectRef};

/// Field values of one NetBox object, by REST field name; `custom_fields` is an object of its own.
pub type Fields = BTreeMap<String, Value>;

/// Names an object that a plan creates, for steps that refer to it before it has an id. Unique over all plans of a run:
/// `dcim.device:mac:52:54:00:12:34:56`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Key(pub String);

impl Key {
    /// The key of an object of this kind, named within the kind.
    pub fn new(kind: ObjectKind, name: impl fmt::Display) -> Self {
        Self(format!("{}:{name}", kind.content_type()))
    }

    /// The JSON value that stands for the object's id until it exists.
    pub fn reference(&self) -> Value {
        serde_json::json!({ REFERENCE: self.0 })
    }
}

/// The member that marks a reference to an object not yet created: `{"$ref": "<key>"}`.
pub const REFERENCE: &str = "$ref";

/// An object that exists, or one that an earlier step creates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Primary key of an existing object.
    Id(i64),
    /// Created in the same run.
    New(Key),
}

impl Target {
    /// The id, or the reference that becomes one.
    pub fn value(&self) -> Value {
        match self {
            Self::Id(id) => Value::from(*id),
            Self::New(key) => key.reference(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::New(key) => f.write_str(&key.0),
        }
    }
}

/// Which of the two credentials does a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// Writes staged objects only.
    Stager,
    /// Writes approved objects only.
    Materializer,
    /// The administrator's, used by `bootstrap` alone and never kept.
    Admin,
}

/// When a step runs: all steps of one phase run before the next. What is removed goes first (so that its name, port and address
/// are free), what is created goes from the outside in, what reports comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Memory of a reject: before what it remembers is removed.
    Tombstone,
    /// Cables that go.
    Uncable,
    /// Fields that must let go of an object before it can be removed (a primary IP).
    Unset,
    /// Addresses that go.
    RemoveAddress,
    /// Interfaces and MAC addresses that go.
    RemoveInterface,
    /// Devices and virtual machines that go.
    Remove,
    /// Things others depend on: tags, fields, roles, types, clusters.
    Ground,
    /// Switches and routers, which hosts refer to.
    NetworkDevice,
    /// Hosts and guests.
    Device,
    /// Interfaces.
    Interface,
    /// MAC addresses.
    Mac,
    /// IP addresses.
    Address,
    /// Cables.
    Cable,
    /// Changes of a device or guest, its primary IP included.
    Attributes,
    /// DNS servers.
    Dns,
    /// Journal entries.
    Journal,
    /// Proposal fields of interfaces: emptied once applied, or put back. Before the state, which says that they are done with.
    Proposal,
    /// The custom fields that say it is done.
    State,
}

/// How serious a journal entry is (NetBox `JournalEntryKindChoices`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For reading.
    Info,
    /// Something became true.
    Success,
    /// Something was refused.
    Warning,
    /// Something failed.
    Danger,
}

impl Level {
    /// NetBox's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Step {
    /// Makes an object.
    Create {
        /// What later steps call it.
        key: Key,
        /// Its model.
        kind: ObjectKind,
        /// Its fields; references stand for ids.
        fields: Fields,
    },
    /// Changes fields of an object.
    Change {
        /// Its model.
        kind: ObjectKind,
        /// Which.
        target: Target,
        /// What the fields were when this was planned.
        before: Fields,
        /// What they become.
        after: Fields,
        /// Whether people edit these fields too: then it is a single write that fails if `before` no longer holds.
        guard: bool,
    },
    /// Removes an object.
    Delete {
        /// Which.
        object: ObjectRef,
        /// What must still be true for it to go: fields as read when this was planned.
        guard: Fields,
    },
    /// Writes a journal entry, once.
    Note {
        /// The model it is about.
        kind: ObjectKind,
        /// The object it is about.
        target: Target,
        /// Unique text (custom field `surveyor_key`): a second entry with it is refused by NetBox.
        key: String,
        /// How serious.
        level: Level,
        /// Markdown.
        text: String,
    },
    /// Replaces the include file of a DNS server.
    ReplaceFile {
        /// The server's name in the configuration.
        server: String,
        /// SHA-256 of the file it replaces, if there is one.
        from_hash: Option<String>,
        /// SHA-256 of the new content.
        to_hash: String,
        /// The new content.
        content: String,
        /// What changes, one line a record: `+ printer.example.org A 192.0.2.10`.
        changes: Vec<String>,
    },
}

impl Step {
    /// The verb, as recorded in receipts.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Change { .. } => "change",
            Self::Delete { .. } => "delete",
            Self::Note { .. } => "note",
            Self::ReplaceFile { .. } => "replace_file",
        }
    }

    /// What it writes to.
    pub const fn kind(&self) -> Option<ObjectKind> {
        match self {
            Self::Create { kind, .. } | Self::Change { kind, .. } => Some(*kind),
            Self::Delete { object, .. } => Some(object.kind),
            Self::Note { .. } => Some(ObjectKind::JournalEntry),
            Self::ReplaceFile { .. } => None,
        }
    }

    /// Names the step across runs: the same write planned again has the same name, whatever its values.
    pub fn name(&self) -> String {
        match self {
            Self::Create { key, .. } => format!("create {}", key.0),
            Self::Change { kind, target, after, .. } => {
                let fields: Vec<&str> = after.keys().map(String::as_str).collect();
                format!("change {kind} {target} {}", fields.join(","))
            }
            Self::Delete { object, .. } => format!("delete {object}"),
            Self::Note { key, .. } => format!("note {key}"),
            Self::ReplaceFile { server, .. } => format!("replace_file {server}"),
        }
    }
}

/// A step with when and as whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStep {
    /// When.
    pub phase: Phase,
    /// As whom.
    pub credential: Credential,
    /// What.
    #[serde(flatten)]
    pub step: Step,
    /// In words, for people: `IP address 192.0.2.10/24 on eth0`.
    pub label: String,
}

/// Why a plan exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Something was found.
    Stage,
    /// A person approved it.
    Materialize,
    /// A person wants it undone.
    Rollback,
    /// A person rejected or ignored it.
    Reject,
    /// Nobody sees it any more.
    Withdraw,
    /// A person deleted something and left a trace that has to go.
    Tidy,
    /// `surveyor bootstrap`.
    Bootstrap,
}

/// A part of a plan that will not be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// What was refused.
    pub kind: RefusalKind,
    /// Why, and what would help: one sentence. Texts of the network in it are escaped for Markdown.
    pub reason: String,
}

/// What can be refused, by what it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Who it is is in doubt: stops everything.
    Identity,
    /// An address belongs to something else: stops everything.
    Address,
    /// A cable cannot be made: the rest goes on.
    Cable,
    /// A name cannot be used: the rest goes on.
    Name,
    /// A record cannot be published: the rest goes on.
    Dns,
    /// An interface cannot be made or used: the rest goes on.
    Interface,
}

impl RefusalKind {
    /// Whether nothing at all may be done for the object.
    pub const fn blocks_all(self) -> bool {
        matches!(self, Self::Identity | Self::Address)
    }
}

/// Everything to be done for one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Who: the identity, or the object for those without.
    pub object: String,
    /// Its name, for people.
    pub title: String,
    /// The NetBox object, once it exists.
    pub netbox: Option<ObjectRef>,
    /// Why.
    pub cause: Cause,
    /// The writes.
    pub steps: Vec<PlannedStep>,
    /// What will not be done.
    pub refused: Vec<Refusal>,
    /// DNS records that follow from it, as text, for people; the DNS plan decides per server.
    pub records: Vec<String>,
    /// What holds once the plan is done, whether a step makes it or it is there already: the same words before and after a
    /// crash, so that the journal says it once.
    #[serde(skip_serializing_if = "std::collections::BTreeSet::is_empty", default)]
    pub facts: std::collections::BTreeSet<String>,
}

impl Plan {
    /// A plan without steps.
    pub fn new(object: impl Into<String>, title: impl Into<String>, cause: Cause) -> Self {
        Self {
            object: object.into(),
            title: title.into(),
            netbox: None,
            cause,
            steps: Vec::new(),
            refused: Vec::new(),
            records: Vec::new(),
            facts: std::collections::BTreeSet::new(),
        }
    }

    /// Adds a step.
    pub fn push(&mut self, phase: Phase, credential: Credential, step: Step, label: impl Into<String>) {
        self.steps.push(PlannedStep { phase, credential, step, label: label.into() });
    }

    /// Adds a refusal.
    pub fn refuse(&mut self, kind: RefusalKind, reason: impl Into<String>) {
        self.refused.push(Refusal { kind, reason: reason.into() });
    }

    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a refusal stops the whole plan.
    pub fn is_blocked(&self) -> bool {
        self.refused.iter().any(|refusal| refusal.kind.blocks_all())
    }

    /// Names the plan by what it would do: verbs, targets and values, never times, ages, ids of new objects or evidence text.
    /// Sixteen hexadecimal digits of SHA-256.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.object.as_bytes());
        for planned in &self.steps {
            digest.update(b"\n");
            digest.update(planned.step.name().as_bytes());
            match &planned.step {
                Step::Create { fields, .. } => digest.update(stable(fields).as_bytes()),
                Step::Change { after, .. } => digest.update(stable(after).as_bytes()),
                Step::ReplaceFile { to_hash, .. } => digest.update(to_hash.as_bytes()),
                Step::Delete { .. } | Step::Note { .. } => {}
            }
        }
        for refusal in &self.refused {
            digest.update(format!("\n{:?}", refusal.kind).as_bytes());
        }
        hex::encode(&digest.finalize()[..8])
    }
}

/// Custom fields that say when or how sure, not what: they do not make a plan another plan.
const VOLATILE: [&str; 6] = [
    "surveyor_first_seen",
    "surveyor_last_seen",
    "surveyor_ledger",
    "surveyor_proposal",
    "surveyor_confidence",
    "surveyor_sources",
];

/// The fields without what changes from run to run. The description is that of a tombstone: who, and when.
fn stable(fields: &Fields) -> String {
    let mut fields = fields.clone();
    fields.remove("description");
    if let Some(Value::Object(custom)) = fields.get_mut("custom_fields") {
        for name in VOLATILE {
            custom.remove(name);
        }
    }
    serde_json::to_string(&fields).unwrap_or_default()
}
