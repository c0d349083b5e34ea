//! The deployments of a service as tests and the demo see them: what became of each, without the API.

use super::Ecs;
use super::model::Release;
use super::service::Service;
use crate::domain::time::Timestamp;

/// A deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// The commit whose image it brings; `None` where no pipeline deployed it.
    pub commit: Option<String>,
    /// The number of its task definition.
    pub definition: u32,
    /// The API's status of the service deployment: `SUCCESSFUL`, `ROLLBACK_SUCCESSFUL`, ...
    pub status: &'static str,
    /// When it began.
    pub created: Timestamp,
}

impl Ecs {
    /// The deployments of a service, oldest first; a rollback is a part of the one that it ends.
    pub fn deployments(&self, cluster: &str, name: &str) -> Vec<DeploymentView> {
        let service = self.find(cluster, name);
        service.map_or_else(Vec::new, |service| {
            service.releases.iter().filter_map(|release| view(service, release)).collect()
        })
    }
}

fn view(service: &Service, release: &Release) -> Option<DeploymentView> {
    let definition = service.revisions.iter().find(|revision| revision.id == release.target)?.definition;
    // What no pipeline registered has its own number for a tag.
    let image = service.image(definition);
    let tag = image.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| *tag != definition.to_string());
    Some(DeploymentView {
        commit: tag.map(str::to_owned),
        definition,
        status: release.status,
        created: release.created,
    })
}
