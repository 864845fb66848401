//! A source that cannot be read at all, and why: a device without an address, a list that NetBox did not give. It is a source
//! like any other, so that its absence is a gap like any other.

use async_trait::async_trait;

use super::{Check, Source};
use crate::model::{Collection, FactKind, SourceName};

/// Everything it could say is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The name it would have.
    pub name: SourceName,
    /// Why it cannot be read.
    pub reason: String,
}

#[async_trait]
impl Source for Unread {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        vec![Check::failed(self.name.as_str(), self.reason.clone())]
    }

    async fn collect(&self, sink: &mut Collection) {
        sink.gap(FactKind::All, self.reason.clone());
    }
}
