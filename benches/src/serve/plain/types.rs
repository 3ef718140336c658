//! The objects of Souk's schema that the loads ask for.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};
use uuid::Uuid;

use super::loaders::{
    CategoryById, ImageByProduct, LinesByOrder, PaymentsByOrder, ProductById, Rows, VariantById,
    VariantsByProduct,
};

#[derive(Clone, SimpleObject)]
pub(super) struct Money {
    amount: String,
    currency_code: String,
}

impl Money {
    pub(super) fn new(cents: i64, currency: &str) -> Self {
        Self {
            amount: format!("{}.{:02}", cents / 100, cents % 100),
            currency_code: currency.to_owned(),
        }
    }
}

#[derive(Clone, SimpleObject)]
struct MoneyRange {
    min: Money,
    max: Money,
}

#[derive(Clone, SimpleObject)]
pub(super) struct Category {
    pub(super) name: String,
    pub(super) slug: String,
}

#[derive(Clone, SimpleObject)]
pub(super) struct Image {
    pub(super) url: String,
}

#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Product {
    #[graphql(skip)]
    pub(super) id: Uuid,
    name: String,
    slug: String,
    description: String,
    price_range: MoneyRange,
    #[graphql(skip)]
    category_id: Option<Uuid>,
}

impl Product {
    #[rustfmt::skip]
    pub(super) fn new(
        (id, name, slug, description, min, max, currency, category_id):
            (Uuid, String, String, String, i64, i64, String, Option<Uuid>),
    ) -> Self {
        let price_range = MoneyRange {
            min: Money::new(min, &currency),
            max: Money::new(max, &currency),
        };
        Self { id, name, slug, description, price_range, category_id }
    }
}

#[ComplexObject]
impl Product {
    async fn category(&self, ctx: &Context<'_>) -> Result<Option<Category>> {
        let Some(id) = self.category_id else {
            return Ok(None);
        };
        Ok(ctx.data::<Rows>()?.load_one(CategoryById(id)).await?)
    }

    async fn featured_image(&self, ctx: &Context<'_>) -> Result<Option<Image>> {
        Ok(ctx.data::<Rows>()?.load_one(ImageByProduct(self.id)).await?)
    }

    async fn variants(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 100)] first: usize,
    ) -> Result<Vec<Variant>> {
        let variants = ctx.data::<Rows>()?.load_one(VariantsByProduct(self.id)).await?;
        Ok(variants.unwrap_or_default().into_iter().take(first).collect())
    }
}

#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Variant {
    #[graphql(skip)]
    product_id: Uuid,
    title: String,
    sku: Option<String>,
    price: Money,
}

impl Variant {
    pub(super) fn new(
        (_, product_id, title, sku, price, currency): (Uuid, Uuid, String, Option<String>, i64, String),
    ) -> Self {
        Self {
            product_id,
            title,
            sku,
            price: Money::new(price, &currency),
        }
    }
}

#[ComplexObject]
impl Variant {
    async fn product(&self, ctx: &Context<'_>) -> Result<Product> {
        let product = ctx.data::<Rows>()?.load_one(ProductById(self.product_id)).await?;
        product.ok_or_else(|| "the variant's product is not for sale".into())
    }
}

#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Order {
    #[graphql(skip)]
    pub(super) id: Uuid,
    pub(super) number: String,
    pub(super) status: String,
    pub(super) total: Money,
}

#[ComplexObject]
impl Order {
    async fn lines(&self, ctx: &Context<'_>) -> Result<Vec<OrderLine>> {
        let lines = ctx.data::<Rows>()?.load_one(LinesByOrder(self.id)).await?;
        Ok(lines.unwrap_or_default())
    }

    async fn payments(&self, ctx: &Context<'_>) -> Result<Vec<Payment>> {
        let payments = ctx.data::<Rows>()?.load_one(PaymentsByOrder(self.id)).await?;
        Ok(payments.unwrap_or_default())
    }
}

#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct OrderLine {
    pub(super) quantity: i32,
    #[graphql(skip)]
    pub(super) variant: Option<Uuid>,
}

#[ComplexObject]
impl OrderLine {
    async fn variant(&self, ctx: &Context<'_>) -> Result<Option<Variant>> {
        let Some(id) = self.variant else {
            return Ok(None);
        };
        Ok(ctx.data::<Rows>()?.load_one(VariantById(id)).await?)
    }
}

#[derive(Clone, SimpleObject)]
pub(super) struct Payment {
    pub(super) status: String,
    pub(super) amount: Money,
}
