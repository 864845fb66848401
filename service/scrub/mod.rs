//! Pseudonyms for a recording, so that it can be sent to somebody else: names, texts, MAC and IP addresses, serial numbers. Pure: the
//! key comes from outside, is new each time, and is written nowhere.
//!
//! What correlation depends on stays: equal stays equal, and the order of names and of MAC addresses stays, because ties are broken
//! by it. So the candidates of a scrubbed recording are those of the original under other names. Kept are:
//!
//! - of MAC addresses the vendor part; group addresses and those of virtual routers;
//! - of IP addresses which prefixes they share; special ones (unspecified, loopback, link-local, multicast) stay what they are, private
//!   ones private, public ones public. Documentation networks become private ones;
//! - of names the number and length of labels, which characters are letters and digits, upper and lower case: what is no host name
//!   remains none. A MAC or IP address inside a name or text is the same pseudonym as elsewhere;
//! - port names as vendors give them, versions, products, and numbers of at most three digits.

mod addresses;
mod draw;
mod facts;
mod lexer;
mod lexicon;
mod macs;
mod reason;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

use crate::model::Collection;
use lexicon::Lexicon;

/// What pseudonyms are made from: random, new for each recording, kept nowhere.
#[derive(Clone)]
pub struct Key(pub [u8; 32]);

/// How often other pseudonyms are tried where one turned out to be something that is in the original.
const TRIES: u32 = 24;

/// The recording under pseudonyms.
pub fn scrub(collections: &[Collection], key: &Key) -> Vec<Collection> {
    scrubbed(collections, key).0
}

/// The recording under pseudonyms, and what they are.
fn scrubbed(collections: &[Collection], key: &Key) -> (Vec<Collection>, Lexicon) {
    let mut lexicon = Lexicon::learn(collections);
    lexicon.choose(key);
    let scrubbed = collections.iter().map(|collection| facts::collection(collection, &mut lexicon)).collect();
    (scrubbed, lexicon)
}
