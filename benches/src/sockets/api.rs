//! Orders and events through the API: guests who order a mug each, and staff who cancel their orders.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::order::Order;
use super::report::Happened;
use super::{AT_ONCE, clock};

const CREATE: &str = "mutation($input: ProductCreateInput!) { productCreate(input: $input) {
    product { variants { id } } userErrors { message } } }";
const CART: &str =
    "mutation($input: CartCreateInput!) { cartCreate(input: $input) { cart { id } userErrors { message } } }";
const PLACE: &str = "mutation($input: OrderPlaceInput!) { orderPlace(input: $input) {
    order { id } guestToken userErrors { message } } }";
const CANCEL: &str = "mutation($input: OrderCancelInput!) { orderCancel(input: $input) {
    order { status } userErrors { message } } }";

pub(super) struct Shop {
    kept: Mutex<VecDeque<Http>>,
    token: String,
    variant: Value,
}

impl Shop {
    /// With goods for so many orders.
    pub(super) async fn open(addresses: &[SocketAddr], token: &str, orders: usize) -> Result<Self> {
        let mut kept = VecDeque::new();
        for address in addresses.iter().cycle().take(AT_ONCE) {
            kept.push_back(Http::open(*address).await?);
        }
        let goods =
            json!({"name": "Mug", "status": "ACTIVE", "variants": [{"price": "5", "onHand": orders}]});
        let mut shop = Self {
            kept: Mutex::new(kept),
            token: token.to_owned(),
            variant: Value::Null,
        };
        let made = shop.ask(CREATE, json!({"input": goods}), true).await?;
        shop.variant = made
            .pointer("/product/variants/0/id")
            .cloned()
            .context("the goods have no variant")?;
        Ok(shop)
    }

    /// By a connection that nobody uses at the moment.
    async fn ask(&self, query: &str, variables: Value, as_staff: bool) -> Result<Value> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut http = kept()
            .pop_front()
            .context("as many at once as there are connections")?;
        let token = as_staff.then_some(self.token.as_str());
        let answer = http.ask(query, &variables, token).await?;
        kept().push_back(http);
        Ok(answer)
    }

    pub(super) async fn orders(&self, count: usize) -> Result<Vec<Order>> {
        let share = |first: usize| async move {
            let mut orders = Vec::new();
            for _ in (first..count).step_by(AT_ONCE) {
                orders.push(self.place().await?);
            }
            Ok::<_, anyhow::Error>(orders)
        };
        let shares = futures_util::future::try_join_all((0..AT_ONCE).map(share)).await?;
        Ok(shares.into_iter().flatten().collect())
    }

    async fn place(&self) -> Result<Order> {
        let lines = json!([{"variantId": self.variant, "quantity": 1}]);
        let made = self.ask(CART, json!({"input": {"lines": lines}}), false).await?;
        let cart = made.pointer("/cart/id").context("a cart has no id")?;
        let address = json!({"name": "Ann", "line1": "High Street", "city": "Leeds", "countryCode": "GB"});
        let input = json!({
            "cartId": cart, "email": "ann@example.com", "shippingAddress": address, "idempotencyKey": cart,
        });
        let placed = self.ask(PLACE, json!({"input": input}), false).await?;
        let text = |pointer: &str| placed.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Ok(Order {
            id: text("/order/id").context("an order has no id")?,
            uuid: Uuid::nil(),
            token: text("/guestToken").context("an order has no token")?,
        })
    }

    pub(super) async fn update(&self, order: &Order) -> Result<Happened> {
        let at = clock::now();
        let input = json!({"input": {"orderId": order.id, "reason": "To be measured"}});
        self.ask(CANCEL, input, true).await?;
        Ok(Happened {
            at,
            committed: clock::now(),
        })
    }
}

/// One connection that is kept.
struct Http {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Http {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// What the mutation says.
    async fn ask(&mut self, query: &str, variables: &Value, token: Option<&str>) -> Result<Value> {
        let body = json!({"query": query, "variables": variables}).to_string();
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}\r\n{body}",
            body.len(),
            authorization.unwrap_or_default(),
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head = self.read_head().await?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .context("an answer without a length")?;
        let length: usize = length.parse()?;
        while self.read.len() < length {
            self.read_more().await?;
        }
        let answer: Value = serde_json::from_slice(self.read.get(..length).unwrap_or_default())?;
        self.read.drain(..length);
        let payload = answer.get("data").and_then(Value::as_object);
        let payload = payload
            .and_then(|data| data.values().next())
            .cloned()
            .unwrap_or_default();
        let refused = payload.get("userErrors").and_then(Value::as_array);
        ensure!(refused.is_some_and(Vec::is_empty), "{query}: {answer}");
        Ok(payload)
    }

    async fn read_head(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                return Ok(String::from_utf8(head)?.to_lowercase());
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<()> {
        let count = self.stream.read_buf(&mut self.read).await?;
        ensure!(count > 0, "the server has closed a connection");
        Ok(())
    }
}
