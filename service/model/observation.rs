//! One fact from one source at one time.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MacAddr, SourceName, Timestamp};

/// One fact, who says so, and since when it is known. Forwarding rows are kept apart, in columns
/// ([`super::FdbTable`]), and take this shape only when they are recorded or printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The source that reported it.
    pub source: SourceName,
    /// When it was read, Unix milliseconds.
    pub observed_at: Timestamp,
    /// What was read.
    #[serde(flatten)]
    pub fact: Fact,
}

/// The kinds of facts; a gap names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// Everything the source knows: it could not be reached at all.
    All,
    /// What the source itself is.
    Device,
    /// Its ports and interfaces.
    Interfaces,
    /// Networks it is connected to.
    Networks,
    /// DHCP leases.
    Leases,
    /// ARP and neighbour discovery caches.
    Neighbors,
    /// Bridge forwarding tables.
    Fdb,
    /// LLDP, CDP and MNDP neighbours.
    Lldp,
    /// Guests of a hypervisor.
    Guests,
    /// Addresses of guests, as seen inside them.
    GuestAddresses,
    /// Replies to a scan.
    Scan,
}

impl FactKind {
    /// The word used in JSON and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Device => "device",
            Self::Interfaces => "interfaces",
            Self::Networks => "networks",
            Self::Leases => "leases",
            Self::Neighbors => "neighbors",
            Self::Fdb => "fdb",
            Self::Lldp => "lldp",
            Self::Guests => "guests",
            Self::GuestAddresses => "guest_addresses",
            Self::Scan => "scan",
        }
    }
}

/// What a source can report. Texts are as the device sent them (decoded lossily): they are hostile until parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// What the source (or a node it manages) itself is: SNMP system group, RouterOS identity, a Proxmox node.
    Device(DeviceFact),
    /// One port or interface of a device.
    Interface(InterfaceFact),
    /// A network that the source has an address in: such addresses make hosts.
    Network {
        /// The prefix, host bits zero.
        #[schemars(with = "String")]
        prefix: IpNet,
        /// The interface that has the address.
        interface: Option<String>,
    },
    /// A DHCP lease or reservation.
    DhcpLease(LeaseFact),
    /// An ARP (RFC 826) or neighbour discovery (RFC 4861) cache entry.
    Neighbor {
        /// Link-layer address.
        mac: MacAddr,
        /// Network address.
        address: IpAddr,
        /// The interface of the source it was seen on.
        interface: Option<String>,
    },
    /// A learned forwarding row (IEEE 802.1D 7.9): this MAC was last seen on that port.
    FdbEntry {
        /// The device whose table it is.
        device: String,
        /// The port; absent if the device named one that resolves to nothing.
        port: Option<String>,
        /// The number the device gave, where it could not be resolved to a port.
        unresolved_port: Option<u32>,
        /// The learned address.
        mac: MacAddr,
        /// IEEE 802.1Q VLAN, 1 to 4094, where known.
        vlan: Option<u16>,
        /// Seconds since the address last sent something, where the device says.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        age: Option<u32>,
    },
    /// A neighbour announced by LLDP, CDP or MNDP.
    LldpNeighbor(NeighborFact),
    /// A guest of a hypervisor with its network cards.
    Guest(GuestFact),
    /// A host answered a scan.
    ScanReply {
        /// The address that answered.
        address: IpAddr,
        /// Its MAC, where it is on an attached network.
        mac: Option<MacAddr>,
        /// Its name by reverse DNS, where asked for.
        name: Option<String>,
    },
}

/// What a device is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceFact {
    /// The name everything else of this source refers to it by: the source's name, or the node's.
    pub device: String,
    /// Router, switch, access point or hypervisor node.
    pub role: DeviceRole,
    /// The name the device gives itself: sysName, RouterOS identity, node name.
    pub own_name: Option<String>,
    /// The address it was read at, if it was given as one.
    pub address: Option<IpAddr>,
    /// sysDescr, board name or version.
    pub description: Option<String>,
    /// Manufacturer, where it is known for certain.
    pub manufacturer: Option<String>,
    /// Model: ENTITY-MIB entPhysicalModelName, board-name.
    pub model: Option<String>,
    /// Serial number of the chassis.
    pub serial: Option<String>,
    /// LLDP chassis id as text, if the device says which it announces.
    pub chassis_id: Option<String>,
    /// Bridge base address and interface addresses: these are the device, not hosts behind it.
    pub macs: Vec<MacAddr>,
    /// Hypervisor cluster it belongs to.
    pub cluster: Option<String>,
}

/// What a network device does.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeviceRole {
    /// Forwards frames between its ports.
    #[default]
    Switch,
    /// Forwards packets; often a switch too.
    Router,
    /// Bridges a radio network.
    AccessPoint,
    /// Runs guests.
    Hypervisor,
    /// Reads as none of these.
    Other,
}

/// One interface of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceFact {
    /// The device it belongs to ([`DeviceFact::device`]).
    pub device: String,
    /// IF-MIB ifName, RouterOS name, bridge or bond of a node.
    pub name: String,
    /// IF-MIB ifIndex, where there is one.
    pub if_index: Option<u32>,
    /// What it is.
    pub kind: PortKind,
    /// Its own link-layer address.
    pub mac: Option<MacAddr>,
    /// IF-MIB ifAlias or a comment.
    pub alias: Option<String>,
    /// IF-MIB ifDescr, where it is not the name: some devices announce themselves by it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Megabits a second.
    pub speed_mbps: Option<u32>,
    /// Administratively enabled.
    pub enabled: Option<bool>,
    /// Link is up.
    pub up: Option<bool>,
    /// The aggregate (IEEE 802.1AX) it is a member of.
    pub lag: Option<String>,
    /// Bridge it is a port of.
    pub bridge: Option<String>,
    /// Port VLAN id (untagged).
    pub pvid: Option<u16>,
    /// VLAN that telephones on this port are told to use, beside that of the computer behind them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub voice_vlan: Option<u16>,
    /// Network addresses that the device has on it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<IpAddr>,
}

/// What an interface is; only [`PortKind::Physical`] takes a cable.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PortKind {
    /// A socket for a plug.
    #[default]
    Physical,
    /// IEEE 802.1AX aggregate, bond, trunk.
    Lag,
    /// A VLAN interface.
    Vlan,
    /// A bridge.
    Bridge,
    /// A radio.
    Wireless,
    /// A tunnel or PPP interface.
    Tunnel,
    /// Loopback, management-only software interface, anything else without a socket.
    Virtual,
}

/// A DHCP lease or reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseFact {
    /// The client's address, as the server knows it now.
    pub mac: MacAddr,
    /// The leased or reserved address; absent where only a pool is reserved.
    pub address: Option<IpAddr>,
    /// What the client calls itself. Not to be trusted.
    pub host_name: Option<String>,
    /// Whether it is in use.
    pub state: LeaseState,
    /// False for a reservation.
    pub dynamic: bool,
    /// Server or scope name.
    pub server: Option<String>,
    /// The administrator's comment.
    pub comment: Option<String>,
    /// DHCP client identifier (option 61).
    pub client_id: Option<String>,
    /// Vendor class (option 60).
    pub vendor_class: Option<String>,
    /// When it ends, where known.
    pub expires_at: Option<Timestamp>,
}

/// Whether a lease is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// A client holds it.
    Bound,
    /// Offered or reserved, not held at the moment, but seen before.
    Waiting,
    /// A reservation that no client has ever used.
    NeverSeen,
    /// Disabled or blocked by the administrator.
    Disabled,
}

/// A neighbour that announced itself on a port, or that a protocol between bridges betrays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeighborFact {
    /// The device that heard it ([`DeviceFact::device`]).
    pub device: String,
    /// The port that heard it; absent where the device does not say.
    pub port: Option<String>,
    /// `lldp`, `cdp`, `mndp`, `stp` or `lacp`; several protocols that agree are several facts.
    pub protocol: NeighborProtocol,
    /// Chassis MAC address (IEEE 802.1AB chassis id subtype 4, the sender of MNDP, the designated bridge of spanning tree, the
    /// system of LACP).
    pub chassis_mac: Option<MacAddr>,
    /// Chassis id as text, where it is no MAC (CDP device id included).
    pub chassis_id: Option<String>,
    /// The neighbour's port id, as text.
    pub port_id: Option<String>,
    /// The neighbour's port id where it is a MAC (port id subtype 3).
    pub port_mac: Option<MacAddr>,
    /// The neighbour's port description.
    pub port_description: Option<String>,
    /// The neighbour's system name.
    pub system_name: Option<String>,
    /// The neighbour's system description or platform.
    pub system_description: Option<String>,
    /// Management addresses.
    pub addresses: Vec<IpAddr>,
    /// What it says it is.
    pub capabilities: Vec<Capability>,
}

/// How a neighbour was heard.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NeighborProtocol {
    /// IEEE 802.1AB.
    #[default]
    Lldp,
    /// Cisco Discovery Protocol.
    Cdp,
    /// MikroTik Neighbor Discovery Protocol.
    Mndp,
    /// Spanning tree (IEEE 802.1D): another bridge is the designated one of the segment.
    Stp,
    /// Link aggregation (IEEE 802.1AX): the system at the other end of a member.
    Lacp,
}

impl NeighborProtocol {
    /// What people call it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Lldp => "LLDP",
            Self::Cdp => "CDP",
            Self::Mndp => "MNDP",
            Self::Stp => "spanning tree",
            Self::Lacp => "LACP",
        }
    }

    /// Whether it is made for machines to say who they are. The others only betray that something is there.
    pub const fn is_introduction(self) -> bool {
        matches!(self, Self::Lldp | Self::Cdp | Self::Mndp)
    }
}

/// LLDP system capabilities (IEEE 802.1AB 8.5.8) that matter here; CDP's are mapped to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Forwards frames.
    Bridge,
    /// Forwards packets.
    Router,
    /// Bridges a radio network.
    WlanAccessPoint,
    /// A telephone.
    Telephone,
    /// Only an end station.
    Station,
    /// Repeater, cable device, anything else.
    Other,
}

/// A guest of a hypervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestFact {
    /// Cluster name as configured, else as the hypervisor says: part of the identity.
    pub cluster: String,
    /// Number of the guest, unique in the cluster.
    pub id: u32,
    /// SMBIOS UUID, where there is one.
    pub uuid: Option<String>,
    /// Virtual machine or container.
    pub kind: GuestKind,
    /// Its configured name.
    pub name: Option<String>,
    /// The node it runs on.
    pub node: String,
    /// Whether it runs; `None` when the node could not be asked.
    pub running: Option<bool>,
    /// Virtual CPUs.
    pub vcpus: Option<u32>,
    /// Memory in mebibytes.
    pub memory_mib: Option<u64>,
    /// Disk in mebibytes.
    pub disk_mib: Option<u64>,
    /// Tags set in the hypervisor.
    pub tags: Vec<String>,
    /// Its network cards.
    pub nics: Vec<GuestNic>,
}

/// Virtual machine or container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuestKind {
    /// A QEMU/KVM virtual machine.
    Qemu,
    /// An LXC container.
    Lxc,
}

/// A network card of a guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestNic {
    /// `net0`, or the name inside the container.
    pub name: String,
    /// Its address; a card without one is not usable for anything here.
    pub mac: Option<MacAddr>,
    /// The node's bridge it is plugged into.
    pub bridge: Option<String>,
    /// VLAN tag.
    pub vlan: Option<u16>,
    /// Addresses, from configuration or seen inside, with their mask length where known.
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<IpNet>,
}
