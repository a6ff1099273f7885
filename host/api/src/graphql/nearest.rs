//! Suggests the nearest known field for an unknown field of an input object. The library does so for fields of types and for
//! arguments.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::bare_schema;
use outboard_config::nearest_of;

/// Longest name that is compared, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The fields of every input object of the schema, by its name.
static INPUTS: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let (mut inputs, mut inside) = (BTreeMap::new(), None);
    for line in bare_schema::bare().finish().sdl().lines() {
        if let Some(name) = line.strip_prefix("input ") {
            let name = name.trim_end_matches(" {").to_owned();
            inside = Some(inputs.entry(name).or_insert_with(Vec::new));
        } else if line == "}" {
            inside = None;
        } else if let Some(fields) = &mut inside
            && let Some((field, _)) = line.trim_start().split_once(": ")
            && field.chars().all(|letter| letter.is_ascii_alphanumeric())
        {
            fields.push(field.to_owned());
        }
    }
    inputs
});

/// The hint to append to an error of the library; `None` if it is another error, or no known field is near.
pub(super) fn hint(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown field \"")?;
    let (field, rest) = rest.split_once("\" of type \"")?;
    let (name, _) = rest.split_once('"')?;
    let known = INPUTS.get(name).filter(|_| field.len() <= NAME_BYTES_MAX)?;
    let nearest = nearest_of(field, known.iter().map(String::as_str))?;
    Some(format!(". Did you mean \"{nearest}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_the_named_input_is_offered() {
        let unknown = |field: &str, kind: &str| {
            hint(&format!("Invalid value for argument \"input\", unknown field \"{field}\" of type \"{kind}\""))
        };
        let meant = |field: &str| Some(format!(". Did you mean \"{field}\"?"));
        assert_eq!(unknown("batchSecond", "PipelineSettingsInput"), meant("batchSeconds"));
        assert_eq!(unknown("backupURL", "SourceSettingsInput"), meant("backupUrl"));
        assert_eq!(unknown("xyz", "PipelineSettingsInput"), None);
        assert_eq!(unknown("batchSecond", "NoInput"), None);
        assert_eq!(unknown(&"batchSeconds".repeat(1000), "PipelineSettingsInput"), None);
        assert_eq!(hint("something else"), None);
    }
}
