//! How long descriptions take to compile: `compile FILE… `, the fastest of a thousand runs each.

use std::time::Instant;

fn main() {
    for path in std::env::args().skip(1) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("compile: {path} cannot be read");
            std::process::exit(2);
        };
        let once = || {
            let start = Instant::now();
            let codec = metaprotocol_spec::compile(&text, &path);
            let elapsed = start.elapsed();
            codec.map(|_| elapsed)
        };
        match (0..1000).map(|_| once()).collect::<Result<Vec<_>, _>>() {
            Ok(times) => println!("{path}: {:.1} us", times.iter().min().map_or(0.0, |time| time.as_secs_f64() * 1e6)),
            Err(errors) => eprintln!("{errors}"),
        }
    }
}
