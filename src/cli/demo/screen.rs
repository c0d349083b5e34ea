//! What the demo shows while it runs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use console::{Term, style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::story;
use super::truth::Held;
use crate::cli::show;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::standin::{DeploymentView, ExecutionView, PostedStatus};

/// Standard output, for people or for programs.
pub(super) enum Screen {
    /// A line of JSON for each status, and nothing else.
    Json,
    /// Headings, bars and tables.
    Human(Box<Human>),
}

/// What is on a person's screen. Where standard output is no terminal, there are no bars and no colours.
pub(super) struct Human {
    bars: MultiProgress,
    running: BTreeMap<(String, String), Running>,
}

/// A bar, and since when it stands for what it says.
struct Running {
    bar: ProgressBar,
    since: Timestamp,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        if json {
            return Self::Json;
        }
        let target = if Term::stdout().is_term() { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        Self::Human(Box::new(Human { bars: MultiProgress::with_draw_target(target), running: BTreeMap::new() }))
    }

    /// A line for people; programs are not shown it.
    pub(super) fn say(&self, line: &str) -> io::Result<()> {
        match self {
            Self::Json => Ok(()),
            Self::Human(human) => human.line(line),
        }
    }

    pub(super) fn heading(&self, number: usize, title: &str) -> io::Result<()> {
        self.say(&format!("\n{}", style(format!("{number}. {title}")).bold()))
    }

    /// A status that GitHub took.
    pub(super) fn status(&self, posted: &PostedStatus, since: Timestamp) -> io::Result<()> {
        match self {
            Self::Json => writeln!(io::stdout(), "{}", show::json(posted)?),
            Self::Human(human) => human.line(&show::line(posted, since)),
        }
    }

    /// Draws a bar for each stage that runs, and a spinner for each execution that waits.
    pub(super) fn executions(&mut self, now: Timestamp, executions: &[ExecutionView]) {
        let Self::Human(human) = self else { return };
        let running: Vec<_> = executions.iter().filter(|one| one.status == "InProgress").collect();
        let mut seen = Vec::new();
        for execution in running {
            let commit = show::short(execution.commit.as_deref().unwrap_or_default());
            let runs = execution.stages.iter().find(|stage| stage.status == Some("InProgress"));
            let waits_for = execution.stages.iter().find(|stage| stage.status.is_none());
            let key = match (runs, waits_for) {
                (Some(stage), _) => (execution.id.clone(), stage.name.clone()),
                (None, Some(stage)) => (execution.id.clone(), format!("waits for {}", stage.name)),
                (None, None) => continue,
            };
            let expected = runs.and_then(|stage| story::expected(&stage.name));
            let bars = &human.bars;
            let entry = human.running.entry(key.clone()).or_insert_with(|| {
                let bar = bars.add(ProgressBar::no_length().with_style(look(expected)));
                bar.set_prefix(format!("{commit}  {}", key.1));
                bar.set_length(expected.unwrap_or_default().as_secs());
                Running { bar, since: now }
            });
            let took = now.since(entry.since);
            entry.bar.set_position(took.as_secs());
            entry.bar.set_message(text::duration(took));
            entry.bar.tick();
            seen.push(key);
        }
        human.running.retain(|key, entry| {
            let goes_on = seen.contains(key);
            if !goes_on {
                entry.bar.finish_and_clear();
            }
            goes_on
        });
    }

    /// The end: what GitHub holds about each commit, beside what AWS says, and whether that is the truth.
    pub(super) fn table(&self, rows: &[Row]) -> io::Result<()> {
        let Self::Human(human) = self else { return Ok(()) };
        let head =
            format!("{:<9}{:<37}{:<44}{:<14}{:<14}true", "commit", "push", "GitHub holds", "CodePipeline", "ECS");
        human.line(&format!("\n{}", style(head).dim()))?;
        rows.iter().try_for_each(|row| human.line(&row.line()))
    }
}

/// What is known of a commit in the end.
pub(super) struct Row {
    pub(super) sha: String,
    pub(super) message: &'static str,
    pub(super) held: Held,
    pub(super) execution: Option<ExecutionView>,
    pub(super) deployment: Option<DeploymentView>,
    pub(super) is_true: bool,
}

impl Row {
    fn line(&self) -> String {
        let own = self.held.values().min_by_key(|status| status.context.len());
        let own = own.map_or_else(|| format!("{:<9}", "nothing"), |own| show::state(own.state, 9));
        let of_stage = |name: &str| {
            let mut statuses = self.held.values();
            statuses.find(|status| status.context.ends_with(&format!("/{name}")))
        };
        let stages = self.execution.iter().flat_map(|execution| &execution.stages);
        let marks =
            stages.filter_map(|stage| Some(format!("{} {}", stage.name, show::mark(of_stage(&stage.name)?.state))));
        let marks = marks.collect::<Vec<_>>().join("  ");
        let marks = console::pad_str(&marks, 35, console::Alignment::Left, None);
        let status = self.execution.as_ref().map_or("not started", |execution| execution.status);
        let ecs = match &self.deployment {
            Some(DeploymentView { status: "SUCCESSFUL", definition, .. }) => format!("deployed :{definition}"),
            Some(DeploymentView { status: "ROLLBACK_SUCCESSFUL", .. }) => "rolled back".to_owned(),
            Some(other) => other.status.to_lowercase().replace('_', " "),
            None => "-".to_owned(),
        };
        let verdict = if self.is_true { style("yes").green() } else { style("NO").red().bold() };
        format!("{:<9}{:<37}{own}{marks}{status:<14}{ecs:<14}{verdict}", show::short(&self.sha), self.message)
    }
}

impl Human {
    /// Prints a line above the bars.
    fn line(&self, line: &str) -> io::Result<()> {
        self.bars.suspend(|| writeln!(io::stdout(), "{line}"))
    }
}

fn look(expected: Option<Duration>) -> ProgressStyle {
    let template = match expected {
        Some(_) => "        {prefix:<26} {bar:32.cyan/dim} {msg}",
        None => "        {prefix:<26} {spinner:.cyan} {msg}",
    };
    // The templates above parse; were one ever to stop doing so, the plain look does.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}
