//! CloudFormation: what a stack holds, so that nobody has to type names and addresses.

use std::collections::BTreeMap;

use aws_config::SdkConfig;

use super::signed::{Service, Signed};
use super::unread::Unread;

const SERVICE: Service = Service { id: "CloudFormation", name: "cloudformation", version: "2010-05-15" };

/// A page holds 100 resources, and a stack 500 at most (CloudFormation quotas).
const MOST_PAGES: usize = 6;

/// What a stack has said of itself, and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stack {
    /// `CREATE_COMPLETE` and its like.
    pub(crate) status: String,
    pub(crate) outputs: BTreeMap<String, String>,
    /// The names that AWS gave the resources, by the template's names.
    pub(crate) resources: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Stacks {
    client: Signed,
}

impl Stacks {
    pub(crate) fn new(sdk_config: &SdkConfig) -> Self {
        Self { client: Signed::new(sdk_config, SERVICE) }
    }

    /// A stack by its name.
    ///
    /// # Errors
    /// Where there is none of this name, or it may not be read.
    pub(crate) async fn get(&self, name: &str) -> Result<Stack, Unread> {
        let answer = self.client.query("DescribeStacks", &[("StackName".to_owned(), name)]).await?;
        let result = answer.child("DescribeStacksResult");
        let found = result.and_then(|result| result.list("Stacks", "member").next());
        let found = found.ok_or_else(|| Unread::ForNow("the answer to DescribeStacks holds no stack".to_owned()))?;
        let outputs = found.list("Outputs", "member").filter_map(|output| {
            Some((output.text("OutputKey")?.to_owned(), output.text("OutputValue").unwrap_or_default().to_owned()))
        });
        Ok(Stack {
            status: found.text("StackStatus").unwrap_or_default().to_owned(),
            outputs: outputs.collect(),
            resources: self.resources(name).await?,
        })
    }

    async fn resources(&self, name: &str) -> Result<BTreeMap<String, String>, Unread> {
        let mut resources = BTreeMap::new();
        let mut next: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut parameters = vec![("StackName".to_owned(), name)];
            parameters.extend(next.as_deref().map(|next| ("NextToken".to_owned(), next)));
            let answer = self.client.query("ListStackResources", &parameters).await?;
            let Some(result) = answer.child("ListStackResourcesResult") else { break };
            resources.extend(result.list("StackResourceSummaries", "member").filter_map(|resource| {
                let text = |name| resource.text(name).map(str::to_owned);
                Some((text("LogicalResourceId")?, text("PhysicalResourceId")?))
            }));
            next = result.text("NextToken").map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        Ok(resources)
    }
}
