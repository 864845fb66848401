//! What each of the two credentials may write: the constraints that `bootstrap` gives their users. Neither can approve.

use surveyor::model::{ObjectKind, ObjectRef};
use surveyor::plan::view::{Machine, TAG, TAG_IGNORED, TAG_MANAGED};
use surveyor::plan::{Credential, Fields};

use super::fields::{assigned, tags, text};
use super::world::World;

impl World {
    pub(super) fn may_create(
        &self,
        credential: Credential,
        kind: ObjectKind,
        fields: &Fields,
    ) -> Result<(), String> {
        let tags = tags(fields.get("tags"));
        let is_ours = tags.contains(TAG);
        let status = text(fields, "status");
        let parent = |name: &str, kind: ObjectKind| {
            fields.get(name).and_then(serde_json::Value::as_i64).map(|id| ObjectRef::new(kind, id))
        };
        let allowed = match (credential, kind) {
            (Credential::Stager, ObjectKind::Device | ObjectKind::VirtualMachine) => {
                is_ours && status.as_deref() == Some("staged")
            }
            (_, ObjectKind::Interface) => {
                is_ours && self.is_of(credential, parent("device", ObjectKind::Device))
            }
            (_, ObjectKind::VmInterface) => {
                is_ours && self.is_of(credential, parent("virtual_machine", ObjectKind::VirtualMachine))
            }
            (_, ObjectKind::MacAddress) => match assigned(fields) {
                None => tags.contains(TAG_IGNORED),
                Some(interface) => is_ours && self.is_of(credential, self.owner(interface)),
            },
            (Credential::Stager, ObjectKind::Cable) => is_ours && status.as_deref() == Some("planned"),
            (Credential::Materializer, ObjectKind::Cable) => {
                is_ours && status.as_deref() == Some("connected")
            }
            (Credential::Materializer, ObjectKind::IpAddress) => is_ours,
            _ => false,
        };
        if allowed { Ok(()) } else { Err(format!("403: {credential:?} may not add this {kind}")) }
    }

    pub(super) fn may_change(&self, credential: Credential, object: ObjectRef) -> Result<(), String> {
        let view = &self.view;
        let allowed = match object.kind {
            ObjectKind::Device | ObjectKind::VirtualMachine => self.is_of(credential, Some(object)),
            ObjectKind::Interface | ObjectKind::VmInterface => self.is_of(credential, self.owner(object)),
            ObjectKind::Cable => view.cables.iter().any(|cable| {
                let wanted = if credential == Credential::Stager { "planned" } else { "connected" };
                cable.id == object.id && cable.tags.contains(TAG) && cable.status == wanted
            }),
            ObjectKind::IpAddress => view.addresses.iter().any(|address| {
                address.id == object.id
                    && credential == Credential::Materializer
                    && (address.tags.contains(TAG) || address.assigned.is_none())
            }),
            _ => false,
        };
        if allowed { Ok(()) } else { Err(format!("403: {credential:?} may not change {object}")) }
    }

    pub(super) fn may_delete(&self, credential: Credential, object: ObjectRef) -> Result<(), String> {
        let view = &self.view;
        let is_stager = credential == Credential::Stager;
        let allowed = match object.kind {
            ObjectKind::Device | ObjectKind::VirtualMachine => {
                is_stager && self.is_of(credential, Some(object))
            }
            ObjectKind::Interface | ObjectKind::VmInterface => view
                .interfaces
                .iter()
                .any(|interface| interface.object == object && interface.tags.contains(TAG)),
            ObjectKind::Cable => view.cables.iter().any(|cable| {
                cable.id == object.id && cable.tags.contains(TAG) && is_stager == (cable.status == "planned")
            }),
            ObjectKind::IpAddress => {
                !is_stager
                    && view.addresses.iter().any(|known| known.id == object.id && known.tags.contains(TAG))
            }
            ObjectKind::MacAddress => view.tombstones.iter().any(|tombstone| tombstone.id == object.id),
            _ => false,
        };
        if allowed { Ok(()) } else { Err(format!("403: {credential:?} may not delete {object}")) }
    }

    /// Whether the credential may write this machine and what is on it.
    fn is_of(&self, credential: Credential, machine: Option<ObjectRef>) -> bool {
        let of = |machine: &Machine| match credential {
            Credential::Stager => machine.status == "staged" && machine.has_tag(TAG),
            Credential::Materializer => {
                machine.status != "staged" && (machine.has_tag(TAG) || machine.has_tag(TAG_MANAGED))
            }
            Credential::Admin => false,
        };
        self.view.machines.iter().any(|known| Some(known.object) == machine && of(known))
    }

    fn owner(&self, interface: ObjectRef) -> Option<ObjectRef> {
        let found = self.view.interfaces.iter().find(|known| known.object == interface)?;
        Some(found.machine)
    }
}
