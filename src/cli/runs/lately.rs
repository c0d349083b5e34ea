//! `pipehook runs`: the last executions of a pipeline.

use std::io::{self, Write};

use clap::Args;
use console::{Alignment, pad_str, style};
use serde::Serialize;

use super::Pipelines;
use crate::cli::Error;
use crate::cli::account::AccountArguments;
use crate::domain::execution::ExecutionStatus;
use crate::domain::listed::{Listed, short_id};
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::github::moment;

/// What `runs` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook runs node-server\n  pipehook runs node-server --limit 50 --json\n\n\
                  Times are UTC. The status is CodePipeline's word, which calls a deploy that ECS has rolled back a \
                  success; `pipehook watch` asks ECS too.\n\n\
                  Exits with 0, and with 1 where the runs can't be listed.")]
pub(in crate::cli) struct Arguments {
    /// The pipeline's name
    pipeline: String,
    /// So many of the newest
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print JSON, with whole ids
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

impl Arguments {
    pub(in crate::cli) async fn run(&self) -> Result<(), Error> {
        let pipelines = Pipelines::open(&self.account).await?;
        let limit = usize::from(self.limit);
        let mut listed = pipelines.newest(&self.pipeline, limit).await?;
        listed.truncate(limit);
        let now = pipelines.clock.now();
        let mut out = io::stdout().lock();
        let written = if self.json {
            let rows: Vec<_> = listed.iter().map(|listed| Row::of(listed, now)).collect();
            serde_json::to_string(&rows).map_err(io::Error::from).and_then(|json| writeln!(out, "{json}"))
        } else if listed.is_empty() {
            writeln!(out, "{} has not run yet.", self.pipeline)
        } else {
            table(&listed, now).iter().try_for_each(|line| writeln!(out, "{line}"))
        };
        written.map_err(Error::Output)
    }
}

/// A run, for a program.
#[derive(Debug, Serialize)]
struct Row<'a> {
    execution: &'a str,
    commit: Option<&'a str>,
    status: &'a str,
    trigger: &'a str,
    begun_by: String,
    is_rollback: bool,
    started: String,
    lasted_seconds: u64,
    message: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(listed: &'a Listed, now: Timestamp) -> Self {
        Self {
            execution: &listed.id,
            commit: listed.commit.as_ref().map(|commit| commit.as_str()),
            status: listed.status.as_str(),
            trigger: &listed.trigger,
            begun_by: listed.begun_by(),
            is_rollback: listed.is_rollback,
            started: moment::format(listed.started),
            lasted_seconds: lasted(listed, now).as_secs(),
            message: listed.message.as_deref(),
        }
    }
}

/// Until its end, or until now.
fn lasted(listed: &Listed, now: Timestamp) -> std::time::Duration {
    let until = if listed.status.is_final() { listed.updated } else { now.max(listed.updated) };
    until.since(listed.started)
}

/// The runs with a heading, in columns that are as wide as what is in them.
fn table(listed: &[Listed], now: Timestamp) -> Vec<String> {
    let cells = |listed: &Listed| {
        [
            short_id(&listed.id).to_owned(),
            listed.short_commit().to_owned(),
            word(&listed.status),
            day_and_time(listed.started),
            text::duration(lasted(listed, now)),
            listed.begun_by(),
        ]
    };
    let heads = ["execution", "commit", "status", "started (UTC)", "lasted", "begun by"].map(str::to_owned);
    let rows: Vec<_> = listed.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain([&heads[column]]);
        cells.map(|cell| console::measure_text_width(cell)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let padded = |cell: &str, column: usize| pad_str(cell, widths[column] + 2, Alignment::Left, None).into_owned();
    let head: String = heads.iter().enumerate().map(|(column, head)| padded(head, column)).collect();
    let mut lines = vec![style(format!("{head}message")).dim().to_string()];
    for (row, listed) in rows.iter().zip(listed) {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let cell = padded(cell, column);
            match column {
                2 => coloured(&listed.status, &cell),
                _ => cell,
            }
        });
        let line: String = cells.collect::<String>() + &listed.subject();
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// A status as people say it.
pub(super) fn word(status: &ExecutionStatus) -> String {
    match status {
        ExecutionStatus::InProgress => "in progress".to_owned(),
        status => crate::domain::template::one_line(&status.as_str().to_lowercase()),
    }
}

fn coloured(status: &ExecutionStatus, text: &str) -> String {
    let text = style(text);
    match status {
        ExecutionStatus::Succeeded => text.green(),
        ExecutionStatus::Failed => text.red(),
        ExecutionStatus::InProgress | ExecutionStatus::Stopping | ExecutionStatus::Unknown(_) => text.yellow(),
        ExecutionStatus::Stopped | ExecutionStatus::Cancelled | ExecutionStatus::Superseded => text.dim(),
    }
    .to_string()
}

/// `2026-01-24 22:03:44`.
pub(super) fn day_and_time(at: Timestamp) -> String {
    moment::format(at).replace('T', " ").trim_end_matches('Z').to_owned()
}
