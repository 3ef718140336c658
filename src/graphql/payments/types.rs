//! A payment and its refunds as clients see them.

use std::sync::Arc;

use async_graphql::resolver_utils::enum_value;
use async_graphql::{Context, Enum, ID, Object, SimpleObject, Union};

use crate::domain::payments::hand::{currency, next_action};
use crate::domain::permission::Permission;
use crate::entity::{payment, refund, shop_order};
use crate::graphql::context::ContextExt as _;
use crate::graphql::error::Result;
use crate::graphql::list::List;
use crate::graphql::loaders::RefundsByPayment;
use crate::graphql::money::Money;
use crate::graphql::orders::Order;
use crate::graphql::scalars::{CurrencyCode, DateTime, Url};
use crate::graphql::told::{Asked, Tell, Text, Told};
use crate::infra::gateways::Action;
use crate::kernel::error::Error;
use crate::kernel::money;

/// Who takes the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::payment::PaymentGatewayName")]
pub enum PaymentGatewayName {
    /// Cards and wallets, by Stripe's Payment Element in the shop's own page: `action` is a ClientSecretAction for it.
    Stripe,
    /// PayPal accounts, on PayPal's page: `action` is a RedirectAction.
    Paypal,
    /// Mobile money of Safaricom, in Kenyan shillings: `phone` is asked for the PIN, `action` is a PhonePromptAction.
    Mpesa,
    /// By hand: CHARGE is a bank transfer, which staff capture when it has arrived; AUTHORIZE is cash on delivery.
    Manual,
    /// Takes no money, and does as `testOutcome` says. Not in production.
    Test,
}

/// When the money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::payment::PaymentFlow")]
pub enum PaymentFlow {
    /// At once.
    Charge,
    /// It is promised at once, and taken when staff capture it.
    Authorize,
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::payment::PaymentStatus")]
pub enum PaymentStatus {
    /// The buyer must do what `action` says.
    RequiresAction,
    /// It is not known yet what will come of it.
    Processing,
    /// The money is promised.
    Authorized,
    /// The money was taken: `capturedAmount`. What of it was not captured is released.
    Captured,
    /// A part of the money went back.
    PartiallyRefunded,
    /// All of the money went back.
    Refunded,
    /// It was declined, or never came about: see `failureCode`. The order can be paid anew.
    Failed,
    /// It was given up before anything was taken. The order can be paid anew.
    Voided,
    /// The buyer did not do what he had to in time. The order can be paid anew.
    Expired,
    /// Something does not add up, such as an amount that was not asked for. Staff look at it, put it right at the gateway, and
    /// end it by `paymentVoid`, or by `refundCreate` when something was captured.
    RequiresReview,
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::refund::RefundStatus")]
pub enum RefundStatus {
    /// The gateway has been asked, or is about to be.
    Pending,
    /// The money has gone back.
    Succeeded,
    /// The gateway refused: nothing has gone back.
    Failed,
}

/// What the gateway TEST does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::entity::payment::TestOutcome")]
pub enum TestOutcome {
    /// It takes or promises the money at once.
    Succeed,
    /// It sends the buyer to a page with a button, and takes or promises the money when it is pressed.
    RequireAction,
    /// It declines, with `card_declined`.
    Decline,
    /// It does not answer; seconds later it turns out that it has taken or promised the money.
    TimeoutThenSucceed,
}

/// A way to pay.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(cache_control(max_age = 60))]
pub struct PaymentGateway {
    /// What `paymentCreate` calls it.
    pub(in crate::graphql) name: PaymentGatewayName,
    /// What to call it before buyers.
    pub(in crate::graphql) display_name: &'static str,
    /// The currencies that the shop sells in and it takes.
    pub(in crate::graphql) currencies: Vec<CurrencyCode>,
    /// When it can take the money.
    pub(in crate::graphql) flows: Vec<PaymentFlow>,
}

/// What a buyer must do next.
#[derive(Clone, Debug, Union)]
pub(crate) enum PaymentAction {
    Redirect(RedirectAction),
    ClientSecret(ClientSecretAction),
    PhonePrompt(PhonePromptAction),
}

/// Go to a page of the gateway's, which leads back to `returnUrl`.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct RedirectAction {
    /// Where the page is.
    url: Url,
}

/// Finish the payment by the gateway's own library in the browser.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ClientSecretAction {
    /// What the library is to be given. For this buyer alone.
    client_secret: String,
    /// The shop's public name at the gateway, for the library.
    publishable_key: String,
}

/// Agree to the payment on the telephone.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PhonePromptAction {
    /// The telephone that was asked, all but its last digits masked.
    phone: String,
    /// When it is too late to agree.
    expires_at: DateTime,
}

impl TryFrom<Action> for PaymentAction {
    type Error = Error;

    fn try_from(action: Action) -> Result<Self, Error> {
        Ok(match action {
            Action::Redirect { url } => Self::Redirect(RedirectAction {
                url: Url(url.parse().map_err(Error::internal)?),
            }),
            Action::ClientSecret {
                client_secret,
                publishable_key,
            } => Self::ClientSecret(ClientSecretAction {
                client_secret,
                publishable_key,
            }),
            Action::PhonePrompt { phone, expires_at } => Self::PhonePrompt(PhonePromptAction {
                phone,
                expires_at: DateTime(expires_at),
            }),
        })
    }
}

/// A payment, around its row and that of its order, which says who may see it.
#[derive(Clone, Debug)]
pub struct Payment {
    row: Arc<payment::Model>,
    order: Arc<shop_order::Model>,
}

impl Payment {
    pub fn new(row: Arc<payment::Model>, order: Arc<shop_order::Model>) -> Self {
        Self { row, order }
    }

    fn money(&self, minor: i64) -> Result<Money> {
        Ok(money::Money::new(minor, currency(&self.row)?).into())
    }
}

impl Tell for Payment {
    fn tell(&self, field: &str, asked: &Asked<'_>, text: &mut Text) -> Option<()> {
        let row = self.row.as_ref();
        let money = |minor| self.money(minor).ok();
        match field {
            "id" => text.shown(row.id),
            "gateway" => text.value(&enum_value(PaymentGatewayName::from(row.gateway))),
            "status" => text.value(&enum_value(PaymentStatus::from(row.status))),
            "amount" => text.object(asked, &money(row.amount)?),
            "authorizedAmount" => text.object(asked, &money(row.authorized)?),
            "capturedAmount" => text.object(asked, &money(row.captured)?),
            "refundedAmount" => text.object(asked, &money(row.refunded)?),
            "failureCode" => text.optional(row.failure_code.as_deref()),
            "failureMessage" => text.optional(row.failure_message.as_deref()),
            _ => None,
        }
    }
}

/// A try to pay an order. It may fail; then there may be another one.
#[Object]
impl Payment {
    /// Identifies the payment for good, e.g. `payment_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// Who takes the money.
    async fn gateway(&self) -> PaymentGatewayName {
        self.row.gateway.into()
    }

    /// How far it has come.
    async fn status(&self) -> PaymentStatus {
        self.row.status.into()
    }

    /// What is to be paid: the order's total, rounded up where the gateway takes whole units alone (MPESA: whole shillings).
    async fn amount(&self) -> Result<Told<Money>> {
        self.money(self.row.amount).map(Told)
    }

    /// What is promised and can be captured; zero once it was captured or released.
    async fn authorized_amount(&self) -> Result<Told<Money>> {
        self.money(self.row.authorized).map(Told)
    }

    /// What was taken in all, also what went back of it since.
    async fn captured_amount(&self) -> Result<Told<Money>> {
        self.money(self.row.captured).map(Told)
    }

    /// What has gone back. What is on its way back is not counted.
    async fn refunded_amount(&self) -> Result<Told<Money>> {
        self.money(self.row.refunded).map(Told)
    }

    /// What the buyer must do next; null when there is nothing. A ClientSecretAction is for the buyer alone: staff see none of
    /// others' orders.
    async fn action(&self, ctx: &Context<'_>) -> Result<Option<PaymentAction>> {
        let ctx = ctx.domain()?;
        let owner = self
            .order
            .user_id
            .filter(|owner| ctx.actor.user() == Some(*owner));
        // Who is neither staff nor the owner has shown the order's token.
        let is_buyer = owner.is_some() || !ctx.may(Permission::ReadOrders);
        match next_action(&self.row)? {
            Some(Action::ClientSecret { .. }) if !is_buyer => Ok(None),
            Some(action) => Ok(Some(PaymentAction::try_from(action)?)),
            None => Ok(None),
        }
    }

    /// Why it failed, for programs, e.g. `card_declined`; null when it has not. While it is REQUIRES_ACTION, why the buyer's
    /// last try failed: he may try again.
    async fn failure_code(&self) -> Option<&str> {
        self.row.failure_code.as_deref()
    }

    /// The same for the buyer.
    async fn failure_message(&self) -> Option<&str> {
        self.row.failure_message.as_deref()
    }

    /// What of it went back or is on its way, the first refund first.
    async fn refunds(&self, ctx: &Context<'_>) -> Result<List<Refund>> {
        let rows = ctx.loaders()?.load_one(RefundsByPayment(self.row.id)).await?;
        let rows = rows.unwrap_or_default().into_iter();
        Ok(rows.map(|row| Refund::new(row, Arc::clone(&self.row))).collect())
    }

    /// What it pays.
    async fn order(&self) -> Order {
        Order::new(Arc::clone(&self.order))
    }

    /// When it was begun.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When something about it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// A refund, around its row and that of its payment, which has its currency.
#[derive(Clone, Debug)]
pub struct Refund {
    row: Arc<refund::Model>,
    payment: Arc<payment::Model>,
}

impl Refund {
    pub fn new(row: Arc<refund::Model>, payment: Arc<payment::Model>) -> Self {
        Self { row, payment }
    }
}

/// Money of a payment that goes back.
#[Object]
impl Refund {
    /// Identifies the refund for good, e.g. `refund_01kb…`.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// How much goes back.
    async fn amount(&self) -> Result<Money> {
        Ok(money::Money::new(self.row.amount, currency(&self.payment)?).into())
    }

    /// How far it has come.
    async fn status(&self) -> RefundStatus {
        self.row.status.into()
    }

    /// Why it goes back; null when nobody has said.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}
