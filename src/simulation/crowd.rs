//! Many executions followed at the same time: what that takes, and how long it is until GitHub shows what has happened.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{Course, Incident, PipelinePlan, Plan, SetUp, What};
use super::run::BEGINNING;
use super::truth::Told;
use crate::domain::time::Timestamp;
use crate::local::QUEUE;
use crate::standin::{PipelineMode, ServiceSpec, State, World};

/// Executions that a pipeline runs at the same time in PARALLEL mode (CodePipeline's quota).
const OF_A_PIPELINE: usize = 50;

/// All are pushed within this time, and build for so long that all run at the same time for most of it.
const PUSHED_WITHIN: Duration = Duration::from_secs(60);
const BUILD: u64 = 600;

/// How often the queue is counted.
const COUNTED_EVERY: Duration = Duration::from_secs(5);

impl Plan {
    /// So many executions at the same time, and `workers` that follow them. Nothing goes wrong.
    pub fn crowd(executions: usize, workers: usize) -> Self {
        let pipeline = |number: usize| {
            let name = format!("service-{number}");
            PipelinePlan {
                service: ServiceSpec::new("staging", &name),
                repository: format!("octo-org/{name}"),
                name,
                mode: PipelineMode::Parallel,
                // Deployments of one service take each other's place, so that many at a time are none.
                deploys: false,
                has_approval: false,
                stops_failed_rollout: false,
                superseded_fails: false,
            }
        };
        let pipelines: Vec<PipelinePlan> = (0..executions.div_ceil(OF_A_PIPELINE)).map(pipeline).collect();
        let apart = PUSHED_WITHIN / u32::try_from(executions).unwrap_or(u32::MAX).max(1);
        let push = |number: usize| {
            let course = Course::Well { build: BUILD, deploy: 0 };
            let what = What::Push { pipeline: number % pipelines.len(), commit: number, course };
            Incident { number, at: apart * u32::try_from(number).unwrap_or(u32::MAX), what }
        };
        let incidents = (0..executions).map(push).collect();
        let set_up = SetUp {
            pipelines,
            is_app: false,
            deployments: false,
            slowest: Duration::from_millis(60),
            workers,
            batch_window: Duration::from_secs(1),
            is_shuffled: true,
        };
        Self { seed: executions as u64, set_up, incidents }
    }
}

/// What following a crowd took.
#[derive(Debug, Default)]
pub struct Crowd {
    /// From a change in CodePipeline until GitHub shows it: a stage has begun, or the execution has ended. In order.
    pub lags: Vec<Duration>,
    /// Changes that GitHub never showed, for the next one was there before.
    pub unseen: usize,
    /// The most calls in one minute, by service.
    pub busiest: BTreeMap<&'static str, u64>,
    /// The most messages on the queue at the same time.
    pub messages: usize,
    /// What the process held in memory at the end of each minute, in bytes, where the system says so.
    pub resident: Vec<u64>,
    calls: BTreeMap<(&'static str, u64), u64>,
    /// When GitHub showed first that a stage was under way, or the end, by execution and context.
    shown: BTreeMap<(String, String), Timestamp>,
    counted: Timestamp,
    minute: u64,
}

impl Crowd {
    pub(super) fn call(&mut self, service: &'static str, at: Timestamp) {
        *self.calls.entry((service, minute(at))).or_default() += 1;
    }

    pub(super) fn told(&mut self, told: &Told) {
        let Some(execution) = &told.execution else { return };
        let is_end = told.state != State::Pending;
        let is_of_stage = told.context.matches('/').count() > 1;
        if is_of_stage || is_end {
            self.shown.entry((execution.clone(), told.context.clone())).or_insert(told.at);
        }
    }

    pub(super) fn look(&mut self, world: &mut World) {
        let now = world.now();
        if now.since(self.counted) < COUNTED_EVERY {
            return;
        }
        self.counted = now;
        self.messages = self.messages.max(world.queues().bodies(QUEUE).len());
        if minute(now) > self.minute {
            self.minute = minute(now);
            self.resident.extend(resident());
        }
    }

    /// Compares what GitHub was told with what has happened.
    pub(super) fn finish(mut self, world: &mut World, pipelines: &[PipelinePlan]) -> Self {
        for ((service, _), count) in &self.calls {
            let busiest = self.busiest.entry(service).or_default();
            *busiest = (*busiest).max(*count);
        }
        for pipeline in pipelines {
            let own = format!("codepipeline/{}", pipeline.name);
            for execution in world.pipelines().executions(&pipeline.name) {
                let stages =
                    execution.stages.iter().filter_map(|stage| Some((format!("{own}/{}", stage.name), stage.started?)));
                for (context, changed) in stages.chain([(own.clone(), execution.updated)]) {
                    match self.shown.get(&(execution.id.clone(), context)) {
                        Some(shown) => self.lags.push(shown.since(changed)),
                        None => self.unseen += 1,
                    }
                }
            }
        }
        self.lags.sort();
        self
    }

    /// The lag that this share of the changes, of a thousand, does not exceed.
    pub fn lag(&self, of_a_thousand: usize) -> Duration {
        let at = (self.lags.len() * of_a_thousand).div_ceil(1000).saturating_sub(1);
        self.lags.get(at).copied().unwrap_or_default()
    }
}

fn minute(at: Timestamp) -> u64 {
    at.since(BEGINNING).as_secs() / 60
}

/// The memory of this process that is in use, as Linux tells it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
