//! What a check run says beyond a status: its page, its buttons, and how it concludes.

use super::build::Build;
use super::event::CommitSha;
use super::execution::{ActionKind, ActionRun, ActionStatus, ExecutionSnapshot, Stage, StageStatus};
use super::log::{Annotation, masked};
use super::report::{Report, State, stage_context};
use super::text;
use super::time::Timestamp;

/// How a check run ends (GitHub REST: the conclusions that an App may set).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Success,
    Failure,
    /// Neither good nor bad, and it lets a required check pass.
    Neutral,
    Cancelled,
    Skipped,
    /// Somebody has to do something outside the pipeline.
    ActionRequired,
}

impl Conclusion {
    /// The state that a status of the same meaning has: by it a check run is compared with what it should show.
    pub fn state(self) -> State {
        match self {
            Self::Success | Self::Neutral | Self::Skipped => State::Success,
            Self::Failure => State::Failure,
            Self::Cancelled | Self::ActionRequired => State::Error,
        }
    }

    /// How a report concludes, where nothing more is known than its state.
    pub fn of(state: State) -> Option<Self> {
        match state {
            State::Pending => None,
            State::Success => Some(Self::Success),
            State::Failure => Some(Self::Failure),
            State::Error => Some(Self::Cancelled),
        }
    }
}

/// What a press of a button is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// Approve or reject an approval that waits, known by when it began: a press is of no use to any other.
    Answer { approve: bool, began: Timestamp },
}

/// A button, in the lengths that GitHub takes: a label of 20 characters, a description of 40, an identifier of 20.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    pub description: String,
    pub identifier: String,
}

impl Press {
    const APPROVE: &'static str = "approve:";
    const REJECT: &'static str = "reject:";

    /// What comes back from GitHub when the button is pressed; `approve:` and thirteen digits.
    pub fn identifier(&self) -> String {
        let Self::Answer { approve, began } = self;
        format!("{}{:x}", if *approve { Self::APPROVE } else { Self::REJECT }, began.as_millis())
    }

    pub fn parse(identifier: &str) -> Option<Self> {
        let approve = identifier.strip_prefix(Self::APPROVE);
        let digits = approve.or_else(|| identifier.strip_prefix(Self::REJECT))?;
        let began = Timestamp::from_millis(u64::from_str_radix(digits, 16).ok()?);
        Some(Self::Answer { approve: approve.is_some(), began })
    }
}

/// A check run's page and buttons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Markdown.
    pub summary: String,
    /// Markdown: why it failed, with the log's last lines.
    pub text: Option<String>,
    /// What a failed build's log says about files.
    pub annotations: Vec<Annotation>,
    pub buttons: Vec<Button>,
    pub conclusion: Option<Conclusion>,
    pub started: Option<Timestamp>,
    pub completed: Option<Timestamp>,
}

/// The page of a report about an execution: of one of its stages, or of the whole.
pub fn page(snapshot: &ExecutionSnapshot, report: &Report, commit: &CommitSha) -> Page {
    let is_of = |stage: &&Stage| stage_context(&snapshot.pipeline, &stage.name).eq_ignore_ascii_case(&report.context);
    let stage = snapshot.stages.iter().find(is_of);
    let stages: Vec<&Stage> = stage.map_or_else(|| snapshot.stages.iter().collect(), |stage| vec![stage]);
    let actions = || stages.iter().flat_map(|stage| &stage.actions);
    let conclusion = match stage {
        Some(stage) if stage.status == StageStatus::Skipped => Some(Conclusion::Skipped),
        _ => Conclusion::of(report.state),
    };
    Page {
        summary: summary(snapshot, &stages, report, commit),
        text: failures(&stages),
        annotations: stage.map(annotations).unwrap_or_default(),
        buttons: stage.map(|stage| buttons(stage, commit)).unwrap_or_default(),
        conclusion,
        started: actions().map(|action| action.started).min(),
        completed: conclusion.and_then(|_| actions().map(|action| action.updated).max()),
    }
}

fn annotations(stage: &Stage) -> Vec<Annotation> {
    let failed = stage.actions.iter().filter(|action| action.status == ActionStatus::Failed);
    failed.filter_map(ActionRun::build).flat_map(|build| build.log.annotations.clone()).collect()
}

fn buttons(stage: &Stage, commit: &CommitSha) -> Vec<Button> {
    let approval = stage.running().find(|action| action.kind == ActionKind::Approval);
    let Some(began) = approval.map(|approval| approval.started) else { return Vec::new() };
    let button = |label: &str, what: &str, approve| Button {
        label: label.to_owned(),
        description: what.replace("{}", commit.short()),
        identifier: Press::Answer { approve, began }.identifier(),
    };
    vec![button("Approve", "Let {} go on", true), button("Reject", "End the run of {} here", false)]
}

/// A table of the stages and their actions, with what they came to and how long they took.
fn summary(snapshot: &ExecutionSnapshot, stages: &[&Stage], report: &Report, commit: &CommitSha) -> String {
    let mut lines = vec![
        format!("{}\n", escaped(&report.description)),
        format!("Pipeline `{}`, commit {}, execution `{}`.\n", snapshot.pipeline, commit.short(), snapshot.id),
    ];
    if stages.iter().any(|stage| !stage.actions.is_empty()) {
        lines.push("| stage | action | state | took |".to_owned());
        lines.push("| --- | --- | --- | --- |".to_owned());
        for (stage, action) in stages.iter().flat_map(|stage| stage.actions.iter().map(move |action| (stage, action))) {
            let took =
                if action.is_over() { text::duration(action.updated.since(action.started)) } else { String::new() };
            lines.push(format!("| {} | {} | {} | {took} |", stage.name, action.name, state_of(stage, action)));
        }
    }
    lines.join("\n")
}

fn state_of(stage: &Stage, action: &ActionRun) -> String {
    let said = match &action.status {
        _ if action.rollout().is_some_and(|rollout| rollout.is_failed()) => "rollout failed".to_owned(),
        ActionStatus::Succeeded => "succeeded".to_owned(),
        ActionStatus::Failed => "failed".to_owned(),
        ActionStatus::Abandoned => "abandoned".to_owned(),
        ActionStatus::InProgress if action.kind == ActionKind::Approval => "waits for approval".to_owned(),
        ActionStatus::InProgress => match action.build().and_then(|build| build.phase.as_ref()) {
            Some(phase) => format!("in {}", phase.name),
            None => "in progress".to_owned(),
        },
        ActionStatus::Unknown(status) => escaped(status),
    };
    if stage.attempts > 1 { format!("{said}, attempt {}", stage.attempts) } else { said }
}

/// What failed, why, and what its log says last.
fn failures(stages: &[&Stage]) -> Option<String> {
    let mut parts = Vec::new();
    for stage in stages {
        if let Some(rollout) = stage.failed_rollout() {
            parts.push(format!("### {}\n\n{}", stage.name, escaped(&text::rollout_failed(rollout))));
            continue;
        }
        for action in stage.actions.iter().filter(|action| action.status == ActionStatus::Failed) {
            let mut part = format!("### {}\n\n{}", stage.name, escaped(&text::stage_failed(stage)));
            if let Some(told) = action.error.as_deref().filter(|told| !told.trim().is_empty()) {
                part.push_str(&format!("\n\n{}", fenced(&masked(told))));
            }
            if let Some(build) = action.build() {
                part.push_str(&log_of(build));
            }
            parts.push(part);
        }
    }
    if parts.is_empty() { None } else { Some(parts.join("\n\n")) }
}

fn log_of(build: &Build) -> String {
    let lines = match build.log.lines.as_slice() {
        [] => String::new(),
        lines => format!("\n\nThe log ends with:\n\n{}", fenced(&lines.join("\n"))),
    };
    let link = build.log.url.as_ref().map(|url| format!("\n\n[The whole log]({})", url.replace(['(', ')', ' '], "")));
    lines + &link.unwrap_or_default()
}

/// A text that is shown as it is, whatever marks it holds: its fence is longer than any in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// A text of others within Markdown: nothing in it becomes markup, a link, or a person who is called.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '@' => escaped.push_str("@\u{200b}"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::{Failure, Log, Phase};
    use crate::domain::execution::{Ending, ExecutionStatus, Work};
    use crate::domain::log::Level;
    use crate::domain::rollout::{Progress, Rollout};
    use std::time::Duration;

    const SHA: &str = "abc1234d0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b";

    fn snapshot(stages: Vec<Stage>) -> ExecutionSnapshot {
        ExecutionSnapshot {
            pipeline: "node-server".to_owned(),
            id: "5a1b".to_owned(),
            status: ExecutionStatus::InProgress,
            status_summary: None,
            is_rollback: false,
            commit: None,
            repository: None,
            stages,
            waiting: None,
            newer_waiting: 0,
            ending: Ending::default(),
        }
    }

    fn stage(name: &str, status: StageStatus, actions: Vec<ActionRun>) -> Stage {
        Stage { name: name.to_owned(), status, actions, attempts: 1 }
    }

    fn shown(snapshot: &ExecutionSnapshot, stage: &str, state: State, description: &str) -> Page {
        let context =
            if stage.is_empty() { "codepipeline/node-server".to_owned() } else { stage_context("node-server", stage) };
        let report = Report { context, state, description: description.to_owned() };
        page(snapshot, &report, &CommitSha::parse(SHA).unwrap())
    }

    #[test]
    fn a_failed_build_shows_its_logs_end_as_it_is() {
        let build = Build {
            failure: Some(Failure { phase: "BUILD".to_owned(), reason: Some("exit status 1 (make test)".to_owned()) }),
            log: Log {
                url: Some("https://console.aws.amazon.com/log".to_owned()),
                lines: vec!["not ok 3 - answers @octocat".to_owned(), "```".to_owned()],
                ..Log::default()
            },
            ..Build::default()
        };
        let failed = ActionRun {
            work: Some(Work::Build(build)),
            ..ActionRun::sample("Build", "docker-build", ActionKind::Other, ActionStatus::Failed)
        };
        let source = ActionRun::sample("Source", "Source", ActionKind::Source, ActionStatus::Succeeded);
        let snapshot = snapshot(vec![
            stage("Source", StageStatus::Succeeded, vec![source]),
            stage("Build", StageStatus::Failed, vec![failed]),
        ]);
        let page = shown(&snapshot, "", State::Failure, "Build failed in BUILD: exit status 1 (make test)");
        assert_eq!(page.conclusion, Some(Conclusion::Failure));
        insta::assert_snapshot!(page.summary, @"
        Build failed in BUILD: exit status 1 (make test)

        Pipeline `node-server`, commit abc1234, execution `5a1b`.

        | stage | action | state | took |
        | --- | --- | --- | --- |
        | Source | Source | succeeded | 1 m |
        | Build | docker-build | failed | 1 m |
        ");
        insta::assert_snapshot!(page.text.unwrap(), @"
        ### Build

        Build failed in BUILD: exit status 1 (make test)

        The log ends with:

        ````text
        not ok 3 - answers @octocat
        ```
        ````

        [The whole log](https://console.aws.amazon.com/log)
        ");
    }

    #[test]
    fn an_approval_that_waits_has_buttons_that_are_of_use_to_no_other() {
        let approval = ActionRun::sample("Staging", "Approve", ActionKind::Approval, ActionStatus::InProgress);
        let began = approval.started;
        let snapshot = snapshot(vec![stage("Staging", StageStatus::InProgress, vec![approval])]);
        let page = shown(&snapshot, "Staging", State::Pending, "Staging waits for approval of abc1234");
        assert_eq!(page.conclusion, None);
        let shown = page.buttons.iter().map(|button| {
            assert!(button.label.len() <= 20 && button.description.len() <= 40 && button.identifier.len() <= 20);
            format!("{}: {} ({})", button.label, button.description, button.identifier)
        });
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @"
        Approve: Let abc1234 go on (approve:f4240)
        Reject: End the run of abc1234 here (reject:f4240)
        ");
        assert_eq!(Press::parse(&page.buttons[1].identifier), Some(Press::Answer { approve: false, began }));
        let today = Press::Answer { approve: true, began: Timestamp::from_millis(1_769_292_000_123) };
        assert!(today.identifier().len() <= 20);
        assert_eq!(Press::parse(&today.identifier()), Some(today));
        for other in ["approve", "approve:", "approve:xyz", "retry:1"] {
            assert_eq!(Press::parse(other), None);
        }
        assert!(shown_buttons_of_the_whole(&snapshot).is_empty());
    }

    fn shown_buttons_of_the_whole(snapshot: &ExecutionSnapshot) -> Vec<Button> {
        shown(snapshot, "", State::Pending, "Staging waits for approval of abc1234").buttons
    }

    /// The cells of the table's rows: stage, action, state, how long it took.
    fn rows(page: &Page) -> Vec<&str> {
        page.summary.lines().filter(|line| line.starts_with('|')).skip(2).collect()
    }

    #[test]
    fn only_what_a_failed_build_says_about_files_is_shown_there() {
        let building = |name: &str, status, path: &str| {
            let remark = Annotation { path: path.to_owned(), line: 3, level: Level::Error, message: "no".to_owned() };
            let log = Log { annotations: vec![remark], ..Log::default() };
            let work = Some(Work::Build(Build { log, ..Build::default() }));
            ActionRun { work, ..ActionRun::sample("Build", name, ActionKind::Other, status) }
        };
        let actions = vec![
            building("lint", ActionStatus::Succeeded, "src/style.js"),
            building("unit", ActionStatus::Failed, "src/server.js"),
        ];
        let snapshot = snapshot(vec![stage("Build", StageStatus::Failed, actions)]);
        let page = shown(&snapshot, "Build", State::Failure, "Build failed in unit");
        let places: Vec<_> = page.annotations.iter().map(|remark| (remark.path.as_str(), remark.line)).collect();
        assert_eq!(places, [("src/server.js", 3)]);
        assert_eq!(shown(&snapshot, "", State::Failure, "Build failed in unit").annotations, []);
    }

    #[test]
    fn the_table_tells_what_each_action_came_to() {
        let phase = Phase { name: "PRE_BUILD".to_owned(), since: Timestamp::default(), lasted: Duration::ZERO };
        let work = Some(Work::Build(Build { phase: Some(phase), ..Build::default() }));
        let image = ActionRun {
            work,
            ..ActionRun::sample("Build", "docker-image", ActionKind::Other, ActionStatus::InProgress)
        };
        let lint = ActionRun::sample("Build", "lint", ActionKind::Other, ActionStatus::InProgress);
        let unit = ActionRun::sample("Build", "unit", ActionKind::Other, ActionStatus::Abandoned);
        let approve = ActionRun::sample("Staging", "Approve", ActionKind::Approval, ActionStatus::InProgress);
        let rollout = Rollout::unknown("node-server", Progress::RolledBack { to: None });
        let deploy = ActionRun {
            work: Some(Work::Rollout(rollout)),
            ..ActionRun::sample("Canary", "Deploy", ActionKind::Deploy, ActionStatus::Succeeded)
        };
        let tried_again = Stage { attempts: 2, ..stage("Build", StageStatus::InProgress, vec![image, lint, unit]) };
        let snapshot = snapshot(vec![
            tried_again,
            stage("Staging", StageStatus::InProgress, vec![approve]),
            stage("Canary", StageStatus::Succeeded, vec![deploy]),
        ]);
        insta::assert_snapshot!(rows(&shown(&snapshot, "", State::Pending, "Build in progress")).join("\n"), @"
        | Build | docker-image | in PRE_BUILD, attempt 2 |  |
        | Build | lint | in progress, attempt 2 |  |
        | Build | unit | abandoned, attempt 2 | 1 m |
        | Staging | Approve | waits for approval |  |
        | Canary | Deploy | rollout failed | 1 m |
        ");
    }

    #[test]
    fn what_a_failed_action_tells_itself_is_shown_in_full_and_without_secrets() {
        let failed = |error: &str| {
            let error = Some(error.to_owned());
            let action =
                ActionRun { error, ..ActionRun::sample("Staging", "Deploy", ActionKind::Deploy, ActionStatus::Failed) };
            let snapshot = snapshot(vec![stage("Staging", StageStatus::Failed, vec![action])]);
            shown(&snapshot, "Staging", State::Failure, "Staging failed in Deploy").text.unwrap()
        };
        insta::assert_snapshot!(failed("The hook failed:\ncurl --password=hunter2"), @r"
        ### Staging

        Staging failed in Deploy: The hook failed: curl --password=\*\*\*

        ```text
        The hook failed:
        curl --password=***
        ```
        ");
        insta::assert_snapshot!(failed(" "), @"
        ### Staging

        Staging failed in Deploy
        ");
    }

    #[test]
    fn conclusions_mean_what_states_mean() {
        for state in [State::Success, State::Failure, State::Error] {
            assert_eq!(Conclusion::of(state).map(Conclusion::state), Some(state));
        }
        let snapshot = snapshot(vec![stage("Canary", StageStatus::Skipped, Vec::new())]);
        let skipped = shown(&snapshot, "Canary", State::Success, "Skipped by its entry condition");
        assert_eq!(skipped.conclusion, Some(Conclusion::Skipped));
    }
}
