//! What decorates a report, read from the stand-ins over the wire.

// Scenes are set up outside of tests' functions.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::clock::Clock;
use crate::domain::execution::{ExecutionStatus, StageStatus};
use crate::domain::reading::Source;
use crate::local::{Local, Setup, sample};
use crate::standin::{Build as BuildSpec, BuildPhase, Fault, PipelineSpec, Release, Rollout as RolloutSpec, Script};
use crate::standin::{ServiceSpec, When};

const ALL: Extras = Extras { address: true, log: true };

/// An execution of the sample pipeline that has run for ten minutes.
struct Scene {
    local: Local,
    now: Arc<AtomicU64>,
    execution: String,
}

impl Scene {
    async fn new(service: impl FnOnce(ServiceSpec) -> ServiceSpec, script: Script) -> Self {
        let now = Arc::new(AtomicU64::new(1_769_292_000_000));
        let clock = now.clone();
        let clock = Clock::from_fn(move || Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        let setup = Setup { routes: sample::ROUTES, webhook_secret: "secret", github_token: "token" };
        let local = Local::start(0, clock, &setup).await.unwrap();
        let began = local.clock().now();
        let execution = {
            let mut world = local.world();
            world.pipelines().create(PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY));
            world.pipelines().script(sample::PIPELINE, script);
            world.services().create(service(ServiceSpec::new("staging", sample::PIPELINE)));
            world.pipelines().release_change(began, sample::PIPELINE, Release::WebhookV2).unwrap()
        };
        let scene = Self { local, now, execution };
        scene.wait(Duration::from_secs(600));
        scene
    }

    fn wait(&self, time: Duration) {
        let until = self.local.clock().now() + time;
        while let Some(next) = { self.local.world().next_change() }.filter(|next| *next <= until) {
            self.local.world().advance(next);
        }
        self.now.store(until.as_millis(), Ordering::SeqCst);
    }

    async fn read(&self, known: &[KnownRollout], extras: Extras) -> Reading {
        let worker = &self.local.worker;
        worker.read(sample::PIPELINE, &self.execution, Some("Source"), known, extras).await.unwrap()
    }

    /// The address of what was deployed.
    async fn address(&self) -> Option<String> {
        let reading = self.read(&[], ALL).await;
        reading.actions.iter().find_map(ActionRun::rollout).and_then(|rollout| rollout.address.clone())
    }

    /// How often a service was asked something.
    fn calls(&self, service: &str) -> usize {
        self.local.world().journal().iter().filter(|call| call.service == service).count()
    }
}

fn deploys() -> Script {
    Script::new().on("Staging", "Deploy", RolloutSpec::succeeds(60))
}

fn build_fails() -> Script {
    let build = BuildSpec::fails(60, BuildPhase::Build, "make test", 1).writes([
        "logging in with ghs_0123456789abcdefghijklmnopqrstuvwxyz",
        "src/server.js:14:3: error: \u{1b}[31munexpected end\u{1b}[0m",
    ]);
    Script::new().on("Build", "Build", build)
}

fn rollout(reading: &Reading) -> &Rollout {
    reading.actions.iter().find_map(ActionRun::rollout).unwrap()
}

fn remembered(reading: &Reading) -> Vec<KnownRollout> {
    reading.actions.iter().filter_map(KnownRollout::of).collect()
}

/// A look may have been cut short: its answer was lost, or its worker was frozen while it waited for it.
#[tokio::test]
async fn of_a_success_that_ecs_does_not_answer_about_the_second_look_believes_codepipeline() {
    let scene = Scene::new(|service| service, deploys()).await;
    let fails = |fault| scene.local.world().faults().add("ecs", "*", When::Always, fault);
    fails(Fault::ServerError);
    let first = scene.read(&[], ALL).await;
    assert!(rollout(&first).is_held_back(), "{first:?}");
    let second = scene.read(&remembered(&first), ALL).await;
    assert_eq!(rollout(&second).progress, Progress::Unconfirmed);
    scene.local.world().faults().clear();
    let answered = scene.read(&remembered(&first), ALL).await;
    assert!(matches!(rollout(&answered).progress, Progress::Runs { .. }), "{answered:?}");
    // Who may not ask ECS never will.
    fails(Fault::AccessDenied);
    for known in [Vec::new(), remembered(&first)] {
        assert_eq!(rollout(&scene.read(&known, ALL).await).progress, Progress::Unreadable);
    }
}

#[tokio::test]
async fn a_stage_of_a_stopped_run_that_was_through_has_succeeded_though_the_pipelines_view_can_not_be_read() {
    let mut scene = Scene::new(|service| service, deploys()).await;
    let now = scene.local.clock().now();
    scene.local.world().pipelines().hold(now, sample::PIPELINE, "Build", "Frozen");
    scene.execution =
        scene.local.world().pipelines().release_change(now, sample::PIPELINE, Release::WebhookV2).unwrap();
    scene.wait(Duration::from_secs(60));
    let now = scene.local.clock().now();
    assert!(scene.local.world().pipelines().stop(now, &scene.execution, false, "Not this one"));
    scene.local.world().faults().add("codepipeline", "GetPipelineState", When::Always, Fault::AccessDenied);
    let snapshot = scene.read(&[], ALL).await.snapshot(Source { action: Some("Source"), repository: None });
    let stages = snapshot.stages.iter().map(|stage| (stage.name.as_str(), stage.status.clone()));
    assert_eq!(snapshot.status, ExecutionStatus::Stopped);
    assert_eq!(stages.collect::<Vec<_>>(), [("Source", StageStatus::Succeeded)]);
}

#[tokio::test]
async fn a_service_behind_a_load_balancer_is_at_its_address() {
    let https = Scene::new(|service| service.behind_load_balancer(443), deploys()).await;
    let address = https.address().await;
    assert_eq!(address.as_deref(), Some("https://node-server-1234567890.us-east-1.elb.amazonaws.com"));
    let http = Scene::new(|service| service.behind_load_balancer(8080), deploys()).await;
    let address = http.address().await;
    assert_eq!(address.as_deref(), Some("http://node-server-1234567890.us-east-1.elb.amazonaws.com:8080"));
}

#[tokio::test]
async fn a_task_with_a_public_address_is_the_services_where_nothing_is_before_it() {
    let public = Scene::new(|service| service, deploys()).await;
    let address = public.address().await.unwrap();
    let (ip, port) = address.strip_prefix("http://").unwrap().split_once(':').unwrap();
    assert!(!ip.parse::<std::net::Ipv4Addr>().unwrap().is_private() && port == "8080", "{address}");
    let private = Scene::new(ServiceSpec::private, deploys()).await;
    assert_eq!(private.address().await, None);
}

#[tokio::test]
async fn an_address_is_asked_for_once_it_runs_and_not_for_ever() {
    let scene = Scene::new(ServiceSpec::private, deploys()).await;
    let reading = scene.read(&[], ALL).await;
    let known = remembered(&reading);
    let asked = scene.calls("ec2");
    assert_eq!(asked, 1);
    scene.wait(Duration::from_secs(600));
    scene.read(&known, ALL).await;
    assert_eq!(scene.calls("ec2"), asked);
}

#[tokio::test]
async fn an_address_that_was_found_stays() {
    let scene = Scene::new(|service| service.behind_load_balancer(80), deploys()).await;
    let reading = scene.read(&[], ALL).await;
    let known = remembered(&reading);
    let asked = scene.calls("elbv2");
    assert_eq!(asked, 3);
    let again = scene.read(&known, ALL).await;
    assert_eq!(scene.calls("elbv2"), asked);
    let address = again.actions.iter().find_map(ActionRun::rollout).unwrap().address.as_deref();
    assert_eq!(address, Some("http://node-server-1234567890.us-east-1.elb.amazonaws.com"));
}

#[tokio::test]
async fn the_end_of_a_failed_builds_log_is_read_and_masked() {
    let scene = Scene::new(|service| service, build_fails()).await;
    let reading = scene.read(&[], ALL).await;
    let log = &reading.actions.iter().find_map(ActionRun::build).unwrap().log;
    let written = log.lines.iter().filter(|line| !line.starts_with("[Container]"));
    assert_eq!(written.collect::<Vec<_>>(), ["logging in with ***", "src/server.js:14:3: error: unexpected end"]);
    assert!(log.lines.last().unwrap().ends_with("Phase complete: BUILD State: FAILED"), "{:?}", log.lines);
    let [annotation] = log.annotations.as_slice() else { panic!("{:?}", log.annotations) };
    assert_eq!((annotation.path.as_str(), annotation.line), ("src/server.js", 14));
}

#[tokio::test]
async fn what_nobody_wants_is_not_asked_for() {
    let deployed = Scene::new(|service| service, deploys()).await;
    deployed.read(&[], Extras::default()).await;
    let failed = Scene::new(|service| service, build_fails()).await;
    failed.read(&[], Extras::default()).await;
    assert_eq!((deployed.calls("ec2"), deployed.calls("elbv2"), failed.calls("logs")), (0, 0, 0));
}

#[tokio::test]
async fn what_can_not_be_read_is_left_out_and_costs_one_attempt() {
    let faults = [
        Fault::Throttle,
        Fault::ServerError,
        Fault::BadGateway,
        Fault::Nonsense,
        Fault::LostBefore,
        Fault::AccessDenied,
        Fault::Unauthorized,
        Fault::NotFound,
    ];
    let deployed = Scene::new(|service| service.behind_load_balancer(443), deploys()).await;
    let failed = Scene::new(|service| service, build_fails()).await;
    for fault in faults {
        for scene in [&deployed, &failed] {
            let mut world = scene.local.world();
            world.faults().clear();
            for service in ["ec2", "elbv2", "logs"] {
                world.faults().add(service, "*", When::Always, fault);
            }
            world.clear_journal();
        }
        let reading = deployed.read(&[], ALL).await;
        let rollout = reading.actions.iter().find_map(ActionRun::rollout).unwrap();
        assert!(rollout.address.is_none() && rollout.is_decided(), "{fault:?}: {rollout:?}");
        let reading = failed.read(&[], ALL).await;
        let build = reading.actions.iter().find_map(ActionRun::build).unwrap();
        assert!(build.log.lines.is_empty() && build.failure.is_some(), "{fault:?}: {build:?}");
        assert_eq!((deployed.calls("elbv2"), failed.calls("logs")), (1, 1), "{fault:?}");
    }
}
