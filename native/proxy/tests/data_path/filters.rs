//! Messages among filters that answer at once, or later.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use metaprotocol_core::ErrorType;
use metaprotocol_proxy::filter::{Filter, Seen, Ticket, Verdict};
use serde_json::{Value, json};

use crate::common::message::*;
use crate::common::{Host, Rig, simple, until, with};

/// Refuses what has `no` in it; keeps what has `later` in it, each way if it has `back` in it, too.
#[derive(Default)]
struct Judge(Mutex<Vec<Ticket>>);

impl Judge {
    fn judge(&self, message: &Seen<'_>) -> Verdict {
        if contains(message.frame.bytes, "no") {
            return Verdict::Refuse(ErrorType::Denied, "not that".into());
        }
        if !contains(message.frame.bytes, "later") {
            return Verdict::Go;
        }
        self.0.lock().unwrap().push(message.ticket());
        Verdict::Wait
    }

    fn waiting(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn go(&self) {
        self.0.lock().unwrap().drain(..).for_each(|ticket| ticket.answer(Verdict::Go));
    }
}

impl Filter for Judge {
    fn sees_responses(&self) -> bool {
        true
    }

    fn request(&self, message: &Seen<'_>) -> Verdict {
        self.judge(message)
    }

    fn response(&self, message: &Seen<'_>) -> Verdict {
        if contains(message.frame.bytes, "back") { self.judge(message) } else { Verdict::Go }
    }
}

fn judged(codec: &str, host: &Host) -> (Arc<Judge>, Rig) {
    let judge = Arc::new(Judge::default());
    let filters: Value = json!({ "listeners": { "l": { "filters": [{ "name": "judge" }] } } });
    let rig = Rig::filtered(Arc::clone(&judge) as Arc<dyn Filter>, with(simple(codec, &[host]), filters));
    (judge, rig)
}

fn slow_redis() -> Host {
    Host::new("redis", |peer, _, bytes| {
        std::thread::sleep(Duration::from_millis(20));
        let key = String::from_utf8_lossy(bytes).split("\r\n").nth(4).unwrap_or_default().to_owned();
        peer.send(&redis_text(&key));
    })
}

#[test]
fn a_refusal_waits_behind_answers_where_order_tells_them_apart() {
    let host = slow_redis();
    let (_judge, rig) = judged("redis", &host);
    let mut client = rig.client("redis");
    client.send(&["a", "no", "b", "no", "c"].map(|key| redis(&["GET", key])).concat());
    let answers: Vec<_> = (0..5).map(|_| client.frame()).collect();
    assert_eq!([&answers[0], &answers[2], &answers[4]], [&redis_text("a"), &redis_text("b"), &redis_text("c")]);
    assert!([1, 3].iter().all(|at| contains(&answers[*at], "not that")), "{answers:?}");
    assert_eq!(host.count(), 3);
}

#[test]
fn what_waits_for_a_filter_holds_up_what_must_come_behind_it_each_way() {
    let host = slow_redis();
    let (judge, rig) = judged("redis", &host);
    let mut client = rig.client("redis");
    client.send(&["a", "later-back", "b"].map(|key| redis(&["GET", key])).concat());
    assert_eq!(client.frame(), redis_text("a"));
    for _ in 0..2 {
        until("it waits", || judge.waiting() == 1);
        judge.go();
    }
    assert_eq!([client.frame(), client.frame()], [redis_text("later-back"), redis_text("b")]);
}

#[test]
fn others_pass_what_waits_for_a_filter_where_ids_tell_them_apart() {
    let host = Host::thrift("");
    let (judge, rig) = judged("thrift", &host);
    let mut client = rig.client("thrift");
    client.send(&[thrift_call(1, b"later"), thrift_call(2, b"x"), thrift_call(3, b"no")].concat());
    let answers = [client.frame(), client.frame()];
    assert!(answers.iter().any(|frame| thrift_text(frame) == b"x"));
    assert!(answers.iter().any(|frame| thrift_id(frame) == 3 && contains(frame, "not that")));
    judge.go();
    assert_eq!(thrift_id(&client.frame()), 1);
}

#[test]
fn a_client_that_leaves_while_its_messages_wait_leaves_nothing_behind() {
    // As the rig is dropped it sees that all that is counted as under way is none.
    for codec in ["thrift", "redis"] {
        for text in ["later", "later-back"] {
            let host = if codec == "thrift" { Host::thrift("") } else { slow_redis() };
            let (judge, rig) = judged(codec, &host);
            let mut stays = rig.client(codec);
            let message = |text: &str| match codec {
                "thrift" => thrift_call(1, text.as_bytes()),
                _ => redis(&["GET", text]),
            };
            let mut leaves = rig.client(codec);
            leaves.send(&message(text));
            until("it waits", || judge.waiting() == 1);
            if text == "later-back" {
                judge.go();
                until("its answer waits", || judge.waiting() == 1);
            }
            crate::common::reset(&leaves.socket);
            drop(leaves);
            until("it has left", || rig.listener("downstream_cx_active") == 1);
            judge.go();
            stays.send(&message("x"));
            assert!(contains(&stays.frame(), "x"));
        }
    }
}
