//! Draws a plan from a seed.

use std::time::Duration;

use fastrand::Rng;

use super::plan::{Action, BREAKERS, Course, DEPLOYS_IN, Incident, PipelinePlan, Plan, SetUp, What};
use super::sandbox::Fate;
use crate::standin::{EventFault, Fault, PipelineMode, ServiceSpec};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

impl Plan {
    /// The plan of a seed: always the same.
    pub fn draw(seed: u64) -> Self {
        let mut draw = Rng::with_seed(seed);
        let set_up = set_up(&mut draw);
        let pipelines = set_up.pipelines.len();
        // Pushes come in quick succession, or far apart.
        let apart = *pick(&mut draw, &[10, 40, 120, 600]);
        let commits = draw.usize(1..=4);
        let mut incidents: Vec<Incident> = Vec::new();
        let mut at = 0;
        for commit in 0..commits {
            at += draw.u64(1..=apart) * 1000;
            let (pipeline, course) = (draw.usize(..pipelines), course(&mut draw));
            if matches!(course, Course::BuildHangs) {
                let at = at + draw.u64(30_000..=300_000);
                let what = What::Stop { pipeline, abandon: draw.bool() };
                incidents.push(Incident { number: 0, at: Duration::from_millis(at), what });
            }
            for (after, what) in sequel(&mut draw, pipeline, commit, &course) {
                incidents.push(Incident { number: 0, at: Duration::from_millis(at + after), what });
            }
            let what = What::Push { pipeline, commit, course };
            incidents.push(Incident { number: 0, at: Duration::from_millis(at), what });
        }
        // Trouble comes while something goes on, and mostly soon after a push.
        let end = at + 5 * MINUTE * 1000;
        for _ in 0..draw.usize(0..=6) {
            let at = if draw.bool() { draw.u64(0..end) } else { (at + draw.u64(0..60_000)).saturating_sub(30_000) };
            let what = trouble(&mut draw, pipelines, commits);
            incidents.push(Incident { number: 0, at: Duration::from_millis(at), what });
        }
        let told_late: Vec<_> = incidents.iter_mut().filter_map(|incident| told_late(&mut draw, incident)).collect();
        incidents.extend(told_late);
        incidents.sort_by_key(|incident| incident.at);
        for (number, incident) in incidents.iter_mut().enumerate() {
            incident.number = number;
        }
        Self { seed, set_up, incidents }
    }
}

fn pick<'a, T>(draw: &mut Rng, from: &'a [T]) -> &'a T {
    &from[draw.usize(..from.len())]
}

fn seconds(draw: &mut Rng, range: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_secs(draw.u64(range))
}

fn set_up(draw: &mut Rng) -> SetUp {
    let count = if draw.u8(..) < 64 { 2 } else { 1 };
    let one_repository = draw.bool();
    let pipelines = (0..count).map(|at| {
        let repository = if at == 0 || one_repository { "octo-org/node-server" } else { "octo-org/worker" };
        let name = ["node-server", "worker"][at].to_owned();
        let modes = [PipelineMode::Superseded, PipelineMode::Superseded, PipelineMode::Queued, PipelineMode::Parallel];
        let mode = *pick(draw, &modes);
        let breaker = if draw.bool() { BREAKERS[0] } else { *pick(draw, &BREAKERS) };
        let mut service = ServiceSpec::new("staging", &name).circuit_breaker(breaker);
        if draw.u8(..) < 64 {
            service = service.rollback_with_new_id();
        }
        if draw.u8(..) < 32 {
            service = service.behind_load_balancer(443);
        }
        PipelinePlan {
            service,
            name,
            repository: repository.to_owned(),
            mode,
            deploys: true,
            has_approval: draw.u8(..) < 64,
            stops_failed_rollout: draw.u8(..) < 64,
            superseded_fails: draw.u8(..) < 64,
        }
    });
    SetUp {
        pipelines: pipelines.collect(),
        is_app: draw.u8(..) < 64,
        deployments: draw.bool(),
        slowest: Duration::from_millis(*pick(draw, &[20, 200, 1500])),
        workers: draw.usize(1..=4),
        batch_window: Duration::from_millis(*pick(draw, &[0, 1000])),
        is_shuffled: draw.bool(),
    }
}

fn course(draw: &mut Rng) -> Course {
    match draw.u8(..20) {
        0..8 => Course::Well { build: draw.u64(2..=60), deploy: draw.u64(5..=120) },
        8 => Course::SourceFails,
        9..12 => Course::BuildFails { after: draw.u64(5..=60), then_succeeds: draw.bool() },
        12 => Course::BuildHangs,
        13 => Course::DeployFails { after: draw.u64(3..=30) },
        14..17 => {
            let after = draw.u64(20..=150);
            let undone_in = draw.u64(10..=90);
            let action = match draw.u8(..3) {
                // CodePipeline may call the service steady before ECS has given it up.
                0 if draw.bool() => Action::Succeeds { after: draw.u64(5..=after) },
                0 => Action::Succeeds { after: after + undone_in + draw.u64(5..=900) },
                1 => Action::Fails { after: after + draw.u64(1..=300) },
                _ => Action::TimesOut { minutes: draw.u64(5..=20) },
            };
            Course::RolledBack { after, undone_in, action }
        }
        17 => Course::Recovers { after: draw.u64(40..=150) },
        18 => Course::Overtaken { after: draw.u64(20..=100) },
        _ => Course::Skipped,
    }
}

/// What comes of a push, in milliseconds after it: what strikes blindly seldom hits the moments that matter.
fn sequel(draw: &mut Rng, pipeline: usize, commit: usize, course: &Course) -> Vec<(u64, What)> {
    let mut sequel = Vec::new();
    let turns = turns(course);
    if draw.u8(..) < 96 {
        // What a worker has read is over when it wakes up.
        let at = pick(draw, &turns) * 1000 + draw.u64(0..8000);
        let fate = Fate::Freezes { at: moment(draw), lasts: seconds(draw, 5..=28) };
        sequel.push((at, What::Worker(fate)));
    }
    let has_failed = matches!(course, Course::SourceFails | Course::BuildFails { .. } | Course::DeployFails { .. });
    if has_failed && draw.bool() {
        let after = turns.last().copied().unwrap_or_default() + draw.u64(10..=300);
        sequel.push((after * 1000, What::Retry { pipeline, all_actions: draw.bool() }));
    }
    if draw.u8(..) < 24 {
        sequel.push((draw.u64(10..=900) * 1000, What::Release { pipeline, commit }));
    }
    sequel
}

/// Of some pushes the last stage is short, and what is told as it begins may arrive after its end. A request that is on
/// its way for ten seconds is given up by who sent it.
fn told_late(draw: &mut Rng, push: &mut Incident) -> Option<Incident> {
    let What::Push { course, .. } = &mut push.what else { return None };
    if draw.u8(..) >= 48 {
        return None;
    }
    match course {
        Course::Well { deploy: lasts, .. }
        | Course::BuildFails { after: lasts, .. }
        | Course::DeployFails { after: lasts } => {
            *lasts = draw.u64(3..=8);
        }
        _ => return None,
    }
    let turns = turns(course);
    let begins = turns.len().checked_sub(2).map_or(0, |last| turns[last]);
    let at = push.at + Duration::from_millis(begins * 1000 + draw.u64(0..3000));
    let fate = Fate::FreezesTelling { lasts: seconds(draw, 3..=9) };
    Some(Incident { number: 0, at, what: What::Worker(fate) })
}

/// About when the stages of a run begin and end, in seconds after the push.
fn turns(course: &Course) -> Vec<u64> {
    const SOURCE: u64 = 4;
    let stages: &[u64] = match course {
        Course::Well { build, deploy } => &[SOURCE, *build, *deploy],
        Course::BuildFails { after, .. } => &[SOURCE, *after],
        Course::DeployFails { after } => &[SOURCE, 20, *after],
        Course::RolledBack { after, undone_in, .. } => &[SOURCE, 15, *after, *undone_in],
        Course::Recovers { after } | Course::Overtaken { after } => &[SOURCE, 15, *after],
        Course::Skipped => &[SOURCE, 15],
        Course::SourceFails | Course::BuildHangs => &[SOURCE],
    };
    let ends = stages.iter().scan(0, |end, lasts| {
        *end += lasts;
        Some(*end)
    });
    ends.collect()
}

fn trouble(draw: &mut Rng, pipelines: usize, commits: usize) -> What {
    let pipeline = draw.usize(..pipelines);
    let commit = draw.usize(..commits);
    match draw.u8(..64) {
        0..4 => What::Redelivery { commit },
        4..6 => What::Release { pipeline, commit },
        6..8 => What::Stop { pipeline, abandon: draw.bool() },
        8..11 => What::Retry { pipeline, all_actions: draw.bool() },
        11 => What::Answer { pipeline, approves: draw.bool() },
        12 => What::Hold {
            pipeline,
            stage: if draw.bool() { "Build" } else { DEPLOYS_IN },
            lasts: seconds(draw, 10..=2 * HOUR),
        },
        13 => What::Update { pipeline },
        14 => What::RollBack { pipeline },
        15 => What::Deploy { pipeline },
        16 => What::Forgery { commit },
        17 => What::Poison,
        18..28 => {
            let (service, fault) = fault(draw);
            let lasts = match draw.u8(..64) {
                0 => seconds(draw, HOUR..=20 * HOUR),
                1..6 => seconds(draw, 10 * MINUTE..=HOUR),
                _ => seconds(draw, 5..=5 * MINUTE),
            };
            let longest = match (service, fault) {
                // What GitHub refuses for longer is left out, and nobody could tell what of.
                ("github", Fault::Unprocessable) => 5 * MINUTE,
                // Each message is sent again and again, and a day of that takes minutes to tell.
                ("sqs", Fault::LostAfter) => 2 * HOUR,
                _ => 20 * HOUR,
            };
            let lasts = lasts.min(Duration::from_secs(longest));
            What::Outage { service, operation: operation(draw, service), lasts, fault }
        }
        28..40 => {
            let (service, fault) = fault(draw);
            What::Calls { service, operation: operation(draw, service), count: draw.u32(1..=4), fault }
        }
        40..43 => {
            let fault = match draw.u8(..3) {
                0 => EventFault::Drop,
                1 => EventFault::Duplicate,
                _ => EventFault::Delay(seconds(draw, 1..=600)),
            };
            What::Events { count: draw.u32(1..=20), fault }
        }
        43..46 => What::Twice { count: draw.u32(1..=8) },
        46..50 => What::Worker(Fate::Dies { at: moment(draw) }),
        50..53 => What::Worker(Fate::Freezes { at: moment(draw), lasts: seconds(draw, 1..=120) }),
        53 => What::Webhook(Fate::Dies { at: draw.u32(1..=6) }),
        54 => What::Webhook(Fate::Freezes { at: draw.u32(1..=6), lasts: seconds(draw, 1..=20) }),
        55 => What::ColdStart,
        56 => What::Skew { millis: draw.i64(-2000..=2000) },
        57 => What::BrokenConfig { lasts: seconds(draw, 10..=HOUR) },
        58 => What::NewSecret,
        59 => What::NewToken { lasts: seconds(draw, 10..=HOUR) },
        60 => What::NoPermission { lasts: seconds(draw, 10..=HOUR) },
        61 => What::ForgetTokens,
        _ => What::Redrive,
    }
}

/// Most invocations wait some dozens of times.
fn moment(draw: &mut Rng) -> u32 {
    if draw.bool() { draw.u32(1..=12) } else { draw.u32(1..=60) }
}

const SERVICES: [&str; 6] = ["github", "github", "codepipeline", "codebuild", "ecs", "sqs"];

fn fault(draw: &mut Rng) -> (&'static str, Fault) {
    let service = if draw.u8(..) < 16 { "ssm" } else { *pick(draw, &SERVICES) };
    let fault = match draw.u8(..12) {
        0..2 => Fault::Throttle,
        2..4 => Fault::ServerError,
        4 => Fault::BadGateway,
        5 => Fault::Nonsense,
        6 => Fault::LostBefore,
        7..9 => Fault::LostAfter,
        9 => Fault::Delay(Duration::from_millis(draw.u64(500..=12_000))),
        10 => match service {
            // GitHub ends what takes longer than 10 s.
            "github" => Fault::LandsLate(Duration::from_millis(draw.u64(500..=10_000))),
            _ => Fault::AccessDenied,
        },
        _ => match (service, draw.u8(..5)) {
            ("github", 0) => Fault::SecondaryLimit { status: *pick(draw, &[403, 429]), retry_after: Some(90) },
            ("github", 1) => Fault::SecondaryLimit { status: 403, retry_after: None },
            ("github", 2) => Fault::PrimaryLimit { reset_after: seconds(draw, 10..=HOUR) },
            ("github", 3) if draw.bool() => Fault::NotFound,
            ("github", 3) => Fault::Unprocessable,
            ("github", _) => Fault::Unauthorized,
            _ => Fault::Throttle,
        },
    };
    (service, fault)
}

fn operation(draw: &mut Rng, service: &str) -> &'static str {
    if draw.bool() {
        return "*";
    }
    let operations: &[&str] = match service {
        "github" => &[
            "POST /repos/{owner}/{repo}/statuses/{sha}",
            "GET /repos/{owner}/{repo}/commits/{ref}/statuses",
            "POST /repos/{owner}/{repo}/check-runs",
            "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}",
            "POST /repos/{owner}/{repo}/deployments",
        ],
        "codepipeline" => &[
            "StartPipelineExecution",
            "GetPipelineExecution",
            "GetPipelineState",
            "ListActionExecutions",
            "ListPipelineExecutions",
        ],
        "codebuild" => &["BatchGetBuilds"],
        "ecs" => &["DescribeServices", "ListServiceDeployments", "DescribeServiceDeployments", "DescribeTasks"],
        "sqs" => &["SendMessage"],
        _ => &["GetParameters"],
    };
    operations[draw.usize(..operations.len())]
}
