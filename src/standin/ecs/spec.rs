//! How a service of ECS is declared.

use crate::standin::account::{ACCOUNT, REGION};

/// How a service goes from one revision to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Task by task.
    Rolling,
    /// All new tasks beside the old ones, then the traffic at once.
    BlueGreen,
    /// As blue/green, with the traffic in equal steps.
    Linear,
    /// As blue/green, with a little of the traffic first.
    Canary,
}

impl Strategy {
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::Rolling => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::Linear => "LINEAR",
            Self::Canary => "CANARY",
        }
    }
}

/// What the deployment circuit breaker of a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitBreaker {
    /// Nothing: tasks that fail are replaced for ever.
    Off,
    /// It fails the deployment and starts no more tasks.
    On,
    /// It fails the deployment and goes back to the last one that completed.
    WithRollback,
}

/// A service on Fargate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    pub(crate) cluster: String,
    pub(crate) name: String,
    pub(crate) desired: u32,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) strategy: Strategy,
    /// The port of its load balancer's listener.
    pub(crate) listener: Option<u16>,
    pub(crate) public: bool,
    pub(crate) deployed: bool,
    pub(crate) new_ids: bool,
}

impl ServiceSpec {
    /// Two tasks with public addresses, rolling, with a circuit breaker that rolls back; revision 41 runs.
    pub fn new(cluster: &str, name: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            desired: 2,
            breaker: CircuitBreaker::WithRollback,
            strategy: Strategy::Rolling,
            listener: None,
            public: true,
            deployed: true,
            new_ids: false,
        }
    }

    /// How many tasks it is to have.
    pub fn desired(mut self, count: u32) -> Self {
        self.desired = count;
        self
    }

    /// Its deployment circuit breaker.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = breaker;
        self
    }

    /// Its deployment strategy.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// It stands behind a load balancer that listens on this port, with HTTPS on 443, and its tasks have no public
    /// addresses.
    pub fn behind_load_balancer(mut self, port: u16) -> Self {
        self.listener = Some(port);
        self.public = false;
        self
    }

    /// Its tasks have addresses of their network only, and nothing stands before them.
    pub fn private(mut self) -> Self {
        self.public = false;
        self
    }

    /// Nothing was ever deployed successfully: there is nothing to roll back to.
    pub fn never_deployed(mut self) -> Self {
        self.deployed = false;
        self
    }

    /// A rollback is a deployment with an id of its own. What people have recorded of the service shows the id of the
    /// deployment that is gone back to, which is the default; no documentation says which.
    pub fn rollback_with_new_id(mut self) -> Self {
        self.new_ids = true;
        self
    }

    /// After how many failed tasks the circuit breaker acts: half the desired count, at least 3 and at most 200.
    pub(crate) fn threshold(&self) -> u32 {
        self.desired.div_ceil(2).clamp(3, 200)
    }

    pub(crate) fn cluster_arn(&self) -> String {
        arn("cluster", &self.cluster)
    }

    pub(crate) fn arn(&self) -> String {
        arn("service", &format!("{}/{}", self.cluster, self.name))
    }

    pub(crate) fn target_group_arn(&self) -> String {
        let name = &self.name;
        format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{name}/73e2d6bc24d8a067")
    }

    pub(crate) fn load_balancer_arn(&self) -> String {
        let name = &self.name;
        format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/{name}/50dc6c495c0c9188")
    }

    /// The address of its load balancer.
    pub(crate) fn dns_name(&self) -> String {
        format!("{}-1234567890.{REGION}.elb.amazonaws.com", self.name)
    }
}

/// The ARN of something in ECS.
pub(crate) fn arn(kind: &str, path: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/{path}")
}
