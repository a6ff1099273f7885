//! An unknown command or option is rejected with the nearest known one.

use clap::Parser as _;

use super::Cli;

#[test]
fn unknown_commands_and_options_are_refused_with_the_nearest_known_one() {
    for (words, wrong, right) in [
        (&["run", "--sorce", "http://h/x.m3u8"][..], "--sorce", "'--source'"),
        (&["run", "--batch-second", "4"], "--batch-second", "'--batch-seconds'"),
        (&["serve", "--cofnig", "x.toml"], "--cofnig", "'--config'"),
        (&["demo", "--batche", "2"], "--batche", "'--batches'"),
        (&["sevre"], "sevre", "'serve'"),
        (&["token", "creat"], "creat", "'create'"),
    ] {
        let error = Cli::try_parse_from([&["outboard"], words].concat()).unwrap_err().to_string();
        assert!(error.contains(&format!("'{wrong}'")), "{error}");
        let (_, tip) = error.split_once("tip:").unwrap_or_else(|| panic!("no tip: {error}"));
        assert!(tip.contains(right), "{error}");
    }
}
