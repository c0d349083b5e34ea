//! What must be true of GitHub, the pipelines and the queues: at every moment, and in the end.
//!
//! Invariant: nothing here is shared with the code that decides what GitHub shows. It looks at what the stand-ins did.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{DEPLOYS_IN, PipelinePlan};
use crate::domain::time::Timestamp;
use crate::standin::{CheckRun, DeploymentView, ExecutionView, PipelineMode, PostedStatus, State, Status, World};

/// Something that GitHub was told about a commit.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) at: Timestamp,
    pub(super) repository: String,
    pub(super) sha: String,
    /// The status's context, or the check run's name.
    pub(super) context: String,
    pub(super) state: State,
    pub(super) text: String,
    /// The execution that it is about, as its link or its external id says.
    pub(super) execution: Option<String>,
}

impl From<&PostedStatus> for Told {
    fn from(posted: &PostedStatus) -> Self {
        Self::of_status(posted.at, &posted.repository, &posted.sha, &posted.status)
    }
}

impl Told {
    fn of_status(at: Timestamp, repository: &str, sha: &str, status: &Status) -> Self {
        let link = status.target_url.as_deref().unwrap_or_default();
        let execution = link.split_once("/executions/").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
        Self {
            at,
            repository: repository.to_owned(),
            sha: sha.to_owned(),
            context: status.context.clone(),
            state: status.state,
            text: status.description.clone().unwrap_or_default(),
            execution: execution.map(str::to_owned),
        }
    }

    pub(super) fn of_check_run(at: Timestamp, repository: &str, run: &CheckRun) -> Self {
        let execution = run.external_id.split('/').next().filter(|id| !id.is_empty());
        Self {
            at,
            repository: repository.to_owned(),
            sha: run.head_sha.clone(),
            context: run.name.clone(),
            state: state_of(run),
            text: run.output.title.clone().unwrap_or_default(),
            execution: execution.map(str::to_owned),
        }
    }

    /// The pipeline and the stage that it is about.
    fn place(&self) -> Option<(&str, Option<&str>)> {
        let rest = self.context.strip_prefix("codepipeline/")?;
        Some(rest.split_once('/').map_or((rest, None), |(pipeline, stage)| (pipeline, Some(stage))))
    }
}

fn state_of(run: &CheckRun) -> State {
    match run.conclusion {
        None => State::Pending,
        Some("success" | "skipped") => State::Success,
        Some("failure" | "timed_out") => State::Failure,
        Some(_) => State::Error,
    }
}

/// What happens so close to each other can't be told apart by who looks at it.
const AT_ONCE: Duration = Duration::from_secs(10);

/// After so long a success of CodePipeline is believed which ECS does not confirm: a little less than the ten minutes
/// that pipehook waits, for clocks that are off.
const BELIEVED_AFTER: Duration = Duration::from_secs(9 * 60);

/// What ECS made of a commit's deploy, as far as that is beyond doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deploy {
    Runs,
    /// It was given up or rolled back.
    Failed,
    /// It is under way, or another deployment took its place.
    Open,
    NeverCame,
}

pub(super) fn deploy_of(world: &mut World, pipeline: &PipelinePlan, sha: &str) -> Deploy {
    let deployments = world.services().deployments("staging", &pipeline.name);
    let own = || deployments.iter().filter(|deployment| deployment.commit.as_deref() == Some(sha));
    let is_other = |deployment: &&DeploymentView| deployment.commit.as_deref() != Some(sha);
    if own().any(|own| deployments.iter().filter(is_other).any(|other| at_once(own.created, other.created))) {
        return Deploy::Open;
    }
    let runs = |deployment: &DeploymentView| deployment.status == "SUCCESSFUL";
    let was_undone = |deployment: &DeploymentView| deployment.status.starts_with("ROLLBACK_");
    // Of a commit that was deployed twice, with two ends, it can't be told here which time was meant.
    match own().next() {
        // Runs that deploy at the same moment may take each other's deployments for their own.
        None if pipeline.mode == PipelineMode::Parallel => Deploy::Open,
        None => Deploy::NeverCame,
        Some(_) if own().all(runs) => Deploy::Runs,
        Some(_) if own().all(was_undone) => Deploy::Failed,
        Some(_) => Deploy::Open,
    }
}

/// Whether what GitHub was just told may be said at all.
pub(super) fn lie_in(
    world: &mut World,
    pipelines: &[PipelinePlan],
    told: &Told,
    is_ecs_silent: bool,
) -> Option<String> {
    let (name, stage) = told.place()?;
    let Some(pipeline) = pipelines.iter().find(|pipeline| pipeline.name == name) else {
        return Some(format!("{} is about a pipeline that does not exist", told.context));
    };
    if told.repository != pipeline.repository {
        return Some(format!("{} was told to {}", told.context, told.repository));
    }
    let execution = told.execution.as_ref()?;
    let Some(view) = world.pipelines().execution(execution) else {
        return Some(format!("{} names an execution that does not exist: {execution}", told.context));
    };
    if view.commit.as_deref() != Some(&told.sha) {
        return Some(format!(
            "{} of {execution} was told to {:.7}, but it builds {:.7}",
            told.context,
            told.sha,
            view.commit.unwrap_or_default()
        ));
    }
    if told.state != State::Success {
        return None;
    }
    let status = stage.map_or(Some(view.status), |stage| view.stage(stage));
    let deploys = stage.is_none_or(|stage| stage == DEPLOYS_IN) && view.stage(DEPLOYS_IN) == Some("Succeeded");
    match status {
        // Where ECS can't be asked, CodePipeline's word has to do.
        Some("Succeeded") if deploys && !is_ecs_silent => match deploy_of(world, pipeline, &told.sha) {
            Deploy::Failed => Some(format!("{} is told a success: \"{}\", but ECS undid it", told.context, told.text)),
            _ => None,
        },
        Some("Succeeded" | "Skipped") => None,
        other => Some(format!("{} is told a success: \"{}\", but it is {other:?}", told.context, told.text)),
    }
}

/// What GitHub shows on a commit in the end, by context.
pub(super) fn shown(world: &mut World, repository: &str, sha: &str, is_app: bool) -> BTreeMap<String, Told> {
    let now = world.now();
    if is_app {
        let runs = world.github().latest_check_runs(repository, sha);
        runs.into_values().map(|run| (run.name.clone(), Told::of_check_run(now, repository, &run))).collect()
    } else {
        let latest = world.github().latest(repository, sha);
        let told = |status| Told::of_status(now, repository, sha, &status);
        latest.into_iter().map(|(context, status)| (context, told(status))).collect()
    }
}

/// A success that was told of a deploy before ECS had come to an end with it, which then was none.
pub(super) fn hasty_success(
    world: &mut World,
    pipeline: &PipelinePlan,
    execution: &ExecutionView,
    told: &Told,
) -> Option<String> {
    let (name, stage) = told.place()?;
    let sha = execution.commit.as_deref().unwrap_or_default();
    let is_about_it = name == pipeline.name && stage.is_none_or(|stage| stage == DEPLOYS_IN);
    let has_succeeded = execution.stage(DEPLOYS_IN) == Some("Succeeded");
    // Of a commit that was deployed twice it can't be told here which time was meant.
    let deployments = world.services().deployments("staging", &pipeline.name);
    let is_only = deployments.iter().filter(|deployment| deployment.commit.as_deref() == Some(sha)).count() == 1;
    // What ECS is still at after minutes is believed.
    let is_patient = told.at.since(execution.updated) > BELIEVED_AFTER;
    let was_undone = is_only && deploy_of(world, pipeline, sha) == Deploy::Failed;
    let is_hasty = is_about_it && has_succeeded && !is_patient && was_undone;
    is_hasty.then(|| format!("{} was told a success: \"{}\", and then ECS undid it", told.context, told.text))
}

/// Whether a link on the commit says which push has started the pipeline.
pub(super) fn is_marked(world: &mut World, pipeline: &PipelinePlan, sha: &str) -> bool {
    let own = format!("codepipeline/{}", pipeline.name);
    let github = world.github();
    let statuses = github.statuses(&pipeline.repository, sha).into_iter();
    let runs = github.check_runs(&pipeline.repository, sha).into_iter();
    let links = statuses.map(|status| (status.context, status.target_url.unwrap_or_default()));
    let mut links = links.chain(runs.map(|run| (run.name, run.details_url)));
    links.any(|(context, link)| context.starts_with(&own) && link.contains("#push="))
}

/// Whether another execution ended at about the same time: the workers that said so may not have known of each other.
fn ends_with(world: &mut World, execution: &ExecutionView, other: &str) -> bool {
    let other = world.pipelines().execution(other);
    other.is_some_and(|other| at_once(execution.updated, other.updated))
}

fn at_once(one: Timestamp, other: Timestamp) -> bool {
    one.since(other).max(other.since(one)) < AT_ONCE
}

/// Under which circumstances an execution is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// No other execution builds its commit.
    pub(super) is_only: bool,
    /// Its success was told while ECS could not be asked.
    pub(super) without_ecs: bool,
}

/// What is not true in the end of what GitHub shows for the newest execution of a commit.
pub(super) fn untruths(
    world: &mut World,
    pipeline: &PipelinePlan,
    execution: &ExecutionView,
    seen: Seen,
    is_app: bool,
) -> Vec<String> {
    let sha = execution.commit.clone().unwrap_or_default();
    let held = shown(world, &pipeline.repository, &sha, is_app);
    let own = format!("codepipeline/{}", pipeline.name);
    let of_pipeline = |context: &str| context == own || context.starts_with(&format!("{own}/"));
    let mut found = Vec::new();
    for (context, told) in held.iter().filter(|(context, _)| of_pipeline(context)) {
        if told.state == State::Pending {
            found.push(format!("{context} is left pending: \"{}\"", told.text));
        }
    }
    let speaks = held.get(&own).and_then(|told| told.execution.as_ref());
    let other = speaks.filter(|other| **other != execution.id && !ends_with(world, execution, other));
    if let Some(other) = other {
        found.push(format!("{own} tells of {other}, but {} began after it", execution.id));
    }
    let deploy = match execution.stage(DEPLOYS_IN) {
        Some("Skipped") | None => Deploy::Runs,
        Some(_) if seen.without_ecs => Deploy::Open,
        Some(_) => deploy_of(world, pipeline, &sha),
    };
    let superseded = if pipeline.superseded_fails { State::Failure } else { State::Error };
    let ended = |status: &str| match status {
        "Succeeded" | "Skipped" => Some(State::Success),
        "Failed" => Some(State::Failure),
        "Superseded" => Some(superseded),
        "Stopped" | "Cancelled" => Some(State::Error),
        _ => None,
    };
    let Some(end) = ended(execution.status) else {
        found.push(format!("{own} is {}, which is no end", execution.status));
        return found;
    };
    let mut expect = |context: &str, wanted: State, deploys: bool, is_skipped: bool| {
        let allowed: Vec<State> = match deploy {
            // A run that somebody ended is left, and what its rollout comes to later is not waited for.
            Deploy::Failed if deploys && matches!(execution.status, "Stopped" | "Cancelled") => {
                vec![wanted, State::Failure]
            }
            Deploy::Failed if deploys => vec![State::Failure],
            // Another deployment has taken the place of this one, or it never ends: CodePipeline's word, or a failure.
            Deploy::Open if deploys => vec![wanted, State::Failure],
            Deploy::NeverCame if deploys && wanted == State::Success => vec![State::Failure],
            _ => vec![wanted],
        };
        match held.get(context) {
            // A stage that was skipped ran no action, and the pipeline's state tells of it only until the next run comes.
            None if is_skipped => {}
            None => found.push(format!("{context} is missing, but should be {wanted}")),
            Some(Told { state: State::Pending, .. }) => {}
            Some(Told { state, .. }) if allowed.contains(state) => {}
            Some(Told { state, text, .. }) => {
                found.push(format!("{context} is {state}: \"{text}\", but should be one of {allowed:?}; {deploy:?}"));
            }
        }
    };
    expect(&own, end, true, false);
    for stage in &execution.stages {
        let Some(status) = stage.status else { continue };
        let wanted = match status {
            // A stage that was under way when its run was stopped, cancelled or superseded shows that.
            "Stopped" | "Cancelled" | "Superseded" | "InProgress" => end,
            status => ended(status).unwrap_or(end),
        };
        expect(&format!("{own}/{}", stage.name), wanted, stage.name == DEPLOYS_IN, status == "Skipped");
    }
    if !seen.is_only {
        // What an earlier run of the commit has reached stays as it was.
        return found;
    }
    let reached = |stage: &str| execution.stages.iter().any(|one| one.name == stage && one.status.is_some());
    for (context, Told { state, text, .. }) in &held {
        let stage = context.strip_prefix(&own).and_then(|rest| rest.strip_prefix('/'));
        if let Some(stage) = stage.filter(|stage| !reached(stage))
            && !matches!(state, State::Error | State::Failure | State::Pending)
        {
            found.push(format!("{context} is {state}: \"{text}\", but {stage} was not reached"));
        }
    }
    found
}
