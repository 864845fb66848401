//! The claim: what is said about a host, without when, how often or how sure. A run with the same claim writes nothing.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::model::Candidate;

/// Sixteen hexadecimal digits over names, addresses, attachments, kind and the sources that say so.
pub fn claim_hash(candidate: &Candidate) -> String {
    let interfaces: Vec<_> = candidate
        .interfaces
        .iter()
        .map(|interface| {
            let attachment = interface.attachment.as_ref().map(|attachment| {
                let competing = sorted(&attachment.competing);
                (&attachment.switch, &attachment.port, attachment.vlan, attachment.exclusive, competing)
            });
            (interface.mac, &interface.name, &interface.addresses, attachment)
        })
        .collect();
    let claim = (
        &candidate.identity,
        candidate.kind,
        &candidate.name,
        &candidate.other_names,
        interfaces,
        &candidate.sources,
        sorted(&candidate.conflicts),
    );
    short_hash(&serde_json::to_string(&claim).unwrap_or_default())
}

/// Objects with their fields in the order of the alphabet: the order in a type may change, a claim must not.
fn sorted<T: Serialize>(objects: &[T]) -> Vec<Value> {
    objects.iter().map(|object| json!(object)).collect()
}

/// Sixteen hexadecimal digits of SHA-256.
pub(crate) fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::correlate;
    use crate::model::candidate::Known;
    use crate::model::{Collection, SourceName, Timestamp};

    /// Claims are in NetBox: one that is spelt otherwise would propose everything anew.
    #[test]
    fn a_claim_is_spelt_as_ever() {
        let mut switches = Vec::new();
        for (name, port) in [("sw1", "e1"), ("sw2", "e2")] {
            let mut collection = Collection::new(SourceName::new(name), Timestamp(0));
            let mac = crate::model::MacAddr::new([0, 0x1b, 0x68, 0x31, 0, 0]);
            collection.push_fdb(name, Ok(port), mac, Some(10));
            switches.push(collection);
        }
        let found = correlate(&switches, &Known::default());
        let candidate = found.candidates.first().unwrap();
        let spelt = concat!(
            r#"["mac:00:1b:68:31:00:00","device","host-001b68310000",[],"#,
            r#"[["00:1B:68:31:00:00",null,[],["sw1","e1",10,false,[{"port":"e2","switch":"sw2"}]]]],"#,
            r#"["sw1","sw2"],[{"conflict":"several_ports","mac":"00:1B:68:31:00:00","#,
            r#""ports":[{"port":"e1","switch":"sw1"},{"port":"e2","switch":"sw2"}]}]]"#
        );
        assert_eq!(claim_hash(candidate), short_hash(spelt));
    }
}
