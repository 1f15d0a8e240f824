//! Holds a tree against a JSON Schema and says in plain words, all at once, what does not fit and what to write.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::node::{Content, Entry, Node};
use super::problem::{Place, Problem, Problems};
use super::schema::Shape;
use super::suggest::{did_you_mean, nearest};
use super::syntax::NAME;

/// Keys whose value says where a secret comes from.
const SECRETS: [&str; 2] = ["password", "proxy-password"];

/// Everything in the tree that the shape does not allow.
#[must_use]
pub fn check(root: &Node, shape: &Shape) -> Problems {
    let mut problems = Problems::default();
    let Some(validator) = shape.validator() else { return problems };
    let json = root.json();
    let told = Told { root, schema: &shape.schema };
    for error in validator.iter_errors(&json) {
        told.explain(&error, &mut problems);
        if problems.is_full() {
            break;
        }
    }
    problems
}

/// What errors are told against.
struct Told<'a> {
    root: &'a Node,
    schema: &'a Value,
}

/// A value that an error is about, and the entry that it is the value of.
struct Spot<'a> {
    node: &'a Node,
    entry: Option<&'a Entry>,
    /// The last key on the way that holds a secret.
    secret: Option<&'a Entry>,
}

impl Told<'_> {
    fn explain(&self, error: &ValidationError<'_>, problems: &mut Problems) {
        let spot = self.spot(error.instance_path().as_str());
        if let Some(secret) = spot.secret {
            problems.push(in_clear(secret));
            return;
        }
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                for key in unexpected {
                    problems.push(self.unknown_key(error, &spot, key));
                }
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.explain_choice(error, &spot, context, problems);
            }
            Kind::PropertyNames { error: inner } => problems.push(self.bad_name(error, inner, &spot)),
            _ => problems.push(self.explain_one(error, &spot)),
        }
    }

    fn explain_one(&self, error: &ValidationError<'_>, spot: &Spot<'_>) -> Problem {
        let (place, shown) = (spot.place(), spot.shown());
        match error.kind() {
            Kind::Type { kind } => self.wrong_type(error, &types(kind), spot),
            Kind::Enum { options } => not_one_of(&words(options), spot),
            Kind::Constant { expected_value } => not_one_of(&[word(expected_value)], spot),
            Kind::Required { property } => {
                let key = word(property);
                let about = self.about(error, &key);
                place.problem(format!("`{key}` is missing{}", spot.inside()), format!("add `{key}: …`{about}"))
            }
            Kind::Minimum { limit } => place.problem(format!("{shown} is too small"), format!("write {limit} or more")),
            Kind::Maximum { limit } => place.problem(format!("{shown} is too large"), format!("write {limit} or less")),
            Kind::MinLength { .. } | Kind::MinItems { .. } => {
                place.problem(format!("{} is empty", spot.called()), "write a value")
            }
            Kind::MaxLength { limit } => {
                place.problem(format!("{shown} is too long"), format!("write {limit} characters at most"))
            }
            Kind::Format { .. } => place
                .problem(format!("{shown} is not an IP address"), "write an address such as 10.0.0.5 or 2001:db8::5"),
            _ => place.problem(format!("{shown} may not stand here"), self.expected(error)),
        }
    }

    /// The schema object that holds the keyword of this error.
    fn schema_of(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().as_str();
        self.schema.pointer(path.rsplit_once('/').map_or("", |(parent, _)| parent))
    }

    fn expected(&self, error: &ValidationError<'_>) -> String {
        let is_name = matches!(error.kind(), Kind::Pattern { pattern } if pattern == NAME);
        let about = self.schema_of(error).and_then(|schema| schema.get("description")).and_then(Value::as_str);
        match about.filter(|_| !is_name) {
            Some(about) => format!("write {}", lowered(about.trim_end_matches('.'))),
            None => "use lower-case letters, digits and hyphens".to_owned(),
        }
    }

    /// What the schema says of a key: `: the role that opens the flow`.
    fn about(&self, error: &ValidationError<'_>, key: &str) -> String {
        let key = self.schema_of(error).and_then(|schema| schema.pointer(&format!("/properties/{key}/description")));
        let text = key.and_then(Value::as_str).unwrap_or_default();
        let first = text.split(['\n', '.', ';', ':']).next().unwrap_or_default();
        if first.is_empty() { String::new() } else { format!(": {}", lowered(first)) }
    }

    fn unknown_key(&self, error: &ValidationError<'_>, spot: &Spot<'_>, key: &str) -> Problem {
        let place = spot.node.entry(key).map_or_else(|| spot.place(), |entry| &entry.place);
        let properties = self.schema_of(error).and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        let known: Vec<&str> = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let near = did_you_mean(key, known.iter().copied());
        let remedy = match nearest(key, known.iter().copied()) {
            Some(word) => format!("write `{word}`, or remove the key"),
            None => format!("remove the key, or write one of: {}", known.join(", ")),
        };
        place.problem(format!("unknown key `{key}`{}{near}", spot.inside()), remedy)
    }

    fn bad_name(&self, error: &ValidationError<'_>, inner: &ValidationError<'_>, spot: &Spot<'_>) -> Problem {
        let name = inner.instance().as_str().unwrap_or_default();
        let place = spot.node.entry(name).map_or_else(|| spot.place(), |entry| &entry.place);
        let about = self.schema_of(error).and_then(|schema| schema.pointer("/propertyNames/description"));
        let about = about.and_then(Value::as_str).unwrap_or("a name: lower-case letters, digits and hyphens");
        place.problem(format!("`{}` may not be a name here", short(name)), format!("write {about}"))
    }

    /// Of several allowed forms, tells what is wrong with the one that was meant.
    fn explain_choice(
        &self,
        error: &ValidationError<'_>,
        spot: &Spot<'_>,
        forms: &[Vec<ValidationError<'static>>],
        problems: &mut Problems,
    ) {
        let here = error.instance_path().as_str();
        let other_type = |form: &[ValidationError<'static>]| form.iter().any(|e| is_type_error(e, here, spot.node));
        let of_right_type: Vec<_> = forms.iter().filter(|form| !other_type(form)).collect();
        let meant = |form: &&&Vec<ValidationError<'static>>| !form.iter().any(|e| missing_key(e, here).is_some());
        let mut with_its_key = of_right_type.iter().filter(meant);
        match (of_right_type.as_slice(), with_its_key.next(), with_its_key.next()) {
            ([], ..) => match forms.iter().filter(|form| !is_for_null(form)).collect::<Vec<_>>().as_slice() {
                [form] => form.iter().for_each(|error| self.explain(error, problems)),
                forms => {
                    let allowed: Vec<String> =
                        forms.iter().flat_map(|form| form.iter()).flat_map(allowed_types).collect();
                    problems.push(self.wrong_type(error, &allowed, spot));
                }
            },
            ([form], ..) | (_, Some(form), None) => form.iter().for_each(|error| self.explain(error, problems)),
            _ => problems.push(self.choose_one(error, &of_right_type, spot)),
        }
    }

    /// None of the forms, or more than one of them, was meant: the forms differ in a key or in a word.
    fn choose_one(
        &self,
        error: &ValidationError<'_>,
        forms: &[&Vec<ValidationError<'static>>],
        spot: &Spot<'_>,
    ) -> Problem {
        if !spot.node.is_map() {
            let options = forms.iter().flat_map(|form| form.iter()).flat_map(|error| match error.kind() {
                Kind::Enum { options } => words(options),
                Kind::Constant { expected_value } => vec![word(expected_value)],
                _ => Vec::new(),
            });
            return not_one_of(&distinct(options.collect()), spot);
        }
        let keys = self.branch_keys(error);
        let remedy = format!("write exactly one of: {}", keys.join(", "));
        match spot.node.entries().iter().find(|entry| !keys.contains(&entry.key.as_str())) {
            Some(entry) => {
                let near = did_you_mean(&entry.key, keys);
                entry.place.problem(format!("unknown key `{}`{}{near}", short(&entry.key), spot.inside()), remedy)
            }
            None => spot.place().problem(format!("{} needs exactly one key", spot.called()), remedy),
        }
    }

    /// The keys of which exactly one is wanted.
    fn branch_keys(&self, error: &ValidationError<'_>) -> Vec<&str> {
        let branches = self.schema_of(error).and_then(|schema| schema.get("oneOf")).and_then(Value::as_array);
        branches.into_iter().flatten().filter_map(|branch| branch.pointer("/required/0")?.as_str()).collect()
    }

    fn wrong_type(&self, error: &ValidationError<'_>, allowed: &[String], spot: &Spot<'_>) -> Problem {
        if spot.entry.is_none() {
            let message = format!("expected keys and values, found {}", spot.shown());
            return spot
                .place()
                .problem(message, "write lines such as `extends: miradore`, without a hyphen before them");
        }
        let allowed = distinct(allowed.iter().filter(|kind| *kind != "null").cloned().collect());
        let names = allowed.iter().map(|kind| type_name(kind)).collect::<Vec<_>>().join(" or ");
        let message = format!("expected {names} for {}, found {}", spot.called(), spot.shown());
        let keys = self.branch_keys(error);
        let remedy = if !keys.is_empty() {
            format!("write `{{ {}: {{}} }}`, with one of: {}", keys[0], keys.join(", "))
        } else if let Content::Number(_, written) = &spot.node.content
            && allowed.iter().any(|kind| kind == "string")
            && self.schema_of(error).is_some_and(|schema| !fits(schema, written))
        {
            self.expected(error)
        } else {
            type_remedy(&spot.node.content, &allowed).unwrap_or_else(|| format!("write {names}"))
        };
        spot.place().problem(message, remedy)
    }

    fn spot(&self, pointer: &str) -> Spot<'_> {
        let mut spot = Spot { node: self.root, entry: None, secret: None };
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            if let Some(entry) = spot.node.entry(&part) {
                let secret = SECRETS.contains(&entry.key.as_str()).then_some(entry);
                spot = Spot { node: &entry.value, entry: Some(entry), secret: spot.secret.or(secret) };
            } else if let Some(item) = part.parse().ok().and_then(|at: usize| spot.node.items().get(at)) {
                spot = Spot { node: item, ..spot };
            }
        }
        spot
    }
}

impl Spot<'_> {
    fn place(&self) -> &Place {
        match self.entry {
            Some(entry) if self.node.is_null() => &entry.place,
            _ => &self.node.place,
        }
    }

    /// The value as it may be shown.
    fn shown(&self) -> String {
        match &self.node.content {
            Content::Null => "an empty value".to_owned(),
            Content::Bool(value) => format!("`{value}`"),
            Content::Number(_, written) => format!("`{}`", short(written)),
            Content::Text(text) => format!("`{}`", short(text)),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        }
    }

    fn called(&self) -> String {
        self.entry.map_or_else(|| "this".to_owned(), |entry| format!("`{}`", entry.key))
    }

    fn inside(&self) -> String {
        self.entry.map_or_else(String::new, |entry| format!(" in `{}`", entry.key))
    }
}

/// Whether a form is for another type of value: a list, or a word where a map is written.
fn is_type_error(error: &ValidationError<'_>, here: &str, node: &Node) -> bool {
    let compound = matches!(node.content, Content::Map(_) | Content::List(_));
    let other_type = match error.kind() {
        Kind::Type { .. } => true,
        Kind::Enum { .. } | Kind::Constant { .. } => compound,
        _ => false,
    };
    other_type && error.instance_path().as_str() == here
}

/// Whether a form only says that the value may be left empty.
fn is_for_null(form: &[ValidationError<'static>]) -> bool {
    let types: Vec<String> = form.iter().flat_map(allowed_types).collect();
    types.iter().all(|kind| kind == "null") && !types.is_empty()
}

fn missing_key(error: &ValidationError<'_>, here: &str) -> Option<String> {
    match error.kind() {
        Kind::Required { property } if error.instance_path().as_str() == here => Some(word(property)),
        _ => None,
    }
}

fn allowed_types(error: &ValidationError<'_>) -> Vec<String> {
    match error.kind() {
        Kind::Type { kind } => types(kind),
        _ => Vec::new(),
    }
}

fn distinct(mut words: Vec<String>) -> Vec<String> {
    let mut seen = Vec::new();
    words.retain(|word| {
        !seen.contains(word) && {
            seen.push(word.clone());
            true
        }
    });
    words
}

fn not_one_of(options: &[String], spot: &Spot<'_>) -> Problem {
    let near = spot.node.text().map(|text| did_you_mean(text, options.iter().map(String::as_str))).unwrap_or_default();
    let remedy = format!("write one of: {}", options.join(", "));
    spot.place().problem(format!("{} is not allowed for {}{near}", spot.shown(), spot.called()), remedy)
}

fn in_clear(secret: &Entry) -> Problem {
    let key = &secret.key;
    let message = match secret.value.content {
        Content::Map(_) => format!("`{key}` must say with exactly one key where the secret comes from"),
        _ => format!("`{key}` is written in clear; profiles are copied and mailed, secrets must not be"),
    };
    let remedy = format!(
        "write `{key}: {{ env: NAME }}` for an environment variable, `{{ file: PATH }}` for a file, or \
         `{{ prompt: \"Password?\" }}` to be asked"
    );
    secret.place.problem(message, remedy)
}

/// What to write instead of a value of the wrong type, where that can be said better than by the type's name.
fn type_remedy(found: &Content, allowed: &[String]) -> Option<String> {
    let wants = |kind: &str| allowed.iter().any(|allowed| allowed == kind);
    let remedy = match found {
        Content::Number(_, written) if wants("string") => format!("put it in quotes: \"{}\"", short(written)),
        Content::Bool(value) if wants("string") => format!("put it in quotes: \"{value}\""),
        Content::Text(text) if wants("boolean") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => "write `true`".to_owned(),
            "no" | "off" | "false" => "write `false`".to_owned(),
            _ => return None,
        },
        Content::Text(text) if wants("integer") && text.parse::<u64>().is_ok() => "remove the quotes".to_owned(),
        Content::Null if wants("object") => "write `{}` after it, or remove the key".to_owned(),
        Content::Null => "write a value, or remove the key".to_owned(),
        _ if allowed.len() > 1 => return None,
        _ if wants("array") => "write a list: [a, b]".to_owned(),
        _ if wants("object") => "write a map: { key: value }".to_owned(),
        _ => return None,
    };
    Some(remedy)
}

/// Whether a text fits the schema of one value.
fn fits(schema: &Value, text: &str) -> bool {
    jsonschema::draft202012::new(schema).is_ok_and(|schema| schema.is_valid(&Value::from(text)))
}

fn types(kind: &TypeKind) -> Vec<String> {
    match kind {
        TypeKind::Single(kind) => vec![kind.as_str().to_owned()],
        TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
    }
}

fn type_name(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

fn words(options: &Value) -> Vec<String> {
    options.as_array().into_iter().flatten().filter(|option| !option.is_null()).map(word).collect()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn short(text: &str) -> String {
    let first: String = text.chars().take(40).map(|c| if c.is_control() { '·' } else { c }).collect();
    let text = if text.chars().count() > 40 { format!("{first}…") } else { first };
    super::problem::without_secrets(&text)
}

/// A sentence's first letter in lower case, unless a word in capitals begins there.
fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
