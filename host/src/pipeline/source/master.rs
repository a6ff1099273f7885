//! A master playlist as text becomes variants and audio renditions with absolute addresses.
//!
//! m3u8-rs reads the tags, one at a time: read as a whole, one malformed tag gives its URI to the variant before it.

use url::Url;

use super::error::PlaylistError;

/// A master playlist, reduced to what a choice needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Master {
    /// Playable variants in the order of the playlist, without I-frame ones.
    pub(super) variants: Vec<Variant>,
    /// EXT-X-MEDIA of TYPE=AUDIO.
    pub(super) audio: Vec<Rendition>,
    /// Lines that could not be used.
    pub(super) warnings: Vec<String>,
}

/// One EXT-X-STREAM-INF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Absolute, may carry a token.
    pub(super) url: Url,
    /// The URI as written.
    pub(super) uri: String,
    /// NAME, which many packagers add.
    pub name: Option<String>,
    /// BANDWIDTH in bits per second; 0 where it is missing.
    pub bandwidth: u64,
    /// Width and height.
    pub resolution: Option<(u32, u32)>,
    /// CODECS as written.
    pub codecs: Option<String>,
    /// Group of separate audio renditions.
    pub audio_group: Option<String>,
}

/// One EXT-X-MEDIA of TYPE=AUDIO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// GROUP-ID.
    pub group: String,
    /// NAME.
    pub name: String,
    /// LANGUAGE.
    pub language: Option<String>,
    /// DEFAULT=YES.
    pub default: bool,
    /// AUTOSELECT=YES.
    pub autoselect: bool,
    /// Its playlist; `None`: this sound is inside the variant.
    pub(super) url: Option<Url>,
}

/// Reads a master playlist; `base` is the address that it finally came from.
///
/// # Errors
/// [`PlaylistError::NoVariants`] where nothing in it can be played.
pub(super) fn parse_master(base: &Url, text: &str) -> Result<Master, PlaylistError> {
    let mut master = Master { variants: Vec::new(), audio: Vec::new(), warnings: Vec::new() };
    let mut pending = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.starts_with("#EXT-X-STREAM-INF:") {
            pending = Some(line);
        } else if line.starts_with("#EXT-X-MEDIA:") {
            match rendition(base, line) {
                Some(rendition) => master.audio.extend(rendition),
                None => master.warnings.push(format!("line {number}: EXT-X-MEDIA cannot be read")),
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            match pending.take().map(|tag| variant(base, tag, line)) {
                Some(Some(variant)) => master.variants.push(variant),
                Some(None) => master.warnings.push(format!("line {number}: EXT-X-STREAM-INF cannot be read")),
                None => master.warnings.push(format!("line {number}: a URI without EXT-X-STREAM-INF")),
            }
        }
    }
    if master.variants.is_empty() { Err(PlaylistError::NoVariants) } else { Ok(master) }
}

fn variant(base: &Url, tag: &str, uri: &str) -> Option<Variant> {
    // BANDWIDTH is required, but some leave it out where there is only one variant.
    let bandwidth = if tag.contains("BANDWIDTH=") { "" } else { ",BANDWIDTH=0" };
    let read = read_tags(&format!("{tag}{bandwidth}\n{uri}\n"))?.variants.pop()?;
    let resolution = read.resolution.and_then(|r| Some((r.width.try_into().ok()?, r.height.try_into().ok()?)));
    let name = read.other_attributes.as_ref().and_then(|others| others.get("NAME"));
    Some(Variant {
        url: http_url(base, uri)?,
        uri: uri.to_owned(),
        name: name.map(|name| name.as_str().to_owned()),
        bandwidth: read.bandwidth,
        resolution,
        codecs: read.codecs,
        audio_group: read.audio,
    })
}

/// `None`: cannot be read; an inner `None`: subtitles and the like.
fn rendition(base: &Url, tag: &str) -> Option<Option<Rendition>> {
    let read = read_tags(&format!("{tag}\n"))?.alternatives.pop()?;
    if read.media_type != m3u8_rs::AlternativeMediaType::Audio {
        return Some(None);
    }
    let url = match &read.uri {
        Some(uri) => Some(http_url(base, uri)?),
        None => None,
    };
    Some(Some(Rendition {
        group: read.group_id,
        name: read.name,
        language: read.language,
        default: read.default,
        autoselect: read.autoselect,
        url,
    }))
}

fn read_tags(tags: &str) -> Option<m3u8_rs::MasterPlaylist> {
    m3u8_rs::parse_master_playlist_res(format!("#EXTM3U\n{tags}").as_bytes()).ok()
}

fn http_url(base: &Url, uri: &str) -> Option<Url> {
    let mut url = base.join(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Master, PlaylistError> {
        parse_master(&Url::parse("https://host/a/master.m3u8?t=1").unwrap(), &format!("#EXTM3U\n{body}"))
    }

    #[test]
    fn variants_and_renditions() {
        let master = parse(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"en/a.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"inside\"\n\
             #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"sub\",URI=\"s.m3u8\"\n\
             #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=3000,RESOLUTION=1280x720,CODECS=\"avc1.4d401f,mp4a.40.2\",AUDIO=\"aac\",NAME=\"720p\"\n\
             # a comment between\n720/x.m3u8?q=2\n#EXT-X-STREAM-INF:PROGRAM-ID=1\n/one.m3u8\n",
        )
        .unwrap();
        assert!(master.warnings.is_empty(), "{:?}", master.warnings);
        let first = &master.variants[0];
        assert_eq!(first.url.as_str(), "https://host/a/720/x.m3u8?q=2");
        assert_eq!((first.bandwidth, first.resolution), (3000, Some((1280, 720))));
        assert_eq!((first.name.as_deref(), first.audio_group.as_deref()), (Some("720p"), Some("aac")));
        assert_eq!(first.codecs.as_deref(), Some("avc1.4d401f,mp4a.40.2"));
        assert_eq!((master.variants[1].url.as_str(), master.variants[1].bandwidth), ("https://host/one.m3u8", 0));
        let audio: Vec<_> = master.audio.iter().map(|r| (r.name.as_str(), r.url.is_some(), r.default)).collect();
        assert_eq!(audio, [("English", true, true), ("inside", false, false)]);
    }

    #[test]
    fn one_bad_tag_harms_no_other() {
        let master = parse(
            "#EXT-X-STREAM-INF:BANDWIDTH=1\ngood.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=x\nbad.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2\nfile:///etc/passwd\nstray.m3u8\n#EXT-X-MEDIA:TYPE=AUDIO\n",
        )
        .unwrap();
        let uris: Vec<_> = master.variants.iter().map(|variant| variant.uri.as_str()).collect();
        assert_eq!(uris, ["good.m3u8"]);
        assert_eq!(master.warnings.len(), 4, "{:?}", master.warnings);
        assert_eq!(parse("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\"\n"), Err(PlaylistError::NoVariants));
    }
}
