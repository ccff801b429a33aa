//! `proxy-bench serve | load | hold | forward | mux | press | unruly`: see [`USAGE`].
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metaprotocol_proxy_bench::protocol::{MAX_PAYLOAD, Protocol, STAMP_LEN};
use metaprotocol_proxy_bench::{forward, hold, load, mux, press, serve, unruly};
use serde_json::json;

const USAGE: &str = "\
proxy-bench COMMAND --option value …

  serve    --protocol P [--listen A]              answers every request with what was asked
  forward  --target A [--listen A]                forwards bytes, connection by connection
  mux      --protocol P --target A [--listen A]   forwards messages, all over one connection
  load     --protocol P --target A [--connections N] [--in-flight N] [--payload BYTES]
           [--warm-up SECONDS] [--seconds SECONDS] [--watch PID]
           keeps requests in flight, verifies every answer; one line of JSON. Exit code 1 if an answer was wrong or lost
  hold     --protocol P --target A [--connections N] [--payload BYTES] [--patience SECONDS]
           opens connections, one verified answer on each; says so in a line of JSON, and keeps them until its standard
           input ends; for each line there it says how many are still open
  press    --protocol P --target A [--connections N] [--in-flight N] [--payload BYTES] [--rate PER_SECOND]
           [--requests N] [--turnover N] [--patience SECONDS]
           asks on through every fault, at least so many requests, until its standard input ends; connections that end, or
           have had --turnover answers, are opened anew. Lines of JSON say how far it is, the last what became of all
  unruly   --protocol P --count N [--seed N]
           servers at 127.0.0.2 and so on. Each line of standard input is NUMBER MODE or * MODE; what they have
           counted is the answer, to an empty line too. Modes: well, hang, deaf, slow, reset, half-close, cut, garbage, dead

P is thrift, dubbo or redis. A is ADDRESS:PORT, by default 127.0.0.1:0 for --listen. Servers print the address they got.";

type Fallible<T> = Result<T, Box<dyn Error>>;

/// The options of a command that were not yet asked for.
struct Options(HashMap<String, String>);

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Fallible<Self> {
        let mut options = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("{word}: expected an option"))?;
            let value = words.next().ok_or_else(|| format!("--{name} needs a value"))?;
            options.insert(name.to_owned(), value);
        }
        Ok(Self(options))
    }

    fn optional<T: FromStr<Err: Error>>(&mut self, name: &str) -> Fallible<Option<T>> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        Ok(Some(value.parse().map_err(|error| format!("--{name} {value}: {error}"))?))
    }

    fn or<T: FromStr<Err: Error>>(&mut self, name: &str, default: T) -> Fallible<T> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    fn target(&mut self) -> Fallible<SocketAddr> {
        Ok(self.optional("target")?.ok_or("--target is missing")?)
    }

    fn protocol(&mut self) -> Fallible<Protocol> {
        let name: String = self.optional("protocol")?.ok_or("--protocol is missing")?;
        Ok(Protocol::find(&name).ok_or_else(|| format!("--protocol {name}: it is thrift, dubbo or redis"))?)
    }

    fn payload_len(&mut self) -> Fallible<usize> {
        let len = self.or("payload", 128)?;
        if !(STAMP_LEN..=MAX_PAYLOAD).contains(&len) {
            return Err(format!("--payload {len}: from {STAMP_LEN} to {MAX_PAYLOAD} bytes").into());
        }
        Ok(len)
    }

    fn count(&mut self, name: &str, most: usize) -> Fallible<usize> {
        let count = self.or(name, 1)?;
        if !(1..=most).contains(&count) {
            return Err(format!("--{name} {count}: from 1 to {most}").into());
        }
        Ok(count)
    }

    fn seconds(&mut self, name: &str, default: f64) -> Fallible<Duration> {
        let seconds = self.or(name, default)?;
        Ok(Duration::try_from_secs_f64(seconds).map_err(|error| format!("--{name} {seconds}: {error}"))?)
    }

    /// The socket to listen on, once every option was understood; says where it is.
    fn listen(mut self) -> Fallible<TcpListener> {
        let listener = TcpListener::bind(self.or("listen", SocketAddr::from(([127, 0, 0, 1], 0)))?)?;
        self.done()?;
        say(&json!({ "listening": listener.local_addr()? }))?;
        Ok(listener)
    }

    fn done(self) -> Fallible<()> {
        self.0.into_keys().next().map_or(Ok(()), |name| Err(format!("--{name}: no such option here").into()))
    }
}

fn say(line: &serde_json::Value) -> Fallible<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn run() -> Fallible<ExitCode> {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let mut options = Options::parse(words).map_err(|error| format!("{error}\n\n{USAGE}"))?;
    match &*command {
        "serve" => {
            let protocol = options.protocol()?;
            let codec = protocol.codec();
            serve::serve(options.listen()?, &codec, |request, out| protocol.answer(&*codec, request, out))?;
        }
        "forward" => {
            let target = options.target()?;
            forward::forward(options.listen()?, target)?;
        }
        "mux" => {
            let (protocol, target) = (options.protocol()?, options.target()?);
            mux::mux(options.listen()?, target, protocol)?;
        }
        "load" => {
            let plan = load::Plan {
                protocol: options.protocol()?,
                target: options.target()?,
                connections: options.count("connections", 1 << 16)?,
                in_flight: options.count("in-flight", 1 << 16)?,
                payload_len: options.payload_len()?,
                warm_up: options.seconds("warm-up", 0.5)?,
                duration: options.seconds("seconds", 2.0)?,
                watch: options.optional("watch")?,
            };
            options.done()?;
            let report = load::run(&plan)?;
            say(&report.to_json())?;
            return Ok(ExitCode::from(u8::from(report.errors > 0)));
        }
        "hold" => {
            let (protocol, target) = (options.protocol()?, options.target()?);
            let (connections, payload_len) = (options.count("connections", 1 << 16)?, options.payload_len()?);
            let patience = options.seconds("patience", 10.0)?;
            options.done()?;
            let mut held = hold::open(protocol, target, connections, payload_len, patience)?;
            say(&json!({ "held": held.len() }))?;
            for line in std::io::stdin().lock().lines() {
                line?;
                say(&json!({ "open": hold::still_open(&mut held)? }))?;
            }
        }
        "press" => press(options)?,
        "unruly" => unruly(options)?,
        _ => return Err(USAGE.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn press(mut options: Options) -> Fallible<()> {
    let plan = press::Plan {
        protocol: options.protocol()?,
        target: options.target()?,
        connections: options.count("connections", 1 << 16)?,
        in_flight: options.count("in-flight", 1 << 16)?,
        payload_len: options.payload_len()?,
        rate: options.optional("rate")?,
        requests: options.or("requests", 0)?,
        turnover: options.optional("turnover")?,
        patience: options.seconds("patience", 10.0)?,
    };
    options.done()?;
    let enough = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&enough);
    std::thread::spawn(move || {
        // However it ends, nobody wants more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
    });
    // Who does not listen does not stop it.
    let account =
        press::run(&plan, &enough, |account| say(&json!({ "so_far": account.to_json() })).unwrap_or_default())?;
    say(&json!({ "account": account.to_json() }))
}

fn unruly(mut options: Options) -> Fallible<()> {
    let (protocol, count) = (options.protocol()?, options.count("count", 64)?);
    let seed = options.or("seed", 1)?;
    options.done()?;
    // Each at an address of its own: no connection that is opened from 127.0.0.1 can get the port of one that is dead.
    let addresses: Vec<SocketAddr> =
        (0..count as u8).map(|at| SocketAddr::from((Ipv4Addr::new(127, 0, 0, at + 2), 0))).collect();
    let (hosts, reins) = unruly::Hosts::new(protocol, &addresses, seed)?;
    say(&json!({ "listening": hosts.addresses() }))?;
    let running = std::thread::spawn(move || hosts.run());
    for line in std::io::stdin().lock().lines() {
        let (host, mode) = unruly::order(&line?)?;
        say(&reins.tell(host, mode).ok_or("the hosts are gone")?)?;
    }
    drop(reins);
    if running.is_finished() {
        running.join().map_err(|_| "the hosts failed")??;
    }
    Ok(())
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}
