//! Mistakes in words: what the parser complains of, told to who has written the configuration.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Finding;
use super::mistakes::{Step, missing, value_at};
use crate::config::wire;
use crate::domain::event::RepositoryName;
use crate::domain::template::one_line;

/// How alike two names have to be for one to be taken for the other, from 0 to 1, as Jaro and Winkler measure it.
const ALIKE: f64 = 0.8;

/// The parser's complaint about what is at a path.
pub(super) fn told(table: &DeTable<'_>, path: Option<&[Step]>, place: Range<usize>, problem: &str) -> Finding {
    if let Some(key) = missing(problem) {
        let value = if key == "repository" { "octo-org/node-server" } else { "node-server" };
        return Finding::error(place, format!("the route has no `{key}`")).help(format!("{key} = \"{value}\""));
    }
    if let Some(rest) = problem.strip_prefix("unknown field `")
        && let Some((key, known)) = rest.rsplit_once("`, expected ")
    {
        return unknown(path.unwrap_or_default(), place, key, &quoted(known));
    }
    let key = path.and_then(|path| {
        path.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(one_line(key)),
            Step::Index(_) => None,
        })
    });
    let value = path.and_then(|path| value_at(table, path)).map(Spanned::get_ref);
    let (Some(key), Some(value)) = (key, value) else { return Finding::error(place, one_line(problem)) };
    if key == "route" && value.is_table() {
        let message = "`[route]` is a single table, where a list of routes is needed";
        return Finding::error(place, message).help("write [[route]]");
    }
    if key == "pull_requests"
        && let Some(other) = value.as_table().and_then(|table| table.keys().find(|key| key.get_ref() != "base"))
    {
        return unknown(&[], other.span(), other.get_ref(), &["base".to_owned()]);
    }
    let what = match path.and_then(<[_]>::last) {
        Some(Step::Index(_)) => format!("an entry of `{key}`"),
        _ => format!("`{key}`"),
    };
    let finding = match problem.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((_, wanted)) => wrong_type(&what, value, place, wanted),
        None => Finding::error(place, one_line(problem)),
    };
    match value.as_str().and_then(repository_of).filter(|_| key == "repository") {
        Some(name) => finding.help(format!("write \"{name}\"")),
        None => finding,
    }
}

/// A key that there is none of, with the one that may be meant.
fn unknown(path: &[Step], place: Range<usize>, key: &str, known: &[String]) -> Finding {
    let finding = Finding::error(place, format!("unknown key `{}`", one_line(key)));
    let elsewhere = match path {
        [Step::Key(first), Step::Index(_), ..] if first == "route" => &["[github]"][..],
        [Step::Key(first), _, ..] if first == "github" => &["[[route]]"],
        [_] => &["[github]", "[[route]]"],
        _ => &[],
    };
    if let Some(section) = elsewhere.iter().find(|section| keys_of(section).iter().any(|known| known == key)) {
        return finding.help(format!("`{key}` belongs under {section}"));
    }
    let alike = |known: &&String| strsim::jaro_winkler(&key.to_lowercase(), known);
    let nearest = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|nearest| alike(nearest) >= ALIKE);
    if let Some(nearest) = nearest {
        return finding.help(format!("did you mean `{nearest}`?"));
    }
    let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    match &known[..] {
        [] => finding,
        [only] => finding.help(format!("there is only {only}")),
        several => finding.help(format!("there are {}", several.join(", "))),
    }
}

/// The keys of a section, as the parser tells them who is asked for one that does not exist.
fn keys_of(section: &str) -> Vec<String> {
    let text = format!("{section}\n\"?\" = 0");
    let told = DeTable::parse(&text).ok().and_then(|table| wire::read(table).err());
    told.and_then(|(_, problem)| Some(quoted(problem.rsplit_once("`, expected ")?.1))).unwrap_or_default()
}

/// What stands in backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn wrong_type(what: &str, value: &DeValue<'_>, place: Range<usize>, wanted: &str) -> Finding {
    let is = match value.type_str() {
        "array" => "a list",
        "integer" => "an integer",
        "string" => "a string",
        "boolean" => "a boolean",
        "float" => "a float",
        "datetime" => "a date",
        _ => "a table",
    };
    let needs = match wanted {
        "a sequence" => "a list",
        "a boolean" => "true or false",
        wanted if wanted.starts_with("struct") || wanted == "a map" => "a table",
        wanted => wanted,
    };
    let finding = Finding::error(place, format!("{what} must be {needs}, and is {is}"));
    match (needs, value) {
        ("a list", DeValue::String(text)) => finding.help(format!("write [{:?}]", one_line(text))),
        ("a string", DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_)) => {
            finding.help("put it into quotes")
        }
        ("true or false", DeValue::String(text)) if matches!(text.as_ref(), "true" | "false") => {
            finding.help(format!("write {text} without quotes"))
        }
        _ => finding,
    }
}

/// `octo-org/node-server` of an address such as `https://github.com/octo-org/node-server.git`.
fn repository_of(address: &str) -> Option<String> {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => address.strip_prefix("git@")?.split_once(':')?.1,
    };
    let path = path.trim_end_matches('/');
    let name = path.strip_suffix(".git").unwrap_or(path);
    RepositoryName::parse(name).map(|name| name.to_string())
}
