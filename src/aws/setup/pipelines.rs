//! CodePipeline: how a pipeline is declared.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::types::{ActionCategory, ActionDeclaration, PipelineType};

use super::found;
use crate::aws::arn;
use crate::aws::unread::{Unread, sort};

/// A pipeline, as far as a route can be wrong about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pipeline {
    /// Whether its executions can be pinned to a commit, and take variables.
    pub(crate) is_v2: bool,
    pub(crate) sources: Vec<Source>,
    /// The services that it deploys to, as far as they can be asked for here: cluster and name.
    pub(crate) services: Vec<(String, String)>,
    /// The variables that it declares, and whether each has a default.
    pub(crate) variables: Vec<(String, bool)>,
}

/// A source action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// `CodeStarSourceConnection` for a connection to GitHub.
    pub(crate) provider: String,
    /// `OWNER/NAME`; `None` where it does not say.
    pub(crate) repository: Option<String>,
    pub(crate) connection: Option<String>,
    /// Whether CodePipeline itself starts the pipeline where something is pushed.
    pub(crate) starts_by_itself: bool,
}

/// A pipeline by its name; `None` where there is none.
///
/// # Errors
/// Where it can't be read.
pub(crate) async fn pipeline(sdk_config: &SdkConfig, name: &str) -> Result<Option<Pipeline>, Unread> {
    let answer = Client::new(sdk_config).get_pipeline().name(name).send().await;
    let Some(answer) = found(answer.map_err(sort))? else { return Ok(None) };
    let declared = answer.pipeline.ok_or_else(|| Unread::ForNow("the answer holds no pipeline".to_owned()))?;
    let triggered: Vec<&str> = declared
        .triggers()
        .iter()
        .filter_map(|trigger| Some(trigger.git_configuration.as_ref()?.source_action_name.as_str()))
        .collect();
    let actions = || declared.stages().iter().flat_map(|stage| stage.actions());
    let is = |action: &ActionDeclaration, category: &ActionCategory| {
        action.action_type_id.as_ref().is_some_and(|kind| kind.category == *category)
    };
    let here = sdk_config.region().map(|region| region.as_ref());
    let account = arn::account(declared.role_arn());
    let services = actions().filter_map(|action| service(action, here, account));
    let variable = |variable: &aws_sdk_codepipeline::types::PipelineVariableDeclaration| {
        (variable.name.clone(), variable.default_value.is_some())
    };
    Ok(Some(Pipeline {
        is_v2: declared.pipeline_type == Some(PipelineType::V2),
        sources: actions()
            .filter(|action| is(action, &ActionCategory::Source))
            .map(|action| source(action, &triggered))
            .collect(),
        services: services.collect(),
        variables: declared.variables().iter().map(variable).collect(),
    }))
}

/// The service that an action deploys to: cluster and name. `None` where that can't be known, or not be asked for: another
/// region's or account's may have the name of one that is here, and what holds a variable is known only once the pipeline runs.
fn service(action: &ActionDeclaration, here: Option<&str>, account: Option<&str>) -> Option<(String, String)> {
    let is_of_another = action.role_arn().and_then(arn::account).is_some_and(|other| Some(other) != account);
    let is_elsewhere = is_of_another || action.region().is_some_and(|region| Some(region) != here);
    let settings = action.configuration.as_ref().filter(|_| provider(action) == "ECS" && !is_elsewhere)?;
    let setting = |key: &str| settings.get(key).filter(|value| !value.contains("#{")).cloned();
    Some((setting("ClusterName")?, setting("ServiceName")?))
}

fn provider(action: &ActionDeclaration) -> &str {
    action.action_type_id.as_ref().map(|kind| kind.provider.as_str()).unwrap_or_default()
}

fn source(action: &ActionDeclaration, triggered: &[&str]) -> Source {
    let none = HashMap::new();
    let settings = action.configuration.as_ref().unwrap_or(&none);
    let setting = |key: &str| settings.get(key).map(String::as_str);
    // A pipeline with triggers detects changes by these alone. Both settings are on unless they say otherwise.
    let detects = match provider(action) {
        "CodeStarSourceConnection" => setting("DetectChanges") != Some("false"),
        _ => setting("PollForSourceChanges") != Some("false"),
    };
    let of_first_version = || Some(format!("{}/{}", setting("Owner")?, setting("Repo")?));
    Source {
        name: action.name.clone(),
        provider: provider(action).to_owned(),
        repository: setting("FullRepositoryId").map(str::to_owned).or_else(of_first_version),
        connection: setting("ConnectionArn").map(str::to_owned),
        starts_by_itself: triggered.contains(&action.name.as_str()) || (triggered.is_empty() && detects),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codepipeline::types::{ActionOwner, ActionTypeId};

    use super::*;

    fn read(provider: &str, settings: &[(&str, &str)], triggered: &[&str]) -> Source {
        let kind = ActionTypeId::builder().category(ActionCategory::Source).owner(ActionOwner::Aws);
        let kind = kind.provider(provider).version("1").build().unwrap();
        let action = settings
            .iter()
            .fold(ActionDeclaration::builder(), |action, (key, value)| action.configuration(*key, *value));
        source(&action.name("Source").action_type_id(kind).build().unwrap(), triggered)
    }

    #[test]
    fn only_a_service_that_can_be_asked_for_here_is_looked_at() {
        let deploy = |service_name: &str, region: Option<&str>, role: Option<&str>| {
            let kind = ActionTypeId::builder().category(ActionCategory::Deploy).owner(ActionOwner::Aws);
            let action = ActionDeclaration::builder()
                .name("Deploy")
                .action_type_id(kind.provider("ECS").version("1").build().unwrap())
                .configuration("ClusterName", "main")
                .configuration("ServiceName", service_name)
                .set_region(region.map(str::to_owned))
                .set_role_arn(role.map(str::to_owned));
            service(&action.build().unwrap(), Some("eu-west-1"), Some("111122223333"))
        };
        let found = Some(("main".to_owned(), "node-server".to_owned()));
        assert_eq!(deploy("node-server", None, None), found);
        assert_eq!(deploy("node-server", Some("eu-west-1"), None), found);
        assert_eq!(deploy("node-server", Some("us-east-1"), None), None);
        assert_eq!(deploy("node-server", None, Some("arn:aws:iam::111122223333:role/deploy")), found);
        assert_eq!(deploy("node-server", None, Some("arn:aws:iam::444455556666:role/deploy")), None);
        assert_eq!(deploy("#{variables.SERVICE}", None, None), None);
    }

    #[test]
    fn changes_are_detected_unless_they_are_not_to_be() {
        let of_connection = |settings: &[(&str, &str)], triggered: &[&str]| {
            read("CodeStarSourceConnection", settings, triggered).starts_by_itself
        };
        assert!(of_connection(&[], &[]));
        assert!(of_connection(&[("DetectChanges", "true")], &[]));
        assert!(!of_connection(&[("DetectChanges", "false")], &[]));
        // Triggers take the setting's place.
        assert!(of_connection(&[("DetectChanges", "false")], &["Source"]));
        assert!(!of_connection(&[], &["Other"]));
    }

    #[test]
    fn an_action_from_before_connections_names_its_repository_in_two_parts() {
        let settings = [("Owner", "octo-org"), ("Repo", "node-server"), ("PollForSourceChanges", "false")];
        let source = read("GitHub", &settings, &[]);
        assert_eq!(source.repository.as_deref(), Some("octo-org/node-server"));
        assert!(!source.starts_by_itself);
        assert_eq!(read("S3", &[], &[]).repository, None);
    }
}
