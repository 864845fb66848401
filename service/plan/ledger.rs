//! The ledger: what Surveyor last wrote to an object, what it made for it, and what was there before. It lives in NetBox, in the
//! hidden custom field `surveyor_ledger`, so that losing the local database loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fields;
use crate::model::ObjectKind;

/// Contents of `surveyor_ledger`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Hash of the claim that the proposal shows.
    pub claim: String,
    /// Values last written, by field name; what differs now was set by a person and stays.
    pub values: BTreeMap<String, Value>,
    /// Sources that the claim rests on.
    pub sources: Vec<String>,
    /// Mask lengths that sources reported, for addresses outside every prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub masks: BTreeMap<IpAddr, u8>,
    /// Addresses that a DHCP server manages.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub dhcp: BTreeSet<IpAddr>,
    /// All identities it is known by, for tombstones.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<String>,
    /// Objects that approval made: kind and id (or a reference, while planned).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
    /// Names of interfaces that approval is about to make: written first, so that one whose answer was lost is still known as ours.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub making: BTreeSet<String>,
    /// Fields that approval changed on objects that it did not make, with the values before and after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
    /// Proposal fields emptied when applied: roll back puts them back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub emptied: BTreeMap<String, Fields>,
    /// Hash of what was refused last, so that the same refusal is not written twice.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub refused: String,
    /// How often it was approved or rolled back: part of journal keys, so that a second approval is journalled again.
    #[serde(skip_serializing_if = "is_zero")]
    pub round: u32,
}

/// An object that approval made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Its model.
    pub kind: ObjectKind,
    /// Its id, or a reference while planned.
    pub id: Value,
}

/// A change to an object that was there before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Its model.
    pub kind: ObjectKind,
    /// Its id.
    pub id: i64,
    /// Fields before.
    pub before: Fields,
    /// Fields after; references while planned.
    pub after: Fields,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(round: &u32) -> bool {
    *round == 0
}

impl Ledger {
    /// Reads the custom field; an unreadable ledger is an empty one (everything then counts as a person's).
    pub fn read(value: Option<&Value>) -> Self {
        value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
    }

    /// The value of the custom field.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}
