//! Why a candidate is what it is said to be: what `surveyor explain --json` prints, and what a journal entry is made of.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Candidate, Class, Gap, Identity, Link, MacAddr, NameOrigin};

/// The whole reasoning for one host, network device or guest. Texts of the network are as sent: escape before printing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// What it is and where it hangs, in one sentence; or why nothing is proposed from these observations.
    pub conclusion: String,
    /// What follows from the observations; absent if no candidate does.
    pub candidate: Option<Candidate>,
    /// Every observation of it, sorted.
    pub observations: Vec<ExplainedObservation>,
    /// Its network cards, in the order of the candidate's.
    pub cards: Vec<ExplainedCard>,
    /// Every name that something wants for it, best first.
    pub names: Vec<ExplainedName>,
    /// Every suggestion of what it is, strongest first.
    pub classes: Vec<ExplainedClass>,
    /// What its confidence is made of, heaviest first.
    pub weights: Vec<ExplainedWeight>,
    /// Cables between it and other network devices.
    pub links: Vec<Link>,
    /// What could not be read in that run: what is missing above may be there.
    pub gaps: Vec<Gap>,
    /// What NetBox has for it, and what staging does with it; absent without NetBox.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub netbox: Option<String>,
}

/// One observation, and whether it counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedObservation {
    /// The source.
    pub source: String,
    /// What it says.
    pub says: String,
    /// Why it does not count; absent if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ignored: Option<String>,
}

/// What became of one possibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is the answer.
    Kept,
    /// It speaks against the answer and could not be ruled out.
    Competing,
    /// It was ruled out, or lost.
    Dropped,
}

impl Verdict {
    /// The word used in JSON and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Competing => "competing",
            Self::Dropped => "dropped",
        }
    }
}

/// One network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedCard {
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its name, where one is known.
    pub name: Option<String>,
    /// Network addresses that something claims for it.
    pub addresses: Vec<ExplainedAddress>,
    /// Every port that learned it or heard it, the answer first.
    pub ports: Vec<ExplainedPort>,
    /// Where nothing could be said about where it hangs, why.
    pub unattached: Option<String>,
}

/// A network address that something claims for a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedAddress {
    /// The address.
    pub address: IpAddr,
    /// Whether the card has it.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// A port that learned or heard a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedPort {
    /// The switch.
    pub switch: String,
    /// The port.
    pub port: String,
    /// The VLAN, where known and only one.
    pub vlan: Option<u16>,
    /// Whether the card hangs there.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// A name that something wants for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedName {
    /// The name as sent.
    pub name: String,
    /// Where it comes from.
    pub origin: NameOrigin,
    /// The sources that say so, sorted.
    pub sources: Vec<String>,
    /// Whether it is called so.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// A suggestion of what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedClass {
    /// The suggestion.
    pub class: Class,
    /// Whether it is the one that counts.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// What one kind of evidence does to the confidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedWeight {
    /// The kind of evidence, in words.
    pub evidence: String,
    /// How much of the remaining doubt it removes, in percent.
    pub percent: u8,
}

/// What `surveyor explain --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanations {
    /// What was asked for.
    pub asked: String,
    /// Everything that answers to it: one host, unless several have or claim what was asked for.
    pub hosts: Vec<Explanation>,
}

/// A candidate that is called almost like what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Near {
    /// Who it is.
    pub identity: Identity,
    /// What is like what was asked for: a name, a MAC address, a network address.
    pub called: String,
}
