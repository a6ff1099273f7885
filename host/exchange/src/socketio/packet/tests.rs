use std::collections::VecDeque;

use bytes::Bytes;
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserState};
use socketioxide_core::{Str, Value};
use socketioxide_parser_common::CommonParser;

use super::*;

fn head(text: &str) -> Head<'_> {
    parse(text).unwrap()
}

#[test]
fn every_part_of_a_packet_is_found() {
    let plain = head(r#"2["e",1]"#);
    assert_eq!(
        plain,
        Head { kind: PacketKind::Event, attachments: 0, namespace: "/", id: None, payload: r#"["e",1]"# }
    );
    let full = head(r#"512-/a-b/c,907["e",{}]"#);
    assert_eq!((full.kind, full.attachments, full.namespace, full.id), (PacketKind::Event, 12, "/a-b/c", Some(907)));
    assert_eq!(full.payload, r#"["e",{}]"#);
    assert_eq!(head(r#"0{"sid":"x"}"#).kind, PacketKind::Connect);
    assert_eq!(head("1"), Head { kind: PacketKind::Disconnect, attachments: 0, namespace: "/", id: None, payload: "" });
    assert_eq!(head("1/admin").namespace, "/admin");
    assert_eq!(head("1/admin?token=x,").namespace, "/admin");
    assert_eq!((head("63-5[]").kind, head("63-5[]").id), (PacketKind::Ack, Some(5)));
    assert_eq!(head("37[]").kind, PacketKind::Ack);
}

#[test]
fn what_is_no_packet_is_refused() {
    for (text, error) in [
        ("", PacketError::Type),
        ("7[]", PacketError::Type),
        ("é", PacketError::Type),
        ("5[\"e\"]", PacketError::Attachments),
        ("5-[\"e\"]", PacketError::Attachments),
        ("5+1-[\"e\"]", PacketError::Attachments),
        ("517-[\"e\"]", PacketError::Attachments),
        ("5é-", PacketError::Attachments),
        ("299999999999999999999[\"e\"]", PacketError::AckId),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
    // Multi-byte characters at every border: an error or a packet, never a panic.
    for text in ["2/é", "2/é,", "2é", "21é", "51-é", "51-/é,1é", "0é"] {
        let _ = parse(text);
    }
}

#[test]
fn an_event_is_split_into_name_and_arguments() {
    let split = |payload| split_event(payload).map(|(name, arguments)| format!("{name} {arguments}"));
    assert_eq!(split(r#"["a\"]\\",{"x":[1]}, 2]"#).unwrap(), r#"a"]\ [{"x":[1]}, 2]"#);
    assert_eq!(split(r#" [ "e" ] "#).unwrap(), "e []");
    assert_eq!(split(r#"["é",1]"#).unwrap(), "é [1]");
    for bad in ["", "[]", "[1]", "{}", r#"["e"#, r#"["e" 1]"#, r#"["e"]]"#, r#"["\x"]"#, "[\"\\"] {
        assert_eq!(split_event(bad), Err(PacketError::Event), "{bad}");
    }
}

#[test]
fn a_stage_cannot_break_out_of_a_packet() {
    assert_eq!(event("/", "e\",\"x", "[1]", 0, None).unwrap(), r#"2["e\",\"x",1]"#);
    for bad in ["", "{}", "[1", "[1],[2]", "[1]]", "1", "[1]\u{0}"] {
        assert_eq!(event("/", "e", bad, 0, None), Err(PacketError::Arguments), "{bad}");
    }
    assert_eq!(event("/", "e", "[]", EXCHANGE_ATTACHMENTS_MAX + 1, None), Err(PacketError::Attachments));
}

#[test]
fn what_we_write_is_what_the_protocol_says() {
    assert_eq!(event("/", "e", "[]", 0, None).unwrap(), r#"2["e"]"#);
    assert_eq!(event("/n", "e", " [ ] ", 1, None).unwrap(), r#"51-/n,["e" ]"#);
    assert_eq!(event("/n", "e", "[1]", 1, Some(12)).unwrap(), r#"51-/n,12["e",1]"#);
    let counted = [("[]", 0), ("[1,{\"a\":[2]}]", 2), ("", 0), ("{}", 0)];
    counted.iter().for_each(|(payload, count)| assert_eq!(ack_arguments(payload), *count, "{payload}"));
    assert_eq!(
        event("/n", "e", r#"[{"d":{"_placeholder":true,"num":0}}]"#, 1, None).unwrap().as_str(),
        r#"51-/n,["e",{"d":{"_placeholder":true,"num":0}}]"#
    );
    assert_eq!(connect("/", None), "0");
    assert_eq!(connect("/n", Some(&serde_json::json!({"token": "t"}))), r#"0/n,{"token":"t"}"#);
    assert_eq!(disconnect("/"), "1");
    assert_eq!(disconnect("/n"), "1/n,");
    assert_eq!(ack("/n", 12), "3/n,12[]");
}

#[test]
fn a_refusal_tells_its_message() {
    assert_eq!(refusal(r#"{"message":"invalid token","data":{"a":1}}"#), "invalid token");
    assert_eq!(refusal(r#""old style""#), "old style");
    for other in ["", "{}", "[1]", r#"{"message":1}"#] {
        assert_eq!(refusal(other), "no reason given");
    }
}

/// The same bytes, parsed by the packet crates of another implementation.
#[test]
fn a_server_reads_what_we_write() {
    let (state, config) = (ParserState::default(), ParseConfig::default());
    let text = event("/n", "fragment:data", r#"[{"data":{"_placeholder":true,"num":0}}]"#, 1, None).unwrap();
    let first = CommonParser.decode_str(&config, &state, Str::from(text.clone()));
    assert!(matches!(first, Err(ParseError::NeedsMoreBinaryData)));
    let packet = CommonParser.decode_bin(&config, &state, Bytes::from_static(b"audio")).unwrap();
    let json = Str::from(text.split_once(',').unwrap().1.to_owned());
    let value = Value::Str(json, Some(VecDeque::from([Bytes::from_static(b"audio")])));
    assert_eq!(packet, Packet::event("/n", value.clone()));
    let Value::Str(written, _) = CommonParser.encode(Packet::event("/n", value)) else { panic!("text") };
    assert_eq!(written.as_str(), text);
}

/// Why these crates are not our packet layer: they are made for a server, and cannot parse what only a client receives.
/// If this test fails, they can, and docs/exchange.md must be reconsidered.
#[test]
fn the_crates_of_a_server_cannot_read_a_refusal() {
    let refused = CommonParser.decode_str(
        &ParseConfig::default(),
        &ParserState::default(),
        Str::from(r#"4{"message":"invalid token"}"#.to_owned()),
    );
    assert!(matches!(refused, Err(ParseError::InvalidPacketType)));
    assert_eq!(head(r#"4{"message":"invalid token"}"#).kind, PacketKind::ConnectError);
}
