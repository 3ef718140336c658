//! What the audit log says of the catalog: products, variants and categories in the words of the API.

use sea_orm::ActiveEnum as _;
use serde_json::{Map, Value, json};

use super::insert::NewProduct;
use crate::entity::{product, product_variant};
use crate::kernel::id::CategoryId;
use crate::kernel::money::{Currency, Money};

pub(super) fn category(name: &str, slug: &str, parent: Option<CategoryId>) -> Value {
    stated(json!({ "name": name, "slug": slug, "parentId": parent.map(|id| id.to_string()) }))
}

pub(super) fn new_product(product: &NewProduct) -> Value {
    let variants = product.variants.iter().map(|variant| {
        stated(json!({
            "title": variant.title,
            "sku": variant.sku,
            "price": amount(variant.price, product.currency),
            "compareAtPrice": variant.compare_at_price.map(|price| amount(price, product.currency)),
            "onHand": variant.tracked.then_some(variant.on_hand),
        }))
    });
    stated(json!({
        "name": product.name,
        "slug": product.slug,
        "description": product.description,
        "vendor": product.vendor,
        "productType": product.product_type,
        "status": product.status.to_value(),
        "categoryId": product.category_id.map(|id| id.to_string()),
        "currencyCode": product.currency.code(),
        "tags": product.tags,
        "imageUrls": product.images.iter().map(|image| &image.url).collect::<Vec<_>>(),
        "variants": variants.collect::<Vec<_>>(),
    }))
}

/// The product's own row: its tags and images are added where they have changed.
pub(super) fn product(row: &product::Model) -> Map<String, Value> {
    let fields = [
        ("name", json!(row.name)),
        ("slug", json!(row.slug)),
        ("description", json!(row.description)),
        ("vendor", json!(row.vendor)),
        ("productType", json!(row.product_type)),
        ("status", json!(row.status.to_value())),
        ("categoryId", json!(row.category_id.map(|id| id.to_string()))),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(super) fn variant(row: &product_variant::Model, currency: Currency) -> Value {
    json!({
        "title": row.title,
        "sku": row.sku,
        "price": amount(row.price, currency),
        "compareAtPrice": row.compare_at_price.map(|price| amount(price, currency)),
    })
}

fn amount(minor: i64, currency: Currency) -> String {
    Money::new(minor, currency).to_decimal().to_string()
}

/// Without what was not given: there is nothing before that it could differ from.
fn stated(object: Value) -> Value {
    match object {
        Value::Object(mut fields) => {
            fields.retain(|_, value| {
                !matches!(value, Value::Null) && *value != json!([]) && *value != json!("")
            });
            Value::Object(fields)
        }
        other => other,
    }
}
