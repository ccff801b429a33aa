//! Which route a message takes.
