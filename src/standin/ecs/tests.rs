//! Stories about rollouts: at which moment DescribeServices says what.

use serde_json::{Value, json};

use super::*;
use crate::standin::World;
use crate::standin::codepipeline::{ActionSpec, Outcome, PipelineSpec, Release, Script, StageSpec};
use crate::standin::story::{self, Told};

/// When the deploy action begins: the source takes three seconds.
const START: Timestamp = Timestamp::from_secs(1_769_292_000);
const PIPELINE: Timestamp = Timestamp::from_secs(1_769_292_000 - 3);

fn after(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

fn service() -> ServiceSpec {
    ServiceSpec::new("staging", "app")
}

/// A world whose pipeline deploys to a service, with what the rollout does.
fn world(spec: ServiceSpec, rollout: impl Into<Outcome>) -> Told {
    let mut world = Told(World::new(PIPELINE, 1));
    world.services().create(spec);
    let source = ActionSpec::github_source("Source", "octo-org/app", "main");
    let deploy = ActionSpec::ecs_deploy("Deploy", "staging", "app");
    let stages = PipelineSpec::new("app").stage(StageSpec::new("Source", [source]));
    world.pipelines().create(stages.stage(StageSpec::new("Staging", [deploy])));
    world.pipelines().script("app", Script::new().on("Staging", "Deploy", rollout));
    world.pipelines().release_change(PIPELINE, "app", Release::WebhookV2).unwrap();
    world
}

fn ask(world: &mut World, seconds: u64, operation: &str, body: Value) -> Result<Value, String> {
    story::ask(world, after(seconds), &format!("AmazonEC2ContainerServiceV20141113.{operation}"), &body)
}

fn describe(world: &mut World, seconds: u64) -> Value {
    let body = json!({"cluster": "staging", "services": ["app"]});
    ask(world, seconds, "DescribeServices", body).unwrap()["services"][0].take()
}

fn number(task_definition: &Value) -> String {
    format!(":{}", task_definition.as_str().unwrap().rsplit(':').next().unwrap())
}

/// The deployments of a service as `PRIMARY :42 IN_PROGRESS 1 of 2, 1 pending, 0 failed`.
fn deployments(service: &Value) -> Vec<String> {
    let line = |one: &Value| {
        let text = |member: &str| one[member].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {} {} of {}, {} pending, {} failed",
            text("status"),
            number(&one["taskDefinition"]),
            text("rolloutState"),
            one["runningCount"],
            one["desiredCount"],
            one["pendingCount"],
            one["failedTasks"],
        )
    };
    service["deployments"].as_array().unwrap().iter().map(line).collect()
}

/// At each of these moments the service says this of its deployments.
fn tells(world: &mut World, story: &[(u64, &[&str])]) {
    for (seconds, lines) in story {
        assert_eq!(deployments(&describe(world, *seconds)), *lines, "after {seconds} s");
    }
}

/// What became of the action until then.
fn action(world: &mut World, seconds: u64) -> &'static str {
    world.advance(after(seconds));
    world.pipelines().executions("app")[0].stage("Staging").unwrap()
}

/// The service deployments, newest first, as `STATUS lifecycle stage, statusReason`.
fn releases(world: &mut World, seconds: u64) -> Vec<Value> {
    let body = json!({"cluster": "staging", "service": "app"});
    let list = ask(world, seconds, "ListServiceDeployments", body).unwrap();
    let arns: Vec<_> =
        list["serviceDeployments"].as_array().unwrap().iter().map(|one| &one["serviceDeploymentArn"]).collect();
    let answer = ask(world, seconds, "DescribeServiceDeployments", json!({"serviceDeploymentArns": arns})).unwrap();
    answer["serviceDeployments"].as_array().unwrap().clone()
}

/// The task definition of a service revision.
fn revision(world: &mut World, seconds: u64, arn: &Value) -> String {
    let answer = ask(world, seconds, "DescribeServiceRevisions", json!({"serviceRevisionArns": [arn]})).unwrap();
    number(&answer["serviceRevisions"][0]["taskDefinition"])
}

/// The newest events, oldest first, without ids.
fn events(service: &Value, count: usize) -> Vec<String> {
    let newest = service["events"].as_array().unwrap().iter().take(count);
    let mut messages: Vec<_> = newest.map(|event| event["message"].as_str().unwrap().to_owned()).collect();
    messages.reverse();
    messages
}

fn tasks(world: &mut World, seconds: u64, filter: Value) -> Vec<Value> {
    let mut body = json!({"cluster": "staging"});
    body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
    let list = ask(world, seconds, "ListTasks", body).unwrap();
    if list["taskArns"] == json!([]) {
        return Vec::new();
    }
    let body = json!({"cluster": "staging", "tasks": list["taskArns"]});
    ask(world, seconds, "DescribeTasks", body).unwrap()["tasks"].as_array().unwrap().clone()
}

#[test]
fn a_service_is_there_with_its_pipeline() {
    let mut world = Told(World::new(PIPELINE, 1));
    world.pipelines().create(PipelineSpec::classic("app", "octo-org/app"));
    let service = describe(&mut world, 0);
    assert_eq!(deployments(&service), ["PRIMARY :41 COMPLETED 2 of 2, 0 pending, 0 failed"]);
    assert!(service["deployments"][0]["createdAt"].as_f64().unwrap() < START.as_secs() as f64 - 3600.0);
    let id = service["deployments"][0]["id"].as_str().unwrap();
    assert!(id.len() == 27 && id.starts_with("ecs-svc/"), "{id}");
    assert_eq!(service["deployments"][0]["rolloutStateReason"], format!("ECS deployment {id} completed."));
    assert_eq!(releases(&mut world, 0)[0]["status"], "SUCCESSFUL");
}

#[test]
fn tasks_of_a_new_revision_come_up_one_by_one() {
    let mut world = world(service(), Rollout::succeeds(92));
    tells(
        &mut world,
        &[
            (1, &["PRIMARY :41 COMPLETED 2 of 2, 0 pending, 0 failed"]),
            (
                2,
                &[
                    "PRIMARY :42 IN_PROGRESS 0 of 2, 1 pending, 0 failed",
                    "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            (
                40,
                &[
                    "PRIMARY :42 IN_PROGRESS 1 of 2, 1 pending, 0 failed",
                    "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            (
                50,
                &[
                    "PRIMARY :42 IN_PROGRESS 1 of 2, 1 pending, 0 failed",
                    "ACTIVE :41 COMPLETED 1 of 1, 0 pending, 0 failed",
                ],
            ),
            (
                70,
                &[
                    "PRIMARY :42 IN_PROGRESS 2 of 2, 0 pending, 0 failed",
                    "ACTIVE :41 COMPLETED 1 of 1, 0 pending, 0 failed",
                ],
            ),
            (92, &["PRIMARY :42 COMPLETED 2 of 2, 0 pending, 0 failed"]),
        ],
    );
    assert_eq!(action(&mut world, 92), "InProgress");
    assert_eq!(action(&mut world, 97), "Succeeded");
    let service = describe(&mut world, 97);
    let id = service["deployments"][0]["id"].as_str().unwrap();
    assert_eq!(
        events(&service, 2),
        [
            format!("(service app) (deployment {id}) deployment completed."),
            "(service app) has reached a steady state.".into()
        ]
    );
    let release = &releases(&mut world, 97)[0];
    assert_eq!(
        (&release["status"], &release["deploymentCircuitBreaker"]["status"]),
        (&json!("SUCCESSFUL"), &json!("MONITORING_COMPLETE"))
    );
    assert_eq!(revision(&mut world, 97, &release["targetServiceRevision"]["arn"]), ":42");
}

#[test]
fn an_action_that_no_script_names_rolls_out_while_it_runs() {
    let mut world = world(service(), Outcome::succeed(150));
    tells(&mut world, &[(145, &["PRIMARY :42 COMPLETED 2 of 2, 0 pending, 0 failed"])]);
    assert_eq!((action(&mut world, 149), action(&mut world, 150)), ("InProgress", "Succeeded"));
    let mut world = self::world(service(), Outcome::fail(20, "JobFailed", "no image definitions"));
    tells(&mut world, &[(30, &["PRIMARY :41 COMPLETED 2 of 2, 0 pending, 0 failed"])]);
    assert_eq!(action(&mut world, 30), "Failed");
    let mut world = self::world(service(), Outcome::Never);
    tells(
        &mut world,
        &[(
            50_000,
            &[
                "PRIMARY :42 IN_PROGRESS 0 of 2, 2 pending, 0 failed",
                "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
            ],
        )],
    );
}

#[test]
fn the_circuit_breaker_fails_the_deployment_and_goes_back_while_the_action_waits_on() {
    let rollout = Rollout::fails(182, Cause::ImageNotFound).rolls_back_in(30).action_succeeds(400);
    let mut world = world(service(), rollout);
    let first = describe(&mut world, 0)["deployments"][0]["id"].clone();
    tells(
        &mut world,
        &[
            (
                61,
                &[
                    "PRIMARY :42 IN_PROGRESS 0 of 2, 1 pending, 0 failed",
                    "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            (
                181,
                &[
                    "PRIMARY :42 IN_PROGRESS 0 of 2, 1 pending, 2 failed",
                    "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            // For a moment the failed deployment is no longer the newest and has not failed either.
            (
                182,
                &[
                    "PRIMARY :41 IN_PROGRESS 2 of 2, 0 pending, 0 failed",
                    "ACTIVE :42 IN_PROGRESS 0 of 0, 0 pending, 3 failed",
                ],
            ),
            (
                185,
                &[
                    "PRIMARY :41 IN_PROGRESS 2 of 2, 0 pending, 0 failed",
                    "ACTIVE :42 FAILED 0 of 0, 0 pending, 3 failed",
                ],
            ),
        ],
    );
    let service = describe(&mut world, 185);
    let (back, failed) = (&service["deployments"][0], &service["deployments"][1]);
    assert_eq!(back["id"], first, "the deployment that is gone back to keeps its id");
    let first = first.as_str().unwrap();
    assert_eq!(
        back["rolloutStateReason"],
        format!("ECS deployment circuit breaker: rolling back to deploymentId {first}.")
    );
    assert_eq!(failed["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
    let id = failed["id"].as_str().unwrap();
    assert_eq!(
        events(&service, 2),
        [
            format!("(service app) (deployment {id}) deployment failed: tasks failed to start."),
            format!("(service app) rolling back to deployment {first}."),
        ]
    );
    assert_eq!(number(&service["taskDefinition"]), ":41");
    let release = &releases(&mut world, 185)[0];
    assert_eq!(release["status"], "ROLLBACK_IN_PROGRESS");
    assert_eq!(release["deploymentCircuitBreaker"], json!({"status": "TRIGGERED", "failureCount": 3, "threshold": 3}));
    assert_eq!(revision(&mut world, 185, &release["rollback"]["serviceRevisionArn"]), ":41");
    // In the end nothing in the list of deployments tells of it, and the history does.
    tells(&mut world, &[(212, &["PRIMARY :41 COMPLETED 2 of 2, 0 pending, 0 failed"])]);
    let service = describe(&mut world, 212);
    assert_eq!(service["deployments"][0]["rolloutStateReason"], format!("ECS deployment {first} completed."));
    let release = &releases(&mut world, 212)[0];
    assert_eq!(release["status"], "ROLLBACK_SUCCESSFUL");
    assert!(release["statusReason"].as_str().unwrap().contains("circuit breaker threshold"));
    assert_eq!(revision(&mut world, 212, &release["targetServiceRevision"]["arn"]), ":42");
    assert_eq!((action(&mut world, 399), action(&mut world, 400)), ("InProgress", "Succeeded"));
}

#[test]
fn stopped_tasks_say_why() {
    let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app/73e2d6bc24d8a067";
    for (cause, code, reason, exit) in [
        (
            Cause::ImageNotFound,
            "TaskFailedToStart",
            "CannotPullContainerError: pull image manifest has been".into(),
            json!(null),
        ),
        (Cause::Exits(3), "EssentialContainerExited", "Essential container in task exited".to_owned(), json!(3)),
        (
            Cause::LoadBalancerHealth,
            "ServiceSchedulerInitiated",
            format!("Task failed ELB health checks in (target-group {group})"),
            json!(143),
        ),
        (Cause::ContainerHealth, "ServiceSchedulerInitiated", "Task failed container health checks".into(), json!(137)),
    ] {
        let mut world = world(service().behind_load_balancer(443), Rollout::fails(92, cause));
        let stopped = tasks(&mut world, 100, json!({"serviceName": "app", "desiredStatus": "STOPPED"}));
        assert_eq!(stopped.len(), 3, "{cause:?}");
        for task in &stopped {
            assert_eq!(task["stopCode"], code);
            assert!(task["stoppedReason"].as_str().unwrap().starts_with(&reason), "{}", task["stoppedReason"]);
            assert_eq!(task["containers"][0]["exitCode"], exit);
            assert_eq!(task["startedAt"].is_null(), cause == Cause::ImageNotFound);
            assert_eq!(number(&task["taskDefinitionArn"]), ":42");
        }
        let unhealthy = if cause == Cause::ContainerHealth { "UNHEALTHY" } else { "UNKNOWN" };
        assert_eq!(stopped[0]["healthStatus"], unhealthy);
        assert!(tasks(&mut world, 3800, json!({"desiredStatus": "STOPPED"})).is_empty(), "after an hour they are gone");
    }
}

#[test]
fn without_a_rollback_the_failed_deployment_stays_and_without_a_breaker_tasks_fail_for_ever() {
    let mut world = world(service().circuit_breaker(CircuitBreaker::On), Rollout::fails(92, Cause::Exits(1)));
    let failed: &[&str] =
        &["PRIMARY :42 FAILED 0 of 2, 0 pending, 3 failed", "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed"];
    tells(&mut world, &[(92, failed), (3000, failed)]);
    assert_eq!(releases(&mut world, 92)[0]["status"], "STOPPED");
    assert_eq!((action(&mut world, 3599), action(&mut world, 3600)), ("InProgress", "Failed"));
    let off = service().circuit_breaker(CircuitBreaker::Off);
    let mut world = self::world(off, Rollout::fails(92, Cause::Exits(1)).action_times_out(30));
    tells(
        &mut world,
        &[(
            1000,
            &[
                "PRIMARY :42 IN_PROGRESS 0 of 2, 1 pending, 33 failed",
                "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
            ],
        )],
    );
    assert_eq!(releases(&mut world, 1000)[0]["deploymentCircuitBreaker"]["status"], "DISABLED");
    assert_eq!((action(&mut world, 1799), action(&mut world, 1800)), ("InProgress", "Failed"));
    assert_eq!(world.next_change(), None, "a service that fails for ever keeps nobody waiting");
}

#[test]
fn what_was_never_deployed_has_nothing_to_go_back_to() {
    let mut world = world(service().never_deployed(), Rollout::fails(92, Cause::Exits(1)));
    let failed = "PRIMARY :42 FAILED 0 of 2, 0 pending, 3 failed";
    let story: &[&str] = &[failed, "ACTIVE :41 FAILED 0 of 0, 0 pending, 0 failed"];
    tells(&mut world, &[(92, story), (3000, story)]);
    let release = &releases(&mut world, 92)[0];
    assert_eq!(release["status"], "ROLLBACK_FAILED");
    assert_eq!(release["statusReason"], "No rollback candidate was found to run the rollback.");
}

#[test]
fn a_large_service_takes_more_failures() {
    for (desired, threshold) in [(0, 3), (1, 3), (6, 3), (7, 4), (1000, 200)] {
        assert_eq!(service().desired(desired).threshold(), threshold, "{desired}");
    }
}

#[test]
fn a_rollout_that_fails_at_first_recovers() {
    let mut world = world(service(), Rollout::recovers(102, Cause::Exits(1), 2));
    tells(
        &mut world,
        &[
            (
                60,
                &[
                    "PRIMARY :42 IN_PROGRESS 0 of 2, 1 pending, 2 failed",
                    "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            (
                75,
                &[
                    "PRIMARY :42 IN_PROGRESS 1 of 2, 1 pending, 0 failed",
                    "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            (102, &["PRIMARY :42 COMPLETED 2 of 2, 0 pending, 0 failed"]),
        ],
    );
    assert_eq!(action(&mut world, 107), "Succeeded");
}

#[test]
fn the_action_fails_while_the_rollout_goes_on() {
    let mut world = world(service(), Rollout::succeeds(102).action_fails(60, "The action was throttled."));
    assert_eq!(action(&mut world, 60), "Failed");
    tells(&mut world, &[(102, &["PRIMARY :42 COMPLETED 2 of 2, 0 pending, 0 failed"])]);
    let id = world.pipelines().executions("app")[0].id.clone();
    assert!(world.pipelines().retry(after(200), &id, "Staging", false));
    tells(&mut world, &[(400, &["PRIMARY :43 COMPLETED 2 of 2, 0 pending, 0 failed"])]);
}

#[test]
fn somebody_updates_the_service_to_a_newer_revision_right_afterwards() {
    let mut world = world(service(), Rollout::succeeds(92).overtaken_after(94));
    tells(
        &mut world,
        &[
            (93, &["PRIMARY :42 COMPLETED 2 of 2, 0 pending, 0 failed"]),
            (
                97,
                &[
                    "PRIMARY :43 IN_PROGRESS 0 of 2, 1 pending, 0 failed",
                    "ACTIVE :42 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            (154, &["PRIMARY :43 COMPLETED 2 of 2, 0 pending, 0 failed"]),
        ],
    );
    assert_eq!(action(&mut world, 97), "Succeeded");
    // In the middle of a rollout it is cut short, and its tasks leave with the older ones.
    let mut world = self::world(service(), Rollout::fails(182, Cause::Exits(1)));
    world.advance(after(70));
    assert_eq!(world.services().deploy(after(70), "staging", "app"), Some(43));
    tells(
        &mut world,
        &[
            (
                71,
                &[
                    "PRIMARY :43 IN_PROGRESS 0 of 2, 1 pending, 0 failed",
                    "ACTIVE :42 IN_PROGRESS 0 of 1, 1 pending, 1 failed",
                    "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
                ],
            ),
            (130, &["PRIMARY :43 COMPLETED 2 of 2, 0 pending, 0 failed"]),
        ],
    );
    let statuses: Vec<_> = releases(&mut world, 130).iter().map(|release| release["status"].clone()).collect();
    assert_eq!(statuses, ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]);
}

#[test]
fn a_blue_green_deployment_is_told_by_its_history() {
    let spec = service().strategy(Strategy::BlueGreen);
    let mut world = world(spec.clone(), Rollout::succeeds(142));
    tells(
        &mut world,
        &[(40, &["PRIMARY :42 - 1 of 2, 1 pending, 0 failed", "ACTIVE :41 - 2 of 2, 0 pending, 0 failed"])],
    );
    let mut world = self::world(spec.clone(), Rollout::succeeds(142));
    let mut stages = Vec::new();
    for seconds in (2..150).step_by(2) {
        let release = &releases(&mut world, seconds)[0];
        let line = format!("{} {}", release["status"].as_str().unwrap(), release["lifecycleStage"].as_str().unwrap());
        if stages.last() != Some(&line) {
            stages.push(line);
        }
    }
    assert_eq!(
        stages,
        [
            "PENDING SCALE_UP",
            "IN_PROGRESS SCALE_UP",
            "IN_PROGRESS POST_SCALE_UP",
            "IN_PROGRESS TEST_TRAFFIC_SHIFT",
            "IN_PROGRESS POST_TEST_TRAFFIC_SHIFT",
            "IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT",
            "IN_PROGRESS POST_PRODUCTION_TRAFFIC_SHIFT",
            "IN_PROGRESS BAKE_TIME",
            "IN_PROGRESS CLEAN_UP",
            "SUCCESSFUL CLEAN_UP",
        ]
    );
    let mut world = self::world(spec, Rollout::fails(92, Cause::LoadBalancerHealth).rolls_back_in(20));
    let statuses: Vec<_> = [90, 92, 112].iter().map(|at| releases(&mut world, *at)[0]["status"].clone()).collect();
    assert_eq!(statuses, ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]);
    let service = describe(&mut world, 112);
    assert_eq!(number(&service["taskDefinition"]), ":41");
    assert!(service["deployments"][0]["rolloutState"].is_null());
    assert_eq!(releases(&mut world, 112)[0]["deploymentConfiguration"]["strategy"], "BLUE_GREEN");
}

#[test]
fn a_rollback_may_have_an_id_of_its_own() {
    let rollout = Rollout::fails(92, Cause::Exits(1)).rolls_back_in(30);
    let mut world = world(service().rollback_with_new_id(), rollout);
    let first = describe(&mut world, 0)["deployments"][0]["id"].clone();
    tells(
        &mut world,
        &[(
            100,
            &[
                "PRIMARY :41 IN_PROGRESS 0 of 2, 1 pending, 0 failed",
                "ACTIVE :42 FAILED 0 of 0, 0 pending, 3 failed",
                "ACTIVE :41 COMPLETED 2 of 2, 0 pending, 0 failed",
            ],
        )],
    );
    assert_ne!(describe(&mut world, 100)["deployments"][0]["id"], first);
    tells(&mut world, &[(122, &["PRIMARY :41 COMPLETED 2 of 2, 0 pending, 0 failed"])]);
}

#[test]
fn tasks_are_found_by_their_service_or_by_their_deployment() {
    let mut world = world(service(), Rollout::succeeds(92));
    let deployment = describe(&mut world, 50)["deployments"][0]["id"].clone();
    let new = tasks(&mut world, 50, json!({"startedBy": deployment}));
    let states: Vec<_> = new.iter().map(|task| task["lastStatus"].as_str().unwrap()).collect();
    assert_eq!(states, ["RUNNING", "PENDING"]);
    assert_eq!(tasks(&mut world, 50, json!({"serviceName": "app"})).len(), 3, "one of the older ones still runs");
    assert!(tasks(&mut world, 50, json!({"desiredStatus": "PENDING"})).is_empty());
    let both = json!({"cluster": "staging", "serviceName": "app", "startedBy": deployment});
    assert_eq!(ask(&mut world, 50, "ListTasks", both).unwrap_err(), "InvalidParameterException");
    let page = ask(&mut world, 50, "ListTasks", json!({"cluster": "staging", "maxResults": 2})).unwrap();
    let rest = json!({"cluster": "staging", "maxResults": 2, "nextToken": page["nextToken"]});
    let rest = ask(&mut world, 50, "ListTasks", rest).unwrap();
    assert_eq!((page["taskArns"].as_array().unwrap().len(), rest["taskArns"].as_array().unwrap().len()), (2, 1));
    assert!(rest["nextToken"].is_null());
}

#[test]
fn what_is_missing_is_a_failure_and_what_is_wrong_is_refused() {
    let mut world = world(service(), Rollout::succeeds(92));
    let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/staging";
    let answer = ask(&mut world, 0, "DescribeServices", json!({"cluster": arn, "services": ["app", "other"]})).unwrap();
    assert_eq!(answer["services"].as_array().unwrap().len(), 1);
    let missing = "arn:aws:ecs:us-east-1:123456789012:service/staging/other";
    assert_eq!(answer["failures"], json!([{"arn": missing, "reason": "MISSING"}]));
    let eleven: Vec<String> = (0..11).map(|n| format!("s{n}")).collect();
    for (operation, body, code) in [
        ("DescribeServices", json!({"cluster": "other", "services": ["app"]}), "ClusterNotFoundException"),
        ("DescribeServices", json!({"services": ["app"]}), "ClusterNotFoundException"),
        ("DescribeServices", json!({"cluster": "staging", "services": eleven}), "InvalidParameterException"),
        ("DescribeServices", json!({"cluster": "staging", "services": []}), "InvalidParameterException"),
        ("DescribeServices", json!({"cluster": "staging"}), "InvalidParameterException"),
        ("DescribeServices", json!({"cluster": "staging", "service": "app"}), "SerializationException"),
        ("ListServiceDeployments", json!({"cluster": "staging", "service": "other"}), "ServiceNotFoundException"),
        (
            "ListServiceDeployments",
            json!({"cluster": "staging", "service": "app", "status": ["FAILED"]}),
            "InvalidParameterException",
        ),
        ("ListTasks", json!({"cluster": "staging", "serviceName": "other"}), "ServiceNotFoundException"),
        ("DescribeTasks", json!({"cluster": "staging", "tasks": []}), "InvalidParameterException"),
        ("UpdateService", json!({"cluster": "staging"}), "UnknownOperationException"),
    ] {
        assert_eq!(ask(&mut world, 0, operation, body.clone()).unwrap_err(), code, "{operation} {body}");
    }
    let gone = "arn:aws:ecs:us-east-1:123456789012:service-deployment/staging/app/nope";
    let answer = ask(&mut world, 0, "DescribeServiceDeployments", json!({"serviceDeploymentArns": [gone]})).unwrap();
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    let since = json!({"cluster": "staging", "service": "app", "createdAt": {"after": START.as_secs()}});
    let list = ask(&mut world, 50, "ListServiceDeployments", since).unwrap();
    assert_eq!(list["serviceDeployments"].as_array().unwrap().len(), 1);
}

#[test]
fn what_became_of_each_deployment_is_known_without_the_api() {
    let mut world = world(service(), Rollout::fails(60, Cause::Exits(1)).action_succeeds(600));
    let commit = world.pipelines().executions("app").remove(0).commit;
    let mut statuses = |seconds| {
        world.advance(after(seconds));
        let deployments = world.services().deployments("staging", "app");
        assert_eq!(deployments[0].commit, None);
        assert!(deployments[1..].iter().all(|one| one.commit == commit));
        let line = |one: &DeploymentView| format!(":{} {}", one.definition, one.status);
        deployments.iter().map(line).collect::<Vec<_>>().join(", ")
    };
    insta::assert_snapshot!(statuses(0), @":41 SUCCESSFUL");
    insta::assert_snapshot!(statuses(30), @":41 SUCCESSFUL, :42 IN_PROGRESS");
    insta::assert_snapshot!(statuses(61), @":41 SUCCESSFUL, :42 ROLLBACK_IN_PROGRESS");
    insta::assert_snapshot!(statuses(600), @":41 SUCCESSFUL, :42 ROLLBACK_SUCCESSFUL");
    assert_eq!(world.services().deployments("staging", "unknown"), []);
}
