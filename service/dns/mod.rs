//! Unbound servers, over SSH.
