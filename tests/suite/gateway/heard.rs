//! What is heard in answers, and that nothing of it can harm a call.

use crate::gateway::support::{Caller, House, PATIENCE, ask, body, framed, whole};
use bytes::Bytes;
use datasphere_exporter::clock::Clock;
use datasphere_exporter::flow::Delivery;
use datasphere_exporter::limits::{ADMISSION_PAUSE_MAX, ADMISSION_RETRIES_TIME_MAX, GATEWAY_HEARD_BYTES_MAX};
use datasphere_exporter::model::{Admission, Input, Overheard, Sighting, Source, Target};
use datasphere_exporter::proto::yandex::cloud::datasphere::v2::jobs::{
    CreateProjectJobMetadata, ExecuteProjectJobMetadata, Job,
};
use datasphere_exporter::proto::yandex::cloud::operation::Operation;
use datasphere_exporter::tracker::{self, Tracker};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use hyper::body::Frame;
use prost::Message;
use prost_types::Any;
use std::io::Write;
use std::time::Duration;
use tokio::time::{Instant, advance, pause, timeout};

const JOBS: &str = "/yandex.cloud.datasphere.v2.jobs.ProjectJobService";
const GET: &str = "/yandex.cloud.operation.OperationService/Get";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn execution(id: &str) -> Operation {
    let metadata = ExecuteProjectJobMetadata {
        job: Some(Job {
            id: "bt1job".to_owned(),
            project_id: "bt1project".to_owned(),
            ..Job::default()
        }),
        ..ExecuteProjectJobMetadata::default()
    };
    operation(
        id,
        "yandex.cloud.datasphere.v2.jobs.ExecuteProjectJobMetadata",
        &metadata,
    )
}

fn operation(id: &str, name: &str, metadata: &impl Message) -> Operation {
    Operation {
        id: id.to_owned(),
        metadata: Some(Any {
            type_url: format!("type.googleapis.com/{name}"),
            value: metadata.encode_to_vec(),
        }),
        ..Operation::default()
    }
}

async fn overheard(house: &mut House) -> Box<Overheard> {
    let delivery = timeout(PATIENCE, house.deliveries.recv()).await.expect("in time");
    match delivery {
        Some(Delivery::Awaited(Input::Overheard(heard), reply)) => {
            reply.send(Admission::New);
            heard
        }
        other => panic!("{other:?}"),
    }
}

fn answer_with(house: &House, message: Bytes) {
    *house.told.message.lock().expect("not poisoned") = message;
}

/// Executes through the gateway while its engine answers, and tells what the engine was told.
async fn executed(house: &mut House, caller: &mut Caller, path: &str, headers: &[(&str, &str)]) -> Sighting {
    let empty = [framed(b"")];
    let call = caller.call(path, headers, &empty);
    let (reply, heard) = tokio::join!(call, overheard(house));
    assert_eq!(
        reply
            .trailers
            .expect("trailers")
            .get("grpc-status")
            .expect("a status"),
        "0"
    );
    heard.sighting
}

#[tokio::test]
async fn an_operation_in_an_answer_is_told_once_with_all_that_the_answer_tells() {
    let mut house = House::open().await;
    let message = framed(&execution("bt1op").encode_to_vec());
    answer_with(&house, message.clone());
    let mut caller = Caller::connect(house.gateway).await;
    let path = format!("{JOBS}/Execute");
    let empty = [framed(b"")];
    let call = caller.call(&path, &[], &empty);
    let (reply, heard) = tokio::join!(call, overheard(&mut house));
    assert_eq!(reply.body, message);
    assert_eq!(
        heard.sighting.target,
        Target::Operation("bt1op".parse().expect("an id"))
    );
    assert_eq!(heard.sighting.source, Source::Gateway);
    let job = heard.answer.value.job.as_ref().expect("a job");
    assert_eq!(job.id.as_str(), "bt1job");
    assert!(house.deliveries.try_recv().is_err());
    assert_eq!(house.counted("ProjectJobService.Execute", "OK"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_the_watcher_for_50_ms_which_count_as_ours() {
    let mut house = House::open().await;
    // While a thread is busy, time moves by hand only.
    let (_release, busy) = std::sync::mpsc::channel::<()>();
    house.upstream_running.spawn_blocking(move || {
        let _ = busy.recv();
    });
    answer_with(&house, framed(&execution("bt1op").encode_to_vec()));
    let mut caller = Caller::connect(house.gateway).await;
    let mut other = Caller::connect(house.gateway).await;
    let empty = [framed(b"")];
    let call = caller.call(GET, &[], &empty);
    let mut call = std::pin::pin!(call);
    // Nobody takes what is told.
    let mut round_trips = async |count: usize| {
        for _ in 0..count {
            other.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
        }
    };
    while house.deliveries.is_empty() {
        tokio::select! {
            reply = &mut call => panic!("it did not wait: {reply:?}"),
            () = round_trips(1) => {}
        }
    }
    advance(Duration::from_millis(49)).await;
    tokio::select! {
        biased;
        reply = &mut call => panic!("it did not wait: {reply:?}"),
        () = round_trips(10) => {}
    }
    advance(Duration::from_millis(2)).await;
    let reply = call.await;
    assert_eq!(reply.status, 200);
    // And what was told is still there.
    let heard = overheard(&mut house).await;
    assert_eq!(
        heard.sighting.target,
        Target::Operation("bt1op".parse().expect("an id"))
    );
    let overhead = house.instruments.gateway_overhead_seconds.get_sample_sum();
    assert!((0.050..0.053).contains(&overhead), "{overhead} s");
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_caller_takes_to_ask_for_addresses_does_not_count_as_ours() {
    let mut house = House::open().await;
    let (_release, busy) = std::sync::mpsc::channel::<()>();
    house.upstream_running.spawn_blocking(move || {
        let _ = busy.recv();
    });
    let mut caller = Caller::connect(house.gateway).await;
    let (outgoing, answering) = caller.open("/yandex.cloud.endpoint.ApiEndpointService/List", &[]);
    // It is there before the caller takes its time.
    caller.call("/echo.Echo/Echo", &[], &[framed(b"one")]).await;
    advance(Duration::from_secs(10)).await;
    outgoing
        .send(Ok(Frame::data(framed(b""))))
        .await
        .expect("it listens");
    drop(outgoing);
    assert_eq!(whole(answering.await.expect("an answer")).await.status, 200);
    let overhead = &house.instruments.gateway_overhead_seconds;
    assert_eq!(overhead.get_sample_count(), 2);
    assert!(overhead.get_sample_sum() < 1.0, "{} s", overhead.get_sample_sum());
}

#[tokio::test]
async fn a_repeated_call_that_is_answered_with_the_same_id_is_watched_once() {
    let mut house = House::open().await;
    answer_with(&house, framed(&execution("bt1op").encode_to_vec()));
    let mut caller = Caller::connect(house.gateway).await;
    let path = format!("{JOBS}/Execute");
    let key = [("idempotency-key", "b2a2c6f0-0001")];
    let mut tracker = Tracker::new(tracker::Settings::default());
    let mut admissions = Vec::new();
    for _ in 0..2 {
        let empty = [framed(b"")];
        let call = caller.call(&path, &key, &empty);
        let (_, heard) = tokio::join!(call, overheard(&mut house));
        let (admission, _) = tracker.admit(Input::Overheard(heard), Clock::system().now());
        admissions.push(admission);
    }
    assert_eq!(admissions, [Admission::New, Admission::Known]);
}

#[tokio::test]
async fn an_answer_passes_when_the_engine_is_gone_or_the_message_is_none() {
    let mut house = House::open().await;
    house.deliveries.close();
    let mut caller = Caller::connect(house.gateway).await;
    let path = format!("{JOBS}/Execute");
    for message in [
        framed(&execution("bt1op").encode_to_vec()),
        framed(b"\xff\xff\xff"),
        framed(&execution("no id: it has spaces").encode_to_vec()),
        Bytes::from_static(b"\x01\xff\xff\xff\xffshort"),
        Bytes::from_static(b"\0"),
        Bytes::new(),
    ] {
        answer_with(&house, message.clone());
        let reply = caller.call(&path, &[], &[framed(b"")]).await;
        assert_eq!(reply.body, message);
        assert_eq!(
            reply
                .trailers
                .expect("trailers")
                .get("grpc-status")
                .expect("a status"),
            "0"
        );
    }
    let unheard = &house.instruments.gateway_unheard_total;
    assert_eq!(unheard.with_label_values(&["unreadable"]).get(), 5);
}

#[tokio::test]
async fn a_compressed_operation_is_heard_and_passes_compressed() {
    let mut house = House::open().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(&execution("bt1packed").encode_to_vec())
        .expect("in memory");
    let mut message = framed(&encoder.finish().expect("in memory")).to_vec();
    message[0] = 1;
    answer_with(&house, message.clone().into());
    let mut caller = Caller::connect(house.gateway).await;
    let empty = [framed(b"")];
    let call = caller.call(GET, &[("grpc-encoding", "gzip")], &empty);
    let (reply, heard) = tokio::join!(call, overheard(&mut house));
    assert_eq!(reply.body, message);
    assert_eq!(
        heard.sighting.target,
        Target::Operation("bt1packed".parse().expect("an id"))
    );
}

#[tokio::test]
async fn an_operation_over_rest_is_as_good_as_a_look_and_heard_before_its_last_byte() {
    let mut house = House::open().await;
    let message = Bytes::from_static(b"{\"id\":\"bt1rest\",\"done\":true,\"error\":{\"code\":1}}");
    answer_with(&house, message.clone());
    let request = Request::get("/operations/bt1rest")
        .header("host", "x")
        .body(body(Vec::new()));
    let call = async {
        whole(
            ask(house.gateway, request.expect("a request"))
                .await
                .expect("an answer"),
        )
        .await
    };
    let told = async { timeout(PATIENCE, house.deliveries.recv()).await.expect("in time") };
    let (reply, delivery) = tokio::join!(call, told);
    assert_eq!(reply.body, message);
    let Some(Delivery::Awaited(Input::Overheard(heard), _)) = delivery else {
        panic!("{delivery:?}");
    };
    assert_eq!(
        heard.sighting.target,
        Target::Operation("bt1rest".parse().expect("an id"))
    );
    assert!(heard.answer.value.done && heard.answer.value.error.is_some());
}

#[tokio::test]
async fn a_callers_trace_is_that_of_the_execution_or_of_the_job_that_was_made() {
    let mut house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let (create, execute) = (format!("{JOBS}/Create"), format!("{JOBS}/Execute"));
    let traced = [("traceparent", TRACE)];
    answer_with(&house, framed(&execution("bt1op").encode_to_vec()));
    let sighting = executed(&mut house, &mut caller, &execute, &traced).await;
    let context = sighting.trace_context.expect("a context");
    assert_eq!(context.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    // Who only looks is not who began it.
    assert_eq!(
        executed(&mut house, &mut caller, GET, &traced)
            .await
            .trace_context,
        None
    );
    assert_eq!(
        executed(&mut house, &mut caller, &execute, &[])
            .await
            .trace_context,
        None
    );
    let making = CreateProjectJobMetadata {
        project_id: "bt1project".to_owned(),
        job_id: "bt1job".to_owned(),
    };
    let making = operation(
        "bt1make",
        "yandex.cloud.datasphere.v2.jobs.CreateProjectJobMetadata",
        &making,
    );
    answer_with(&house, framed(&making.encode_to_vec()));
    executed(&mut house, &mut caller, &create, &traced).await;
    answer_with(&house, framed(&execution("bt1op").encode_to_vec()));
    let sighting = executed(&mut house, &mut caller, &execute, &[]).await;
    assert_eq!(sighting.trace_context, Some(context));
}

#[tokio::test]
async fn an_answer_to_another_method_is_no_operation_whatever_it_holds() {
    let mut house = House::open().await;
    answer_with(&house, framed(&execution("bt1op").encode_to_vec()));
    let mut caller = Caller::connect(house.gateway).await;
    for path in [
        &format!("{JOBS}/List"),
        "/yandex.cloud.compute.v1.InstanceService/Create",
    ] {
        caller.call(path, &[], &[framed(b"")]).await;
    }
    assert!(house.deliveries.try_recv().is_err());
    assert_eq!(house.counted("ProjectJobService.List", "OK"), 1);
}

#[tokio::test]
async fn an_unknown_method_of_datasphere_is_heard_by_the_shape_of_its_answer() {
    let mut house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let path = format!("{JOBS}/Restart");
    let described = operation(
        "bt1new",
        "yandex.cloud.datasphere.v9.RestartMetadata",
        &Job::default(),
    );
    let foreign = operation("bt1other", "yandex.cloud.compute.v1.Metadata", &Job::default());
    let undescribed = Operation {
        id: "bt1bare".to_owned(),
        ..Operation::default()
    };
    let one = framed(&described.encode_to_vec());
    for message in [
        framed(&foreign.encode_to_vec()),
        framed(&undescribed.encode_to_vec()),
        framed(b"\xff"),
        [one.clone(), one.clone()].concat().into(),
        Bytes::new(),
    ] {
        answer_with(&house, message.clone());
        assert_eq!(caller.call(&path, &[], &[framed(b"")]).await.body, message);
    }
    assert!(house.deliveries.try_recv().is_err());
    answer_with(&house, one);
    let sighting = executed(&mut house, &mut caller, &path, &[("traceparent", TRACE)]).await;
    assert_eq!(
        sighting.target,
        Target::Operation("bt1new".parse().expect("an id"))
    );
    assert!(sighting.trace_context.is_some());
    let unheard = &house.instruments.gateway_unheard_total;
    assert_eq!(unheard.with_label_values(&["unreadable"]).get(), 0);
}

#[tokio::test]
async fn an_operation_for_which_there_is_no_room_is_put_forward_again_once() {
    let mut house = House::open().await;
    answer_with(&house, framed(&execution("bt1full").encode_to_vec()));
    let mut caller = Caller::connect(house.gateway).await;
    let execute = format!("{JOBS}/Execute");
    for (path, headers) in [(&*execute, &[("traceparent", TRACE)][..]), (GET, &[])] {
        let empty = [framed(b"")];
        let call = caller.call(path, headers, &empty);
        let refused = async {
            match timeout(PATIENCE, house.deliveries.recv()).await.expect("in time") {
                Some(Delivery::Awaited(Input::Overheard(_), reply)) => reply.send(Admission::Full),
                other => panic!("{other:?}"),
            }
        };
        tokio::join!(call, refused);
    }
    for admission in [Admission::Full, Admission::New] {
        match timeout(PATIENCE, house.deliveries.recv()).await.expect("in time") {
            Some(Delivery::Awaited(Input::Sighted(sighting), reply)) => {
                assert_eq!(
                    sighting.target,
                    Target::Operation("bt1full".parse().expect("an id"))
                );
                assert!(sighting.trace_context.is_some(), "that of Execute");
                reply.send(admission);
            }
            other => panic!("{other:?}"),
        }
    }
    // Nothing waits any more: the engine may end.
    house.stop.cancel();
    let end = timeout(PATIENCE, house.deliveries.recv()).await.expect("in time");
    assert!(end.is_none(), "{end:?}");
}

#[tokio::test]
async fn a_watcher_that_never_accepts_does_not_keep_the_gateway_from_ending() {
    let mut house = House::open().await;
    answer_with(&house, framed(&execution("bt1op").encode_to_vec()));
    let mut caller = Caller::connect(house.gateway).await;
    caller.call(GET, &[], &[framed(b"")]).await;
    let held = timeout(PATIENCE, house.deliveries.recv()).await.expect("in time");
    house.stop.cancel();
    let ended = timeout(Duration::from_secs(10), house.running.join_next()).await;
    ended.expect("it ends").expect("a task").expect("without panic");
    drop(held);
}

#[tokio::test]
async fn an_answer_larger_than_any_that_is_read_passes_whole_and_is_counted() {
    let mut house = House::open().await;
    let mut caller = Caller::connect(house.gateway).await;
    let message = framed(&vec![0; GATEWAY_HEARD_BYTES_MAX]);
    answer_with(&house, message.clone());
    let reply = caller.call(&format!("{JOBS}/Execute"), &[], &[framed(b"")]).await;
    assert!(
        reply.body == message,
        "{} bytes of {}",
        reply.body.len(),
        message.len()
    );
    assert!(house.deliveries.try_recv().is_err());
    let unheard = &house.instruments.gateway_unheard_total;
    assert_eq!(unheard.with_label_values(&["size"]).get(), 1);
}

/// A call whose operation the engine had no room for.
async fn refused(house: &mut House) {
    answer_with(house, framed(&execution("bt1full").encode_to_vec()));
    let mut caller = Caller::connect(house.gateway).await;
    let (path, empty) = (format!("{JOBS}/Execute"), [framed(b"")]);
    let refusing = async {
        match timeout(PATIENCE, house.deliveries.recv()).await.expect("in time") {
            Some(Delivery::Awaited(Input::Overheard(_), reply)) => reply.send(Admission::Full),
            other => panic!("{other:?}"),
        }
    };
    tokio::join!(caller.call(&path, &[], &empty), refusing);
}

#[tokio::test]
async fn an_operation_that_waits_for_room_does_not_keep_the_gateway_from_ending() {
    let mut house = House::open().await;
    refused(&mut house).await;
    house.stop.cancel();
    let ended = async {
        while let Some(delivery) = house.deliveries.recv().await {
            match delivery {
                Delivery::Awaited(Input::Sighted(_), reply) => reply.send(Admission::Full),
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("an end in time");
}

#[tokio::test]
async fn an_operation_for_which_there_never_is_room_is_put_forward_for_an_hour() {
    let mut house = House::open().await;
    refused(&mut house).await;
    pause();
    let (begun, mut last) = (Instant::now(), Duration::ZERO);
    while let Ok(delivery) = timeout(ADMISSION_RETRIES_TIME_MAX, house.deliveries.recv()).await {
        match delivery {
            Some(Delivery::Awaited(Input::Sighted(_), reply)) => reply.send(Admission::Full),
            other => panic!("{other:?}"),
        }
        last = begun.elapsed();
    }
    let off = last.abs_diff(ADMISSION_RETRIES_TIME_MAX);
    assert!(off <= ADMISSION_PAUSE_MAX, "{last:?}");
}
