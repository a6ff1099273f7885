//! Assembles a packet from its text and the binary frames that follow it. In: frames in order. Out: complete packets.
//! Limited in count and bytes; a text frame before the last attachment, or a binary frame without a text, is an error.

use bytes::Bytes;

use super::packet::{self, PacketError, PacketKind};
use crate::limits::EXCHANGE_ATTACHMENTS_MAX_BYTES;

/// Frames that are not a valid packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// The text is not a packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// A text frame came while attachments were missing.
    #[error("a text frame arrived while {0} attachments of the previous packet were missing")]
    TextInside(usize),
    /// A binary frame came without a packet.
    #[error("a binary frame arrived that belongs to no packet")]
    StrayBinary,
    /// The attachments of one packet exceed the limit in bytes.
    #[error("attachments of {0} bytes; the limit is {EXCHANGE_ATTACHMENTS_MAX_BYTES}")]
    TooLarge(usize),
}

/// A packet with its attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Type of the packet.
    pub kind: PacketKind,
    /// Namespace of the packet, `/` by default.
    pub namespace: String,
    /// Id for the ack, if one is requested.
    pub id: Option<u64>,
    /// JSON text with placeholders for attachments.
    pub payload: String,
    /// Binary frames, in the order of their numbers.
    pub attachments: Vec<Bytes>,
}

/// The packet in progress, if any.
#[derive(Debug, Default)]
pub struct Assembly {
    partial: Option<(Whole, usize)>,
    bytes: usize,
}

impl Assembly {
    /// Takes a text frame (without Engine.IO's `4`); returns the packet if it is complete.
    pub fn text(&mut self, text: &str) -> Result<Option<Whole>, AssemblyError> {
        if let Some((whole, wanted)) = &self.partial {
            return Err(AssemblyError::TextInside(wanted.saturating_sub(whole.attachments.len())));
        }
        let head = packet::parse(text)?;
        let whole = Whole {
            kind: head.kind,
            namespace: head.namespace.to_owned(),
            id: head.id,
            payload: head.payload.to_owned(),
            attachments: Vec::new(),
        };
        if head.attachments == 0 {
            return Ok(Some(whole));
        }
        self.bytes = 0;
        self.partial = Some((whole, head.attachments));
        Ok(None)
    }

    /// Takes a binary frame; returns the packet if it was the last one.
    pub fn binary(&mut self, frame: Bytes) -> Result<Option<Whole>, AssemblyError> {
        let Some((mut whole, wanted)) = self.partial.take() else {
            return Err(AssemblyError::StrayBinary);
        };
        self.bytes += frame.len();
        if self.bytes > EXCHANGE_ATTACHMENTS_MAX_BYTES {
            return Err(AssemblyError::TooLarge(self.bytes));
        }
        whole.attachments.push(frame);
        if whole.attachments.len() == wanted {
            return Ok(Some(whole));
        }
        self.partial = Some((whole, wanted));
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_whole_with_its_last_attachment() {
        let mut assembly = Assembly::default();
        let text = r#"52-/audio,["e",{"a":{"_placeholder":true,"num":1},"b":[{"_placeholder":true,"num":0}]}]"#;
        assert_eq!(assembly.text(text).unwrap(), None);
        assert_eq!(assembly.binary(Bytes::from_static(b"one")).unwrap(), None);
        let whole = assembly.binary(Bytes::from_static(b"two")).unwrap().unwrap();
        assert_eq!(whole.kind, PacketKind::Event);
        assert_eq!(whole.namespace, "/audio");
        assert_eq!(whole.payload, &text["52-/audio,".len()..], "placeholders stay text");
        assert_eq!(whole.attachments, [Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
        assert!(assembly.text("2[\"next\"]").unwrap().is_some(), "ready for the next packet");
    }

    #[test]
    fn frames_out_of_place_are_faults() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.binary(Bytes::new()), Err(AssemblyError::StrayBinary));
        assert_eq!(assembly.text("52-[\"e\"]").unwrap(), None);
        assembly.binary(Bytes::new()).unwrap();
        assert_eq!(assembly.text("2[\"e\"]"), Err(AssemblyError::TextInside(1)));
        assert!(matches!(Assembly::default().text("x"), Err(AssemblyError::Packet(PacketError::Type))));
    }

    #[test]
    fn attachments_are_bounded_in_bytes() {
        let mut assembly = Assembly::default();
        let half = Bytes::from(vec![0; EXCHANGE_ATTACHMENTS_MAX_BYTES / 2 + 1]);
        assembly.text("53-[\"e\"]").unwrap();
        assembly.binary(half.clone()).unwrap();
        assert_eq!(assembly.binary(half), Err(AssemblyError::TooLarge(EXCHANGE_ATTACHMENTS_MAX_BYTES + 2)));
        // A packet of the largest size is accepted after a packet without attachments.
        let mut assembly = Assembly::default();
        for _ in 0..2 {
            assembly.text("51-[\"e\"]").unwrap();
            assert!(assembly.binary(Bytes::from(vec![0; EXCHANGE_ATTACHMENTS_MAX_BYTES])).unwrap().is_some());
        }
    }
}
