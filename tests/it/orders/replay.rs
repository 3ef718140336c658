//! A real wholesaler's invoices, replayed: each becomes carts and orders through the API, and costs what the file says, to
//! the penny. The file is beside the project, not in it.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use futures_util::future::join_all;
use serde_json::{Value, json};
use souk::domain::catalog::insert::NewProduct;

use crate::support::buyer::{PLACE, address};
use crate::support::{As, Kind, Shop, TestDatabase, product};

const FILE: &str = "../shared/data/orders/uci-online-retail-2010-12-01_to_05.csv";
/// What a cart may have.
const LINES: usize = 250;

/// An article at a price, in pence: prices differ from invoice to invoice, so each is something of its own.
type Article = (String, i64);

/// What was invoiced: the articles of each invoice, and how many of each.
type Invoices = BTreeMap<String, BTreeMap<Article, i64>>;

fn read(path: &Path) -> Invoices {
    let mut invoices = Invoices::new();
    for record in csv::Reader::from_path(path).unwrap().records() {
        let record = record.unwrap();
        let quantity: i64 = record[3].parse().unwrap();
        // Returns and stock that was written off are no orders.
        if quantity > 0 {
            let article = (record[1].to_uppercase(), pence(&record[5]));
            let lines = invoices.entry(record[0].to_owned()).or_default();
            *lines.entry(article).or_default() += quantity;
        }
    }
    invoices
}

fn pence(pounds: &str) -> i64 {
    let (whole, fraction) = pounds.split_once('.').unwrap_or((pounds, ""));
    assert!(fraction.len() <= 2, "{pounds}");
    whole.parse::<i64>().unwrap() * 100 + format!("{fraction:0<2}").parse::<i64>().unwrap()
}

/// Sells every article without counting it. The variant of each.
async fn stock(shop: &Shop, invoices: &Invoices) -> HashMap<Article, String> {
    let articles: Vec<&Article> = invoices.values().flat_map(BTreeMap::keys).collect();
    let mut articles: Vec<&Article> = articles.into_iter().collect();
    articles.sort_unstable();
    articles.dedup();
    let goods: Vec<_> = articles
        .iter()
        .map(|(code, price)| NewProduct {
            currency: "GBP".parse().unwrap(),
            ..product(&format!("{code} at {price}")).price(*price).build()
        })
        .collect();
    let mut variants = HashMap::new();
    for (articles, goods) in articles.chunks(LINES).zip(goods.chunks(LINES)) {
        let ids: Vec<String> = shop
            .add_all(goods)
            .await
            .iter()
            .map(ToString::to_string)
            .collect();
        for (articles, ids) in articles.chunks(100).zip(ids.chunks(100)) {
            let query =
                "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { variants(first: 1) { id } } } }";
            let data = shop.data(As::Staff, query, json!({ "ids": ids })).await;
            for (article, node) in articles.iter().zip(data["nodes"].as_array().unwrap()) {
                let id = node["variants"][0]["id"].as_str().unwrap();
                variants.insert((*article).clone(), id.to_owned());
            }
        }
    }
    variants
}

/// Orders an invoice, in as many carts as it takes. What it cost, in pence.
async fn order(
    shop: &Shop,
    number: &str,
    lines: &BTreeMap<Article, i64>,
    variants: &HashMap<Article, String>,
) -> i64 {
    let lines: Vec<(&str, i32)> = lines
        .iter()
        .map(|(article, quantity)| (variants[article].as_str(), i32::try_from(*quantity).unwrap()))
        .collect();
    let mut total = 0;
    for (part, lines) in lines.chunks(LINES).enumerate() {
        let cart = shop.cart(lines).await;
        let input = json!({"cartId": cart, "email": "buyer@example.com", "shippingAddress": address(),
            "idempotencyKey": format!("{number} {part}")});
        let data = shop.data(As::Anonymous, PLACE, json!({ "input": input })).await;
        let order = &data["orderPlace"]["order"];
        assert_eq!(order["total"]["currencyCode"], "GBP", "{number}: {data}");
        let amount = |money: &Value| pence(money["amount"].as_str().unwrap());
        let sum: i64 = order["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| amount(&line["lineTotal"]))
            .sum();
        assert_eq!(amount(&order["total"]), sum, "{number}");
        total += sum;
    }
    total
}

async fn replay(kind: Kind) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if !path.exists() {
        // Past the test runner, which hides what tests that pass print.
        let text = format!("SKIPPED: {} is missing\n", path.display());
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return;
    }
    let Some(database) = TestDatabase::new(kind).await else {
        return;
    };
    let shop = Shop::open(&database, &[("SOUK_CURRENCY", "GBP")]).await;
    let invoices = read(&path);
    let variants = stock(&shop, &invoices).await;
    let (mut ordered, mut invoiced) = (0, 0);
    let all: Vec<_> = invoices.iter().collect();
    for some in all.chunks(8) {
        let orders = some
            .iter()
            .map(|(number, lines)| order(&shop, number, lines, &variants));
        for (total, (number, lines)) in join_all(orders).await.into_iter().zip(some) {
            let expected: i64 = lines.iter().map(|((_, price), quantity)| price * quantity).sum();
            assert_eq!(total, expected, "{number}");
            ordered += total;
            invoiced += expected;
        }
    }
    assert_eq!(
        (invoices.len(), ordered),
        (440, 18_542_783),
        "185,427.83 pounds on 440 invoices"
    );
    assert_eq!(ordered, invoiced);
    shop.balance().await;
    shop.close().await;
    database.drop().await;
}

#[tokio::test]
async fn invoices_cost_what_they_cost_on_sqlite() {
    replay(Kind::Sqlite).await;
}

#[tokio::test]
async fn invoices_cost_what_they_cost_on_postgres() {
    replay(Kind::Postgres).await;
}
