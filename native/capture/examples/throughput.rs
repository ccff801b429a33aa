//! How fast captures are read: `cargo run --release -p metaprotocol-capture --example throughput -- FILE`.
//!
//! Prints what was seen and the rate. Without a file it makes one in memory: 20 flows, requests and responses of the
//! length in bytes that `PAYLOAD` in the environment says (default 512).

use std::io::{self, Read};
use std::time::Instant;

use etherparse::{PacketBuilder, TcpHeader};
use metaprotocol_capture::{Event, Limits, Reader};

const MADE_LEN: usize = 256 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        measure(std::fs::File::open(path)?)
    } else {
        let payload_len = match std::env::var("PAYLOAD") {
            Ok(text) => text.parse()?,
            Err(_) => 512,
        };
        let file = make(payload_len)?;
        measure(&file[..])
    }
}

fn measure(source: impl Read) -> Result<(), Box<dyn std::error::Error>> {
    let (mut bytes_seen, mut events) = (0u64, 0u64);
    let mut sink = |event: Event<'_>| {
        events += 1;
        if let Event::Data { bytes, .. } = event {
            bytes_seen += bytes.len() as u64;
        }
    };
    let mut reader = Reader::new(source, Limits::default());
    let start = Instant::now();
    let file_len = reader.read_available(&mut sink)?;
    let tail = reader.finish(&mut sink)?;
    let seconds = start.elapsed().as_secs_f64();
    let stats = reader.stats();
    println!("{stats:#?}");
    if let Some(tail) = tail {
        println!("{tail:?}");
    }
    println!(
        "{:.0} MB/s of capture, {:.0} ns a packet; {bytes_seen} bytes of streams in {events} events",
        file_len as f64 / 1e6 / seconds,
        seconds * 1e9 / stats.packets.max(1) as f64,
    );
    Ok(())
}

fn make(payload_len: usize) -> io::Result<Vec<u8>> {
    let payload = vec![b'x'; payload_len];
    let mut file = Vec::with_capacity(MADE_LEN + (1 << 20));
    file.extend(0xa1b2_c3d4u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(262_144u32.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    let mut sequence = 1u32;
    for micros in 0u32.. {
        if file.len() >= MADE_LEN {
            break;
        }
        for flow in 0..20u16 {
            for up in [true, false] {
                let (ip, ports) = if up {
                    (([10, 0, 0, 1], [10, 0, 0, 2]), (40_000 + flow, 20_880))
                } else {
                    (([10, 0, 0, 2], [10, 0, 0, 1]), (20_880, 40_000 + flow))
                };
                let mut header = TcpHeader::new(ports.0, ports.1, sequence, 65_000);
                header.ack = true;
                header.acknowledgment_number = sequence;
                let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(ip.0, ip.1, 64).tcp_header(header);
                let len = builder.size(payload_len) as u32;
                file.extend(0u32.to_le_bytes());
                file.extend(micros.to_le_bytes());
                file.extend(len.to_le_bytes());
                file.extend(len.to_le_bytes());
                builder.write(&mut file, &payload).map_err(io::Error::other)?;
            }
        }
        sequence = sequence.wrapping_add(payload_len as u32);
    }
    Ok(file)
}
