//! ECS on the wire.

use serde_json::{Value, json};

use super::Ecs;
use super::service::Service;
use super::spec::arn;
use crate::domain::time::Timestamp;
use crate::standin::check::{self, MOMENT, Member, Shape, TEXT, may, must};
use crate::standin::json::texts;
use crate::standin::wire::{AwsError, AwsService};

static TEXTS: Shape = Shape::List { min: 0, max: usize::MAX, of: &TEXT };
static TAGS: Shape = Shape::OneOf(&["TAGS"]);
static INCLUDE: Shape = Shape::List { min: 0, max: usize::MAX, of: &TAGS };
static COUNT: Shape = Shape::Integer { min: 1, max: 100 };
static DESIRED: Shape = Shape::OneOf(&["RUNNING", "PENDING", "STOPPED"]);
static LAUNCH_TYPE: Shape = Shape::OneOf(&["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"]);
static STATUS: Shape = Shape::OneOf(&[
    "PENDING",
    "SUCCESSFUL",
    "STOPPED",
    "STOP_REQUESTED",
    "IN_PROGRESS",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
]);
static STATUSES: Shape = Shape::List { min: 0, max: usize::MAX, of: &STATUS };
static CREATED: Shape = Shape::Members(&[may("before", &MOMENT), may("after", &MOMENT)]);

static DESCRIBE_SERVICES: &[Member] = &[may("cluster", &TEXT), must("services", &TEXTS), may("include", &INCLUDE)];
static LIST_DEPLOYMENTS: &[Member] = &[
    must("service", &TEXT),
    may("cluster", &TEXT),
    may("status", &STATUSES),
    may("createdAt", &CREATED),
    may("nextToken", &TEXT),
    may("maxResults", &COUNT),
];
static DESCRIBE_DEPLOYMENTS: &[Member] = &[must("serviceDeploymentArns", &TEXTS)];
static DESCRIBE_REVISIONS: &[Member] = &[must("serviceRevisionArns", &TEXTS)];
static DESCRIBE_DEFINITION: &[Member] = &[must("taskDefinition", &TEXT), may("include", &INCLUDE)];
static LIST_TASKS: &[Member] = &[
    may("cluster", &TEXT),
    may("containerInstance", &TEXT),
    may("family", &TEXT),
    may("nextToken", &TEXT),
    may("maxResults", &COUNT),
    may("startedBy", &TEXT),
    may("serviceName", &TEXT),
    may("desiredStatus", &DESIRED),
    may("launchType", &LAUNCH_TYPE),
    may("daemonName", &TEXT),
];
static DESCRIBE_TASKS: &[Member] = &[may("cluster", &TEXT), must("tasks", &TEXTS), may("include", &INCLUDE)];

/// As many service deployments as are listed where the request does not say.
const DEPLOYMENTS_LISTED: u64 = 20;
/// As many tasks.
const TASKS_LISTED: u64 = 100;

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterException", message)
}

fn not_found(what: &str) -> AwsError {
    AwsError::new(
        if what == "Cluster" { "ClusterNotFoundException" } else { "ServiceNotFoundException" },
        format!("{what} not found."),
    )
}

/// The last part of a name that may be an ARN.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Refuses an empty list, and one of more than the operation takes.
fn limited<'a>(body: &'a Value, member: &str, most: usize) -> Result<Vec<&'a str>, AwsError> {
    let names: Vec<&str> = texts(&body[member]).collect();
    match names.len() {
        0 => Err(invalid(format!("{member} cannot be empty."))),
        count if count > most => Err(invalid(format!("{member} must have at most {most} members, not {count}."))),
        _ => Ok(names),
    }
}

impl Ecs {
    pub(crate) fn call(&self, now: Timestamp, operation: &str, body: &Value) -> Result<Value, AwsError> {
        let shape = match operation {
            "DescribeServices" => DESCRIBE_SERVICES,
            "ListServiceDeployments" => LIST_DEPLOYMENTS,
            "DescribeServiceDeployments" => DESCRIBE_DEPLOYMENTS,
            "DescribeServiceRevisions" => DESCRIBE_REVISIONS,
            "DescribeTaskDefinition" => DESCRIBE_DEFINITION,
            "ListTasks" => LIST_TASKS,
            "DescribeTasks" => DESCRIBE_TASKS,
            other => return Err(AwsService::Ecs.unknown(other)),
        };
        check::check(shape, body).map_err(|error| match error.code {
            "ValidationException" => invalid(error.message),
            _ => error,
        })?;
        match operation {
            "DescribeServices" => self.describe_services(body),
            "ListServiceDeployments" => self.list_deployments(now, body),
            "DescribeServiceDeployments" => {
                let arns = limited(body, "serviceDeploymentArns", 20)?;
                let found = |wanted: &str| {
                    self.services.iter().find_map(|service| {
                        let release = service.releases.iter().find(|one| service.release_arn(one) == wanted)?;
                        Some(service.detail(release, now))
                    })
                };
                Ok(answer("serviceDeployments", &arns, found, str::to_owned))
            }
            "DescribeServiceRevisions" => {
                let arns = limited(body, "serviceRevisionArns", 20)?;
                let found = |wanted: &str| {
                    self.services.iter().find_map(|service| {
                        let revision = service.revisions.iter().find(|one| service.revision_arn(&one.id) == wanted)?;
                        Some(service.revision(revision))
                    })
                };
                Ok(answer("serviceRevisions", &arns, found, str::to_owned))
            }
            "DescribeTaskDefinition" => self.describe_definition(body["taskDefinition"].as_str().unwrap_or_default()),
            "ListTasks" => self.list_tasks(body),
            _ => self.describe_tasks(now, body),
        }
    }

    /// The services of the cluster that a request names.
    fn cluster<'a>(&'a self, body: &'a Value) -> Result<(&'a str, Vec<&'a Service>), AwsError> {
        let cluster = short(body["cluster"].as_str().unwrap_or("default"));
        let services: Vec<_> = self.services.iter().filter(|service| service.spec.cluster == cluster).collect();
        if services.is_empty() { Err(not_found("Cluster")) } else { Ok((cluster, services)) }
    }

    /// A task definition, by its ARN or its family and number.
    fn describe_definition(&self, name: &str) -> Result<Value, AwsError> {
        let found = short(name).split_once(':').and_then(|(family, number)| {
            let service = self.services.iter().find(|service| service.spec.name == family)?;
            let number: u32 = number.parse().ok()?;
            (number <= service.definition || service.images.contains_key(&number)).then(|| service.definition(number))
        });
        let unable = || AwsError::new("ClientException", "Unable to describe task definition.");
        found.map(|definition| json!({"taskDefinition": definition})).ok_or_else(unable)
    }

    fn describe_services(&self, body: &Value) -> Result<Value, AwsError> {
        let names = limited(body, "services", 10)?;
        let (cluster, services) = self.cluster(body)?;
        let found = |name: &str| {
            let is_it = |service: &&&Service| service.spec.name == short(name);
            services.iter().find(is_it).map(|service| service.show())
        };
        Ok(answer("services", &names, found, |name| arn("service", &format!("{cluster}/{}", short(name)))))
    }

    fn list_deployments(&self, now: Timestamp, body: &Value) -> Result<Value, AwsError> {
        let (_, services) = self.cluster(body)?;
        let name = body["service"].as_str().unwrap_or_default();
        let service = services.into_iter().find(|service| service.spec.name == short(name));
        let service = service.ok_or_else(|| not_found("Service"))?;
        let statuses: Vec<&str> = texts(&body["status"]).collect();
        let bound = |which: &str| body["createdAt"][which].as_f64();
        let releases = service.releases.iter().rev().filter(|release| {
            let created = release.created.as_millis() as f64 / 1000.0;
            (statuses.is_empty() || statuses.contains(&Service::status(release, now).0))
                && bound("before").is_none_or(|before| created < before)
                && bound("after").is_none_or(|after| created > after)
        });
        let briefs = releases.map(|release| service.brief(release, now)).collect();
        page("serviceDeployments", briefs, body, DEPLOYMENTS_LISTED)
    }

    fn list_tasks(&self, body: &Value) -> Result<Value, AwsError> {
        let (_, services) = self.cluster(body)?;
        let of = |member: &str| body[member].as_str();
        let others = ["containerInstance", "family", "serviceName", "desiredStatus", "launchType", "daemonName"];
        if of("startedBy").is_some() && others.iter().any(|other| of(other).is_some()) {
            return Err(invalid("startedBy must be the only filter."));
        }
        if of("containerInstance").or_else(|| of("daemonName")).is_some() {
            return Err(invalid("Neither container instances nor daemons are stood in for."));
        }
        if of("serviceName").is_some_and(|name| !services.iter().any(|service| service.spec.name == short(name))) {
            return Err(not_found("Service"));
        }
        let stopped = of("desiredStatus") == Some("STOPPED");
        let mut tasks = Vec::new();
        for service in services {
            let named = of("serviceName").is_none_or(|name| service.spec.name == short(name));
            let family = of("family").is_none_or(|family| service.spec.name == family);
            // ECS never desires that a task be pending.
            if !named || !family || of("desiredStatus") == Some("PENDING") || of("launchType") == Some("EC2") {
                continue;
            }
            let chosen = service.tasks.iter().filter(|task| {
                task.is_live() != stopped && of("startedBy").is_none_or(|deployment| task.deployment == deployment)
            });
            tasks.extend(chosen.map(|task| json!(service.task_arn(task))));
        }
        page("taskArns", tasks, body, TASKS_LISTED)
    }

    fn describe_tasks(&self, now: Timestamp, body: &Value) -> Result<Value, AwsError> {
        let names = limited(body, "tasks", 100)?;
        let (cluster, services) = self.cluster(body)?;
        let found = |name: &str| {
            services.iter().find_map(|service| {
                let task = service.tasks.iter().find(|task| task.id == short(name))?;
                Some(service.task(task, now))
            })
        };
        Ok(answer("tasks", &names, found, |name| arn("task", &format!("{cluster}/{}", short(name)))))
    }
}

/// What was found, and a failure for each that was not.
fn answer(member: &str, wanted: &[&str], find: impl Fn(&str) -> Option<Value>, arn: impl Fn(&str) -> String) -> Value {
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for name in wanted {
        match find(name) {
            Some(value) => found.push(value),
            None => failures.push(json!({"arn": arn(name), "reason": "MISSING"})),
        }
    }
    json!({member: found, "failures": failures})
}

/// A page of a list, whose token says how many items came before it.
fn page(member: &str, items: Vec<Value>, body: &Value, most: u64) -> Result<Value, AwsError> {
    let from = match body["nextToken"].as_str() {
        None => 0,
        Some(token) => {
            let from = token.strip_prefix("after-").and_then(|count| count.parse::<usize>().ok());
            from.filter(|from| *from <= items.len()).ok_or_else(|| invalid("Invalid token"))?
        }
    };
    let most = usize::try_from(body["maxResults"].as_u64().unwrap_or(most)).unwrap_or(usize::MAX);
    let left = items.len() - from;
    let mut shown = json!({member: items.into_iter().skip(from).take(most).collect::<Vec<_>>()});
    if left > most {
        shown["nextToken"] = json!(format!("after-{}", from + most));
    }
    Ok(shown)
}
