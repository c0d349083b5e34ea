//! What an action came to, for people and for programs.

use std::io::{self, Write};

use console::style;
use serde::Serialize;

use crate::cli::Error;

/// Something that was done to an execution.
#[derive(Debug, Serialize)]
pub(super) struct Outcome<'a> {
    /// `approved`, `rejected`, `retried`, `started`, `stopping`.
    pub(super) done: &'static str,
    pub(super) pipeline: &'a str,
    pub(super) execution: &'a str,
    pub(super) commit: Option<&'a str>,
    pub(super) stage: Option<&'a str>,
}

impl Outcome<'_> {
    /// Prints it: as a line of JSON, or in these words.
    pub(super) fn print(&self, json: bool, words: &str) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        let written = if json {
            serde_json::to_string(self).map_err(io::Error::from).and_then(|json| writeln!(out, "{json}"))
        } else {
            writeln!(out, "{} {words}", style("✓").green())
        };
        written.map_err(Error::Output)
    }
}
