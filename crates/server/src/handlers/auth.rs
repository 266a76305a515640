//! Who asks, and what he may.

use super::State;
use crate::{
    api::{Role, Token},
    listen::Peer,
    problem::{AsJson, Problem},
    store::audit,
};
use axum::{
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use xenoboot_wire::MachineKey;

/// Longest token that is looked up, bytes.
const MAX_TOKEN: usize = 256;

/// Lets through those with a token that is good for what they ask; what they do is done in its name.
pub(crate) async fn operator(
    axum::extract::State(shared): State,
    mut request: Request,
    next: Next,
) -> Result<Response, AsJson> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    let token = match token.filter(|token| token.len() <= MAX_TOKEN) {
        Some(token) => shared.store.token(token).await?,
        None => None,
    };
    let Some(token) = token else {
        let problem =
            Problem::new(StatusCode::UNAUTHORIZED, "the token is not one of this server's");
        return Err(problem
            .hint("take the server's operator.toml anew: it is in its folder")
            .into());
    };
    let needed = needed(request.method(), request.uri().path());
    if token.role < needed {
        let error = format!("the token {} is a {}'s", token.name, token.role.word());
        let problem = Problem::new(StatusCode::FORBIDDEN, error);
        return Err(problem.hint(format!("this is for the role {}", needed.word())).into());
    }
    if let Some(peer) = request.extensions().get::<Peer>() {
        peer.trust();
    }
    let name = token.name.clone();
    request.extensions_mut().insert(token);
    Ok(audit::as_actor(name, next.run(request)).await)
}

/// Which role a request is for.
fn needed(method: &Method, path: &str) -> Role {
    // With the prefix of the whole API or without it.
    let path = path.trim_start_matches("/api/v1").trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    // How machines are switched has passwords and addresses in it; to switch one is an operator's.
    let settings = first == "machines" && path.trim_end_matches('/').ends_with("/power");
    if matches!(first, "tokens" | "sessions" | "webhooks")
        || (settings && matches!(*method, Method::PUT | Method::DELETE))
    {
        return Role::Admin;
    }
    if method == Method::GET || method == Method::HEAD { Role::Viewer } else { Role::Operator }
}

/// `GET whoami`.
#[utoipa::path(
    get,
    path = "/whoami",
    operation_id = "auth_whoami",
    responses((status = 200, description = "done", body = Token)),
)]
pub(crate) async fn whoami(axum::Extension(token): axum::Extension<Token>) -> axum::Json<Token> {
    axum::Json(token)
}

/// The machine that asks.
pub(crate) fn machine(peer: &Peer) -> Result<MachineKey, Problem> {
    peer.machine.ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "a machine shows its key in a client certificate")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_its_role() {
        assert_eq!(needed(&Method::GET, "/api/v1/machines"), Role::Viewer);
        assert_eq!(needed(&Method::POST, "/api/v1/assignments"), Role::Operator);
        assert_eq!(needed(&Method::PUT, "/policy"), Role::Operator);
        for path in
            ["/api/v1/tokens", "/tokens", "/api/v1/tokens/alice", "/api/v1//tokens", "/sessions"]
        {
            assert_eq!(needed(&Method::GET, path), Role::Admin, "{path}");
        }
        assert_eq!(needed(&Method::GET, "/api/v1/tokensx"), Role::Viewer);
        for (method, role) in [
            (Method::PUT, Role::Admin),
            (Method::POST, Role::Operator),
            (Method::GET, Role::Viewer),
        ] {
            assert_eq!(needed(&method, "/api/v1/machines/a/power"), role);
        }
    }
}
