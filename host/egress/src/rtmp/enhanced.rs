//! Enhanced RTMP: pictures that are not H.264, named by a FourCC. Whether a server takes them.
//!
//! In: the server's answer to `connect`. Out: what it says, and whether that is enough. Servers that know only H.264 accept
//! such pictures without an error and drop or misread them, so nothing is sent to a server that does not say it.
//!
//! Source: Veovera Software Organization, Enhanced RTMP v1 and v2, "Enhancing NetConnection connect command". SRS takes HEVC
//! since 6.0.42 without these properties; it tells its version.

use std::fmt;

use super::amf::Value;
use super::answer::{Command, RtmpError};
use outboard_media::demux::Codec;
use outboard_media::flv::head::four_cc;

/// When a destination is sent pictures in a codec other than H.264.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnhancedRtmp {
    /// If its server says that it takes them.
    #[default]
    Auto,
    /// Whatever its server says.
    Always,
    /// Not at all.
    Never,
}

/// What the stream needs of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Need {
    /// Codec of the pictures; `None`: there are none, or that is not known.
    pub picture: Option<Codec>,
    /// The destination's setting.
    pub enhanced: EnhancedRtmp,
}

/// What a server says in its answer to `connect`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// FourCCs that it takes; `*` is all.
    codecs: Vec<String>,
    /// Version of SRS, if it is one.
    srs: Option<[u32; 3]>,
}

/// Bits of `videoFourCcInfoMap`: it can decode, encode or forward the codec.
const CAN_DECODE: u32 = 1;
const CAN_FORWARD: u32 = 4;
/// Since this version SRS takes HEVC by enhanced RTMP.
const SRS_HEVC: [u32; 3] = [6, 0, 42];
/// Most names that are told of a server's list.
const NAMES_TOLD: usize = 8;

impl Need {
    /// The FourCC of the pictures, if they need enhanced RTMP.
    pub(super) fn four_cc(&self) -> Option<&'static str> {
        self.picture.and_then(four_cc)
    }
}

/// The properties of `connect` that say what may be sent.
pub(super) fn offer(four_cc: &str) -> [(String, Value); 2] {
    let name = Value::Text(four_cc.to_owned());
    let can = Value::Object(vec![(four_cc.to_owned(), Value::Number(CAN_FORWARD.into()))]);
    [("fourCcList".to_owned(), Value::List(vec![name])), ("videoFourCcInfoMap".to_owned(), can)]
}

impl Said {
    /// Reads the answer to `connect`.
    pub(super) fn of(answer: &Command) -> Self {
        let mut said = Self::default();
        let fields = answer.values.iter().filter_map(|value| match value {
            Value::Object(fields) => Some(fields),
            _ => None,
        });
        for (name, value) in fields.flatten() {
            match (name.as_str(), value) {
                ("fourCcList", Value::List(names)) => {
                    said.codecs.extend(names.iter().filter_map(Value::text).map(str::to_owned));
                }
                ("videoFourCcInfoMap", Value::Object(codecs)) => {
                    let takes =
                        |can: &Value| can.number().is_some_and(|can| can as u32 & (CAN_DECODE | CAN_FORWARD) != 0);
                    said.codecs.extend(codecs.iter().filter(|(_, can)| takes(can)).map(|(name, _)| name.clone()));
                }
                ("data", data) => said.srs = data.field("srs_version").and_then(version),
                _ => {}
            }
        }
        said
    }

    /// Whether pictures of this need can be sent.
    ///
    /// # Errors
    /// [`RtmpError::Picture`].
    pub fn check(&self, need: Need) -> Result<(), RtmpError> {
        let (Some(codec), Some(four_cc)) = (need.picture, need.four_cc()) else { return Ok(()) };
        let why = match need.enhanced {
            EnhancedRtmp::Always => return Ok(()),
            EnhancedRtmp::Auto if self.takes(four_cc) => return Ok(()),
            EnhancedRtmp::Auto => format!("the server does not say that it takes {four_cc} by enhanced RTMP: {self}"),
            EnhancedRtmp::Never => "the destination's enhancedRtmp is never".to_owned(),
        };
        Err(RtmpError::Picture { codec: picture_name(codec), why })
    }

    fn takes(&self, four_cc: &str) -> bool {
        self.codecs.iter().any(|name| name == four_cc || name == "*")
            || four_cc == "hvc1" && self.srs.is_some_and(|srs| srs >= SRS_HEVC)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([major, minor, revision]) = self.srs {
            write!(f, "it is SRS {major}.{minor}.{revision}, ")?;
        }
        if self.codecs.is_empty() {
            return f.write_str("its answer to connect names no codecs");
        }
        let names: Vec<&str> = self.codecs.iter().map(String::as_str).take(NAMES_TOLD).collect();
        write!(f, "its answer to connect names {}", names.join(", "))
    }
}

/// The name of a picture's codec for people.
pub fn picture_name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H.264",
        Codec::Hevc => "HEVC",
        Codec::Av1 => "AV1",
        other => other.name(),
    }
}

/// `6.0.157`, also with words behind it.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split(|other: char| !other.is_ascii_digit()).map(str::parse);
    let mut part = || parts.next()?.ok();
    Some([part()?, part()?, part()?])
}

#[cfg(test)]
mod tests {
    use super::super::amf;
    use super::*;

    fn said(info: Vec<(&str, Value)>) -> Said {
        let info = info.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut body = Vec::new();
        amf::write(&mut body, &[Value::Text("_result".into()), Value::Number(1.0), Value::Null, Value::Object(info)]);
        Said::of(&Command::parse(&body).unwrap())
    }

    fn list(names: &[&str]) -> Value {
        Value::List(names.iter().map(|name| Value::Text((*name).into())).collect())
    }

    fn srs(version: &str) -> Said {
        said(vec![("data", Value::Object(vec![("srs_version".into(), Value::Text(version.into()))]))])
    }

    fn takes(said: &Said, picture: Codec) -> bool {
        said.check(Need { picture: Some(picture), enhanced: EnhancedRtmp::Auto }).is_ok()
    }

    #[test]
    fn a_server_takes_what_it_names() {
        let both = said(vec![("fourCcList", list(&["av01", "hvc1"]))]);
        let all = said(vec![("fourCcList", list(&["*"]))]);
        let map =
            |can: f64| said(vec![("videoFourCcInfoMap", Value::Object(vec![("hvc1".into(), Value::Number(can))]))]);
        let nothing = said(vec![("code", Value::Text("NetConnection.Connect.Success".into()))]);
        for (said, hevc, av1) in [
            (&both, true, true),
            (&all, true, true),
            (&map(1.0), true, false),
            (&map(4.0), true, false),
            (&map(2.0), false, false),
            (&nothing, false, false),
            (&srs("6.0.157"), true, false),
            (&srs("6.0.42"), true, false),
            (&srs("6.0.41"), false, false),
            (&srs("5.0.200"), false, false),
            (&srs("7.0.1-x"), true, false),
            (&srs("six"), false, false),
        ] {
            assert_eq!((takes(said, Codec::Hevc), takes(said, Codec::Av1)), (hevc, av1), "{said:?}");
            assert!(takes(said, Codec::H264), "every server takes it");
        }
    }

    #[test]
    fn a_refusal_says_what_the_server_said_and_what_would_be_right() {
        let need = Need { picture: Some(Codec::Hevc), enhanced: EnhancedRtmp::Auto };
        let why = srs("5.0.200").check(need).unwrap_err().to_string();
        assert!(why.starts_with("the source's picture is HEVC, and the server does not say"), "{why}");
        assert!(why.contains("SRS 5.0.200") && why.contains("H.264") && why.contains("enhancedRtmp"), "{why}");
        let why = said(vec![("fourCcList", list(&["av01"]))]).check(need).unwrap_err().to_string();
        assert!(why.contains("names av01"), "{why}");
        let with = |enhanced| Said::default().check(Need { enhanced, ..need });
        with(EnhancedRtmp::Always).unwrap();
        assert!(with(EnhancedRtmp::Never).unwrap_err().to_string().contains("enhancedRtmp is never"));
        let h264 = Need { picture: Some(Codec::H264), enhanced: EnhancedRtmp::Never };
        Said::default().check(h264).unwrap();
        Said::default().check(Need::default()).unwrap();
    }
}
