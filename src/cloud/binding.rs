//! What each request is in REST: the bindings of the API's `.proto` files
//! (<https://github.com/yandex-cloud/cloudapi>), where jobs have none.

use crate::cloud::inputs;
use crate::decode::json::Body;
use crate::proto::yandex::cloud::datasphere::v2::jobs::{
    CancelProjectJobRequest, ExecuteProjectJobRequest, GetProjectJobRequest, ListProjectJobRequest,
};
use crate::proto::yandex::cloud::datasphere::v2::project_execution_request::Target;
use crate::proto::yandex::cloud::datasphere::v2::{
    GetProjectRequest, GetUnitBalanceRequest, ListProjectsRequest, ProjectExecutionRequest,
};
use crate::proto::yandex::cloud::endpoint::ListApiEndpointsRequest;
use crate::proto::yandex::cloud::iam::v1::CreateIamTokenRequest;
use crate::proto::yandex::cloud::iam::v1::create_iam_token_request::Identity;
use crate::proto::yandex::cloud::operation::{CancelOperationRequest, GetOperationRequest};
use bytes::Bytes;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use serde_json::{Value, json};

/// A request of HTTP.
pub(crate) struct Binding {
    pub(crate) verb: Method,
    /// What to try where the verb is not known: the documentation names another one.
    pub(crate) otherwise: Option<Method>,
    /// With the query.
    pub(crate) path: String,
    /// JSON, or empty.
    pub(crate) body: Bytes,
    /// What comes back.
    pub(crate) answer: Body,
}

/// A request that can be sent; ids in it need no escaping.
pub(crate) trait Bound: Message + 'static {
    /// The same in REST; `None` where only gRPC has it.
    fn binding(&self) -> Option<Binding>;
}

impl Binding {
    fn get(path: String, answer: Body) -> Self {
        Self {
            verb: Method::GET,
            otherwise: None,
            path,
            body: Bytes::new(),
            answer,
        }
    }

    fn post(path: String, body: &Value, answer: Body) -> Self {
        Self {
            verb: Method::POST,
            otherwise: None,
            path,
            body: body.to_string().into(),
            answer,
        }
    }
}

impl Bound for GetOperationRequest {
    fn binding(&self) -> Option<Binding> {
        let path = format!("/operations/{}", self.operation_id);
        Some(Binding::get(path, Body::Operation))
    }
}

impl Bound for CancelOperationRequest {
    fn binding(&self) -> Option<Binding> {
        let path = format!("/operations/{}:cancel", self.operation_id);
        Some(Binding {
            otherwise: Some(Method::POST),
            ..Binding::get(path, Body::Operation)
        })
    }
}

impl Bound for GetProjectRequest {
    fn binding(&self) -> Option<Binding> {
        Some(Binding::get(project(&self.project_id, ""), Body::Project))
    }
}

impl Bound for GetUnitBalanceRequest {
    fn binding(&self) -> Option<Binding> {
        Some(Binding::get(
            project(&self.project_id, ":unitBalance"),
            Body::UnitBalance,
        ))
    }
}

impl Bound for ListProjectsRequest {
    fn binding(&self) -> Option<Binding> {
        let page_token = utf8_percent_encode(&self.page_token, NON_ALPHANUMERIC);
        let path = format!(
            "/datasphere/v2/projects?communityId={}&pageSize={}&pageToken={page_token}",
            self.community_id, self.page_size
        );
        Some(Binding::get(path, Body::ProjectPage))
    }
}

impl Bound for ProjectExecutionRequest {
    fn binding(&self) -> Option<Binding> {
        let mut body = match &self.target {
            Some(Target::NotebookId(path)) => json!({"notebookId": path}),
            Some(Target::CellId(id)) => json!({"cellId": id}),
            None => json!({}),
        };
        if let (Some(inputs), Value::Object(body)) = (&self.input_variables, &mut body) {
            body.insert("inputVariables".to_owned(), inputs::to_json(inputs));
        }
        Some(Binding::post(
            project(&self.project_id, ":execute"),
            &body,
            Body::Operation,
        ))
    }
}

impl Bound for CreateIamTokenRequest {
    fn binding(&self) -> Option<Binding> {
        let Some(Identity::Jwt(jwt)) = &self.identity else {
            return None;
        };
        Some(Binding::post(
            "/iam/v1/tokens".to_owned(),
            &json!({"jwt": jwt}),
            Body::Token,
        ))
    }
}

impl Bound for ListApiEndpointsRequest {
    fn binding(&self) -> Option<Binding> {
        Some(Binding::get("/endpoints".to_owned(), Body::Endpoints))
    }
}

fn project(id: &str, what: &str) -> String {
    format!("/datasphere/v2/projects/{id}{what}")
}

macro_rules! only_in_grpc {
    ($($request:ty),*) => {
        $(impl Bound for $request {
            fn binding(&self) -> Option<Binding> {
                None
            }
        })*
    };
}

only_in_grpc!(
    CancelProjectJobRequest,
    ExecuteProjectJobRequest,
    GetProjectJobRequest,
    ListProjectJobRequest
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_is_escaped() {
        let request = ListProjectsRequest {
            community_id: "bt1".to_owned(),
            page_size: 50,
            page_token: "a&b=c/я".to_owned(),
            ..ListProjectsRequest::default()
        };
        let path = request.binding().expect("has one").path;
        assert_eq!(
            path,
            "/datasphere/v2/projects?communityId=bt1&pageSize=50&pageToken=a%26b%3Dc%2F%D1%8F"
        );
    }
}
