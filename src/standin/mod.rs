//! In-memory stand-ins for AWS and GitHub that speak their wire protocols.
//!
//! [`World`] is one state machine: CodePipeline with its engine, the builds of CodeBuild with their logs and the
//! rollouts of ECS that its actions bring about, the addresses that EC2 and the load balancers give them, EventBridge
//! from CodePipeline to SQS, SQS with the Lambda event source mapping, SSM parameters, and GitHub with its Apps, commit
//! statuses, check runs, deployments, and webhooks with their deliveries. It is handed every moment and every request, so
//! the same world runs behind a socket ([`Server`]) and inside a simulation with a clock of its own.
//!
//! Invariant: outside `server` nothing here is async, does I/O, reads a clock, or is random. What looks random (ids,
//! faults by chance) is derived from the seed, so a failure is replayed by replaying its seed.
//!
//! Invariant: a stand-in is stricter than the service it stands for. An unknown member is an error here even where
//! the real service would ignore it, because a misspelt member is a mistake of the client's.

mod account;
mod check;
mod cloudformation;
mod codebuild;
mod codepipeline;
mod connections;
mod ecs;
mod faults;
mod github;
mod identity;
mod ids;
mod journal;
mod json;
mod lambda;
mod logs;
mod moment;
mod network;
mod query;
mod rules;
mod server;
mod sqs;
mod ssm;
mod wire;
mod world;

pub use account::{ACCOUNT, REGION, connection_arn};
pub use cloudformation::CloudFormation;
pub use codebuild::{Build, BuildPhase, CodeBuild};
pub use codepipeline::{
    ActionSpec, Answered, CodePipeline, ExecutionView, Outcome, PipelineMode, PipelineSpec, PipelineType, Release,
    Script, StageSpec, StageView,
};
pub use connections::Connections;
pub use ecs::{Cause, CircuitBreaker, DeploymentView, Ecs, Rollout, ServiceSpec, Strategy};
pub use faults::{EventFault, Fault, Faults, When};
pub use github::{
    APP_PERMISSIONS, AppEvent, CheckAnnotation, CheckButton, CheckChange, CheckOutput, CheckRun, DeliveryOutcome,
    DeliveryView, Deployment, DeploymentStatus, EXAMPLE_APP_KEY, GitHub, HookView, NoPress, OutgoingDelivery,
    Permission, PostedStatus, Role, State, Status, example_app_credentials,
};
pub use journal::Call;
pub use lambda::{FunctionSpec, Lambda, MappingSpec, UrlAuth};
pub use rules::{RuleSpec, Rules};
pub use server::Server;
pub use sqs::{MessageView, QueueSpec, Sqs};
pub use ssm::Ssm;
pub use wire::aws_operations;
pub use world::{Answer, World};

#[cfg(test)]
mod story;
#[cfg(test)]
mod tests;
