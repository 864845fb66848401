//! What correlation concludes: hosts, links and contradictions. The JSON of `surveyor discover --json` is made of these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Gap, HostName, MacAddr};

/// Who a candidate is, from one run to the next: `mac:52:54:00:12:34:56`, `pve:lab/101/<uuid or MACs>`, `lldp:<chassis>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Identity(pub String);

impl Identity {
    /// A host known by one MAC address.
    pub fn of_mac(mac: MacAddr) -> Self {
        Self(format!("mac:{}", mac.lower()))
    }

    /// The identity as written to NetBox.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What NetBox object a candidate becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// `dcim.Device`: a host, switch, router or hypervisor node.
    Device,
    /// `virtualization.VirtualMachine`: a guest.
    VirtualMachine,
}

/// Where a name comes from. The order is the precedence: a later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameOrigin {
    /// Nothing names it: `host-<mac>`.
    Fallback,
    /// Reverse DNS during a scan.
    Scan,
    /// What the device announces by LLDP, CDP or MNDP.
    Lldp,
    /// The hypervisor's name of a guest.
    Proxmox,
    /// The name the client gave the DHCP server.
    Dhcp,
    /// The network's own device: the name it is read under.
    Device,
}

impl NameOrigin {
    /// The word used in JSON and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Scan => "scan",
            Self::Lldp => "lldp",
            Self::Proxmox => "proxmox",
            Self::Dhcp => "dhcp",
            Self::Device => "device",
        }
    }
}

/// A suggestion of what kind of machine it is; maps to role and device type in the configuration.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Offers services: hypervisors, storage, guests.
    Server,
    /// A person's computer or telephone.
    Workstation,
    /// Printers, sensors, cameras.
    Iot,
    /// Switches, routers, access points.
    Network,
    /// Nothing says.
    #[default]
    Unknown,
}

impl Class {
    /// The value of the custom field `surveyor_class`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Workstation => "workstation",
            Self::Iot => "iot",
            Self::Network => "network",
            Self::Unknown => "unknown",
        }
    }
}

/// The switch port a MAC hangs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// The switch, by the name of its source or node.
    pub switch: String,
    /// The port's name.
    pub port: String,
    /// VLAN the address was learned in, where known and only one.
    pub vlan: Option<u16>,
    /// Whether this MAC (with the other MACs of the same machine) is alone on the port: only then is a cable proposed.
    pub exclusive: bool,
    /// Other ports that claim the same MAC and could not be ruled out.
    pub competing: Vec<Competing>,
}

/// A port that also claims a MAC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Competing {
    /// The switch.
    pub switch: String,
    /// The port.
    pub port: String,
}

/// One network card of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateInterface {
    /// Its address; absent for ports of network devices that do not say.
    pub mac: Option<MacAddr>,
    /// Its name, where one is known (`net0`, `ether5`).
    pub name: Option<String>,
    /// Addresses seen on it, within known networks, sorted.
    pub addresses: Vec<IpAddr>,
    /// Where it hangs.
    pub attachment: Option<Attachment>,
    /// Mask lengths that sources reported with the addresses.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub masks: BTreeMap<IpAddr, u8>,
    /// Addresses that a DHCP server manages.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub dhcp: BTreeSet<IpAddr>,
    /// IANA-like kind for a network device's port: `physical`, `lag`, `wireless` and so on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<super::observation::PortKind>,
    /// Where nothing could be said about the attachment, why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unattached_reason: Option<String>,
}

/// Size of a guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Virtual CPUs.
    pub vcpus: Option<u32>,
    /// Memory in mebibytes.
    pub memory_mib: Option<u64>,
    /// Disk in mebibytes.
    pub disk_mib: Option<u64>,
}

/// One host (or network device, or guest) that sources agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Who it is.
    pub identity: Identity,
    /// What it becomes.
    pub kind: CandidateKind,
    /// Its name: always a valid host name, `host-<mac>` if nothing names it.
    pub name: HostName,
    /// Where the name comes from.
    pub name_origin: NameOrigin,
    /// What kind of machine it seems to be.
    pub class: Class,
    /// Its network cards, sorted by MAC, then name.
    pub interfaces: Vec<CandidateInterface>,
    /// 0 to 100.
    pub confidence: u8,
    /// Why, in words; stable order.
    pub reasons: Vec<String>,
    /// Sources that say so, sorted.
    pub sources: Vec<String>,
    /// Contradictions that concern it.
    pub conflicts: Vec<Conflict>,
    /// Further identities it is known by (all MACs); decisions match on any.
    #[serde(default)]
    pub aliases: BTreeSet<Identity>,
    /// Set when it should not be staged, with the reason (policy, hypervisor gap): evidence only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence_only: Option<String>,
    /// Names seen that are not valid host names or lost against another, escaped only when printed in Markdown.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub other_names: Vec<String>,
    /// Chassis serial number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serial: Option<String>,
    /// Manufacturer and model, where a device says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manufacturer: Option<String>,
    /// See `manufacturer`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// Set for the network's own devices: the name that attachments and links refer to it by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<String>,
    /// Cluster of a guest or node.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cluster: Option<String>,
    /// Node a guest runs on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// Size of a guest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resources: Option<Resources>,
    /// The evidence, one line each: source, what it says. No times.
    #[serde(default)]
    pub evidence: Vec<EvidenceLine>,
}

/// One deciding observation, in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceLine {
    /// The source.
    pub source: String,
    /// What it says: `DHCP lease 192.0.2.10, host name "printer"`. Texts of the network are as sent: escape before printing.
    pub says: String,
}

/// Sources contradict each other, or one contradicts what is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "conflict", rename_all = "snake_case")]
pub enum Conflict {
    /// Two MACs claim one address.
    DuplicateAddress {
        /// The address.
        address: IpAddr,
        /// Who claims it.
        macs: Vec<MacAddr>,
    },
    /// One MAC on several edge ports.
    SeveralPorts {
        /// The address.
        mac: MacAddr,
        /// The ports.
        ports: Vec<Competing>,
    },
    /// Two candidates want one name.
    DuplicateName {
        /// The name.
        name: HostName,
        /// Who wants it.
        identities: Vec<Identity>,
    },
    /// Sources disagree on a link.
    LinkDisagrees {
        /// Both claims, in words.
        claims: Vec<String>,
    },
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LinkEnd {
    /// The switch.
    pub switch: String,
    /// The port.
    pub port: String,
}

/// Evidence that more than two ports share the segment, or that addresses lie in between: a link, but no single cable.
pub const SHARED_SEGMENT: &str = "shared-segment";

/// A cable between two known network devices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// The end that sorts first.
    pub a: LinkEnd,
    /// The other end.
    pub b: LinkEnd,
    /// What shows it: `lldp`, `lldp-reverse`, `cdp`, `cdp-reverse`, `mndp`, `fdb`, `edge-port`, `stp`, `lacp`.
    pub evidence: Vec<String>,
    /// 0 to 100.
    pub confidence: u8,
}

/// The whole result of a run: what `discover --json` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discovery {
    /// Hosts, sorted by identity.
    pub candidates: Vec<Candidate>,
    /// Cables between network devices, sorted.
    pub links: Vec<Link>,
    /// All contradictions, sorted.
    pub conflicts: Vec<Conflict>,
    /// What could not be read, sorted.
    pub gaps: Vec<Gap>,
}

/// What correlation needs to know beyond observations: from NetBox (where there is one) and from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// NetBox prefixes (active or reserved, not containers): addresses within make hosts.
    pub prefixes: Vec<IpNet>,
    /// Ports of switches with a *connected* cable to another network device, as (device name, port).
    pub uplinks: BTreeSet<(String, String)>,
    /// MACs that NetBox documents on a device's interfaces: these may be staged though locally administered.
    pub documented_macs: BTreeSet<MacAddr>,
    /// Whether locally administered MACs without a lease name or a NetBox match are staged.
    pub stage_random_macs: bool,
}
