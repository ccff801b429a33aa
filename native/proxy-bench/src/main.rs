//! `proxy-bench serve | load | hold | forward | mux`: see [`USAGE`].
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use metaprotocol_proxy_bench::protocol::{MAX_PAYLOAD, Protocol, STAMP_LEN};
use metaprotocol_proxy_bench::{forward, hold, load, mux, serve};
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
           input ends

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
            let held = hold::open(protocol, target, connections, payload_len, patience)?;
            say(&json!({ "held": held.len() }))?;
            std::io::stdin().read_to_end(&mut Vec::new())?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}
