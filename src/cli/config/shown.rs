//! What was found in a configuration, as a person or a script reads it.

use std::io::{self, Write};
use std::path::Path;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use console::Term;
use serde::Serialize;

use crate::config::check::{Finding, Severity, masked, position};

/// Each finding with the lines that it is about.
pub(super) fn write(out: &mut impl Write, name: &Path, text: &str, findings: &[Finding]) -> io::Result<()> {
    let terminal = Term::stdout();
    let width = terminal.size_checked().map_or(DEFAULT_TERM_WIDTH, |(_, columns)| usize::from(columns));
    let renderer = if console::colors_enabled() { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    // The renderer takes care of control characters but for those beyond ASCII, which are two bytes each.
    let source = masked(text).replace(|c: char| !c.is_ascii() && c.is_control(), "·");
    let name = name.display().to_string();
    for finding in findings {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let context = finding
            .context
            .iter()
            .map(|(place, label)| AnnotationKind::Context.span(place.clone()).label(label.as_str()));
        let snippet = Snippet::source(source.as_str())
            .path(name.as_str())
            .annotation(AnnotationKind::Primary.span(finding.place.clone()))
            .annotations(context);
        let help = finding.help.as_deref().map(|help| Level::HELP.message(help));
        let group = level.primary_title(finding.message.as_str()).element(snippet).elements(help);
        writeln!(out, "{}\n", renderer.render(&[group]))?;
    }
    Ok(())
}

/// `2 mistakes and 1 warning`.
pub(super) fn counted(errors: usize, warnings: usize) -> String {
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    match (errors, warnings) {
        (errors, 0) => count(errors, "mistake"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!("{} and {}", count(errors, "mistake"), count(warnings, "warning")),
    }
}

/// A finding in JSON. Lines and columns are counted from 1, columns in characters; the end is behind the last one.
#[derive(Serialize)]
struct Told<'a> {
    severity: &'static str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    message: &'a str,
    help: Option<&'a str>,
}

pub(super) fn write_json(out: &mut impl Write, text: &str, findings: &[Finding]) -> io::Result<()> {
    let told = |finding: &'_ Finding| {
        let ((line, column), (end_line, end_column)) =
            (position(text, finding.place.start), position(text, finding.place.end));
        (line, column, end_line, end_column)
    };
    let told: Vec<Told<'_>> = findings
        .iter()
        .map(|finding| {
            let (line, column, end_line, end_column) = told(finding);
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            Told {
                severity,
                line,
                column,
                end_line,
                end_column,
                message: &finding.message,
                help: finding.help.as_deref(),
            }
        })
        .collect();
    serde_json::to_writer(&mut *out, &told)?;
    writeln!(out)
}
