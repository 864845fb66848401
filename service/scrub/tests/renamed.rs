//! What a discovery says, in words that can be compared.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::model::{Attachment, Candidate, Conflict, Discovery, Identity, MacAddr, NameOrigin};
use crate::scrub::lexicon::{Lexicon, Mode};

/// Stands for whichever chassis id it is.
const CHASSIS: &str = "lldp";

/// What a discovery says under pseudonyms, without sentences: those are as long as before, and say the same.
pub(super) struct Renamed<'l>(pub(super) Option<&'l mut Lexicon>);

impl Renamed<'_> {
    fn text(&mut self, mode: Mode, text: &str) -> String {
        self.0.as_mut().map_or_else(|| text.to_owned(), |lexicon| lexicon.text(mode, text))
    }

    fn name(&mut self, text: &str) -> String {
        self.text(Mode::Name, text)
    }

    /// What has neither a name nor an address is called after its identity, with what no name can have replaced.
    fn own_name(&mut self, old: &Candidate) -> String {
        let is_spelled = old.name_origin == NameOrigin::Fallback && old.name.as_str().starts_with("device-");
        if is_spelled { "device-".to_owned() } else { self.name(old.name.as_str()) }
    }

    fn mac(&mut self, mac: MacAddr) -> MacAddr {
        self.0.as_mut().map_or(mac, |lexicon| lexicon.mac(mac))
    }

    fn address(&mut self, address: IpAddr) -> IpAddr {
        self.0.as_mut().map_or(address, |lexicon| lexicon.address(address))
    }

    fn identity(&mut self, identity: &Identity) -> String {
        match identity.as_str().split_once(':') {
            Some((kind, rest)) => format!("{kind}:{}", self.name(rest)),
            None => self.name(identity.as_str()),
        }
    }

    /// Which of several chassis ids names a device follows their order, and texts of two forms do not keep theirs.
    fn chosen(&mut self, identity: &Identity) -> String {
        if identity.as_str().starts_with("lldp:") { CHASSIS.to_owned() } else { self.identity(identity) }
    }

    fn sorted(values: impl IntoIterator<Item = Value>) -> Value {
        let mut texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        texts.sort();
        json!(texts)
    }

    fn attachment(&mut self, old: &Attachment) -> Value {
        let mut ports: Vec<(String, String)> = old
            .competing
            .iter()
            .map(|port| (self.name(&port.switch), self.text(Mode::Port, &port.port)))
            .collect();
        ports.sort();
        json!([self.name(&old.switch), self.text(Mode::Port, &old.port), old.vlan, old.exclusive, ports])
    }

    fn conflict(&mut self, conflict: &Conflict) -> Value {
        match conflict {
            Conflict::DuplicateAddress { address, macs } => {
                let macs = macs.iter().map(|mac| json!(self.mac(*mac)));
                json!(["address", Self::sorted(macs.collect::<Vec<_>>()), self.address(*address)])
            }
            Conflict::SeveralPorts { mac, ports } => {
                let ports: Vec<Value> = ports
                    .iter()
                    .map(|port| json!([self.name(&port.switch), self.text(Mode::Port, &port.port)]))
                    .collect();
                json!(["ports", self.mac(*mac), Self::sorted(ports)])
            }
            Conflict::DuplicateName { name, identities } => {
                let identities: Vec<Value> = identities.iter().map(|one| json!(self.chosen(one))).collect();
                json!(["name", self.name(name.as_str()), Self::sorted(identities)])
            }
            Conflict::LinkDisagrees { claims } => json!(["links", claims.len()]),
        }
    }

    fn candidate(&mut self, old: &Candidate) -> Value {
        let mut cards = Vec::new();
        for card in &old.interfaces {
            let addresses: BTreeSet<IpAddr> = card.addresses.iter().map(|one| self.address(*one)).collect();
            let masks: BTreeSet<(IpAddr, u8)> =
                card.masks.iter().map(|(one, length)| (self.address(*one), *length)).collect();
            let dhcp: BTreeSet<IpAddr> = card.dhcp.iter().map(|one| self.address(*one)).collect();
            cards.push(json!([
                card.mac.map(|mac| self.mac(mac)),
                card.name.as_ref().map(|name| self.text(Mode::Port, name)),
                addresses,
                card.attachment.as_ref().map(|one| self.attachment(one)),
                masks,
                dhcp,
                card.kind,
                card.unattached_reason.is_some(),
            ]));
        }
        let option = |renamed: &mut Self, text: &Option<String>| text.as_ref().map(|text| renamed.name(text));
        let sources: BTreeSet<String> = old.sources.iter().map(|name| self.name(name)).collect();
        let others: BTreeSet<String> = old.other_names.iter().map(|name| self.name(name)).collect();
        let mut aliases: BTreeSet<String> = old.aliases.iter().map(|one| self.identity(one)).collect();
        let identity = self.chosen(&old.identity);
        if identity == CHASSIS {
            aliases.insert(self.identity(&old.identity));
        }
        let conflicts: Vec<Value> = old.conflicts.iter().map(|one| self.conflict(one)).collect();
        json!({
            "identity": identity, "kind": old.kind, "origin": old.name_origin, "class": old.class,
            "name": self.own_name(old), "cards": Self::sorted(cards), "confidence": old.confidence,
            "reasons": old.reasons.len(), "sources": sources, "conflicts": Self::sorted(conflicts), "aliases": aliases,
            "evidence only": old.evidence_only.is_some(), "others": others, "evidence": old.evidence.len(),
            "serial": old.serial.as_ref().map(|text| self.text(Mode::Serial, text)),
            "device": option(self, &old.device), "cluster": option(self, &old.cluster), "node": option(self, &old.node),
        })
    }

    /// All of it, a line each, sorted.
    pub(super) fn discovery(&mut self, old: &Discovery) -> Vec<String> {
        let candidates = old.candidates.iter().map(|one| self.candidate(one).to_string()).collect::<Vec<_>>();
        let mut links = Vec::new();
        for link in &old.links {
            let mut ends =
                [&link.a, &link.b].map(|end| (self.name(&end.switch), self.text(Mode::Port, &end.port)));
            ends.sort();
            // Which end comes first decides which word is the reverse one.
            let words: BTreeSet<&str> =
                link.evidence.iter().map(|word| word.trim_end_matches("-reverse")).collect();
            links.push(json!([ends, words, link.confidence]).to_string());
        }
        let conflicts: Vec<String> = old.conflicts.iter().map(|one| self.conflict(one).to_string()).collect();
        let gaps = old.gaps.iter().map(|gap| json!([self.name(gap.source.as_str()), gap.facts]).to_string());
        let mut all: Vec<String> = gaps.collect();
        all.extend(candidates.into_iter().chain(links).chain(conflicts));
        all.sort();
        all
    }
}
