//! A simulator at the end of an in-memory pipe, under paused time, and a client that speaks to it.

use crate::simulated::Wire;
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::{Clock, Timestamp};
use datasphere_exporter::cloud::{Auth, Channels, Client, Http, Settings, Transport};
use datasphere_exporter::proto::google::rpc::Code;
use datasphere_exporter::simulator::Handle;
use datasphere_exporter::simulator::scenario::{
    Action, AuthorizedKey, CodeName, Fault, Scenario, ServiceAccount,
};
use http::Uri;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint};

pub(crate) const KEY_FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/throwaway/service-account-key.json"
);

/// One job that runs for ever, and sixty that ended.
pub(crate) const FLEET: &str = "
communities:
- name: lab
  id: bt1community
  projects:
  - name: vision
    id: bt1project
    unit_balance: 500
    max_units_per_hour: 100
    jobs:
    - name: train
      id: bt1job
      operation_id: bt1operation
      start: -1m
      timeline: [ { status: EXECUTING } ]
    - { name: old, start: -2d, every: 1m, runs: 60, keep: 60, timeline: [ { status: EXECUTING, lasts: 1s } ] }
";

pub(crate) struct World {
    pub(crate) simulator: Handle,
    pub(crate) instruments: Instruments,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pipe: Pipe,
    servers: JoinSet<()>,
}

impl World {
    /// The fleet above, for everybody.
    pub(crate) fn open() -> Self {
        Self::of(&scenario(), Settings::new(Auth::Anonymous))
    }

    /// The fleet above, for those with a token; the key file of the fixtures gets one.
    pub(crate) fn guarded() -> Self {
        let mut scenario = scenario();
        scenario.auth.required = true;
        scenario.auth.service_accounts = vec![account()];
        Self::of(
            &scenario,
            Settings::new(Auth::ServiceAccountKeyFile(KEY_FILE.into())),
        )
    }

    /// The same, called over REST.
    pub(crate) fn over_rest(mut self) -> Self {
        self.settings.transport = Transport::Rest;
        self
    }

    pub(crate) fn of(scenario: &Scenario, settings: Settings) -> Self {
        let clock = Clock::starting_at(Timestamp::from_seconds(1_760_000_000, 0).expect("in range"));
        let simulator = Handle::new(scenario, clock, "127.0.0.1:1").expect("the scenario holds");
        let (pipe, incoming) = Pipe::new();
        let served = simulator.clone();
        let mut servers = JoinSet::new();
        servers.spawn(async move {
            let incoming = incoming.map(Ok::<_, io::Error>);
            served
                .serve_with_incoming(incoming, None, CancellationToken::new())
                .await
                .expect("serves");
        });
        Self {
            simulator,
            instruments: Instruments::new("test", "test", "test"),
            clock,
            settings,
            pipe,
            servers,
        }
    }

    pub(crate) fn client(&self) -> Client {
        assert!(!self.servers.is_empty());
        if self.settings.transport == Transport::Rest {
            let http = Http::over(self.pipe.clone());
            return Client::over_http(&http, &self.settings, self.clock, &self.instruments)
                .expect("the settings hold");
        }
        let channel = self.pipe.channel();
        let channels = Channels {
            operation: channel.clone(),
            datasphere: channel.clone(),
            iam: channel,
        };
        Client::over(channels, &self.settings, self.clock, &self.instruments).expect("the settings hold")
    }

    pub(crate) fn refuse(&self, method: &str, code: Code, message: &str, times: Option<u64>) {
        let fault = Fault::of(Action::Refuse {
            code: CodeName::from(code),
            message: message.to_owned(),
        })
        .on(method);
        self.simulator.set_fault(match times {
            Some(times) => fault.times(times),
            None => fault,
        });
    }

    /// How many attempts at a method were counted with a code.
    pub(crate) fn counted(&self, method: &str, code: &str) -> u64 {
        let counter = &self.instruments.api_requests_total;
        counter.with_label_values(&[method, code]).get()
    }

    /// How often a method, by its short name, reached the simulator.
    pub(crate) fn calls(&self, method: &str) -> u64 {
        let (service, name) = method.split_once('.').expect("Service.Method");
        let path = format!(".{service}/{name}");
        let calls = self.simulator.calls_by_method();
        calls
            .iter()
            .filter(|(called, _)| called.ends_with(&path))
            .map(|(_, calls)| calls)
            .sum()
    }
}

pub(crate) fn scenario() -> Scenario {
    Scenario::parse(FLEET).expect("the scenario parses")
}

/// The account whose key is in the fixtures.
pub(crate) fn account() -> ServiceAccount {
    let key: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(KEY_FILE).expect("the fixture")).expect("JSON");
    ServiceAccount {
        id: "ajethrowawayaccount1".to_owned(),
        keys: vec![AuthorizedKey {
            id: "ajethrowawaykey00001".to_owned(),
            public_key: Some(key["public_key"].as_str().expect("PEM").to_owned()),
            public_key_file: None,
        }],
    }
}

/// Makes in-memory connections, as many as are asked for.
#[derive(Clone)]
pub(crate) struct Pipe(mpsc::Sender<DuplexStream>);

impl Pipe {
    pub(crate) fn new() -> (Self, ReceiverStream<DuplexStream>) {
        let (sender, receiver) = mpsc::channel(16);
        (Self(sender), ReceiverStream::new(receiver))
    }

    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_static("http://simulator").connect_with_connector_lazy(self.clone())
    }
}

impl Service<Uri> for Pipe {
    type Response = Wire;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        ready(
            self.0
                .try_send(theirs)
                .map(|()| Wire::new(ours))
                .map_err(|_| io::ErrorKind::ConnectionRefused.into()),
        )
    }
}
