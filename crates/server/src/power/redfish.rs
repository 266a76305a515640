//! Redfish (DMTF DSP0266): as little of it as switching needs, so that old and odd controllers do.

use super::PowerError;
use crate::{
    api::PowerAct,
    outgoing::{self, Answer},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use xenoboot_wire::Pin;

/// Longest error of a controller's that is shown, characters.
const WORDS: usize = 200;

/// A management controller.
pub(super) struct Server {
    url: String,
    secret: String,
    pin: Option<Pin>,
}

/// HTTP Basic (RFC 7617).
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl Server {
    pub(super) fn new(
        url: &str,
        user: &str,
        password: &str,
        pin: Option<&str>,
    ) -> Result<Self, PowerError> {
        let pin = pin.map(str::parse).transpose();
        let pin = pin.map_err(|_| PowerError::Refused("the pin is not `sha256//…`".to_owned()))?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, secret: basic(user, password), pin })
    }

    pub(super) async fn switch(
        &self,
        system: Option<&str>,
        act: PowerAct,
    ) -> Result<Option<bool>, PowerError> {
        let path = match system {
            Some(id) => format!("/redfish/v1/Systems/{id}"),
            None => self.only_system().await?,
        };
        let state = self.get(&path).await?;
        let on = is_on(&state);
        let kinds = match act {
            PowerAct::Status => return Ok(on),
            PowerAct::On => &["On"][..],
            PowerAct::Off => &["ForceOff", "GracefulShutdown"],
            // Some controllers refuse to restart what is off.
            PowerAct::Cycle if on == Some(false) => &["On"],
            PowerAct::Cycle => &["ForceRestart", "PowerCycle", "GracefulRestart"],
        };
        let reset = state.pointer("/Actions/#ComputerSystem.Reset").unwrap_or(&Value::Null);
        let allowed = reset.get("ResetType@Redfish.AllowableValues").and_then(Value::as_array);
        let may = |kind: &&&str| {
            allowed.is_none_or(|allowed| allowed.iter().any(|value| value.as_str() == Some(kind)))
        };
        let kind = kinds.iter().find(may).or(kinds.first()).copied().unwrap_or("On");
        let fallback = format!("{path}/Actions/ComputerSystem.Reset");
        let target = reset.get("target").and_then(Value::as_str).unwrap_or(&fallback);
        self.ask(Method::POST, target, &json!({ "ResetType": kind })).await?;
        Ok(is_on(&self.get(&path).await?))
    }

    async fn only_system(&self) -> Result<String, PowerError> {
        let list = self.get("/redfish/v1/Systems").await?;
        let members = list.get("Members").and_then(Value::as_array).cloned().unwrap_or_default();
        let path = |member: &Value| member.get("@odata.id")?.as_str().map(str::to_owned);
        match &members[..] {
            [one] => path(one).ok_or_else(|| PowerError::Refused("its system has no path".into())),
            [] => Err(PowerError::Refused("the controller has no system".to_owned())),
            many => {
                let ids = many.iter().filter_map(path);
                let ids: Vec<String> =
                    ids.filter_map(|path| Some(path.rsplit('/').next()?.to_owned())).collect();
                let error = format!(
                    "the controller has several systems; `system` names one: {}",
                    ids.join(", ")
                );
                Err(PowerError::Refused(error))
            }
        }
    }

    async fn get(&self, path: &str) -> Result<Value, PowerError> {
        let answer = self.ask(Method::GET, path, &Value::Null).await?;
        let bad = |_| PowerError::Refused(format!("{path} is not JSON"));
        serde_json::from_slice(&answer.body).map_err(bad)
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Answer, PowerError> {
        if !path.starts_with('/') {
            return Err(PowerError::Refused("the controller names a path that is none".to_owned()));
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request.header(header::AUTHORIZATION, &self.secret);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::ACCEPT, "application/json").body(Full::new(body));
        let request = request.map_err(|_| PowerError::Refused("not a URL".to_owned()))?;
        let unreachable = |why: outgoing::Error| PowerError::Unreachable {
            address: self.url.clone(),
            why: why.to_string(),
        };
        let answer = outgoing::ask(request, self.pin).await.map_err(unreachable)?;
        match answer.status {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(PowerError::Refused("the controller does not take user and password".into()))
            }
            status => {
                let said: String =
                    String::from_utf8_lossy(&answer.body).chars().take(WORDS).collect();
                Err(PowerError::Refused(format!("the controller says {status} to {path}: {said}")))
            }
        }
    }
}

fn is_on(system: &Value) -> Option<bool> {
    match system.get("PowerState")?.as_str()? {
        "On" | "PoweringOn" => Some(true),
        "Off" | "PoweringOff" => Some(false),
        _ => None,
    }
}
