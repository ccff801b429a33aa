//! Whole tables: what they say is what trying one route after another says.

use metaprotocol_core::{Direction, Frame, Limits, Split};
use metaprotocol_proxy::config::{Matcher, Route, RouteTable, Target, Test, Text};
use metaprotocol_proxy::route::{Message, Scratch, Table};
use metaprotocol_testkit::allocations;
use proptest::prelude::*;
use regex::Regex;

use crate::lines::{Lines, find, frame_of, with};

fn ascii_lower(text: &str, ignore_case: bool) -> String {
    if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() }
}

/// The rules, one after another.
fn matches(matcher: &Matcher, value: Option<&str>) -> bool {
    let value = match (value, &matcher.test) {
        (Some(value), _) => value,
        (None, _) if matcher.missing_as_empty => "",
        (None, Test::Present(present)) => return if matcher.invert { *present } else { !*present },
        (None, _) => return false,
    };
    let both = |text: &Text| (ascii_lower(value, text.ignore_case), ascii_lower(&text.text, text.ignore_case));
    let result = match &matcher.test {
        Test::Exact(text) if text.text.is_empty() && !text.strict_empty => true,
        Test::Exact(text) => both(text).0 == both(text).1,
        Test::Prefix(text) => both(text).0.starts_with(&both(text).1),
        Test::Suffix(text) => both(text).0.ends_with(&both(text).1),
        Test::Contains(text) => both(text).0.contains(&both(text).1),
        Test::Regex(regex) => Regex::new(&format!("^(?:{regex})$")).expect("a regular expression").is_match(value),
        Test::Range(start, end) => value.parse::<i64>().is_ok_and(|number| (*start..*end).contains(&number)),
        Test::Present(present) => *present,
    };
    result != matcher.invert
}

fn one_after_another(table: &RouteTable, fields: &[(&str, &str)]) -> Option<usize> {
    let value = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let all = |route: &Route| route.matchers.iter().all(|matcher| matches(matcher, value(&matcher.key)));
    table.routes.iter().position(all)
}

const KEYS: [&str; 4] = ["a", "b", "c", "method"];
const VALUES: [&str; 9] = ["", "x", "X", "xy", "y", "1", "12", "-3", "9999999999999999999"];

fn text() -> impl Strategy<Value = Text> {
    (prop::sample::select(&VALUES[..]), prop::bool::weighted(0.2), any::<bool>())
        .prop_map(|(text, ignore_case, strict_empty)| Text { text: text.to_owned(), ignore_case, strict_empty })
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let regex = prop::sample::select(&["x|xy", "x.*", ".*", "1+", "(?i)y"][..]);
    let test = prop_oneof![
        8 => text().prop_map(Test::Exact),
        1 => text().prop_map(Test::Prefix),
        1 => text().prop_map(Test::Suffix),
        1 => text().prop_map(Test::Contains),
        1 => regex.prop_map(|regex| Test::Regex(regex.to_owned())),
        1 => (-5_i64..15, -5_i64..15).prop_map(|(start, end)| Test::Range(start, end)),
        1 => any::<bool>().prop_map(Test::Present),
    ];
    let flag = || prop::bool::weighted(0.15);
    (prop::sample::select(&KEYS[..]), test, flag(), flag()).prop_map(|(key, test, invert, missing_as_empty)| Matcher {
        key: key.to_owned(),
        test,
        invert,
        missing_as_empty,
    })
}

fn route(matchers: Vec<Matcher>) -> Route {
    Route {
        name: String::new(),
        matchers,
        to: Target::Cluster("c".to_owned()),
        timeout: None,
        hash: Vec::new(),
        mirrors: Vec::new(),
        request_set: Vec::new(),
        response_set: Vec::new(),
        filters: std::collections::BTreeMap::new(),
    }
}

fn route_table() -> impl Strategy<Value = RouteTable> {
    // Few routes without a matcher: behind one no other counts.
    let matchers = prop_oneof![40 => prop::collection::vec(matcher(), 1..4), 1 => Just(Vec::new())];
    prop::collection::vec(matchers.prop_map(route), 0..40).prop_map(|routes| RouteTable { routes })
}

fn fields() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let value = || prop::option::weighted(0.8, prop::sample::select(&VALUES[..]));
    (value(), value(), value(), value()).prop_map(|(a, b, c, method)| {
        KEYS.into_iter().zip([a, b, c, method]).filter_map(|(key, value)| Some((key, value?))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_table_says_what_its_routes_say(config in route_table(), messages in prop::collection::vec(fields(), 1..8)) {
        let table = Table::compile(&config, &Lines::default()).expect("a good table");
        for fields in messages {
            let expected = one_after_another(&config, &fields);
            let bytes = frame_of(&fields);
            prop_assert_eq!(find(&table, &bytes), Ok(expected), "{:?}", fields);
            for cut in 0..bytes.len() {
                if let Ok(early) = find(&table, &bytes[..cut]) {
                    prop_assert_eq!(early, expected, "{:?} cut at {}", &fields, cut);
                }
            }
        }
    }
}

fn exact(key: &str, text: String) -> Matcher {
    let test = Test::Exact(Text { text, ignore_case: false, strict_empty: false });
    Matcher { key: key.to_owned(), test, invert: false, missing_as_empty: false }
}

#[test]
fn ten_thousand_routes_are_found() {
    let count = 10_000;
    let routes = (0..count).map(|number| {
        let interface = exact("interface", format!("org.shop.Service{}", number / 10));
        let method = exact("method", format!("method{}", number % 10));
        match number % 3 {
            0 => route(vec![interface, method]),
            1 => route(vec![method, interface]),
            _ => route(vec![interface, exact("zone", "here".to_owned()), method]),
        }
    });
    let config = RouteTable { routes: routes.collect() };
    let table = Table::compile(&config, &Lines::default()).unwrap();
    for number in 0..count {
        let (interface, method) = (format!("org.shop.Service{}", number / 10), format!("method{}", number % 10));
        let here = frame_of(&[("interface", &interface), ("method", &method), ("zone", "here")]);
        assert_eq!(find(&table, &here), Ok(Some(number)));
        let there = frame_of(&[("interface", &interface), ("method", &method), ("zone", "there")]);
        assert_eq!(find(&table, &there), Ok((number % 3 != 2).then_some(number)));
    }
    assert_eq!(find(&table, &frame_of(&[("interface", "org.shop.Service7"), ("method", "method10")])), Ok(None));
}

#[test]
fn routes_that_cannot_be_looked_up_are_tried_in_their_order() {
    let prefix = |number: usize| {
        let test = Test::Prefix(Text { text: format!("m{number}/"), ignore_case: false, strict_empty: false });
        Matcher { key: "method".to_owned(), test, invert: false, missing_as_empty: false }
    };
    let mut routes: Vec<_> = (0..2000).map(|number| route(vec![prefix(number)])).collect();
    routes.push(route(vec![exact("method", "m7/x".to_owned())]));
    let table = Table::compile(&RouteTable { routes }, &Lines::default()).unwrap();
    assert_eq!(find(&table, &frame_of(&[("method", "m1999/x")])), Ok(Some(1999)));
    assert_eq!(find(&table, &frame_of(&[("method", "m7/x")])), Ok(Some(7)));
}

#[test]
fn a_warm_worker_allocates_nothing() {
    let config = crate::lines::config(
        r#"{"routes": [
            {"match": [{"key": "a", "test": {"exact": {"text": "1"}}}, {"key": "b", "test": {"exact": {"text": "2"}}}], "to": {"cluster": "c"}},
            {"match": [{"key": "a", "test": {"exact": {"text": "9"}}}], "to": {"cluster": "c"}},
            {"match": [{"key": "b", "test": {"regex": "x+"}}], "to": {"cluster": "c"}},
            {"match": [{"key": "c", "test": {"contains": {"text": "Q", "ignore_case": true}}}], "to": {"cluster": "c"}},
            {"match": [{"key": "d", "test": {"range": [0, 10]}}], "to": {"cluster": "c"}},
            {"match": [{"key": "a", "test": {"exact": {"text": "7"}}}, {"key": "e", "test": {"exact": {"text": "8"}}}], "to": {"cluster": "c"}},
            {"to": {"key": "e"}, "hash": ["e", "a", "d"]}
        ]}"#,
    );
    let codec = Lines::default();
    let table = Table::compile(&config, &codec).unwrap();
    let mut scratch = Scratch::default();
    let bytes = frame_of(&[("a", "7"), ("b", "y"), ("c", "text"), ("d", "-12"), ("e", "where")]);
    let frame = with(&codec, &bytes, &[], |message| message.frame().head);
    let frame = Frame { head: frame, bytes: bytes.as_bytes() };
    let limits = Limits::default();
    let mut once = || {
        let mut message = Message::new(&codec, frame, &limits, &[], &mut scratch);
        let route = table.find(&mut message).unwrap().expect("a route");
        assert_eq!(route.number, 6);
        assert_eq!(route.target.cluster(&mut message, || 0).unwrap().expect("a cluster").name(), "where");
        assert!(route.hash.hash(&mut message).unwrap().is_some());
    };
    assert!(allocations(&mut once) > 0, "nothing is counted");
    assert_eq!(allocations(|| (0..100).for_each(|_| once())), 0);
}

fn vector(codec: &str, name: &str) -> Vec<u8> {
    let path = format!("{}/../../codecs/{codec}/vectors/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn real_protocols_are_routed() {
    for (protocol, bytes, json) in [
        (
            "thrift",
            vector("thrift", "001-framed-binary-call"),
            r#"{"routes": [
                {"match": [{"key": "method", "test": {"exact": {"text": "other"}}}], "to": {"cluster": "0"}},
                {"match": [{"key": "Method", "test": {"exact": {"text": "sayHello"}}}, {"key": "x-user", "test": {"present": false}}], "to": {"cluster": "1"}}
            ]}"#,
        ),
        (
            "dubbo",
            vector("dubbo", "001-request"),
            r#"{"routes": [
                {"match": [{"key": "method", "test": {"exact": {"text": "sayHello"}}}, {"key": "no-such", "test": {"present": true}}], "to": {"cluster": "0"}},
                {"match": [{"key": "interface", "test": {"exact": {"text": "org.apache.dubbo.samples.basic.api.DemoService"}}}, {"key": "method", "test": {"exact": {"text": "sayHello"}}},
                    {"key": "two_way", "test": {"range": [1, 2]}}], "to": {"cluster": "1"}}
            ]}"#,
        ),
    ] {
        let codec = metaprotocol_registry::find(protocol).expect("a built-in codec");
        let limits = Limits::default();
        let Ok(Split::Head(head)) = codec.split(Direction::ClientToServer, &limits, &bytes) else {
            panic!("{protocol}")
        };
        let table = Table::compile(&crate::lines::config(json), &*codec).unwrap();
        let mut scratch = Scratch::default();
        let mut route = |len: usize| {
            let frame = Frame { head, bytes: &bytes[..len] };
            let mut message = Message::new(&*codec, frame, &limits, &[], &mut scratch);
            table.find(&mut message).map(|route| route.map(|route| route.number))
        };
        assert_eq!(route(head.frame_len), Ok(Some(1)), "{protocol}");
        for cut in head.header_len as usize..head.frame_len {
            let found = route(cut);
            assert!(found.is_err() || found == Ok(Some(1)), "{protocol} cut at {cut}: {found:?}");
        }
    }
}
