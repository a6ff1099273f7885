//! A pipeline's name in the API: `<tenant>:<stream-id>`.

use std::fmt;

use super::error::ControlError;
use outboard_store::files::check_name;

/// Names a pipeline. Neither part can hold a colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId {
    /// Name of the tenant that owns the pipeline.
    pub tenant: String,
    /// Its stream id, unique with its tenant.
    pub stream: String,
}

impl PipelineId {
    /// Makes an id after checking that both parts are valid names.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] that names the part.
    pub fn new(tenant: impl Into<String>, stream: impl Into<String>) -> Result<Self, ControlError> {
        let (tenant, stream) = (tenant.into(), stream.into());
        for (path, what, value) in [("tenant", "tenant", &tenant), ("streamId", "stream id", &stream)] {
            check_name(what, value).map_err(|error| ControlError::invalid(path, error.to_string()))?;
        }
        Ok(Self { tenant, stream })
    }

    /// From text; without a tenant it is one of `home`'s.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]: what cannot be a name names nothing.
    pub fn parse(text: &str, home: &str) -> Result<Self, ControlError> {
        let (tenant, stream) = text.split_once(':').unwrap_or((home, text));
        Self::new(tenant, stream).map_err(|_| Self::absent(text))
    }

    /// What is said of a pipeline that is not there, and of one that the caller may not know of.
    pub fn absent(text: &str) -> ControlError {
        let short: String = text.chars().filter(|c| !c.is_control()).take(140).collect();
        ControlError::NotFound(format!("there is no pipeline {short:?}"))
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.tenant, self.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = PipelineId::new("acme", "tv-1").unwrap();
        assert_eq!(PipelineId::parse(&id.to_string(), "other").unwrap(), id);
        assert_eq!(PipelineId::parse("tv-1", "acme").unwrap(), id);
        for wrong in ["", ":", "a:", ":b", "a:b:c", "../x", "a b"] {
            assert!(matches!(PipelineId::parse(wrong, "acme"), Err(ControlError::NotFound(_))), "{wrong}");
        }
        assert!(matches!(PipelineId::new("acme", "a/b"), Err(ControlError::InvalidInput(_))));
    }
}
