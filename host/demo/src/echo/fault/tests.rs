use super::*;

fn chosen(text: &str) -> Vec<u64> {
    let rule: Rule = format!("drop@{text}").parse().unwrap();
    (0..12).filter(|&number| rule.applies(number, 0)).collect()
}

#[test]
fn fragments_are_chosen_by_number() {
    assert_eq!(chosen("3"), [3]);
    assert_eq!(chosen("2..4"), [2, 3, 4]);
    assert_eq!(chosen("2..=4"), [2, 3, 4]);
    assert_eq!(chosen("every:4"), [3, 7, 11]);
    assert_eq!(chosen("all").len(), 12);
    assert_eq!(chosen("random:0%"), [0_u64; 0]);
    assert_eq!(chosen("random:100%:9").len(), 12);
}

#[test]
fn chance_is_the_same_in_each_run_and_near_its_share() {
    let hits = |seed: u64| {
        let selection: Selection = format!("random:30%:{seed}").parse().unwrap();
        (0..1000).filter(|&number| selection.contains(number)).collect::<Vec<_>>()
    };
    assert_eq!(hits(7), hits(7));
    assert_ne!(hits(7), hits(8));
    assert!((250..350).contains(&hits(7).len()), "{}", hits(7).len());
}

#[test]
fn first_leaves_the_second_try_alone() {
    let rule: Rule = "disconnect@first:every:2".parse().unwrap();
    assert!(rule.applies(1, 0) && !rule.applies(1, 1) && !rule.applies(2, 0));
}

#[test]
fn every_fault_reads_as_it_prints() {
    for text in [
        "drop",
        "silent",
        "fail",
        "fail:retryable",
        "late:5000",
        "duplicate",
        "reorder",
        "disconnect",
        "corrupt",
        "garbage",
        "truncate",
        "empty",
        "shorten:10%",
        "lengthen:10%",
        "wav",
        "adts",
        "mp3",
    ] {
        assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        assert!(HELP.contains(text.split_once(':').map_or(text, |(name, _)| name)), "{text}");
    }
    assert_eq!("shorten:10".parse::<Fault>(), Ok(Fault::Length(90)));
}

#[test]
fn what_is_wrong_is_told_with_what_is_right() {
    let wrong = |text: &str| text.parse::<Rule>().unwrap_err().to_string();
    assert_eq!(wrong("drop"), r#""drop" has no @; expected FAULT@WHICH, such as drop@3"#);
    assert!(wrong("explode@3").starts_with(r#"unknown fault "explode"; expected one of drop, "#));
    assert!(wrong("drop:1@3").starts_with("unknown fault"));
    assert_eq!(wrong("late@3"), r#"late: "" is invalid; expected a number of milliseconds"#);
    assert_eq!(wrong("shorten:60%@3"), r#"shorten: "60" is invalid; expected per cent from 1 to 50"#);
    assert_eq!(wrong("drop@every:0"), r#"every: "0" is invalid; expected a number from 1"#);
    assert_eq!(wrong("drop@4..2"), r#"range: "4..2" is invalid; expected FROM..TO with FROM not above TO"#);
    assert_eq!(wrong("drop@2.."), r#"range: "" is invalid; expected a batch number"#);
    assert_eq!(wrong("drop@random:101%"), r#"random: "101" is invalid; expected per cent from 0 to 100"#);
    assert_eq!(wrong("drop@random:1%:x"), r#"random: "x" is invalid; expected a number as seed"#);
    assert!(wrong("drop@-1").starts_with(r#"unknown selection "-1"; expected a number, "#));
}
