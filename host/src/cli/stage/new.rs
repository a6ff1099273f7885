//! `outboard stage new`: writes a stage project that the usual tools of its language build.
//!
//! In: kind, language, name. Out: a folder with the contract, a working stage, its tests, and a README with the
//! commands. The texts are in `templates/<language>/{any,<kind>}/`; `template.rs` fills them in.

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

/// Writes the project and prints the next steps.
///
/// # Errors
/// The folder is not empty or cannot be written.
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
    say(&format!("{name}: a {} stage in {}. Next steps, from its README.md:", args.kind.name(), args.lang.name()));
    say(&format!("\ncd {}\n{}", args.dir.display(), project.commands().trim_end()));
    Ok(Ending::Done)
}

/// The given name, or the name of the folder.
fn name(args: &NewArgs) -> Result<String, Problem> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let whole = std::path::absolute(&args.dir).unwrap_or_else(|_| args.dir.clone());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match check_name(&name) {
        Ok(()) => Ok(name),
        Err(why) => Err(Problem { path: "DIR".to_owned(), message: format!("{why}; set a name with --name") }),
    }
}

/// Creates the folder. An existing folder must be empty, so that no file of the user is changed.
fn make_empty(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create the folder {}", dir.display()))?;
    let mut entries = std::fs::read_dir(dir).with_context(|| format!("cannot read the folder {}", dir.display()))?;
    if let Some(entry) = entries.next() {
        let held = entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default();
        bail!("{} is not empty: it contains {held}; give an empty or a new folder", dir.display());
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
