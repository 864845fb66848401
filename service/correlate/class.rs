//! The suggested class of a machine, with the reason. Only a suggestion: a person chooses.

use super::neighbors::Heard;
use crate::model::Class;
use crate::model::observation::{Capability, DeviceRole};

/// Beginnings of DHCP vendor classes (option 60), as clients send them, and what sends them.
const VENDOR_CLASSES: &[(&str, Class)] = &[
    ("msft ", Class::Workstation),
    ("android-dhcp", Class::Workstation),
    ("hewlett-packard jetdirect", Class::Iot),
    ("hp printer", Class::Iot),
    ("mfp", Class::Iot),
    ("canon", Class::Iot),
    ("brother", Class::Iot),
    ("epson", Class::Iot),
    ("kyocera", Class::Iot),
    ("lexmark", Class::Iot),
    ("xerox", Class::Iot),
    ("axis", Class::Iot),
    ("yealink", Class::Iot),
    ("snom", Class::Iot),
    ("polycom", Class::Iot),
    ("grandstream", Class::Iot),
    ("cisco systems, inc. ip phone", Class::Iot),
    ("cisco ap", Class::Network),
    ("arubaap", Class::Network),
    ("arubainstantap", Class::Network),
    ("ruckus", Class::Network),
    ("ubnt", Class::Network),
    ("aerohive", Class::Network),
];

/// How much of the beginning of a vendor class decides about the class of its client.
pub(crate) fn vendor_class_start(vendor_class: &str) -> usize {
    let lower = vendor_class.trim_start().to_ascii_lowercase();
    let blanks = vendor_class.len() - vendor_class.trim_start().len();
    VENDOR_CLASSES
        .iter()
        .find(|(start, _)| lower.starts_with(start))
        .map_or(0, |(start, _)| blanks + start.len())
}

/// By what a client tells the DHCP server about its vendor.
pub(super) fn of_vendor_class(vendor_class: &str) -> Option<(Class, String)> {
    let lower = vendor_class.trim().to_ascii_lowercase();
    let (_, class) = VENDOR_CLASSES.iter().find(|(start, _)| lower.starts_with(start))?;
    Some((*class, format!("its DHCP vendor class makes it {}", a(*class))))
}

/// By what a machine announces that it is.
pub(super) fn of_announcement(heard: &Heard<'_>) -> Option<(Class, String)> {
    let class = if heard.can(Capability::Telephone) {
        Class::Iot
    } else if heard.can(Capability::WlanAccessPoint)
        || heard.can(Capability::Bridge)
        || heard.can(Capability::Router)
    {
        Class::Network
    } else {
        return None;
    };
    let what = match class {
        Class::Iot => "a telephone",
        _ if heard.can(Capability::WlanAccessPoint) => "an access point",
        _ if heard.can(Capability::Bridge) => "a bridge",
        _ => "a router",
    };
    Some((class, format!("it announces itself as {what}")))
}

/// Of a device that a source reads.
pub(super) const fn of_role(role: DeviceRole) -> Class {
    match role {
        DeviceRole::Hypervisor => Class::Server,
        DeviceRole::Switch | DeviceRole::Router | DeviceRole::AccessPoint => Class::Network,
        DeviceRole::Other => Class::Unknown,
    }
}

const fn a(class: Class) -> &'static str {
    match class {
        Class::Server => "a server",
        Class::Workstation => "a workstation",
        Class::Iot => "a printer, telephone or the like",
        Class::Network => "a network device",
        Class::Unknown => "anything",
    }
}
