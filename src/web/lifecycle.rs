//! Having the exporter reload its configuration, or end: where Prometheus has the same.

use crate::web::guard;
use crate::web::problem::Problem;
use crate::web::routes::Shared;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::Arc;

const RELOAD: &str = "/-/reload";
const QUIT: &str = "/-/quit";

/// Both calls, which only `--web.enable-lifecycle` lets happen.
pub(super) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .route(RELOAD, post(reload).put(reload))
        .route(QUIT, post(quit).put(quit))
        .route_layer(from_fn_with_state(Arc::clone(shared), guard::watched))
}

/// Whether a path is of one of them.
pub(super) fn is_at(path: &str) -> bool {
    [RELOAD, QUIT].contains(&path)
}

async fn reload(State(shared): State<Arc<Shared>>) -> Response {
    match shared.context.lifecycle.reload().await {
        Ok(()) => "The configuration was reloaded.\n".into_response(),
        Err(error) => {
            let detail =
                format!("the configuration was not reloaded, the one before stays in effect: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
    }
}

async fn quit(State(shared): State<Arc<Shared>>) -> &'static str {
    shared.context.lifecycle.quit();
    "The exporter ends.\n"
}
