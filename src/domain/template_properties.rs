//! Values of variables, for templates and pushes that hold whatever people write.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::any::text;

/// What a value may hold that has a meaning in a template, and must have none in a value.
fn value() -> impl Strategy<Value = String> {
    let braces = vec(select(vec!["{", "}", "{sha}", "{message}", "{{", "}}", "x", " "]), 0..6);
    prop_oneof![text(), braces.prop_map(|pieces| pieces.concat())]
}

const NAMES: [&str; 8] = ["sha", "short_sha", "ref", "branch", "tag", "actor", "delivery", "message"];

/// Pieces of a template: a text without a brace that opens, or the number of a field.
fn pieces() -> impl Strategy<Value = Vec<Result<String, usize>>> {
    let literal = value().prop_map(|text| Ok(text.replace('{', "")));
    vec(prop_oneof![literal, (0..NAMES.len()).prop_map(Err)], 0..6)
}

fn written(pieces: &[Result<String, usize>]) -> String {
    let write = |piece: &Result<String, usize>| match piece {
        Ok(text) => text.clone(),
        Err(field) => format!("{{{}}}", NAMES[*field]),
    };
    pieces.iter().map(write).collect()
}

fn values(texts: &[String]) -> Values<'_> {
    Values {
        sha: &texts[0],
        short_sha: &texts[1],
        git_ref: &texts[2],
        branch: &texts[3],
        tag: &texts[4],
        actor: &texts[5],
        delivery: &texts[6],
        message: &texts[7],
    }
}

proptest! {
    /// Each field is put in its place once; what is in a value is never read as a template again.
    #[test]
    fn a_value_is_the_templates_text_with_the_fields_in_their_places(
        pieces in pieces(),
        texts in vec(value(), NAMES.len()),
    ) {
        let template = Template::parse(&written(&pieces)).unwrap();
        let whole: String = pieces.iter().map(|piece| piece.clone().unwrap_or_else(|field| texts[field].clone())).collect();
        // In a model's words: blanks in a row are one, what is invisible is gone, and a thousand characters are kept.
        let words: Vec<String> = whole
            .split(char::is_whitespace)
            .map(|word| word.chars().filter(|char| !char.is_control() && !"\u{fffe}\u{ffff}".contains(*char)).collect())
            .filter(|word: &String| !word.is_empty())
            .collect();
        let kept: String = words.join(" ").chars().take(1000).collect();
        let expected = Some(kept.trim_end().to_owned()).filter(|value| !value.is_empty());
        prop_assert_eq!(template.render(values(&texts)), expected);
    }

    #[test]
    fn a_value_is_one_that_codepipeline_takes(template in value(), texts in vec(value(), NAMES.len())) {
        let Ok(template) = Template::parse(&template) else { return Ok(()) };
        let Some(value) = template.render(values(&texts)) else { return Ok(()) };
        prop_assert!((1..=MAX_VALUE_CHARS).contains(&value.chars().count()));
        prop_assert!(!value.chars().any(char::is_control) && value.trim() == value);
    }

    #[test]
    fn a_long_message_is_clipped(piece in "\\PC{1,20}", times in 40..1300_usize) {
        let template = Template::parse("{message}").unwrap();
        let message = piece.repeat(times);
        let value = template.render(Values { message: &message, ..Values::default() }).unwrap_or_default();
        prop_assert!(value.chars().count() <= MAX_VALUE_CHARS, "{} characters", value.chars().count());
    }

    /// A template is refused for a field that there is not, or a brace that is not closed, and for nothing else.
    #[test]
    fn a_template_is_refused_for_a_reason(text in value()) {
        let opened: Vec<&str> = text.split('{').skip(1).collect();
        let is_right = opened.iter().all(|rest| rest.split_once('}').is_some_and(|(name, _)| NAMES.contains(&name)));
        prop_assert_eq!(Template::parse(&text).is_ok(), is_right, "{}", text);
    }
}
