//! The configuration as people write it, right and wrong.

use super::*;
use crate::domain::report::State;
use crate::domain::route::PullRequests;

fn error(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

#[test]
fn the_example_in_the_repository_is_valid() {
    let config = Config::parse(include_str!("../../pipehook.example.toml")).unwrap();
    assert_eq!(config.github.api_url, "https://api.github.com");
    assert_eq!(config.routes.0.len(), 1);
}

#[test]
fn only_repository_and_pipeline_are_required() {
    let config = Config::parse("[[route]]\nrepository = \"octo-org/node-server\"\npipeline = \"node-server\"").unwrap();
    let route = &config.routes.0[0];
    assert_eq!(route.source_action.as_deref(), Some("Source"));
    assert_eq!(route.options.superseded, State::Error);
    insta::assert_snapshot!(error("[[route]]\npipeline = \"p\""), @r"
    the configuration does not parse: TOML parse error at line 1, column 1
      |
    1 | [[route]]
      | ^^^^^^^^^
    missing field `repository`
    ");
}

#[test]
fn an_empty_source_action_leaves_the_pipeline_unpinned() {
    let config = Config::parse("[[route]]\nrepository = \"o/r\"\npipeline = \"p\"\nsource_action = \"\"").unwrap();
    assert_eq!(config.routes.0[0].source_action, None);
}

#[test]
fn pull_requests_are_taken_all_or_none_or_by_their_base() {
    let taken = |value: &str| {
        let text = format!("[[route]]\nrepository = \"o/r\"\npipeline = \"p\"\npull_requests = {value}");
        Config::parse(&text).map(|config| config.routes.0[0].pull_requests.clone())
    };
    assert!(matches!(taken("true").unwrap(), PullRequests::All));
    assert!(matches!(taken("false").unwrap(), PullRequests::None));
    assert!(matches!(taken("{ base = [\"main\"] }").unwrap(), PullRequests::Into(_)));
    assert!(taken("{ bases = [\"main\"] }").is_err());
    insta::assert_snapshot!(taken("{ base = [\"[\"] }").unwrap_err(), @r#"the configuration is wrong in line 4: `base` holds "[", which is no glob: unclosed character class; missing ']'"#);
}

#[test]
fn what_is_not_toml_names_the_line() {
    insta::assert_snapshot!(error("[github]\napi_url = \n"), @r"
    the configuration does not parse: TOML parse error at line 2, column 11
      |
    2 | api_url = 
      |           ^
    string values must be quoted, expected literal string
    ");
}

#[test]
fn an_unknown_key_names_the_line() {
    insta::assert_snapshot!(error("[[route]]\nrepository = \"o/r\"\npipeline = \"p\"\nbranch = \"main\""), @r#"
    the configuration does not parse: TOML parse error at line 4, column 1
      |
    4 | branch = "main"
      | ^^^^^^
    unknown field `branch`, expected one of `repository`, `branches`, `tags`, `paths`, `paths_ignore`, `pull_requests`, `pipeline`, `source_action`, `environment`, `environment_url`, `superseded`, `stop_failed_rollout`, `variables`
    "#);
}

#[test]
fn a_value_that_cannot_be_meant_names_the_line() {
    let route = "[[route]]\nrepository = \"o/r\"\npipeline = \"p\"\n";
    insta::assert_snapshot!(error("[[route]]\nrepository = \"node-server\"\npipeline = \"p\""), @r#"the configuration is wrong in line 2: `repository` must be OWNER/NAME, not "node-server""#);
    insta::assert_snapshot!(error(&format!("{route}branches = [\"main\", \"[x\"]")), @r#"the configuration is wrong in line 4: `branches` holds "[x", which is no glob: unclosed character class; missing ']'"#);
    insta::assert_snapshot!(error(&format!("{route}superseded = \"pending\"")), @r#"the configuration is wrong in line 4: `superseded` must be "error", "failure" or "success""#);
    insta::assert_snapshot!(error(&format!("{route}[route.variables]\nA = \"{{commit}}\"")), @"the configuration is wrong in line 5: unknown field {commit}; there are {sha}, {short_sha}, {ref}, {branch}, {tag}, {actor}, {delivery} and {message}");
    insta::assert_snapshot!(error(&format!("{route}[route.variables]\n\"A B\" = \"x\"")), @r#"the configuration is wrong in line 5: `variables`: "A B" holds ' ', which CodePipeline does not take in a name"#);
    insta::assert_snapshot!(error("[[route]]\nrepository = \"o/r\"\npipeline = \"a/b\""), @r#"the configuration is wrong in line 3: `pipeline`: "a/b" holds '/', which CodePipeline does not take in a name"#);
    insta::assert_snapshot!(error(&format!("{route}environment_url = \"staging.example.com\"")), @"the configuration is wrong in line 4: `environment_url` must begin with https:// or http:// and hold no blanks");
    insta::assert_snapshot!(error("[github]\nreport = \"check\""), @r#"the configuration is wrong in line 2: `report` is "check"; it can be "statuses" or "checks""#);
    insta::assert_snapshot!(error(&format!("{route}pull_requests = \"yes\"")), @r#"
    the configuration does not parse: TOML parse error at line 4, column 17
      |
    4 | pull_requests = "yes"
      |                 ^^^^^
    `pull_requests` must be true, false, or { base = ["main"] }
    "#);
}

#[test]
fn the_api_is_https_or_on_loopback() {
    let api_url =
        |url: &str| Config::parse(&format!("[github]\napi_url = \"{url}\"")).map(|config| config.github.api_url);
    assert_eq!(api_url("https://git.example.com/api/v3/").unwrap(), "https://git.example.com/api/v3");
    assert_eq!(api_url("http://127.0.0.1:4010/github").unwrap(), "http://127.0.0.1:4010/github");
    insta::assert_snapshot!(api_url("http://git.example.com/api/v3").unwrap_err(), @"the configuration is wrong in line 2: `api_url` must begin with https:// (http:// is for loopback only)");
    assert!(api_url("http://127.0.0.1.example.com").is_err());
}
