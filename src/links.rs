//! Links of statuses: where a person goes on reading, and how a status is known to belong to an execution.
//!
//! The form of the console's addresses is not documented by AWS; it is what the console itself uses.

/// The console's page of an execution.
pub(crate) fn execution(region: &str, pipeline: &str, execution: &str) -> String {
    format!(
        "{}/executions/{execution}/visualization?region={region}",
        base(region, pipeline)
    )
}

/// The console's page of a pipeline.
pub(crate) fn pipeline(region: &str, pipeline: &str) -> String {
    format!("{}/view?region={region}", base(region, pipeline))
}

fn base(region: &str, pipeline: &str) -> String {
    let console = match region {
        china if china.starts_with("cn-") => "console.amazonaws.cn",
        us_gov if us_gov.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    // Of the signs that a pipeline's name may hold, only `@` is not its own in a path.
    let name = pipeline.replace('@', "%40");
    format!("https://{region}.{console}/codesuite/codepipeline/pipelines/{name}")
}

/// The execution that a status's link leads to.
pub(crate) fn execution_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("/executions/")?;
    let id = rest.split(['/', '?', '#']).next()?;
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_known_by_its_link() {
        let url = execution("eu-west-1", "node@server", "5a1b");
        insta::assert_snapshot!(url, @"https://eu-west-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/node%40server/executions/5a1b/visualization?region=eu-west-1");
        assert_eq!(execution_of(&url), Some("5a1b"));
        assert_eq!(execution_of(&pipeline("eu-west-1", "node-server")), None);
        assert_eq!(execution_of("https://ci.example.com/executions/"), None);
    }
}
