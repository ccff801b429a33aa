//! Random descriptions and random frames of theirs: every one is split the same however it is cut, and every verb holds.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::made;
use metaprotocol_core::{AnyCodec, Limits};
use metaprotocol_testkit::{
    CLIENT, Sample, back_to_back, cut_short, decode, exercise, same_however_cut, survives_mutations,
};

/// Random numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| 1 + self.below(250) as u8).collect()
    }
}

type Maker = Box<dyn Fn(&mut Chance) -> Vec<u8>>;

/// A field of the header: its text, and how its bytes are made.
struct Made {
    text: String,
    bytes: Maker,
}

fn field(chance: &mut Chance, index: usize, last_flag: Option<usize>) -> Made {
    let width = 1 + chance.below(8);
    let sizes = ["u8", "u16", "u24", "u32", "u40", "u48", "u56", "u64"];
    let name = format!("f{index}");
    let order = if chance.below(2) == 0 { "big" } else { "little" };
    match (chance.below(9), last_flag) {
        (0, _) => {
            let magic = chance.bytes(width);
            let hex: String = magic.iter().map(|byte| format!("{byte:02x}")).collect();
            let text = format!("{{name: {name}, type: bytes, len: {width}, const: 0x{hex}}}");
            Made { text, bytes: Box::new(move |_| magic.clone()) }
        }
        (1, _) => Made {
            text: format!("{{name: {name}, type: bytes, len_type: u16, byte_order: {order}}}"),
            bytes: {
                let big = order == "big";
                Box::new(move |chance| {
                    let len = chance.below(20);
                    let prefix = if big { (len as u16).to_be_bytes() } else { (len as u16).to_le_bytes() };
                    [&prefix[..], &chance.bytes(len)].concat()
                })
            },
        },
        (2, _) => Made {
            text: format!("{{name: {name}, type: string, terminated: nul}}"),
            bytes: Box::new(|chance| {
                let len = chance.below(12);
                [chance.bytes(len), vec![0]].concat()
            }),
        },
        (3, _) => Made {
            text: format!("{{name: {name}, type: varint}}"),
            bytes: Box::new(|chance| if chance.below(2) == 0 { vec![5] } else { vec![0x85, 0x92, 1] }),
        },
        (4, _) => Made {
            text: format!("{{name: {name}, type: array, count: 3, items: {{type: string, len_type: u8}}}}"),
            bytes: Box::new(|chance| {
                let mut bytes = Vec::new();
                for _ in 0..3 {
                    let len = chance.below(5);
                    bytes.push(len as u8);
                    bytes.extend(chance.bytes(len));
                }
                bytes
            }),
        },
        (5, Some(flag)) => Made {
            text: format!("{{name: {name}, type: bytes, len: \"f{flag} % 16 + 1\"}}"),
            // Made when the flag is known.
            bytes: Box::new(|_| Vec::new()),
        },
        (6, _) => Made {
            text: format!("{{name: {name}, type: u8, bits: {{g{index}: 0-3}}}}"),
            bytes: Box::new(|chance| chance.bytes(1)),
        },
        _ => Made {
            text: format!("{{name: {name}, type: {}, byte_order: {order}}}", sizes[width - 1]),
            bytes: Box::new(move |chance| chance.bytes(width)),
        },
    }
}

fn round(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut fields: Vec<Made> = Vec::new();
    let mut flag = None;
    // Which field says how long which other one is.
    let mut depends: Vec<(usize, usize)> = Vec::new();
    for index in 0..1 + chance.below(7) {
        let made = field(&mut chance, index, flag);
        if made.text.contains("% 16") {
            depends.push((index, flag.expect("a field before")));
        } else if made.text.contains("type: u8,") {
            flag = Some(index);
        }
        fields.push(made);
    }
    let id = fields.len();
    let texts: Vec<&str> = fields.iter().map(|field| field.text.as_str()).collect();
    let trailer = match chance.below(3) {
        0 => "",
        1 => ", trailer: [{name: end, type: u8, const: 0x7d}]",
        _ => ", trailer: [{name: sum, type: u32, checksum: {algorithm: crc32c, over: start..sum, verify: VERIFY}}]",
    };
    let description = |verify: &str| {
        format!(
            "{{metaprotocol: 1, name: random, request_id: f{id}, frame: {{body: n}}{},
               header: [{}, {{name: f{id}, type: u32}}, {{name: n, type: u16}}],
               metadata: {{id: {{value: f{id}, write: true}}, first: {{value: {}}}}},
               reply: {{error: {{set: {{}}, body: \"{{error.message}}\"}}}}}}",
            trailer.replace("VERIFY", verify),
            texts.join(", "),
            if fields[0].text.contains("type: array") || fields[0].text.contains("bits") { "n" } else { "f0" },
        )
    };
    let lenient = made(&description("false"));
    let codec: Arc<dyn AnyCodec> = made(&description("true"));
    let mut stream = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let piece = match depends.iter().find(|(own, _)| *own == index) {
                Some((_, flag)) => {
                    let len = usize::from(pieces[*flag][0]) % 16 + 1;
                    chance.bytes(len)
                }
                None => (field.bytes)(&mut chance),
            };
            pieces.push(piece);
        }
        let len = chance.below(30);
        let body = chance.bytes(len);
        let mut frame = [pieces.concat(), chance.bytes(4), (len as u16).to_be_bytes().to_vec(), body].concat();
        if trailer.contains("0x7d") {
            frame.push(0x7d);
        } else if trailer.contains("crc32c") {
            // The codec that does not verify makes the sum: changing the id to what it is writes all anew.
            frame.extend([0; 4]);
            let head = metaprotocol_testkit::whole(lenient.as_ref(), CLIENT, &frame);
            let metaprotocol_core::RequestId::Int(id) = head.head.request_id else { panic!("no id") };
            frame = metaprotocol_testkit::rewrite(lenient.as_ref(), head, &metaprotocol_testkit::new_id(id))
                .expect("a sum");
        }
        stream.extend(frame);
    }
    let sample = Sample::new(format!("seed {seed}: {}", description("true")), CLIENT, stream);
    let found = decode(&codec, CLIENT, &sample.stream);
    assert_eq!((found.failure, found.end()), (None, sample.stream.len() as u64), "{}", sample.name);
    same_however_cut(&codec, Limits::default(), &sample);
    cut_short(&codec, Limits::default(), &sample);
    back_to_back(&codec, Limits::default(), &sample);
    exercise(&codec, Limits::default(), &sample, &[1, 5]);
    survives_mutations(&codec, std::slice::from_ref(&sample), 40);
}

#[test]
fn random_frames_of_random_descriptions() {
    (1..=250).for_each(round);
}
