//! The methods of the cloud that are known here: by name in the metrics, and those whose answers tell something.

use http::Method as Verb;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A known method of the cloud.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// The path of its gRPC calls.
    path: &'static str,
    /// The value of the label `method`.
    pub(crate) label: &'static str,
    /// What its answer is to us.
    pub(crate) role: Role,
    /// Its HTTP binding: a verb and a path in which `{}` stands for an id; empty for a method without one.
    binding: &'static str,
}

/// What the answer of a method is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// An operation that the call began.
    Begins,
    /// An operation that makes a job, which a later call executes.
    MakesJob,
    /// An operation that was there before.
    Looks,
    /// All addresses of the cloud.
    TellsAddresses,
    /// One address of the cloud.
    TellsAddress,
    /// Nothing.
    Plain,
    /// An operation, if it looks like one: of methods that are not known here.
    Unknown,
}

/// The label of all methods that are not known: paths of strangers must not become series.
pub(crate) const OTHER: &str = "other";

impl Method {
    /// The method of a gRPC path.
    pub(crate) fn of_grpc(path: &str) -> Option<&'static Self> {
        BY_PATH.get(path).copied()
    }

    /// The method of an HTTP request.
    pub(crate) fn of_http(verb: &Verb, path: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.is_bound_to(verb, path))
    }

    fn is_bound_to(&self, verb: &Verb, path: &str) -> bool {
        let Some((bound_verb, bound_path)) = self.binding.split_once(' ') else {
            return false;
        };
        // A cancellation is GET in the protocol and POST in the documentation: both are in use.
        let fits = match bound_verb {
            "ANY" => matches!(*verb, Verb::GET | Verb::POST),
            bound_verb => bound_verb == verb.as_str(),
        };
        fits && fits_path(bound_path, path)
    }
}

impl Role {
    /// Whether the answer is an operation, or may be one.
    pub(crate) fn is_heard(self) -> bool {
        matches!(self, Self::Begins | Self::MakesJob | Self::Looks | Self::Unknown)
    }
}

fn fits_path(bound: &str, path: &str) -> bool {
    let (mut bound, mut path) = (bound.split('/'), path.split('/'));
    loop {
        match (bound.next(), path.next()) {
            (None, None) => return true,
            (Some(bound), Some(part)) if fits_part(bound, part) => {}
            _ => return false,
        }
    }
}

fn fits_part(bound: &str, part: &str) -> bool {
    let Some(action) = bound.strip_prefix("{}") else {
        return bound == part;
    };
    let id = part.strip_suffix(action).unwrap_or_default();
    !id.is_empty() && !id.contains(':')
}

static BY_PATH: LazyLock<HashMap<&'static str, &'static Method>> =
    LazyLock::new(|| METHODS.iter().map(|method| (method.path, method)).collect());

const fn method(path: &'static str, label: &'static str, role: Role, binding: &'static str) -> Method {
    Method {
        path,
        label,
        role,
        binding,
    }
}

/// All methods of the services that an SDK for `DataSphere` calls, from the official protocol files.
#[rustfmt::skip]
static METHODS: [Method; 62] = [
    method("/yandex.cloud.datasphere.v1.NodeService/Execute", "v1.NodeService.Execute", Role::Plain, "POST /datasphere/v1/nodes/{}:execute"),
    method("/yandex.cloud.datasphere.v1.NodeService/ExecuteAlias", "v1.NodeService.ExecuteAlias", Role::Plain, "POST /datasphere/v1/aliases/{}:execute"),
    method("/yandex.cloud.datasphere.v1.ProjectService/Create", "v1.ProjectService.Create", Role::Begins, "POST /datasphere/v1/projects"),
    method("/yandex.cloud.datasphere.v1.ProjectService/Update", "v1.ProjectService.Update", Role::Begins, "PATCH /datasphere/v1/projects/{}"),
    method("/yandex.cloud.datasphere.v1.ProjectService/Delete", "v1.ProjectService.Delete", Role::Begins, "DELETE /datasphere/v1/projects/{}"),
    method("/yandex.cloud.datasphere.v1.ProjectService/Open", "v1.ProjectService.Open", Role::Begins, "POST /datasphere/v1/projects/{}:open"),
    method("/yandex.cloud.datasphere.v1.ProjectService/Get", "v1.ProjectService.Get", Role::Plain, "GET /datasphere/v1/projects/{}"),
    method("/yandex.cloud.datasphere.v1.ProjectService/List", "v1.ProjectService.List", Role::Plain, "GET /datasphere/v1/projects"),
    method("/yandex.cloud.datasphere.v1.ProjectService/GetUnitBalance", "v1.ProjectService.GetUnitBalance", Role::Plain, "GET /datasphere/v1/projects/{}:unitBalance"),
    method("/yandex.cloud.datasphere.v1.ProjectService/SetUnitBalance", "v1.ProjectService.SetUnitBalance", Role::Plain, "POST /datasphere/v1/projects/{}:unitBalance"),
    method("/yandex.cloud.datasphere.v1.ProjectService/Execute", "v1.ProjectService.Execute", Role::Begins, "POST /datasphere/v1/projects/{}:execute"),
    method("/yandex.cloud.datasphere.v2.CommunityService/Create", "CommunityService.Create", Role::Begins, "POST /datasphere/v2/communities"),
    method("/yandex.cloud.datasphere.v2.CommunityService/Get", "CommunityService.Get", Role::Plain, "GET /datasphere/v2/communities/{}"),
    method("/yandex.cloud.datasphere.v2.CommunityService/Update", "CommunityService.Update", Role::Begins, "PATCH /datasphere/v2/communities/{}"),
    method("/yandex.cloud.datasphere.v2.CommunityService/Delete", "CommunityService.Delete", Role::Begins, "DELETE /datasphere/v2/communities/{}"),
    method("/yandex.cloud.datasphere.v2.CommunityService/List", "CommunityService.List", Role::Plain, "GET /datasphere/v2/communities"),
    method("/yandex.cloud.datasphere.v2.CommunityService/ListAccessBindings", "CommunityService.ListAccessBindings", Role::Plain, "GET /datasphere/v2/communities/{}:accessBindings"),
    method("/yandex.cloud.datasphere.v2.CommunityService/SetAccessBindings", "CommunityService.SetAccessBindings", Role::Begins, "POST /datasphere/v2/communities/{}:setAccessBindings"),
    method("/yandex.cloud.datasphere.v2.CommunityService/UpdateAccessBindings", "CommunityService.UpdateAccessBindings", Role::Begins, "PATCH /datasphere/v2/communities/{}:updateAccessBindings"),
    method("/yandex.cloud.datasphere.v2.CommunityService/AddResource", "CommunityService.AddResource", Role::Begins, "POST /datasphere/v2/communities/{}:addResource"),
    method("/yandex.cloud.datasphere.v2.CommunityService/RemoveResource", "CommunityService.RemoveResource", Role::Begins, "POST /datasphere/v2/communities/{}:removeResource"),
    method("/yandex.cloud.datasphere.v2.CommunityService/GetRestrictionsMeta", "CommunityService.GetRestrictionsMeta", Role::Plain, "GET /datasphere/v2/communities/restrictionsMeta"),
    method("/yandex.cloud.datasphere.v2.CommunityService/GetRestrictions", "CommunityService.GetRestrictions", Role::Plain, "GET /datasphere/v2/communities/{}:restrictions"),
    method("/yandex.cloud.datasphere.v2.CommunityService/SetRestrictions", "CommunityService.SetRestrictions", Role::Begins, "POST /datasphere/v2/communities/{}:setRestrictions"),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Create", "ProjectJobService.Create", Role::MakesJob, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Clone", "ProjectJobService.Clone", Role::MakesJob, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Execute", "ProjectJobService.Execute", Role::Begins, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Cancel", "ProjectJobService.Cancel", Role::Plain, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/ReadStdLogs", "ProjectJobService.ReadStdLogs", Role::Plain, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/ReadLogs", "ProjectJobService.ReadLogs", Role::Plain, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/DownloadJobFiles", "ProjectJobService.DownloadJobFiles", Role::Plain, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/List", "ProjectJobService.List", Role::Plain, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Get", "ProjectJobService.Get", Role::Plain, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Delete", "ProjectJobService.Delete", Role::Begins, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/DeleteData", "ProjectJobService.DeleteData", Role::Begins, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/DeleteAllData", "ProjectJobService.DeleteAllData", Role::Begins, ""),
    method("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/SetDataTtl", "ProjectJobService.SetDataTtl", Role::Plain, ""),
    method("/yandex.cloud.datasphere.v2.ProjectService/Create", "ProjectService.Create", Role::Begins, "POST /datasphere/v2/projects"),
    method("/yandex.cloud.datasphere.v2.ProjectService/Update", "ProjectService.Update", Role::Begins, "PATCH /datasphere/v2/projects/{}"),
    method("/yandex.cloud.datasphere.v2.ProjectService/Delete", "ProjectService.Delete", Role::Begins, "DELETE /datasphere/v2/projects/{}"),
    method("/yandex.cloud.datasphere.v2.ProjectService/Open", "ProjectService.Open", Role::Begins, "POST /datasphere/v2/projects/{}/open"),
    method("/yandex.cloud.datasphere.v2.ProjectService/Get", "ProjectService.Get", Role::Plain, "GET /datasphere/v2/projects/{}"),
    method("/yandex.cloud.datasphere.v2.ProjectService/List", "ProjectService.List", Role::Plain, "GET /datasphere/v2/projects"),
    method("/yandex.cloud.datasphere.v2.ProjectService/GetUnitBalance", "ProjectService.GetUnitBalance", Role::Plain, "GET /datasphere/v2/projects/{}:unitBalance"),
    method("/yandex.cloud.datasphere.v2.ProjectService/SetUnitBalance", "ProjectService.SetUnitBalance", Role::Begins, "POST /datasphere/v2/projects/{}:unitBalance"),
    method("/yandex.cloud.datasphere.v2.ProjectService/Execute", "ProjectService.Execute", Role::Begins, "POST /datasphere/v2/projects/{}:execute"),
    method("/yandex.cloud.datasphere.v2.ProjectService/ListAccessBindings", "ProjectService.ListAccessBindings", Role::Plain, "GET /datasphere/v2/projects/{}:accessBindings"),
    method("/yandex.cloud.datasphere.v2.ProjectService/SetAccessBindings", "ProjectService.SetAccessBindings", Role::Begins, "POST /datasphere/v2/projects/{}:setAccessBindings"),
    method("/yandex.cloud.datasphere.v2.ProjectService/UpdateAccessBindings", "ProjectService.UpdateAccessBindings", Role::Begins, "PATCH /datasphere/v2/projects/{}:updateAccessBindings"),
    method("/yandex.cloud.datasphere.v2.ProjectService/AddResource", "ProjectService.AddResource", Role::Begins, "POST /datasphere/v2/projects/{}:addResource"),
    method("/yandex.cloud.datasphere.v2.ProjectService/RemoveResource", "ProjectService.RemoveResource", Role::Begins, "POST /datasphere/v2/projects/{}:removeResource"),
    method("/yandex.cloud.datasphere.v2.ProjectService/ResizeDisk", "ProjectService.ResizeDisk", Role::Begins, ""),
    method("/yandex.cloud.datasphere.v2.ProjectService/GetRestrictionsMeta", "ProjectService.GetRestrictionsMeta", Role::Plain, "GET /datasphere/v2/projects/restrictionsMeta"),
    method("/yandex.cloud.datasphere.v2.ProjectService/GetRestrictions", "ProjectService.GetRestrictions", Role::Plain, "GET /datasphere/v2/projects/{}:restrictions"),
    method("/yandex.cloud.datasphere.v2.ProjectService/SetRestrictions", "ProjectService.SetRestrictions", Role::Begins, "POST /datasphere/v2/projects/{}:setRestrictions"),
    method("/yandex.cloud.endpoint.ApiEndpointService/Get", "ApiEndpointService.Get", Role::TellsAddress, "GET /endpoints/{}"),
    method("/yandex.cloud.endpoint.ApiEndpointService/List", "ApiEndpointService.List", Role::TellsAddresses, "GET /endpoints"),
    method("/yandex.cloud.iam.v1.IamTokenService/Create", "IamTokenService.Create", Role::Plain, "POST /iam/v1/tokens"),
    method("/yandex.cloud.iam.v1.IamTokenService/CreateForServiceAccount", "IamTokenService.CreateForServiceAccount", Role::Plain, "POST /iam/v1/tokens:createForServiceAccount"),
    method("/yandex.cloud.iam.v1.IamTokenService/Revoke", "IamTokenService.Revoke", Role::Plain, "POST /iam/v1/tokens:revoke"),
    method("/yandex.cloud.operation.OperationService/Get", "OperationService.Get", Role::Looks, "GET /operations/{}"),
    method("/yandex.cloud.operation.OperationService/Cancel", "OperationService.Cancel", Role::Looks, "ANY /operations/{}:cancel"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn label(verb: &Verb, path: &str) -> Option<&'static str> {
        Method::of_http(verb, path).map(|method| method.label)
    }

    #[test]
    fn a_method_is_known_by_its_path_and_by_its_binding() {
        let execute = Method::of_grpc("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Execute");
        assert_eq!(
            execute.map(|method| method.label),
            Some("ProjectJobService.Execute")
        );
        assert_eq!(
            Method::of_grpc("/yandex.cloud.datasphere.v2.jobs.ProjectJobService/Execute2"),
            None
        );
        let projects = "/datasphere/v2/projects";
        assert_eq!(label(&Verb::GET, projects), Some("ProjectService.List"));
        assert_eq!(
            label(&Verb::GET, &format!("{projects}/bt1")),
            Some("ProjectService.Get")
        );
        assert_eq!(
            label(&Verb::POST, &format!("{projects}/bt1:execute")),
            Some("ProjectService.Execute")
        );
        assert_eq!(label(&Verb::POST, &format!("{projects}/:execute")), None);
        assert_eq!(label(&Verb::PUT, projects), None);
    }

    #[test]
    fn a_cancellation_over_http_is_known_with_both_verbs_in_use() {
        for verb in [Verb::GET, Verb::POST] {
            assert_eq!(
                label(&verb, "/operations/bt1:cancel"),
                Some("OperationService.Cancel")
            );
        }
        assert_eq!(label(&Verb::GET, "/operations/bt1"), Some("OperationService.Get"));
    }
}
