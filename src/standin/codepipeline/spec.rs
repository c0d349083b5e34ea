//! How a pipeline is declared.

use std::time::Duration;

use crate::standin::account::connection_arn;

/// The pipeline type, which decides what the pipeline can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineType {
    /// Neither variables nor source revision overrides, and only the superseded mode.
    V1,
    /// Everything.
    V2,
}

/// What becomes of executions that meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineMode {
    /// A newer execution takes the place of one that waits.
    Superseded,
    /// First in, first out, at every stage.
    Queued,
    /// All at once, up to 50.
    Parallel,
}

impl PipelineMode {
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::Superseded => "SUPERSEDED",
            Self::Queued => "QUEUED",
            Self::Parallel => "PARALLEL",
        }
    }
}

/// An action of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSpec {
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) owner: String,
    pub(crate) provider: String,
    pub(crate) run_order: u32,
    pub(crate) configuration: Vec<(String, String)>,
    pub(crate) lasting: Option<Duration>,
    pub(crate) shows_deployment: bool,
}

impl ActionSpec {
    /// An action of owner `AWS` with run order 1. Categories are the API's: `Source`, `Build`, `Deploy`, `Approval`...
    pub fn new(name: &str, category: &str, provider: &str) -> Self {
        Self {
            name: name.to_owned(),
            category: category.to_owned(),
            owner: "AWS".to_owned(),
            provider: provider.to_owned(),
            run_order: 1,
            configuration: Vec::new(),
            lasting: None,
            shows_deployment: false,
        }
    }

    /// A source action that follows a GitHub repository through a connection.
    pub fn github_source(name: &str, repository: &str, branch: &str) -> Self {
        Self::new(name, "Source", "CodeStarSourceConnection")
            .with("ConnectionArn", &connection_arn())
            .with("FullRepositoryId", repository)
            .with("BranchName", branch)
            .with("DetectChanges", "false")
    }

    /// A build action of CodeBuild.
    pub fn code_build(name: &str, project: &str) -> Self {
        Self::new(name, "Build", "CodeBuild").with("ProjectName", project)
    }

    /// A deploy action of ECS.
    pub fn ecs_deploy(name: &str, cluster: &str, service: &str) -> Self {
        Self::new(name, "Deploy", "ECS").with("ClusterName", cluster).with("ServiceName", service)
    }

    /// A manual approval.
    pub fn approval(name: &str) -> Self {
        Self::new(name, "Approval", "Manual")
    }

    /// One entry of the action's configuration.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.configuration.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Actions of a stage run in ascending order; those of the same order run at the same time.
    pub fn run_order(mut self, order: u32) -> Self {
        self.run_order = order;
        self
    }

    /// How long the action takes where no script says otherwise.
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.lasting = Some(duration);
        self
    }

    /// An action of ECS shows the id of its deployment as its external execution id. Whether the service does so is
    /// not documented, and by default it shows none.
    pub fn showing_deployment(mut self) -> Self {
        self.shows_deployment = true;
        self
    }

    pub(crate) fn is_ecs(&self) -> bool {
        self.provider == "ECS"
    }

    /// Whether the action starts a batch of builds and not one.
    pub(crate) fn is_batch(&self) -> bool {
        self.setting("BatchEnabled") == Some("true")
    }

    pub(crate) fn setting(&self, key: &str) -> Option<&str> {
        self.configuration.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_source(&self) -> bool {
        self.category == "Source"
    }

    pub(crate) fn is_approval(&self) -> bool {
        self.category == "Approval"
    }

    pub(crate) fn default_duration(&self) -> Duration {
        self.lasting.unwrap_or_else(|| {
            Duration::from_secs(match self.category.as_str() {
                "Source" => 3,
                "Build" | "Test" => 90,
                "Deploy" => 150,
                _ => 10,
            })
        })
    }
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageSpec {
    pub(crate) name: String,
    pub(crate) actions: Vec<ActionSpec>,
}

impl StageSpec {
    /// A stage with its actions.
    pub fn new(name: &str, actions: impl IntoIterator<Item = ActionSpec>) -> Self {
        Self { name: name.to_owned(), actions: actions.into_iter().collect() }
    }
}

/// A pipeline as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineSpec {
    pub(crate) name: String,
    pub(crate) kind: PipelineType,
    pub(crate) mode: PipelineMode,
    /// Declared variables, with a default where there is one.
    pub(crate) variables: Vec<(String, Option<String>)>,
    pub(crate) stages: Vec<StageSpec>,
}

impl PipelineSpec {
    /// A V2 pipeline in superseded mode without stages.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: PipelineType::V2,
            mode: PipelineMode::Superseded,
            variables: Vec::new(),
            stages: Vec::new(),
        }
    }

    /// `Source` from GitHub's main branch, `Build` with CodeBuild, `Staging` on ECS; all three named after the pipeline.
    pub fn classic(name: &str, repository: &str) -> Self {
        Self::new(name)
            .stage(StageSpec::new("Source", [ActionSpec::github_source("Source", repository, "main")]))
            .stage(StageSpec::new("Build", [ActionSpec::code_build("Build", name)]))
            .stage(StageSpec::new("Staging", [ActionSpec::ecs_deploy("Deploy", "staging", name)]))
    }

    /// The type.
    pub fn kind(mut self, kind: PipelineType) -> Self {
        self.kind = kind;
        self
    }

    /// The execution mode.
    pub fn mode(mut self, mode: PipelineMode) -> Self {
        self.mode = mode;
        self
    }

    /// Declares a variable; without a default every start has to give it a value.
    pub fn variable(mut self, name: &str, default: Option<&str>) -> Self {
        self.variables.push((name.to_owned(), default.map(str::to_owned)));
        self
    }

    /// Appends a stage.
    pub fn stage(mut self, stage: StageSpec) -> Self {
        self.stages.push(stage);
        self
    }

    /// Puts a stage in front of the one of this name; at the end where there is none.
    pub fn stage_before(mut self, before: &str, stage: StageSpec) -> Self {
        let at = self.stages.iter().position(|stage| stage.name == before).unwrap_or(self.stages.len());
        self.stages.insert(at, stage);
        self
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = &ActionSpec> {
        self.stages.iter().flat_map(|stage| &stage.actions)
    }

    pub(crate) fn source_actions(&self) -> impl Iterator<Item = &ActionSpec> {
        self.actions().filter(|action| action.is_source())
    }
}
