//! The description of the API (OpenAPI 3.1), collected from the handlers.

use crate::api::{Change, Failed};
use utoipa::{
    OpenApi,
    openapi::{
        self, Content, Ref, RefOr, Response, Server,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// What is not said at any handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Xenoboot",
        description = "The operator's API of the central server. Each request has a token: `Authorization: Bearer TOKEN`."
    ),
    components(schemas(Failed, Change)),
    security(("token" = []))
)]
struct Base;

/// What the handlers' description is added to.
pub(crate) fn base() -> openapi::OpenApi {
    Base::openapi()
}

/// Completes the description: where the API is, who may use it, and how each request may fail.
pub(crate) fn finish(mut api: openapi::OpenApi) -> String {
    api.servers = Some(vec![Server::new("/api/v1")]);
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    if let Some(components) = &mut api.components {
        components.add_security_scheme("token", RefOr::T(SecurityScheme::Http(token)));
    }
    for item in api.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        operations.into_iter().flatten().for_each(may_fail);
    }
    // Text, numbers and lists of them: nothing of this can fail.
    api.to_json().unwrap_or_default()
}

fn may_fail(operation: &mut Operation) {
    let mut failed = Response::new("it failed; what went wrong, and what to do");
    let content = Content::new(Some(Ref::from_schema_name("Failed")));
    failed.content.insert("application/json".to_owned(), RefOr::T(content));
    operation.responses.responses.insert("default".to_owned(), RefOr::T(failed));
}
