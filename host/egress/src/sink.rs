//! The output of a destination: an RTMP session, or a process.

use std::path::PathBuf;

use thiserror::Error;
use tokio::sync::watch;

use super::guarded;
use super::pipe::{Pipe, PipeError};
use super::rtmp::answer::RtmpError;
use super::rtmp::enhanced::{EnhancedRtmp, Need};
use super::rtmp::session::Session;
use super::rtmp::transport::TlsSettings;
use super::target::Target;
use crate::limits::AIR_ON_AIR_WINDOW;
use outboard_base::redact::{Secrets, plain, redact};
use outboard_media::demux::Codec;
use outboard_media::flv::head::four_cc;
use outboard_media::flv::{FileHeader, TagKind};
use outboard_net::{Guard, NetError};

/// Why a session ended or could not be opened.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The RTMP session failed.
    #[error(transparent)]
    Rtmp(#[from] RtmpError),
    /// The ffmpeg process failed.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// The network policy denied the address, or a host for ffmpeg could not be resolved.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl SinkError {
    /// Whether the server reports that the stream is in use. SRS does so by closing the connection on `publish`.
    pub(super) fn busy(&self) -> bool {
        matches!(self, Self::Rtmp(RtmpError::Busy { .. } | RtmpError::Closed { during: "publish" }))
    }
}

impl SinkError {
    /// The error without secrets, which the other side's text may quote.
    pub(super) fn told(&self, secrets: &Secrets) -> String {
        match self {
            Self::Rtmp(error) => error.told(secrets),
            Self::Pipe(_) | Self::Net(_) => plain(&redact(&self.to_string())).into_owned(),
        }
    }

    /// Whether a person has to change something before another attempt can succeed.
    pub(super) fn wants_a_person(&self) -> bool {
        match self {
            Self::Rtmp(error) => error.wants_a_person(),
            Self::Pipe(error) => matches!(error, PipeError::Picture { .. }),
            Self::Net(_) => false,
        }
    }
}

/// An open session to a receiver, or an ffmpeg that writes to it.
pub(super) enum Sink {
    Rtmp(Box<Session>),
    Pipe(Box<Pipe>),
}

/// What is needed to open a session.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    pub(super) target: Target,
    pub(super) tls: TlsSettings,
    /// The setting, as it is now.
    pub(super) enhanced: watch::Receiver<EnhancedRtmp>,
    pub(super) guard: Guard,
    pub(super) ffmpeg: PathBuf,
}

impl Opener {
    /// `picture`: the codec of the pictures that come first.
    ///
    /// # Errors
    /// [`SinkError`]; of pictures that the receiver does not take, before anything is sent.
    pub(super) async fn open(&self, header: FileHeader, picture: Option<Codec>) -> Result<Sink, SinkError> {
        let need = Need { picture, enhanced: *self.enhanced.borrow() };
        Ok(match &self.target {
            Target::Rtmp(target) => Sink::Rtmp(Box::new(Session::open(target, &self.tls, &self.guard, need).await?)),
            other => {
                Pipe::check_picture(picture).await?;
                let allowed = guarded::target(other, &self.guard).await?;
                Sink::Pipe(Box::new(Pipe::spawn(&self.ffmpeg, &allowed, header).await?))
            }
        })
    }
}

impl Sink {
    /// Buffers a body, given in pieces.
    pub(super) fn push(&mut self, kind: TagKind, dts_ms: u64, body: &[&[u8]]) -> Result<(), SinkError> {
        match self {
            Self::Rtmp(session) => session.push(kind, dts_ms, body),
            Self::Pipe(pipe) => pipe.push(kind, dts_ms, body)?,
        }
        Ok(())
    }

    /// Whether it takes pictures in this codec, which the stream goes on with.
    ///
    /// # Errors
    /// [`SinkError`]: it does not.
    pub(super) fn check_picture(&self, codec: Codec) -> Result<(), SinkError> {
        match self {
            Self::Rtmp(session) => Ok(session.check_picture(codec)?),
            // A changed header needs a new process, or is of a codec that this one reads.
            Self::Pipe(_) => Ok(()),
        }
    }

    pub(super) fn buffered(&self) -> usize {
        match self {
            Self::Rtmp(session) => session.buffered(),
            Self::Pipe(pipe) => pipe.buffered(),
        }
    }

    pub(super) fn written(&self) -> u64 {
        match self {
            Self::Rtmp(session) => session.written(),
            Self::Pipe(pipe) => pipe.written(),
        }
    }

    /// Bytes that have certainly arrived, if the receiver acknowledges them.
    pub(super) fn acked(&self) -> Option<u64> {
        match self {
            Self::Rtmp(session) => session.acked(),
            Self::Pipe(_) => None,
        }
    }

    /// Whether the receiver acknowledges bytes, but none for [`AIR_ON_AIR_WINDOW`] although many are in flight.
    pub(super) fn is_stalled(&self) -> bool {
        match self {
            Self::Rtmp(session) => session.is_stalled(AIR_ON_AIR_WINDOW),
            Self::Pipe(_) => false,
        }
    }

    pub(super) fn new_header_needs_new(&self, codec: Codec) -> bool {
        match self {
            Self::Rtmp(_) => false,
            // Whether ffmpeg reads the codec is looked at when it starts.
            Self::Pipe(pipe) => pipe.new_header_needs_new() || four_cc(codec).is_some(),
        }
    }

    pub(super) async fn flush(&mut self) -> Result<(), SinkError> {
        match self {
            Self::Rtmp(session) => Ok(session.flush().await?),
            Self::Pipe(pipe) => Ok(pipe.flush().await?),
        }
    }

    /// Waits until the receiver sends something or disconnects. Cancel safe.
    pub(super) async fn incoming(&mut self) -> Result<(), SinkError> {
        match self {
            Self::Rtmp(session) => Ok(session.incoming().await?),
            Self::Pipe(pipe) => Err(pipe.ended().await.into()),
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Rtmp(session) => session.close().await,
            Self::Pipe(pipe) => pipe.close().await,
        }
    }
}
