//! A world to watch: the simulator and the watcher over in-memory pipes, in time that only moves when nobody is busy.

use crate::simulated::Wire;
use datasphere_exporter::catalogue::Instruments;
use datasphere_exporter::clock::{Clock, Timestamp};
use datasphere_exporter::cloud::{Auth, Channels, Client, Http, Transport};
use datasphere_exporter::engine::{Engine, Keeping};
use datasphere_exporter::flow::{Inbox, Lifecycle, Readiness, ViewReader, ViewWriter};
use datasphere_exporter::model::{
    Admission, Input, JobStatus, Kind, OutcomeKind, Project, Record, Sighting, TrackedOperation, View,
};
use datasphere_exporter::simulator::{Handle, Scenario};
use datasphere_exporter::sources::Sources;
use datasphere_exporter::store::Store;
use datasphere_exporter::traces::Encoder;
use datasphere_exporter::tracker::Tracker;
use datasphere_exporter::{cloud, engine, sources, traces, tracker, web};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::SubscriberExt;

/// The longest a story may take, on its own clock: a wait for what never comes fails instead of hanging.
const PATIENCE: Duration = Duration::from_hours(6);

/// What a test may set before the watcher begins.
pub(crate) struct Setup {
    pub(crate) cloud: cloud::Settings,
    pub(crate) sources: sources::Settings,
    pub(crate) tracker: tracker::Settings,
    pub(crate) engine: engine::Settings,
    pub(crate) traces: Option<traces::Settings>,
}

/// A running simulator and a running watcher.
pub(crate) struct World {
    pub(crate) handle: Handle,
    pub(crate) clock: Clock,
    pub(crate) instruments: Instruments,
    pub(crate) readiness: Readiness,
    views: ViewReader,
    stop: CancellationToken,
    watcher: JoinSet<()>,
    channel: Channel,
    http: Http,
    inbox: Option<Inbox>,
    client: Option<Client>,
    _simulator: JoinSet<()>,
}

impl World {
    /// Starts both; `set` names what is watched.
    pub(crate) fn start(scenario: &str, set: impl FnOnce(&mut Setup, &Handle)) -> Self {
        Self::start_on(scenario, None, set)
    }

    /// The same with a store and what it kept.
    pub(crate) fn start_on(
        scenario: &str,
        store: Option<(Store, Vec<Record>)>,
        set: impl FnOnce(&mut Setup, &Handle),
    ) -> Self {
        let scenario = Scenario::parse(scenario).expect("a scenario");
        let clock = Clock::starting_at(Timestamp::from_seconds(1_700_000_000, 0).expect("in range"));
        let handle = Handle::new(&scenario, clock, "files.invalid").expect("a possible scenario");
        let mut simulator = JoinSet::new();
        let (channel, http) = serve(&handle, &mut simulator);
        let instruments = Instruments::new("0.0.0", "test", "test");
        let (writer, views) = ViewWriter::new();
        drop(writer);
        let mut world = Self {
            handle,
            clock,
            instruments,
            readiness: Readiness::default(),
            views,
            stop: CancellationToken::new(),
            watcher: JoinSet::new(),
            channel,
            http,
            inbox: None,
            client: None,
            _simulator: simulator,
        };
        world.watch(store, set);
        world
    }

    /// Starts a watcher in the place of the one that is there, which ends as if it were killed.
    pub(crate) fn watch(
        &mut self,
        store: Option<(Store, Vec<Record>)>,
        set: impl FnOnce(&mut Setup, &Handle),
    ) {
        let mut setup = Setup {
            cloud: cloud::Settings::new(Auth::Anonymous),
            sources: sources::Settings::default(),
            tracker: tracker::Settings::default(),
            engine: engine::Settings::default(),
            traces: None,
        };
        set(&mut setup, &self.handle);
        let clock = self.clock;
        let channels = Channels {
            operation: self.channel.clone(),
            datasphere: self.channel.clone(),
            iam: self.channel.clone(),
        };
        let client = match setup.cloud.transport {
            Transport::Grpc => Client::over(channels, &setup.cloud, clock, &self.instruments),
            Transport::Rest => Client::over_http(&self.http, &setup.cloud, clock, &self.instruments),
        };
        let client = client.expect("a client");
        let (inbox, deliveries) = Inbox::new();
        let (writer, views) = ViewWriter::new();
        self.readiness = Readiness::with_grace(Duration::from_secs(30));
        let sources = Sources::new(
            setup.sources,
            client.clone(),
            inbox.clone(),
            clock,
            self.readiness.clone(),
        );
        self.inbox = Some(inbox);
        self.client = Some(client.clone());
        let mut tracker = Tracker::new(setup.tracker);
        let keeping = store.map(|(store, records)| {
            tracker.restore(records, clock.now());
            let encoder = setup.traces.map(|settings| Arc::new(Encoder::new(settings)));
            Keeping { store, encoder }
        });
        let engine = Engine::new(setup.engine, tracker, client, clock, deliveries, keeping, writer);
        self.stop = CancellationToken::new();
        self.views = views;
        self.watcher = JoinSet::new();
        self.watcher.spawn(sources.run(self.stop.clone()));
        self.watcher.spawn(engine.run());
    }

    /// Where the watcher hears of things.
    pub(crate) fn inbox(&self) -> Inbox {
        self.inbox.clone().expect("a watcher")
    }

    /// Names an operation, as the gateway or the API would.
    pub(crate) async fn sight(&self, sighting: Sighting) {
        let inbox = self.inbox.as_ref().expect("a watcher");
        inbox.send(Input::Sighted(sighting)).await.expect("an engine");
    }

    /// Hands something over, and waits until it is told.
    pub(crate) async fn deliver(&self, input: Input) -> Option<Admission> {
        let inbox = self.inbox.as_ref().expect("a watcher");
        inbox.deliver(input).await.expect("an engine").told().await
    }

    /// What a server of this world answers from.
    pub(crate) fn context(&self) -> web::Context {
        web::Context {
            views: self.views.clone(),
            instruments: self.instruments.clone(),
            metrics: watch::channel(Arc::default()).1,
            readiness: self.readiness.clone(),
            clock: self.clock,
            inbox: self.inbox.as_ref().expect("a watcher").downgrade(),
            client: self.client.clone().expect("a watcher"),
            lifecycle: Lifecycle::new().0,
        }
    }

    /// Ends the watcher wherever it is.
    pub(crate) async fn kill(&mut self) {
        self.watcher.shutdown().await;
    }

    /// The newest view.
    pub(crate) fn view(&self) -> Arc<View> {
        self.views.view()
    }

    /// Waits until the view shows something, on the story's clock.
    pub(crate) async fn until(&mut self, what: &str, shows: impl Fn(&View) -> bool) {
        let seen = tokio::time::timeout(PATIENCE, async {
            while !shows(&self.views.view()) {
                assert!(self.views.changed().await, "the engine ended before {what}");
            }
        });
        assert!(seen.await.is_ok(), "{what} never came: {:?}", self.view().tracker);
    }

    /// Lets time pass, with everything that happens in it.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Ends the watcher in the order of the flow, and waits for it.
    pub(crate) async fn stop(mut self) -> Arc<View> {
        self.stop.cancel();
        self.inbox = None;
        while self.watcher.join_next().await.is_some() {}
        self.views.view()
    }

    /// How often a method was called, by the last part of its path.
    pub(crate) fn calls(&self, method: &str) -> u64 {
        let calls = self.handle.calls_by_method();
        calls
            .iter()
            .filter(|(path, _)| path.ends_with(method))
            .map(|(_, count)| count)
            .sum()
    }

    pub(crate) fn calls_in_all(&self) -> u64 {
        self.handle.calls_by_method().values().sum()
    }
}

/// A connection to the simulator through pipes; each new connection is a new pipe.
fn serve(handle: &Handle, tasks: &mut JoinSet<()>) -> (Channel, Http) {
    let (sender, receiver) = mpsc::channel::<io::Result<DuplexStream>>(16);
    let server = handle.clone();
    tasks.spawn(async move {
        let never = CancellationToken::new();
        server
            .serve_with_incoming(ReceiverStream::new(receiver), None, never)
            .await
            .expect("a server");
    });
    let connector = tower::service_fn(move |_: http::Uri| {
        let sender = sender.clone();
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(64 << 10);
            sender.send(Ok(far)).await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(Wire::new(near))
        })
    });
    let http = Http::over(connector.clone());
    let channel = Endpoint::from_static("http://simulator.invalid").connect_with_connector_lazy(connector);
    (channel, http)
}

/// Lets a subscriber hear what this thread says, until the guard is dropped.
pub(crate) fn heard_by(subscriber: impl Subscriber + Send + Sync + 'static) -> DefaultGuard {
    // While there is one subscriber alone, whether a place is heard is asked of the thread that comes there first, which
    // may be another test's without any. So there are always two.
    static OTHER: OnceLock<Dispatch> = OnceLock::new();
    OTHER.get_or_init(|| Dispatch::new(tracing_subscriber::registry().with(LevelFilter::OFF)));
    tracing::subscriber::set_default(subscriber)
}

/// A project of the view, by its id.
pub(crate) fn project(view: &View, id: &str) -> Option<Arc<Project>> {
    view.projects.get(&Some(id.parse().expect("an id"))).cloned()
}

/// Operations of a project that ended one way.
pub(crate) fn finished(view: &View, project_id: &str, outcome: OutcomeKind) -> u64 {
    project(view, project_id).map_or(0, |project| {
        Kind::ALL
            .into_iter()
            .map(|kind| project.finished_total[&(kind, outcome)].count)
            .sum()
    })
}

/// Jobs of a project in one status now.
pub(crate) fn jobs(view: &View, project_id: &str, status: JobStatus) -> u32 {
    project(view, project_id).map_or(0, |project| project.jobs[status.index()])
}

/// The operation known by an id.
pub(crate) fn row(view: &View, id: &str) -> Option<Arc<TrackedOperation>> {
    view.operations.find(id).cloned()
}
