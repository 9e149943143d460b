//! Fresh proofs: somebody shows once more that it is them, for one yes to one question.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use stanch_model::{ApprovalId, Span};

use super::approvals::whole;
use super::types::{ErrorBody, ProofRequest, ProofView, ProviderProofRequest, ToProviderView};
use super::{Answer, Failures};
use crate::api::extract::{Body, Named, time};
use crate::auth::{Approver, Shows};
use crate::problem::Problem;

/// How old a proof for this question may be; the digest is that of the question as it stands.
///
/// # Errors
/// When there is no such question, it takes no proof, or something else was shown.
fn asked(approver: &Approver, id: ApprovalId, digest: &str) -> Result<Span, Problem> {
    whole(digest)?;
    let found = approver.books().read(|s| s.approvals.get(&id).map(|a| a.approval.clone()));
    let mend = "list them with GET /api/v1/approvals";
    let approval = found.ok_or_else(|| Problem::not_found(format!("there is no {id}"), mend))?;
    if !approval.digest().eq_ignore_ascii_case(digest) {
        return Err(Problem::conflict(format!("this is not {id} as it stands; look at it again")));
    }
    approval
        .fresh_within
        .ok_or_else(|| Problem::conflict(format!("{id} takes no fresh proof: say yes or no")))
}

/// Prove that it is you, for one yes to exactly what was shown
///
/// Holds from where it was given: this session, or this token together with the password. It is used up by the
/// next yes to this question, and a restart forgets it.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/proof", tag = "approvals", security(("person" = ["approver"])),
    params(("id" = String, Path, description = "For example APR-1")),
    request_body(content = ProofRequest, example = json!({ "digest": "0000000000000000000000000000000000000000000000000000000000000000", "password": "four words of it" })),
    responses((status = 200, description = "Proved", body = ProofView),
        (status = 409, description = "It takes no proof, or something else was shown", body = ErrorBody),
        (status = 429, description = "Too many wrong ones", body = ErrorBody), Failures))]
pub(super) async fn prove(
    approver: Approver,
    Named(id): Named<ApprovalId>,
    Body(given): Body<ProofRequest>,
) -> Answer<ProofView> {
    let within = asked(&approver, id, &given.digest)?;
    let shows = match (given.password, given.token) {
        (Some(password), None) => Shows::Password(password),
        (None, Some(token)) => Shows::Token(token),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::invalid("there is not one proof in it", "send `password` or `token`"));
        }
    };
    let proof = approver.prove(&given.digest.to_ascii_lowercase(), shows).await?;
    Ok(Json(ProofView { how: proof.how.word().to_owned(), until: time(proof.at.plus(within)) }))
}

/// Go to the provider to prove that it is you, for one yes to exactly what was shown
///
/// For browsers: open `to` in the same browser. The provider asks for a new sign-in, whatever session somebody has there,
/// and sends back to the question.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/proof/provider", tag = "approvals", security(("person" = ["approver"])),
    params(("id" = String, Path, description = "For example APR-1")),
    request_body(content = ProviderProofRequest, example = json!({ "digest": "0000000000000000000000000000000000000000000000000000000000000000" })),
    responses((status = 200, description = "Where to go", body = ToProviderView),
        (status = 409, description = "It takes no proof, or something else was shown", body = ErrorBody), Failures))]
pub(super) async fn to_provider(
    approver: Approver,
    Named(id): Named<ApprovalId>,
    Body(given): Body<ProviderProofRequest>,
) -> Result<Response, Problem> {
    asked(&approver, id, &given.digest)?;
    let (to, cookie) = approver.to_prove(id, &given.digest.to_ascii_lowercase()).await?;
    Ok(([(header::SET_COOKIE, cookie)], Json(ToProviderView { to })).into_response())
}
