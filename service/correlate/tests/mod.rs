//! Correlation on small networks written as text, on random lawful networks, and on recordings.

mod net;

mod attachment;
mod hosts;
mod links;
pub(crate) mod random;
mod recordings;
