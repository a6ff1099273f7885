//! A destination: as far as one can go without putting anything on air there.

use std::collections::BTreeMap;
use std::path::Path;

use url::Url;

use super::{Check, Fault, Finding, check};
use crate::limits::{DRY_RUN_DESTINATION_LIMIT, DRY_RUN_FILE_LIMIT};
use outboard_base::room;
use outboard_egress::pipe::Pipe;
use outboard_egress::rtmp::enhanced::{EnhancedRtmp, Need};
use outboard_egress::rtmp::session::Session;
use outboard_egress::rtmp::transport::TlsSettings;
use outboard_egress::target::{RtmpTarget, Target};
use outboard_media::demux::Codec;
use outboard_net::{Guard, NetError};
use outboard_pipeline::Owner;
use outboard_pipeline::load::destination_name;
use outboard_pipeline::settings::CheckedDestination;

pub(super) async fn look(owner: &Owner, n: usize, destination: &CheckedDestination, on_air: &[String]) -> Check {
    let path = format!("destinations[{n}].url");
    let target = &destination.target;
    let limit = if matches!(target, Target::File(..)) { DRY_RUN_FILE_LIMIT } else { DRY_RUN_DESTINATION_LIMIT };
    let looked = async {
        let found = match target.check(&owner.guard) {
            Err(denied) => Err(Fault::lasting(denied)),
            Ok(()) if !destination.enabled => Ok(Finding::new("disabled: nothing is sent to it")),
            // Many servers take one publisher of a stream, some one at all: who is there already is not to be disturbed.
            Ok(()) if on_air.contains(&destination_name(&destination.text)) => {
                Ok(Finding::new("the pipeline is on air there now".to_owned()))
            }
            Ok(()) => match target {
                Target::Rtmp(rtmp) => server(rtmp, &owner.guard, destination.enhanced_rtmp).await,
                Target::Stream(url) => by_ffmpeg(address(url, &owner.guard).await).await,
                Target::File(file, _) => by_ffmpeg(folder(file).await).await,
            },
        };
        let shown = target.redacted();
        found
            .map(|finding| finding.fact("url", &shown))
            .map_err(|fault| Fault { message: format!("{shown}: {}", fault.message), ..fault })
    };
    check(path, limit, looked).await
}

async fn server(target: &RtmpTarget, guard: &Guard, enhanced: EnhancedRtmp) -> Result<Finding, Fault> {
    let need = |codec| Need { picture: Some(codec), enhanced };
    // As if the pictures were HEVC, so that a server that takes it says so.
    let reached = Session::probe(target, &TlsSettings::default(), guard, need(Codec::Hevc)).await;
    let secrets = Target::Rtmp(target.clone()).secrets();
    let said = reached.map_err(|error| Fault::new(error.told(&secrets), error.may_pass()))?;
    let refused =
        OTHERS.into_iter().filter_map(|codec| Some((codec.name(), said.check(need(codec)).err()?.to_string())));
    let spoken = if target.tls { "RTMPS" } else { "RTMP" };
    Ok(Finding::new(format!(
        "{}:{} speaks {spoken} and accepts the application {}; the stream key is checked only when publishing starts",
        target.host, target.port, target.app
    ))
    .fact(REFUSED, refused.collect::<BTreeMap<_, _>>()))
}

/// Pictures that are not H.264.
const OTHERS: [Codec; 2] = [Codec::Hevc, Codec::Av1];
/// Why pictures would not be sent to a destination, by ffmpeg's name of their codec. A fact until the source is known.
const REFUSED: &str = "refused";

/// Holds a destination against the source's pictures, by ffmpeg's name of their codec.
pub(super) fn hold_against(check: &mut Check, pictures: Option<&str>) {
    let refused = check.detail.remove(REFUSED);
    if let Some(why) = refused.as_ref().and_then(|refused| refused.get(pictures?)?.as_str()) {
        let shown = check.detail.get("url").and_then(|url| url.as_str()).unwrap_or_default();
        (check.ok, check.temporary, check.message) = (false, false, format!("{shown}: {why}"));
    }
}

/// Adds which pictures ffmpeg could not read, which would write the destination.
async fn by_ffmpeg(found: Result<Finding, Fault>) -> Result<Finding, Fault> {
    let mut refused = BTreeMap::new();
    for codec in OTHERS {
        if let Err(why) = Pipe::check_picture(Some(codec)).await {
            refused.insert(codec.name(), why.to_string());
        }
    }
    found.map(|finding| finding.fact(REFUSED, refused))
}

/// Nothing is sent: these schemes have no way to ask.
async fn address(url: &Url, guard: &Guard) -> Result<Finding, Fault> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or_default());
    let found = guard.resolve(host, port).await;
    let found =
        found.map_err(|error| Fault::new(format_args!("{host}: {error}"), !matches!(error, NetError::Denied(_))))?;
    let addresses: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
    let Some(first) = addresses.first() else {
        return Err(Fault::passing(format_args!("{host} does not resolve to an address")));
    };
    let message =
        format!("{host} resolves to {first}; a dry run cannot tell whether anything listens there ({}:)", url.scheme());
    Ok(Finding::new(message).fact("addresses", addresses))
}

async fn folder(file: &Path) -> Result<Finding, Fault> {
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => Path::new(".").to_owned(),
    };
    let exists = file.exists();
    let tried = tokio::task::spawn_blocking(move || match tempfile::tempfile_in(&dir) {
        Ok(_) => Ok(dir),
        Err(error) => {
            Err(Fault::new(format_args!("no file can be created in {}: {error}", dir.display()), room::is_full(&error)))
        }
    });
    let dir = tried.await.map_err(Fault::passing)??;
    let other = exists.then_some("the file exists: a new name next to it would be used");
    Ok(Finding::new(format!("{} is writable", dir.display())).warn(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pictures_that_a_destination_does_not_take_fail_it_for_such_a_source_alone() {
        let found = || Check {
            path: "destinations[0].url".into(),
            ok: true,
            temporary: true,
            took_ms: 0,
            message: "speaks RTMP".into(),
            warnings: Vec::new(),
            detail: [("url", json!("rtmp://h/live/…")), (REFUSED, json!({ "hevc": "not HEVC" }))]
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
        };
        for (pictures, ok, message) in [
            (Some("hevc"), false, "rtmp://h/live/…: not HEVC"),
            (Some("av1"), true, "speaks RTMP"),
            (Some("h264"), true, "speaks RTMP"),
            (None, true, "speaks RTMP"),
        ] {
            let mut check = found();
            hold_against(&mut check, pictures);
            assert_eq!((check.ok, check.message.as_str()), (ok, message), "{pictures:?}");
            assert_eq!(check.detail.len(), 1, "what is only to be held against the source is not told");
        }
    }
}
