//! `pipehook explain`.

use crate::scene::Desk;

const TWO_ROUTES: &str = r#"[[route]]
repository = "octo-org/node-server"
branches = ["main", "release/*"]
paths = ["src/**"]
pipeline = "node-server"
environment = "staging"
[route.variables]
GIT_BRANCH = "{branch}"

[[route]]
repository = "octo-org/node-server"
branches = ["main"]
paths_ignore = ["src/**", "**/*.md"]
pipeline = "docs"

[[route]]
repository = "octo-org/other"
pipeline = "other"
"#;

#[tokio::test]
async fn each_route_says_what_it_makes_of_a_push_and_by_which_line() {
    let desk = Desk::new().await;
    desk.write("pipehook.toml", TWO_ROUTES);
    let push = pipehook::local::sample::push("main", "Answer health checks", &["src/server.js"]);
    desk.write("push.json", &push.to_string());
    let ran = desk.run(&["explain", "push.json"]).await;
    insta::assert_snapshot!(ran, @r#"
    push of branch main to octo-org/node-server by octocat: 397c7da "Answer health checks", 1 file changed

    ✓ node-server starts: the route takes branch main  pipehook.toml:1
         3 | branches = ["main", "release/*"]
         4 | paths = ["src/**"]
           pinned to 397c7dac6eff79b5f25c857321c21b8c3c6f6b38 in its action Source
           GIT_BRANCH = main
    – docs is skipped, and told as a success: the 1 changed file is left out by the path filters  pipehook.toml:10
        13 | paths_ignore = ["src/**", "**/*.md"]
    ✗ other does not start: the route is for octo-org/other  pipehook.toml:16
        17 | repository = "octo-org/other"

    1 pipeline would start.
    "#);
}
