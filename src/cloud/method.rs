//! The methods that are called, each with all that a call needs resolved beforehand.

use crate::catalogue::Instruments;
use http::uri::PathAndQuery;
use prometheus::{Histogram, IntCounter, IntCounterVec};
use std::time::Duration;

/// One method of the API.
#[derive(Debug)]
pub(crate) struct Method {
    /// The value of the label `method`.
    pub(crate) label: &'static str,
    pub(crate) path: PathAndQuery,
    pub(crate) service: Service,
    /// Whether it changes something, and so must not be sent twice without need.
    pub(crate) mutates: bool,
    /// What a caller needs, for messages.
    pub(crate) role: &'static str,
    duration_seconds: Histogram,
    succeeded_total: IntCounter,
    requests_total: IntCounterVec,
}

/// Which of the addresses serves a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `OperationService`.
    Operation,
    /// All services of `DataSphere`.
    DataSphere,
    /// `IamTokenService`.
    Iam,
    /// `ApiEndpointService`, which tells the addresses of the others.
    Endpoint,
}

impl Service {
    /// Its id in the list of endpoints.
    pub fn id(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::DataSphere => "datasphere",
            Self::Iam => "iam",
            Self::Endpoint => "endpoint",
        }
    }
}

impl Method {
    /// Finds its handles, so that a call looks none of them up by its labels.
    fn new(declaration: &Declaration, instruments: &Instruments) -> Self {
        let &Declaration {
            label,
            path,
            service,
            mutates,
            role,
        } = declaration;
        Self {
            label,
            path: PathAndQuery::from_static(path),
            service,
            mutates,
            role,
            duration_seconds: instruments
                .api_request_duration_seconds
                .with_label_values(&[label]),
            succeeded_total: instruments.api_requests_total.with_label_values(&[label, OK]),
            requests_total: instruments.api_requests_total.clone(),
        }
    }

    /// Counts one attempt.
    pub(crate) fn count(&self, code: &'static str, duration: Duration) {
        self.duration_seconds.observe(duration.as_secs_f64());
        if code == OK {
            self.succeeded_total.inc();
        } else {
            self.requests_total.with_label_values(&[self.label, code]).inc();
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        let declaration = Declaration {
            label: "Test.Read",
            path: "/test.Test/Read",
            service: Service::Operation,
            mutates: false,
            role: "test.viewer",
        };
        Self::new(&declaration, &Instruments::new("test", "test", "test"))
    }
}

/// The label `code` of a call that succeeded.
pub(crate) const OK: &str = "OK";

/// Every method that is called.
#[derive(Debug)]
pub(crate) struct Methods {
    pub(crate) get_operation: Method,
    pub(crate) cancel_operation: Method,
    pub(crate) get_job: Method,
    pub(crate) list_jobs: Method,
    pub(crate) cancel_job: Method,
    pub(crate) execute_job: Method,
    pub(crate) get_project: Method,
    pub(crate) list_projects: Method,
    pub(crate) unit_balance: Method,
    pub(crate) execute_notebook: Method,
    pub(crate) create_token: Method,
    pub(crate) list_endpoints: Method,
}

/// What is fixed about a method.
struct Declaration {
    label: &'static str,
    path: &'static str,
    service: Service,
    mutates: bool,
    role: &'static str,
}

// Where the roles come from: https://yandex.cloud/en/docs/datasphere/security/. That the viewer suffices for jobs
// and operations of others is stated nowhere, so the next one is named as well.
const VIEWER: &str =
    "datasphere.community-projects.viewer on the project, or .developer where that is not enough";
const EDITOR: &str = "datasphere.community-projects.editor on the project, which limits and balances ask for";
const DEVELOPER: &str = "datasphere.community-projects.developer on the project";
const COMMUNITY: &str = "datasphere.communities.viewer on the community";
const NONE: &str = "";

const GET_OPERATION: Declaration = Declaration {
    label: "OperationService.Get",
    path: "/yandex.cloud.operation.OperationService/Get",
    service: Service::Operation,
    mutates: false,
    role: VIEWER,
};

const CANCEL_OPERATION: Declaration = Declaration {
    label: "OperationService.Cancel",
    path: "/yandex.cloud.operation.OperationService/Cancel",
    service: Service::Operation,
    mutates: true,
    role: DEVELOPER,
};

const GET_JOB: Declaration = Declaration {
    label: "ProjectJobService.Get",
    path: "/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Get",
    service: Service::DataSphere,
    mutates: false,
    role: VIEWER,
};

const LIST_JOBS: Declaration = Declaration {
    label: "ProjectJobService.List",
    path: "/yandex.cloud.datasphere.v2.jobs.ProjectJobService/List",
    service: Service::DataSphere,
    mutates: false,
    role: VIEWER,
};

const CANCEL_JOB: Declaration = Declaration {
    label: "ProjectJobService.Cancel",
    path: "/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Cancel",
    service: Service::DataSphere,
    mutates: true,
    role: DEVELOPER,
};

const EXECUTE_JOB: Declaration = Declaration {
    label: "ProjectJobService.Execute",
    path: "/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Execute",
    service: Service::DataSphere,
    mutates: true,
    role: DEVELOPER,
};

const GET_PROJECT: Declaration = Declaration {
    label: "ProjectService.Get",
    path: "/yandex.cloud.datasphere.v2.ProjectService/Get",
    service: Service::DataSphere,
    mutates: false,
    role: VIEWER,
};

const LIST_PROJECTS: Declaration = Declaration {
    label: "ProjectService.List",
    path: "/yandex.cloud.datasphere.v2.ProjectService/List",
    service: Service::DataSphere,
    mutates: false,
    role: COMMUNITY,
};

const UNIT_BALANCE: Declaration = Declaration {
    label: "ProjectService.GetUnitBalance",
    path: "/yandex.cloud.datasphere.v2.ProjectService/GetUnitBalance",
    service: Service::DataSphere,
    mutates: false,
    role: EDITOR,
};

const EXECUTE_NOTEBOOK: Declaration = Declaration {
    label: "ProjectService.Execute",
    path: "/yandex.cloud.datasphere.v2.ProjectService/Execute",
    service: Service::DataSphere,
    mutates: true,
    role: DEVELOPER,
};

const CREATE_TOKEN: Declaration = Declaration {
    label: "IamTokenService.Create",
    path: "/yandex.cloud.iam.v1.IamTokenService/Create",
    service: Service::Iam,
    mutates: false,
    role: NONE,
};

const LIST_ENDPOINTS: Declaration = Declaration {
    label: "ApiEndpointService.List",
    path: "/yandex.cloud.endpoint.ApiEndpointService/List",
    service: Service::Endpoint,
    mutates: false,
    role: NONE,
};

impl Methods {
    pub(crate) fn new(instruments: &Instruments) -> Self {
        let method = |declaration| Method::new(declaration, instruments);
        Self {
            get_operation: method(&GET_OPERATION),
            cancel_operation: method(&CANCEL_OPERATION),
            get_job: method(&GET_JOB),
            list_jobs: method(&LIST_JOBS),
            cancel_job: method(&CANCEL_JOB),
            execute_job: method(&EXECUTE_JOB),
            get_project: method(&GET_PROJECT),
            list_projects: method(&LIST_PROJECTS),
            unit_balance: method(&UNIT_BALANCE),
            execute_notebook: method(&EXECUTE_NOTEBOOK),
            create_token: method(&CREATE_TOKEN),
            list_endpoints: method(&LIST_ENDPOINTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::FILE_DESCRIPTOR_SET;
    use prost::Message;
    use prost_types::FileDescriptorSet;

    #[test]
    fn every_path_and_label_names_a_declared_method() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("our own descriptors");
        let declared: Vec<(String, String)> = set
            .file
            .iter()
            .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
            .flat_map(|(package, service)| {
                service.method.iter().map(move |method| {
                    let label = format!("{}.{}", service.name(), method.name());
                    (format!("/{package}.{}/{}", service.name(), method.name()), label)
                })
            })
            .collect();
        let methods = Methods::new(&Instruments::new("test", "test", "test"));
        let all = [
            methods.get_operation,
            methods.cancel_operation,
            methods.get_job,
            methods.list_jobs,
            methods.cancel_job,
            methods.execute_job,
            methods.get_project,
            methods.list_projects,
            methods.unit_balance,
            methods.execute_notebook,
            methods.create_token,
            methods.list_endpoints,
        ];
        for method in all {
            let pair = (method.path.to_string(), method.label.to_owned());
            assert!(declared.contains(&pair), "{pair:?}");
        }
    }
}
