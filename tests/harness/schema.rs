//! The API's schema as the server describes it, and requests generated from it: all fields that can be selected, with
//! all required arguments.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The introspection query for a [`Schema`].
pub const INTROSPECTION: &str = "query { __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types { kind name fields { name args { ...A } type { ...T } } inputFields { ...A } enumValues { name } } } }
    fragment A on __InputValue { name defaultValue type { ...T } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// A schema from introspection.
pub struct Schema {
    roots: BTreeMap<&'static str, String>,
    types: BTreeMap<String, Value>,
}

/// An argument, or a field of an input object, that contains an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// `query`, `mutation` or `subscription`.
    pub kind: &'static str,
    /// Name of the root field.
    pub field: String,
    /// The argument's name, then those of the input's fields down to it.
    pub path: Vec<String>,
}

impl Schema {
    /// Builds the schema from the response to [`INTROSPECTION`].
    pub fn new(data: &Value) -> Self {
        let schema = &data["__schema"];
        let root = |name: &str| schema[name]["name"].as_str().unwrap().to_owned();
        let roots = [
            ("query", root("queryType")),
            ("mutation", root("mutationType")),
            ("subscription", root("subscriptionType")),
        ];
        let types = schema["types"].as_array().unwrap().iter();
        let types = types.map(|kind| (kind["name"].as_str().unwrap().to_owned(), kind.clone())).collect();
        Self { roots: roots.into(), types }
    }

    /// The names of the root fields, by kind of operation.
    pub fn fields(&self) -> BTreeMap<&'static str, BTreeSet<String>> {
        let names = |root: &String| self.list(root, "fields").iter().map(name).collect();
        self.roots.iter().map(|(kind, root)| (*kind, names(root))).collect()
    }

    /// A selection of everything that a root field returns, without fields that need an argument.
    pub fn all_of(&self, kind: &str, field: &str) -> String {
        let root = self.list(&self.roots[kind], "fields");
        let found = root.iter().find(|one| name(one) == field).unwrap_or_else(|| panic!("no {kind} {field}"));
        self.select(&found["type"], is_list(&found["type"]))
    }

    /// `in_list`: the object occurs many times, so its own long lists are left out.
    fn select(&self, of: &Value, in_list: bool) -> String {
        let inner = named(of);
        let fields = self.list(&inner, "fields");
        if fields.is_empty() {
            return String::new();
        }
        let free = |field: &&Value| field["args"].as_array().unwrap().iter().all(|argument| !is_needed(argument));
        let light = |field: &&Value| !in_list || !named(&field["type"]).ends_with("Connection");
        let selected = fields.iter().filter(free).filter(light).map(|field| {
            let below = self.select(&field["type"], in_list);
            format!("{}{below}", name(field))
        });
        format!(" {{ {} }}", selected.collect::<Vec<_>>().join(" "))
    }

    /// Every place where an id is accepted.
    pub fn id_places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for (kind, root) in &self.roots {
            for field in self.list(root, "fields") {
                for argument in field["args"].as_array().unwrap() {
                    self.find_ids(argument, Vec::new(), &mut |path| {
                        places.push(Place { kind, field: name(&field), path });
                    });
                }
            }
        }
        places.sort();
        places
    }

    fn find_ids(&self, of: &Value, mut path: Vec<String>, found: &mut dyn FnMut(Vec<String>)) {
        path.push(name(of));
        let inner = named(&of["type"]);
        if inner == "ID" {
            found(path);
            return;
        }
        for field in self.list(&inner, "inputFields") {
            self.find_ids(&field, path.clone(), found);
        }
    }

    /// A request for a root field with all required arguments, and with `id` at this place if one is given.
    pub fn request(&self, kind: &'static str, field: &str, id: Option<(&[String], &str)>) -> String {
        let root = self.list(&self.roots[kind], "fields");
        let found = root.iter().find(|one| name(one) == field).unwrap();
        let arguments: Vec<String> = found["args"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|argument| Some(format!("{}: {}", name(argument), self.fill(argument, id)?)))
            .collect();
        let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        format!("{kind} {{ {field}{arguments}{} }}", self.all_of(kind, field))
    }

    /// A value for an argument or field; `None`: it is optional.
    fn fill(&self, of: &Value, id: Option<(&[String], &str)>) -> Option<String> {
        let id = id.filter(|(path, _)| path.first().is_some_and(|first| *first == name(of)));
        if id.is_none() && !is_needed(of) {
            return None;
        }
        let inner = named(&of["type"]);
        if let Some((path, value)) = id
            && path.len() == 1
        {
            return Some(Value::from(value).to_string());
        }
        let below = id.map(|(path, value)| (&path[1..], value));
        Some(match inner.as_str() {
            "ID" => "\"nobody:nothing\"".to_owned(),
            "String" => "\"something\"".to_owned(),
            "Int" | "BigInt" | "Float" => "1".to_owned(),
            "Boolean" => "false".to_owned(),
            _ => match self.list(&inner, "enumValues").first() {
                Some(value) => name(value),
                None => {
                    let fields = self.list(&inner, "inputFields");
                    let filled = fields
                        .iter()
                        .filter_map(|field| Some(format!("{}: {}", name(field), self.fill(field, below)?)));
                    format!("{{ {} }}", filled.collect::<Vec<_>>().join(", "))
                }
            },
        })
    }

    fn list(&self, kind: &str, list: &str) -> Vec<Value> {
        self.types[kind][list].as_array().cloned().unwrap_or_default()
    }
}

fn name(of: &Value) -> String {
    of["name"].as_str().unwrap().to_owned()
}

/// The type inside lists and non-nulls.
fn named(of: &Value) -> String {
    if of["ofType"].is_null() { name(of) } else { named(&of["ofType"]) }
}

fn is_list(of: &Value) -> bool {
    of["kind"] == "LIST" || (!of["ofType"].is_null() && is_list(&of["ofType"]))
}

fn is_needed(argument: &Value) -> bool {
    argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null()
}
