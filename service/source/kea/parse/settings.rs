//! The configuration of a server or an agent, as `config-get` gives it: subnets, reservations, who is behind an agent. Pure.
//!
//! The configuration holds passwords: only what is named here is taken out of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::lease::hardware;
use super::{Answer, comment, text};
use crate::model::{Fact, MacAddr};
use crate::source::identifier::octets;

/// What is of use in a server's configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Settings {
    subnets: BTreeMap<i64, (IpNet, Option<String>)>,
    reservations: Vec<Reservation>,
}

/// An address that the administrator keeps for one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reservation {
    pub(super) mac: Option<MacAddr>,
    /// Client identifier or DUID, if it is told by that.
    identifier: Option<Vec<u8>>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) host_name: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) subnet: Option<IpNet>,
}

impl Reservation {
    /// Whether it is told by one of these identifiers.
    pub(super) fn is_of(&self, identifiers: [Option<&str>; 2]) -> bool {
        self.identifier.as_ref().is_some_and(|own| {
            identifiers.into_iter().flatten().any(|text| octets(text).as_ref() == Some(own))
        })
    }
}

/// Whether an agent answered, and no server: it gave its own configuration.
pub(in super::super) fn is_agent(answer: &Answer) -> bool {
    answer.arguments.contains_key("Control-agent")
}

/// The services that an answer to `config-get` without a service speaks of: those behind an agent, or the server itself.
pub(in super::super) fn agent_services(answer: &Answer) -> Vec<String> {
    let member =
        |members: &Map<String, Value>, name: &str| members.get(name).and_then(Value::as_object).cloned();
    match member(&answer.arguments, "Control-agent").map(|agent| member(&agent, "control-sockets")) {
        Some(sockets) => sockets.unwrap_or_default().keys().cloned().collect(),
        None => answer.arguments.keys().map(|name| name.to_ascii_lowercase()).collect(),
    }
}

/// The answer to `config-get` of a server.
pub(in super::super) fn settings(answer: &Answer) -> Settings {
    let mut settings = Settings::default();
    for (name, family) in [("Dhcp4", "subnet4"), ("Dhcp6", "subnet6")] {
        let Some(server) = answer.arguments.get(name).and_then(Value::as_object) else { continue };
        settings.take_reservations(server, None);
        let networks = objects(server, "shared-networks");
        for holder in std::iter::once(server).chain(networks) {
            for subnet in objects(holder, family) {
                let prefix = text(subnet, "subnet").and_then(|text| text.parse::<IpNet>().ok());
                if let (Some(id), Some(prefix)) = (subnet.get("id").and_then(Value::as_i64), prefix) {
                    let interface = text(subnet, "interface").or_else(|| text(holder, "interface"));
                    settings.subnets.insert(id, (prefix.trunc(), interface.map(str::to_owned)));
                }
                settings.take_reservations(subnet, prefix.map(|prefix| prefix.trunc()));
            }
        }
    }
    settings
}

impl Settings {
    fn take_reservations(&mut self, holder: &Map<String, Value>, subnet: Option<IpNet>) {
        for one in objects(holder, "reservations") {
            let single = text(one, "ip-address").into_iter();
            let several = one.get("ip-addresses").and_then(Value::as_array).into_iter().flatten();
            let addresses =
                single.chain(several.filter_map(Value::as_str)).filter_map(|text| text.parse().ok());
            self.reservations.push(Reservation {
                mac: text(one, "hw-address").and_then(hardware),
                identifier: text(one, "client-id").or_else(|| text(one, "duid")).and_then(octets),
                addresses: addresses.collect(),
                host_name: text(one, "hostname").map(str::to_owned),
                comment: comment(one),
                subnet,
            });
        }
    }

    /// The networks that are served: whoever gives addresses out in them has them.
    pub(in super::super) fn networks(&self) -> impl Iterator<Item = Fact> + '_ {
        self.subnets
            .values()
            .map(|(prefix, interface)| Fact::Network { prefix: *prefix, interface: interface.clone() })
    }

    /// The prefix of a subnet.
    pub(super) fn subnet(&self, id: i64) -> Option<IpNet> {
        self.subnets.get(&id).map(|(prefix, _)| *prefix)
    }

    pub(super) fn reservations(&self) -> &[Reservation] {
        &self.reservations
    }

    /// How much there is, in words.
    pub(in super::super) fn summary(&self) -> String {
        format!("{} subnets, {} reservations", self.subnets.len(), self.reservations.len())
    }
}

fn objects<'a>(members: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    members.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
