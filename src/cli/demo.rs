//! `demo` and `simulate`: the simulator, with and without the exporter on it.

use crate::app::App;
use crate::cli::arguments::{Demo, Output, Simulate};
use crate::cli::{Exit, environment, logging, say, serve, shutdown};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Flags};
use crate::flow::Inbox;
use crate::model::{Input, Labels, Sighting, Source, Target};
use crate::simulator::{self, Handle, Identity, Scenario, Simulator};
use anyhow::Context;
use serde_json::json;
use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the demo looks for runs that have begun.
const BIRTHS_INTERVAL: Duration = Duration::from_millis(500);

/// Runs the whole product on a simulated fleet.
pub(crate) fn demo(arguments: &Demo) -> anyhow::Result<Exit> {
    let mut scenario = simulator::demo(arguments.jobs, arguments.speed)?;
    let flags = Flags::from(&arguments.surface);
    serve::runtime()?.block_on(async {
        let hangups = shutdown::hangups().context("cannot listen to signals")?;
        let clock = Clock::system();
        scenario.edition = Some(clock.now().nanos());
        let simulator = Simulator::bind(&scenario, simulator::Settings::loopback(), clock).await?;
        let yaml = watch_everything(&simulator);
        let config =
            Config::parse(&yaml, Path::new(""), &flags, environment).map_err(ConfigError::Elsewhere)?;
        let traces = config
            .delivery
            .as_ref()
            .and_then(|delivery| delivery.own.as_ref());
        logging::start(config.log_level, config.log_format, traces);
        serve::tell_notes(&config);
        let grpc_address = simulator.grpc_address();
        let inherited = serve::inherited(config.web_systemd_socket)?;
        let app = App::bind_on(config, inherited).await?;
        say(&whereabouts(arguments, grpc_address, &app)?);
        // The exporter ends first, so that its last looks find the simulator still there.
        let (exporter_stop, simulator_stop) = (CancellationToken::new(), CancellationToken::new());
        let births = tell_births(simulator.handle(), app.inbox());
        let births = exporter_stop.clone().run_until_cancelled_owned(births);
        let running = simulator.run(simulator_stop.clone());
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        tasks.spawn(async move { births.await.map_or(Ok(()), Ok) });
        tasks.spawn(async move { running.await.context("the simulator") });
        let exit = tokio::select! {
            exit = serve::run(app, exporter_stop) => exit,
            never = shutdown::shrug_at(hangups) => match never {},
        };
        simulator_stop.cancel();
        while let Some(ended) = tasks.join_next().await {
            ended.context("the simulator was cut short")??;
        }
        exit
    })
}

/// Where everything is.
fn whereabouts(arguments: &Demo, grpc_address: SocketAddr, app: &App) -> anyhow::Result<String> {
    let address = app.addresses().first().context("the demo listens nowhere")?;
    let Demo { jobs, speed, .. } = arguments;
    let overview = format!("http://localhost:{}/", address.port());
    let (metrics, operations) = (
        format!("{overview}metrics"),
        format!("{overview}api/v1/operations"),
    );
    let gateway = app.gateway_address().map(|address| address.to_string());
    if arguments.output == Output::Json {
        let mut told = json!({
            "jobs": jobs, "speed": speed, "simulator": grpc_address.to_string(),
            "metrics": metrics, "operations": operations, "overview": overview,
        });
        if let (Some(gateway), Some(told)) = (gateway, told.as_object_mut()) {
            told.insert("gateway".to_owned(), gateway.into());
        }
        return Ok(told.to_string());
    }
    let gateway = gateway.map_or_else(String::new, |address| {
        format!("gateway:    {address}, for gRPC and REST\n")
    });
    Ok(format!(
        "DataSphere, simulated: {jobs} jobs at {speed} times the speed of life, gRPC on {grpc_address}\n\
         metrics:    {metrics}\n\
         operations: {operations}\n\
         overview:   {overview}\n\
         {gateway}Ctrl-C ends it."
    ))
}

/// A configuration that follows all of a simulator's communities.
fn watch_everything(simulator: &Simulator) -> String {
    let (address, communities) = (
        simulator.grpc_address(),
        simulator.handle().community_ids().join(", "),
    );
    format!(
        "cloud:\n  endpoint: {address}\n  tls: {{ enabled: false }}\n  auth: {{ anonymous: {{}} }}\n\
         watch:\n  interval: 2s\n  interval_max: 15s\n  list_interval: 3s\n  sweep_interval: 15s\n  \
         balance_interval: 15s\n  communities: [{communities}]\n\
         storage: {{ path: \"\" }}\nweb: {{ listen_address: \"127.0.0.1:10477\" }}\n\
         gateway: {{ listen_address: \"{}\" }}\n",
        gateway_address()
    )
}

/// Where the demo's gateway listens: on its usual port, or on any other while that is taken.
fn gateway_address() -> SocketAddr {
    let usual = SocketAddr::from(([127, 0, 0, 1], 10_478));
    let is_free = TcpListener::bind(usual).is_ok();
    SocketAddr::from((usual.ip(), if is_free { usual.port() } else { 0 }))
}

/// Tells the exporter of each run as it begins: no listing leads from a job to its operation, so without this the
/// demo would show neither progress nor return codes.
async fn tell_births(simulator: Handle, inbox: Inbox) {
    let mut told = HashSet::new();
    loop {
        let runs = simulator.runs(Duration::ZERO);
        told.retain(|id| runs.iter().any(|run| run.operation_id == *id));
        for run in runs {
            let Ok(id) = run.operation_id.parse() else {
                continue;
            };
            if told.insert(run.operation_id) {
                let target = Target::Operation(id);
                let sighting = Sighting {
                    target,
                    source: Source::Api,
                    labels: Labels::default(),
                    trace_context: None,
                };
                if inbox.send(Input::Sighted(sighting)).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(BIRTHS_INTERVAL).await;
    }
}

/// Runs only the simulator.
pub(crate) fn simulate(arguments: &Simulate) -> anyhow::Result<Exit> {
    logging::start(arguments.log.level, arguments.log.format, None);
    let scenario = scenario(arguments)?;
    let settings = settings(arguments)?;
    serve::runtime()?.block_on(async {
        let hangups = shutdown::hangups().context("cannot listen to signals")?;
        let simulator = Simulator::bind(&scenario, settings, Clock::system()).await?;
        let (grpc, http) = (simulator.grpc_address(), simulator.http_address());
        say(&match arguments.output {
            Output::Text => {
                format!("DataSphere, simulated: gRPC on {grpc}, files and instance metadata on http://{http}")
            }
            Output::Json => json!({ "grpc": grpc.to_string(), "http": format!("http://{http}") }).to_string(),
        });
        let stop = CancellationToken::new();
        let running = simulator.run(stop.clone());
        let ending = async {
            let heard = shutdown::on_signal(stop.clone()).await;
            stop.cancel();
            heard
        };
        let (ended, heard) = tokio::select! {
            ended = async { tokio::join!(running, ending) } => ended,
            never = shutdown::shrug_at(hangups) => match never {},
        };
        heard.context("cannot listen to signals")?;
        ended?;
        Ok(Exit::Well)
    })
}

fn scenario(arguments: &Simulate) -> anyhow::Result<Scenario> {
    let speed = arguments.speed;
    match &arguments.scenario {
        None => Ok(simulator::demo(40, speed.unwrap_or(60.0))?),
        Some(path) => {
            let mut scenario = Scenario::load(path).with_context(|| path.display().to_string())?;
            if let Some(speed) = speed {
                scenario.speed = speed;
                scenario.check()?;
            }
            Ok(scenario)
        }
    }
}

fn settings(arguments: &Simulate) -> anyhow::Result<simulator::Settings> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let mut settings = simulator::Settings::loopback();
    settings.listen_address = arguments.listen_address;
    if let Some(address) = arguments.http_listen_address {
        settings.http_listen_address = address;
    }
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert_file, &arguments.tls_key_file) {
        settings.identity = Some(Identity {
            certificate_pem: read(certificate)?,
            key_pem: read(key)?,
        });
    }
    Ok(settings)
}
