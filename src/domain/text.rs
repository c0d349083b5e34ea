//! Every text that a person reads at GitHub, at most 140 characters each.

use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;

use super::event::CommitSha;
use super::execution::{ActionKind, ActionRun, Stage, Wait};
use super::log::masked;
use super::rollout::{Progress, Rollout};
use super::service::Revision;
use super::template::one_line;
use super::time::Timestamp;

/// GitHub refuses a longer description with 422. Whether it counts characters or UTF-16 units is not documented, so
/// the stricter count is kept.
const MAX_DESCRIPTION: usize = 140;

/// Cuts a text so that GitHub takes it as a description: one line, whole graphemes, none that it refuses, an ellipsis where
/// something is missing at the end.
pub fn clip(text: &str) -> String {
    clip_to(text, MAX_DESCRIPTION)
}

fn clip_to(text: &str, longest: usize) -> String {
    // A reason may quote a command, and a command holds whatever its author put there.
    let text = masked(&taken(text));
    let units = |text: &str| text.encode_utf16().count();
    if units(&text) <= longest {
        return text;
    }
    let mut room = longest.saturating_sub(1);
    let mut clipped = String::new();
    for grapheme in text.graphemes(true) {
        let size = units(grapheme);
        if size > room {
            break;
        }
        room -= size;
        clipped.push_str(grapheme);
    }
    clipped.truncate(clipped.trim_end().len());
    clipped + "…"
}

/// A text as one line, without what GitHub does not take in a description: it answers an emoji with 422, "description doesn't
/// accept 4-byte Unicode".
fn taken(text: &str) -> String {
    let is_taken = |grapheme: &&str| grapheme.chars().all(|c| c.len_utf8() < 4);
    one_line(&text.graphemes(true).filter(is_taken).collect::<String>())
}

/// `40 s`, `4 m 12 s`, `1 h 3 m`.
pub fn duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => format!("{secs} s"),
        (0, minutes, 0) => format!("{minutes} m"),
        (0, minutes, secs) => format!("{minutes} m {secs} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} m"),
    }
}

pub fn queued() -> String {
    "Queued".to_owned()
}

/// The start is tried again: CodePipeline throttles, is out of reach, or has no place for another execution.
pub fn queued_for(why: &str) -> String {
    clip(&format!("Queued: {why}"))
}

/// An execution of which more is told by its stages.
pub fn under_way() -> String {
    "In progress".to_owned()
}

pub fn in_progress(stage: &Stage) -> String {
    let again = if stage.attempts > 1 { format!(", attempt {}", stage.attempts) } else { String::new() };
    let names: Vec<_> = stage.running().map(|action| action.name.as_str()).filter(|name| *name != stage.name).collect();
    let what = if names.is_empty() { stage.name.clone() } else { format!("{}: {}", stage.name, names.join(", ")) };
    clip(&format!("{what} in progress{again}"))
}

/// A stage in detail: the phase of its build, the tasks of its rollout, where one of them is known.
pub fn stage_in_progress(stage: &Stage) -> String {
    let again = if stage.attempts > 1 { format!(", attempt {}", stage.attempts) } else { String::new() };
    if let Some(rollout) = rollout_to_tell(stage) {
        return clip(&format!("{}{again}", rolling_out(rollout)));
    }
    let building = stage.running().find_map(|action| Some((action, action.build()?.phase.as_ref()?)));
    match building.filter(|(_, phase)| phase.is_telling()) {
        Some((action, phase)) => {
            let name = if action.name == stage.name { String::new() } else { format!("{}, ", action.name) };
            let lasted = match phase.lasted {
                short if short < WORTH_TELLING => String::new(),
                lasted => format!("{FOR}{}", duration(lasted)),
            };
            clip(&format!("{}: {name}{}{again}{lasted}", stage.name, phase.name))
        }
        None => match stage.running().find_map(told_of_deploy) {
            Some(told) => clip(&format!("{}: {told}{again}", stage.name)),
            None => in_progress(stage),
        },
    }
}

/// The rollout that tells what the stage is at: one that is over tells nothing while something else runs.
fn rollout_to_tell(stage: &Stage) -> Option<&Rollout> {
    let is_idle = stage.running().next().is_none();
    let goes_on =
        |action: &&ActionRun| is_idle || action.is_running() || action.rollout().is_some_and(Rollout::is_at_work);
    stage.actions.iter().filter(goes_on).filter_map(ActionRun::rollout).find(|rollout| is_telling(rollout))
}

/// What a deploy that is not ECS's own, such as CodeDeploy's, says of itself: more is not known of it.
fn told_of_deploy(action: &ActionRun) -> Option<&str> {
    let is_told = action.kind == ActionKind::Deploy && action.rollout().is_none();
    action.summary.as_deref().map(str::trim).filter(|told| is_told && !taken(told).is_empty())
}

/// Before how long something has gone on in a description.
const FOR: &str = " for ";

/// How the description of a failed rollout begins.
const ROLLOUT_FAILED: &str = "Rollout failed";

/// How it begins while tasks fail and nothing ends that: one more of them is no news.
const ROLLOUT_FAILING: &str = "Rollout is failing";

/// What has only just begun need not be told for how long it goes on.
const WORTH_TELLING: Duration = Duration::from_secs(5);

/// A description without what changes within one step: how long something has gone on, and the details of a rollout that
/// has failed, which ECS tells bit by bit.
pub fn step(description: &str) -> &str {
    if let Some(beginning) = failed_rollout(description) {
        return beginning;
    }
    let is_duration = |text: &str| {
        let mut words = text.split(' ');
        let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let mut is_pair = || match (words.next(), words.next()) {
            (Some(number), Some("s" | "m" | "h")) => Some(is_number(number)),
            (None, _) => None,
            _ => Some(false),
        };
        let mut pairs = std::iter::from_fn(&mut is_pair).take(3);
        pairs.all(|is_pair| is_pair)
    };
    match description.rsplit_once(FOR) {
        Some((what, lasted)) if is_duration(lasted) => what,
        _ => description,
    }
}

/// The beginning of a description that tells of a rollout which has failed, and which ECS may still bring to an end.
pub fn failed_rollout(description: &str) -> Option<&'static str> {
    [ROLLOUT_FAILED, ROLLOUT_FAILING].into_iter().find(|beginning| description.starts_with(beginning))
}

/// Whether a description names the phase that a build is in, as CodeBuild writes it: `Build: docker-build, PRE_BUILD`.
pub fn names_a_phase(description: &str) -> bool {
    let last = step(description).rsplit([' ', ',']).next().unwrap_or_default();
    last.len() > 2 && last.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// A rollout of which ECS shows nothing yet, or nothing any more, says no more than that its action is under way; nor does
/// one of which no task has come up or failed.
fn is_telling(rollout: &Rollout) -> bool {
    let has_moved = match &rollout.progress {
        Progress::Rolling { lifecycle } => lifecycle.is_some() || rollout.tasks.running > 0 || rollout.tasks.failed > 0,
        Progress::Runs { .. } => true,
        _ => false,
    };
    has_moved && rollout.revision.is_some()
}

/// `Rolling out node-server: 1 of 2 tasks on :42`.
fn rolling_out(rollout: &Rollout) -> String {
    let tasks = rollout.tasks;
    let revision = rollout.revision.as_ref().map(|revision| format!(" on {}", number(revision))).unwrap_or_default();
    let lifecycle = match &rollout.progress {
        Progress::Rolling { lifecycle: Some(lifecycle) } => {
            format!(", {}", lifecycle.to_lowercase().replace('_', " "))
        }
        _ => String::new(),
    };
    let failed = match (tasks.failed, &rollout.cause) {
        (0, _) => String::new(),
        (failed, Some(cause)) => format!("; {failed} failed: {cause}"),
        (failed, None) => format!("; {failed} failed"),
    };
    format!(
        "Rolling out {}: {} of {} tasks{revision}{lifecycle}{failed}",
        rollout.service, tasks.running, tasks.desired
    )
}

fn number(revision: &Revision) -> String {
    format!(":{}", revision.number)
}

/// `Rollout failed: tasks failed to start (3 of 3); rolling back to :41`, and why the tasks stopped.
pub fn rollout_failed(rollout: &Rollout) -> String {
    let cause = || rollout.cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default();
    let failed = || match (rollout.tasks.failed, rollout.tasks.threshold()) {
        (0, _) => String::new(),
        (failed, threshold) if failed <= threshold => format!(" ({failed} of {threshold})"),
        (failed, _) => format!(" ({failed} so far)"),
    };
    let reason = || match rollout.reason.as_deref().map(reason_of_ecs) {
        Some(reason) if !reason.is_empty() => format!(": {reason}{}", failed()),
        _ if rollout.tasks.failed > 0 => format!(": tasks failed{}", failed()),
        _ => String::new(),
    };
    clip(&match &rollout.progress {
        Progress::RolledBack { to: Some(to) } => format!("Rolled back to {}{}", number(to), cause()),
        Progress::RolledBack { to: None } => format!("Rolled back{}", cause()),
        Progress::Failing => {
            format!("{ROLLOUT_FAILING}: tasks fail{}, without a circuit breaker{}", failed(), cause())
        }
        Progress::Failed { rolling_back_to: Some(to) } => {
            format!("{ROLLOUT_FAILED}{}; rolling back to {}{}", reason(), number(to), cause())
        }
        _ => format!("{ROLLOUT_FAILED}{}{}", reason(), cause()),
    })
}

/// `ECS deployment circuit breaker: tasks failed to start.` without what goes without saying.
fn reason_of_ecs(reason: &str) -> &str {
    let short = reason.trim().trim_end_matches('.');
    let short = short.strip_prefix("ECS deployment circuit breaker: ").unwrap_or(short);
    short.strip_prefix("Service deployment rolled back because ").unwrap_or(short)
}

/// `node-server:42 runs since 14:03 UTC`.
fn running(rollout: &Rollout) -> Option<String> {
    match (&rollout.progress, &rollout.revision) {
        (Progress::Runs { since }, Some(revision)) => {
            Some(format!("{revision} runs since {} UTC", time_of_day(*since)))
        }
        _ => None,
    }
}

fn time_of_day(moment: Timestamp) -> String {
    let minutes = moment.as_secs() / 60;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// What was said, and what runs now.
fn and_runs<'a>(said: &str, rollouts: impl Iterator<Item = &'a Rollout>) -> String {
    let runs: Vec<String> = rollouts.filter_map(running).collect();
    if runs.is_empty() { clip(said) } else { clip(&format!("{said}; {}", runs.join(", "))) }
}

/// What is approved, and how much has been pushed since.
pub fn waits_for_approval(stage: &str, commit: &CommitSha, newer: usize) -> String {
    let newer = match newer {
        0 => String::new(),
        1 => "; 1 newer commit waits".to_owned(),
        newer => format!("; {newer} newer commits wait"),
    };
    clip(&format!("{stage} waits for approval of {}{newer}", commit.short()))
}

pub fn waits(stage: &str, wait: &Wait) -> String {
    clip(&match wait {
        Wait::Occupied => format!("{stage} waits for an earlier execution"),
        Wait::Held(reason) if taken(reason).is_empty() => format!("{stage} is held"),
        Wait::Held(reason) => format!("{stage} is held: {reason}"),
    })
}

pub fn stage_succeeded(stage: &Stage) -> String {
    if stage.actions.is_empty() {
        return clip(&format!("{} succeeded", stage.name));
    }
    and_runs(&format!("{} succeeded in {}", stage.name, duration(stage.duration())), stage.rollouts())
}

pub fn stage_skipped() -> String {
    "Skipped by its entry condition".to_owned()
}

/// `Build failed in docker-build: exit status 1`; the action is named where it is not called like its stage.
pub fn stage_failed(stage: &Stage) -> String {
    let Some(action) = stage.failed() else {
        return clip(&format!("{} failed", stage.name));
    };
    if let Some(failure) = action.build().and_then(|build| build.failure.as_ref()) {
        let reason = failure.reason.as_deref().or_else(|| reason_of(action));
        return clip(&with_reason(&format!("{} failed in {}", stage.name, failure.phase), reason));
    }
    let reason = reason_of(action);
    if action.kind == ActionKind::Approval {
        return clip(&with_reason(&format!("{}: approval rejected", stage.name), reason));
    }
    let place = if action.name == stage.name { String::new() } else { format!(" in {}", action.name) };
    clip(&with_reason(&format!("{} failed{place}", stage.name), reason))
}

fn reason_of(action: &ActionRun) -> Option<&str> {
    let told = |text: &'_ Option<String>| text.as_ref().is_some_and(|text| !taken(text).is_empty());
    [&action.error, &action.summary].into_iter().find(|text| told(text)).and_then(|text| text.as_deref())
}

fn with_reason(what: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) if !taken(reason).is_empty() => format!("{what}: {reason}"),
        _ => what.to_owned(),
    }
}

pub fn stopping(reason: Option<&str>) -> String {
    clip(&with_reason("Stopping", reason))
}

pub fn stopped(reason: Option<&str>) -> String {
    clip(&with_reason("Stopped", reason))
}

pub fn cancelled() -> String {
    "Cancelled: the pipeline was changed".to_owned()
}

pub fn superseded(by: Option<&CommitSha>) -> String {
    match by {
        Some(commit) => format!("Superseded by {}", commit.short()),
        None => "Superseded by a newer execution".to_owned(),
    }
}

/// The pushed commit was not the one that an unpinned pipeline took from its branch.
pub fn built_another(built: &CommitSha) -> String {
    format!("Superseded by {}: the pipeline took the branch's head", built.short())
}

pub fn failed_without_a_stage(summary: Option<&str>) -> String {
    clip(&with_reason("Failed", summary))
}

/// `Deployed abc1234 to staging in 4 m 12 s; node-server:42 runs since 14:03 UTC`.
pub fn execution_succeeded<'a>(
    commit: &CommitSha,
    deployed: bool,
    rollback: bool,
    environment: Option<&str>,
    took: Duration,
    rollouts: impl Iterator<Item = &'a Rollout>,
) -> String {
    let what = match (rollback, deployed) {
        (true, _) => "Rolled back to",
        (false, true) => "Deployed",
        (false, false) => "Passed with",
    };
    let place = match environment {
        Some(environment) if rollback => format!(" in {environment}"),
        Some(environment) => format!(" to {environment}"),
        None => String::new(),
    };
    let place = if deployed || rollback { place } else { String::new() };
    and_runs(&format!("{what} {}{place} in {}", commit.short(), duration(took)), rollouts)
}

pub fn unknown_status(status: &str) -> String {
    clip(&format!("CodePipeline says {status}"))
}

/// The pipeline can't be started, and what mends it.
///
/// What CodePipeline says may be long; the mending is what the reader needs, so it is what stays whole.
pub fn cannot_start(what: &str, mending: &str) -> String {
    let around = clip(&format!("Can't start: ; {mending}")).encode_utf16().count();
    let what = clip_to(what, MAX_DESCRIPTION.saturating_sub(around));
    clip(&format!("Can't start: {what}; {mending}"))
}

pub fn execution_gone() -> String {
    "The execution is gone: its pipeline was deleted or recreated".to_owned()
}

pub fn told_elsewhere() -> String {
    "Told in another check run of this name".to_owned()
}

pub fn told_in_another_deployment() -> String {
    "Told in another deployment of this run".to_owned()
}

pub fn given_up() -> String {
    "Given up after a day of failures; redrive pipehook's dead-letter queue to go on".to_owned()
}

pub fn left_out(reason: &str) -> String {
    clip(&format!("Skipped: {reason}"))
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "text_properties.rs"]
mod properties;
