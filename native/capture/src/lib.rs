//! pcap and pcapng in, reassembled TCP byte streams out; knows no protocol.
