//! The inputs of the operations, as the service's model has them.

use crate::standin::check::{FLAG, Member, Pattern, Shape, may, must};

static NAME: Shape = Shape::Text { min: 1, max: 100, pattern: Pattern::AlphanumericAnd(".@-_") };
static VARIABLE_NAME: Shape = Shape::Text { min: 1, max: 128, pattern: Pattern::AlphanumericAnd("@-_") };
static VARIABLE_VALUE: Shape = Shape::Text { min: 1, max: 1000, pattern: Pattern::OneLine };
static VARIABLE: Shape = Shape::Members(&[must("name", &VARIABLE_NAME), must("value", &VARIABLE_VALUE)]);
static VARIABLES: Shape = Shape::List { min: 1, max: 50, of: &VARIABLE };
static TOKEN: Shape = Shape::Text { min: 1, max: 128, pattern: Pattern::AlphanumericAnd("-") };
static REVISION_TYPE: Shape = Shape::OneOf(&["COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"]);
static REVISION: Shape = Shape::Text { min: 1, max: 1500, pattern: Pattern::Any };
static OVERRIDE: Shape = Shape::Members(&[
    must("actionName", &NAME),
    must("revisionType", &REVISION_TYPE),
    must("revisionValue", &REVISION),
]);
static OVERRIDES: Shape = Shape::List { min: 0, max: 50, of: &OVERRIDE };
static ID: Shape = Shape::Text { min: 36, max: 36, pattern: Pattern::Uuid };
static RANGE: Shape = Shape::OneOf(&["Latest", "All"]);
static LATEST: Shape = Shape::Members(&[must("pipelineExecutionId", &ID), must("startTimeRange", &RANGE)]);
static ACTION_FILTER: Shape =
    Shape::Members(&[may("pipelineExecutionId", &ID), may("latestInPipelineExecution", &LATEST)]);
static MAX_RESULTS: Shape = Shape::Integer { min: 1, max: 100 };
static NEXT_TOKEN: Shape = Shape::Text { min: 1, max: 2048, pattern: Pattern::Any };
static SUCCEEDED_IN: Shape = Shape::Members(&[must("stageName", &NAME)]);
static EXECUTION_FILTER: Shape = Shape::Members(&[may("succeededInStage", &SUCCEEDED_IN)]);
static VERSION: Shape = Shape::Integer { min: 1, max: i64::MAX };
static STOP_REASON: Shape = Shape::Text { min: 0, max: 200, pattern: Pattern::Any };
static RETRY_MODE: Shape = Shape::OneOf(&["FAILED_ACTIONS", "ALL_ACTIONS"]);
static APPROVAL_SUMMARY: Shape = Shape::Text { min: 0, max: 512, pattern: Pattern::Any };
static APPROVAL_STATUS: Shape = Shape::OneOf(&["Approved", "Rejected"]);
static RESULT: Shape = Shape::Members(&[must("summary", &APPROVAL_SUMMARY), must("status", &APPROVAL_STATUS)]);
static TRANSITION: Shape = Shape::OneOf(&["Inbound", "Outbound"]);
static HOLD_REASON: Shape = Shape::Text { min: 1, max: 300, pattern: Pattern::AlphanumericAnd("!@ ().*?-") };

pub(super) static START: &[Member] = &[
    must("name", &NAME),
    may("variables", &VARIABLES),
    may("clientRequestToken", &TOKEN),
    may("sourceRevisions", &OVERRIDES),
];
pub(super) static GET_EXECUTION: &[Member] = &[must("pipelineName", &NAME), must("pipelineExecutionId", &ID)];
pub(super) static LIST_ACTIONS: &[Member] = &[
    must("pipelineName", &NAME),
    may("filter", &ACTION_FILTER),
    may("maxResults", &MAX_RESULTS),
    may("nextToken", &NEXT_TOKEN),
];
pub(super) static LIST_EXECUTIONS: &[Member] = &[
    must("pipelineName", &NAME),
    may("filter", &EXECUTION_FILTER),
    may("maxResults", &MAX_RESULTS),
    may("nextToken", &NEXT_TOKEN),
];
pub(super) static GET_STATE: &[Member] = &[must("name", &NAME)];
pub(super) static GET_PIPELINE: &[Member] = &[must("name", &NAME), may("version", &VERSION)];
pub(super) static STOP: &[Member] = &[
    must("pipelineName", &NAME),
    must("pipelineExecutionId", &ID),
    may("abandon", &FLAG),
    may("reason", &STOP_REASON),
];
pub(super) static RETRY: &[Member] = &[
    must("pipelineName", &NAME),
    must("stageName", &NAME),
    must("pipelineExecutionId", &ID),
    must("retryMode", &RETRY_MODE),
];
pub(super) static ROLLBACK: &[Member] =
    &[must("pipelineName", &NAME), must("stageName", &NAME), must("targetPipelineExecutionId", &ID)];
pub(super) static APPROVE: &[Member] = &[
    must("pipelineName", &NAME),
    must("stageName", &NAME),
    must("actionName", &NAME),
    must("result", &RESULT),
    must("token", &ID),
];
pub(super) static DISABLE: &[Member] = &[
    must("pipelineName", &NAME),
    must("stageName", &NAME),
    must("transitionType", &TRANSITION),
    must("reason", &HOLD_REASON),
];
pub(super) static ENABLE: &[Member] =
    &[must("pipelineName", &NAME), must("stageName", &NAME), must("transitionType", &TRANSITION)];
