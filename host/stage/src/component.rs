//! A loaded component: checked against the contract, compiled, described, ready to be instantiated.

use super::contract::{self, exports};
use super::error::LoadError;
use super::kind::{ComponentLabel, StageKind};
use super::sandbox::{self, Sandbox};
use outboard_base::Digest;
use std::fmt;
use wasmtime::component::{Component, InstancePre, Linker};

/// The contract's version in the names of its interfaces.
const CONTRACT_VERSION: &str = "0.1.0";
/// The contract's package in the names of its interfaces.
const CONTRACT_PACKAGE: &str = "outboard:stage/";

/// A component that can be used as a stage.
pub struct StageComponent {
    digest: Digest,
    size: u64,
    facts: Facts,
    description: contract::Description,
    linked: Linked,
}

impl StageComponent {
    pub(super) fn new(
        digest: Digest,
        size: u64,
        facts: Facts,
        description: contract::Description,
        linked: Linked,
    ) -> Self {
        Self { digest, size, facts, description, linked }
    }

    /// SHA-256 of the file, which identifies the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Digest, name and version, for people and settings.
    pub fn label(&self) -> ComponentLabel {
        let contract::Description { name, version, .. } = &self.description;
        ComponentLabel { digest: format!("sha256:{}", self.digest), name: name.clone(), version: version.clone() }
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The kind of stage: which of the contract's worlds it implements.
    pub fn kind(&self) -> StageKind {
        self.linked.kind.kind()
    }

    /// What its `describe` returned.
    pub fn description(&self) -> &contract::Description {
        &self.description
    }

    /// Name and version of the contract that it was built for.
    pub fn contract(&self) -> String {
        format!("{}@{CONTRACT_VERSION}", CONTRACT_PACKAGE.trim_end_matches('/'))
    }

    /// Names of the interfaces it imports.
    pub fn imports(&self) -> &[String] {
        &self.facts.imports
    }

    /// Names of the interfaces it exports.
    pub fn exports(&self) -> &[String] {
        &self.facts.exports
    }

    pub(super) fn linked(&self) -> &Linked {
        &self.linked
    }
}

impl fmt::Debug for StageComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageComponent")
            .field("name", &self.description.name)
            .field("kind", &self.kind())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// The interfaces in a component's type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Facts {
    pub(super) fn of(component: &Component) -> Self {
        let (engine, ty) = (component.engine(), component.component_type());
        Self {
            imports: ty.imports(engine).map(|(name, _)| name.to_owned()).collect(),
            exports: ty.exports(engine).map(|(name, _)| name.to_owned()).collect(),
        }
    }

    pub(super) fn forbidden_imports(&self) -> Vec<String> {
        self.imports.iter().filter(|import| !sandbox::is_allowed(import)).cloned().collect()
    }

    /// The kind of stage that the exports implement.
    ///
    /// # Errors
    /// A sentence if the exports are not those of exactly one kind of this version of the contract.
    pub(super) fn kind(&self) -> Result<StageKind, String> {
        let interface = |name: &str| format!("{CONTRACT_PACKAGE}{name}@{CONTRACT_VERSION}");
        let has = |name: &str| self.exports.contains(&interface(name));
        let kinds: Vec<StageKind> = StageKind::ALL.into_iter().filter(|kind| has(kind.name())).collect();
        match kinds.as_slice() {
            [kind] if has("lifecycle") => Ok(*kind),
            [kind] => Err(format!("it exports {kind} but not {}, which every stage has", interface("lifecycle"))),
            [] => Err(self.no_kind()),
            several => {
                let names = several.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and ");
                Err(format!("it exports {names}; a component implements exactly one world of the contract"))
            }
        }
    }

    fn no_kind(&self) -> String {
        let ours: Vec<_> = self.exports.iter().filter(|name| name.starts_with(CONTRACT_PACKAGE)).cloned().collect();
        if !ours.is_empty() {
            return format!(
                "it exports {}; this host speaks version {CONTRACT_VERSION} of the contract",
                ours.join(", ")
            );
        }
        let wanted = StageKind::ALL.map(|kind| format!("{CONTRACT_PACKAGE}{kind}@{CONTRACT_VERSION}")).join(", ");
        match self.exports.as_slice() {
            [] => format!("it exports nothing; a stage exports one of {wanted}"),
            exports => format!("it exports {}; a stage exports one of {wanted}", exports.join(", ")),
        }
    }
}

/// A component that is ready to be instantiated: imports resolved, exports looked up.
pub(super) struct Linked {
    pub(super) pre: InstancePre<Sandbox>,
    pub(super) lifecycle: exports::lifecycle::GuestIndices,
    pub(super) kind: KindIndices,
}

/// The positions of a kind's functions among the exports.
pub(super) enum KindIndices {
    Batching(exports::batching::GuestIndices),
    Framing(exports::framing::GuestIndices),
    RemuxPlanning(exports::remux_planning::GuestIndices),
}

impl KindIndices {
    pub(super) fn kind(&self) -> StageKind {
        match self {
            KindIndices::Batching(_) => StageKind::Batching,
            KindIndices::Framing(_) => StageKind::Framing,
            KindIndices::RemuxPlanning(_) => StageKind::RemuxPlanning,
        }
    }
}

/// Checks a component's imports and exports, and links it.
///
/// # Errors
/// [`LoadError::ForbiddenImports`] or [`LoadError::World`].
pub(super) fn link(linker: &Linker<Sandbox>, component: &Component, facts: &Facts) -> Result<Linked, LoadError> {
    let forbidden = facts.forbidden_imports();
    if !forbidden.is_empty() {
        return Err(LoadError::ForbiddenImports(forbidden));
    }
    let kind = facts.kind().map_err(LoadError::World)?;
    let world = |error: wasmtime::Error| LoadError::World(format!("{error:#}"));
    let pre = linker.instantiate_pre(component).map_err(world)?;
    let lifecycle = exports::lifecycle::GuestIndices::new(&pre).map_err(world)?;
    let kind = match kind {
        StageKind::Batching => exports::batching::GuestIndices::new(&pre).map(KindIndices::Batching),
        StageKind::Framing => exports::framing::GuestIndices::new(&pre).map(KindIndices::Framing),
        StageKind::RemuxPlanning => exports::remux_planning::GuestIndices::new(&pre).map(KindIndices::RemuxPlanning),
    }
    .map_err(world)?;
    Ok(Linked { pre, lifecycle, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(exports: &[&str]) -> Result<StageKind, String> {
        Facts { exports: exports.iter().map(|name| (*name).to_owned()).collect(), imports: vec![] }.kind()
    }

    #[test]
    fn exactly_one_kind_with_lifecycle() {
        let lifecycle = "outboard:stage/lifecycle@0.1.0";
        assert_eq!(kind(&[lifecycle, "outboard:stage/framing@0.1.0"]), Ok(StageKind::Framing));
        let two = kind(&[lifecycle, "outboard:stage/framing@0.1.0", "outboard:stage/batching@0.1.0"]);
        assert!(two.unwrap_err().starts_with("it exports batching and framing;"));
        assert!(kind(&["outboard:stage/batching@0.1.0"]).unwrap_err().contains("but not outboard:stage/lifecycle"));
        assert!(kind(&[lifecycle, "outboard:stage/batching@0.2.0"]).unwrap_err().contains("version 0.1.0"));
        assert!(kind(&["wasi:cli/run@0.2.0"]).unwrap_err().starts_with("it exports wasi:cli/run@0.2.0; a stage"));
        assert!(kind(&[]).unwrap_err().starts_with("it exports nothing"));
    }
}
