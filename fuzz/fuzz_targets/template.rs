//! A variable's template, and a value that may look like one. Between them is a line break.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use pipehook::domain::template::{MAX_VALUE_CHARS, Template, Values, one_line};

const NAMES: [&str; 8] = ["sha", "short_sha", "ref", "branch", "tag", "actor", "delivery", "message"];

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let (template, value) = text.split_once('\n').unwrap_or((text, ""));
    let parsed = match Template::parse(template) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(template.contains('{') && !error.to_string().is_empty());
            return Corpus::Keep;
        }
    };
    let all = Values {
        sha: value,
        short_sha: value,
        git_ref: value,
        branch: value,
        tag: value,
        actor: value,
        delivery: value,
        message: value,
    };
    let rendered = parsed.render(all);
    if let Some(rendered) = &rendered {
        assert!((1..=MAX_VALUE_CHARS).contains(&rendered.chars().count()));
        assert_eq!(&one_line(rendered), rendered);
    }
    // Every field stands for the same here, so what is expanded is the template with the value in their places, whatever
    // braces it holds.
    let mark = '\u{f8ff}';
    let marked =
        NAMES.iter().fold(template.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), &mark.to_string()));
    if !template.contains(mark) {
        let whole = one_line(&marked.replace(mark, value));
        let kept: String = whole.chars().take(MAX_VALUE_CHARS).collect();
        assert_eq!(rendered.unwrap_or_default(), kept.trim_end());
    }
    Corpus::Keep
});
