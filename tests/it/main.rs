//! The suite of the program as a whole.
