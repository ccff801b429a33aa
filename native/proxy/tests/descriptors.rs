//! A proxy in a process of its own that may open few files: who finds no place waits, and nobody who has one is harmed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken expectation is a failed test")]

mod common;

use std::env;
use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::process::{Command, Stdio};

use common::message::*;
use common::{Client, Host, PATIENCE, Rig, codec, simple};

/// Says to the process that it is the proxy, and what its configuration is.
const UPDATE: &str = "PROXY_WITH_FEW_FILES";

#[test]
fn clients_wait_for_files_and_are_served_then() {
    if let Ok(update) = env::var(UPDATE) {
        return serve(&update);
    }
    let host = Host::thrift("");
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 32 && exec \"$0\" --exact clients_wait_for_files_and_are_served_then --nocapture"])
        .arg(env::current_exe().unwrap())
        .env(UPDATE, simple("thrift", &[&host]).to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| line.unwrap().strip_prefix("address ").map(|text| text.parse().unwrap()));
    let address = address.expect("the proxy listens");
    let first = |number: u32| {
        let mut client = Client::new(address, codec("thrift"));
        client.send(&thrift_call(number, b"x"));
        client
    };
    let mut clients: Vec<Client> = (0..60).map(first).collect();
    let mut served = 0;
    while !clients.is_empty() {
        // The oldest has a place: it is answered, or told that there is none for the connection to the host.
        let mut client = clients.remove(0);
        let text = String::from_utf8_lossy(thrift_text(&client.frame())).into_owned();
        match text.as_str() {
            "x" => served += 1,
            told => assert!(told.contains("no connection could be opened"), "{told}"),
        }
        // Its place is the next one's.
    }
    assert!(served > 0, "nobody was served");
    let mut last = Client::new(address, codec("thrift"));
    assert_eq!(last.call(1, "at last"), "at last");
    drop(last);
    drop(child.stdin.take());
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
}

/// The proxy: until its standard input ends.
fn serve(update: &str) {
    let mut rig = Rig::new(serde_json::from_str(update).unwrap());
    println!("\naddress {}", rig.address());
    stdout().flush().unwrap();
    stdin().read_to_end(&mut Vec::new()).unwrap();
    rig.quiet();
    assert!(rig.shut_down(PATIENCE));
}
