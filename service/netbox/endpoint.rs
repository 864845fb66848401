//! Where a request goes: a model of ours, or any other list of NetBox's API. Pure.

use crate::model::ObjectKind;

/// Where a request goes, below `/api/`.
#[derive(Debug, Clone, Copy)]
pub enum Endpoint {
    /// A model of ours.
    Kind(ObjectKind),
    /// Any other list, with a slash at the end: `core/object-changes/`.
    Path(&'static str),
}

impl Endpoint {
    /// The path below `/api/`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.path(),
            Self::Path(path) => path,
        }
    }
}

impl From<ObjectKind> for Endpoint {
    fn from(kind: ObjectKind) -> Self {
        Self::Kind(kind)
    }
}

impl From<&'static str> for Endpoint {
    fn from(path: &'static str) -> Self {
        Self::Path(path)
    }
}
