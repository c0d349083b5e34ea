//! Patterns that can match nothing. Each function tells what is wrong with one, and what to write instead.

use super::globs::Glob;
use crate::domain::template::one_line;

/// What is wrong with a pattern, and what to write instead.
pub(super) type Doubt = (String, Option<String>);

/// What is the matter with a pattern for refs whose full names begin with `prefix`; `what` is a branch or a tag.
pub(super) fn of_ref(pattern: &str, what: &str, prefix: &str) -> Option<Doubt> {
    let doubt = |why: String, instead: Option<String>| Some((why, instead.map(|instead| write(&instead))));
    if let Some(name) = pattern.strip_prefix(prefix).filter(|name| !name.is_empty()) {
        return doubt(format!("a {what} is compared by its name, without {prefix}"), Some(name.to_owned()));
    }
    if let Some(other) = excluded(pattern) {
        let help = format!("list what is to be taken instead of excluding {other}");
        return Some(("a `!` in front excludes nothing: it is taken for a part of the name".to_owned(), Some(help)));
    }
    let flaw = flaw_of_all(pattern, of_ref_name)?;
    if pattern.is_empty() {
        return doubt("an empty pattern matches nothing".to_owned(), None);
    }
    if pattern.starts_with('^') || pattern.ends_with('$') || pattern.contains(".*") {
        let help = "patterns are globs, not regular expressions: `*` is any text without a slash, `**` any text";
        return Some((format!("no {what} has such a name: it {flaw}"), Some(help.to_owned())));
    }
    let trimmed = pattern.trim_matches('/');
    let instead = match pattern {
        _ if trimmed.is_empty() => None,
        pattern if pattern.ends_with('/') => Some(format!("{trimmed}/**")),
        pattern if pattern.starts_with('/') => Some(trimmed.to_owned()),
        _ => None,
    };
    doubt(format!("no {what} has such a name: it {flaw}"), instead)
}

/// What is the matter with a pattern for changed files.
pub(super) fn of_path(pattern: &str, key: &str) -> Option<Doubt> {
    let doubt = |why: &str, instead: Option<String>| Some((why.to_owned(), instead.map(|instead| write(&instead))));
    if let Some(other) = excluded(pattern) {
        let help = match key {
            "paths" => format!("put \"{other}\" into `paths_ignore`"),
            _ => format!("list the files that are not to count, without {other}"),
        };
        return Some(("a `!` in front excludes nothing: it is taken for a part of the name".to_owned(), Some(help)));
    }
    if pattern.is_empty() {
        return doubt("an empty pattern matches nothing", None);
    }
    let is_windows = pattern
        .match_indices('\\')
        .any(|(at, _)| pattern[at + 1..].starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_'));
    if is_windows {
        return doubt(
            "GitHub's paths have `/` between folders; `\\` takes the next sign literally",
            Some(pattern.replace('\\', "/")),
        );
    }
    flaw_of_all(pattern, of_path_name)?;
    let trimmed = pattern.trim_start_matches("./").trim_matches('/');
    let inner = (!trimmed.is_empty()).then_some(trimmed);
    match pattern {
        "." | "./" | "/" => {
            doubt("GitHub's paths begin at the repository's root, without `.` or `/`", Some("**".to_owned()))
        }
        pattern if pattern.ends_with('/') => doubt(
            "a pattern is compared with files, and no file's path ends in `/`",
            inner.map(|inner| format!("{inner}/**")),
        ),
        pattern if pattern.starts_with("./") || pattern.starts_with('/') => {
            doubt("GitHub's paths begin at the repository's root, without `/` or `./`", inner.map(str::to_owned))
        }
        _ => doubt("no path of a changed file has `.`, `..` or nothing between its slashes", None),
    }
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
