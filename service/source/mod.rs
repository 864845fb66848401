//! Systems that can be read for observations.
