//! From the configured URL to the media playlists: loads the master playlist, selects a variant, loads its playlists
//! once, and refuses what cannot work.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::config::SourceConfig;
use super::error::{FetchError, SourceError, redacted};
use super::event::Started;
use super::fetch::Http;
use super::master::parse_master;
use super::media_playlist::{Key, MediaPlaylist};
use super::playlist::{is_master, parse_media};
use super::retry::Retry;
use super::variables::Variables;
use super::variant::{audio_in_words, choose, choose_audio, in_words, no_renditions, promised_sound};

/// URLs of the media playlists in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// URL of the variant's media playlist.
    pub(super) main: Url,
    /// URL of the separate audio rendition, if there is one.
    pub(super) audio: Option<Url>,
    /// Whether a master playlist led here, so that a new URL can be obtained from it.
    pub(super) by_master: bool,
    /// EXT-X-DEFINE of that master playlist, for the media playlists to import; `None` without one.
    pub(super) variables: Option<Arc<Variables>>,
    /// Rises with each change of origin; sequence numbers before and after a change cannot be compared.
    pub(super) origin: u64,
}

/// A media playlist and the time when its load began.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) playlist: MediaPlaylist,
    pub(super) began: Instant,
    /// Fingerprint of its text.
    pub(super) fingerprint: u64,
}

/// The result of loading a URL.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) location: Location,
    pub(super) started: Started,
    pub(super) main: Loaded,
    pub(super) audio: Option<Loaded>,
    pub(super) warnings: Vec<String>,
    /// Every variant of the master playlist in words.
    pub(super) variants: Vec<String>,
    /// The selected variant in words.
    pub(super) chosen: Option<String>,
}

/// Finds the media playlists of a URL, with the configured number of attempts for each load.
///
/// # Errors
/// [`SourceError`], for permanent faults (scheme, DRM, no variant) and for failed loads.
pub(super) async fn find(http: &Http, config: &SourceConfig, url: &Url) -> Result<Found, SourceError> {
    let url = &plain(url)?;
    let began = Instant::now();
    let (base, text) = load(http, config, url).await?;
    let bad = |cause| SourceError::Playlist { url: redacted(url), cause };
    if !is_master(&text).map_err(bad)? {
        let playlist = parse_media(&base, &text, None).map_err(bad)?;
        refuse_protected(url, &playlist)?;
        let started = Started { target_duration: playlist.target, live: !playlist.ended, ..Started::default() };
        let location = Location { main: url.clone(), audio: None, by_master: false, variables: None, origin: 0 };
        let warnings = playlist.warnings.iter().cloned().chain(no_renditions(&config.audio)).collect();
        let main = Loaded { playlist, began, fingerprint: fingerprint(&base, &text) };
        return Ok(Found { location, started, main, audio: None, warnings, variants: Vec::new(), chosen: None });
    }
    let master = parse_master(&base, &text).map_err(bad)?;
    let variants: Vec<String> = master.variants.iter().map(in_words).collect();
    let variant = choose(&master, &config.variant).map_err(|wanted| SourceError::NoVariant {
        url: redacted(url),
        wanted,
        offered: variants.join("; "),
    })?;
    let (rendition, warning) = choose_audio(&master, variant, &config.audio)
        .map_err(|why| SourceError::NoSound { url: redacted(url), why })?;
    let separate = rendition.and_then(|rendition| Some((rendition, rendition.url.clone().ok().flatten()?)));
    let variables = Arc::new(master.variables.clone());
    let mut main = media(http, config, &variant.url, &variables).await?;
    main.playlist.start_us = main.playlist.start_us.or(master.start_us);
    let audio = match &separate {
        Some((rendition, url)) => Some(match media(http, config, url, &variables).await {
            Ok(loaded) => loaded,
            // The rule of the policy is the complete explanation.
            Err(denied @ SourceError::Denied { .. }) => return Err(denied),
            Err(cause) => {
                return Err(SourceError::Rendition { rendition: audio_in_words(rendition), cause: Box::new(cause) });
            }
        }),
        None => None,
    };
    let started = Started {
        bandwidth: Some(variant.bandwidth).filter(|&bandwidth| bandwidth > 0),
        resolution: variant.resolution,
        codecs: variant.codecs.clone(),
        audio: separate.as_ref().map(|(rendition, _)| audio_in_words(rendition)),
        promised_sound: promised_sound(variant, rendition),
        target_duration: main.playlist.target,
        live: !main.playlist.ended,
    };
    let audio_url = separate.map(|(_, url)| url);
    let location = Location {
        main: variant.url.clone(),
        audio: audio_url,
        by_master: true,
        variables: Some(variables),
        origin: 0,
    };
    let chosen = Some(in_words(variant));
    let mut warnings = master.warnings.clone();
    warnings.extend(warning);
    warnings
        .extend([Some(&main), audio.as_ref()].into_iter().flatten().flat_map(|list| list.playlist.warnings.clone()));
    Ok(Found { location, started, main, audio, warnings, variants, chosen })
}

/// The URL without credentials (requests add them) and fragment, if its scheme is supported.
fn plain(url: &Url) -> Result<Url, SourceError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(SourceError::Scheme { url: redacted(url), scheme: url.scheme().to_owned() });
    }
    let mut plain = url.clone();
    // Neither can fail for an http(s) URL.
    let _ = plain.set_username("");
    let _ = plain.set_password(None);
    plain.set_fragment(None);
    Ok(plain)
}

async fn media(http: &Http, config: &SourceConfig, url: &Url, variables: &Variables) -> Result<Loaded, SourceError> {
    let began = Instant::now();
    let (base, text) = load(http, config, url).await?;
    let playlist = parse_media(&base, &text, Some(variables))
        .map_err(|cause| SourceError::Playlist { url: redacted(url), cause })?;
    refuse_protected(url, &playlist)?;
    Ok(Loaded { playlist, began, fingerprint: fingerprint(&base, &text) })
}

/// Loads one valid playlist, with retries: a temporary error page is a fault like any other.
async fn load(http: &Http, config: &SourceConfig, url: &Url) -> Result<(Url, String), SourceError> {
    let mut retry = Retry::new(&config.bounds.playlist, config.bounds.retry_step);
    loop {
        let checked = match http.playlist(url, &config.bounds.playlist).await {
            Ok((base, text)) => is_master(&text).map(|_| (base, text)).map_err(FetchError::from),
            Err(error) => Err(error),
        };
        let cause = match checked {
            Ok(loaded) => return Ok(loaded),
            Err(cause) => cause,
        };
        match retry.after(&cause) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(unusable(url, retry.failures(), cause)),
        }
    }
}

fn unusable(url: &Url, tries: u32, cause: FetchError) -> SourceError {
    let url = redacted(url);
    match cause {
        FetchError::Playlist(cause) => SourceError::Playlist { url, cause },
        FetchError::Denied(cause) => SourceError::Denied { url, cause },
        cause => SourceError::Unreachable { url, tries, cause },
    }
}

/// Refuses a playlist whose segments are all protected; single protected ones (a break with DRM) become gaps.
fn refuse_protected(url: &Url, playlist: &MediaPlaylist) -> Result<(), SourceError> {
    let protected = playlist.entries.iter().map(|entry| match entry.key.as_deref() {
        Some(Key::Unsupported { method, keyformat }) => Some((method, keyformat)),
        _ => None,
    });
    let Some(all) = protected.collect::<Option<Vec<_>>>() else { return Ok(()) };
    match all.last() {
        Some((method, keyformat)) => Err(SourceError::Encrypted {
            url: redacted(url),
            method: (*method).clone(),
            keyformat: (*keyformat).clone(),
        }),
        None => Ok(()),
    }
}

/// The result of a dry run; see [`super::probe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    /// What a run would select.
    pub started: Started,
    /// The selected variant in words; `None` without a master playlist.
    pub chosen: Option<String>,
    /// Every variant of the master playlist in words.
    pub variants: Vec<String>,
    /// Number of segments in the playlist.
    pub segments: usize,
    /// Total duration of these segments.
    pub listed: Duration,
    /// Whether segments are encrypted with AES-128.
    pub encrypted: bool,
    /// Whether segments need an initialization section (fMP4).
    pub mapped: bool,
    /// Warnings about the playlists for a person.
    pub warnings: Vec<String>,
}

impl From<Found> for SourceReport {
    fn from(found: Found) -> Self {
        let entries = &found.main.playlist.entries;
        Self {
            chosen: found.chosen,
            variants: found.variants,
            segments: entries.len(),
            listed: entries.iter().map(super::media_playlist::Entry::duration).sum(),
            encrypted: entries.iter().any(|entry| entry.key.is_some()),
            mapped: entries.iter().any(|entry| entry.map.is_some()),
            started: found.started,
            warnings: found.warnings,
        }
    }
}

impl SourceError {
    /// Whether another URL may succeed after this error. An invalid header or folder is a fault of the settings.
    pub(super) fn other_url_may_work(&self) -> bool {
        !matches!(self, Self::Header { .. } | Self::Directory { .. } | Self::Client(_))
    }
}

/// A hash that distinguishes texts of a playlist.
pub(super) fn fingerprint(base: &Url, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (base.as_str(), text).hash(&mut hasher);
    hasher.finish()
}
