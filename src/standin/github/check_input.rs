//! Check runs as requests describe them.

use serde_json::{Map, Value};

use super::checks::{CheckAnnotation, CheckButton, CheckOutput};
use super::input::{Fields, Read, invalid_request};

const STATUSES: &[&str] = &["queued", "in_progress", "completed"];
/// `stale` is among GitHub's, and only GitHub sets it.
const CONCLUSIONS: &[&str] = &["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"];
const LEVELS: &[&str] = &["notice", "warning", "failure"];

const TEXT_LIMIT: usize = 65_535;
const MESSAGE_LIMIT: usize = 64 * 1024;
const TITLE_LIMIT: usize = 255;

/// What a request to create or to update a check run says. What it leaves out is `None`.
pub(super) struct Draft {
    pub(super) name: Option<String>,
    pub(super) head_sha: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) details_url: Option<String>,
    pub(super) status: Option<&'static str>,
    pub(super) conclusion: Option<&'static str>,
    pub(super) started_at: Option<String>,
    pub(super) completed_at: Option<String>,
    pub(super) output: Option<CheckOutput>,
    pub(super) actions: Option<Vec<CheckButton>>,
}

impl Draft {
    /// Reads the body of a request, to create a check run or to update one.
    pub(super) fn read(body: &Map<String, Value>, creates: bool) -> Read<Self> {
        let known = [
            "name",
            "external_id",
            "details_url",
            "status",
            "conclusion",
            "started_at",
            "completed_at",
            "output",
            "actions",
            // Which commit it is about can't be changed.
            "head_sha",
        ];
        let fields = Fields::new(body, if creates { &known } else { &known[..known.len() - 1] })?;
        let name = fields.short_text("name", TITLE_LIMIT)?;
        let head_sha = fields.text("head_sha")?;
        let (name, head_sha) = match creates {
            true => (Some(Fields::required("name", name)?), Some(Fields::required("head_sha", head_sha)?)),
            false => (name, head_sha),
        };
        if name.as_ref().is_some_and(String::is_empty) {
            return Err(invalid_request("\"name\" must not be empty."));
        }
        let conclusion = fields.one_of("conclusion", CONCLUSIONS)?;
        let completed_at = fields.moment("completed_at")?;
        // A conclusion completes a check run, whatever the request calls it.
        let status = fields.one_of("status", STATUSES)?;
        let status = if conclusion.is_some() { Some("completed") } else { status };
        if conclusion.is_none() && (status == Some("completed") || completed_at.is_some()) {
            return Err(invalid_request("\"conclusion\" wasn't supplied."));
        }
        Ok(Self {
            name,
            head_sha,
            external_id: fields.text("external_id")?,
            details_url: fields.url("details_url")?,
            status,
            conclusion,
            started_at: fields.moment("started_at")?,
            completed_at,
            output: fields.get("output").map(output).transpose()?,
            actions: fields.list("actions", 3)?.map(|items| items.iter().map(button).collect()).transpose()?,
        })
    }
}

fn output(value: &Value) -> Read<CheckOutput> {
    let fields = Fields::of(value, &["title", "summary", "text", "annotations"])?;
    let annotations = fields.list("annotations", 50)?.unwrap_or_default();
    Ok(CheckOutput {
        title: Some(fields.required_text("title", TITLE_LIMIT)?),
        summary: Some(fields.required_text("summary", TEXT_LIMIT)?),
        text: fields.short_text("text", TEXT_LIMIT)?,
        annotations: annotations.iter().map(annotation).collect::<Read<_>>()?,
    })
}

fn annotation(value: &Value) -> Read<CheckAnnotation> {
    let known = [
        "path",
        "start_line",
        "end_line",
        "start_column",
        "end_column",
        "annotation_level",
        "message",
        "title",
        "raw_details",
    ];
    let fields = Fields::of(value, &known)?;
    let start_line = Fields::required("start_line", fields.number("start_line")?)?;
    let end_line = Fields::required("end_line", fields.number("end_line")?)?;
    let has_columns = fields.number("start_column")?.or(fields.number("end_column")?).is_some();
    if start_line == 0 || end_line < start_line || (has_columns && start_line != end_line) {
        return Err(invalid_request("The lines or the columns of an annotation are not a place."));
    }
    fields.short_text("raw_details", MESSAGE_LIMIT)?;
    Ok(CheckAnnotation {
        path: fields.required_text("path", usize::MAX)?,
        start_line,
        end_line,
        level: Fields::required("annotation_level", fields.one_of("annotation_level", LEVELS)?)?,
        message: fields.required_text("message", MESSAGE_LIMIT)?,
        title: fields.short_text("title", TITLE_LIMIT)?,
    })
}

fn button(value: &Value) -> Read<CheckButton> {
    let fields = Fields::of(value, &["label", "description", "identifier"])?;
    Ok(CheckButton {
        label: fields.required_text("label", 20)?,
        description: fields.required_text("description", 40)?,
        identifier: fields.required_text("identifier", 20)?,
    })
}
