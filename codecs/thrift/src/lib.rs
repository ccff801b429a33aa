//! Apache Thrift: framed, unframed and THeader; binary and compact.
