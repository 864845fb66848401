//! A discovery as JSON, written while it is worded: no more than one candidate is in memory. Knows no output.

use std::cell::RefCell;

use serde::ser::{Serialize, SerializeSeq as _, SerializeStruct as _, Serializer};

use crate::model::candidate::Known;
use crate::model::{Collection, Discovery};
use crate::worker;

/// What is written of these collections: the JSON of [`Discovery`].
pub(crate) struct Writing<'c> {
    collections: &'c [Collection],
    known: &'c Known,
    /// Everything but candidates, once they are written.
    rest: RefCell<Discovery>,
}

impl<'c> Writing<'c> {
    /// Nothing is worded yet.
    pub(crate) fn new(collections: &'c [Collection], known: &'c Known) -> Self {
        Self { collections, known, rest: RefCell::default() }
    }

    /// What was found beside candidates.
    pub(crate) fn written(self) -> Discovery {
        self.rest.into_inner()
    }
}

impl Serialize for Writing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut whole = serializer.serialize_struct("Discovery", 4)?;
        // The order is that of the fields: what comes after the candidates is known when they are written.
        whole.serialize_field("candidates", &Candidates(self))?;
        let Discovery { candidates: _, links, conflicts, gaps } = &*self.rest.borrow();
        whole.serialize_field("links", links)?;
        whole.serialize_field("conflicts", conflicts)?;
        whole.serialize_field("gaps", gaps)?;
        whole.end()
    }
}

struct Candidates<'w, 'c>(&'w Writing<'c>);

impl Serialize for Candidates<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Writing { collections, known, rest } = self.0;
        let mut list = serializer.serialize_seq(None)?;
        let found =
            worker::correlate_each(collections, known, |candidate| list.serialize_element(&candidate))?;
        rest.replace(found);
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fact, FactKind, MacAddr, SourceName, Timestamp};

    #[test]
    fn it_is_the_json_of_a_whole_discovery() {
        let mut collection = Collection::new(SourceName::new("sw1"), Timestamp(0));
        let empty = collection.clone();
        let mac = |last| MacAddr::new([0, 0x16, 0x3e, 0, 0, last]);
        for last in 0..9 {
            collection.push_fdb("sw1", Ok(&format!("ether{}", last % 4)), mac(last), None);
            let address = [192, 0, 2, last / 2].into();
            collection.facts.push(Fact::Neighbor { mac: mac(last), address, interface: None });
        }
        collection.facts.push(Fact::Network { prefix: "192.0.2.0/24".parse().unwrap(), interface: None });
        collection.gap(FactKind::Leases, "timed out");
        for collection in [collection, empty] {
            let (collections, known) = ([collection], Known::default());
            let whole = worker::correlate(&collections, &known);
            let writing = Writing::new(&collections, &known);
            let text = serde_json::to_string_pretty(&writing).unwrap();
            assert_eq!(text, serde_json::to_string_pretty(&whole).unwrap());
            assert_eq!(writing.written(), Discovery { candidates: Vec::new(), ..whole });
        }
    }
}
