//! The REST side of the API: requests in JSON become calls of gRPC, and answers become JSON again, as the cloud's
//! gateway does it. Jobs have no REST side.

mod printer;

use crate::proto::FILE_DESCRIPTOR_SET;
use crate::simulator::cloud::Cloud;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use printer::Printer;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};
use tonic::{Code, Status};

/// A binding of the `.proto` files: `{}` stands for the field that is in the path.
struct Binding {
    verb: Method,
    before: &'static str,
    field: &'static str,
    after: &'static str,
    service: &'static str,
    method: &'static str,
}

const fn binding(
    verb: Method,
    (before, field, after): (&'static str, &'static str, &'static str),
    service: &'static str,
    method: &'static str,
) -> Binding {
    Binding {
        verb,
        before,
        field,
        after,
        service,
        method,
    }
}

const OPERATIONS: &str = "yandex.cloud.operation.OperationService";
const PROJECTS: &str = "yandex.cloud.datasphere.v2.ProjectService";
const OPERATION: &str = "/operations/";
const PROJECT: &str = "/datasphere/v2/projects/";

/// Those with a suffix first. Cancelling is GET in the `.proto` files and POST in the reference pages.
const BINDINGS: &[Binding] = &[
    binding(
        Method::GET,
        (OPERATION, "operationId", ":cancel"),
        OPERATIONS,
        "Cancel",
    ),
    binding(
        Method::POST,
        (OPERATION, "operationId", ":cancel"),
        OPERATIONS,
        "Cancel",
    ),
    binding(Method::GET, (OPERATION, "operationId", ""), OPERATIONS, "Get"),
    binding(
        Method::POST,
        (PROJECT, "projectId", ":execute"),
        PROJECTS,
        "Execute",
    ),
    binding(
        Method::GET,
        (PROJECT, "projectId", ":unitBalance"),
        PROJECTS,
        "GetUnitBalance",
    ),
    binding(Method::GET, (PROJECT, "projectId", ""), PROJECTS, "Get"),
    binding(Method::GET, ("/datasphere/v2/projects", "", ""), PROJECTS, "List"),
    binding(
        Method::POST,
        ("/iam/v1/tokens", "", ""),
        "yandex.cloud.iam.v1.IamTokenService",
        "Create",
    ),
    binding(
        Method::GET,
        ("/endpoints", "", ""),
        "yandex.cloud.endpoint.ApiEndpointService",
        "List",
    ),
];

/// Longest body of a request.
const BODY_BYTES_MAX: usize = 4 << 20;

/// Longest answer: a padded operation of the largest kind.
const ANSWER_BYTES_MAX: usize = 256 << 20;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default());

/// Lets calls of gRPC pass, and turns requests of REST into them.
pub(crate) async fn transcode(State(cloud): State<Arc<Cloud>>, request: Request, next: Next) -> Response {
    let content_type = request.headers().get(CONTENT_TYPE);
    if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        return next.run(request).await;
    }
    let Some((binding, id)) = bound(request.method(), request.uri().path()) else {
        return answered(StatusCode::NOT_FOUND, HeaderMap::new(), String::new());
    };
    let style = *cloud.rest_style();
    let printer = Printer::new(style);
    let call = match grpc_call(binding, &id, request).await {
        Ok(call) => call,
        Err(status) => return refused(&printer, &status, &HeaderMap::new()),
    };
    let (head, body) = next.run(call).await.into_parts();
    let Ok(body) = Limited::new(body, ANSWER_BYTES_MAX).collect().await else {
        let status = Status::unavailable("upstream connect error or disconnect");
        return refused(&printer, &status, &head.headers);
    };
    let trailers = body.trailers().cloned().unwrap_or_default();
    let told = Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&head.headers));
    if let Some(status) = told.filter(|status| status.code() != Code::Ok) {
        return refused(&printer, &status, &head.headers);
    }
    let output = method_of(binding).map(|method| method.output());
    // The five bytes before a message are its compression, which is none, and its length.
    let json = output.and_then(|output| printer.print(output, body.to_bytes().get(5..)?));
    let Some(json) = json else {
        let status = Status::internal("the answer cannot be transcoded");
        return refused(&printer, &status, &head.headers);
    };
    answered(StatusCode::OK, support(&head.headers), json.to_string())
}

/// The binding of a request, and what stands for the field in the path.
fn bound(verb: &Method, path: &str) -> Option<(&'static Binding, String)> {
    BINDINGS
        .iter()
        .filter(|binding| binding.verb == *verb)
        .find_map(|binding| {
            let id = path.strip_prefix(binding.before)?.strip_suffix(binding.after)?;
            let fits = id.is_empty() == binding.field.is_empty() && !id.contains('/');
            fits.then(|| (binding, id.to_owned()))
        })
}

fn method_of(binding: &Binding) -> Option<MethodDescriptor> {
    let service = POOL.get_service_by_name(binding.service)?;
    service.methods().find(|method| method.name() == binding.method)
}

/// The same request as a call: the body's fields, the one in the path and those in the query make its message.
async fn grpc_call(binding: &Binding, id: &str, request: Request) -> Result<Request, Status> {
    let (mut head, body) = request.into_parts();
    let unreadable = |_| Status::invalid_argument("The request body cannot be read");
    let body = Limited::new(body, BODY_BYTES_MAX)
        .collect()
        .await
        .map_err(unreadable)?;
    let body = body.to_bytes();
    let mut fields: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| Status::invalid_argument(format!("Request body is not JSON: {error}")))?
    };
    let query: Vec<(String, String)> = axum::extract::Query::try_from_uri(&head.uri)
        .map(|query| query.0)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let told = query.into_iter().filter(|(_, value)| !value.is_empty());
    fields.extend(told.map(|(name, value)| (name, Value::String(value))));
    if !id.is_empty() {
        fields.insert(binding.field.to_owned(), Value::String(id.to_owned()));
    }
    let input = method_of(binding).map(|method| method.input());
    let message = message(input, Value::Object(fields))?;
    let path = format!("/{}/{}", binding.service, binding.method);
    let uri = match head
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok())
    {
        Some(host) => format!("http://{host}{path}"),
        None => path,
    };
    head.uri = uri
        .parse()
        .map_err(|_| Status::invalid_argument("The host is none"))?;
    head.method = Method::POST;
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    head.headers.insert(TE, HeaderValue::from_static("trailers"));
    head.headers.remove(http::header::CONTENT_LENGTH);
    Ok(Request::from_parts(head, Body::from(framed(&message))))
}

fn message(input: Option<MessageDescriptor>, fields: Value) -> Result<Vec<u8>, Status> {
    let input = input.ok_or_else(|| Status::unimplemented("No such method"))?;
    DynamicMessage::deserialize(input, fields)
        .map(|message| message.encode_to_vec())
        .map_err(|error| Status::invalid_argument(format!("Request is not what it should be: {error}")))
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or_default());
    frame.put_slice(message);
    frame.freeze()
}

fn refused(printer: &Printer, status: &Status, headers: &HeaderMap) -> Response {
    let headers = support(headers);
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let json = printer.error(status, request_id.unwrap_or_default());
    answered(http_status(status.code()), headers, json.to_string())
}

/// The headers of support; those of gRPC stay behind.
fn support(headers: &HeaderMap) -> HeaderMap {
    let kept = ["x-request-id", "x-server-trace-id"];
    let kept = kept.into_iter().filter_map(|name| {
        let value = headers.get(name)?.clone();
        Some((http::HeaderName::from_static(name), value))
    });
    kept.collect()
}

fn answered(status: StatusCode, mut headers: HeaderMap, body: String) -> Response {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// <https://yandex.cloud/en/docs/api-design-guide/concepts/errors>.
fn http_status(code: Code) -> StatusCode {
    let number = match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unauthenticated => 401,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    };
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
