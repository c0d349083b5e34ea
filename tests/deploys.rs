//! A green status means that the commit runs: what builds and rollouts do, over the wire, above all where CodePipeline says
//! the opposite.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::time::Duration;

use common::Scene;
use pipehook::local::sample;
use pipehook::standin::{
    ActionSpec, Answered, Build, BuildPhase, Cause, CircuitBreaker, EventFault, Fault, PipelineSpec, Release, Rollout,
    Script, ServiceSpec, StageSpec, Strategy, When,
};

/// A push to the sample pipeline whose deploy goes like this, with a service like that.
async fn deploying(rollout: Rollout, service: impl Fn(ServiceSpec) -> ServiceSpec) -> (Scene, String) {
    deploying_with(sample::ROUTES, rollout, service).await
}

async fn deploying_with(
    routes: &str,
    rollout: Rollout,
    service: impl Fn(ServiceSpec) -> ServiceSpec,
) -> (Scene, String) {
    let scene = Scene::with(routes, PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY)).await;
    {
        let mut world = scene.local.world();
        world.services().create(service(ServiceSpec::new("staging", sample::PIPELINE)));
        world.pipelines().script(sample::PIPELINE, Script::new().on("Staging", "Deploy", rollout));
    }
    let sha = scene.push("Say hello").await;
    (scene, sha)
}

/// Minutes that have passed since the deploy action began.
fn minutes_of_the_deploy(scene: &Scene) -> u64 {
    let execution = scene.newest_execution();
    let mut world = scene.local.world();
    let executions = world.pipelines().executions(sample::PIPELINE);
    let began = executions.into_iter().find(|one| one.id == execution).unwrap().started + Duration::from_secs(93);
    scene.now().since(began).as_secs() / 60
}

#[tokio::test]
async fn a_build_tells_its_phases_and_a_rollout_its_tasks() {
    let (scene, sha) = deploying(Rollout::succeeds(120), |service| service).await;
    scene.run().await;
    insta::assert_snapshot!(scene.posted(), @"
    6d995db codepipeline/node-server pending: Source in progress
    6d995db codepipeline/node-server/Source pending: Source in progress
    6d995db codepipeline/node-server pending: In progress
    6d995db codepipeline/node-server/Source success: Source succeeded in 3 s
    6d995db codepipeline/node-server/Build pending: Build in progress
    6d995db codepipeline/node-server/Build pending: Build: PRE_BUILD
    6d995db codepipeline/node-server/Build pending: Build: BUILD
    6d995db codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    6d995db codepipeline/node-server/Staging pending: Staging: Deploy in progress
    6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 1 of 2 tasks on :42
    6d995db codepipeline/node-server/Staging success: Staging succeeded in 2 m 5 s; node-server:42 runs since 22:03 UTC
    6d995db codepipeline/node-server success: Deployed 6d995db to staging in 3 m 38 s; node-server:42 runs since 22:03 UTC
    ");
    scene.assert_truth();
    assert_eq!(scene.posts(&sha, "codepipeline/node-server/Staging"), 3);
}

#[tokio::test]
async fn a_phase_that_lasts_says_for_how_long() {
    let pipeline = PipelineSpec::new(sample::PIPELINE)
        .stage(StageSpec::new("Source", [ActionSpec::github_source("Source", sample::REPOSITORY, "main")]))
        .stage(StageSpec::new("Build", [ActionSpec::code_build("docker-build", "node-server")]));
    let scene = Scene::with(sample::ROUTES, pipeline).await;
    // Nobody is told of it before the chain's own look.
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let build = Build::succeeds(20 * 60);
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Build", "docker-build", build));
    let sha = scene.push("Build for long").await;
    scene.run().await;
    let of_stage = scene.posted().lines().filter(|line| line.contains("/Build")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(of_stage.replace(&sha[..7], "…"), @"
    … codepipeline/node-server/Build pending: Build: docker-build in progress
    … codepipeline/node-server/Build pending: Build: docker-build, PROVISIONING for 1 m 8 s
    … codepipeline/node-server/Build pending: Build: docker-build, PRE_BUILD for 8 s
    … codepipeline/node-server/Build success: Build succeeded in 20 m
    ");
}

#[tokio::test]
async fn a_failed_build_names_the_phase_the_command_and_its_exit_status() {
    let scene = Scene::new().await;
    let build = Build::fails(60, BuildPhase::PreBuild, "docker login registry.example.com", 1).and_fails(
        BuildPhase::UploadArtifacts,
        "CLIENT_ERROR",
        "no matching artifact paths found",
    );
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Build", "Build", build));
    let sha = scene.push("Log in").await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Build failed in PRE_BUILD: exit status 1 (docker login registry.example.com)
    codepipeline/node-server/Build failure: Build failed in PRE_BUILD: exit status 1 (docker login registry.example.com)
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

#[tokio::test]
async fn of_a_batch_the_failing_build_is_named() {
    let pipeline = PipelineSpec::new(sample::PIPELINE)
        .stage(StageSpec::new("Source", [ActionSpec::github_source("Source", sample::REPOSITORY, "main")]))
        .stage(StageSpec::new("Build", [ActionSpec::code_build("Build", "node-server").with("BatchEnabled", "true")]));
    let scene = Scene::with(sample::ROUTES, pipeline).await;
    let build = Build::fails(60, BuildPhase::Build, "make test", 2).in_groups(&["amd64", "arm64"]);
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Build", "Build", build));
    let sha = scene.push("Build twice").await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Build failed in arm64, BUILD: exit status 2 (make test)
    codepipeline/node-server/Build failure: Build failed in arm64, BUILD: exit status 2 (make test)
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

/// The circuit breaker fires after two minutes; CodePipeline's action would wait for an hour.
#[tokio::test]
async fn a_rollout_that_the_circuit_breaker_ends_is_told_at_once() {
    let (scene, sha) =
        deploying(Rollout::fails(120, Cause::ImageNotFound).action_times_out(60), |service| service).await;
    scene.run_until(|scene| scene.shows(&sha).contains("Rollout failed")).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rollout failed: tasks failed (3 of 3); rolling back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rollout failed: tasks failed (3 of 3); rolling back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    ");
    let told_after = minutes_of_the_deploy(&scene);
    let action = scene.executions().pop().unwrap();
    assert_eq!(action.1, "InProgress", "CodePipeline still says that it goes on");
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rolled back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rolled back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    ");
    let ended_after = minutes_of_the_deploy(&scene);
    assert_eq!((told_after, ended_after), (2, 60));
    scene.assert_quiet_contexts();
}

#[tokio::test]
async fn why_tasks_stop_is_told() {
    let mut told = Vec::new();
    for cause in [Cause::ImageNotFound, Cause::Exits(137), Cause::LoadBalancerHealth, Cause::ContainerHealth] {
        let (scene, sha) = deploying(Rollout::fails(60, cause).action_times_out(5), |service| service).await;
        scene.run().await;
        told.extend(scene.shows(&sha).lines().filter(|line| line.contains("/Staging")).map(str::to_owned));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    codepipeline/node-server/Staging failure: Rolled back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    codepipeline/node-server/Staging failure: Rolled back to :41; node-server exited with 137
    codepipeline/node-server/Staging failure: Rolled back to :41; failed the load balancer's health checks
    codepipeline/node-server/Staging failure: Rolled back to :41; failed its own health check
    ");
}

/// The service is steady on the old revision, so CodePipeline's action succeeds.
#[tokio::test]
async fn a_rollback_is_a_failure_though_the_action_succeeds() {
    let rollout = Rollout::fails(60, Cause::Exits(1)).rolls_back_in(30).action_succeeds(100);
    let (scene, sha) = deploying(rollout, |service| service).await;
    scene.run().await;
    assert_eq!(scene.executions().pop().unwrap().1, "Succeeded");
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rolled back to :41; node-server exited with 1
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rolled back to :41; node-server exited with 1
    ");
}

/// No interleaving of events, wake-ups and CodePipeline's own result makes a success of a rollback, not even for a moment.
#[tokio::test]
async fn a_rollback_is_a_success_in_no_interleaving() {
    let events =
        [None, Some(EventFault::Drop), Some(EventFault::Duplicate), Some(EventFault::Delay(Duration::from_secs(45)))];
    for (nth, fault) in events.into_iter().enumerate() {
        for (breaker, back, action) in [(30, 20, 45), (30, 20, 52), (30, 20, 90), (60, 40, 61), (60, 5, 240)] {
            for new_ids in [false, true] {
                let rollout = Rollout::fails(breaker, Cause::Exits(1)).rolls_back_in(back).action_succeeds(action);
                let (scene, sha) = deploying(rollout, |service| match new_ids {
                    true => service.rollback_with_new_id(),
                    false => service,
                })
                .await;
                scene.local.world().queues().shuffle(true);
                if let Some(fault) = fault {
                    scene.local.world().faults().events(When::PerMille(500), fault);
                }
                // A worker may be far behind, too.
                scene.run_for(Duration::from_secs(93 + 25 * nth as u64)).await;
                scene.wait_for_a_message();
                scene.overtake_at_call(1 + nth * 2).await;
                scene.run().await;
                let posted = scene.posted();
                let lies = posted.lines().filter(|line| {
                    let whole_or_stage = line.contains("node-server success") || line.contains("Staging success");
                    whole_or_stage && line.starts_with(&sha[..7])
                });
                assert_eq!(lies.count(), 0, "{fault:?} {breaker} {back} {action} {new_ids}:\n{posted}");
                let shown = scene.shows(&sha);
                assert!(shown.contains("codepipeline/node-server failure: Roll"), "{shown}");
            }
        }
    }
}

/// A run that pipehook did not start, and whose events all come so late; the commit that it builds.
async fn released_with_late_events(rollout: Rollout, late: u64) -> (Scene, String) {
    let (scene, _) = deploying(rollout.clone(), |service| service).await;
    scene.run().await;
    let sha = sample::sha("By hand");
    let now = scene.now();
    {
        let mut world = scene.local.world();
        world.faults().events(When::Always, EventFault::Delay(Duration::from_secs(late)));
        world.pipelines().set_head(sample::PIPELINE, &sha);
        world.pipelines().release_change(now, sample::PIPELINE, Release::StartPipelineExecution).unwrap();
    }
    scene.run().await;
    (scene, sha)
}

#[tokio::test]
async fn a_success_that_ecs_is_still_at_work_on_is_followed_by_whoever_hears_of_it_first() {
    let rollout = Rollout::fails(150, Cause::Exits(1)).rolls_back_in(30).action_succeeds(20);
    let (scene, sha) = released_with_late_events(rollout, 120).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rollout failed: tasks failed (3 of 3); rolling back to :41; node-server exited with 1
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rollout failed: tasks failed (3 of 3); rolling back to :41; node-server exited with 1
    ");
}

#[tokio::test]
async fn a_run_is_told_though_it_was_over_before_anybody_heard_of_it() {
    let rollout = Rollout::succeeds(60).overtaken_after(30);
    let (scene, sha) = released_with_late_events(rollout, 20 * 60).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server success: Deployed 573ad12 to staging in 2 m 38 s
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 1 m 5 s
    ");
}

#[tokio::test]
async fn without_a_circuit_breaker_failing_tasks_are_told_all_the_same() {
    let rollout = Rollout::fails(60, Cause::Exits(1)).action_times_out(20);
    let (scene, sha) = deploying(rollout, |service| service.circuit_breaker(CircuitBreaker::Off)).await;
    scene.run_until(|scene| scene.shows(&sha).contains("Staging failure")).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rollout is failing: tasks fail (3 of 3), without a circuit breaker; node-server exited with 1
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rollout is failing: tasks fail (3 of 3), without a circuit breaker; node-server exited with 1
    ");
    assert_eq!(minutes_of_the_deploy(&scene), 1);
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rollout is failing: tasks fail (3 of 3), without a circuit breaker; node-server exited with 1
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rollout is failing: tasks fail (3 of 3), without a circuit breaker; node-server exited with 1
    ");
}

#[tokio::test]
async fn tasks_that_fail_and_come_up_in_the_end_are_a_success() {
    let rollout = Rollout::recovers(180, Cause::Exits(1), 2);
    let (scene, sha) = deploying(rollout, |service| service).await;
    scene.run().await;
    insta::assert_snapshot!(scene.posted().lines().filter(|line| line.contains("/Staging")).collect::<Vec<_>>().join("\n"), @"
    6d995db codepipeline/node-server/Staging pending: Staging: Deploy in progress
    6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 1 of 2 tasks on :42
    6d995db codepipeline/node-server/Staging success: Staging succeeded in 3 m 5 s; node-server:42 runs since 22:04 UTC
    ");
    assert!(scene.shows(&sha).contains("node-server success: Deployed"));
}

#[tokio::test]
async fn a_first_deploy_that_fails_has_nothing_to_go_back_to() {
    let rollout = Rollout::fails(60, Cause::ImageNotFound).action_times_out(10);
    let (scene, sha) = deploying(rollout, ServiceSpec::never_deployed).await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rollout failed: tasks failed to start (3 of 3); can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rollout failed: tasks failed to start (3 of 3); can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    ");
}

#[tokio::test]
async fn strategies_with_stages_are_told_by_their_history() {
    let mut told = Vec::new();
    for strategy in [Strategy::BlueGreen, Strategy::Linear, Strategy::Canary] {
        let (scene, sha) = deploying(Rollout::succeeds(120), |service| service.strategy(strategy)).await;
        scene.run().await;
        told.extend(
            scene.posted().lines().filter(|line| line.contains("/Staging")).map(|line| format!("{strategy:?} {line}")),
        );
        assert!(scene.shows(&sha).contains("node-server success: Deployed"), "{}", scene.shows(&sha));
        let failing = Rollout::fails(60, Cause::LoadBalancerHealth).action_succeeds(150);
        let (scene, sha) = deploying(failing, |service| service.strategy(strategy)).await;
        scene.run().await;
        told.extend(
            scene
                .shows(&sha)
                .lines()
                .filter(|line| line.contains("/Staging"))
                .map(|line| format!("{strategy:?} {line}")),
        );
        assert!(scene.shows(&sha).contains("codepipeline/node-server failure"), "{}", scene.shows(&sha));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    BlueGreen 6d995db codepipeline/node-server/Staging pending: Staging: Deploy in progress
    BlueGreen 6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 0 of 2 tasks on :42, scale up
    BlueGreen 6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 2 of 2 tasks on :42
    BlueGreen 6d995db codepipeline/node-server/Staging success: Staging succeeded in 2 m 5 s; node-server:42 runs since 22:03 UTC
    BlueGreen codepipeline/node-server/Staging failure: Rolled back to :41; failed the load balancer's health checks
    Linear 6d995db codepipeline/node-server/Staging pending: Staging: Deploy in progress
    Linear 6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 0 of 2 tasks on :42, scale up
    Linear 6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 2 of 2 tasks on :42
    Linear 6d995db codepipeline/node-server/Staging success: Staging succeeded in 2 m 5 s; node-server:42 runs since 22:03 UTC
    Linear codepipeline/node-server/Staging failure: Rolled back to :41; failed the load balancer's health checks
    Canary 6d995db codepipeline/node-server/Staging pending: Staging: Deploy in progress
    Canary 6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 0 of 2 tasks on :42, scale up
    Canary 6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 2 of 2 tasks on :42
    Canary 6d995db codepipeline/node-server/Staging success: Staging succeeded in 2 m 5 s; node-server:42 runs since 22:03 UTC
    Canary codepipeline/node-server/Staging failure: Rolled back to :41; failed the load balancer's health checks
    ");
}

#[tokio::test]
async fn a_newer_deploy_right_after_ours_is_no_rollback() {
    let rollout = Rollout::succeeds(60).overtaken_after(62);
    let (scene, sha) = deploying(rollout, |service| service).await;
    scene.run().await;
    assert!(scene.shows(&sha).contains("codepipeline/node-server success: Deployed"), "{}", scene.shows(&sha));
}

#[tokio::test]
async fn a_failed_rollout_is_stopped_where_the_route_says_so() {
    let routes = format!("{}stop_failed_rollout = true\n", sample::ROUTES);
    let rollout = Rollout::fails(60, Cause::Exits(1)).action_times_out(60);
    let (scene, sha) = deploying_with(&routes, rollout, |service| service).await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Rollout failed: tasks failed (3 of 3); rolling back to :41; node-server exited with 1
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Rollout failed: tasks failed (3 of 3); rolling back to :41; node-server exited with 1
    ");
    assert_eq!(scene.executions().pop().unwrap().1, "Stopped");
    assert_eq!(scene.calls("StopPipelineExecution"), 1);
}

/// Without a circuit breaker nobody knows yet that it has failed.
#[tokio::test]
async fn a_rollout_that_may_recover_is_not_stopped() {
    let routes = format!("{}stop_failed_rollout = true\n", sample::ROUTES);
    let rollout = Rollout::fails(60, Cause::Exits(1)).action_times_out(20);
    let (scene, sha) = deploying_with(&routes, rollout, |service| service.circuit_breaker(CircuitBreaker::Off)).await;
    scene.run().await;
    assert!(scene.shows(&sha).contains("Staging failure: Rollout is failing"), "{}", scene.shows(&sha));
    assert_eq!(scene.executions().pop().unwrap().1, "Failed");
    assert_eq!(scene.calls("StopPipelineExecution"), 0);
}

#[tokio::test]
async fn a_retry_of_a_failed_rollout_starts_over() {
    let scene = Scene::new().await;
    let script = Script::new()
        .on_attempt("Staging", "Deploy", 1, Rollout::fails(60, Cause::Exits(1)).action_fails(120, "did not stabilise"))
        .on_attempt("Staging", "Deploy", 2, Rollout::succeeds(60));
    scene.local.world().pipelines().script(sample::PIPELINE, script);
    let sha = scene.push("Try again").await;
    scene.run().await;
    assert!(
        scene.shows(&sha).contains("codepipeline/node-server failure: Rolled back to :41"),
        "{}",
        scene.shows(&sha)
    );
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().retry(now, &execution, "Staging", false));
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server success: Deployed d8b8392 to staging in 5 m 8 s; node-server:43 runs since 22:05 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 1 m 5 s; node-server:43 runs since 22:05 UTC
    ");
}

/// Where ECS can't be read, runs are followed on CodePipeline's word, and a lasting outage does not leave them pending.
#[tokio::test]
async fn without_ecs_codepipelines_word_has_to_do() {
    for fault in [Fault::AccessDenied, Fault::ServerError, Fault::LostBefore] {
        let scene = Scene::new().await;
        scene.local.world().faults().add("ecs", "*", When::Always, fault);
        let sha = scene.push("Say hello").await;
        scene.run().await;
        let shown = scene.shows(&sha);
        assert!(shown.contains("codepipeline/node-server success: Deployed"), "{fault:?}: {shown}");
    }
}

#[tokio::test]
async fn an_outage_of_ecs_in_the_middle_hides_no_failure() {
    for fault in [Fault::ServerError, Fault::AccessDenied] {
        for action in [200, 400] {
            let rollout = Rollout::fails(60, Cause::Exits(1)).rolls_back_in(20).action_succeeds(action);
            let (scene, sha) = deploying(rollout, |service| service).await;
            scene.run_for(Duration::from_secs(93 + 40)).await;
            scene.local.world().faults().add("ecs", "*", When::Always, fault);
            scene.run_for(Duration::from_secs(300)).await;
            scene.local.world().faults().clear();
            scene.run().await;
            let (shown, posted) = (scene.shows(&sha), scene.posted());
            assert!(shown.contains("codepipeline/node-server failure: Rolled back to :41"), "{fault:?}: {shown}");
            assert!(!posted.contains("Deployed"), "{fault:?}, and the action after {action} s:\n{posted}");
        }
    }
}

#[tokio::test]
async fn an_approval_tells_how_many_newer_commits_wait() {
    let deploy = StageSpec::new(
        "Production",
        [ActionSpec::approval("Approve"), ActionSpec::ecs_deploy("Deploy", "production", "node-server").run_order(2)],
    );
    let scene =
        Scene::with(sample::ROUTES, PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY).stage(deploy)).await;
    let first = scene.push("One").await;
    scene.run_for(Duration::from_secs(600)).await;
    scene.push("Two").await;
    scene.run_for(Duration::from_secs(600)).await;
    insta::assert_snapshot!(scene.shows(&first), @"
    codepipeline/node-server pending: In progress
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Production pending: Production waits for approval of 8b12507; 1 newer commit waits
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ");
    let (now, execution) = (scene.now(), scene.oldest_execution());
    assert!(scene.local.world().pipelines().answer_approval(now, &execution, Answered::Approved, "looks good"));
    // The chain sleeps for up to five minutes while an approval waits; a rollout is looked at every 15 s all the same.
    scene.run_for(Duration::from_secs(40)).await;
    let before = scene.calls("DescribeServices");
    scene.run_for(Duration::from_secs(60)).await;
    assert!(scene.calls("DescribeServices") >= before + 4, "{} looks", scene.calls("DescribeServices") - before);
}
