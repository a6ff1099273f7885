//! Selects a variant and an audio rendition of a master playlist: pure functions that also return the reasons in words.

use super::config::{AudioChoice, VariantChoice};
use super::master::{Master, Rendition, Variant};
use outboard_media::language;

/// Codecs that RTMP receivers commonly refuse; selected only if nothing else is offered or they are requested by name.
const SELDOM_PLAYABLE: [&str; 10] = ["hvc1", "hev1", "dvh1", "dvhe", "dvav", "av01", "vp09", "ac-3", "ec-3", "ac-4"];

/// Prefixes of audio codecs in CODECS (RFC 6381), in lower case.
const AUDIO_CODECS: [&str; 9] = ["mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "dts", "mp3"];

/// The matching variant with the highest bandwidth; of equals the first. The inner `Err` describes the choice that no
/// variant matches.
pub(super) fn choose<'a>(master: &'a Master, choice: &VariantChoice) -> Result<&'a Variant, String> {
    let mut fitting: Vec<&Variant> = master.variants.iter().collect();
    if let Some(name) = &choice.name {
        fitting.retain(|variant| variant.name.as_ref() == Some(name) || variant.uri == *name);
    } else if fitting.iter().any(|variant| playable(variant)) {
        fitting.retain(|variant| playable(variant));
    }
    if let Some((width, height)) = choice.resolution {
        let exact = |variant: &Variant| variant.resolution == Some((width, height));
        let inside = |variant: &Variant| variant.resolution.is_some_and(|(w, h)| w <= width && h <= height);
        if fitting.iter().any(|variant| exact(variant)) {
            fitting.retain(|variant| exact(variant));
        } else {
            fitting.retain(|variant| inside(variant));
            let largest = fitting.iter().filter_map(|variant| variant.resolution).max_by_key(area);
            fitting.retain(|variant| variant.resolution == largest);
        }
    }
    if let Some(max) = choice.max_bandwidth {
        if fitting.iter().any(|variant| variant.bandwidth <= max) {
            fitting.retain(|variant| variant.bandwidth <= max);
        } else {
            let lowest = fitting.iter().map(|variant| variant.bandwidth).min();
            fitting.retain(|variant| Some(variant.bandwidth) == lowest);
        }
    }
    // `max_by_key` returns the last of equals, but the author of the playlist prefers the first.
    fitting.into_iter().rev().max_by_key(|variant| variant.bandwidth).ok_or_else(|| wanted(choice))
}

/// The rendition that belongs to a variant: by language and name, else the default, else the first. `None`: the audio
/// is inside the variant. If nothing matches the choice, the default is used and the second value says so.
///
/// # Errors
/// Why none of the variant's renditions can be used.
pub(super) fn choose_audio<'a>(
    master: &'a Master,
    variant: &Variant,
    choice: &AudioChoice,
) -> Result<(Option<&'a Rendition>, Option<String>), String> {
    let Some(group) = &variant.audio_group else { return Ok((None, no_renditions(choice))) };
    let group_members = || master.audio.iter().filter(|rendition| rendition.group == *group);
    let members: Vec<&Rendition> = group_members().filter(|rendition| rendition.url.is_ok()).collect();
    if members.is_empty() {
        let reasons: Vec<&str> =
            group_members().filter_map(|rendition| rendition.url.as_ref().err()).map(String::as_str).collect();
        if reasons.is_empty() {
            return Ok((None, Some(format!("the variant's audio group '{group}' is not in the playlist"))));
        }
        return Err(format!("audio group '{group}': {}", reasons.join("; ")));
    }
    let exact = |rendition: &&Rendition| rendition.language.as_deref().is_some_and(|code| is_exactly(code, choice));
    let is_exact = members.iter().any(exact);
    let fits = |rendition: &&&Rendition| {
        choice.name.as_ref().is_none_or(|name| rendition.name == *name)
            && choice.language.as_deref().is_none_or(|language| speaks(rendition, language))
            && (!is_exact || exact(rendition))
    };
    let preferred = |list: &[&'a Rendition]| {
        let default = list.iter().find(|rendition| rendition.default);
        default.or_else(|| list.iter().find(|rendition| rendition.autoselect)).or(list.first()).copied()
    };
    let fitting: Vec<&Rendition> = members.iter().filter(fits).copied().collect();
    match preferred(&fitting) {
        Some(rendition) => Ok((Some(rendition), None)),
        None => {
            let offered: Vec<String> = members.iter().map(|rendition| audio_in_words(rendition)).collect();
            let warning = format!(
                "no audio rendition has {}; the playlist has {}, of which the default is used",
                choice_in_words(choice),
                offered.join(", ")
            );
            Ok((preferred(&members), Some(warning)))
        }
    }
}

/// What is told where a rendition is chosen by name and the audio is inside the segments.
pub(super) fn no_renditions(choice: &AudioChoice) -> Option<String> {
    let name = choice.name.as_ref()?;
    Some(format!(
        "no audio rendition has the name '{name}'; the source has no audio renditions, its audio is inside the segments"
    ))
}

/// What promises that a variant has audio, in words; `None`: nothing.
pub(super) fn promised_sound(variant: &Variant, rendition: Option<&Rendition>) -> Option<String> {
    if let Some(rendition) = rendition {
        return Some(format!("audio rendition {}", audio_in_words(rendition)));
    }
    if let Some(group) = &variant.audio_group {
        return Some(format!("AUDIO=\"{group}\""));
    }
    let codecs = variant.codecs.as_deref()?;
    let is_audio = |codec: &str| {
        let codec = codec.trim().to_ascii_lowercase();
        AUDIO_CODECS.iter().any(|known| codec.starts_with(known))
    };
    codecs.split(',').any(is_audio).then(|| format!("CODECS=\"{codecs}\""))
}

fn playable(variant: &Variant) -> bool {
    let codecs = variant.codecs.as_deref().unwrap_or_default();
    !codecs.split(',').any(|codec| SELDOM_PLAYABLE.iter().any(|seldom| codec.trim().starts_with(seldom)))
}

fn speaks(rendition: &Rendition, wanted: &str) -> bool {
    rendition.language.as_deref().is_some_and(|spoken| language::is_same(spoken, wanted))
}

/// Whether a language has also the region that is wanted.
fn is_exactly(spoken: &str, choice: &AudioChoice) -> bool {
    choice.language.as_deref().is_some_and(|wanted| spoken.eq_ignore_ascii_case(wanted))
}

fn area(resolution: &(u32, u32)) -> u64 {
    u64::from(resolution.0) * u64::from(resolution.1)
}

fn wanted(choice: &VariantChoice) -> String {
    let name = choice.name.as_ref().map(|name| format!("name '{name}'"));
    let resolution = choice.resolution.map(|(width, height)| format!("resolution {width}x{height}"));
    let bandwidth = choice.max_bandwidth.map(|bandwidth| format!("at most {bandwidth} b/s"));
    [name, resolution, bandwidth].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn choice_in_words(choice: &AudioChoice) -> String {
    let name = choice.name.as_ref().map(|name| format!("the name '{name}'"));
    let language = choice.language.as_ref().map(|language| format!("the language {language}"));
    name.into_iter().chain(language).collect::<Vec<_>>().join(" and ")
}

/// Describes a variant for people: `720p 1280x720 3000000 b/s avc1…`.
pub(super) fn in_words(variant: &Variant) -> String {
    let resolution = variant.resolution.map(|(width, height)| format!("{width}x{height}"));
    let bandwidth = Some(format!("{} b/s", variant.bandwidth));
    let parts = [variant.name.clone(), resolution, bandwidth, variant.codecs.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Describes a rendition for people: `English (en)`.
pub(super) fn audio_in_words(rendition: &Rendition) -> String {
    match &rendition.language {
        Some(language) => format!("{} ({language})", rendition.name),
        None => rendition.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::master::parse_master;
    use super::*;

    fn master() -> Master {
        let text = "#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Deutsch\",LANGUAGE=\"de\",AUTOSELECT=YES,URI=\"de\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en-GB\",DEFAULT=YES,URI=\"en\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",NAME=\"Other\",URI=\"other\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=800,RESOLUTION=640x360,NAME=\"low\"\nlow\n\
            #EXT-X-STREAM-INF:BANDWIDTH=3000,RESOLUTION=1280x720,AUDIO=\"a\"\nmid-1\n\
            #EXT-X-STREAM-INF:BANDWIDTH=3000,RESOLUTION=1280x720,AUDIO=\"a\"\nmid-2\n\
            #EXT-X-STREAM-INF:BANDWIDTH=6000,RESOLUTION=1920x1080,CODECS=\"avc1.640028,mp4a.40.2\"\nhigh\n\
            #EXT-X-STREAM-INF:BANDWIDTH=9000,RESOLUTION=3840x2160,CODECS=\"mp4a.40.2, hvc1.2.4\"\nhevc\n";
        parse_master(&Url::parse("http://h/m").unwrap(), text).unwrap()
    }

    #[test]
    fn the_highest_that_fits() {
        let master = master();
        let choice = |max_bandwidth, resolution, name: Option<&str>| {
            let choice = VariantChoice { max_bandwidth, resolution, name: name.map(str::to_owned) };
            choose(&master, &choice).map(|variant| variant.uri.clone())
        };
        assert_eq!(choice(None, None, None).unwrap(), "high", "HEVC only where nothing else is there");
        assert_eq!(choice(None, None, Some("hevc")).unwrap(), "hevc", "unless asked for");
        assert_eq!(choice(Some(5000), None, None).unwrap(), "mid-1", "of equals the first");
        assert_eq!(choice(Some(10), None, None).unwrap(), "low", "the lowest where all are above");
        assert_eq!(choice(None, Some((1280, 720)), None).unwrap(), "mid-1");
        assert_eq!(choice(None, Some((1900, 1000)), None).unwrap(), "mid-1", "the largest inside");
        assert_eq!(choice(None, None, Some("low")).unwrap(), "low");
        assert_eq!(choice(Some(1), Some((1, 1)), Some("x")).unwrap_err(), "name 'x', resolution 1x1, at most 1 b/s");
        let mut only = master.clone();
        only.variants.retain(|variant| variant.uri == "hevc");
        assert_eq!(choose(&only, &VariantChoice::default()).unwrap().uri, "hevc");
    }

    #[test]
    fn the_rendition_of_the_group() {
        let master = master();
        let mid = &master.variants[1];
        let audio = |language: Option<&str>, name: Option<&str>| {
            let choice = AudioChoice { language: language.map(str::to_owned), name: name.map(str::to_owned) };
            let (rendition, warning) = choose_audio(&master, mid, &choice).unwrap();
            (rendition.unwrap().name.clone(), warning.is_some())
        };
        assert_eq!(audio(None, None), ("English".into(), false));
        assert_eq!(audio(Some("DE"), None), ("Deutsch".into(), false));
        assert_eq!(audio(Some("en"), None), ("English".into(), false));
        assert_eq!(audio(None, Some("Deutsch")), ("Deutsch".into(), false));
        assert_eq!(audio(Some("deu"), None), ("Deutsch".into(), false));
        assert_eq!(
            audio(Some("en-US"), None),
            ("English".into(), false),
            "the language, where the region is not there"
        );
        assert_eq!(audio(Some("fr"), None), ("English".into(), true), "the default, with a warning");
        let french = AudioChoice { language: Some("fr".into()), name: None };
        let (_, warning) = choose_audio(&master, mid, &french).unwrap();
        assert_eq!(
            warning.as_deref(),
            Some(
                "no audio rendition has the language fr; the playlist has Deutsch (de), English (en-GB), of which the default is used"
            )
        );
        let named = AudioChoice { language: None, name: Some("Other".into()) };
        let (_, warning) = choose_audio(&master, &master.variants[0], &named).unwrap();
        assert!(warning.unwrap().contains("no audio rendition has the name 'Other'"));
        assert_eq!(choose_audio(&master, &master.variants[0], &AudioChoice::default()), Ok((None, None)));
        let mut no_group = master.clone();
        no_group.audio.clear();
        assert!(matches!(choose_audio(&no_group, mid, &AudioChoice::default()), Ok((None, Some(_)))));
        let mut no_default = master.clone();
        no_default.audio[1].default = false;
        let (rendition, _) = choose_audio(&no_default, mid, &AudioChoice::default()).unwrap();
        assert_eq!(rendition.unwrap().name, "Deutsch", "AUTOSELECT before the rest");
    }

    #[test]
    fn a_sound_that_cannot_be_used_is_passed_over_or_the_reason() {
        let mut master = master();
        master.audio[1].url = Err("line 3: 'skd:' is not an http(s) address".into());
        let choice = AudioChoice::default();
        let (rendition, _) = choose_audio(&master, &master.variants[1], &choice).unwrap();
        assert_eq!(rendition.unwrap().name, "Deutsch");
        master.audio[0].url = master.audio[1].url.clone();
        let why = choose_audio(&master, &master.variants[1], &choice).unwrap_err();
        assert!(why.contains("audio group 'a'") && why.contains("line 3"), "{why}");
    }

    #[test]
    fn what_promises_sound() {
        let master = master();
        let promise = |n: usize, rendition| promised_sound(&master.variants[n], rendition);
        assert_eq!(promise(0, None), None);
        assert_eq!(promise(1, master.audio.first()).as_deref(), Some("audio rendition Deutsch (de)"));
        assert_eq!(promise(1, None).as_deref(), Some("AUDIO=\"a\""));
        assert_eq!(promise(3, None).as_deref(), Some("CODECS=\"avc1.640028,mp4a.40.2\""));
        let mut picture_only = master.variants[3].clone();
        picture_only.codecs = Some("avc1.640028".into());
        assert_eq!(promised_sound(&picture_only, None), None);
    }

    #[test]
    fn words_for_people() {
        let master = master();
        assert_eq!(in_words(&master.variants[0]), "low 640x360 800 b/s");
        assert_eq!(audio_in_words(&master.audio[0]), "Deutsch (de)");
        assert_eq!(audio_in_words(&master.audio[2]), "Other");
    }
}
