//! How machines become known without an operator at the moment, and how their keys are replaced; for operators.

use super::{State, body, finish, machines::identify, names};
use crate::{
    api::{Approve, Expect, Import, Imported, Invitation, Invite, Invited, MachineDetails, Rotate},
    problem::{AsJson, Problem},
    store::Expected,
};
use axum::{Json, body::Body, extract::Path, http::StatusCode};
use ring::rand::{SecureRandom, SystemRandom};

type Answer<T> = Result<Json<T>, AsJson>;

/// Largest import, bytes: ten thousand machines with labels.
const MAX_IMPORT: usize = 8 << 20;

/// Longest that a token may be good, seconds.
const MAX_EXPIRES_S: u32 = 366 * 86_400;

/// Crockford's base 32: what people do not mix up.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a token: 80 bits.
const TOKEN: usize = 16;

fn expected(expect: Expect) -> Result<Expected, Problem> {
    names::check("machine", &expect.name)?;
    names::check("group", &expect.groups)?;
    names::check_labels(expect.labels.iter().flat_map(|(key, value)| [key, value]))?;
    let (key, fingerprint) = identify(&expect.key)?;
    let Expect { name, groups, labels, .. } = expect;
    Ok(Expected { key, fingerprint, approve: Approve { name, groups, labels } })
}

/// `POST machines`: approves a machine that was never seen.
#[utoipa::path(
    post,
    path = "/machines",
    operation_id = "enrolment_expect",
    request_body = Expect,
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn expect(
    axum::extract::State(shared): State,
    body: Body,
) -> Answer<MachineDetails> {
    let expected = expected(body::json(body).await?)?;
    let done = finish(async move {
        let ids: Vec<i64> =
            shared.store.expect(&[expected]).await?.into_iter().map(|(id, _)| id).collect();
        shared.hub.orders(&ids);
        let id = ids.first().copied().unwrap_or_default();
        Ok(shared.store.machine(id, &shared.hub).await?)
    });
    Ok(Json(done.await?))
}

/// `POST import`: many of them, all or none.
#[utoipa::path(
    post,
    path = "/import",
    operation_id = "enrolment_import",
    request_body = Import,
    responses((status = 200, description = "done", body = Imported)),
)]
pub(crate) async fn import(axum::extract::State(shared): State, body: Body) -> Answer<Imported> {
    let import: Import = body::json_of(body, MAX_IMPORT).await?;
    let machines: Vec<Expected> = import
        .machines
        .into_iter()
        .enumerate()
        .map(|(number, expect)| {
            expected(expect).map_err(|problem| {
                let error = format!("machine {}: {}", number + 1, problem.error);
                Problem { error, ..problem }
            })
        })
        .collect::<Result<_, _>>()?;
    let done = finish(async move {
        let (ids, names): (Vec<i64>, Vec<String>) =
            shared.store.expect(&machines).await?.into_iter().unzip();
        shared.hub.orders(&ids);
        Ok(Imported { names })
    });
    Ok(Json(done.await?))
}

/// `POST invitations`.
#[utoipa::path(
    post,
    path = "/invitations",
    operation_id = "enrolment_invite",
    request_body = Invite,
    responses((status = 200, description = "done", body = Invited)),
)]
pub(crate) async fn invite(axum::extract::State(shared): State, body: Body) -> Answer<Invited> {
    let invite: Invite = body::json(body).await?;
    names::check("machine", &invite.name)?;
    names::check("group", &invite.groups)?;
    names::check_labels(invite.labels.iter().flat_map(|(key, value)| [key, value]))?;
    if !(1..=MAX_EXPIRES_S).contains(&invite.expires_s) {
        return Err(Problem::bad("a token is good for one second to a year").into());
    }
    let mut bytes = [0; TOKEN];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the system gives no random bytes")
    })?;
    let symbol = |b: &u8| ALPHABET.get(usize::from(b % 32)).copied().map(char::from);
    let token: String = bytes.iter().filter_map(symbol).collect();
    let done = finish(async move {
        let invitation = shared.store.invite(&invite, &token).await?;
        Ok(Invited { token, invitation })
    });
    Ok(Json(done.await?))
}

/// `GET invitations`.
#[utoipa::path(
    get,
    path = "/invitations",
    operation_id = "enrolment_invitations",
    responses((status = 200, description = "done", body = Vec<Invitation>)),
)]
pub(crate) async fn invitations(axum::extract::State(shared): State) -> Answer<Vec<Invitation>> {
    Ok(Json(shared.store.invitations().await?))
}

/// `DELETE invitations/ID`.
#[utoipa::path(
    delete,
    path = "/invitations/{id}",
    operation_id = "enrolment_disinvite",
    params(("id" = String, Path, description = "as the list has it")),
    responses((status = 204, description = "done")),
)]
pub(crate) async fn disinvite(
    axum::extract::State(shared): State,
    Path(id): Path<String>,
) -> Result<StatusCode, AsJson> {
    finish(async move { Ok(shared.store.disinvite(&id).await?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST machines/MACHINE/revoke`.
#[utoipa::path(
    post,
    path = "/machines/{machine}/revoke",
    operation_id = "enrolment_revoke",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn revoke(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
) -> Answer<MachineDetails> {
    let changed = finish(async move {
        let id = shared.store.revoke(&machine).await?;
        shared.hub.orders(&[id]);
        Ok(shared.store.machine(id, &shared.hub).await?)
    });
    Ok(Json(changed.await?))
}

/// `POST machines/MACHINE/rotate`.
#[utoipa::path(
    post,
    path = "/machines/{machine}/rotate",
    operation_id = "enrolment_rotate",
    params(("machine" = String, Path, description = "its name, key or fingerprint, or the beginning of the last two")),
    request_body = Rotate,
    responses((status = 200, description = "done", body = MachineDetails)),
)]
pub(crate) async fn rotate(
    axum::extract::State(shared): State,
    Path(machine): Path<String>,
    body: Body,
) -> Answer<MachineDetails> {
    let rotate: Rotate = body::json(body).await?;
    let (key, fingerprint) = identify(&rotate.key)?;
    let changed = finish(async move {
        let id = shared.store.rotate(&machine, key, &fingerprint, rotate.now).await?;
        shared.hub.orders(&[id]);
        Ok(shared.store.machine(id, &shared.hub).await?)
    });
    Ok(Json(changed.await?))
}
