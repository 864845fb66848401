//! NetBox's objects, by NetBox's names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares the object kinds once: variant, content type, REST path.
macro_rules! object_kinds {
    ($($variant:ident, $content_type:literal, $path:literal;)*) => {
        /// A NetBox model that Surveyor reads or writes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ObjectKind {
            $(#[doc = concat!("NetBox model `", $content_type, "`.")] $variant,)*
        }

        impl ObjectKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// `app.model`, as in `assigned_object_type`.
            pub const fn content_type(self) -> &'static str {
                match self { $(Self::$variant => $content_type,)* }
            }

            /// Path of the list below `/api/`, with a slash at the end.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$variant => $path,)* }
            }

            /// The kind with this `app.model`.
            pub fn from_content_type(content_type: &str) -> Option<Self> {
                match content_type { $($content_type => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

object_kinds! {
    Site, "dcim.site", "dcim/sites/";
    Manufacturer, "dcim.manufacturer", "dcim/manufacturers/";
    DeviceType, "dcim.devicetype", "dcim/device-types/";
    DeviceRole, "dcim.devicerole", "dcim/device-roles/";
    Device, "dcim.device", "dcim/devices/";
    Interface, "dcim.interface", "dcim/interfaces/";
    MacAddress, "dcim.macaddress", "dcim/mac-addresses/";
    Cable, "dcim.cable", "dcim/cables/";
    ClusterType, "virtualization.clustertype", "virtualization/cluster-types/";
    Cluster, "virtualization.cluster", "virtualization/clusters/";
    VirtualMachine, "virtualization.virtualmachine", "virtualization/virtual-machines/";
    VmInterface, "virtualization.vminterface", "virtualization/interfaces/";
    IpAddress, "ipam.ipaddress", "ipam/ip-addresses/";
    Prefix, "ipam.prefix", "ipam/prefixes/";
    Tag, "extras.tag", "extras/tags/";
    CustomFieldChoiceSet, "extras.customfieldchoiceset", "extras/custom-field-choice-sets/";
    CustomField, "extras.customfield", "extras/custom-fields/";
    CustomLink, "extras.customlink", "extras/custom-links/";
    SavedFilter, "extras.savedfilter", "extras/saved-filters/";
    TableConfig, "extras.tableconfig", "extras/table-configs/";
    Webhook, "extras.webhook", "extras/webhooks/";
    EventRule, "extras.eventrule", "extras/event-rules/";
    JournalEntry, "extras.journalentry", "extras/journal-entries/";
    User, "users.user", "users/users/";
    Group, "users.group", "users/groups/";
    Permission, "users.objectpermission", "users/permissions/";
    Token, "users.token", "users/tokens/";
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.content_type())
    }
}

/// One NetBox object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// Its model.
    pub kind: ObjectKind,
    /// Its primary key.
    pub id: i64,
}

impl ObjectRef {
    /// The object of this model with this primary key.
    pub const fn new(kind: ObjectKind, id: i64) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for ObjectRef {
    /// `dcim.device/12`, the form commands accept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.content_type(), self.id)
    }
}
