//! Runs a proxy from a file of JSON (`config::Update`) until its standard input ends. Prints where it listens, and at the end
//! what it counted. For measurements without Python.
#![allow(clippy::print_stdout, reason = "it is a program")]

use std::io::Read;
use std::time::Duration;

use metaprotocol_proxy::Proxy;
use metaprotocol_proxy::config::FilterConfig;
use metaprotocol_proxy::snapshot::Makers;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: proxy UPDATE.json [WORKERS]")?;
    let workers = std::env::args().nth(2).map_or(Ok(1), |text| text.parse())?;
    let find = |name: &str| metaprotocol_registry::find(name).ok_or_else(|| format!("no codec {name:?}"));
    let no_filter = |filter: &FilterConfig| Err(format!("no filter {:?}", filter.name));
    let mut proxy = Proxy::start(workers, Makers { codecs: Box::new(find), filters: Box::new(no_filter) })?;
    proxy.update(serde_json::from_str(&std::fs::read_to_string(path)?)?)?;
    for (name, address) in proxy.addresses() {
        println!("{name} {address}");
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    for (name, (totals, _)) in proxy.listener_stats() {
        println!("{name} {totals:?}");
    }
    for (name, totals) in proxy.cluster_stats() {
        println!("{name} {totals:?}");
    }
    println!("clean: {}", proxy.shut_down(Duration::from_secs(1)));
    Ok(())
}
