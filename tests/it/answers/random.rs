//! Whatever is changed, in whatever order: once the change is answered, a shop that keeps answers says what one that keeps
//! nothing says.

use chrono::Duration;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use souk::domain::checkout::expire::expire_due;
use souk::domain::exchange::shopify::{self, Import};

use crate::support::buyer::GuestOrder;
use crate::support::{As, Shop};

#[derive(Clone, Copy, Debug)]
enum Step {
    Create {
        status: &'static str,
        category: usize,
    },
    Rename(usize),
    Readdress(usize),
    Status(usize, &'static str),
    Move(usize, usize),
    Tag(usize, &'static str),
    Picture(usize, usize),
    Price(usize, u32),
    Title(usize),
    Category(usize),
    Adjust(usize, i32),
    Order(usize, i32),
    Cancel(usize),
    Pay(usize),
    Fulfill(usize),
    Wait,
    Import(u32),
    /// Refused: nothing has changed.
    Wrong(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let status = || prop::sample::select(vec!["ACTIVE", "ACTIVE", "DRAFT", "ARCHIVED"]);
    let any = || 0..6_usize;
    prop_oneof![
        2 => (status(), any()).prop_map(|(status, category)| Step::Create { status, category }),
        2 => any().prop_map(Step::Rename),
        1 => any().prop_map(Step::Readdress),
        2 => (any(), status()).prop_map(|(i, status)| Step::Status(i, status)),
        1 => (any(), any()).prop_map(|(i, category)| Step::Move(i, category)),
        1 => (any(), prop::sample::select(vec!["red", "blue"])).prop_map(|(i, tag)| Step::Tag(i, tag)),
        1 => (any(), 0..3_usize).prop_map(|(i, count)| Step::Picture(i, count)),
        3 => (any(), 1..50_u32).prop_map(|(i, price)| Step::Price(i, price)),
        1 => any().prop_map(Step::Title),
        1 => any().prop_map(Step::Category),
        3 => (any(), prop::sample::select(vec![-2, -1, 1, 3])).prop_map(|(i, delta)| Step::Adjust(i, delta)),
        4 => (any(), 1..3).prop_map(|(i, quantity)| Step::Order(i, quantity)),
        2 => any().prop_map(Step::Cancel),
        1 => any().prop_map(Step::Pay),
        1 => any().prop_map(Step::Fulfill),
        1 => Just(Step::Wait),
        1 => (1..50_u32).prop_map(Step::Import),
        1 => any().prop_map(Step::Wrong),
    ]
}

/// What the test knows of the shop.
#[derive(Default)]
struct World {
    /// Ids, addresses and first variants.
    products: Vec<(String, String, String)>,
    categories: Vec<(String, String)>,
    orders: Vec<GuestOrder>,
    number: usize,
}

impl World {
    fn product(&self, i: usize) -> &(String, String, String) {
        &self.products[i % self.products.len()]
    }

    fn category(&self, i: usize) -> &(String, String) {
        &self.categories[i % self.categories.len()]
    }

    async fn create(&mut self, shop: &Shop, status: &str, category: usize) {
        self.number += 1;
        let document = "mutation($input: ProductCreateInput!) { productCreate(input: $input) {
            product { id slug variants { id } } userErrors { code path } } }";
        let category = &self.category(category).0;
        let variants = json!([{"price": "5.00", "onHand": self.number % 3, "tracksInventory": !self.number.is_multiple_of(4),
            "selectedOptions": [{"name": "Size", "value": "S"}]},
            {"price": "7.00", "onHand": 1, "selectedOptions": [{"name": "Size", "value": "L"}]}]);
        let input = json!({"name": format!("Mug {}", self.number), "status": status, "categoryId": category, "variants": variants,
            "tags": ["red"], "vendor": "Ann"});
        let made = shop.data(As::Staff, document, json!({ "input": input })).await;
        let product = &made["productCreate"]["product"];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let known = (
            text(&product["id"]),
            text(&product["slug"]),
            text(&product["variants"][0]["id"]),
        );
        self.products.push(known);
    }

    async fn shelve(&mut self, shop: &Shop, parent: Option<usize>) {
        self.number += 1;
        let document = "mutation($input: CategoryCreateInput!) { categoryCreate(input: $input) { category { id slug } } }";
        let parent = parent.map(|parent| self.category(parent).0.clone());
        let input = json!({"name": format!("Shelf {}", self.number % 4), "parentId": parent});
        let made = shop.data(As::Staff, document, json!({ "input": input })).await;
        let category = &made["categoryCreate"]["category"];
        // Ten levels lie above one another at most.
        if let Some(id) = category["id"].as_str() {
            let slug = category["slug"].as_str().unwrap().to_owned();
            self.categories.push((id.to_owned(), slug));
        }
    }

    async fn take(&mut self, shop: &Shop, step: Step) {
        self.number += 1;
        let (number, key) = (self.number, format!("step {}", self.number));
        let pick = |i: usize| self.orders.get(i % self.orders.len().max(1)).cloned();
        match step {
            Step::Create { status, category } => self.create(shop, status, category).await,
            Step::Rename(i) => {
                update(shop, &self.product(i).0, json!({"name": format!("Cup {number}")})).await
            }
            Step::Readdress(i) => {
                let at = i % self.products.len();
                let slug = format!("cup-{number}");
                update(shop, &self.products[at].0, json!({ "slug": slug })).await;
                self.products[at].1 = slug;
            }
            Step::Status(i, status) => update(shop, &self.product(i).0, json!({ "status": status })).await,
            Step::Move(i, to) => {
                update(
                    shop,
                    &self.product(i).0,
                    json!({"categoryId": self.category(to).0}),
                )
                .await;
            }
            Step::Tag(i, tag) => update(shop, &self.product(i).0, json!({"tags": [tag]})).await,
            Step::Picture(i, count) => {
                let urls: Vec<String> = (0..count)
                    .map(|at| format!("https://x.test/{number}/{at}.png"))
                    .collect();
                update(shop, &self.product(i).0, json!({ "imageUrls": urls })).await;
            }
            Step::Price(i, price) => {
                let input = json!({"variantId": self.product(i).2, "price": price.to_string()});
                variant(shop, input).await;
            }
            Step::Title(i) => {
                let input = json!({"variantId": self.product(i).2, "title": format!("Size {number}")});
                variant(shop, input).await;
            }
            Step::Category(i) => {
                let parent = (i % 3 != 0).then_some(i);
                self.shelve(shop, parent).await;
            }
            Step::Adjust(i, delta) => {
                let document = "mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) { userErrors { code } } }";
                let input = json!({"variantId": self.product(i).2, "delta": delta, "reason": "counted", "idempotencyKey": key});
                shop.data(As::Staff, document, json!({ "input": input })).await;
            }
            Step::Order(i, quantity) => {
                let answer = order(shop, &self.product(i).2, quantity).await;
                self.orders.extend(answer);
            }
            Step::Cancel(i) => {
                let Some(order) = pick(i) else { return };
                let document = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) { userErrors { code } } }";
                let input = json!({"orderId": order.id, "reason": "changed my mind"});
                shop.data(As::Staff, document, json!({ "input": input })).await;
            }
            Step::Pay(i) => {
                let Some(order) = pick(i) else { return };
                shop.pay(&order, "SUCCEED", &key).await;
            }
            Step::Fulfill(i) => {
                let Some(order) = pick(i) else { return };
                let document = "mutation($input: FulfillmentCreateInput!) { fulfillmentCreate(input: $input) { userErrors { code } } }";
                let lines = json!([{"orderLineId": order.first_line, "quantity": 1}]);
                let input = json!({"orderId": order.id, "lines": lines, "idempotencyKey": key});
                shop.data(As::Staff, document, json!({ "input": input })).await;
            }
            Step::Wait => {
                shop.clock.advance(Duration::minutes(31));
                let told = shop.platform.news.told();
                expire_due(&shop.system()).await.unwrap();
                settle(shop, told).await;
            }
            Step::Import(price) => import(shop, &self.product(number).1, price, number).await,
            Step::Wrong(i) => {
                let document = "mutation($input: ProductUpdateInput!) { productUpdate(input: $input) { userErrors { code } } }";
                let input = json!({"productId": self.product(i).0, "name": "", "expectedVersion": 0});
                shop.data(As::Staff, document, json!({ "input": input })).await;
            }
        }
    }
}

async fn update(shop: &Shop, product: &str, mut input: Value) {
    input["productId"] = json!(product);
    super::update(shop, input).await;
}

async fn variant(shop: &Shop, input: Value) {
    let document = "mutation($input: ProductVariantUpdateInput!) { productVariantUpdate(input: $input) { userErrors { code } } }";
    shop.data(As::Staff, document, json!({ "input": input })).await;
}

/// None where the shop says no.
async fn order(shop: &Shop, variant: &str, quantity: i32) -> Option<GuestOrder> {
    let document = "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } } }";
    let input = json!({"lines": [{"variantId": variant, "quantity": quantity}]});
    let made = shop
        .data(As::Anonymous, document, json!({ "input": input }))
        .await;
    let placed = shop
        .place(None, made["cartCreate"]["cart"]["id"].as_str()?, "an order")
        .await;
    Some(GuestOrder {
        id: placed["order"]["id"].as_str()?.to_owned(),
        token: placed["guestToken"].as_str()?.to_owned(),
        first_line: placed["order"]["lines"][0]["id"].as_str()?.to_owned(),
    })
}

/// Changes one product, and adds another, both with a category and stock.
async fn import(shop: &Shop, slug: &str, price: u32, number: usize) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let head = "Handle,Title,Type,Option1 Name,Option1 Value,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Status";
    let rows = format!(
        "{head}\n{slug},Imported {number},Shelf {price},Size,S,shopify,{price},{price}.00,active\nnew-{number},New {number},Shelf 1,Size,S,shopify,2,{price}.50,active\n"
    );
    std::fs::write(file.path(), rows).unwrap();
    let import = Import {
        path: file.path().into(),
        currency: "USD".parse().unwrap(),
        dry_run: false,
        overwrite_stock: true,
    };
    let told = shop.platform.news.told();
    shopify::import(&shop.system(), &import, &mut ()).await.unwrap();
    settle(shop, told).await;
}

/// What is no mutation waits for nobody. Where a loaded machine takes its time they hear of it all the same.
pub(super) async fn settle(shop: &Shop, told: u64) {
    let long = std::time::Duration::from_secs(60);
    if !shop.platform.news.settled(told, long).await {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    }
}

const NODE: &str = "{ nodes { id slug name status tags version description vendor productType priceRange { min { amount } max { amount } }
    category { name ancestors { slug } } featuredImage { url } inStock variants { title price { amount } inStock availableQuantity } } pageInfo { hasNextPage endCursor } totalCount }";
const ROWS: &str = "{ nodes { slug name priceRange { min { amount } } category { name } featuredImage { url } } pageInfo { hasNextPage } }";

/// Everything that shoppers ask for, of what is there and of what is not, or not yet.
fn questions(world: &World) -> Vec<(String, Value)> {
    let (category, next) = (world.category(world.number), world.category(world.number + 1));
    let next_slug = format!("cup-{}", world.number + 2);
    let mut all = vec![
        (format!("{{ products(first: 3) {NODE} }}"), json!({})),
        (format!("{{ products(first: 20) {ROWS} }}"), json!({})),
        (format!("{{ products(last: 4, sort: {{field: PRICE, direction: DESC}}) {NODE} }}"), json!({})),
        (format!("{{ products(sort: {{field: NAME}}, filter: {{inStock: true}}) {ROWS} }}"), json!({})),
        (format!("{{ products(filter: {{inStock: false, tags: [\"red\"]}}) {ROWS} }}"), json!({})),
        ("{ products(filter: {inStock: true}) { totalCount } }".to_owned(), json!({})),
        (format!("{{ products(filter: {{text: \"mug\"}}) {NODE} }}"), json!({})),
        (format!("{{ products(filter: {{text: \"new\", price: {{min: \"2\", max: \"30\"}}}}) {ROWS} }}"), json!({})),
        (format!("query($slug: String!) {{ products(filter: {{category: {{slug: $slug}}}}) {ROWS} }}"), json!({"slug": category.1})),
        (format!("query($id: ID!) {{ category(by: {{id: $id}}) {{ name products(first: 5) {NODE} }} }}"), json!({"id": category.0})),
        ("query($slug: String!) { category(by: {slug: $slug}) { name parent { name } children { slug products { totalCount } } ancestors { name } } }".to_owned(),
            json!({"slug": next.1})),
        ("{ categories(first: 50) { nodes { slug parent { slug } children { name } } totalCount } }".to_owned(), json!({})),
        ("{ category(by: {slug: \"shelf-3-2\"}) { name } }".to_owned(), json!({})),
        ("{ shop { name currencyCode } }".to_owned(), json!({})),
        ("query($slug: String!) { product(by: {slug: $slug}) { name } }".to_owned(), json!({"slug": next_slug})),
    ];
    for (id, slug, _) in world.products.iter().rev().take(6) {
        let by_slug = "query($slug: String!) { product(by: {slug: $slug}) { id name images { url } options { name values }
            variants { id title sku price { amount } compareAtPrice { amount } image { url } selectedOptions { value } } category { slug } } }";
        all.push((by_slug.to_owned(), json!({ "slug": slug })));
        let stock = "query($id: ID!) { product(by: {id: $id}) { name inStock variants { availableQuantity inStock } } }";
        all.push((stock.to_owned(), json!({ "id": id })));
    }
    all
}

async fn alike(kept: &Shop, bare: &Shop, questions: &[(String, Value)], after: &str) {
    for (document, variables) in questions {
        let expected = bare.data(As::Anonymous, document, variables.clone()).await;
        for caller in [As::Anonymous, As::Customer] {
            let told = kept.data(caller, document, variables.clone()).await;
            assert_eq!(told, expected, "{caller:?} after {after}: {document} {variables}");
        }
    }
}

/// What `writer` does, and then what `reader` says, who keeps answers.
pub(super) async fn compare(shop: &Shop, writer: &Shop, reader: &Shop) {
    let bare = shop
        .beside(&[("SOUK_ANSWER_CACHE_BYTES", "0"), ("SOUK_CACHE_BYTES", "0")])
        .await;
    let mut world = World::default();
    world.shelve(writer, None).await;
    world.shelve(writer, Some(0)).await;
    for status in ["ACTIVE", "ACTIVE", "DRAFT"] {
        world.create(writer, status, 1).await;
    }
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(step(), 30);
    let steps = strategy.new_tree(&mut runner).unwrap().current();
    for step in steps {
        // What is asked after the step was asked before it, too, and lies there.
        let before = questions(&world);
        for (document, variables) in &before {
            reader.data(As::Anonymous, document, variables.clone()).await;
        }
        world.take(writer, step).await;
        alike(reader, &bare, &before, &format!("{step:?}")).await;
    }
    reader.balance().await;
    assert!(
        reader.platform.answers.dropped() > 100,
        "there was something to drop"
    );
    bare.close().await;
}

both! {
    async fn kept_answers_say_what_is_true(shop: &Shop) {
        // Nothing expires while the test looks away.
        let kept = shop.beside(&[("SOUK_ANSWER_CACHE_BYTES", "32MiB"), ("SOUK_CACHE_TTL", "1h")]).await;
        compare(shop, &kept, &kept).await;
        kept.close().await;
    }
}
