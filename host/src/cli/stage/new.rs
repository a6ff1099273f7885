//! `outboard stage new`: writes a project that the ordinary tools of its language make a stage of.
//!
//! In: kind, language, name. Out: a folder with the contract, a stage that works, its tests, a README with the commands.
//! The text is in `templates/<language>/{any,<kind>}/`; how it is filled in is in `template.rs`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::template::{Language, Project, TemplateKind, check_name};
use crate::cli::{Ending, say};
use crate::config::{Problem, Problems};

/// Options of `stage new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// What the stage decides.
    #[arg(long, value_enum)]
    kind: TemplateKind,
    /// Programming language of the stage.
    #[arg(long, value_enum)]
    lang: Language,
    /// Name of the stage: lower-case letters, digits and hyphens. Default: the name of the directory.
    #[arg(long, value_parser = |name: &str| check_name(name).map(|()| name.to_owned()))]
    name: Option<String>,
    /// Directory of the project. It is created if it does not exist, and must be empty.
    dir: PathBuf,
}

/// Writes the project and prints what to do next.
///
/// # Errors
/// If the folder holds something already or cannot be written.
pub fn run(args: &NewArgs) -> anyhow::Result<Ending> {
    let name = match name(args) {
        Ok(name) => name,
        Err(problem) => return Ok(Ending::Refused(Problems(vec![problem]))),
    };
    let project = Project::new(args.kind, args.lang, &name)?;
    make_empty(&args.dir)?;
    for (path, text) in project.files() {
        write(&args.dir.join(path), text)?;
    }
    say(&format!("{name}: a {} stage in {}. Next, as its README.md says:", args.kind.name(), args.lang.name()));
    say(&format!("\ncd {}\n{}", args.dir.display(), project.commands().trim_end()));
    Ok(Ending::Done)
}

/// The name that was given, or the folder's.
fn name(args: &NewArgs) -> Result<String, Problem> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let whole = std::path::absolute(&args.dir).unwrap_or_else(|_| args.dir.clone());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match check_name(&name) {
        Ok(()) => Ok(name),
        Err(why) => Err(Problem { path: "DIR".to_owned(), message: format!("{why}; name the stage with --name") }),
    }
}

/// Makes the folder; one that is there must be empty, so that nothing of the user's is touched.
fn make_empty(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create the folder {}", dir.display()))?;
    let mut entries = std::fs::read_dir(dir).with_context(|| format!("cannot read the folder {}", dir.display()))?;
    if let Some(entry) = entries.next() {
        let held = entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default();
        bail!("{} is not empty, it holds {held}; name an empty or a new folder", dir.display());
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    let mut file = std::fs::File::create_new(path).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)
}
