//! ECS: whether a service has a deployment circuit breaker.

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::DeploymentControllerType;

use super::found;
use crate::aws::unread::{Unread, sort};

/// What becomes of a rollout whose tasks fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// They are replaced for ever.
    Off,
    /// The rollout fails.
    On { rolls_back: bool },
    /// Somebody else than ECS rolls out, and the service has no say in it.
    NotItsOwn,
}

/// The circuit breaker of a service; `None` where there is no such service, or it is being deleted.
///
/// # Errors
/// Where it can't be read.
pub(crate) async fn breaker(sdk_config: &SdkConfig, cluster: &str, name: &str) -> Result<Option<Breaker>, Unread> {
    let answer = Client::new(sdk_config).describe_services().cluster(cluster).services(name).send().await;
    let Some(answer) = found(answer.map_err(sort))? else { return Ok(None) };
    let services = answer.services.unwrap_or_default();
    let is_there = |service: &&aws_sdk_ecs::types::Service| service.status() != Some("INACTIVE");
    let Some(service) = services.iter().find(is_there) else { return Ok(None) };
    let controller = service.deployment_controller().map(|controller| controller.r#type());
    if controller.is_some_and(|kind| *kind != DeploymentControllerType::Ecs) {
        return Ok(Some(Breaker::NotItsOwn));
    }
    let breaker = service.deployment_configuration().and_then(|settings| settings.deployment_circuit_breaker());
    Ok(Some(match breaker {
        Some(breaker) if breaker.enable() => Breaker::On { rolls_back: breaker.rollback() },
        _ => Breaker::Off,
    }))
}
