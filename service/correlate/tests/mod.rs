//! Correlation on small networks written as text, on random lawful networks, and on recordings.

mod net;

mod announcements;
mod attachment;
mod explain;
mod hosts;
pub(crate) mod lawful;
mod links;
mod nodes;
mod paths;
mod random;
mod recordings;
mod shapes;
mod vlans;
