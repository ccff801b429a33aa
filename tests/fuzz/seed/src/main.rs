//! Writes the first corpora: conversations, frames, values and files out of the captures and vectors of this repository.
//!
//! Usage: `seed ROOT CORPORA`, where `ROOT` holds `tests/captures` and `codecs`. One folder a target is made in `CORPORA`;
//! inputs that are there stay.
#![forbid(unsafe_code)]

#[path = "../../src/layout.rs"]
mod layout;

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metaprotocol_capture::{Capture, Event};
use metaprotocol_core::{AnyCodec, Direction, Fed, Frame, Head, Kind, Limits};
use metaprotocol_dubbo::hessian::Reader;

/// Longest seed in bytes: what is longer takes the fuzzer long and shows it nothing new.
const MAX_LEN: usize = 3500;
/// Longest seed that is a file.
const MAX_FILE_LEN: usize = 12_000;
/// Connections and frames taken from one capture; the others are much the same.
const MAX_FLOWS: usize = 4;
const MAX_FRAMES: usize = 16;

/// Where each turn of a conversation comes from, and its bytes.
type Turns = Vec<(Direction, Vec<u8>)>;
/// Frames: their heads and bytes.
type Frames = Vec<(Head, Vec<u8>)>;

struct Seeds {
    root: PathBuf,
    written: usize,
    known: HashSet<(String, Vec<u8>)>,
}

impl Seeds {
    /// Writes a seed: a script of these bytes, filled with zeros to `script_len`, and what it is about.
    fn add(&mut self, target: &str, script_len: usize, script: &[u8], bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        let mut seed = script.to_vec();
        seed.resize(script_len, 0);
        seed.extend_from_slice(bytes);
        if !self.known.insert((target.to_owned(), bytes.to_vec())) {
            return Ok(());
        }
        self.written += 1;
        let folder = self.root.join(target);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(format!("seed-{:05}", self.written)), seed)?)
    }

    /// The seeds' scripts differ from one to the next, so that all they can say is tried.
    fn variety(&self) -> u8 {
        self.written as u8
    }

    /// A conversation, as `*_stream` takes it.
    fn conversation(&mut self, target: &str, turns: &Turns) -> Result<(), Box<dyn Error>> {
        self.conversation_of(target, &[], turns)
    }

    /// The same behind bytes that choose a protocol.
    fn conversation_of(&mut self, target: &str, front: &[u8], turns: &Turns) -> Result<(), Box<dyn Error>> {
        let Some((first, _)) = turns.first() else { return Ok(()) };
        let cuts: [u8; layout::STREAM_CUTS] = match self.variety() % 3 {
            0 => [1; layout::STREAM_CUTS],
            1 => [3, 17, 1, 129, 5, 64, 2],
            _ => [11, 0, 4, 130, 7, 1, 90],
        };
        let mut script = front.to_vec();
        script.push(*first as u8);
        script.extend_from_slice(&cuts);
        let mut bytes = Vec::new();
        for (index, (_, turn)) in turns.iter().enumerate().take(layout::STREAM_TURNS + 1) {
            let turn = &turn[..turn.len().min(MAX_LEN - bytes.len())];
            if index < layout::STREAM_TURNS {
                script.extend_from_slice(&(turn.len() as u16).to_be_bytes());
            }
            bytes.extend_from_slice(turn);
        }
        self.add(target, front.len() + layout::STREAM, &script, &bytes)
    }

    /// A frame, as `*_verbs` take it: with edits from its number on.
    fn frame(&mut self, target: &str, script_len: usize, frame: &[u8]) -> Result<(), Box<dyn Error>> {
        let number = self.variety();
        let script = [number, number / 3, number, number / 4, number, 2, 0, 0, 0, number, 0];
        self.add(target, script_len, &script, frame)
    }

    fn dubbo(&mut self, frame: Frame<'_>) -> Result<(), Box<dyn Error>> {
        self.frame("dubbo_verbs", layout::DUBBO_VERBS, frame.bytes)?;
        // Every value that stands behind others, with all that follows; short strings are in plenty anyway.
        let mut reader = Reader::new(frame.bytes, frame.header().len(), &Limits::default());
        while reader.peek().is_some() {
            let at = reader.at();
            if reader.skip().is_err() {
                break;
            }
            if reader.at() - at > 32 {
                let script = [0, 0];
                self.add("hessian", layout::HESSIAN, &script, &frame.bytes[at..])?;
            }
        }
        Ok(())
    }

    fn thrift(&mut self, frame: Frame<'_>) -> Result<(), Box<dyn Error>> {
        self.frame("thrift_verbs", layout::THRIFT_VERBS, frame.bytes)?;
        let codec = metaprotocol_thrift::Thrift;
        let field = |key| AnyCodec::field(&codec, frame, &AnyCodec::key(&codec, key), &Limits::default());
        let protocol = match field("protocol").ok().flatten().map(|value| value.to_text().into_owned()).as_deref() {
            Some("binary") => 0,
            Some("binary_old") => 1,
            _ => 2,
        };
        if matches!(frame.head.kind, Kind::Request | Kind::Response) {
            self.add("thrift_walk", layout::THRIFT_WALK, &[protocol, 0], frame.body())?;
        }
        Ok(())
    }

    /// Every description with streams of what it describes: vectors, and a few bytes of those that have none.
    fn descriptions(&mut self, root: &Path) -> Result<(), Box<dyn Error>> {
        for (index, (name, text)) in layout::DESCRIPTIONS.iter().enumerate() {
            let mut streams: Vec<Vec<u8>> = match *name {
                "acorn" => vec![b"AC\x01\x07\0\0\0\x09\0\0\0\x02weatherOK".to_vec()],
                "acornmid" => vec![b"AC\x01\0\0\0\x09\x07weather\0\0\0\x02OK".to_vec()],
                "courier" => vec![b"CR\x01\0\0\0\0\x07\0\x0b\0\x02orders/listOK".to_vec()],
                "trpc" => vec![
                    b"\x09\x30\0\0\0\0\0\x1d\0\x0b\0\0\0\0\0\0\x18\x87\x01\x32\x01a\x4a\x03\x0a\x01kOK".to_vec(),
                    b"\x09\x30\x01\x01\0\0\0\x15\0\0\0\0\0\x07\0\0\x12\x02\x08\x05\x18".to_vec(),
                ],
                "varints" => vec![b"\x56\x00\xac\x02\x03abc\x02OK".to_vec()],
                "tlv" => vec![b"TL\0\x0d\0\0\0\x02\x01\x04\0\0\0\x2a\x04\x01\0\x02\x02hiOK".to_vec()],
                _ => Vec::new(),
            };
            let vectors = root.join("codecs").join(name).join("vectors");
            if vectors.is_dir() {
                for file in files(&vectors)?.into_iter().filter(|file| has_extension(file, &["bin"])).take(20) {
                    streams.push(fs::read(&file)?);
                }
            }
            for stream in &streams {
                let stream = &stream[..stream.len().min(MAX_LEN)];
                for direction in [Direction::ClientToServer, Direction::ServerToClient] {
                    // As `*_stream` takes it, behind the number of the description.
                    let mut script = vec![index as u8, direction as u8];
                    script.extend_from_slice(&[3, 17, 1, 129, 5, 64, 2]);
                    script.extend_from_slice(&(stream.len() as u16).to_be_bytes());
                    self.add("spec_stream", 1 + layout::STREAM, &script, stream)?;
                }
                let text = [text.as_bytes(), b"\xff\0", stream].concat();
                if text.len() <= MAX_LEN {
                    self.add("spec_compile", 0, &[], &text)?;
                }
            }
        }
        Ok(())
    }

    /// Captures and vectors of the protocols of a bRPC port.
    fn brpc(&mut self, root: &Path) -> Result<(), Box<dyn Error>> {
        for (choice, protocol) in (0..).zip(layout::BRPC_PROTOCOLS) {
            for file in files(&root.join("codecs").join(protocol).join("vectors"))? {
                if !has_extension(&file, &["bin"]) {
                    continue;
                }
                let bytes = fs::read(&file)?;
                for direction in [Direction::ClientToServer, Direction::ServerToClient] {
                    let turns = vec![(direction, bytes.clone())];
                    self.conversation_of("brpc_stream", &[choice], &turns)?;
                }
                let mut script = vec![0; layout::CHOICES];
                script.push(if choice == 0 { 0 } else { choice + 1 });
                self.add("brpc_verbs", layout::BRPC_VERBS, &script, &bytes[..bytes.len().min(MAX_LEN)])?;
            }
            for file in files(&root.join("tests/captures/brpc"))? {
                let named = file.file_stem().is_some_and(|name| name.to_string_lossy().starts_with(protocol));
                if named && has_extension(&file, &["pcap"]) {
                    for turns in conversations(&fs::read(&file)?)?.iter().take(MAX_FLOWS) {
                        self.conversation_of("brpc_stream", &[choice], turns)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Everything there is to a conversation in one of the protocols.
    fn learn(&mut self, protocol: &str, turns: &Turns) -> Result<(), Box<dyn Error>> {
        self.conversation(&format!("{protocol}_stream"), turns)?;
        for (head, bytes) in frames(protocol, turns)?.into_iter().take(MAX_FRAMES) {
            let Some(frame) = Frame::new(head, &bytes) else { continue };
            match protocol {
                "dubbo" => self.dubbo(frame)?,
                "kafka" => self.frame("kafka_verbs", layout::KAFKA_VERBS, frame.bytes)?,
                "redis" => self.frame("redis_verbs", layout::REDIS_VERBS, frame.bytes)?,
                "trpc" => self.frame("trpc_verbs", layout::TRPC_VERBS, frame.bytes)?,
                _ => self.thrift(frame)?,
            }
        }
        Ok(())
    }
}

/// The frames of a conversation that are short enough.
fn frames(protocol: &str, turns: &Turns) -> Result<Frames, Box<dyn Error>> {
    let codec: Arc<dyn AnyCodec> = match protocol {
        "dubbo" => Arc::new(metaprotocol_dubbo::Dubbo),
        "kafka" => Arc::new(metaprotocol_kafka::Kafka),
        "redis" => Arc::new(metaprotocol_redis::Redis),
        "thrift" => Arc::new(metaprotocol_thrift::Thrift),
        "trpc" => Arc::new(metaprotocol_trpc::Trpc),
        other => return Err(format!("no codec for {other}: teach it to tests/fuzz/seed").into()),
    };
    let mut connection = codec.connect(Limits::default());
    let mut fed = Fed::default();
    let mut frames = Vec::new();
    for (direction, bytes) in turns {
        // Vectors of broken frames are conversations, too: those before the error count.
        let broken = connection.feed(*direction, bytes, &mut fed).is_err();
        frames.extend(fed.carried.take().map(|carried| (carried.head, carried.bytes)));
        for placed in &fed.frames {
            frames.push((placed.head, bytes[placed.at..placed.at + placed.head.frame_len].to_vec()));
        }
        if broken {
            break;
        }
    }
    frames.retain(|(head, _)| head.frame_len <= MAX_LEN);
    Ok(frames)
}

/// The conversations of a capture.
fn conversations(file: &[u8]) -> Result<Vec<Turns>, Box<dyn Error>> {
    let mut flows: BTreeMap<u64, Turns> = BTreeMap::new();
    let mut sink = |event: Event<'_>| {
        if let Event::Data { flow, direction, bytes, .. } = event {
            let direction = match direction {
                metaprotocol_capture::Direction::ClientToServer => Direction::ClientToServer,
                metaprotocol_capture::Direction::ServerToClient => Direction::ServerToClient,
            };
            let turns = flows.entry(flow.id.get()).or_default();
            match turns.last_mut() {
                Some((last, turn)) if *last == direction => turn.extend_from_slice(bytes),
                _ => turns.push((direction, bytes.to_vec())),
            }
        }
    };
    let mut capture = Capture::new(&metaprotocol_capture::Limits::default());
    capture.push(file, &mut sink)?;
    capture.finish(&mut sink)?;
    Ok(flows.into_values().collect())
}

/// The files of a folder in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    files.sort();
    Ok(files)
}

fn has_extension(file: &Path, wanted: &[&str]) -> bool {
    file.extension().and_then(|found| found.to_str()).is_some_and(|found| wanted.contains(&found))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(root), Some(corpora)) = (arguments.next(), arguments.next()) else {
        return Err("usage: seed ROOT CORPORA".into());
    };
    let mut seeds = Seeds { root: corpora, written: 0, known: HashSet::new() };
    for protocol in ["dubbo", "kafka", "redis", "thrift", "trpc"] {
        for file in files(&root.join("tests/captures").join(protocol))? {
            if !has_extension(&file, &["pcap", "pcapng"]) {
                continue;
            }
            let bytes = fs::read(&file)?;
            for turns in conversations(&bytes)?.iter().take(MAX_FLOWS) {
                seeds.learn(protocol, turns)?;
            }
            let script = [0, 33, 7, 150, seeds.variety()];
            seeds.add("capture", layout::CAPTURE, &script, &bytes[..bytes.len().min(MAX_FILE_LEN)])?;
        }
        for file in files(&root.join("codecs").join(protocol).join("vectors"))? {
            if has_extension(&file, &["bin"]) {
                let bytes = fs::read(&file)?;
                for direction in [Direction::ClientToServer, Direction::ServerToClient] {
                    seeds.learn(protocol, &vec![(direction, bytes.clone())])?;
                }
                if bytes.len() <= MAX_LEN {
                    // Broken ones have no frame, but the codec's verdict on them counts.
                    seeds.frame(
                        &format!("{protocol}_verbs"),
                        match protocol {
                            "dubbo" => layout::DUBBO_VERBS,
                            "kafka" => layout::KAFKA_VERBS,
                            "redis" => layout::REDIS_VERBS,
                            "trpc" => layout::TRPC_VERBS,
                            _ => layout::THRIFT_VERBS,
                        },
                        &bytes,
                    )?;
                }
            }
        }
    }
    seeds.brpc(&root)?;
    seeds.descriptions(&root)?;
    for target in [
        "brpc_stream",
        "brpc_verbs",
        "dubbo_stream",
        "redis_stream",
        "thrift_stream",
        "dubbo_verbs",
        "redis_verbs",
        "thrift_verbs",
        "thrift_walk",
        "trpc_stream",
        "trpc_verbs",
        "hessian",
        "kafka_stream",
        "kafka_verbs",
        "capture",
        "spec_compile",
        "spec_stream",
    ] {
        let count = fs::read_dir(seeds.root.join(target)).map(Iterator::count).unwrap_or(0);
        if count == 0 {
            return Err(format!("no seed for {target}: are the captures there?").into());
        }
        println!("{target:14} {count:5} inputs");
    }
    Ok(())
}
