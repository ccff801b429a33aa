//! Which answer answers which command, and what a server says unasked.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use std::collections::VecDeque;
use std::sync::Arc;

use common::{command, redis, words};
use metaprotocol_core::{Connection, Frame, Kind, Limits, Value};
use metaprotocol_redis::Redis;
use metaprotocol_testkit::{CLIENT, Decoded, SERVER, Sample, feed_to, field, same_however_cut, string};

/// Both sides of a connection, and the commands that wait.
struct Talk {
    connection: Box<dyn Connection>,
    asked: usize,
    waiting: VecDeque<usize>,
}

/// What a frame of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// The answer of the command with this number, the first being 0.
    Answer(usize),
    Error(usize),
    /// Nobody asked for it, or not for it alone.
    Data,
    Notice,
    /// An answer that nothing waits for.
    Stray,
}

impl Talk {
    fn new() -> Self {
        Self { connection: redis().connect(Limits::default()), asked: 0, waiting: VecDeque::new() }
    }

    fn feed(&mut self, direction: metaprotocol_core::Direction, bytes: &[u8]) -> Decoded {
        let decoded = feed_to(self.connection.as_mut(), direction, bytes, []);
        assert_eq!((decoded.failure, decoded.missing), (None, 0), "{}", bytes.escape_ascii());
        decoded
    }

    /// The kinds of commands, which are sent.
    fn ask(&mut self, text: &str) -> Vec<Kind> {
        let bytes: Vec<u8> = text.split(", ").flat_map(words).collect();
        let kinds: Vec<Kind> = self.feed(CLIENT, &bytes).frames.iter().map(|frame| frame.head.kind).collect();
        for kind in &kinds {
            if *kind == Kind::Request {
                self.waiting.push_back(self.asked);
            }
            self.asked += 1;
        }
        kinds
    }

    /// What the server's frames are.
    fn say(&mut self, bytes: &[u8]) -> Vec<Is> {
        let mut answered = || self.waiting.pop_front();
        let mut is = Vec::new();
        let decoded = feed_to(self.connection.as_mut(), SERVER, bytes, []);
        assert_eq!((decoded.failure, decoded.missing), (None, 0), "{}", bytes.escape_ascii());
        for frame in decoded.frames {
            is.push(match frame.head.kind {
                Kind::Response => answered().map_or(Is::Stray, Is::Answer),
                Kind::Error => answered().map_or(Is::Stray, Is::Error),
                Kind::StreamData => Is::Data,
                Kind::Control => Is::Notice,
                other => panic!("{other:?}"),
            });
        }
        is
    }
}

fn confirm(mark: u8, word: &str, channel: &str, count: u64) -> Vec<u8> {
    let mut out = vec![mark];
    out.extend_from_slice(&command(&[word, channel])[1..]);
    out[1] = b'3';
    out.extend_from_slice(format!(":{count}\r\n").as_bytes());
    out
}

fn message(mark: u8, channel: &str, payload: &str) -> Vec<u8> {
    let mut out = command(&["message", channel, payload]);
    out[0] = mark;
    out
}

#[test]
fn subscriptions_in_both_versions() {
    for mark in [b'*', b'>'] {
        let mut talk = Talk::new();
        let confirm = |word: &str, channel: &str, count| confirm(mark, word, channel, count);
        assert_eq!(talk.ask("SUBSCRIBE a b c, PING"), [Kind::Request; 2]);
        assert_eq!(talk.say(&confirm("subscribe", "a", 1)), [Is::Notice]);
        // A message may come between confirmations.
        assert_eq!(talk.say(&message(mark, "a", "hi")), [Is::Data]);
        assert_eq!(talk.say(&confirm("subscribe", "b", 2)), [Is::Notice]);
        assert_eq!(talk.say(&confirm("subscribe", "c", 3)), [Is::Answer(0)]);
        let pong: &[u8] = if mark == b'*' { b"*2\r\n$4\r\npong\r\n$0\r\n\r\n" } else { b"+PONG\r\n" };
        assert_eq!(talk.say(pong), [Is::Answer(1)]);
        talk.ask("PSUBSCRIBE x*, SSUBSCRIBE s, UNSUBSCRIBE, PUNSUBSCRIBE x*, SUNSUBSCRIBE");
        assert_eq!(talk.say(&confirm("psubscribe", "x*", 4)), [Is::Answer(2)]);
        assert_eq!(talk.say(&confirm("ssubscribe", "s", 1)), [Is::Answer(3)]);
        // All three channels, but not the pattern.
        let off = [confirm("unsubscribe", "a", 3), confirm("unsubscribe", "b", 2), confirm("unsubscribe", "c", 1)];
        assert_eq!(talk.say(&off.concat()), [Is::Notice, Is::Notice, Is::Answer(4)]);
        assert_eq!(talk.say(&confirm("punsubscribe", "x*", 0)), [Is::Answer(5)]);
        assert_eq!(talk.say(&message(mark, "s", "still there")), [Is::Data]);
        assert_eq!(talk.say(&confirm("sunsubscribe", "s", 0)), [Is::Answer(6)]);
        talk.ask("UNSUBSCRIBE, LRANGE l 0 -1");
        let none = [&[mark][..], b"3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"].concat();
        assert_eq!(talk.say(&none), [Is::Answer(7)]);
        // Nothing is subscribed to any more: this is a list.
        assert_eq!(talk.say(&message(b'*', "a", "hi")), [Is::Answer(8)]);
    }
}

#[test]
fn a_server_unsubscribes_from_a_shard_that_moved() {
    for mark in [b'*', b'>'] {
        let mut talk = Talk::new();
        talk.ask("SSUBSCRIBE s");
        assert_eq!(talk.say(&confirm(mark, "ssubscribe", "s", 1)), [Is::Answer(0)]);
        talk.ask("PING");
        assert_eq!(talk.say(&confirm(mark, "sunsubscribe", "s", 0)), [Is::Notice]);
        assert_eq!(talk.say(b"+PONG\r\n"), [Is::Answer(1)]);
    }
}

#[test]
fn an_error_answers_a_whole_subscription() {
    let mut talk = Talk::new();
    talk.ask("SUBSCRIBE a b c, SUBSCRIBE, GET k");
    let no: &[u8] = b"-NOPERM this user has no permissions to access one of the channels used as arguments\r\n";
    let arity: &[u8] = b"-ERR wrong number of arguments for 'subscribe' command\r\n";
    assert_eq!(talk.say(&[no, arity, b"$1\r\nv\r\n"].concat()), [Is::Error(0), Is::Error(1), Is::Answer(2)]);
}

#[test]
fn lists_that_look_like_messages_are_lists() {
    let mut talk = Talk::new();
    talk.ask("LRANGE l 0 -1, LRANGE l 0 -1");
    let list = [message(b'*', "a", "b"), confirm(b'*', "subscribe", "a", 1)].concat();
    assert_eq!(talk.say(&list), [Is::Answer(0), Is::Answer(1)]);
    // In RESP3 they are lists even if there are subscriptions.
    talk.ask("HELLO 3, SUBSCRIBE a, LRANGE l 0 -1");
    assert_eq!(talk.say(b"%1\r\n+proto\r\n:3\r\n"), [Is::Answer(2)]);
    assert_eq!(talk.say(&confirm(b'>', "subscribe", "a", 1)), [Is::Answer(3)]);
    assert_eq!(talk.say(&message(b'*', "a", "b")), [Is::Answer(4)]);
    // Back in RESP2 they are messages.
    talk.ask("HELLO 2");
    assert_eq!(talk.say(b"*2\r\n$5\r\nproto\r\n:2\r\n"), [Is::Answer(5)]);
    assert_eq!(talk.say(&message(b'*', "a", "b")), [Is::Data]);
}

#[test]
fn a_refused_hello_changes_nothing() {
    let mut talk = Talk::new();
    talk.ask("SUBSCRIBE a, HELLO 4, HELLO 3");
    assert_eq!(talk.say(&confirm(b'*', "subscribe", "a", 1)), [Is::Answer(0)]);
    let no: &[u8] = b"-NOPROTO unsupported protocol version\r\n";
    assert_eq!(talk.say(&[no, no].concat()), [Is::Error(1), Is::Error(2)]);
    assert_eq!(talk.say(&message(b'*', "a", "b")), [Is::Data]);
}

#[test]
fn transactions_with_subscriptions() {
    let mut talk = Talk::new();
    assert_eq!(talk.ask("MULTI, SUBSCRIBE a b c, GET k, EXEC, PING"), [Kind::Request; 5]);
    assert_eq!(talk.say(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n"), [Is::Answer(0), Is::Answer(1), Is::Answer(2)]);
    // Two answers are announced and four come: three confirmations, and that of GET.
    let answers = [&b"*2\r\n"[..], &confirm(b'*', "subscribe", "a", 1), &confirm(b'*', "subscribe", "b", 2)].concat();
    assert_eq!(talk.say(&answers), [Is::Answer(3)]);
    assert_eq!(talk.say(&message(b'*', "a", "at once")), [Is::Data]);
    assert_eq!(talk.say(&confirm(b'*', "subscribe", "c", 3)), [Is::Notice]);
    assert_eq!(talk.say(b"$1\r\nv\r\n"), [Is::Notice]);
    assert_eq!(talk.say(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"), [Is::Answer(4)]);
}

#[test]
fn transactions_that_come_to_nothing() {
    for (end, said, is) in [
        ("EXEC", &b"*-1\r\n"[..], Is::Answer(2)),
        ("EXEC", b"_\r\n", Is::Answer(2)),
        ("EXEC", b"-EXECABORT Transaction discarded because of previous errors.\r\n", Is::Error(2)),
        ("DISCARD", b"+OK\r\n", Is::Answer(2)),
        ("RESET", b"+RESET\r\n", Is::Answer(2)),
    ] {
        let mut talk = Talk::new();
        talk.ask(&format!("MULTI, SUBSCRIBE a b c, {end}, SUBSCRIBE d, GET k"));
        assert_eq!(talk.say(b"+OK\r\n+QUEUED\r\n"), [Is::Answer(0), Is::Answer(1)], "{end}");
        assert_eq!(talk.say(said), [is], "{end}");
        assert_eq!(talk.say(&confirm(b'*', "subscribe", "d", 1)), [Is::Answer(3)], "{end}");
        assert_eq!(talk.say(b"-ERR only (P|S)SUBSCRIBE\r\n"), [Is::Error(4)], "{end}");
    }
}

#[test]
fn a_transaction_changes_the_version() {
    let mut talk = Talk::new();
    talk.ask("SUBSCRIBE a, MULTI, HELLO 3, EXEC, LRANGE l 0 -1");
    talk.say(&confirm(b'*', "subscribe", "a", 1));
    assert_eq!(talk.say(b"+OK\r\n+QUEUED\r\n*1\r\n%0\r\n"), [Is::Answer(1), Is::Answer(2), Is::Answer(3)]);
    assert_eq!(talk.say(&message(b'*', "a", "b")), [Is::Answer(4)]);
}

#[test]
fn silent_commands_wait_for_nothing() {
    let mut talk = Talk::new();
    let (asked, silent) = (Kind::Request, Kind::Oneway);
    assert_eq!(talk.ask("CLIENT REPLY SKIP, GET a, GET b"), [silent, silent, asked]);
    assert_eq!(talk.say(b"$1\r\nb\r\n"), [Is::Answer(2)]);
    assert_eq!(talk.ask("client reply off, GET a, MULTI, EXEC, CLIENT REPLY SKIP, GET c"), [silent; 6]);
    assert_eq!(talk.ask("CLIENT REPLY ON, GET d"), [asked; 2]);
    assert_eq!(talk.say(b"+OK\r\n$1\r\nd\r\n"), [Is::Answer(9), Is::Answer(10)]);
    // What is no mode is an error, and answered.
    assert_eq!(talk.ask("CLIENT REPLY MAYBE, CLIENT REPLY, CLIENT ID"), [asked; 3]);
    talk.say(b"-ERR syntax error\r\n-ERR wrong number\r\n:7\r\n");
    // Reset ends it, and is answered.
    assert_eq!(talk.ask("CLIENT REPLY OFF, RESET, GET k"), [silent, asked, asked]);
    assert_eq!(talk.say(b"+RESET\r\n$-1\r\n"), [Is::Answer(15), Is::Answer(16)]);
    assert!(talk.waiting.is_empty());
}

#[test]
fn monitor_shows_what_others_say() {
    let line: &[u8] = b"+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n";
    let mut talk = Talk::new();
    talk.ask("GET k, MONITOR");
    // Before it is on, this is a value.
    assert_eq!(talk.say(line), [Is::Answer(0)]);
    assert_eq!(talk.say(b"+OK\r\n"), [Is::Answer(1)]);
    assert_eq!(talk.say(&line.repeat(3)), [Is::Data; 3]);
    talk.ask("PING, RESET");
    assert_eq!(
        talk.say(&[line, b"+PONG\r\n", line, b"+RESET\r\n"].concat()),
        [Is::Data, Is::Answer(2), Is::Data, Is::Answer(3)]
    );
    talk.ask("GET k");
    assert_eq!(talk.say(line), [Is::Answer(4)]);
    let mut talk = Talk::new();
    talk.ask("MONITOR, GET k");
    assert_eq!(talk.say(&[b"-NOPERM no\r\n", line].concat()), [Is::Error(0), Is::Answer(1)]);
}

#[test]
fn pushes_come_between_answers() {
    let mut talk = Talk::new();
    talk.ask("HELLO 3, CLIENT TRACKING ON, GET a, GET b");
    talk.say(b"%0\r\n+OK\r\n");
    let invalid: &[u8] = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n";
    let said = [&b"$1\r\na\r\n"[..], invalid, b"|1\r\n+ttl\r\n:5\r\n$1\r\nb\r\n"].concat();
    assert_eq!(talk.say(&said), [Is::Answer(2), Is::Notice, Is::Answer(3)]);
    assert_eq!(talk.say(b">1\r\n+tracking-redir-broken\r\n"), [Is::Notice]);
    assert_eq!(talk.say(b"|1\r\n+a\r\n+b\r\n>2\r\n+invalidate\r\n_\r\n"), [Is::Notice]);
}

#[test]
fn one_side_alone() {
    let sample = |bytes: &[u8]| Sample::new("one side", SERVER, bytes);
    let kinds = |bytes: &[u8]| -> Vec<Kind> {
        let decoded = same_however_cut(&redis(), Limits::default(), &sample(bytes));
        assert_eq!((decoded.failure, decoded.missing), (None, 0));
        decoded.frames.iter().map(|frame| frame.head.kind).collect()
    };
    let subscribed = [confirm(b'*', "subscribe", "a", 1), message(b'*', "a", "b")].concat();
    assert_eq!(kinds(&subscribed), [Kind::Control, Kind::StreamData]);
    assert_eq!(kinds(&message(b'*', "a", "b")), [Kind::Response], "it may be a list");
    let refused: &[u8] = b"-DENIED Redis is running in protected mode\r\n";
    assert_eq!(kinds(refused), [Kind::Error]);
}

/// The stream of a master behind the answer to PSYNC, whole and cut.
fn replication(snapshot: &[u8]) -> (Vec<(Kind, String)>, Vec<usize>) {
    let id = "a31a39f3780e483f6c2e1b27f60b6021f3ec0ed2";
    let stream = [
        format!("\n+FULLRESYNC {id} 0\r\n\n\n").as_bytes(),
        snapshot,
        &words("SELECT 3"),
        b"\n",
        &words("SET {r}k v"),
        &words("PING"),
    ]
    .concat();
    let mut connection = redis().connect(Limits::default());
    feed_to(connection.as_mut(), CLIENT, &words("PSYNC ? -1"), []);
    let whole = feed_to(connection.as_mut(), SERVER, &stream, []);
    for step in [1, 7, 1000, 65536, 65537] {
        let mut connection = redis().connect(Limits::default());
        feed_to(connection.as_mut(), CLIENT, &words("PSYNC ? -1"), []);
        let cut = feed_to(connection.as_mut(), SERVER, &stream, std::iter::repeat(step));
        assert!(cut == whole, "in pieces of {step}");
    }
    assert_eq!((whole.failure, whole.missing), (None, 0));
    let told = |frame: Frame<'_>| field(&Redis, frame, "message_type").map(|told| told.to_text().into_owned());
    let frames = whole.frames.iter().map(|frame| (frame.head.kind, told(frame.frame()).expect("a type")));
    let last = whole.frames.iter().rev().nth(1).expect("SET").frame();
    assert_eq!(field(&Redis, last, "key"), Some(string("{r}k")));
    assert_eq!(field(&Redis, last, "db"), Some(Value::UInt(3)));
    (frames.collect(), whole.frames.iter().map(|frame| frame.bytes.len()).collect())
}

const BEHIND: [(Kind, &str); 4] = [
    (Kind::StreamData, "replicated"),
    (Kind::Control, "keepalive"),
    (Kind::StreamData, "replicated"),
    (Kind::StreamData, "replicated"),
];

fn expected(pieces: usize) -> Vec<(Kind, String)> {
    let newline = (Kind::Control, "keepalive");
    let front = [newline, (Kind::Response, "reply"), newline, newline, (Kind::StreamData, "snapshot_header")];
    let pieces = std::iter::repeat_n((Kind::StreamData, "snapshot"), pieces);
    front.into_iter().chain(pieces).chain(BEHIND).map(|(kind, told)| (kind, told.to_owned())).collect()
}

#[test]
fn snapshots_of_a_known_length() {
    for (len, pieces) in [(0, 0), (1, 1), (65536, 1), (65537, 2), (200_000, 4)] {
        let mut snapshot = format!("${len}\r\n").into_bytes();
        snapshot.extend((0..len).map(|at| at as u8));
        let (frames, lens) = replication(&snapshot);
        assert_eq!(frames, expected(pieces), "{len}");
        assert!(lens.iter().all(|len| *len <= 65536), "{len}");
    }
}

#[test]
fn snapshots_that_end_with_a_mark() {
    let mark = "zyxwvutsrqponmlkjihgfedcba9876543210ABCD";
    for (len, pieces) in [(0, 1), (1, 1), (65496, 1), (65497, 2), (65535, 2), (65536, 2), (200_000, 4)] {
        let mut snapshot = format!("$EOF:{mark}\r\n").into_bytes();
        // Bytes that look like the mark's front.
        snapshot.extend((0..len).map(|at| mark.as_bytes()[at % 39]));
        snapshot.extend_from_slice(mark.as_bytes());
        assert_eq!(replication(&snapshot).0, expected(pieces), "{len}");
    }
}

#[test]
fn other_ends_of_a_synchronisation() {
    let mut talk = Talk::new();
    assert_eq!(talk.ask("REPLCONF capa eof, PSYNC id 7"), [Kind::Request; 2]);
    assert_eq!(talk.say(b"+OK\r\n+CONTINUE id\r\n"), [Is::Answer(0), Is::Answer(1)]);
    assert_eq!(talk.say(&words("REPLCONF GETACK *")), [Is::Data]);
    assert_eq!(talk.ask("REPLCONF ACK 12"), [Kind::Oneway]);
    assert_eq!(talk.feed(CLIENT, b"\n").frames[0].head.kind, Kind::Control);

    let mut talk = Talk::new();
    talk.ask("PSYNC ? -1, SYNC");
    assert_eq!(talk.say(b"-ERR unknown command 'PSYNC'\r\n\n"), [Is::Error(0), Is::Notice]);
    assert_eq!(talk.say(b"$5\r\nREDIS"), [Is::Answer(1), Is::Data]);
    assert_eq!(talk.say(&words("PING")), [Is::Data]);

    // A master that cannot make a snapshot says so, and goes on as any server.
    let mut talk = Talk::new();
    talk.ask("PSYNC ? -1, PING");
    assert_eq!(talk.say(b"+FULLRESYNC x 0\r\n-ERR no disk\r\n"), [Is::Answer(0), Is::Error(1)]);

    let mut talk = Talk::new();
    talk.ask("PSYNC ? -1, SYNC, PING");
    assert_eq!(talk.say(b"-NOMASTERLINK no\r\n-ERR no\r\n+PONG\r\n"), [Is::Error(0), Is::Error(1), Is::Answer(2)]);
}

#[test]
fn the_database_is_that_of_the_last_select() {
    let mut talk = Talk::new();
    let bytes: Vec<u8> =
        ["GET k", "SELECT 5", "GET k", "MULTI", "SELECT 6", "GET k", "EXEC", "RESET", "GET k", "SELECT x"]
            .iter()
            .flat_map(|text| words(text))
            .collect();
    let frames = talk.feed(CLIENT, &bytes).frames;
    let found: Vec<Option<u64>> = frames
        .iter()
        .map(|frame| match field(&Redis, frame.frame(), "db") {
            Some(Value::UInt(database)) => Some(database),
            _ => None,
        })
        .collect();
    let none = None;
    assert_eq!(found, [none, Some(5), Some(5), Some(5), none, none, none, Some(0), Some(0), none]);
}

#[test]
fn the_memory_of_what_waits_is_bounded() {
    let limits = Limits { max_in_flight: 4, ..Limits::default() };
    let mut connection = redis().connect(limits);
    // More than fit are remembered as if they were answered once: the order stays right for the rest.
    let bytes = words("MONITOR").repeat(1000);
    let used = metaprotocol_testkit::most_held(|| {
        feed_to(connection.as_mut(), CLIENT, &words("GET k").repeat(100_000), []);
    });
    let more = metaprotocol_testkit::most_held(|| {
        for _ in 0..100 {
            feed_to(connection.as_mut(), CLIENT, &bytes, []);
        }
    });
    assert!(more <= used, "{more} bytes, {used} for commands that are answered once");
    assert_eq!(Arc::strong_count(&redis()), 1);
}

#[test]
fn what_ties_a_client_to_its_connection() {
    let tied = |commands: &str, answers: &[u8]| {
        let mut talk = Talk::new();
        talk.ask(commands);
        talk.say(answers);
        talk.connection.tied()
    };
    assert!(tied("GET a", b""), "its answer is to come");
    for (commands, answers) in [
        ("GET a, SET a b", &b"$-1\r\n+OK\r\n"[..]),
        ("SELECT 0", b"+OK\r\n"),
        ("CLIENT SETINFO LIB-NAME x", b"+OK\r\n"),
        ("MULTI, INCR a, EXEC", b"+OK\r\n+QUEUED\r\n*1\r\n:1\r\n"),
        ("WATCH a, UNWATCH", b"+OK\r\n+OK\r\n"),
        ("WATCH a, MULTI, DISCARD", b"+OK\r\n+OK\r\n+OK\r\n"),
        ("AUTH x, RESET", b"+OK\r\n+RESET\r\n"),
    ] {
        assert!(!tied(commands, answers), "{commands}");
    }
    for (commands, answers) in [
        ("SELECT 3", &b"+OK\r\n"[..]),
        ("AUTH x", b"+OK\r\n"),
        ("HELLO 3", b"%0\r\n"),
        ("CLIENT TRACKING on", b"+OK\r\n"),
        ("CLIENT REPLY OFF", b""),
        ("READONLY", b"+OK\r\n"),
        ("MULTI, INCR a", b"+OK\r\n+QUEUED\r\n"),
        ("watch a", b"+OK\r\n"),
        ("SUBSCRIBE a", b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"),
        ("MONITOR", b"+OK\r\n"),
    ] {
        assert!(tied(commands, answers), "{commands}");
    }
}
