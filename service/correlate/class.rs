//! The suggested class of a machine, with the reason. Only a suggestion: a person chooses. What a machine does counts more than
//! what it says, and that more than what its vendor makes.

use super::neighbors::Heard;
use crate::model::observation::{Capability, DeviceRole};
use crate::model::{Class, MacAddr};

/// One suggestion. The order is the precedence: the first counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sign {
    strength: Strength,
    /// What it suggests.
    pub class: Class,
    /// Why, in words.
    pub why: String,
}

/// How much a suggestion says, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// A source reads it or runs it.
    Read,
    /// It announces what it is.
    Announced,
    /// It tells a DHCP server.
    VendorClass,
    /// Its address is of a range that hypervisors give their guests.
    GuestAddress,
    /// What its vendor makes.
    Vendor,
}

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

/// Vendors that make one kind of machine above all, as [`vendor`] names them, by how the name begins. Vendors of everything
/// (Huawei, Samsung, Dell, HP, Intel) are not here: their name says nothing. Whole words.
const VENDORS: &[(&str, Class)] = &[
    ("allied telesis", Class::Network),
    ("amazon technologies", Class::Iot),
    ("apple", Class::Workstation),
    ("arista", Class::Network),
    ("arlo", Class::Iot),
    ("aruba", Class::Network),
    ("avm", Class::Network),
    ("axis communications", Class::Iot),
    ("brocade", Class::Network),
    ("brother industries", Class::Iot),
    ("canon", Class::Iot),
    ("check point", Class::Network),
    ("cisco", Class::Network),
    ("d-link", Class::Network),
    ("draytek", Class::Network),
    ("ecobee", Class::Iot),
    ("edgecore", Class::Network),
    ("eero", Class::Network),
    ("espressif", Class::Iot),
    ("extreme networks", Class::Network),
    ("fairphone", Class::Workstation),
    ("fortinet", Class::Network),
    ("grandstream", Class::Iot),
    ("guangdong oppo", Class::Workstation),
    ("hangzhou hikvision", Class::Iot),
    ("htc", Class::Workstation),
    ("juniper networks", Class::Network),
    ("konica minolta", Class::Iot),
    ("kyocera document solutions", Class::Iot),
    ("lancom", Class::Network),
    ("lexmark", Class::Iot),
    ("motorola mobility", Class::Workstation),
    ("nest labs", Class::Iot),
    ("netgear", Class::Network),
    ("new h3c", Class::Network),
    ("oneplus", Class::Workstation),
    ("palo alto networks", Class::Network),
    ("philips lighting", Class::Iot),
    ("polycom", Class::Iot),
    ("procurve", Class::Network),
    ("qnap", Class::Server),
    ("reolink", Class::Iot),
    ("ricoh", Class::Iot),
    ("ring", Class::Iot),
    ("roku", Class::Iot),
    ("routerboard", Class::Network),
    ("ruckus", Class::Network),
    ("seiko epson", Class::Iot),
    ("signify", Class::Iot),
    ("snom", Class::Iot),
    ("sonicwall", Class::Network),
    ("sonos", Class::Iot),
    ("sophos", Class::Network),
    ("super micro", Class::Server),
    ("synology", Class::Server),
    ("tuya", Class::Iot),
    ("ubiquiti", Class::Network),
    ("vivo mobile", Class::Workstation),
    ("watchguard technologies", Class::Network),
    ("xerox", Class::Iot),
    ("yealink", Class::Iot),
    ("zebra technologies", Class::Iot),
    ("zhejiang dahua", Class::Iot),
    ("zyxel", Class::Network),
];

/// Ranges that hypervisors give the cards of their guests: `VMware` (00:05:69, 00:0C:29, 00:1C:14, 00:50:56), Hyper-V, Xen,
/// `VirtualBox`, Parallels, Proxmox VE (since 8.0), and QEMU's own, which is locally administered.
const GUEST_RANGES: &[([u8; 3], &str)] = &[
    ([0x00, 0x05, 0x69], "VMware"),
    ([0x00, 0x0c, 0x29], "VMware"),
    ([0x00, 0x1c, 0x14], "VMware"),
    ([0x00, 0x50, 0x56], "VMware"),
    ([0x00, 0x15, 0x5d], "Hyper-V"),
    ([0x00, 0x16, 0x3e], "Xen"),
    ([0x08, 0x00, 0x27], "VirtualBox"),
    ([0x00, 0x1c, 0x42], "Parallels"),
    ([0xbc, 0x24, 0x11], "Proxmox VE"),
    ([0x52, 0x54, 0x00], "QEMU"),
];

/// By whom its address belongs to.
pub(super) fn of_address(mac: MacAddr, vendor: Option<&str>) -> Option<Sign> {
    if let Some((_, hypervisor)) = GUEST_RANGES.iter().find(|(range, _)| *range == mac.oui()) {
        let why = format!("its address is one that {hypervisor} gives guests");
        return Some(Sign { strength: Strength::GuestAddress, class: Class::Server, why });
    }
    let vendor = vendor?;
    let lower = vendor.to_lowercase();
    let begins_with =
        |start: &str| lower.strip_prefix(start).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    let (_, class) = VENDORS.iter().find(|(start, _)| begins_with(start))?;
    let why = format!("its vendor {vendor} suggests {}", a(*class));
    Some(Sign { strength: Strength::Vendor, class: *class, why })
}

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
pub(super) fn of_vendor_class(vendor_class: &str) -> Option<Sign> {
    let lower = vendor_class.trim().to_ascii_lowercase();
    let (_, class) = VENDOR_CLASSES.iter().find(|(start, _)| lower.starts_with(start))?;
    let why = format!("its DHCP vendor class makes it {}", a(*class));
    Some(Sign { strength: Strength::VendorClass, class: *class, why })
}

/// By what a machine announces that it is.
pub(super) fn of_announcement(heard: &Heard<'_>) -> Option<Sign> {
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
    Some(Sign { strength: Strength::Announced, class, why: format!("it announces itself as {what}") })
}

/// Of a device that a source reads; none if its role says nothing.
pub(super) fn of_role(role: DeviceRole, in_words: &str) -> Option<Sign> {
    let class = match role {
        DeviceRole::Hypervisor => Class::Server,
        DeviceRole::Switch | DeviceRole::Router | DeviceRole::AccessPoint => Class::Network,
        DeviceRole::Other => return None,
    };
    Some(Sign { strength: Strength::Read, class, why: format!("it is {in_words}") })
}

/// Of a guest.
pub(super) fn of_guest() -> Sign {
    let why = "it is a guest of a hypervisor".to_owned();
    Sign { strength: Strength::Read, class: Class::Server, why }
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
