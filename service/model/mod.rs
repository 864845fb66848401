//! The nouns of the product: what was seen, what it means, and what it is called.
//!
//! Pure: no clock, no randomness, no I/O, and nothing of ours is imported.

pub mod candidate;
pub mod collection;
pub mod explanation;
pub mod mac;
pub mod name;
pub mod object;
pub mod observation;
pub mod scope;
pub mod time;

pub use candidate::{
    Attachment, Candidate, CandidateInterface, CandidateKind, Class, Competing, Conflict, Discovery,
    Identity, Known, Link, LinkEnd, NameOrigin, Resources,
};
pub use collection::{Collection, FdbTable, Gap, PortRef};
pub use explanation::Explanation;
pub use mac::MacAddr;
pub use name::{HostName, SourceName};
pub use object::{ObjectKind, ObjectRef};
pub use observation::{Fact, FactKind, Observation};
pub use time::Timestamp;
