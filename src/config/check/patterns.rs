//! Patterns that can match nothing. Each function tells what is wrong with one, and what to write instead.

use super::globs::Glob;
use crate::domain::template::one_line;

/// What is wrong with a pattern, as goes on after it, and what to write instead.
pub(super) type Doubt = (String, Option<String>);

const REGEX: &str = "patterns are globs, not regular expressions: `*` is any text without a slash, `**` any text";

/// What is the matter with a pattern for refs whose full names begin with `prefix`; `what` is a branch or a tag.
pub(super) fn of_ref(pattern: &str, what: &str, prefix: &str) -> Option<Doubt> {
    if pattern.is_empty() {
        return Some(empty());
    }
    if let Some(name) = pattern.strip_prefix(prefix).filter(|name| !name.is_empty()) {
        return Some((format!("can match nothing: a {what}'s name goes without {prefix}"), Some(write(name))));
    }
    if let Some(other) = excluded(pattern) {
        return Some((EXCLUDES_NOTHING.to_owned(), Some(format!("list what is to be taken, and leave {other} out"))));
    }
    let flaw = flaw_of_all(pattern, of_ref_name)?;
    let trimmed = pattern.trim_matches('/');
    let help = if pattern.starts_with('^') || pattern.ends_with('$') || pattern.contains(".*") {
        Some(REGEX.to_owned())
    } else if trimmed.is_empty() {
        None
    } else if pattern.ends_with('/') {
        Some(write(&format!("{trimmed}/**")))
    } else if pattern.starts_with('/') {
        Some(write(trimmed))
    } else {
        None
    };
    Some((format!("can match nothing: no {what} has a name that {flaw}"), help))
}

/// What is the matter with a pattern for changed files.
pub(super) fn of_path(pattern: &str, key: &str) -> Option<Doubt> {
    if pattern.is_empty() {
        return Some(empty());
    }
    if let Some(other) = excluded(pattern) {
        let help = match key {
            "paths" => format!("put \"{other}\" into `paths_ignore`"),
            _ => format!("list the files that are not to count, without {other}"),
        };
        return Some((EXCLUDES_NOTHING.to_owned(), Some(help)));
    }
    let doubt = |why: &str, instead: Option<&str>| Some((format!("can match nothing: {why}"), instead.map(write)));
    let mut behind_backslashes = pattern.split('\\').skip(1);
    if behind_backslashes.any(|part| part.starts_with(char::is_alphanumeric)) {
        let why = "has `\\` between folders, where GitHub's paths have `/`; `\\` takes the next sign literally";
        return Some((why.to_owned(), Some(write(&pattern.replace('\\', "/")))));
    }
    flaw_of_all(pattern, of_path_name)?;
    let root = "GitHub's paths begin at the repository's root, without `/` or `./`";
    let trimmed = pattern.trim_start_matches("./").trim_matches('/');
    match pattern {
        _ if matches!(trimmed, "" | ".") => doubt(root, Some("**")),
        _ if pattern.ends_with('/') => {
            doubt("it is compared with files, and no file's path ends with a slash", Some(&format!("{trimmed}/**")))
        }
        _ if pattern.starts_with("./") || pattern.starts_with('/') => doubt(root, Some(trimmed)),
        _ => doubt("no changed file has `.`, `..` or nothing between its slashes", None),
    }
}

const EXCLUDES_NOTHING: &str = "excludes nothing: the `!` in front is taken for a part of the name";

fn empty() -> Doubt {
    ("can match nothing: it is empty".to_owned(), Some("leave it out".to_owned()))
}

fn write(pattern: &str) -> String {
    format!("write \"{}\"", one_line(pattern))
}

/// What a pattern in the manner of GitHub Actions excludes.
fn excluded(pattern: &str) -> Option<String> {
    pattern.strip_prefix('!').filter(|rest| !rest.is_empty()).map(one_line)
}

/// Why no name can match, where that is so in each alternative: the first one's reason.
fn flaw_of_all(pattern: &str, flaw: impl Fn(&str) -> Option<String>) -> Option<String> {
    let flaws: Option<Vec<String>> = Glob::parse(pattern)?.shapes().map(|shape| flaw(&shape)).collect();
    flaws?.into_iter().next()
}

/// Why git does not take a name for a branch or a tag (git check-ref-format).
pub(super) fn of_ref_name(name: &str) -> Option<String> {
    if let Some(c) =
        name.chars().find(|c| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\'))
    {
        return Some(format!("holds {c:?}"));
    }
    if let Some(text) = ["..", "//", "@{"].into_iter().find(|text| name.contains(text)) {
        return Some(format!("holds \"{text}\""));
    }
    let parts = || name.split('/');
    match () {
        () if name.is_empty() => Some("is empty".to_owned()),
        () if name == "@" => Some("is \"@\"".to_owned()),
        () if name.starts_with('/') => Some("begins with a slash".to_owned()),
        () if name.ends_with('/') => Some("ends with a slash".to_owned()),
        () if name.ends_with('.') => Some("ends with a dot".to_owned()),
        () if parts().any(|part| part.starts_with('.')) => Some("has a part that begins with a dot".to_owned()),
        () if parts().any(|part| part.ends_with(".lock")) => Some("has a part that ends in .lock".to_owned()),
        () => None,
    }
}

fn of_path_name(name: &str) -> Option<String> {
    name.split('/').any(|part| matches!(part, "" | "." | "..")).then(String::new)
}
