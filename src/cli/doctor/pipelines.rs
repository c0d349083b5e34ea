//! The routes' pipelines: that they can be started for a push, by nobody else, and can deploy.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;

use super::deployment::Deployment;
use super::finding::Finding;
use crate::aws::setup::connections;
use crate::aws::setup::pipelines::{Pipeline, Source, pipeline};
use crate::aws::setup::services::{Breaker, breaker};
use crate::aws::unread::Unread;
use crate::cli::account::Account;
use crate::domain::route::Route;

/// So many are read at once: CodePipeline's limits are not told, and many routes are no reason to meet them.
const AT_ONCE: usize = 6;

/// The source actions that take a commit of GitHub: through a connection, and as they did before there were any.
const OF_GITHUB: [&str; 2] = ["CodeStarSourceConnection", "GitHub"];

/// Looks at each pipeline once, and at each route's place in it.
pub(super) async fn check(account: &Account, deployment: &Deployment) -> Vec<Finding> {
    let routes = match &deployment.config {
        Ok(config) => &config.routes.0,
        Err(why) => return vec![Finding::not_checked("pipelines", why)],
    };
    let mut names: Vec<&str> = Vec::new();
    for route in routes {
        if !names.contains(&route.pipeline.as_str()) {
            names.push(&route.pipeline);
        }
    }
    let sdk_config = account.sdk_config();
    let read = stream::iter(names).map(async |name| (name, pipeline(sdk_config, name).await)).buffered(AT_ONCE);
    let read: Vec<(&str, Result<Option<Pipeline>, Unread>)> = read.collect().await;
    let mut findings = Vec::new();
    // Each with the pipeline that uses it, and each once.
    let (mut connections, mut services) = (BTreeMap::new(), BTreeMap::new());
    for (name, read) in read {
        let link = format!("pipeline {name}");
        let own: Vec<&Route> = routes.iter().filter(|route| route.pipeline == name).collect();
        let pipeline = match read {
            Err(unread) => {
                findings.push(Finding::unread(link, unread));
                continue;
            }
            Ok(None) => {
                let problem = format!("there is none of this name in {}", account.region());
                findings.push(Finding::wrong(
                    link,
                    problem,
                    "name the right one in the route's `pipeline`, or create it",
                ));
                continue;
            }
            Ok(Some(pipeline)) => pipeline,
        };
        findings.push(judge_pipeline(&link, name, &pipeline, &own, account));
        let mut judged: Vec<Finding> = Vec::new();
        for route in own {
            // Several routes may be about the same action.
            let finding = judge_source(name, &pipeline, route);
            if !judged.contains(&finding) {
                judged.push(finding);
            }
        }
        findings.extend(judged);
        for arn in pipeline.sources.iter().filter_map(|source| source.connection.clone()) {
            connections.entry(arn).or_insert_with(|| name.to_owned());
        }
        for service in pipeline.services {
            services.entry(service).or_insert_with(|| name.to_owned());
        }
    }
    let connections = stream::iter(connections).map(async |(arn, pipeline)| {
        let status = connections::status(sdk_config, &arn).await;
        judge_connection(&arn, &pipeline, status, account)
    });
    findings.extend(connections.buffered(AT_ONCE).collect::<Vec<_>>().await);
    let services = stream::iter(services).map(async |((cluster, name), _)| {
        judge_service(&cluster, &name, breaker(sdk_config, &cluster, &name).await, account)
    });
    findings.extend(services.buffered(AT_ONCE).collect::<Vec<_>>().await);
    findings
}

fn judge_pipeline(link: &str, name: &str, pipeline: &Pipeline, routes: &[&Route], account: &Account) -> Finding {
    let change = |what: &str| {
        let get = account.command(&format!("codepipeline get-pipeline --name {name} --query '{{pipeline: pipeline}}'"));
        let update = account.command("codepipeline update-pipeline --cli-input-json file://pipeline.json");
        format!("{get} > pipeline.json; {what}; {update}")
    };
    let is_pinned = routes.iter().any(|route| route.source_action.is_some());
    let given = || routes.iter().flat_map(|route| route.variables.iter().map(|(name, _)| name.as_str()));
    if !pipeline.is_v2 {
        if is_pinned || given().next().is_some() {
            let problem =
                "it is V1: it can't be pinned to the pushed commit and takes no variables, so it is never started";
            let mending = change("set pipelineType to \"V2\" in it");
            return Finding::wrong(link, problem, format!("{mending}; or source_action = \"\" in the route"));
        }
        let problem = "it is V1: its runs take the head of the branch, which may not be the pushed commit";
        return Finding::warning(link, problem, change("set pipelineType to \"V2\" in it"));
    }
    let declares = |wanted: &str| pipeline.variables.iter().any(|(name, _)| name == wanted);
    if let Some(unknown) = given().find(|name| !declares(name)) {
        let problem =
            format!("it declares no variable {unknown}, which a route gives it: CodePipeline refuses to start it");
        let mending = change(&format!("add {{\"name\": \"{unknown}\", \"defaultValue\": \"none\"}} to its variables"));
        return Finding::wrong(link, problem, mending);
    }
    let gives = |route: &Route, name: &str| route.variables.iter().any(|(own, _)| own == name);
    let is_given_by_all = |name: &str| routes.iter().all(|route| gives(route, name));
    let mut without_default = pipeline.variables.iter().filter(|(_, has_default)| !has_default);
    if let Some((missing, _)) = without_default.find(|(name, _)| !is_given_by_all(name)) {
        let problem =
            format!("its variable {missing} has no default, and not every route gives it: a start may be refused");
        return Finding::warning(link, problem, format!("give it a default, or add {missing} to [route.variables]"));
    }
    Finding::ok(link, "it is V2")
}

fn judge_source(name: &str, pipeline: &Pipeline, route: &Route) -> Finding {
    let is_of_route = |source: &&Source| {
        source.repository.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(route.repository.as_str()))
    };
    let Some(wanted) = &route.source_action else {
        // Unpinned, it starts whatever source there is.
        let link = format!("source of {name}");
        return match pipeline.sources.iter().find(is_of_route) {
            Some(source) => judge_starts(&link, source, route),
            None => Finding::wrong(
                link,
                format!("none of its source actions takes {}", route.repository),
                of_another(route),
            ),
        };
    };
    let link = format!("source action {wanted} of {name}");
    let Some(source) = pipeline.sources.iter().find(|source| source.name == *wanted) else {
        let found: Vec<&str> = pipeline.sources.iter().map(|source| source.name.as_str()).collect();
        let mending = match found.as_slice() {
            [] => "give the pipeline a source action".to_owned(),
            [first, ..] => format!("source_action = \"{first}\" in the route"),
        };
        return Finding::wrong(link, format!("there is none; there is {}", listed(&found)), mending);
    };
    if !OF_GITHUB.contains(&source.provider.as_str()) {
        let problem = format!("it is of {}, which takes no commit of GitHub", source.provider);
        return Finding::wrong(
            link,
            problem,
            "name the action that is connected to GitHub in the route's source_action",
        );
    }
    if !is_of_route(&source) {
        let found = source.repository.as_deref().unwrap_or("no repository");
        return Finding::wrong(link, format!("it takes {found}, not {}", route.repository), of_another(route));
    }
    judge_starts(&link, source, route)
}

fn judge_starts(link: &str, source: &Source, route: &Route) -> Finding {
    if source.starts_by_itself {
        let problem = "CodePipeline starts it at each push too, beside pipehook: every push runs twice";
        let setting =
            if source.provider == "CodeStarSourceConnection" { "DetectChanges" } else { "PollForSourceChanges" };
        let mending = format!("set the action's {setting} to \"false\", and take the pipeline's triggers away");
        return Finding::wrong(link, problem, mending);
    }
    Finding::ok(link, format!("it takes {}, and is started by pipehook alone", route.repository))
}

fn of_another(route: &Route) -> String {
    format!(
        "name the right pipeline or repository in the route, or {} in the action's FullRepositoryId",
        route.repository
    )
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
}

fn judge_connection(arn: &str, pipeline: &str, status: Result<Option<String>, Unread>, account: &Account) -> Finding {
    let link = format!("connection of {pipeline}");
    let region = account.region();
    let page = format!("https://{region}.console.aws.amazon.com/codesuite/settings/connections?region={region}");
    match status {
        Err(unread) => Finding::unread(link, unread),
        Ok(None) => Finding::wrong(
            link,
            format!("there is no {arn}: Source fails"),
            format!("create one and name it in the source action: {page}"),
        ),
        Ok(Some(status)) if status == "AVAILABLE" => Finding::ok(link, status),
        Ok(Some(status)) if status == "PENDING" => {
            let problem = "it is PENDING: until somebody finishes it in the console, Source fails";
            Finding::wrong(link, problem, format!("choose it, then \"Update pending connection\": {page}"))
        }
        Ok(Some(status)) => {
            Finding::wrong(link, format!("it is {status}: Source fails"), format!("connect it anew: {page}"))
        }
    }
}

fn judge_service(cluster: &str, name: &str, found: Result<Option<Breaker>, Unread>, account: &Account) -> Finding {
    let link = format!("service {cluster}/{name}");
    let settings = "deploymentCircuitBreaker={enable=true,rollback=true}";
    let update =
        format!("ecs update-service --cluster {cluster} --service {name} --deployment-configuration '{settings}'");
    match found {
        Err(unread) => Finding::unread(link, unread),
        Ok(None) => Finding::wrong(
            link,
            "ECS has no such service: the deploy fails",
            "name the right one in the deploy action, or create it",
        ),
        Ok(Some(Breaker::On { rolls_back: true })) => Finding::ok(link, "its circuit breaker rolls back"),
        Ok(Some(Breaker::On { rolls_back: false })) => {
            Finding::ok(link, "its circuit breaker fails a rollout, and does not roll back")
        }
        Ok(Some(Breaker::NotItsOwn)) => Finding::ok(link, "its rollouts are not ECS's own"),
        Ok(Some(Breaker::Off)) => {
            let problem = "it has no circuit breaker: a rollout whose tasks fail goes on for up to an hour, and is not told as failed until then";
            Finding::wrong(link, problem, account.command(&update))
        }
    }
}
