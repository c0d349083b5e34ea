//! Services, deployments and tasks as the API shows them.

use std::time::Duration;

use serde_json::{Value, json};

use super::model::{Deployment, Release, Revision};
use super::service::Service;
use super::spec::{CircuitBreaker, Strategy, arn};
use super::task::Task;
use crate::domain::time::Timestamp;
use crate::standin::account::{ACCOUNT, REGION};
use crate::standin::json::without_nulls;
use crate::standin::moment::epoch;

/// How long a service deployment is pending before it is in progress.
const PENDING: Duration = Duration::from_secs(1);

impl Service {
    /// A task definition: one container that listens on 8080, as the sample application's does.
    pub(crate) fn definition(&self, number: u32) -> Value {
        json!({
            "taskDefinitionArn": self.task_definition(number),
            "family": self.spec.name,
            "revision": number,
            "status": "ACTIVE",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [{
                "name": self.spec.name,
                "image": self.image(number),
                "essential": true,
                "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            }],
        })
    }

    fn task_definition(&self, number: u32) -> String {
        arn("task-definition", &format!("{}:{number}", self.spec.name))
    }

    fn path(&self) -> String {
        format!("{}/{}", self.spec.cluster, self.spec.name)
    }

    pub(super) fn release_arn(&self, release: &Release) -> String {
        arn("service-deployment", &format!("{}/{}", self.path(), release.id))
    }

    pub(super) fn revision_arn(&self, id: &str) -> String {
        arn("service-revision", &format!("{}/{id}", self.path()))
    }

    pub(super) fn task_arn(&self, task: &Task) -> String {
        arn("task", &format!("{}/{}", self.spec.cluster, task.id))
    }

    fn running(&self, deployment: &str) -> usize {
        self.tasks.iter().filter(|task| task.deployment == deployment && task.is_running()).count()
    }

    fn pending(&self, deployment: &str) -> usize {
        let waits = |task: &&Task| task.deployment == deployment && task.is_live() && !task.is_running();
        self.tasks.iter().filter(waits).count()
    }

    fn configuration(&self) -> Value {
        let breaker = self.spec.breaker;
        let (enable, rollback) = (breaker != CircuitBreaker::Off, breaker == CircuitBreaker::WithRollback);
        json!({
            "deploymentCircuitBreaker": {"enable": enable, "rollback": rollback},
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": self.spec.strategy.wire(),
            "bakeTimeInMinutes": 0,
        })
    }

    fn network(&self) -> Value {
        let public = if self.spec.public { "ENABLED" } else { "DISABLED" };
        json!({"awsvpcConfiguration": {
            "subnets": ["subnet-0a1b2c3d4e5f60718"],
            "securityGroups": ["sg-0a1b2c3d4e5f60718"],
            "assignPublicIp": public,
        }})
    }

    fn load_balancers(&self) -> Value {
        let group = self.spec.listener.map(|_| {
            json!({"targetGroupArn": self.spec.target_group_arn(), "containerName": self.spec.name,
                "containerPort": 3000})
        });
        Value::Array(group.into_iter().collect())
    }

    /// An item of `DescribeServices`.
    pub(super) fn show(&self) -> Value {
        let count = |counted: &dyn Fn(&Task) -> bool| self.tasks.iter().filter(|task| counted(task)).count();
        let current = self.releases.last().filter(|release| release.finished.is_none() && release.stopped.is_none());
        let events = self
            .events
            .iter()
            .rev()
            .map(|event| json!({"id": event.id, "createdAt": epoch(event.at), "message": event.message}));
        without_nulls(json!({
            "serviceArn": self.spec.arn(),
            "serviceName": self.spec.name,
            "clusterArn": self.spec.cluster_arn(),
            "loadBalancers": self.load_balancers(),
            "serviceRegistries": [],
            "status": "ACTIVE",
            "desiredCount": self.spec.desired,
            "runningCount": count(&Task::is_running),
            "pendingCount": count(&|task| task.is_live() && !task.is_running()),
            "launchType": "FARGATE",
            "platformVersion": "LATEST",
            "platformFamily": "Linux",
            "taskDefinition": self.task_definition(self.definition),
            "deploymentConfiguration": self.configuration(),
            "deployments": self.deployments.iter().map(|one| self.deployment(one)).collect::<Vec<_>>(),
            "events": events.collect::<Vec<_>>(),
            "createdAt": epoch(self.created),
            "currentServiceDeployment": current.map(|release| self.release_arn(release)),
            "placementConstraints": [],
            "placementStrategy": [],
            "networkConfiguration": self.network(),
            "healthCheckGracePeriodSeconds": 0,
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "createdBy": format!("arn:aws:iam::{ACCOUNT}:role/deployer"),
            "enableECSManagedTags": false,
            "propagateTags": "NONE",
            "enableExecuteCommand": false,
        }))
    }

    fn deployment(&self, deployment: &Deployment) -> Value {
        let (running, pending) = (self.running(&deployment.id), self.pending(&deployment.id));
        // What is not the newest is to have no more tasks than it still has, and what has failed none.
        let desired = match (deployment.is_primary, deployment.state) {
            (true, _) => self.spec.desired as usize,
            (false, "FAILED") => 0,
            (false, _) => running + pending,
        };
        let rolling = self.spec.strategy == Strategy::Rolling;
        without_nulls(json!({
            "id": deployment.id,
            "status": if deployment.is_primary { "PRIMARY" } else { "ACTIVE" },
            "taskDefinition": self.task_definition(deployment.definition),
            "desiredCount": desired,
            "pendingCount": pending,
            "runningCount": running,
            "failedTasks": deployment.failed,
            "createdAt": epoch(deployment.created),
            "updatedAt": epoch(deployment.updated),
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "networkConfiguration": self.network(),
            "rolloutState": rolling.then_some(deployment.state),
            "rolloutStateReason": rolling.then_some(&deployment.reason),
        }))
    }

    /// The status of a service deployment, with the moment at which it began.
    pub(super) fn status(release: &Release, now: Timestamp) -> (&'static str, Option<Timestamp>) {
        let started = release.created + PENDING;
        match release.status {
            "IN_PROGRESS" if now < started => ("PENDING", None),
            status => (status, Some(started)),
        }
    }

    /// An item of `ListServiceDeployments`.
    pub(super) fn brief(&self, release: &Release, now: Timestamp) -> Value {
        let (status, started) = Self::status(release, now);
        without_nulls(json!({
            "serviceDeploymentArn": self.release_arn(release),
            "serviceArn": self.spec.arn(),
            "clusterArn": self.spec.cluster_arn(),
            "createdAt": epoch(release.created),
            "startedAt": started.map(epoch),
            "finishedAt": release.finished.map(epoch),
            "targetServiceRevisionArn": self.revision_arn(&release.target),
            "status": status,
            "statusReason": release.reason,
        }))
    }

    /// An item of `DescribeServiceDeployments`.
    pub(super) fn detail(&self, release: &Release, now: Timestamp) -> Value {
        let (status, started) = Self::status(release, now);
        let breaker = match (self.spec.breaker, release.status) {
            (CircuitBreaker::Off, _) => "DISABLED",
            (_, "IN_PROGRESS") => "MONITORING",
            (_, "SUCCESSFUL") => "MONITORING_COMPLETE",
            _ if release.failures >= self.spec.threshold() => "TRIGGERED",
            _ => "MONITORING_COMPLETE",
        };
        let rollback = release.rolled_back.map(|at| {
            let to = release.source.as_deref().map(|id| self.revision_arn(id));
            json!({"reason": release.reason, "startedAt": epoch(at), "serviceRevisionArn": to})
        });
        let source = release.source.as_deref().and_then(|id| self.revisions.iter().find(|one| one.id == id));
        let target = self.revisions.iter().find(|one| one.id == release.target);
        let wanted = if release.rolled_back.is_none() { self.spec.desired as usize } else { 0 };
        without_nulls(json!({
            "serviceDeploymentArn": self.release_arn(release),
            "serviceArn": self.spec.arn(),
            "clusterArn": self.spec.cluster_arn(),
            "createdAt": epoch(release.created),
            "startedAt": started.map(epoch),
            "finishedAt": release.finished.map(epoch),
            "stoppedAt": release.stopped.map(epoch),
            "updatedAt": epoch(release.updated),
            "sourceServiceRevisions": source.map(|one| self.counts(one, None)).into_iter().collect::<Vec<_>>(),
            "targetServiceRevision": target.map(|one| self.counts(one, Some(wanted))),
            "status": status,
            "statusReason": release.reason,
            "lifecycleStage": release.stage,
            "deploymentConfiguration": self.configuration(),
            "rollback": rollback,
            "deploymentCircuitBreaker": {
                "status": breaker,
                "failureCount": release.failures,
                "threshold": self.spec.threshold(),
            },
            "alarms": {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []},
        }))
    }

    fn counts(&self, revision: &Revision, wanted: Option<usize>) -> Value {
        let of = &revision.deployment;
        let (running, pending) = (self.running(of), self.pending(of));
        json!({
            "arn": self.revision_arn(&revision.id),
            "requestedTaskCount": wanted.unwrap_or(running + pending),
            "runningTaskCount": running,
            "pendingTaskCount": pending,
        })
    }

    /// An item of `DescribeServiceRevisions`.
    pub(super) fn revision(&self, revision: &Revision) -> Value {
        json!({
            "serviceRevisionArn": self.revision_arn(&revision.id),
            "serviceArn": self.spec.arn(),
            "clusterArn": self.spec.cluster_arn(),
            "taskDefinition": self.task_definition(revision.definition),
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "loadBalancers": self.load_balancers(),
            "networkConfiguration": self.network(),
            "containerImages": [{"containerName": self.spec.name, "image": self.image(revision.definition)}],
            "guardDutyEnabled": false,
            "createdAt": epoch(revision.created),
        })
    }

    /// An item of `DescribeTasks`.
    pub(super) fn task(&self, task: &Task, now: Timestamp) -> Value {
        let stop = task.stopped.as_ref();
        let task_arn = self.task_arn(task);
        let container = without_nulls(json!({
            "containerArn": arn("container", &format!("{}/{}/{}", self.spec.cluster, task.id, task.attachment)),
            "taskArn": task_arn,
            "name": self.spec.name,
            "image": self.image(task.definition),
            "runtimeId": task.running.map(|_| format!("{}-0", task.id)),
            "lastStatus": task.last_status(now).replace("PROVISIONING", "PENDING"),
            "exitCode": stop.and_then(|stop| stop.exit),
            "reason": stop.and_then(|stop| stop.container.as_ref()),
            "networkBindings": [],
            "networkInterfaces": [{"attachmentId": task.attachment, "privateIpv4Address": task.private_address}],
            "healthStatus": task.health(),
            "cpu": "0",
        }));
        let detail = |name: &str, value: &str| json!({"name": name, "value": value});
        without_nulls(json!({
            "attachments": [{
                "id": task.attachment,
                "type": "ElasticNetworkInterface",
                "status": if stop.is_some() { "DELETED" } else { "ATTACHED" },
                "details": [
                    detail("subnetId", "subnet-0a1b2c3d4e5f60718"),
                    detail("networkInterfaceId", &task.interface),
                    detail("macAddress", "02:42:ac:11:00:02"),
                    detail("privateDnsName", &format!("ip-{}.ec2.internal", task.private_address.replace('.', "-"))),
                    detail("privateIPv4Address", &task.private_address),
                ],
            }],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": format!("{REGION}a"),
            "clusterArn": self.spec.cluster_arn(),
            "connectivity": task.running.map(|_| "CONNECTED"),
            "containers": [container],
            "cpu": "256",
            "createdAt": epoch(task.created),
            "desiredStatus": if stop.is_some() { "STOPPED" } else { "RUNNING" },
            "enableExecuteCommand": false,
            "executionStoppedAt": stop.filter(|_| task.running.is_some()).map(|stop| epoch(stop.at)),
            "group": format!("service:{}", self.spec.name),
            "healthStatus": task.health(),
            "lastStatus": task.last_status(now),
            "launchType": "FARGATE",
            "memory": "512",
            "overrides": {"containerOverrides": [{"name": self.spec.name}], "inferenceAcceleratorOverrides": []},
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "startedAt": task.running.map(epoch),
            "startedBy": task.deployment,
            "stopCode": stop.map(|stop| stop.code),
            "stoppedAt": stop.map(|stop| epoch(stop.at)),
            "stoppedReason": stop.map(|stop| &stop.reason),
            "stoppingAt": stop.map(|stop| epoch(stop.at)),
            "tags": [],
            "taskArn": task_arn,
            "taskDefinitionArn": self.task_definition(task.definition),
            "version": 1 + u8::from(task.running.is_some()) + u8::from(stop.is_some()),
        }))
    }
}
