//! Outlets that are switched by asking for a URL.

use super::{OFF, PowerError, redfish::basic};
use crate::{
    api::{PowerAct, PowerDriver},
    outgoing,
};
use http_body_util::Full;
use hyper::{Request, header};
use tokio::time::sleep;

pub(super) async fn switch(
    driver: &PowerDriver,
    act: PowerAct,
) -> Result<Option<bool>, PowerError> {
    let PowerDriver::Outlet { on, off, status, is_on, user, password, pin } = driver else {
        return Err(PowerError::Refused("not an outlet".to_owned()));
    };
    let secret = user.as_ref().map(|user| basic(user, password.as_deref().unwrap_or_default()));
    let pin = pin.as_ref().map(|pin| pin.parse()).transpose();
    let pin = pin.map_err(|_| PowerError::Refused("the pin is not `sha256//…`".to_owned()))?;
    let ask = async |url: &str| {
        let mut request = Request::get(url);
        if let Some(secret) = &secret {
            request = request.header(header::AUTHORIZATION, secret);
        }
        let request = request.body(Full::default());
        let request = request.map_err(|_| PowerError::Refused("not a URL".to_owned()))?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answer = outgoing::ask(request, pin).await;
        let unreachable =
            |why: outgoing::Error| PowerError::Unreachable { address: host, why: why.to_string() };
        let answer = answer.map_err(unreachable)?;
        if !answer.status.is_success() {
            return Err(PowerError::Refused(format!("the outlet says {}", answer.status)));
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    };
    match act {
        PowerAct::On => drop(ask(on).await?),
        PowerAct::Off => drop(ask(off).await?),
        PowerAct::Cycle => {
            ask(off).await?;
            sleep(OFF).await;
            ask(on).await?;
        }
        PowerAct::Status => {}
    }
    match (status, is_on) {
        (Some(status), Some(is_on)) => Ok(Some(ask(status).await?.contains(is_on.as_str()))),
        _ => Ok(None),
    }
}
