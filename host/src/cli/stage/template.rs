//! The projects that `outboard stage new` writes: templates with name and kind filled in.
//!
//! A project consists of the files in `templates/<language>/any` and `templates/<language>/<kind>`, and the contract.
//! Placeholders (`{{name}}`) stand for the differences. `scripts/stages` builds all of them, so a template that does
//! not build fails the tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use include_dir::{Dir, include_dir};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/cli/stage/templates");
static CONTRACT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit");

/// Longest name of a stage that the host accepts.
const NAME_CHARS_MAX: usize = 64;

/// What a stage decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateKind {
    /// Where one batch ends and the next begins.
    Batching,
    /// How fragments become messages to the processor, and its messages become events.
    Framing,
    /// Which audio goes on air with the video, and how.
    RemuxPlanning,
}

impl TemplateKind {
    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            TemplateKind::Batching => "batching",
            TemplateKind::Framing => "framing",
            TemplateKind::RemuxPlanning => "remux-planning",
        }
    }

    /// The placeholders of the templates and their values.
    fn marks(self) -> [(&'static str, &'static str); 4] {
        let [summary, decides, like, rule] = match self {
            TemplateKind::Batching => [
                "Cuts batches of a configured length",
                "it decides where one batch ends and the next begins",
                "batching-duration",
                "batcher",
            ],
            TemplateKind::Framing => [
                "Speaks the fragment dialect",
                "it converts fragments into a processor's messages, and its messages into events",
                "framing-fragment",
                "framer",
            ],
            TemplateKind::RemuxPlanning => [
                "Uses the processed audio if it fits, else the original",
                "it decides which audio goes on air with the video, and how",
                "remux-replace",
                "planner",
            ],
        };
        [("{{summary}}", summary), ("{{decides}}", decides), ("{{like}}", like), ("{{rule}}", rule)]
    }
}

/// The programming language of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, built with cargo.
    Rust,
    /// JavaScript, built with componentize-js.
    Js,
    /// Python, built with componentize-py.
    Python,
}

impl Language {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Js => "JavaScript",
            Language::Python => "Python",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Js => "js",
            Language::Python => "python",
        }
    }
}

/// Checks the name of a stage.
///
/// # Errors
/// A sentence with the name and what would be valid.
pub fn check_name(name: &str) -> Result<(), String> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parts_are_well = name.split('-').all(|part| !part.is_empty() && part.chars().all(letters));
    if parts_are_well && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= NAME_CHARS_MAX {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not a valid stage name: lower-case letters and digits with single hyphens between, a letter first, \
         {NAME_CHARS_MAX} characters at most, such as my-batching"
    ))
}

/// A project with all placeholders filled in.
#[derive(Debug)]
pub struct Project {
    files: Vec<(PathBuf, String)>,
}

impl Project {
    /// Fills in the templates.
    ///
    /// # Errors
    /// The templates in this binary are broken.
    pub fn new(kind: TemplateKind, language: Language, name: &str) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for part in ["any", kind.name()] {
            let root = format!("{}/{part}", language.folder());
            let folder = TEMPLATES.get_dir(&root).ok_or_else(|| anyhow!("no template {root}"))?;
            collect(folder, Path::new(&root), Path::new(""), &mut files)?;
        }
        for (_, text) in &mut files {
            *text = text.replace("{{name}}", name).replace("{{kind}}", kind.name());
            for (mark, value) in kind.marks() {
                *text = text.replace(mark, value);
            }
        }
        collect(&CONTRACT, Path::new(""), Path::new("wit"), &mut files)?;
        Ok(Self { files })
    }

    /// The files: path within the project, and content.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.iter().map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// The commands of its README, one per line: they build, test and check it.
    pub fn commands(&self) -> &str {
        let readme = self.files().find(|(path, _)| *path == Path::new("README.md")).map_or("", |(_, text)| text);
        let block = readme.split_once("```sh\n").map_or("", |(_, rest)| rest);
        block.split_once("```").map_or("", |(commands, _)| commands)
    }
}

/// Collects the files below a folder into `under`, by their path relative to `root`.
fn collect(
    folder: &'static Dir<'_>,
    root: &Path,
    under: &Path,
    files: &mut Vec<(PathBuf, String)>,
) -> anyhow::Result<()> {
    for file in folder.files() {
        let text = file.contents_utf8().with_context(|| format!("template {} is not text", file.path().display()))?;
        files.push((under.join(file.path().strip_prefix(root)?), text.to_owned()));
    }
    folder.dirs().try_for_each(|folder| collect(folder, root, under, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projects() -> impl Iterator<Item = (TemplateKind, Language, Project)> {
        let all = |kind: &TemplateKind| {
            Language::value_variants().iter().map(|language| (*kind, *language)).collect::<Vec<_>>()
        };
        let all: Vec<_> = TemplateKind::value_variants().iter().flat_map(all).collect();
        all.into_iter().map(|(kind, language)| (kind, language, Project::new(kind, language, "my-own").unwrap()))
    }

    #[test]
    fn every_project_is_whole_and_filled_in() {
        for (kind, language, project) in projects() {
            let told = format!("{kind:?} {language:?}");
            let paths: Vec<_> = project.files().map(|(path, _)| path.to_str().unwrap()).collect();
            let lock = ["Cargo.lock", "package-lock.json", "requirements.txt"][language as usize];
            for wanted in ["README.md", ".gitignore", "wit/worlds.wit", "wit/types.wit", lock] {
                assert_eq!(paths.iter().filter(|path| **path == wanted).count(), 1, "{told}: {wanted} in {paths:?}");
            }
            for (path, text) in project.files() {
                assert!(!text.contains("{{"), "{told}: a mark is left in {}", path.display());
            }
            let all: String = project.files().map(|(_, text)| text).collect();
            assert!(all.contains("my-own"), "{told}");
            assert!(project.commands().contains("outboard stage check"), "{told}: {}", project.commands());
        }
    }

    #[test]
    fn the_readme_names_files_that_are_there() {
        for (kind, language, project) in projects() {
            let readme = project.files().find(|(path, _)| *path == Path::new("README.md")).unwrap().1;
            let named = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
            let named: Vec<_> = named.filter(|name| !name.ends_with('/')).collect();
            assert!(named.len() >= 4, "{readme}");
            for name in named {
                let there = project.files().any(|(path, _)| path == Path::new(name));
                assert!(there, "{kind:?} {language:?}: {name} is not in the project");
            }
        }
    }

    #[test]
    fn the_contract_is_ours_to_the_letter() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let (_, _, project) = projects().next().unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let within = Path::new("wit").join(path.file_name().unwrap());
            let text = project.files().find(|(path, _)| *path == within).unwrap().1;
            assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{}", within.display());
        }
    }

    #[test]
    fn names_are_lower_case_with_hyphens() {
        for name in ["a", "my-stage", "cut-2", &"a".repeat(64)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", "a-", "a--b", "2-cut", "My", "a_b", "a b", "../a", "é", ".", &"a".repeat(65)] {
            assert!(check_name(name).unwrap_err().contains(&format!("{name:?}")), "{name}");
        }
    }
}
