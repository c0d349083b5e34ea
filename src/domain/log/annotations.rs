//! What compilers, linters and tests say about lines of files.

use std::collections::HashSet;

/// How much an annotation matters, most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

/// A remark on a line of a file of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Annotation {
    /// Relative to the repository's root.
    pub path: String,
    /// From 1.
    pub line: u32,
    pub level: Level,
    pub message: String,
}

/// Of more than these, nobody reads each; the log has them all.
const MOST: usize = 10;

/// The longest path that a file of a repository is taken to have.
const LONGEST_PATH: usize = 255;

/// What the lines of a log say about files, the gravest first where there are too many.
///
/// Only remarks whose file and line are certain count: a file whose name ends as those of sources and settings do, with a
/// path that stays inside the repository.
pub fn annotations(lines: &[String]) -> Vec<Annotation> {
    let mut found: Vec<(usize, Annotation)> = Vec::new();
    let mut seen = HashSet::new();
    // What a stack trace is about, and the heading of a remark whose place follows; both stand before it.
    let mut said = "";
    let mut has_frame = false;
    for line in lines.iter().map(|line| without_progress(line.trim())) {
        let is_frame = line.starts_with("at ");
        let annotation = if is_frame {
            of_frame(line, said).filter(|_| !has_frame)
        } else if let Some(place) = line.strip_prefix("--> ") {
            of_arrow(place, said)
        } else {
            of_line(line)
        };
        has_frame = is_frame && (has_frame || annotation.is_some());
        if !is_frame && !line.is_empty() {
            said = line;
        }
        found.extend(annotation.filter(|annotation| seen.insert(annotation.clone())).map(|new| (found.len(), new)));
    }
    found.sort_by_key(|(_, annotation)| annotation.level);
    found.truncate(MOST);
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, annotation)| annotation).collect()
}

/// A line without what BuildKit puts before each: `#12 3.456 `.
fn without_progress(line: &str) -> &str {
    let rest = || {
        let (step, rest) = line.strip_prefix('#')?.split_once(' ')?;
        let (seconds, rest) = rest.split_once(' ')?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        (is_number(step) && is_number(seconds)).then(|| rest.trim_start())
    };
    rest().unwrap_or(line)
}

/// `path:3: message`, `path:3:5: error: message`, `path:3:5 - error TS1: message`, `path(3,5): error TS1: message`.
fn of_line(line: &str) -> Option<Annotation> {
    let (path, rest) = split_path(line)?;
    let (line, has_column, rest, endings) = match rest.strip_prefix('(') {
        Some(rest) => {
            let (place, rest) = rest.split_once(')')?;
            let (line, column) = place.split_once(',').map_or((place, None), |(line, column)| (line, Some(column)));
            (number(line)?, column.and_then(number).is_some(), rest, &[": "][..])
        }
        None => {
            let (line, rest) = leading_number(rest.strip_prefix(':')?)?;
            match rest.strip_prefix(':').and_then(leading_number) {
                // Some linters put nothing but a blank behind the column.
                Some((_, rest)) => (line, true, rest, &[": ", " - ", " "][..]),
                None => (line, false, rest, &[": ", " - "][..]),
            }
        }
    };
    let message = endings.iter().find_map(|ending| rest.strip_prefix(ending))?.trim();
    let level = level(message).unwrap_or(if has_column { Level::Error } else { Level::Warning });
    annotation(path, line, level, message)
}

/// `--> src/main.rs:3:5` of the Rust compiler, below what is the matter.
fn of_arrow(place: &str, said: &str) -> Option<Annotation> {
    let (path, rest) = split_path(place)?;
    let (line, _) = leading_number(rest.strip_prefix(':')?)?;
    annotation(path, line, level(said)?, said)
}

/// `at render (src/page.js:3:5)`, `at src/page.js:3:5`: the innermost place of a stack trace.
fn of_frame(frame: &str, said: &str) -> Option<Annotation> {
    let place = frame.strip_suffix(')').and_then(|frame| frame.rsplit_once('(')).map(|(_, place)| place);
    let place = place.or_else(|| frame.strip_prefix("at ")).map(|place| place.trim_start_matches("async "))?;
    let (path, rest) = split_path(place)?;
    let (line, _) = leading_number(rest.strip_prefix(':')?)?;
    annotation(path, line, Level::Error, said)
}

fn annotation(path: &str, line: u32, level: Level, message: &str) -> Option<Annotation> {
    let path = path.strip_prefix("./").unwrap_or(path);
    let known = (!message.is_empty() && is_of_repository(path)).then(|| path.to_owned());
    known.map(|path| Annotation { path, line, level, message: message.to_owned() })
}

/// A path at the beginning of a line, up to the colon or bracket behind it.
fn split_path(line: &str) -> Option<(&str, &str)> {
    let end = line.bytes().take(LONGEST_PATH + 1).position(|byte| byte == b':' || byte == b'(')?;
    Some(line.split_at(end))
}

/// The number of a line or column: no sign, no zero in front.
fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    Some((number(&text[..end])?, &text[end..]))
}

/// How grave a remark is, by its own word for it, which stands at its beginning.
fn level(message: &str) -> Option<Level> {
    let word: String = message.chars().skip_while(|char| *char == '[').take_while(char::is_ascii_alphabetic).collect();
    match word.to_ascii_lowercase().as_str() {
        "error" | "fatal" | "err" | "failure" | "panic" => Some(Level::Error),
        "warning" | "warn" => Some(Level::Warning),
        "note" | "info" | "hint" | "help" | "notice" => Some(Level::Notice),
        // `AssertionError`, `NullPointerException`.
        _ if word.ends_with("Error") || word.ends_with("Exception") => Some(Level::Error),
        _ => None,
    }
}

/// How the names of files end that a remark may be about. A list, for `example.com:443` and `10.0.0.1:80` have the same
/// form.
const ENDINGS: &[&str] = &[
    "bash", "c", "cc", "cfg", "cjs", "clj", "cmake", "conf", "cpp", "cs", "css", "cts", "cxx", "dart", "ex", "exs",
    "fs", "go", "gradle", "graphql", "groovy", "h", "hcl", "hh", "hpp", "hs", "html", "ini", "java", "js", "json",
    "jsx", "kt", "kts", "less", "lua", "m", "md", "mjs", "mk", "ml", "mm", "mts", "nix", "php", "pl", "pm", "proto",
    "ps1", "py", "pyi", "r", "rb", "rs", "sass", "scala", "scss", "sh", "snap", "sql", "svelte", "swift", "tf", "toml",
    "ts", "tsx", "txt", "vb", "vue", "xml", "yaml", "yml", "zig",
];

/// Files that have a name of their own.
const NAMES: &[&str] = &["Dockerfile", "Gemfile", "Justfile", "Makefile", "Rakefile", "go.mod"];

/// Whether a path leads to a file that may be in the repository, and not to one that was installed or built.
fn is_of_repository(path: &str) -> bool {
    let is_plain = |char: char| !char.is_whitespace() && !char.is_control() && !"\\:*?\"'<>|@~$%".contains(char);
    let parts = || path.split('/');
    let is_inside = parts().all(|part| !matches!(part, "" | "." | ".." | "node_modules" | "site-packages"));
    let name = parts().next_back().unwrap_or_default();
    let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending);
    let is_file = NAMES.contains(&name)
        || ending.is_some_and(|ending| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)));
    is_file && is_inside && path.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> String {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let shown = annotations(&lines).into_iter().map(|annotation| {
            let Annotation { path, line, level, message } = annotation;
            format!("{level:?} {path} {line}: {message}")
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn compilers_linters_and_tests_name_the_place_first() {
        let found = of(&[
            "src/main.c:12:5: error: expected ';' before '}' token",
            "./main.go:3:5: undefined: x",
            "app/models.py:10: error: Incompatible types in assignment  [assignment]",
            "lib/util.py:1:80: E501 line too long (93 > 79 characters)",
            "tests/test_app.py:7: AssertionError",
            "src/page.ts:3:5 - error TS2322: Type 'string' is not assignable to type 'number'.",
            "src/page.ts(3,5): warning TS6133: 'x' is declared but its value is never read.",
            "#12 3.456 src/in_docker.c:4:1: warning: unused variable",
            "  Makefile:3: *** missing separator.  Stop.",
            "infra/main.tf:2:1: note: see here",
        ]);
        insta::assert_snapshot!(found, @"
        Error src/main.c 12: error: expected ';' before '}' token
        Error main.go 3: undefined: x
        Error app/models.py 10: error: Incompatible types in assignment  [assignment]
        Error lib/util.py 1: E501 line too long (93 > 79 characters)
        Error tests/test_app.py 7: AssertionError
        Error src/page.ts 3: error TS2322: Type 'string' is not assignable to type 'number'.
        Warning src/page.ts 3: warning TS6133: 'x' is declared but its value is never read.
        Warning src/in_docker.c 4: warning: unused variable
        Warning Makefile 3: *** missing separator.  Stop.
        Notice infra/main.tf 2: note: see here
        ");
    }

    #[test]
    fn rusts_remarks_name_the_place_below() {
        let found = of(&[
            "error[E0308]: mismatched types",
            "  --> src/main.rs:3:5",
            "   |",
            "warning: unused variable: `x`",
            " --> src/lib.rs:9:9",
            "note: the lint level is defined here",
            "  --> src/lib.rs:1:9",
            "see the example",
            "  --> src/lib.rs:2:9",
        ]);
        insta::assert_snapshot!(found, @"
        Error src/main.rs 3: error[E0308]: mismatched types
        Warning src/lib.rs 9: warning: unused variable: `x`
        Notice src/lib.rs 1: note: the lint level is defined here
        ");
    }

    #[test]
    fn a_stack_trace_counts_by_its_innermost_place_in_the_repository() {
        let found = of(&[
            "AssertionError [ERR_ASSERTION]: 404 == 200",
            "    at node:internal/process/task_queues:95:5",
            "    at Object.<anonymous> (/app/node_modules/tap/index.js:1:2)",
            "    at Object.run (node_modules/tap/lib/run.js:1:2)",
            "    at check (test/server.test.js:14:3)",
            "    at async test/server.test.js:20:3",
            "Error: again",
            "    at async lib/other.js:1:2",
        ]);
        insta::assert_snapshot!(found, @"
        Error test/server.test.js 14: AssertionError [ERR_ASSERTION]: 404 == 200
        Error lib/other.js 1: Error: again
        ");
    }

    #[test]
    fn what_is_no_place_in_the_repository_is_none() {
        let found = of(&[
            "12:30:01: error: late",
            "[Container] 2026/01/24 12:30:01 Running command make",
            "/usr/include/stdio.h:3:5: error: absolute",
            "../other/a.c:3:5: error: outside",
            "src/../../a.c:3:5: error: outside",
            "https://example.com/a.js:3:5: error: a URL",
            "example.com:443: error: connection refused",
            "10.0.0.1:80: error: refused",
            "C:\\src\\a.c:3:5: error: elsewhere",
            "node_modules/a/index.js:3:5: error: installed",
            "a b.c:3:5: error: a sentence",
            "src/a.c:0:5: error: no such line",
            "src/a.c:99999999999:5: error: no such line",
            "src/a.c:3:5:",
            "src/a.c:3",
            "src/a.c(3,5) error",
            "  --> src/main.rs:3:5",
            "error: said",
            "  --> /root/.cargo/registry/a.rs:3:5",
            ".c:3:5: error: no name",
            ":3:5: error: no name",
            "at x (",
            "at )",
            "ä.c:ü: error",
            "#12 note src/a.c:3:5: error: a sentence",
            "#x 3.456 src/a.c:3:5: error: a sentence",
        ]);
        assert_eq!(found, "");
    }

    #[test]
    fn a_path_may_be_as_long_as_a_name_of_a_file() {
        let remark = |length: usize| format!("{}.c:3:5: error: no", "x".repeat(length - 2));
        assert_eq!(of(&[&remark(255), &remark(256)]).matches("Error").count(), 1);
    }

    #[test]
    fn what_is_said_twice_counts_once_and_the_gravest_first() {
        let mut lines: Vec<String> = (1..=20).map(|line| format!("src/a.c:{line}:1: warning: unused")).collect();
        lines.extend(["src/b.c:1:1: error: no".to_owned(), "src/b.c:1:1: error: no".to_owned()]);
        let found = annotations(&lines);
        assert_eq!(found.len(), MOST);
        assert_eq!(found.iter().filter(|annotation| annotation.level == Level::Error).count(), 1);
        assert_eq!(found.last().unwrap().path, "src/b.c");
    }
}
