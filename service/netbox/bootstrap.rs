//! `surveyor bootstrap`: reads what NetBox has of our objects, plans the rest (`plan::bootstrap`), and does it as administrator.
//!
//! It decides nothing about the objects; it knows how to find, make and remove them, and how to keep tokens.

mod execute;
mod found;
mod token;

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::client::Client;
use super::error::Error as NetBoxError;
use super::value;
use crate::model::ObjectKind;
use crate::plan::bootstrap::{
    self as planner, Found, Parameters, Script, TokenWish, Wanted, WebhookParameters,
};
use crate::plan::{Key, Plan};
use crate::transport::secret::Secret;

/// Login name of the user that writes staged objects.
pub const STAGER: &str = "surveyor-stager";
/// Login name of the user that writes approved objects.
pub const MATERIALIZER: &str = "surveyor-materializer";
/// What may be lost by removal: the kinds whose tagged objects hold decisions and ledgers.
const CANDIDATES: [ObjectKind; 3] = [ObjectKind::Device, ObjectKind::VirtualMachine, ObjectKind::Cable];
/// The lists a person decides in: model, saved filter, table configuration, title.
const INBOXES: [(&str, &str, &str, &str); 6] = [
    ("dcim/devices/", "surveyor-devices", "Surveyor: devices to decide on", "devices"),
    (
        "virtualization/virtual-machines/",
        "surveyor-guests",
        "Surveyor: guests to decide on",
        "virtual machines",
    ),
    ("dcim/cables/", "surveyor-cables", "Surveyor: cables to decide on", "cables"),
    ("dcim/devices/", "surveyor-device-problems", "Surveyor: devices with problems", "devices with problems"),
    (
        "virtualization/virtual-machines/",
        "surveyor-guest-problems",
        "Surveyor: guests with problems",
        "virtual machines with problems",
    ),
    ("dcim/mac-addresses/", "surveyor-ignored", "Surveyor: ignored hosts", "ignored"),
];

/// What the configuration asks of NetBox.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Status of what waits for approval.
    pub staged_status: String,
    /// Clusters that sources report guests in; those NetBox lacks get a placeholder.
    pub clusters: Vec<String>,
    /// How NetBox reaches us, if it should.
    pub webhook: Option<WebhookWish>,
    /// Custom scripts: file name and content.
    pub scripts: Vec<(String, String)>,
    /// Where the stager's token goes; none to make no token.
    pub stager_token_file: Option<PathBuf>,
    /// Where the materializer's token goes; none to make no token.
    pub materializer_token_file: Option<PathBuf>,
    /// Remove although decisions and ledgers are lost.
    pub force: bool,
}

/// The webhook that wakes us.
#[derive(Debug, Clone)]
pub struct WebhookWish {
    /// `webhook.public_url`.
    pub public_url: String,
    /// Signs the bodies.
    pub secret: Secret,
    /// Jinja template of the body; empty for NetBox's own.
    pub body_template: String,
    /// Whether NetBox checks our certificate.
    pub ssl_verification: bool,
}

/// What to do with the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Make it so.
    Apply,
    /// Only say what would be done.
    DryRun,
    /// Take away what was made.
    Remove,
    /// Only say what would be taken away.
    RemoveDryRun,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One line a step, in words, and what a person should know.
    pub lines: Vec<String>,
    /// Objects that could not be made, changed or removed, with the reason.
    pub failed: Vec<String>,
    /// Writes sent to NetBox.
    pub writes: usize,
    /// Requests sent to NetBox, writes included.
    pub requests: usize,
    /// Names the plan; the same before and after nothing changed.
    pub plan_hash: String,
    /// Where people decide: title and address.
    pub inbox: Vec<(String, String)>,
    /// Token files written.
    pub token_files: Vec<PathBuf>,
}

/// Why bootstrap stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// NetBox did not do what was asked.
    #[error(transparent)]
    NetBox(#[from] NetBoxError),
    /// The configuration names what this NetBox does not have.
    #[error("NetBox has no {kind} status `{status}` (hint: it has {known})")]
    UnknownStatus {
        /// Device or virtual machine.
        kind: &'static str,
        /// As configured.
        status: String,
        /// Those it has.
        known: String,
    },
    /// Removal would lose what people decided.
    #[error(
        "{0} objects carry the tag `surveyor`; their identities, decisions and ledgers would be lost (hint: remove or untag them, or use --force)"
    )]
    StillInUse(usize),
    /// A token file cannot be written.
    #[error("token file `{}` cannot be written", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The embedded lists are damaged.
    #[error("the embedded NetBox objects are damaged: {0}")]
    Embedded(String),
}

/// Brings NetBox to what the configuration wishes, says what that would take, or takes it away.
pub async fn run(admin: &Client, wishes: &Wishes, mode: Mode) -> Result<Report, Error> {
    let before = admin.counts();
    let version = admin.status().await?;
    let parameters = parameters(admin, wishes, &version).await?;
    let wanted = planner::wanted(&parameters).map_err(Error::Embedded)?;
    let secret = wishes.webhook.as_ref().map(|webhook| &webhook.secret);
    let (found, notes) = found::read(admin, &wanted, secret).await?;

    let mut report = Report::default();
    let plan = match mode {
        Mode::Remove | Mode::RemoveDryRun => {
            in_use(admin, wishes.force).await?;
            if !wishes.scripts.is_empty() {
                // The API takes scripts and removes none (extras/api/views.py, ScriptModuleViewSet).
                let line = "custom scripts stay: remove them in NetBox under Customization, Scripts";
                report.lines.push(line.to_owned());
            }
            planner::removal(&wanted, &found)
        }
        Mode::Apply | Mode::DryRun => {
            let wanted = without_spare_types(wanted, &found);
            let (tokens, lines) = token::missing(admin, wishes).await?;
            report.lines.extend(lines);
            planner::plan(&wanted, &found, &tokens, &parameters.scripts)
        }
    };
    report.lines.extend(notes);
    report.plan_hash = plan.hash();
    report.failed.extend(plan.refused.iter().map(|refusal| refusal.reason.clone()));
    let mut ids = found.ids();
    if matches!(mode, Mode::DryRun | Mode::RemoveDryRun) {
        report.lines.extend(plan.steps.iter().map(execute::line));
    } else {
        execute::all(admin, &plan, wishes, &version, &mut ids, &mut report).await?;
    }
    if matches!(mode, Mode::Apply | Mode::DryRun) {
        report.inbox = inbox_urls(admin.base_url(), &|kind, name| ids.get(&Key::new(kind, name).0).copied());
    }
    let counts = admin.counts();
    report.writes = counts.writes - before.writes;
    report.requests = counts.requests - before.requests;
    if plan.is_empty() && report.failed.is_empty() {
        report.lines.push(format!("nothing to do: 0 writes, {} requests", report.requests));
    }
    Ok(report)
}

/// How NetBox differs from what bootstrap would leave, as far as this token may see it; one line each.
pub async fn drift(client: &Client, wishes: &Wishes) -> Result<Vec<String>, Error> {
    let version = client.status().await?;
    let parameters = parameters(client, wishes, &version).await?;
    let wanted = planner::wanted(&parameters).map_err(Error::Embedded)?;
    let secret = wishes.webhook.as_ref().map(|webhook| &webhook.secret);
    let (found, notes) = found::read(client, &wanted, secret).await?;
    let wanted = without_spare_types(wanted, &found);
    let plan: Plan = planner::plan(&wanted, &found, &[], &parameters.scripts);
    let mut lines: Vec<String> = plan.steps.iter().map(execute::line).collect();
    lines.extend(plan.refused.into_iter().map(|refusal| refusal.reason));
    lines.extend(notes);
    Ok(lines)
}

/// Addresses of the lists where people decide. `id` finds saved filters (by slug) and table configurations (by name); without
/// an id the filter still works by its slug.
pub fn inbox_urls(base_url: &str, id: &dyn Fn(ObjectKind, &str) -> Option<i64>) -> Vec<(String, String)> {
    INBOXES
        .iter()
        .map(|(path, filter, table, title)| {
            let filter = match id(ObjectKind::SavedFilter, filter) {
                Some(id) => format!("filter_id={id}"),
                None => format!("filter={filter}"),
            };
            let table = id(ObjectKind::TableConfig, table).map(|id| format!("&tableconfig_id={id}"));
            ((*title).to_owned(), format!("{base_url}/{path}?{filter}{}", table.unwrap_or_default()))
        })
        .collect()
}

/// The same addresses, with the ids read from NetBox: two requests.
pub async fn inbox(client: &Client) -> Result<Vec<(String, String)>, NetBoxError> {
    let mut ids = std::collections::BTreeMap::new();
    for (kind, field) in [(ObjectKind::SavedFilter, "slug"), (ObjectKind::TableConfig, "name")] {
        let names: Vec<String> = INBOXES
            .iter()
            .map(|(_, filter, table, _)| if kind == ObjectKind::SavedFilter { *filter } else { *table })
            .map(str::to_owned)
            .collect();
        let fields = format!("id,{field}");
        for row in client.list_in(kind, field, &names, &[("fields", fields.as_str())]).await? {
            if let (Some(id), Some(name)) = (value::id_of(&row), value::text_of(&row, field)) {
                ids.insert((kind, name.to_owned()), id);
            }
        }
    }
    Ok(inbox_urls(client.base_url(), &|kind, name| ids.get(&(kind, name.to_owned())).copied()))
}

/// The configuration in NetBox's terms. Statuses can be added to (`FIELD_CHOICES`), so they are asked for.
async fn parameters(client: &Client, wishes: &Wishes, version: &str) -> Result<Parameters, Error> {
    let staged = &wishes.staged_status;
    let device_statuses = other_statuses(client, ObjectKind::Device, "device", staged).await?;
    let vm_statuses = other_statuses(client, ObjectKind::VirtualMachine, "virtual machine", staged).await?;
    let scripts = wishes.scripts.iter().map(|(file, content)| Script {
        file: file.clone(),
        hash: hex::encode(Sha256::digest(content.as_bytes())),
        content: content.clone(),
    });
    Ok(Parameters {
        staged_status: staged.clone(),
        device_statuses,
        vm_statuses,
        clusters: wishes.clusters.clone(),
        webhook: wishes.webhook.as_ref().map(|webhook| WebhookParameters {
            url: webhook.public_url.clone(),
            body_template: webhook.body_template.clone(),
            verify: webhook.ssl_verification,
        }),
        snapshot_conditions: at_least(version, 4, 7),
        scripts: scripts.collect(),
    })
}

/// All statuses of a model but the one that waits for approval. Without `add` permission NetBox lists none: then the
/// built-in ones (dcim/choices.py, virtualization/choices.py) stand in.
async fn other_statuses(
    client: &Client,
    kind: ObjectKind,
    noun: &'static str,
    staged: &str,
) -> Result<Vec<String>, Error> {
    let options = client.options(kind).await?;
    let choices = options.pointer("/actions/POST/status/choices").and_then(Value::as_array);
    let built_in = match kind {
        ObjectKind::VirtualMachine => "offline active planned staged failed decommissioning paused",
        _ => "offline active planned staged failed inventory decommissioning",
    };
    let known: Vec<String> = choices.map_or_else(
        || built_in.split(' ').map(str::to_owned).collect(),
        |choices| {
            choices.iter().filter_map(|choice| value::text_of(choice, "value")).map(str::to_owned).collect()
        },
    );
    if choices.is_some() && !known.iter().any(|status| status == staged) {
        let status = staged.to_owned();
        return Err(Error::UnknownStatus { kind: noun, status, known: known.join(", ") });
    }
    Ok(known.into_iter().filter(|status| status != staged).collect())
}

/// Whether a version is this one or later.
fn at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut parts = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
}

/// A cluster type is only made for a cluster that is made.
fn without_spare_types(wanted: Vec<Wanted>, found: &Found) -> Vec<Wanted> {
    let missing = |wish: &Wanted| !found.objects.contains_key(&wish.key);
    let needed = wanted.iter().any(|wish| wish.kind == ObjectKind::Cluster && missing(wish));
    wanted
        .into_iter()
        .filter(|wish| needed || wish.kind != ObjectKind::ClusterType || !missing(wish))
        .collect()
}

/// Refuses removal while objects carry our tag.
async fn in_use(admin: &Client, force: bool) -> Result<(), Error> {
    if force {
        return Ok(());
    }
    let mut tagged = 0;
    for kind in CANDIDATES {
        match admin.list(kind, &[("tag", "surveyor"), ("fields", "id")]).await {
            Ok(rows) => tagged += rows.len(),
            // The tag is gone: nothing carries it.
            Err(NetBoxError::Rejected { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    if tagged > 0 { Err(Error::StillInUse(tagged)) } else { Ok(()) }
}

/// The users that get tokens, with where those go.
fn token_files(wishes: &Wishes) -> [(&'static str, Option<&PathBuf>); 2] {
    [(STAGER, wishes.stager_token_file.as_ref()), (MATERIALIZER, wishes.materializer_token_file.as_ref())]
}

/// A token wish for people.
fn token_wish(username: &str, file: &std::path::Path) -> TokenWish {
    TokenWish { username: username.to_owned(), file: file.display().to_string() }
}
