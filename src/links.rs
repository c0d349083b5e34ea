//! Links of statuses: where a person goes on reading, and how a status is known to belong to an execution.
//!
//! The form of the console's addresses is not documented by AWS; it is what the console itself uses.

use crate::domain::report::Author;

/// What stands before the mark of a push in a link's fragment, which the console does not look at.
const PUSH: &str = "#push=";

/// The console's page of an execution, marked with the push that started it, where that is known.
pub(crate) fn execution(region: &str, pipeline: &str, execution: &str, push: Option<&str>) -> String {
    let page = format!("{}/executions/{execution}/visualization?region={region}", base(region, pipeline));
    push.map(|push| format!("{page}{PUSH}{push}")).unwrap_or(page)
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

/// The execution that a status's link leads to, and the push that started it.
pub(crate) fn author_of(url: &str) -> Option<Author> {
    let (_, rest) = url.split_once("/executions/")?;
    let id = rest.split(['/', '?', '#']).next().filter(|id| !id.is_empty())?;
    let push = rest.split_once(PUSH).map(|(_, push)| push.to_owned());
    Some(Author { execution: id.to_owned(), push })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_known_by_its_link() {
        let url = execution("eu-west-1", "node@server", "5a1b", Some("c0ffee"));
        insta::assert_snapshot!(url, @"https://eu-west-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/node%40server/executions/5a1b/visualization?region=eu-west-1#push=c0ffee");
        let author = |push: Option<&str>| Author { execution: "5a1b".to_owned(), push: push.map(str::to_owned) };
        assert_eq!(author_of(&url), Some(author(Some("c0ffee"))));
        assert_eq!(author_of(&execution("eu-west-1", "node-server", "5a1b", None)), Some(author(None)));
        assert_eq!(author_of(&pipeline("eu-west-1", "node-server")), None);
        assert_eq!(author_of("https://ci.example.com/executions/"), None);
    }
}
