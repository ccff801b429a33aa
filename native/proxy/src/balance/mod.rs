//! Which host of a cluster a message goes to.
