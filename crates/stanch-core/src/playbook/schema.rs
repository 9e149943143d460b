//! The JSON Schema of a playbook, for editors; made from [`super::shape`] and nothing else.
//!
//! Editors see the file as YAML 1.2 in the JSON model. Where the loader takes any plain value as text,
//! the schema allows numbers and yes or no too. What only a type check can tell it leaves alone.

use serde_json::{Map, Value as Json, json};

use super::shape::{Form, HEADER, KINDS, Key, PARAM, STEP, TYPES};

/// Where the schema is found in the repository.
pub const PATH: &str = "docs/reference/playbook.schema.json";

const NAME: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";
/// A name that expressions can read behind a dot.
const WORD: &str = "^[a-z][a-z0-9_]{0,62}$";
const SPAN: &str = "^[0-9]+(ms|s|m|h|d)$";

/// The schema, draft 2020-12.
#[must_use]
pub fn schema() -> Json {
    let mut root = map(HEADER);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Stanch playbook");
    root["description"] =
        json!("One plan, one file. Made by `stanch playbook schema`; see docs/guide/playbooks.md.");
    // One trigger, not two.
    root["oneOf"] = json!([{ "required": ["when"] }, { "required": ["on"] }]);
    root["$defs"] = json!({ "step": step(), "param": map(PARAM), "type": type_of() });
    root
}

fn step() -> Json {
    let mut step = map(STEP);
    for kind in KINDS {
        let gives = if kind.gives.is_empty() { String::new() } else { format!(" Gives {}.", kind.gives) };
        let mut form = form(&kind.form);
        form["description"] = json!(format!("{}{gives}", kind.about));
        step["properties"][kind.name] = form;
    }
    // A step does one thing.
    step["oneOf"] = KINDS.iter().map(|k| json!({ "required": [k.name] })).collect();
    step
}

fn type_of() -> Json {
    let list = json!({ "type": "array", "items": { "$ref": "#/$defs/type" }, "minItems": 1, "maxItems": 1 });
    json!({ "oneOf": [{ "enum": TYPES }, list] })
}

fn map(keys: &[Key]) -> Json {
    let properties: Map<String, Json> = keys
        .iter()
        .map(|key| {
            let mut value = form(&key.form);
            value["description"] = json!(key.about);
            (key.name.to_owned(), value)
        })
        .collect();
    let required: Vec<&str> = keys.iter().filter(|k| k.needed).map(|k| k.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn form(of: &Form) -> Json {
    let named = |values: Json| json!({ "type": "object", "propertyNames": { "pattern": WORD }, "additionalProperties": values });
    let plain = json!({ "type": ["string", "number", "boolean"] });
    let steps = json!({ "type": "array", "items": { "$ref": "#/$defs/step" }, "minItems": 1 });
    match of {
        Form::Name => json!({ "type": "string", "pattern": NAME }),
        Form::Names => {
            json!({ "type": "array", "items": { "type": "string", "pattern": NAME }, "minItems": 1 })
        }
        Form::Labels(pattern) => {
            json!({ "type": "array", "items": { "type": "string", "pattern": pattern } })
        }
        Form::Text | Form::Template | Form::Expr => plain,
        Form::Exprs => named(plain),
        Form::Span => json!({ "type": "string", "pattern": SPAN }),
        Form::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Word(words) => json!({ "enum": words }),
        Form::Type => json!({ "$ref": "#/$defs/type" }),
        Form::Params => named(json!({ "$ref": "#/$defs/param" })),
        Form::Value => json!({}),
        Form::Steps => steps,
        Form::Branches => json!({ "type": "object", "additionalProperties": steps, "minProperties": 1 }),
        Form::Map(keys) => map(keys),
        Form::Either(forms) => json!({ "anyOf": forms.iter().map(form).collect::<Vec<_>>() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::{self, Node, Value};

    /// A file as an editor sees it.
    fn json_of(node: &Node) -> Json {
        match &node.value {
            Value::Scalar { text, quoted: true } => json!(text),
            Value::Scalar { text, quoted: false } => match text.as_str() {
                "true" => json!(true),
                "false" => json!(false),
                other => match (other.parse::<i64>(), other.parse::<f64>()) {
                    (Ok(n), _) => json!(n),
                    (_, Ok(n)) => json!(n),
                    _ => json!(other),
                },
            },
            Value::List(items) => items.iter().map(json_of).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(k, v)| (k.text.to_string(), json_of(v))).collect::<Map<_, _>>().into()
            }
            Value::Null | Value::Invalid => Json::Null,
        }
    }

    fn read(text: &str) -> Option<Json> {
        let mut mistakes = Vec::new();
        yaml::parse("p.yaml", text, &mut mistakes).filter(|_| mistakes.is_empty()).map(|root| json_of(&root))
    }

    fn validator() -> jsonschema::Validator {
        jsonschema::options().build(&schema()).expect("a schema")
    }

    #[test]
    fn the_committed_schema_is_what_the_shapes_say() {
        let made = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
        if std::env::var_os("STANCH_SHOW").is_some() {
            eprintln!("{made}");
        }
        let committed = include_str!("../../../../docs/reference/playbook.schema.json");
        assert!(made == committed, "run: stanch playbook schema > {PATH}");
    }

    #[test]
    fn good_playbooks_agree_with_the_schema() {
        let validator = validator();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks");
        let mut texts = vec![include_str!("load/everything.yaml").to_owned()];
        for entry in std::fs::read_dir(folder).expect("playbooks/") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "yaml") {
                texts.push(std::fs::read_to_string(&path).expect("a file"));
            }
        }
        assert!(texts.len() > 1);
        for text in texts {
            let value = read(&text).expect("YAML");
            let said: Vec<String> =
                validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(said.is_empty(), "{said:#?}\n{text}");
        }
    }

    /// Mistakes about the form of the file; a schema can tell all of these and no others.
    const FORM: &[&str] = &[
        "unknown key",
        "is missing",
        "must be a map",
        "must be a list of steps",
        "must be a list\n",
        "has no steps",
        "does nothing",
        "does two things",
        "nothing makes this playbook run",
        "two triggers",
        "unknown trigger",
        "unknown level",
        "unknown type",
        "unknown protocol",
        "unknown join",
        "unknown reaction",
        "unknown scope",
        "is not a name",
        "is not a whole number",
        "is not a duration\n",
        "is neither a duration",
        "is not an ATT&CK",
        "cannot be read by expressions",
        "nobody may approve",
    ];

    #[test]
    fn broken_playbooks_are_refused_by_the_schema_where_the_form_is_wrong_and_only_there() {
        let validator = validator();
        let (mut refused, mut otherwise) = (0, Vec::new());
        for case in super::super::broken_tests::cases() {
            let Some(value) = read(&case.text) else { continue };
            let form = FORM.iter().any(|words| case.said.contains(words));
            let valid = validator.is_valid(&value);
            if valid == form {
                otherwise.push(format!("{}: form {form}, valid {valid}", case.title));
            }
            refused += usize::from(form);
        }
        assert!(otherwise.is_empty(), "{otherwise:#?}");
        assert!(refused >= 20, "{refused}");
    }
}
