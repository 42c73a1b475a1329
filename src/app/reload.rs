//! Another configuration for an exporter that runs: made whole first, then put in place room by room.

use crate::app::ground::Ground;
use crate::app::material::Material;
use crate::app::{AppError, Keyring};
use crate::cloud::Client;
use crate::config::{Config, ConfigError};
use crate::delivery::Delivery;
use crate::engine::Reconfiguration;
use crate::flow::{Inbox, Latch, Readiness, Reload};
use crate::limits::{RELOAD_APPLIED_TIME_MAX, RELOAD_TIME_MAX};
use crate::metrics;
use crate::sources::{Places, Sources};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Reads file, environment and flags anew, as at the start.
pub type Load = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Why the configuration before stays in effect.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    /// Something in it is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something that it names cannot be used.
    #[error(transparent)]
    App(#[from] AppError),
    /// A file system hangs, or a file has no end.
    #[error(
        "the configuration, or a file that it names, was not read within {} s",
        RELOAD_TIME_MAX.as_secs()
    )]
    Late,
    /// Reading it broke.
    #[error("the configuration could not be read to its end; this is a defect of the exporter")]
    Broke(#[from] JoinError),
    /// There is nothing to read.
    #[error("this exporter was started without a configuration that could change")]
    Nothing,
}

/// Where the parts of another configuration go.
#[derive(Debug)]
pub(super) struct Changes {
    sources: mpsc::Sender<Successor<Sources>>,
    engine: mpsc::Sender<Reconfiguration>,
    delivery: mpsc::Sender<Successor<Option<Delivery>>>,
    metrics: watch::Sender<Arc<metrics::Settings>>,
}

/// Where they arrive.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) engine: mpsc::Receiver<Reconfiguration>,
    pub(super) metrics: watch::Receiver<Arc<metrics::Settings>>,
    pub(super) successors: Successors,
}

/// Where those parts arrive that take the place of others.
#[derive(Debug)]
pub(super) struct Successors {
    pub(super) sources: mpsc::Receiver<Successor<Sources>>,
    pub(super) delivery: mpsc::Receiver<Successor<Option<Delivery>>>,
}

/// A part that takes the place of another.
#[derive(Debug)]
pub(super) struct Successor<P> {
    part: P,
    /// Released when it does.
    latch: Latch,
}

/// Both ends of every way.
pub(super) fn exchange(config: &Config) -> (Changes, Arrivals) {
    let (sources, next_sources) = mpsc::channel(1);
    let (engine, next_engine) = mpsc::channel(1);
    let (delivery, next_delivery) = mpsc::channel(1);
    let (metrics, next_metrics) = watch::channel(Arc::new(config.metrics.clone()));
    let changes = Changes {
        sources,
        engine,
        delivery,
        metrics,
    };
    let arrivals = Arrivals {
        engine: next_engine,
        metrics: next_metrics,
        successors: Successors {
            sources: next_sources,
            delivery: next_delivery,
        },
    };
    (changes, arrivals)
}

/// Reloads, when somebody asks for it.
pub(super) struct Reloading {
    pub(super) asked: mpsc::Receiver<Reload>,
    pub(super) load: Option<Load>,
    pub(super) began_with: Config,
    pub(super) in_effect: Config,
    /// That the connection to the cloud was made of.
    pub(super) material: Material,
    /// One making at a time: while one hangs in a file system, no further one hangs with it.
    pub(super) turn: Arc<Mutex<()>>,
    pub(super) ground: Ground,
    pub(super) changes: Changes,
    pub(super) keyring: Keyring,
}

/// What a configuration asks for, as far as it can be made without being put in place.
#[derive(Debug)]
struct Made {
    config: Config,
    client: Client,
    material: Material,
    delivery: Option<Delivery>,
}

impl Made {
    /// Reads every key and certificate.
    ///
    /// # Errors
    /// What only the operator can mend.
    fn of(config: Config, ground: &Ground) -> Result<Self, AppError> {
        config.web.check()?;
        if let Some(gateway) = &config.gateway {
            gateway.check()?;
        }
        // Before the files are used: what is exchanged in between is taken by the next reload, and not missed by all.
        let material = Material::of(&config.cloud.tls, &config.cloud.auth);
        Ok(Self {
            material,
            client: Client::prepared(&config.cloud, ground.clock, &ground.instruments)?,
            delivery: ground.delivery(&config)?,
            config,
        })
    }
}

impl Reloading {
    /// Answers requests until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(reload)) = stop.run_until_cancelled(self.asked.recv()).await {
            let Some(made) = stop.run_until_cancelled(self.make()).await else {
                break;
            };
            match made {
                Ok(made) => {
                    let applied = self.put_in_place(made).await;
                    // What is wrong with the keyring is told apart: its files are in effect already, and read anew all
                    // the time.
                    let settling = async { tokio::join!(applied.settled(), self.keyring.reread()) };
                    let in_time = timeout(RELOAD_APPLIED_TIME_MAX, settling);
                    let is_applied = stop.run_until_cancelled(in_time).await;
                    self.tell(!matches!(is_applied, Some(Err(_))));
                    self.ground
                        .standing
                        .tell_configuration(Some(self.ground.clock.now()));
                    reload.answer(Ok(()));
                }
                Err(error) => {
                    let error = line(&error);
                    self.ground.standing.tell_configuration(None);
                    tracing::error!(
                        error,
                        "the configuration was not reloaded: the one before stays in effect"
                    );
                    reload.answer(Err(error));
                }
            }
        }
        stop.cancelled().await;
    }

    async fn make(&self) -> Result<Made, ReloadError> {
        let load = self.load.clone().ok_or(ReloadError::Nothing)?;
        let (began_with, ground) = (self.began_with.clone(), self.ground.clone());
        let turn = Arc::clone(&self.turn);
        let making = async {
            let turn = turn.lock_owned().await;
            let make = move || {
                let _turn = turn;
                let mut config = load()?;
                config.keep_own_traces_of(&began_with);
                let named = config.clone();
                Ok(Made::of(config, &ground).map_err(|error| error.placed(&named))?)
            };
            spawn_blocking(make).await?
        };
        timeout(RELOAD_TIME_MAX, making)
            .await
            .map_err(|_| ReloadError::Late)?
    }

    /// Nothing here can fail: a room that takes nothing any more is ending. Settled once every part has what is its.
    async fn put_in_place(&mut self, made: Made) -> Readiness {
        let Made {
            config,
            client,
            material,
            delivery,
        } = made;
        let (ground, changes) = (&mut self.ground, &self.changes);
        let applied = Readiness::default();
        // Held until all others are.
        let latch = applied.latch();
        // A token that is good, and what was learned of the cloud, stay where nothing about it changes.
        let is_cloud_other = config.cloud != self.in_effect.cloud || material != self.material;
        if is_cloud_other {
            ground.client.take_over(&client);
            ground.places = Places::default();
        }
        ground.store.reconfigure(config.store.clone());
        let reconfiguration = Reconfiguration {
            settings: config.engine,
            tracker: config.tracker.clone(),
            keeping: ground.keeping(&config),
            latch: applied.latch(),
        };
        let _ = changes.engine.send(reconfiguration).await;
        if (is_cloud_other || config.sources != self.in_effect.sources)
            && let Ok(inbox) = ground.inbox.upgrade()
        {
            let successor = Successor {
                part: ground.sources(&config, inbox).shown_by(applied.latch()),
                latch: applied.latch(),
            };
            let _ = changes.sources.send(successor).await;
        }
        let successor = Successor {
            part: delivery,
            latch,
        };
        let _ = changes.delivery.send(successor).await;
        changes.metrics.send_replace(Arc::new(config.metrics.clone()));
        self.in_effect = config;
        self.material = material;
        applied
    }

    /// Says what became of it.
    fn tell(&self, is_applied: bool) {
        if !is_applied {
            tracing::warn!(
                "a part of the exporter has not taken the reloaded configuration within {} s; it does when it can",
                RELOAD_APPLIED_TIME_MAX.as_secs()
            );
        }
        let at_next_start = self.in_effect.differs_at_start(&self.began_with).join(", ");
        if at_next_start.is_empty() {
            tracing::info!("the configuration was reloaded");
        } else {
            tracing::warn!(
                at_next_start,
                "the configuration was reloaded, but for what takes effect at the next start only"
            );
        }
    }
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading").finish_non_exhaustive()
    }
}

/// What a start or a reload with this configuration would complain about, without either: addresses are not listened
/// on, and the store is not opened.
///
/// # Errors
/// What only the operator can mend.
pub async fn check(config: &Config) -> Result<(), AppError> {
    let made = async {
        let (inbox, _deliveries) = Inbox::new();
        let mut config = config.clone();
        config.store.path = None;
        let (ground, _) = Ground::lay(&config, &inbox).await?;
        Made::of(config, &ground).map(|_| ())
    };
    made.await.map_err(|error: AppError| error.placed(config))
}

/// An error with its causes, in one line; what a cause repeats is said once.
pub fn line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| (*cause).source()).map(ToString::to_string) {
        if cause.contains(&line) {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// Runs a part, and in its place whatever comes after it, until `stop`.
pub(super) async fn exchanged<P, R: Future<Output = ()>>(
    first: P,
    mut successors: mpsc::Receiver<Successor<P>>,
    stop: CancellationToken,
    run: impl Fn(P, CancellationToken) -> R,
) {
    let mut present = Some(first);
    while let Some(part) = present.take() {
        let until = stop.child_token();
        let mut running = std::pin::pin!(run(part, until.clone()));
        tokio::select! {
            () = &mut running => {}
            Some(successor) = successors.recv() => {
                until.cancel();
                running.await;
                present = Some(successor.part);
                drop(successor.latch);
            }
        }
    }
}
