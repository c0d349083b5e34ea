//! Executions as a list of them tells.

use super::event::CommitSha;
use super::execution::ExecutionStatus;
use super::template::one_line;
use super::time::Timestamp;

/// An execution, without what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    /// CodePipeline's word, which knows nothing of a rollback by ECS.
    pub status: ExecutionStatus,
    pub commit: Option<CommitSha>,
    /// The commit's message, where the source tells it.
    pub message: Option<String>,
    pub is_rollback: bool,
    /// What set it off (botocore: `TriggerType`), and who or by what.
    pub trigger: String,
    pub trigger_detail: Option<String>,
    pub started: Timestamp,
    pub updated: Timestamp,
}

/// As many characters of an id of AWS's as people read.
pub const SHORT_ID: usize = 8;

/// The beginning of the id of an execution, or of a message.
pub fn short_id(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

impl Listed {
    pub fn short_commit(&self) -> &str {
        self.commit.as_ref().map_or("-", CommitSha::short)
    }

    /// The first line of the commit's message, without anything that a terminal would take for an order.
    pub fn subject(&self) -> String {
        one_line(self.message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default())
    }

    /// Who or what began it: `user octocat`, `role pipehook-worker`, `webhook`.
    pub fn begun_by(&self) -> String {
        let who = self.trigger_detail.as_deref().and_then(principal);
        one_line(&match (self.trigger.as_str(), who) {
            ("ManualRollback", Some(who)) => format!("rollback by {who}"),
            ("ManualRollback" | "AutomatedRollback", _) => "rollback".to_owned(),
            (_, Some(who)) => who,
            ("Webhook" | "WebhookV2", None) => "webhook".to_owned(),
            ("PollForSourceChanges", None) => "polling".to_owned(),
            ("CloudWatchEvent", None) => "event".to_owned(),
            ("CreatePipeline", None) => "creation".to_owned(),
            (other, None) => other.to_owned(),
        })
    }
}

/// A person or a role from its ARN. Of a role that people sign in to, the session says who it was.
fn principal(arn: &str) -> Option<String> {
    let resource = arn.strip_prefix("arn:")?.splitn(5, ':').last()?;
    let (kind, name) = resource.split_once('/')?;
    match (kind, name.split_once('/')) {
        ("user", _) => Some(format!("user {}", name.rsplit('/').next().unwrap_or(name))),
        ("assumed-role", Some((role, session))) if role.starts_with("AWSReservedSSO_") => {
            Some(format!("user {session}"))
        }
        ("assumed-role", Some((role, _))) => Some(format!("role {role}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(trigger: &str, detail: Option<&str>) -> Listed {
        Listed {
            id: "8f3c1a2b-0000-4000-8000-1234567890ab".to_owned(),
            status: ExecutionStatus::Succeeded,
            commit: None,
            message: Some("Say \u{1b}[31mhello\u{9b}2J\n\nLoudly".to_owned()),
            is_rollback: false,
            trigger: trigger.to_owned(),
            trigger_detail: detail.map(str::to_owned),
            started: Timestamp::default(),
            updated: Timestamp::default(),
        }
    }

    fn begun_by(trigger: &str, detail: Option<&str>) -> String {
        listed(trigger, detail).begun_by()
    }

    #[test]
    fn a_message_gives_no_orders_to_a_terminal() {
        assert_eq!(listed("Webhook", None).subject(), "Say [31mhello2J");
        assert_eq!(Listed { message: None, ..listed("Webhook", None) }.subject(), "");
    }

    #[test]
    fn who_began_it_is_told_by_name() {
        let role = "arn:aws:sts::123456789012:assumed-role/pipehook-worker/worker";
        assert_eq!(begun_by("StartPipelineExecution", Some(role)), "role pipehook-worker");
        let person = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0a/octocat";
        assert_eq!(begun_by("StartPipelineExecution", Some(person)), "user octocat");
        assert_eq!(
            begun_by("ManualRollback", Some("arn:aws:iam::123456789012:user/ops/octocat")),
            "rollback by user octocat"
        );
        assert_eq!(begun_by("AutomatedRollback", Some("Staging")), "rollback");
        assert_eq!(begun_by("WebhookV2", Some("arn:aws:codeconnections:us-east-1:1:connection/c")), "webhook");
        assert_eq!(begun_by("Later\u{1b}[2J", None), "Later[2J");
    }

    #[test]
    fn a_commit_is_told_by_its_beginning_once_it_is_known() {
        let unknown = listed("Webhook", None);
        assert_eq!(unknown.short_commit(), "-");
        let known = Listed { commit: CommitSha::parse(&"a1b2c3d4e5".repeat(4)), ..unknown };
        assert_eq!(known.short_commit(), "a1b2c3d");
    }

    #[test]
    fn an_id_that_is_shorter_than_its_beginning_is_whole() {
        assert_eq!(short_id("8f3c1a2b-0000"), "8f3c1a2b");
        assert_eq!(short_id("8f3"), "8f3");
    }
}
