//! Values of pipeline variables, made from templates such as `{branch}-{short_sha}`.

/// CodePipeline takes values of 1 to 1,000 characters (botocore: `PipelineVariableValue`).
pub const MAX_VALUE_CHARS: usize = 1000;

/// What a template may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Sha,
    ShortSha,
    Ref,
    Branch,
    Tag,
    Actor,
    Delivery,
    Message,
}

const FIELDS: [(&str, Field); 8] = [
    ("sha", Field::Sha),
    ("short_sha", Field::ShortSha),
    ("ref", Field::Ref),
    ("branch", Field::Branch),
    ("tag", Field::Tag),
    ("actor", Field::Actor),
    ("delivery", Field::Delivery),
    ("message", Field::Message),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// What the fields of a template stand for; a field that does not apply (the tag of a branch) is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'a> {
    pub sha: &'a str,
    pub short_sha: &'a str,
    pub git_ref: &'a str,
    pub branch: &'a str,
    pub tag: &'a str,
    pub actor: &'a str,
    pub delivery: &'a str,
    pub message: &'a str,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error(
        "unknown field {{{0}}}; there are {{sha}}, {{short_sha}}, {{ref}}, {{branch}}, {{tag}}, {{actor}}, {{delivery}} and {{message}}"
    )]
    UnknownField(String),
    #[error("a {{ without its }}")]
    Unclosed,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (name, tail) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            let field = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
            pieces.push(Piece::Field(field.ok_or_else(|| TemplateError::UnknownField(name.to_owned()))?));
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The value, or `None` where it comes out empty: CodePipeline refuses an empty one, so the variable is left out
    /// and its default holds.
    pub fn render(&self, values: Values<'_>) -> Option<String> {
        let text: String = self
            .0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Field(Field::Sha) => values.sha,
                Piece::Field(Field::ShortSha) => values.short_sha,
                Piece::Field(Field::Ref) => values.git_ref,
                Piece::Field(Field::Branch) => values.branch,
                Piece::Field(Field::Tag) => values.tag,
                Piece::Field(Field::Actor) => values.actor,
                Piece::Field(Field::Delivery) => values.delivery,
                Piece::Field(Field::Message) => values.message,
            })
            .collect();
        let value: String = one_line(&text).chars().take(MAX_VALUE_CHARS).collect();
        let value = value.trim_end();
        (!value.is_empty()).then(|| value.to_owned())
    }
}

/// The text without control characters: runs of white space become one space, what else is invisible goes.
pub fn one_line(text: &str) -> String {
    let visible: String = text.chars().filter(|c| c.is_whitespace() || !is_unprintable(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters, and the two that SQS refuses besides them since XML has no place for them.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, values: Values<'_>) -> Option<String> {
        Template::parse(template).unwrap().render(values)
    }

    #[test]
    fn fields_and_text_are_put_together() {
        let values = Values { branch: "main", short_sha: "abc1234", ..Values::default() };
        assert_eq!(render("{branch}-{short_sha}!", values).as_deref(), Some("main-abc1234!"));
    }

    #[test]
    fn a_value_that_comes_out_empty_is_left_out() {
        assert_eq!(render("{tag}", Values::default()), None);
        assert_eq!(render("", Values::default()), None);
        assert_eq!(render("{message}", Values { message: "\u{0}\n", ..Values::default() }), None);
    }

    #[test]
    fn control_characters_are_removed_and_the_message_stays_one_line() {
        let values = Values { message: "Fix it\r\n\r\nTwo\u{0} lines\u{7f}\u{fffe}", ..Values::default() };
        assert_eq!(render("{message}", values).as_deref(), Some("Fix it Two lines"));
    }

    #[test]
    fn a_long_value_is_clipped_to_what_codepipeline_takes() {
        let long = "ü".repeat(3000);
        let value = render("{message}", Values { message: &long, ..Values::default() }).unwrap();
        assert_eq!(value.chars().count(), MAX_VALUE_CHARS);
    }

    #[test]
    fn an_unknown_field_is_named() {
        insta::assert_snapshot!(Template::parse("{commit}").unwrap_err(), @"unknown field {commit}; there are {sha}, {short_sha}, {ref}, {branch}, {tag}, {actor}, {delivery} and {message}");
        assert_eq!(Template::parse("{sha"), Err(TemplateError::Unclosed));
    }
}

#[cfg(test)]
#[path = "template_properties.rs"]
mod properties;
