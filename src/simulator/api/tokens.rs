//! `IamTokenService`.

use crate::proto::yandex::cloud::iam::v1::{
    CreateIamTokenForServiceAccountRequest, CreateIamTokenRequest, CreateIamTokenResponse,
    RevokeIamTokenRequest, RevokeIamTokenResponse, create_iam_token_request::Identity,
    iam_token_service_server::IamTokenService,
};
use crate::simulator::{api::Api, cloud::LiveCall, tokens::Verdict};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl IamTokenService for Api {
    async fn create(
        &self,
        request: Request<CreateIamTokenRequest>,
    ) -> Result<Response<CreateIamTokenResponse>, Status> {
        let call = self.cloud.admit(&request, &[]).await?;
        let tokens = &self.cloud.tokens;
        let subject = match request.into_inner().identity {
            Some(Identity::Jwt(jwt)) => tokens
                .exchange_jwt(&jwt, call.present.now, &call.authority)
                .map_err(Status::unauthenticated)?,
            Some(Identity::YandexPassportOauthToken(token)) if tokens.knows_oauth(&token) => {
                "ajesimulateduser0001".to_owned()
            }
            Some(Identity::YandexPassportOauthToken(_)) => {
                return Err(Status::unauthenticated("The OAuth token is unknown"));
            }
            None => return Err(Status::invalid_argument("One of the identities is required")),
        };
        Ok(Response::new(self.issued(&subject, &call)))
    }

    async fn create_for_service_account(
        &self,
        request: Request<CreateIamTokenForServiceAccountRequest>,
    ) -> Result<Response<CreateIamTokenResponse>, Status> {
        let id = &request.get_ref().service_account_id;
        let call = self.cloud.admit(&request, &[id]).await?;
        let bearer = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let token = bearer
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        if !matches!(
            self.cloud.tokens.check(token, call.present.now),
            Verdict::Valid(_)
        ) {
            return Err(Status::unauthenticated("The token is missing or invalid"));
        }
        if !self.cloud.tokens.knows_account(id) {
            return Err(Status::permission_denied(format!(
                "Permission denied to resource {id}"
            )));
        }
        Ok(Response::new(self.issued(id, &call)))
    }

    async fn revoke(
        &self,
        request: Request<RevokeIamTokenRequest>,
    ) -> Result<Response<RevokeIamTokenResponse>, Status> {
        let _call = self.cloud.admit(&request, &[]).await?;
        let subject = self.cloud.tokens.revoke(&request.get_ref().iam_token);
        let subject_id = subject.ok_or_else(|| Status::invalid_argument("The token is invalid"))?;
        Ok(Response::new(RevokeIamTokenResponse { subject_id }))
    }
}

impl Api {
    fn issued(&self, subject: &str, call: &LiveCall) -> CreateIamTokenResponse {
        let (iam_token, expires_at) = self.cloud.tokens.issue(subject, call.present.now);
        CreateIamTokenResponse {
            iam_token,
            expires_at: Some(call.present.stamp(expires_at)),
        }
    }
}
