//! Each rule by itself.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metaprotocol_core::{Edits, Reason, Value};
use metaprotocol_proxy::route::{Cluster, Table, Target};
use metaprotocol_registry::find as codec;
use xxhash_rust::xxh64::xxh64;

use crate::lines::{Lines, cluster, config, find, frame_of, table, with};

const LONG: &str = "9223372036854775808";

/// A matcher of the key `k`, values that match and values that do not; `None` is a message without the key.
#[test]
fn what_each_test_matches() {
    let exact_empty = r#""exact": {"text": ""}"#;
    let strict_empty = r#""exact": {"text": "", "strict_empty": true}"#;
    for (test, rest, yes, no) in [
        (r#""exact": {"text": "Get"}"#, "", &[Some("Get")][..], &[Some("get"), Some("Gets"), Some(""), None][..]),
        (r#""exact": {"text": "Get", "ignore_case": true}"#, "", &[Some("GET")], &[Some("Gets"), Some("Ge"), None]),
        (r#""exact": {"text": "7"}"#, "", &[Some("7")], &[Some("07"), Some("+7")]),
        (r#""exact": {"text": "-7"}"#, "", &[Some("-7")], &[Some("7")]),
        (exact_empty, "", &[Some(""), Some("x"), Some("1")], &[None]),
        (exact_empty, r#", "invert": true"#, &[], &[Some(""), Some("x"), None]),
        (exact_empty, r#", "missing_as_empty": true"#, &[Some("x"), None], &[]),
        (strict_empty, "", &[Some("")], &[Some("x"), None]),
        (strict_empty, r#", "missing_as_empty": true"#, &[Some(""), None], &[Some("x")]),
        (strict_empty, r#", "invert": true"#, &[Some("x")], &[Some(""), None]),
        (r#""exact": {"text": "a"}"#, r#", "invert": true"#, &[Some("b"), Some("")], &[Some("a"), None]),
        (
            r#""exact": {"text": "a"}"#,
            r#", "invert": true, "missing_as_empty": true"#,
            &[Some("b"), None],
            &[Some("a")],
        ),
        (r#""exact": {"text": "a"}"#, r#", "missing_as_empty": true"#, &[Some("a")], &[Some(""), None]),
        (
            r#""prefix": {"text": "Say"}"#,
            "",
            &[Some("Say"), Some("SayHi")],
            &[Some("Sa"), Some("say"), Some("xSay"), None],
        ),
        (r#""prefix": {"text": "Say", "ignore_case": true}"#, "", &[Some("sAyHi")], &[Some("sa"), Some("xsay")]),
        (r#""prefix": {"text": "1"}"#, "", &[Some("12")], &[Some("21")]),
        (r#""prefix": {"text": "\u00e4"}"#, "", &[Some("\u{e4}h")], &[Some("\u{c4}"), Some("\u{c3}")]),
        (r#""prefix": {"text": "a"}"#, r#", "invert": true"#, &[Some("b")], &[Some("ab"), None]),
        (r#""suffix": {"text": "Hi"}"#, "", &[Some("Hi"), Some("SayHi")], &[Some("i"), Some("hi"), Some("Hix"), None]),
        (r#""suffix": {"text": "Hi", "ignore_case": true}"#, "", &[Some("sayhI")], &[Some("hix"), Some("i")]),
        (r#""contains": {"text": "yH"}"#, "", &[Some("SayHi"), Some("yH")], &[Some("sayhi"), Some("y"), None]),
        (r#""contains": {"text": "yH", "ignore_case": true}"#, "", &[Some("sAYhI")], &[Some("y"), Some("hy")]),
        (r#""contains": {"text": "", "ignore_case": true}"#, "", &[Some(""), Some("x")], &[None]),
        (
            r#""contains": {"text": "a"}"#,
            r#", "missing_as_empty": true, "invert": true"#,
            &[None, Some("b")],
            &[Some("xay")],
        ),
        (r#""regex": "get|getAll""#, "", &[Some("get"), Some("getAll")], &[Some("getAllx"), Some("xget"), None]),
        (r#""regex": "a*""#, r#", "missing_as_empty": true"#, &[None, Some("aa")], &[Some("b")]),
        (r#""regex": "a*""#, r#", "invert": true"#, &[Some("b")], &[Some("a"), None]),
        (
            r#""range": [-3, 10]"#,
            "",
            &[Some("-3"), Some("9"), Some("+1"), Some(" 7\t"), Some("007")],
            &[Some("10"), Some("-4"), Some("1.0"), Some("0x1"), Some(""), Some("1 2"), Some("x"), Some(LONG), None],
        ),
        (r#""range": [0, 10]"#, r#", "invert": true"#, &[Some("10"), Some("x"), Some(LONG)], &[Some("0"), None]),
        (r#""range": [5, 5]"#, "", &[], &[Some("5")]),
        (r#""present": true"#, "", &[Some(""), Some("x"), Some("3")], &[None]),
        (r#""present": true"#, r#", "invert": true"#, &[None], &[Some(""), Some("x")]),
        (r#""present": false"#, "", &[None], &[Some(""), Some("x")]),
        (r#""present": false"#, r#", "invert": true"#, &[Some(""), Some("x")], &[None]),
        (r#""present": true"#, r#", "missing_as_empty": true"#, &[Some("x"), None], &[]),
    ] {
        let json = format!(
            r#"{{"routes": [{{"match": [{{"key": "k", "test": {{{test}}}{rest}}}], "to": {{"cluster": "c"}}}}]}}"#
        );
        let table = table(&json);
        for (values, expected) in [(yes, Some(0)), (no, None)] {
            for value in values {
                let bytes = value.map_or_else(|| frame_of(&[("o", "1")]), |value| frame_of(&[("k", value)]));
                assert_eq!(find(&table, &bytes), Ok(expected), "{test}{rest} of {value:?}");
            }
        }
    }
}

#[test]
fn the_first_route_wins_and_all_matchers_must_match() {
    let table = table(
        r#"{"routes": [
            {"match": [{"key": "a", "test": {"exact": {"text": "1"}}}, {"key": "b", "test": {"prefix": {"text": "x"}}}], "to": {"cluster": "0"}},
            {"match": [{"key": "b", "test": {"exact": {"text": "xy"}}}, {"key": "a", "test": {"exact": {"text": "1"}}}], "to": {"cluster": "1"}},
            {"match": [{"key": "a", "test": {"exact": {"text": "1"}}}, {"key": "a", "test": {"exact": {"text": "2"}}}], "to": {"cluster": "2"}},
            {"match": [{"key": "b", "test": {"suffix": {"text": "y"}}}], "to": {"cluster": "3"}},
            {"match": [{"key": "a", "test": {"exact": {"text": "2"}}}], "to": {"cluster": "4"}},
            {"match": [{"key": "a", "test": {"exact": {"text": "2"}}}], "to": {"cluster": "unreachable"}},
            {"to": {"cluster": "6"}},
            {"match": [{"key": "a", "test": {"exact": {"text": "3"}}}], "to": {"cluster": "unreachable"}}
        ]}"#,
    );
    for (fields, expected) in [
        (&[("a", "1"), ("b", "xy")][..], 0),
        (&[("a", "2"), ("b", "xy")], 3),
        (&[("a", "1"), ("b", "y")], 3),
        (&[("a", "2"), ("b", "z")], 4),
        (&[("a", "1"), ("b", "z")], 6),
        (&[("a", "3")], 6),
        (&[], 6),
    ] {
        assert_eq!(find(&table, &frame_of(fields)), Ok(Some(expected)), "{fields:?}");
    }
    assert_eq!(table.routes().len(), 8);
    assert!(!table.is_trivial());
}

#[test]
fn a_table_that_says_the_same_of_all_messages_reads_none() {
    for (json, expected) in [
        (r#"{"routes": []}"#, None),
        (
            r#"{"routes": [{"to": {"cluster": "c"}}, {"match": [{"key": "a", "test": {"present": true}}], "to": {"cluster": "d"}}]}"#,
            Some(0),
        ),
    ] {
        let table = table(json);
        assert!(table.is_trivial());
        assert_eq!(find(&table, "a=broken\n\n"), Ok(expected));
    }
}

#[test]
fn keys_are_known_ones_first_then_known_ones_in_any_case_then_the_frames_own() {
    let key = |name: &str| {
        table(&format!(
            r#"{{"routes": [{{"match": [{{"key": "{name}", "test": {{"exact": {{"text": "x"}}}}}}], "to": {{"cluster": "c"}}}}]}}"#
        ))
    };
    for (name, field) in
        [("method", "method"), ("Method", "Method"), ("METHOD", "method"), ("Size", "size"), ("X-User", "X-User")]
    {
        assert_eq!(find(&key(name), &frame_of(&[(field, "x")])), Ok(Some(0)), "{name} is {field}");
    }
    assert_eq!(find(&key("X-User"), &frame_of(&[("x-user", "x")])), Ok(None));
}

#[test]
fn what_the_proxy_gives_wins_over_the_frame() {
    let table = table(
        r#"{"routes": [{"match": [{"key": "X-Meta-Protocol-Application-Protocol", "test": {"exact": {"text": "shop"}}}],
            "to": {"key": "x-cluster"}}]}"#,
    );
    let extra = [
        (Cow::Borrowed("x-meta-protocol-application-protocol"), Cow::Borrowed("shop")),
        (Cow::Borrowed("x-cluster"), Cow::Owned("ours".to_owned())),
    ];
    let codec = Lines::default();
    with(
        &codec,
        &frame_of(&[("x-meta-protocol-application-protocol", "theirs"), ("x-cluster", "theirs")]),
        &extra,
        |message| {
            let route = table.find(message).unwrap().expect("a route");
            assert_eq!(route.target.cluster(message, || 0).unwrap().expect("a cluster").name(), "ours");
        },
    );
    assert_eq!(codec.asked.load(Ordering::Relaxed), 0);
}

#[test]
fn each_field_is_read_once_for_a_message() {
    let routes: Vec<_> = (0..100)
        .map(|number| {
            format!(
                r#"{{"match": [{{"key": "a", "test": {{"prefix": {{"text": "{number}x"}}}}}}, {{"key": "b", "test": {{"exact": {{"text": "{number}"}}}}}}],
                "to": {{"key": "a"}}, "hash": ["b", "a", "c"]}}"#
            )
        })
        .collect();
    let table = table(&format!(r#"{{"routes": [{}]}}"#, routes.join(",")));
    let codec = Lines::default();
    with(&codec, &frame_of(&[("a", "73x"), ("b", "73")]), &[], |message| {
        let route = table.find(message).unwrap().expect("a route");
        assert_eq!(route.number, 73);
        assert_eq!(route.target.cluster(message, || 0).unwrap().expect("a cluster").name(), "73x");
        assert_eq!(route.hash.hash(message).unwrap(), Some(xxh64(b"7373x", 0)));
        assert_eq!(table.find(message).unwrap().expect("a route").number, 73);
    });
    assert_eq!(codec.asked.load(Ordering::Relaxed), 3);
}

#[test]
fn routes_that_compare_the_same_fields_are_looked_up_together_whatever_their_order() {
    let exact = |key: &str, text: usize| format!(r#"{{"key": "{key}", "test": {{"exact": {{"text": "{text}"}}}}}}"#);
    let route = |number: usize| {
        let (a, b) = (exact("a", number), exact("b", number));
        let both = if number.is_multiple_of(2) { format!("{a}, {b}") } else { format!("{b}, {a}") };
        format!(r#"{{"match": [{both}], "to": {{"cluster": "c"}}}}"#)
    };
    let table = table(&format!(r#"{{"routes": [{}]}}"#, (0..10).map(route).collect::<Vec<_>>().join(",")));
    for (fields, expected, asked) in [
        (&[("a", "7"), ("b", "7")][..], Some(7), 2),
        (&[("a", "7"), ("b", "8")], None, 2),
        (&[("a", "70"), ("b", "7")], None, 1),
        (&[("b", "7")], None, 1),
    ] {
        let codec = Lines::default();
        let found =
            with(&codec, &frame_of(fields), &[], |message| table.find(message).unwrap().map(|route| route.number));
        assert_eq!((found, codec.asked.load(Ordering::Relaxed)), (expected, asked), "{fields:?}");
    }
}

#[test]
fn a_message_that_meets_another_table_does_not_mix_up_their_fields() {
    let key = |name: &str| {
        table(&format!(
            r#"{{"routes": [{{"match": [{{"key": "{name}", "test": {{"exact": {{"text": "1"}}}}}}], "to": {{"key": "{name}"}}}}]}}"#
        ))
    };
    let (first, second) = (key("a"), key("b"));
    with(&Lines::default(), &frame_of(&[("a", "1"), ("b", "2")]), &[], |message| {
        let route = first.find(message).unwrap().expect("a route");
        assert!(second.find(message).unwrap().is_none());
        assert_eq!(route.target.cluster(message, || 0).unwrap().expect("a cluster").name(), "1");
        assert!(second.find(message).unwrap().is_none());
    });
}

#[test]
fn a_frame_of_which_the_front_is_here_is_routed_as_soon_as_that_tells() {
    let table = table(
        r#"{"routes": [
            {"match": [{"key": "a", "test": {"exact": {"text": "x"}}}, {"key": "late", "test": {"exact": {"text": "1"}}}], "to": {"cluster": "0"}},
            {"match": [{"key": "a", "test": {"prefix": {"text": "y"}}}], "to": {"cluster": "1"}},
            {"match": [{"key": "a", "test": {"exact": {"text": "yy"}}}, {"key": "late", "test": {"exact": {"text": "1"}}}], "to": {"cluster": "2"}},
            {"to": {"cluster": "3"}}
        ]}"#,
    );
    assert_eq!(find(&table, "a=yy\nbody="), Ok(Some(1)), "only a later route needs more");
    assert_eq!(find(&table, "a=z\nbody="), Ok(Some(3)));
    let error = find(&table, "a=x\nbody=").unwrap_err();
    assert!(matches!(error.reason, Reason::UnexpectedEnd { .. }), "{error}");
    assert_eq!(find(&table, "a=x\nbody=\nlate=1\n"), Ok(Some(0)));
    let error = find(&table, "a=broken\n\n").unwrap_err();
    assert!(matches!(error.reason, Reason::BadEncoding { .. }), "{error}");
}

#[test]
fn clusters_get_their_shares_in_the_order_of_the_list() {
    let table = table(r#"{"routes": [{"to": {"weighted": [["a", 1], ["none", 0], ["b", 3], ["a", 2]]}}]}"#);
    let picked: Vec<_> = (0..7).map(|random| cluster(&table, "\n", random).expect("a cluster")).collect();
    assert_eq!(picked, ["a", "b", "b", "b", "a", "a", "a"]);
    assert_eq!(cluster(&table, "\n", u64::MAX - 2).as_deref(), Some("b"), "{}", (u64::MAX - 2) % 6);
    assert_eq!(table.clusters().iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "none", "b"]);
}

#[test]
fn a_message_can_name_its_cluster() {
    let table = table(r#"{"routes": [{"to": {"key": "size"}}]}"#);
    assert_eq!(cluster(&table, "size=big\n\n", 0).as_deref(), Some("big"));
    assert_eq!(cluster(&table, "size=12\n\n", 0).as_deref(), Some("12"));
    assert_eq!(cluster(&table, "\n", 0), None);
}

#[test]
fn hashes_are_of_the_sorted_values() {
    let hash = |keys: &str, fields: &[(&str, &str)]| {
        let table = table(&format!(r#"{{"routes": [{{"to": {{"cluster": "c"}}, "hash": [{keys}]}}]}}"#));
        with(&Lines::default(), &frame_of(fields), &[], |message| table.routes()[0].hash.hash(message).unwrap())
    };
    assert_eq!(hash("", &[("a", "1")]), None);
    assert_eq!(hash(r#""a""#, &[("a", "alice")]), Some(xxh64(b"alice", 0)));
    assert_eq!(hash(r#""a""#, &[]), Some(xxh64(b"", 0)));
    for keys in [r#""a", "b", "c""#, r#""c", "a", "b""#] {
        assert_eq!(hash(keys, &[("a", "zoe"), ("b", "42"), ("d", "x")]), Some(xxh64(b"42zoe", 0)));
    }
}

#[test]
fn the_rest_of_a_route_is_ready_for_use() {
    let table = table(
        r#"{"routes": [{"name": "one", "to": {"cluster": "c"}, "timeout": 1500,
            "mirrors": [{"cluster": "m", "of_million": 250000}, {"cluster": "c"}],
            "request_set": [["METHOD", "get"], ["X-Env", "blue"]], "response_set": [["x-seen", "1"]],
            "filters": {"f": {"limit": 3}}}]}"#,
    );
    let route = &table.routes()[0];
    assert_eq!((&*route.name, route.timeout, route.hash.is_empty()), ("one", Some(Duration::from_millis(1500)), true));
    assert_eq!(route.filters["f"]["limit"], 3);
    let [quarter, all] = &*route.mirrors else { panic!("{:?}", route.mirrors) };
    assert_eq!((&*quarter.cluster.name, quarter.cluster.number, all.cluster.number), ("m", 1, 0));
    assert!(matches!(&route.target, Target::Cluster(Cluster { number: 0, .. })));
    let taken = |random| (quarter.takes(random), all.takes(random));
    assert_eq!(
        [0, 249_999, 250_000, 999_999, 1_000_000].map(taken),
        [(true, true), (true, true), (false, true), (false, true), (true, true),]
    );
    let mut edits = Edits { set: vec![("x-request-id", Value::str("7"))], ..Edits::default() };
    route.request_set.add_to(&mut edits);
    assert_eq!(
        edits.set,
        [("x-request-id", Value::str("7")), ("method", Value::str("get")), ("X-Env", Value::str("blue"))]
    );
    assert!(!route.response_set.is_empty());
}

#[test]
fn errors_say_where_and_what() {
    let good = r#"{"to": {"cluster": "c"}}"#;
    for (route, path, message) in [
        (
            r#"{"match": [{"key": "a", "test": {"present": true}}, {"key": "b", "test": {"regex": "a("}}], "to": {"cluster": "c"}}"#,
            "routes[1].match[1].test",
            "unclosed group",
        ),
        (
            r#"{"match": [{"key": "a", "test": {"regex": "(a{1000}){1000}"}}], "to": {"cluster": "c"}}"#,
            "routes[1].match[0].test",
            "split it",
        ),
        (
            r#"{"match": [{"key": "", "test": {"present": true}}], "to": {"cluster": "c"}}"#,
            "routes[1].match[0].key",
            "is empty",
        ),
        (r#"{"to": {"weighted": [["a", 0], ["b", 0]]}}"#, "routes[1].to.weighted", "add up to 0"),
        (r#"{"to": {"weighted": []}}"#, "routes[1].to.weighted", "add up to 0"),
        (r#"{"to": {"weighted": [["", 1]]}}"#, "routes[1].to.weighted[0]", "is empty"),
        (r#"{"to": {"cluster": ""}}"#, "routes[1].to.cluster", "is empty"),
        (r#"{"to": {"key": ""}}"#, "routes[1].to.key", "is empty"),
        (r#"{"to": {"cluster": "c"}, "mirrors": [{"cluster": ""}]}"#, "routes[1].mirrors[0].cluster", "is empty"),
        (r#"{"to": {"cluster": "c"}, "hash": ["a", ""]}"#, "routes[1].hash[1]", "is empty"),
        (r#"{"to": {"cluster": "c"}, "request_set": [["", "x"]]}"#, "routes[1].request_set[0]", "is empty"),
        (r#"{"to": {"cluster": "c"}, "response_set": [["", "x"]]}"#, "routes[1].response_set[0]", "is empty"),
    ] {
        let config = config(&format!(r#"{{"routes": [{good}, {route}]}}"#));
        let error = Table::compile(&config, &Lines::default()).expect_err(route);
        assert_eq!(error.path, path);
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn tables_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let codec = codec("dubbo").expect("a built-in codec");
    shared(&Table::compile(&config(r#"{"routes": []}"#), &*codec).unwrap());
}
