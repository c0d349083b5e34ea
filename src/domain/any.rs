//! What properties are tried on: executions as they may be read, and texts as people and services write them.
//!
//! [`run`] tells whole runs, reading by reading, as CodePipeline and ECS tell them. [`reading`] puts together whatever
//! calls may answer, fitting together or not, with statuses that nobody knows yet.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::build::{Build, Failure, Phase};
use super::event::CommitSha;
use super::execution::{
    ActionKind, ActionRun, ActionStatus, Ending, ExecutionSnapshot, ExecutionStatus, Stage, StageStatus, Wait, Work,
};
use super::reading::{ExecutionHead, Reading, Source, StageView};
use super::report::{RunOptions, State};
use super::rollout::{Progress, Rollout};
use super::service::{Revision, Tasks};
use super::time::Timestamp;

/// The pipeline of all these executions, and the execution itself.
pub(crate) const PIPELINE: &str = "node-server";
pub(crate) const EXECUTION: &str = "x1";

/// Stages in their order.
pub(crate) const STAGES: [&str; 4] = ["Source", "Build", "Staging", "Production"];

pub(crate) fn sha() -> impl Strategy<Value = CommitSha> {
    "[1-9a-f][0-9a-f]{39}".prop_map(|text| CommitSha::parse(&text).unwrap())
}

/// Pieces that a cut may split, that a line may not hold, and that change what stands beside them.
const PIECES: [&str; 18] = [
    "👨‍👩‍👧",
    "🇩🇪",
    "e\u{301}",
    "\u{301}",
    "\u{200d}",
    "각",
    "\u{600}",
    "\r\n",
    "\n",
    "\u{7}",
    "\u{2028}",
    "\t",
    " ",
    "x",
    "ü",
    "exit status 1",
    "(make test)",
    " for 40 s",
];

/// What a person or a service may say: plain words, any characters, or pieces that are hard to cut.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let pieces = vec(select(&PIECES[..]), 0..60).prop_map(|pieces| pieces.concat());
    prop_oneof!["[ -~]{0,60}", "\\PC{0,150}", ".{0,60}", pieces]
}

pub(crate) fn options() -> impl Strategy<Value = RunOptions> {
    let superseded = select(vec![State::Error, State::Failure, State::Success]);
    (option::of(text()), superseded).prop_map(|(environment, superseded)| RunOptions {
        environment,
        superseded,
        ..RunOptions::default()
    })
}

// ---- Whole runs.

/// How a stage goes, in one attempt or more.
#[derive(Clone, Debug)]
struct Part {
    kind: ActionKind,
    wait: Option<Wait>,
    /// How often it fails before it goes through.
    failures: u32,
    /// Phases of its build, or looks at its rollout.
    steps: usize,
    rolled_back: bool,
    /// The list of actions says that it has succeeded while ECS is still at work.
    ecs_lags: bool,
    reason: Option<String>,
}

fn part() -> impl Strategy<Value = Part> {
    let kinds =
        vec![ActionKind::Other, ActionKind::Other, ActionKind::Approval, ActionKind::Deploy, ActionKind::Deploy];
    let wait = prop_oneof![3 => Just(None), 1 => Just(Some(Wait::Occupied)), 1 => text().prop_map(|why| Some(Wait::Held(why)))];
    let fails = prop_oneof![3 => Just(0_u32), 1 => Just(1), 1 => Just(2)];
    (select(kinds), wait, fails, 0..9_usize, any::<(bool, bool)>(), option::of(text())).prop_map(
        |(kind, wait, failures, steps, (rolled_back, ecs_lags), reason)| Part {
            kind,
            wait,
            failures,
            steps,
            rolled_back,
            ecs_lags,
            reason,
        },
    )
}

/// The readings of a run that goes on, one after the other, with whatever it may come to.
pub(crate) fn run() -> impl Strategy<Value = Vec<ExecutionSnapshot>> {
    use ExecutionStatus::{Cancelled, Failed, Stopped, Succeeded, Superseded};
    let ends = select(vec![Succeeded, Succeeded, Failed, Stopped, Cancelled, Superseded]);
    (vec(part(), 1..=STAGES.len()), ends).prop_map(|(parts, end)| play(&parts, &end))
}

/// Readings of a run in which nothing is tried again.
pub(crate) fn run_without_retries() -> impl Strategy<Value = Vec<ExecutionSnapshot>> {
    run().prop_filter("a retry", |shots| shots.iter().flat_map(|shot| &shot.stages).all(|stage| stage.attempts == 1))
}

/// A run while it is played.
struct Play {
    done: Vec<Stage>,
    now: u64,
    shots: Vec<ExecutionSnapshot>,
}

impl Play {
    fn shoot(&mut self, status: &ExecutionStatus, stage: Option<&Stage>, waiting: Option<(String, Wait)>) {
        self.now += 7;
        self.shots.push(ExecutionSnapshot {
            pipeline: PIPELINE.to_owned(),
            id: EXECUTION.to_owned(),
            status: status.clone(),
            status_summary: None,
            is_rollback: false,
            commit: None,
            repository: None,
            stages: self.done.iter().chain(stage).cloned().collect(),
            waiting,
            newer_waiting: 0,
            ending: Ending::default(),
        });
    }

    fn stage(&self, name: &str, part: &Part, attempts: u32, status: StageStatus, work: Option<Work>) -> Stage {
        let action_status = match status {
            StageStatus::Succeeded => ActionStatus::Succeeded,
            StageStatus::Failed => ActionStatus::Failed,
            StageStatus::Stopped | StageStatus::Cancelled => ActionStatus::Abandoned,
            _ => ActionStatus::InProgress,
        };
        let action = ActionRun {
            started: Timestamp::from_secs(1000),
            updated: Timestamp::from_secs(1000 + self.now),
            work,
            error: part.reason.clone().filter(|_| status == StageStatus::Failed),
            ..ActionRun::sample(name, name, part.kind, action_status)
        };
        Stage { name: name.to_owned(), status, actions: vec![action], attempts }
    }
}

fn play(parts: &[Part], end: &ExecutionStatus) -> Vec<ExecutionSnapshot> {
    let running = ExecutionStatus::InProgress;
    let mut play = Play { done: Vec::new(), now: 0, shots: Vec::new() };
    play.shoot(&running, None, None);
    for (index, (name, part)) in STAGES.into_iter().zip(parts).enumerate() {
        let is_last = index + 1 == parts.len();
        if let Some(wait) = &part.wait {
            play.shoot(&running, None, Some((name.to_owned(), wait.clone())));
            if is_last && *end == ExecutionStatus::Superseded {
                play.shoot(end, None, None);
                return play.shots;
            }
        }
        for attempt in 1..=part.failures {
            play_steps(&mut play, name, part, attempt, false);
            let failed = play.stage(name, part, attempt, StageStatus::Failed, failed_work(part));
            play.shoot(&ExecutionStatus::Failed, Some(&failed), None);
        }
        let attempt = part.failures + 1;
        play_steps(&mut play, name, part, attempt, part.rolled_back);
        if is_last && *end != ExecutionStatus::Succeeded {
            let (stage_end, before) = match end {
                ExecutionStatus::Failed => (StageStatus::Failed, None),
                ExecutionStatus::Cancelled => (StageStatus::Cancelled, None),
                _ => (StageStatus::Stopped, Some(ExecutionStatus::Stopping)),
            };
            let work = || if part.rolled_back { rolled_back(part) } else { failed_work(part) };
            if let Some(stopping) = before {
                let stage = play.stage(name, part, attempt, StageStatus::Stopping, work());
                play.shoot(&stopping, Some(&stage), None);
            }
            let stage = play.stage(name, part, attempt, stage_end, work());
            play.shoot(end, Some(&stage), None);
            return play.shots;
        }
        if part.ecs_lags && part.kind == ActionKind::Deploy && !part.rolled_back {
            let work = rollout(Progress::Rolling { lifecycle: None }, 1, 0);
            let stage = play.stage(name, part, attempt, StageStatus::Succeeded, work);
            play.shoot(if is_last { end } else { &running }, Some(&stage), None);
        }
        let work = match part.kind {
            ActionKind::Deploy if part.rolled_back => rolled_back(part),
            ActionKind::Deploy => rollout(Progress::Runs { since: Timestamp::from_secs(1000 + play.now) }, 2, 0),
            _ => None,
        };
        let stage = play.stage(name, part, attempt, StageStatus::Succeeded, work);
        play.done.push(stage);
        play.shoot(if is_last { end } else { &running }, None, None);
    }
    play.shots
}

/// What is seen of a stage while it runs.
fn play_steps(play: &mut Play, name: &str, part: &Part, attempt: u32, fails: bool) {
    let running = ExecutionStatus::InProgress;
    let mut see = |work| {
        let stage = play.stage(name, part, attempt, StageStatus::InProgress, work);
        play.shoot(&running, Some(&stage), None);
    };
    for step in 0..part.steps {
        see(match part.kind {
            ActionKind::Deploy if step == 0 => rollout(Progress::NotBegun, 0, 0),
            ActionKind::Deploy => rollout(Progress::Rolling { lifecycle: None }, (step as u32 - 1).min(2), 0),
            ActionKind::Other => building(step),
            _ => None,
        });
    }
    if fails && part.kind == ActionKind::Deploy {
        see(rollout(Progress::Failed { rolling_back_to: None }, 0, 3));
        see(rolled_back(part));
    }
}

fn building(step: usize) -> Option<Work> {
    let phases = ["SUBMITTED", "PROVISIONING", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"];
    let (name, lasted) = (phases[(step / 2).min(5)].to_owned(), Duration::from_secs(step as u64 * 30));
    let phase = Phase { name, since: Timestamp::from_secs(1000), lasted };
    Some(Work::Build(Build { phase: Some(phase), ..Build::default() }))
}

fn failed_work(part: &Part) -> Option<Work> {
    let failure = Failure { phase: "BUILD".to_owned(), reason: part.reason.clone() };
    (part.kind == ActionKind::Other)
        .then(|| Work::Build(Build { failure: Some(failure), ..Build::default() }))
        .filter(|_| part.reason.is_some())
}

fn rolled_back(part: &Part) -> Option<Work> {
    let to = Some(Revision { family: PIPELINE.to_owned(), number: 41 });
    (part.kind == ActionKind::Deploy).then(|| rollout(Progress::RolledBack { to }, 0, 3)).flatten()
}

fn rollout(progress: Progress, running: u32, failed: u32) -> Option<Work> {
    let revision = Some(Revision { family: PIPELINE.to_owned(), number: 42 });
    let revision = revision.filter(|_| progress != Progress::NotBegun);
    let tasks = Tasks { desired: 2, running, pending: 2 - running, failed };
    Some(Work::Rollout(Rollout { revision, tasks, ..Rollout::unknown(PIPELINE, progress) }))
}

/// The same reading where ECS does not let itself be read.
pub(crate) fn without_ecs(snapshot: &ExecutionSnapshot) -> ExecutionSnapshot {
    let mut less = snapshot.clone();
    for action in less.stages.iter_mut().flat_map(|stage| &mut stage.actions) {
        if action.rollout().is_some() {
            let progress = if action.is_over() { Progress::Unconfirmed } else { Progress::Unreadable };
            action.work = Some(Work::Rollout(Rollout::unknown(PIPELINE, progress)));
        }
    }
    less
}

// ---- Whatever may be read.

fn execution_status() -> impl Strategy<Value = ExecutionStatus> {
    use ExecutionStatus::*;
    let known = select(vec![InProgress, Stopping, Succeeded, Failed, Stopped, Cancelled, Superseded]);
    prop_oneof![9 => known, 1 => text().prop_map(Unknown)]
}

fn stage_status() -> impl Strategy<Value = StageStatus> {
    use StageStatus::*;
    let known = select(vec![InProgress, Stopping, Succeeded, Failed, Stopped, Cancelled, Skipped]);
    prop_oneof![9 => known, 1 => text().prop_map(Unknown)]
}

fn action_status() -> impl Strategy<Value = ActionStatus> {
    use ActionStatus::*;
    prop_oneof![9 => select(vec![InProgress, Succeeded, Failed, Abandoned]), 1 => text().prop_map(Unknown)]
}

fn revision() -> impl Strategy<Value = Option<Revision>> {
    option::of((text(), any::<u32>()).prop_map(|(family, number)| Revision { family, number }))
}

fn progress() -> impl Strategy<Value = Progress> {
    prop_oneof![
        select(vec![Progress::NotBegun, Progress::Failing, Progress::Unconfirmed, Progress::Unreadable]),
        option::of(text()).prop_map(|lifecycle| Progress::Rolling { lifecycle }),
        revision().prop_map(|rolling_back_to| Progress::Failed { rolling_back_to }),
        revision().prop_map(|to| Progress::RolledBack { to }),
        any::<u32>().prop_map(|since| Progress::Runs { since: Timestamp::from_secs(u64::from(since)) }),
    ]
}

pub(crate) fn any_rollout() -> impl Strategy<Value = Rollout> {
    let said = (option::of(text()), option::of(text()));
    (text(), revision(), progress(), any::<[u32; 4]>(), said).prop_map(
        |(service, revision, progress, [desired, running, pending, failed], (reason, cause))| Rollout {
            service,
            revision,
            progress,
            tasks: Tasks { desired, running, pending, failed },
            reason,
            cause,
            address: None,
        },
    )
}

fn build() -> impl Strategy<Value = Build> {
    let phase = (text(), any::<u32>()).prop_map(|(name, lasted)| Phase {
        name,
        since: Timestamp::default(),
        lasted: Duration::from_secs(u64::from(lasted)),
    });
    let failure = (text(), option::of(text())).prop_map(|(phase, reason)| Failure { phase, reason });
    (option::of(phase), option::of(failure)).prop_map(|(phase, failure)| Build { phase, failure, ..Build::default() })
}

fn action() -> impl Strategy<Value = ActionRun> {
    use ActionKind::{Approval, Deploy, Other};
    let what = (select(&STAGES[..]), text(), select(vec![ActionKind::Source, Approval, Deploy, Other]));
    let work = prop_oneof![
        Just(None),
        build().prop_map(|build| Some(Work::Build(build))),
        any_rollout().prop_map(|rollout| Some(Work::Rollout(rollout)))
    ];
    let said = (option::of(text()), option::of(text()));
    (what, action_status(), (any::<u16>(), any::<u16>()), work, said).prop_map(
        |((stage, name, kind), status, (started, updated), work, (error, summary))| ActionRun {
            started: Timestamp::from_secs(u64::from(started)),
            updated: Timestamp::from_secs(u64::from(updated)),
            work,
            error,
            summary,
            ..ActionRun::sample(stage, &name, kind, status)
        },
    )
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![Just(Wait::Occupied), text().prop_map(Wait::Held)]
}

fn head() -> impl Strategy<Value = ExecutionHead> {
    (execution_status(), option::of(text()), any::<(bool, bool)>()).prop_map(
        |(status, status_summary, (is_rollback, is_parallel))| ExecutionHead {
            pipeline: PIPELINE.to_owned(),
            id: EXECUTION.to_owned(),
            status,
            status_summary,
            is_rollback,
            is_parallel,
            revisions: Vec::new(),
        },
    )
}

/// An execution put together from whatever the calls may answer.
pub(crate) fn reading() -> impl Strategy<Value = ExecutionSnapshot> {
    let stages: Vec<String> = STAGES.map(str::to_owned).to_vec();
    let views = proptest::sample::subsequence(stages, 0..=STAGES.len()).prop_flat_map(|names| {
        let statuses = vec((option::of(stage_status()), option::of(wait())), names.len());
        (Just(names), statuses)
    });
    let ending = (option::of(text()), option::of(sha()));
    (head(), vec(action(), 0..5), views, 0..4_usize, ending).prop_map(
        |(head, actions, (names, statuses), newer_waiting, (stop_reason, superseded_by))| {
            let view = |(name, (status, waits))| StageView { name, actions: Vec::new(), status, waits };
            let views = names.into_iter().zip(statuses).map(view).collect();
            let ending = Ending { stop_reason, superseded_by };
            let reading = Reading { head, actions, views, newer_waiting, ending };
            reading.snapshot(Source { action: None, repository: None })
        },
    )
}
