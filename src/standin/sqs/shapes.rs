//! The inputs of the operations, as the service's model has them.

use crate::standin::check::{Member, Shape, TEXT, may, must};

// SQS's model holds no limits, so the bounds are checked by the operations, where the service's own messages are given.
static NUMBER: Shape = Shape::Integer { min: i32::MIN as i64, max: i32::MAX as i64 };
static TEXTS: Shape = Shape::List { min: 0, max: usize::MAX, of: &TEXT };
// Binary values and the reserved lists of values are not stood in for, so they are unknown members here.
static ATTRIBUTE: Shape = Shape::Members(&[must("DataType", &TEXT), may("StringValue", &TEXT)]);
static ATTRIBUTES: Shape = Shape::Map { key: &TEXT, value: &ATTRIBUTE };
static SYSTEM_NAME: Shape = Shape::OneOf(&["AWSTraceHeader"]);
static SYSTEM_ATTRIBUTES: Shape = Shape::Map { key: &SYSTEM_NAME, value: &ATTRIBUTE };
static QUEUE_ATTRIBUTE: Shape = Shape::OneOf(&[
    "All",
    "Policy",
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
    "ApproximateNumberOfMessagesDelayed",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
]);
static SETTINGS: Shape = Shape::Map { key: &TEXT, value: &TEXT };
static QUEUE_ATTRIBUTES: Shape = Shape::List { min: 0, max: usize::MAX, of: &QUEUE_ATTRIBUTE };
static MESSAGE_ATTRIBUTE: Shape = Shape::OneOf(&[
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
]);
static MESSAGE_ATTRIBUTES: Shape = Shape::List { min: 0, max: usize::MAX, of: &MESSAGE_ATTRIBUTE };

pub(super) static SEND: &[Member] = &[
    must("QueueUrl", &TEXT),
    must("MessageBody", &TEXT),
    may("DelaySeconds", &NUMBER),
    may("MessageAttributes", &ATTRIBUTES),
    may("MessageSystemAttributes", &SYSTEM_ATTRIBUTES),
    may("MessageDeduplicationId", &TEXT),
    may("MessageGroupId", &TEXT),
];
static SEND_ENTRY: Shape = Shape::Members(&[
    must("Id", &TEXT),
    must("MessageBody", &TEXT),
    may("DelaySeconds", &NUMBER),
    may("MessageAttributes", &ATTRIBUTES),
    may("MessageSystemAttributes", &SYSTEM_ATTRIBUTES),
    may("MessageDeduplicationId", &TEXT),
    may("MessageGroupId", &TEXT),
]);
static SEND_ENTRIES: Shape = Shape::List { min: 0, max: usize::MAX, of: &SEND_ENTRY };
pub(super) static SEND_BATCH: &[Member] = &[must("QueueUrl", &TEXT), must("Entries", &SEND_ENTRIES)];
pub(super) static RECEIVE: &[Member] = &[
    must("QueueUrl", &TEXT),
    may("AttributeNames", &MESSAGE_ATTRIBUTES),
    may("MessageSystemAttributeNames", &MESSAGE_ATTRIBUTES),
    may("MessageAttributeNames", &TEXTS),
    may("MaxNumberOfMessages", &NUMBER),
    may("VisibilityTimeout", &NUMBER),
    may("WaitTimeSeconds", &NUMBER),
    may("ReceiveRequestAttemptId", &TEXT),
];
pub(super) static DELETE: &[Member] = &[must("QueueUrl", &TEXT), must("ReceiptHandle", &TEXT)];
static DELETE_ENTRY: Shape = Shape::Members(&[must("Id", &TEXT), must("ReceiptHandle", &TEXT)]);
static DELETE_ENTRIES: Shape = Shape::List { min: 0, max: usize::MAX, of: &DELETE_ENTRY };
pub(super) static DELETE_BATCH: &[Member] = &[must("QueueUrl", &TEXT), must("Entries", &DELETE_ENTRIES)];
pub(super) static CHANGE_VISIBILITY: &[Member] =
    &[must("QueueUrl", &TEXT), must("ReceiptHandle", &TEXT), must("VisibilityTimeout", &NUMBER)];
pub(super) static GET_ATTRIBUTES: &[Member] = &[must("QueueUrl", &TEXT), may("AttributeNames", &QUEUE_ATTRIBUTES)];
pub(super) static CREATE: &[Member] = &[must("QueueName", &TEXT), may("Attributes", &SETTINGS)];
pub(super) static GET_URL: &[Member] = &[must("QueueName", &TEXT), may("QueueOwnerAWSAccountId", &TEXT)];
pub(super) static START_MOVE: &[Member] =
    &[must("SourceArn", &TEXT), may("DestinationArn", &TEXT), may("MaxNumberOfMessagesPerSecond", &NUMBER)];
pub(super) static LIST_MOVES: &[Member] = &[must("SourceArn", &TEXT), may("MaxResults", &NUMBER)];
pub(super) static CANCEL_MOVE: &[Member] = &[must("TaskHandle", &TEXT)];
