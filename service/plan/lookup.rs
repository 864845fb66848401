//! What a person typed, as an object of NetBox.

use std::collections::BTreeSet;

use super::View;
use crate::model::{ObjectKind, ObjectRef};

/// No such object, or more than one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotFound(String);

/// The object that a person means: a name, an identity, `dcim.device/12`, or a page of NetBox.
///
/// # Errors
/// [`NotFound`] if nothing is called so, or several are.
pub fn find(text: &str, view: &View) -> Result<ObjectRef, NotFound> {
    let text = text.trim();
    if let Some(object) = reference(text).or_else(|| page(text)) {
        let is_there = match object.kind {
            ObjectKind::Cable => view.cable(object.id).is_some(),
            _ => view.machine(object).is_some(),
        };
        if !is_there {
            return Err(NotFound(format!("NetBox has no {object} that Surveyor could do anything about")));
        }
        return Ok(object);
    }
    let mut found: BTreeSet<ObjectRef> =
        view.by_identity(text).iter().map(|machine| machine.object).collect();
    found.extend(
        view.cables
            .iter()
            .filter(|cable| cable.ours.id.as_deref() == Some(text) || cable.label == text)
            .map(|cable| ObjectRef::new(ObjectKind::Cable, cable.id)),
    );
    if found.is_empty() {
        if let Ok(mac) = text.parse() {
            found.extend(view.by_mac(mac));
        }
        for kind in [ObjectKind::Device, ObjectKind::VirtualMachine] {
            found.extend(view.by_name(kind, text).iter().map(|machine| machine.object));
        }
    }
    let mut all = found.iter();
    match (all.next(), all.next()) {
        (Some(object), None) => Ok(*object),
        (None, _) => Err(NotFound(format!(
            "NetBox has no device, virtual machine or cable `{text}` (hint: a name, an identity, `dcim.device/12` or the address of its page)"
        ))),
        _ => {
            let list: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(NotFound(format!("`{text}` is not unique: {}", list.join(", "))))
        }
    }
}

/// `dcim.device/12`.
fn reference(text: &str) -> Option<ObjectRef> {
    let (kind, id) = text.split_once('/')?;
    Some(ObjectRef::new(ObjectKind::from_content_type(kind)?, id.trim_end_matches('/').parse().ok()?))
}

/// `https://netbox.example.org/dcim/devices/12/`.
fn page(text: &str) -> Option<ObjectRef> {
    let path = text.split_once("://")?.1;
    let kinds = [ObjectKind::Device, ObjectKind::VirtualMachine, ObjectKind::Cable];
    kinds.into_iter().find_map(|kind| {
        let (_, rest) = path.split_once(&format!("/{}", kind.path()))?;
        Some(ObjectRef::new(kind, rest.split('/').next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_by_reference_and_page() {
        let device = ObjectRef::new(ObjectKind::Device, 12);
        assert_eq!(reference("dcim.device/12"), Some(device));
        assert_eq!(page("https://netbox.example.org/dcim/devices/12/"), Some(device));
        assert_eq!(page("https://netbox.example.org/sub/dcim/devices/12/journal/"), Some(device));
        assert_eq!(reference("lldp:00/11"), None);
        assert_eq!(reference("pve:lab/101/x"), None);
    }
}
