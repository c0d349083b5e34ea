//! The routes' pipelines, their connections and services.

use pipehook::local::sample;
use pipehook::standin::{
    ActionSpec, CircuitBreaker, PipelineSpec, PipelineType, ServiceSpec, StageSpec, connection_arn,
};

use super::{healthy, troubles, with};
use crate::common::{Scene, classic};
use crate::scene::Desk;

/// A desk whose pipeline has this source action.
async fn with_source(source: ActionSpec) -> Desk {
    let pipeline = PipelineSpec::new(sample::PIPELINE)
        .stage(StageSpec::new("Source", [source]))
        .stage(StageSpec::new("Build", [ActionSpec::code_build("Build", "node-server")]));
    with(Scene::with(sample::ROUTES, pipeline).await).await
}

#[tokio::test]
async fn a_pipeline_that_is_not_there() {
    let routes = sample::ROUTES.replace(r#"pipeline = "node-server""#, r#"pipeline = "nodeserver""#);
    let desk = with(Scene::with(&routes, classic()).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ pipeline nodeserver: there is none of this name in us-east-1
          → name the right one in the route's `pipeline`, or create it
    --- standard error
    pipehook: something is wrong: 1 wrong, 20 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_pipeline_that_is_v1_and_is_to_be_pinned() {
    let desk = with(Scene::with(sample::ROUTES, classic().kind(PipelineType::V1)).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ pipeline node-server: it is V1: it can't be pinned to the pushed commit and takes no variables, so it is never started
          → aws codepipeline get-pipeline --name node-server --query '{pipeline: pipeline}' --region us-east-1 > pipeline.json; set pipelineType to "V2" in it; aws codepipeline update-pipeline --cli-input-json file://pipeline.json --region us-east-1; or source_action = "" in the route
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_pipeline_that_is_v1_and_meant_to_be() {
    let routes = format!("{}source_action = \"\"\n", sample::ROUTES);
    let desk = with(Scene::with(&routes, classic().kind(PipelineType::V1)).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @r#"
    ! pipeline node-server: it is V1: its runs take the head of the branch, which may not be the pushed commit
        → aws codepipeline get-pipeline --name node-server --query '{pipeline: pipeline}' --region us-east-1 > pipeline.json; set pipelineType to "V2" in it; aws codepipeline update-pipeline --cli-input-json file://pipeline.json --region us-east-1
    "#);
}

#[tokio::test]
async fn variables_that_the_pipeline_does_not_declare_or_nobody_gives() {
    let routes = format!("{}[route.variables]\nGIT_BRANCH = \"{{branch}}\"\n", sample::ROUTES);
    let desk = with(Scene::with(&routes, classic()).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ pipeline node-server: it declares no variable GIT_BRANCH, which a route gives it: CodePipeline refuses to start it
          → aws codepipeline get-pipeline --name node-server --query '{pipeline: pipeline}' --region us-east-1 > pipeline.json; add {"name": "GIT_BRANCH", "defaultValue": "none"} to its variables; aws codepipeline update-pipeline --cli-input-json file://pipeline.json --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
    let desk = with(Scene::with(sample::ROUTES, classic().variable("REGION", None)).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! pipeline node-server: its variable REGION has no default, and not every route gives it: a start may be refused
        → give it a default, or add REGION to [route.variables]
    ");
}

#[tokio::test]
async fn a_source_action_that_has_another_name() {
    let desk = with_source(ActionSpec::github_source("GitHub", sample::REPOSITORY, "main")).await;
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ source action Source of node-server: there is none; there is GitHub
          → source_action = "GitHub" in the route
    --- standard error
    pipehook: something is wrong: 1 wrong, 22 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_source_action_of_another_repository() {
    let desk = with_source(ActionSpec::github_source("Source", "octo-org/other", "main")).await;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ source action Source of node-server: it takes octo-org/other, not octo-org/node-server
          → name the right pipeline or repository in the route, or octo-org/node-server in the action's FullRepositoryId
    --- standard error
    pipehook: something is wrong: 1 wrong, 22 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_source_action_that_takes_no_commit_of_github() {
    let desk = with_source(ActionSpec::new("Source", "Source", "S3").with("PollForSourceChanges", "false")).await;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ source action Source of node-server: it is of S3, which takes no commit of GitHub
          → name the action that is connected to GitHub in the route's source_action
    --- standard error
    pipehook: something is wrong: 1 wrong, 21 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_pipeline_that_also_starts_by_itself() {
    let source = ActionSpec::github_source("Source", sample::REPOSITORY, "main").with("DetectChanges", "true");
    let desk = with_source(source).await;
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ source action Source of node-server: CodePipeline starts it at each push too, beside pipehook: every push runs twice
          → set the action's DetectChanges to "false", and take the pipeline's triggers away
    --- standard error
    pipehook: something is wrong: 1 wrong, 22 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_connection_that_nobody_has_finished_and_one_that_was_deleted() {
    let desk = healthy().await;
    desk.scene.local.world().connections().set(&connection_arn(), "PENDING");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ connection of node-server: it is PENDING: until somebody finishes it in the console, Source fails
          → choose it, then "Update pending connection": https://us-east-1.console.aws.amazon.com/codesuite/settings/connections?region=us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
    desk.scene.local.world().connections().set(&connection_arn(), "ERROR");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ connection of node-server: it is ERROR: Source fails
          → connect it anew: https://us-east-1.console.aws.amazon.com/codesuite/settings/connections?region=us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    desk.scene.local.world().connections().delete(&connection_arn());
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ connection of node-server: there is no arn:aws:codeconnections:us-east-1:123456789012:connection/5f2c8d1e-0000-4000-8000-000000000001: Source fails
          → create one and name it in the source action: https://us-east-1.console.aws.amazon.com/codesuite/settings/connections?region=us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_service_without_a_circuit_breaker_and_one_that_is_not_there() {
    let desk = healthy().await;
    let service = ServiceSpec::new("staging", "node-server").circuit_breaker(CircuitBreaker::Off);
    desk.scene.local.world().services().create(service);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ service staging/node-server: it has no circuit breaker: a rollout whose tasks fail goes on for up to an hour, and is not told as failed until then
          → aws ecs update-service --cluster staging --service node-server --deployment-configuration 'deploymentCircuitBreaker={enable=true,rollback=true}' --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    desk.scene.local.world().services().remove("staging", "node-server");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ service staging/node-server: ECS has no such service: the deploy fails
          → name the right one in the deploy action, or create it
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}
