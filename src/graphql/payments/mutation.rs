//! Mutations of payments.

use async_graphql::{Context, Object};

use super::inputs::{PaymentCaptureInput, PaymentCreateInput, PaymentVoidInput, RefundCreateInput};
use super::payloads::{PaymentCapturePayload, PaymentCreatePayload, PaymentVoidPayload, RefundCreatePayload};
use super::types::{Payment, Refund};
use crate::domain::context::Context as DomainContext;
use crate::domain::payments::capture::capture;
use crate::domain::payments::create::create;
use crate::domain::payments::find::{own_payment, own_refund};
use crate::domain::payments::refund::refund;
use crate::domain::payments::void::void;
use crate::domain::permission::Permission;
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::guard::Requires;
use crate::graphql::user_error::{UserError, refused};
use crate::kernel::error::Refusal;
use crate::kernel::id::PaymentId;

/// What was done, and what the gateway refused of it.
type Done<T> = (T, Option<Refusal>);

/// Both, for the payload: what the gateway refuses is there, and says why.
fn payload<T>(outcome: Result<Done<T>>) -> Result<(Option<T>, Vec<UserError>)> {
    let (done, mut user_errors) = refused(outcome)?;
    let Some((done, refusal)) = done else {
        return Ok((None, user_errors));
    };
    user_errors.extend(refusal.map(UserError::from));
    Ok((Some(done), user_errors))
}

async fn payment(ctx: &DomainContext, id: PaymentId) -> Result<Payment> {
    let (row, order) = own_payment(ctx, id).await?;
    Ok(Payment::new(row, order))
}

async fn created(
    ctx: &DomainContext,
    input: PaymentCreateInput,
    guest_token: Option<String>,
) -> Result<Done<Payment>> {
    let ((row, order), refusal) = create(ctx, &input.into_domain(guest_token)?).await?;
    Ok((Payment::new(row, order), refusal))
}

async fn captured(ctx: &DomainContext, input: PaymentCaptureInput) -> Result<Done<Payment>> {
    let command = input.into_domain()?;
    let refusal = capture(ctx, &command).await?;
    Ok((payment(ctx, command.payment).await?, refusal))
}

async fn voided(ctx: &DomainContext, input: PaymentVoidInput) -> Result<Done<Payment>> {
    let command = input.into_domain()?;
    let refusal = void(ctx, &command).await?;
    Ok((payment(ctx, command.payment).await?, refusal))
}

async fn refunded(ctx: &DomainContext, input: RefundCreateInput) -> Result<Done<(Refund, Payment)>> {
    let (id, refusal) = refund(ctx, &input.into_domain()?).await?;
    let (row, (payment, order)) = own_refund(ctx, id).await?;
    let refund = Refund::new(row, payment.clone());
    Ok(((refund, Payment::new(payment, order)), refusal))
}

#[derive(Debug, Default)]
pub struct PaymentsMutation;

#[Object]
impl PaymentsMutation {
    /// Pays an order, once for each `idempotencyKey`. What the buyer must do next is in `payment.action`; how it goes on is
    /// told by the order's events. One payment of an order is under way at a time: one that waits for its buyer gives way to a
    /// new one, any other stands in the way (TRANSITION_INVALID); and an order is paid once (else ALREADY_PAID). A gateway that
    /// does not answer leaves the payment PROCESSING: it is asked again until it is known what has come of it, and never
    /// charged a second time. Send the same again when the buyer is back from the gateway, or when no answer came in time
    /// (TIMEOUT): what was begun goes on, and the gateway is asked at once.
    async fn payment_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order, and how it is to be paid.")] input: PaymentCreateInput,
        #[graphql(desc = "The token of a guest's order, from `orderPlace`.")] guest_token: Option<String>,
    ) -> Result<PaymentCreatePayload> {
        let (payment, user_errors) = payload(created(ctx.domain()?, input, guest_token).await)?;
        Ok(PaymentCreatePayload { payment, user_errors })
    }

    /// Takes the money that an authorized payment promises, or says that the bank transfer of a MANUAL payment has arrived, be
    /// it after its order has expired: then the order is taken up again if its goods are still there, else the money goes back.
    /// Done once for each `idempotencyKey`; what is captured already stays so. Staff only.
    #[graphql(guard = "Requires(Permission::WritePayments)")]
    async fn payment_capture(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment, and how much.")] input: PaymentCaptureInput,
    ) -> Result<PaymentCapturePayload> {
        let (payment, user_errors) = payload(captured(ctx.domain()?, input).await)?;
        Ok(PaymentCapturePayload { payment, user_errors })
    }

    /// Gives up a payment that has taken nothing, so that its order can be paid anew. One that has confirmed its order is
    /// released by `orderCancel` alone (else TRANSITION_INVALID). One in REQUIRES_REVIEW is ended as soon as its gateway keeps
    /// nothing of it (else PAYMENT_DECLINED). What is voided already stays so. Staff only.
    #[graphql(guard = "Requires(Permission::WritePayments)")]
    async fn payment_void(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment.")] input: PaymentVoidInput,
    ) -> Result<PaymentVoidPayload> {
        let (payment, user_errors) = payload(voided(ctx.domain()?, input).await)?;
        Ok(PaymentVoidPayload { payment, user_errors })
    }

    /// Gives back money that a payment has taken, or a part of it, once for each `idempotencyKey`. What is on its way back
    /// counts as gone: no more goes back than was taken. Where the gateway gives nothing back by itself (MANUAL, and MPESA
    /// without the settings for it) it says that staff have paid it back by other means. Staff only.
    #[graphql(guard = "Requires(Permission::WritePayments)")]
    async fn refund_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment, and how much.")] input: RefundCreateInput,
    ) -> Result<RefundCreatePayload> {
        let (done, user_errors) = payload(refunded(ctx.domain()?, input).await)?;
        let (refund, payment) = done.unzip();
        Ok(RefundCreatePayload {
            refund,
            payment,
            user_errors,
        })
    }
}
