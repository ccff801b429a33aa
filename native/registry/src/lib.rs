//! The one list of built-in codecs, by name.
