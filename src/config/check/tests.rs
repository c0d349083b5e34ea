//! What is told of configurations as people write them. Each line is a finding: its place, what it is, and the help.

use super::*;

/// A route that is right, for what is added to it.
const ROUTE: &str = "[[route]]\nrepository = \"octo-org/node-server\"\npipeline = \"node-server\"\n";

fn told(text: &str) -> String {
    let line = |finding: Finding| {
        let ((line, column), (end_line, end_column)) =
            (position(text, finding.place.start), position(text, finding.place.end));
        let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
        let end = if line == end_line { end_column.to_string() } else { format!("{end_line}:{end_column}") };
        let help = finding.help.map(|help| format!("\n    help: {help}")).unwrap_or_default();
        let context = finding.context.map(|(place, label)| {
            let (line, column) = position(text, place.start);
            format!("\n    {line}:{column} {label}")
        });
        format!("{line}:{column}-{end} {kind}: {}{}{help}\n", finding.message, context.unwrap_or_default())
    };
    check(text).into_iter().map(line).collect()
}

fn of_route(more: &str) -> String {
    told(&format!("{ROUTE}{more}"))
}

#[test]
fn the_example_and_the_templates_first_values_have_nothing_to_mend() {
    assert_eq!(told(include_str!("../../../pipehook.example.toml")), "");
    let template = include_str!("../../../template.yaml");
    let values = template.split("- !Sub |\n").skip(1).filter(|value| value.trim_start().starts_with("[github]"));
    let mut seen = 0;
    for value in values {
        let indent = value.len() - value.trim_start().len();
        let lines = value.lines().take_while(|line| line.is_empty() || line.len() - line.trim_start().len() >= indent);
        let text: String = lines.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
        let text = text
            .replace("${GitHubApiUrl}", "https://api.github.com")
            .replace("${Repository}", "octo-org/node-server")
            .replace("${Branch}", "main")
            .replace("${PipelineName}", "node-server")
            .replace("${SourceAction}", "Source");
        assert_eq!(told(&text), "", "{text}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_text() {
    let text = r#"[github]
api_url = "http://git.example.com"
reports = "checks"
deployments = "true"

[[route]]
repository = "node-server"
branch = ["main"]
tags = "v*"
paths = ["src/**", 3, "[x"]
pipeline = "a/b"
pull_requests = { bases = ["main"] }
superseded = "pending"
source_action = 5
environment_url = "staging.example.com"

[route.variables]
GIT_BRANCH = "{branch}"
"A B" = "x"
COMMIT = "{commit}"
NUMBER = 7

[[route]]
pipeline = "p"

[[routes]]
repository = "o/r"
"#;
    insta::assert_snapshot!(told(text), @r#"
    2:11-35 error: `api_url` must begin with https:// (http:// is for loopback only)
    3:1-8 error: unknown key `reports`
        help: did you mean `report`?
    4:15-21 error: `deployments` must be true or false, and is a string
        help: write true without quotes
    7:14-27 error: `repository` must be OWNER/NAME, not "node-server"
    8:1-7 error: unknown key `branch`
        help: did you mean `branches`?
    9:8-12 error: `tags` must be a list, and is a string
        help: write ["v*"]
    10:20-21 error: an entry of `paths` must be a string, and is an integer
        help: put it into quotes
    10:23-27 error: `paths` holds "[x", which is no glob: unclosed character class; missing ']'
    11:12-17 error: `pipeline`: "a/b" holds '/', which CodePipeline does not take in a name
    12:19-24 error: unknown key `bases`
        help: did you mean `base`?
    13:14-23 error: `superseded` must be "error", "failure" or "success"
    14:17-18 error: `source_action` must be a string, and is an integer
        help: put it into quotes
    15:19-40 error: `environment_url` must begin with https:// or http:// and hold no blanks
    19:1-6 error: `variables`: "A B" holds ' ', which CodePipeline does not take in a name
    20:10-20 error: unknown field {commit}; there are {sha}, {short_sha}, {ref}, {branch}, {tag}, {actor}, {delivery} and {message}
    21:10-11 error: `NUMBER` must be a string, and is an integer
        help: put it into quotes
    23:1-10 error: the route has no `repository`
        help: repository = "octo-org/node-server"
    26:3-9 error: unknown key `routes`
        help: did you mean `route`?
    "#);
}

#[test]
fn a_key_that_there_is_none_of_is_told_with_the_one_that_is_meant() {
    let keys = ["branch", "repo", "pathsignore", "source-action", "report", "timeout", "\"a\\u001b[2Jb\""];
    let all: String = keys.iter().map(|key| of_route(&format!("{key} = 1\n"))).collect();
    insta::assert_snapshot!(all, @"
    4:1-7 error: unknown key `branch`
        help: did you mean `branches`?
    4:1-5 error: unknown key `repo`
        help: did you mean `repository`?
    4:1-12 error: unknown key `pathsignore`
        help: did you mean `paths_ignore`?
    4:1-14 error: unknown key `source-action`
        help: did you mean `source_action`?
    4:1-7 error: unknown key `report`
        help: `report` belongs under [github]
    4:1-8 error: unknown key `timeout`
        help: there are `repository`, `branches`, `tags`, `paths`, `paths_ignore`, `pull_requests`, `pipeline`, `source_action`, `environment`, `environment_url`, `superseded`, `stop_failed_rollout`, `variables`
    4:1-14 error: unknown key `a[2Jb`
        help: there are `repository`, `branches`, `tags`, `paths`, `paths_ignore`, `pull_requests`, `pipeline`, `source_action`, `environment`, `environment_url`, `superseded`, `stop_failed_rollout`, `variables`
    ");
    insta::assert_snapshot!(told("pipeline = \"p\"\n[github]\nbranches = [\"main\"]\nurl = 1\n[route]\nrepository = \"o/r\"\n"), @r#"
    1:1-9 error: unknown key `pipeline`
        help: `pipeline` belongs under [[route]]
    3:1-9 error: unknown key `branches`
        help: `branches` belongs under [[route]]
    4:1-4 error: unknown key `url`
        help: there are `api_url`, `report`, `deployments`
    5:1-8 error: `[route]` is a single table, where a list of routes is needed
        help: write [[route]]
    5:1-8 error: the route has no `pipeline`
        help: pipeline = "node-server"
    "#);
}

#[test]
fn lines_that_do_not_parse_are_told_all_without_what_follows_from_them() {
    let text =
        "[github]\napi_url = \n\n[[route]]\nrepository \"o/r\"\npipeline = 'p\nbranches = [\"main\"]\nbranch = \"x\"\n";
    insta::assert_snapshot!(told(text), @"
    2:11-11 error: string values must be quoted, expected literal string
    5:12-12 error: key with no value, expected `=`
    6:14-14 error: invalid literal string, expected `'`
    8:1-7 error: unknown key `branch`
        help: did you mean `branches`?
    ");
    insta::assert_snapshot!(told("[[route]]\nrepository = \"o/r\"\nbranches = [\"main\"\npipeline = \"p\"\ntag = 1\n"), @"
    4:1-1 error: missing comma between array elements, expected `,`
        help: a comma is missing, or the `]` at the end of the list
    ");
    insta::assert_snapshot!(told("[[route]]\nrepository = \"o/r\"\npipeline = \"p\"\npipeline = \"q\"\n"), @"4:1-9 error: duplicate key");
    insta::assert_snapshot!(told("[[route]]\npipeline = 'p\nbranch = 1\n"), @"
    2:14-14 error: invalid literal string, expected `'`
    3:1-7 error: unknown key `branch`
        help: did you mean `branches`?
    ");
    insta::assert_snapshot!(told("[[route]]\npipeline = \nbranch = 1\n"), @"
    2:12-12 error: string values must be quoted, expected literal string
    3:1-7 error: unknown key `branch`
        help: did you mean `branches`?
    ");
    insta::assert_snapshot!(told("[[route]]\npipeline 1\nbranch = 1\n"), @"
    2:10-10 error: key with no value, expected `=`
    3:1-7 error: unknown key `branch`
        help: did you mean `branches`?
    ");
    insta::assert_snapshot!(told("[[route]\nx = 1\n[github]\ny = 1\n"), @"
    1:9-9 error: unclosed array table, expected `]`
    4:1-2 error: unknown key `y`
        help: there are `api_url`, `report`, `deployments`
    ");
    insta::assert_snapshot!(told("[[route\n"), @"1:8-8 error: unclosed array table, expected `]]`");
}

#[test]
fn a_repository_given_by_its_address_is_told_as_its_name() {
    for address in ["https://github.com/octo-org/node-server.git", "git@github.com:octo-org/node-server.git"] {
        let told = told(&ROUTE.replace("octo-org/node-server", address));
        assert!(told.ends_with("help: write \"octo-org/node-server\"\n"), "{told}");
    }
}

#[test]
fn fifty_variables_are_enough_and_what_is_too_many_is_told_once() {
    let variables: String = (0..55).map(|n| format!("V{n} = \"x\"\n")).collect();
    insta::assert_snapshot!(of_route(&format!("[route.variables]\n{variables}")), @"59:1-4 error: more than 50 variables");
}

#[test]
fn globs_that_can_match_nothing_are_told_with_what_is_meant() {
    insta::assert_snapshot!(of_route(r#"branches = [
  "refs/heads/main", "", "/main", "feature/", "my branch", "a..b", "^main$", "release/.*", "fix~1", "a\\b", "x.lock", "a//b", "!dev", "{a b,c..d}",
]
tags = ["refs/tags/v*", "v:*"]
paths = ["./src/**", "/Dockerfile", "docs/", "src\\main.js", "a/../b", "!docs/**", ""]
paths_ignore = ["!src/**"]
pull_requests = { base = ["refs/heads/main"] }
"#), @r#"
    5:3-20 warning: `branches`: "refs/heads/main" can match nothing: a branch's name goes without refs/heads/
        help: write "main"
    5:22-24 warning: `branches`: "" can match nothing: it is empty
        help: leave it out
    5:26-33 warning: `branches`: "/main" can match nothing: no branch has a name that begins with a slash
        help: write "main"
    5:35-45 warning: `branches`: "feature/" can match nothing: no branch has a name that ends with a slash
        help: write "feature/**"
    5:47-58 warning: `branches`: "my branch" can match nothing: no branch has a name that holds ' '
    5:60-66 warning: `branches`: "a..b" can match nothing: no branch has a name that holds ".."
    5:68-76 warning: `branches`: "^main$" can match nothing: no branch has a name that holds '^'
        help: patterns are globs, not regular expressions: `*` is any text without a slash, `**` any text
    5:78-90 warning: `branches`: "release/.*" can match nothing: no branch has a name that has a part that begins with a dot
        help: patterns are globs, not regular expressions: `*` is any text without a slash, `**` any text
    5:92-99 warning: `branches`: "fix~1" can match nothing: no branch has a name that holds '~'
    5:109-117 warning: `branches`: "x.lock" can match nothing: no branch has a name that has a part that ends in .lock
    5:119-125 warning: `branches`: "a//b" can match nothing: no branch has a name that holds "//"
    5:127-133 warning: `branches`: "!dev" excludes nothing: the `!` in front is taken for a part of the name
        help: list what is to be taken, and leave dev out
    5:135-147 warning: `branches`: "{a b,c..d}" can match nothing: no branch has a name that holds ' '
    7:9-23 warning: `tags`: "refs/tags/v*" can match nothing: a tag's name goes without refs/tags/
        help: write "v*"
    7:25-30 warning: `tags`: "v:*" can match nothing: no tag has a name that holds ':'
    8:10-20 warning: `paths`: "./src/**" can match nothing: GitHub's paths begin at the repository's root, without `/` or `./`
        help: write "src/**"
    8:22-35 warning: `paths`: "/Dockerfile" can match nothing: GitHub's paths begin at the repository's root, without `/` or `./`
        help: write "Dockerfile"
    8:37-44 warning: `paths`: "docs/" can match nothing: it is compared with files, and no file's path ends with a slash
        help: write "docs/**"
    8:46-60 warning: `paths`: "src\main.js" has `\` between folders, where GitHub's paths have `/`; `\` takes the next sign literally
        help: write "src/main.js"
    8:62-70 warning: `paths`: "a/../b" can match nothing: no changed file has `.`, `..` or nothing between its slashes
    8:72-82 warning: `paths`: "!docs/**" excludes nothing: the `!` in front is taken for a part of the name
        help: put "docs/**" into `paths_ignore`
    8:84-86 warning: `paths`: "" can match nothing: it is empty
        help: leave it out
    9:17-26 warning: `paths_ignore`: "!src/**" excludes nothing: the `!` in front is taken for a part of the name
        help: list the files that are not to count, without src/**
    10:27-44 warning: `base`: "refs/heads/main" can match nothing: a branch's name goes without refs/heads/
        help: write "main"
    "#);
}

#[test]
fn globs_that_match_something_are_left_alone() {
    let fine = r#"branches = ["main", "release/*", "**/hotfix", "{main,v[0-9]*}", "[!x]*", "feature/**", "a-b_c.d", "gh-readonly-queue/**", "{a b,c}"]
tags = ["v*", "*.*.*", "v?.0"]
paths = ["**.js", "src/**", "Dockerfile", "docs/*.md", "my file.txt", "a\\*b", ".github/**", "**/.env", "a,b", "**/"]
pull_requests = { base = ["main", "release/*"] }
"#;
    assert_eq!(of_route(fine), "");
}

#[test]
fn filters_that_leave_nothing_over_are_told() {
    insta::assert_snapshot!(of_route("paths = [\"src/**\", \"docs/index.md\"]\npaths_ignore = [\"src/**\", \"docs/*\"]\n"), @"
    4:9-36 warning: `paths_ignore` takes away all that `paths` lets count, so that every push whose files are known is skipped
        5:16 this takes it away
    ");
    insta::assert_snapshot!(of_route("paths_ignore = [\"**\"]\n"), @"4:16-22 warning: `paths_ignore` takes every file away, so that every push whose files are known is skipped");
    insta::assert_snapshot!(of_route("paths = []\n"), @"
    4:9-11 warning: `paths` is empty, so that no file counts, and every push whose files are known is skipped
        help: leave it out for every file to count
    ");
    assert_eq!(of_route("paths = [\"src/**\", \"docs/**\"]\npaths_ignore = [\"docs/**\"]\n"), "");
    assert_eq!(of_route("paths = [\"docs/**\"]\npaths_ignore = [\"docs/*.md\"]\n"), "");
}

#[test]
fn a_route_that_starts_nothing_or_nothing_more_is_told() {
    insta::assert_snapshot!(of_route("branches = []\n"), @"
    4:12-14 warning: the route takes no branches, no tags and no pull requests, so that it starts nothing
        help: leave `branches` out for the default branch; as it is, only runs that others start are reported
    ");
    insta::assert_snapshot!(of_route("branches = []\npull_requests = { base = [] }\n"), @"
    4:12-14 warning: the route takes no branches, no tags and no pull requests, so that it starts nothing
        help: leave `branches` out for the default branch; as it is, only runs that others start are reported
    5:17-30 warning: `base` is empty, so that no pull request is taken
        help: write pull_requests = true for all, or leave it out
    ");
    insta::assert_snapshot!(of_route("branches = [\"**\"]\npull_requests = true\n"), @"
    5:17-21 warning: `pull_requests` starts nothing more: `branches` takes the push to every head branch already
        help: leave one of them out
    ");
    insta::assert_snapshot!(of_route("environment_url = \"https://staging.example.com\"\n"), @r#"
    4:19-48 warning: `environment_url` is shown with the deployments to an environment, and no `environment` is named
        help: add environment = "NAME"
    "#);
    insta::assert_snapshot!(told(""), @"
    1:1-1 warning: there is no [[route]], so that no push starts anything
        help: each route is for one repository and one pipeline
    ");
    assert_eq!(of_route("branches = []\ntags = [\"v*\"]\n"), "");
    assert_eq!(of_route("branches = []\npull_requests = true\n"), "");
}

#[test]
fn two_routes_that_start_the_same_pipeline_for_the_same_event_are_told() {
    let two = |first: &str, second: &str| told(&format!("{ROUTE}{first}\n{ROUTE}{second}\n"));
    insta::assert_snapshot!(two("", ""), @"
    7:12-25 warning: this route never starts node-server: an earlier one takes all that it takes
        3:12 the first route wins
        help: leave one of them out, or let them take different branches
    ");
    insta::assert_snapshot!(two("branches = [\"main\"]", ""), @"
    7:12-25 warning: a push to branch main would start node-server by two routes; it is started once
        3:12 the first route wins
        help: let the routes take different branches, or put what both do into one
    ");
    insta::assert_snapshot!(two("branches = [\"release/*\"]", "branches = [\"dev\", \"**/1.x\"]"), @"
    7:12-25 warning: a push to branch release/1.x would start node-server by two routes; it is started once
        3:12 the first route wins
        help: let the routes take different branches, or put what both do into one
    ");
    insta::assert_snapshot!(two("branches = [\"**\"]", "branches = [\"main\", \"release/*\"]"), @"
    7:12-25 warning: this route never starts node-server: an earlier one takes all that it takes
        3:12 the first route wins
        help: leave one of them out, or let them take different branches
    ");
    insta::assert_snapshot!(two("branches = [\"**\"]\npaths = [\"src/**\"]", "branches = [\"main\"]"), @"
    8:12-25 warning: a push to branch main would start node-server by two routes; it is started once
        3:12 the first route wins
        help: let the routes take different branches, or put what both do into one
    ");
    insta::assert_snapshot!(two("branches = []\ntags = [\"v*\"]", "tags = [\"*-rc\"]"), @"
    8:12-25 warning: a push of tag v-rc would start node-server by two routes; it is started once
        3:12 the first route wins
        help: let the routes take different branches, or put what both do into one
    ");
    insta::assert_snapshot!(two("branches = []\npull_requests = true", "branches = [\"main\"]\npull_requests = { base = [\"dev\"] }"), @"
    8:12-25 warning: a pull request into dev would start node-server by two routes; it is started once
        3:12 the first route wins
        help: let the routes take different branches, or put what both do into one
    ");
    for (first, second) in [
        ("branches = [\"main\"]", "branches = [\"dev\"]"),
        ("branches = [\"*\"]", "branches = [\"release/*\"]"),
        ("branches = [\"dev\"]", ""),
        ("branches = [\"**\"]", "branches = [\"gh-readonly-queue/**\"]"),
        ("branches = [\"main\"]", "branches = []\ntags = [\"**\"]"),
        ("branches = [\"main\"]", "branches = []\npull_requests = { base = [\"main\"] }"),
    ] {
        assert_eq!(two(first, second), "", "{first} and {second}");
    }
    let elsewhere = format!(
        "{ROUTE}\n{}{}",
        ROUTE.replace("octo-org/", "octocat/"),
        ROUTE.replace("= \"node-server\"", "= \"docs\"")
    );
    assert_eq!(told(&elsewhere), "");
    let same_but_for_case = format!("{ROUTE}\n{}", ROUTE.replace("octo-org/node-server", "Octo-Org/Node-Server"));
    assert!(told(&same_but_for_case).contains("this route never starts node-server"));
}

#[test]
fn nothing_is_concluded_from_a_route_of_which_something_is_wrong() {
    assert_eq!(told(&format!("{ROUTE}branches = [\"[x\"]\n{ROUTE}")).lines().count(), 1);
}

#[test]
fn names_that_github_can_not_have_are_told() {
    let named = |name: &str| told(&ROUTE.replace("octo-org/node-server", name));
    insta::assert_snapshot!(named("octo-org/node-server.git"), @r#"
    2:14-40 warning: no repository's name ends in .git
        help: write "octo-org/node-server"
    "#);
    insta::assert_snapshot!(named("github.com/node-server"), @"2:14-38 warning: no owner's name at GitHub holds a dot");
    assert!(named(&format!("{}/r", "o".repeat(40))).contains("39 characters"));
    assert!(named(&format!("o/{}", "r".repeat(101))).contains("100 characters"));
    assert!(named("-o/r").contains("begins with a hyphen"));
    assert_eq!(named("Octo_org/Node.Server-1"), "");
}

#[test]
fn what_looks_like_a_secret_is_told_and_never_shown() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let text =
        format!("# token: {token}\n{ROUTE}[route.variables]\nKEY = \"{}\"\n", format_args!("AKIA{}", "ABCD".repeat(4)));
    insta::assert_snapshot!(told(&text), @"
    1:10-50 warning: this looks like a personal access token of GitHub's
        help: secrets belong into Secrets Manager, where the functions read theirs; others may have read this one, so replace it
    6:8-28 warning: this looks like an access key of AWS's
        help: secrets belong into Secrets Manager, where the functions read theirs; others may have read this one, so replace it
    ");
    let masked = masked(&text);
    assert!(!masked.contains("a1B2") && !masked.contains("ABCD"), "{masked}");
    assert_eq!(masked.len(), text.len());
    assert_eq!(told(&format!("{ROUTE}# ghp_short, xghp_{}, github_pat_\n", "a".repeat(40))), "");
}

#[test]
fn what_ssm_does_not_hold_is_told() {
    let padded = |length: usize| format!("{ROUTE}#{}\n", "x".repeat(length - ROUTE.len() - 2));
    assert_eq!(told(&padded(4096)), "");
    insta::assert_snapshot!(told(&padded(4097)), @"
    4:4026-5:1 warning: the configuration is 4097 bytes; beyond 4096 its parameter becomes an advanced one, which AWS charges for
        help: comments and blank lines count; globs such as `{main,release/*}` can stand for several
    ");
    assert!(told(&padded(8192)).contains("warning"));
    insta::assert_snapshot!(told(&padded(8193)), @"
    4:8122-5:1 error: the configuration is 8193 bytes; an SSM parameter holds 8192 at most
        help: comments and blank lines count; globs such as `{main,release/*}` can stand for several
    ");
    insta::assert_snapshot!(of_route("# as in {{branch}}\n"), @"
    4:9-19 error: SSM takes no value that holds {{…}}, not even in a comment
        help: the fields of variables have single braces, as in {branch}
    ");
}

#[test]
fn columns_are_counted_in_characters() {
    insta::assert_snapshot!(of_route("paths = [\"größe/**\", \"/ü\"]\n"), @r#"
    4:22-26 warning: `paths`: "/ü" can match nothing: GitHub's paths begin at the repository's root, without `/` or `./`
        help: write "ü"
    "#);
    assert_eq!(position("a\nüb", 4), (2, 2));
    assert_eq!(position("", 7), (1, 1));
}
