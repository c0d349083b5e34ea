//! ECS: how the rollout of a service goes, and why its tasks stop.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{
    self, Deployment as EcsDeployment, DeploymentRolloutState, DeploymentStrategy, DesiredStatus,
    ServiceDeploymentStatus as EcsStatus, Task,
};

pub use super::unread::Unread;
use super::unread::{sort, timestamp};
use super::{arn, own_retries};
use crate::domain::execution::{ActionRun, Place};
use crate::domain::rollout::{Rollout, needs_history};
use crate::domain::service::{
    Deployment, Revision, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, Tasks, cause_of,
};
use crate::domain::time::Timestamp;

/// The history is asked for what began this much before an action at the earliest: clocks differ.
const BEFORE: std::time::Duration = std::time::Duration::from_secs(5);

/// DescribeServiceDeployments and DescribeServiceRevisions take at most 20 (botocore).
const MOST_DESCRIBED: usize = 20;

/// What is looked at of the tasks that have stopped; ECS keeps them for an hour.
const MOST_TASKS: i32 = 20;

#[derive(Clone)]
pub struct Ecs {
    client: Client,
}

impl Ecs {
    pub fn new(sdk_config: &aws_config::SdkConfig) -> Self {
        let config = Builder::from(sdk_config).retry_partition(own_retries());
        Self { client: Client::from_conf(config.build()) }
    }

    /// The service as it stands now, with its history where that is needed to judge what the action did.
    pub async fn service(
        &self,
        cluster: &str,
        name: &str,
        action: &ActionRun,
        before: Option<&Rollout>,
        now: Timestamp,
    ) -> Result<Service, Unread> {
        let found = self.described(cluster, name).await?;
        let own = found.service_arn().and_then(arn::account);
        if let (Some(own), Some(Place::Service { account: Some(other), .. })) = (own, &action.place)
            && own != other
        {
            return Err(Unread::ForGood(format!(
                "the action deploys to {name} in account {other}, which can't be asked from {own}"
            )));
        }
        let mut service = service(name, &found);
        if needs_history(&service, action, before, now) {
            service.history = match self.history(cluster, name, action).await {
                Ok(history) => history,
                Err(error @ Unread::ForNow(_)) => return Err(error),
                // The history completes what the service itself tells.
                Err(Unread::ForGood(why)) => {
                    tracing::debug!(cluster, service = name, why, "the service's history can't be read");
                    Vec::new()
                }
            };
        }
        Ok(service)
    }

    async fn described(&self, cluster: &str, name: &str) -> Result<types::Service, Unread> {
        let answer = self.client.describe_services().cluster(cluster).services(name).send().await.map_err(sort)?;
        let found = answer.services.unwrap_or_default().into_iter().next();
        found.ok_or_else(|| Unread::ForGood(format!("ECS has no service {name} in cluster {cluster}")))
    }

    /// The target groups in which a service's tasks are, or will be once blue and green have changed places.
    pub async fn target_groups(&self, cluster: &str, name: &str) -> Result<Vec<String>, Unread> {
        let found = self.described(cluster, name).await?;
        let groups = found.load_balancers().iter().flat_map(|balancer| {
            let alternate = balancer.advanced_configuration.as_ref();
            let alternate = alternate.and_then(|configuration| configuration.alternate_target_group_arn.clone());
            balancer.target_group_arn.clone().into_iter().chain(alternate)
        });
        Ok(groups.collect())
    }

    /// The service's deployments since shortly before the action began.
    async fn history(
        &self,
        cluster: &str,
        service: &str,
        action: &ActionRun,
    ) -> Result<Vec<ServiceDeployment>, Unread> {
        let after = DateTime::from_millis(action.started.before(BEFORE).as_millis() as i64);
        let created = types::CreatedAt::builder().after(after).build();
        let call = self.client.list_service_deployments().cluster(cluster).service(service).created_at(created);
        let listed = call.send().await.map_err(sort)?.service_deployments.unwrap_or_default();
        // Newest first; the action's own is among the oldest that are asked for.
        let arns: Vec<String> = listed.into_iter().filter_map(|brief| brief.service_deployment_arn).collect();
        let arns = &arns[arns.len().saturating_sub(MOST_DESCRIBED)..];
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.client.describe_service_deployments().set_service_deployment_arns(Some(arns.to_vec()));
        let described = call.send().await.map_err(sort)?.service_deployments.unwrap_or_default();
        let revisions = self.revisions(&described).await?;
        Ok(described.iter().map(|one| service_deployment(one, &revisions)).collect())
    }

    /// The task definitions of the service revisions that deployments name, by their ARN.
    async fn revisions(&self, deployments: &[types::ServiceDeployment]) -> Result<Vec<(String, Revision)>, Unread> {
        let mut arns: Vec<String> = Vec::new();
        for deployment in deployments {
            let target = deployment.target_service_revision.as_ref().and_then(|target| target.arn.clone());
            let back = deployment.rollback.as_ref().and_then(|rollback| rollback.service_revision_arn.clone());
            arns.extend(target.into_iter().chain(back));
        }
        arns.sort();
        arns.dedup();
        arns.truncate(MOST_DESCRIBED);
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.client.describe_service_revisions().set_service_revision_arns(Some(arns));
        let described = call.send().await.map_err(sort)?.service_revisions.unwrap_or_default();
        let named = described.into_iter();
        Ok(named.filter_map(|one| Some((one.service_revision_arn?, Revision::parse(&one.task_definition?)?))).collect())
    }

    /// Why tasks of a revision stopped, as ECS and the container tell; the newest of those that are still kept.
    pub async fn cause(&self, cluster: &str, service: &str, revision: &Revision) -> Result<Option<String>, Unread> {
        let stopped = self.tasks(cluster, service, DesiredStatus::Stopped, revision).await?;
        Ok(cause_of_newest(&stopped))
    }

    /// The network interface of a task of a revision that runs, for its public address.
    pub async fn interface(&self, cluster: &str, service: &str, revision: &Revision) -> Result<Option<String>, Unread> {
        let running = self.tasks(cluster, service, DesiredStatus::Running, revision).await?;
        let attachments = running.iter().flat_map(Task::attachments);
        let interfaces =
            attachments.filter(|attachment| attachment.r#type.as_deref() == Some("ElasticNetworkInterface"));
        let mut ids = interfaces
            .flat_map(|attachment| attachment.details())
            .filter_map(|detail| detail.value.clone().filter(|_| detail.name.as_deref() == Some("networkInterfaceId")));
        Ok(ids.next())
    }

    /// The port that tasks of a revision listen on, as their definition says.
    pub async fn port(&self, revision: &Revision) -> Result<Option<u16>, Unread> {
        let call = self.client.describe_task_definition().task_definition(revision.to_string());
        let definition = call.send().await.map_err(sort)?.task_definition;
        Ok(definition.and_then(|definition| port(definition.container_definitions())))
    }

    async fn tasks(
        &self,
        cluster: &str,
        service: &str,
        status: DesiredStatus,
        revision: &Revision,
    ) -> Result<Vec<Task>, Unread> {
        let call = self.client.list_tasks().cluster(cluster).service_name(service).desired_status(status);
        let arns = call.max_results(MOST_TASKS).send().await.map_err(sort)?.task_arns.unwrap_or_default();
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.client.describe_tasks().cluster(cluster).set_tasks(Some(arns));
        let tasks = call.send().await.map_err(sort)?.tasks.unwrap_or_default();
        let is_of =
            |task: &Task| task.task_definition_arn.as_deref().and_then(Revision::parse).as_ref() == Some(revision);
        Ok(tasks.into_iter().filter(is_of).collect())
    }
}

/// The port that is said to speak HTTP, or else the first that an essential container listens on.
fn port(containers: &[types::ContainerDefinition]) -> Option<u16> {
    let is_essential = |container: &&types::ContainerDefinition| container.essential.unwrap_or(true);
    let mappings = || containers.iter().filter(is_essential).flat_map(types::ContainerDefinition::port_mappings);
    let is_tcp = |mapping: &&types::PortMapping| !matches!(mapping.protocol, Some(types::TransportProtocol::Udp));
    let is_http = |mapping: &&types::PortMapping| {
        matches!(mapping.app_protocol, Some(types::ApplicationProtocol::Http | types::ApplicationProtocol::Http2))
    };
    let mapping = mappings().find(is_http).or_else(|| mappings().find(is_tcp))?;
    u16::try_from(mapping.container_port?).ok().filter(|port| *port > 0)
}

fn service(name: &str, found: &types::Service) -> Service {
    let configuration = found.deployment_configuration.as_ref();
    let breaker = configuration.and_then(|configuration| configuration.deployment_circuit_breaker.as_ref());
    let strategy = configuration.and_then(|configuration| configuration.strategy.as_ref());
    Service {
        name: name.rsplit('/').next().unwrap_or(name).to_owned(),
        has_breaker: breaker.is_some_and(|breaker| breaker.enable),
        has_stages: strategy.is_some_and(|strategy| *strategy != DeploymentStrategy::Rolling),
        deployments: found.deployments().iter().map(deployment).collect(),
        history: Vec::new(),
    }
}

fn deployment(found: &EcsDeployment) -> Deployment {
    let state = match found.rollout_state.as_ref() {
        Some(DeploymentRolloutState::Completed) => Some(RolloutState::Completed),
        Some(DeploymentRolloutState::Failed) => Some(RolloutState::Failed),
        Some(_) => Some(RolloutState::InProgress),
        None => None,
    };
    Deployment {
        id: found.id.clone().unwrap_or_default(),
        is_primary: found.status.as_deref() == Some("PRIMARY"),
        revision: found.task_definition.as_deref().and_then(Revision::parse),
        created: found.created_at.as_ref().and_then(timestamp),
        updated: found.updated_at.as_ref().and_then(timestamp),
        tasks: tasks(found.desired_count, found.running_count, found.pending_count, found.failed_tasks),
        state,
        reason: found.rollout_state_reason.clone(),
    }
}

fn service_deployment(found: &types::ServiceDeployment, revisions: &[(String, Revision)]) -> ServiceDeployment {
    let revision = |arn: Option<&String>| {
        let known = revisions.iter().find(|(known, _)| Some(known) == arn);
        known.map(|(_, revision)| revision.clone())
    };
    let target = found.target_service_revision.as_ref();
    let rollback = found.rollback.as_ref();
    let failed = found.deployment_circuit_breaker.as_ref().map_or(0, |breaker| breaker.failure_count);
    let counted = |count: fn(&types::ServiceRevisionSummary) -> i32| target.map_or(0, count);
    let lifecycle = found.lifecycle_stage.as_ref().map(|stage| stage.as_str().to_owned());
    ServiceDeployment {
        status: match found.status.as_ref() {
            Some(EcsStatus::Successful) => ServiceDeploymentStatus::Successful,
            Some(EcsStatus::Stopped | EcsStatus::StopRequested) => ServiceDeploymentStatus::Stopped,
            Some(EcsStatus::RollbackRequested | EcsStatus::RollbackInProgress) => ServiceDeploymentStatus::RollingBack,
            Some(EcsStatus::RollbackSuccessful) => ServiceDeploymentStatus::RolledBack,
            Some(EcsStatus::RollbackFailed) => ServiceDeploymentStatus::RollbackFailed,
            _ => ServiceDeploymentStatus::AtWork,
        },
        reason: rollback.and_then(|rollback| rollback.reason.clone()).or_else(|| found.status_reason.clone()),
        lifecycle,
        created: found.created_at.as_ref().and_then(timestamp),
        finished: found.finished_at.as_ref().and_then(timestamp),
        revision: revision(target.and_then(|target| target.arn.as_ref())),
        rollback_to: revision(rollback.and_then(|rollback| rollback.service_revision_arn.as_ref())),
        tasks: tasks(
            counted(|target| target.requested_task_count),
            counted(|target| target.running_task_count),
            counted(|target| target.pending_task_count),
            failed,
        ),
    }
}

fn tasks(desired: i32, running: i32, pending: i32, failed: i32) -> Tasks {
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    Tasks { desired: count(desired), running: count(running), pending: count(pending), failed: count(failed) }
}

/// Why a task stopped: a container that ended tells by its exit code, everything else by what ECS says.
/// How ECS says that it stopped a task because fewer were wanted, as of a revision whose place another one takes.
const SCALED_IN: &str = "Scaling activity initiated by";

/// Why the task stopped that stopped last. Those that were not wanted any more say nothing of why a rollout failed.
fn cause_of_newest(stopped: &[Task]) -> Option<String> {
    let was_wanted = |task: &&Task| !task.stopped_reason.as_deref().is_some_and(|why| why.starts_with(SCALED_IN));
    let newest = stopped.iter().filter(was_wanted).max_by_key(|task| task.stopped_at.as_ref().and_then(timestamp));
    newest.and_then(cause)
}

fn cause(task: &Task) -> Option<String> {
    let containers = task.containers();
    let told = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let exited = containers.iter().find(|container| container.exit_code.is_some_and(|code| code != 0));
    let reason = told(&task.stopped_reason).unwrap_or_default();
    let is_unhealthy = reason.to_lowercase().contains("health check");
    if let Some(container) = exited.filter(|_| !is_unhealthy) {
        let code = container.exit_code.unwrap_or_default();
        let why = told(&container.reason).map(|why| format!(" ({why})")).unwrap_or_default();
        return Some(format!("{} exited with {code}{why}", container.name.as_deref().unwrap_or("a container")));
    }
    let of_container = || containers.iter().find_map(|container| told(&container.reason));
    let reason = Some(reason).filter(|reason| !reason.is_empty()).or_else(of_container)?;
    Some(cause_of(&reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_were_not_wanted_any_more_do_not_say_why_a_rollout_failed() {
        let stopped = |at, why: &str| {
            let at = DateTime::from_secs(at);
            Task::builder().stopped_at(at).stopped_reason(why).build()
        };
        let scaled_in = stopped(20, "Scaling activity initiated by (deployment ecs-svc/8906709359258711293)");
        let crashed = stopped(10, "Task failed container health checks");
        let (none, both) = (cause_of_newest(std::slice::from_ref(&scaled_in)), cause_of_newest(&[crashed, scaled_in]));
        assert_eq!((none.as_deref(), both.as_deref()), (None, Some("failed its own health check")));
    }

    #[test]
    fn a_task_listens_where_its_definition_maps_a_port() {
        let mapping = |port| types::PortMapping::builder().container_port(port);
        let container = |mapping: types::builders::PortMappingBuilder| {
            types::ContainerDefinition::builder().port_mappings(mapping.build())
        };
        let udp = container(mapping(8125).protocol(types::TransportProtocol::Udp)).build();
        let sidecar = container(mapping(9901)).essential(false).build();
        let app = container(mapping(8080)).build();
        let http = container(mapping(3000).app_protocol(types::ApplicationProtocol::Http)).build();
        assert_eq!(port(&[sidecar.clone(), udp.clone(), app.clone()]), Some(8080));
        assert_eq!(port(&[app, http]), Some(3000));
        assert_eq!(port(&[sidecar, udp]), None);
    }
}
