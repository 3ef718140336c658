"""Souk itself: a catalog, a customer with orders, and what is asked of it."""
import csv
import http.client
import json
import os
import pathlib
import random
import subprocess
import time
import uuid

from .machine import Process, fail, free_port, memory_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = {file.stem: file.read_text() for file in (ROOT / "benches" / "documents").glob("*.graphql")}
REGISTER = """mutation($input: AccountRegisterInput!) { accountRegister(input: $input) {
    user { id } tokens { accessToken } userErrors { message } } }"""
SIGN_IN = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { tokens { accessToken } userErrors { message } } }"
ANN = {"email": "ann@example.com", "password": "correct horse battery staple 7"}
ORDERS, LINES = 20, 3
# Words, categories and directions of searches: all pairs with more than one page of products.
WORDS = ("black white red blue green ochre new sale gift handmade organic summer winter limited classic recycled maker hand "
         "made amber birch calm dusky linen olive plain mug pot knife lamp").split()
SEARCHES = 240
# With nothing between the generator and what is measured: no limits by address, no log of each request.
SETTINGS = {"SOUK_RATE_LIMIT_API": "off", "SOUK_RATE_LIMIT_STAFF": "off", "SOUK_RATE_LIMIT_PAYMENTS": "off",
            "SOUK_RATE_LIMIT_AUTH": "off", "SOUK_RATE_LIMIT_REGISTRATION": "off", "SOUK_LIMIT_IN_FLIGHT": "5000",
            "SOUK_LIMIT_CONNECTIONS": "60000", "SOUK_LIMIT_CONNECTIONS_PER_ADDRESS": "60000", "SOUK_LOG": "warn",
            "SOUK_ACCESS_TOKEN_LIFE": "1h", "SOUK_ORDER_HOLD": "2h", "SOUK_AUTO_MIGRATE": "true"}


def environment(url, port, more=()):
    return {**os.environ, **SETTINGS, "DATABASE_URL": url, "SOUK_LISTEN": f"127.0.0.1:{port}", **dict(more)}


class Souk:
    """A server that runs."""

    def __init__(self, binary, folder, url, core, more=()):
        self.port = free_port()
        self.begun = time.perf_counter()
        self.server = Process(core, [binary, "serve"], folder / "souk.log", cwd=folder, env=environment(url, self.port, more))
        self.pid = self.server.pid
        self.token = None

    def until_it_listens(self, pause=0.02):
        self.server.until_it_listens(self.port, pause)
        return self

    def ask(self, document, path="/graphql", **variables):
        return ask(self.port, path, document, variables, self.token)[1]["data"]

    def change(self, document, **variables):
        (payload,) = self.ask(document, **variables).values()
        if payload["userErrors"]:
            fail(f"{document}: {payload}")
        return payload

    def memory(self):
        return memory_of(self.pid)

    def stop(self):
        self.server.stop()


def ask(port, path, document, variables, token=None):
    """The answer as it came, and what it says. Anything but an answer without errors ends the run."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, json.dumps({"query": document, "variables": variables}), headers(token))
    response = connection.getresponse()
    text = response.read()
    connection.close()
    answer = json.loads(text) if response.status == 200 else None
    if answer is None or "errors" in answer:
        fail(f"{path} answers {response.status} {text.decode()[:2000]} to {document} with {variables}")
    return text, answer


def headers(token=None):
    return {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}


def catalog(folder, products):
    """A product file of which nothing runs out."""
    file = folder / f"catalog-{products}.csv"
    if not file.exists():
        subprocess.run([ROOT / "scripts" / "generate-catalog", folder / "raw.csv", "--products", str(products)], check=True)
        with open(folder / "raw.csv", newline="") as raw, open(file, "w", newline="") as out:
            reader = csv.DictReader(raw)
            writer = csv.DictWriter(out, reader.fieldnames)
            writer.writeheader()
            for row in reader:
                writer.writerow({**row, "Variant Inventory Qty": 1_000_000_000})
        (folder / "raw.csv").unlink()
    return file


def fill(binary, folder, url, products):
    """Imports the catalog."""
    subprocess.run([binary, "import", "shopify", catalog(folder, products), "--currency", "USD", "--json"], cwd=folder,
                   env=environment(url, 1), check=True, stdout=subprocess.DEVNULL)


def customer(souk):
    """Registers a customer with orders that are paid; the id, as the tables have it. Signs in as that one."""
    registered = souk.change(REGISTER, input={**ANN, "name": "Ann"})
    souk.token = registered["tokens"]["accessToken"]
    nodes = souk.ask(DOCUMENTS["variants"])["products"]["nodes"]
    variants = [variant["id"] for node in nodes for variant in node["variants"]]
    address = {"name": "Ann", "line1": "High Street", "city": "Leeds", "countryCode": "GB"}
    for number in range(ORDERS):
        lines = [{"variantId": variants[(number * LINES + line) % len(variants)], "quantity": 1 + line} for line in range(LINES)]
        cart = souk.change(DOCUMENTS["w4-cart"], input={"lines": lines})["cart"]
        place = {"cartId": cart["id"], "shippingAddress": address, "idempotencyKey": f"order {number}"}
        order = souk.change(DOCUMENTS["w4-place"], input=place)["order"]
        pay = {"orderId": order["id"], "gateway": "TEST", "testOutcome": "SUCCEED", "idempotencyKey": f"payment {number}"}
        souk.change(DOCUMENTS["w4-pay"], input=pay)
    return plain_id(registered["user"]["id"])


def sign_in(souk):
    return souk.change(SIGN_IN, input=ANN)["tokens"]["accessToken"]


def plain_id(name):
    """The UUID behind `user_01k…`."""
    number = 0
    for letter in name.rpartition("_")[2]:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    return uuid.UUID(int=number)


def slug_of_five(souk):
    """A product with five variants, for W2."""
    after = None
    while True:
        page = souk.ask("""query($after: String) { products(first: 100, after: $after, sort: {field: NAME}) {
            nodes { slug variants { id } } pageInfo { hasNextPage endCursor } } }""", after=after)["products"]
        for node in page["nodes"]:
            if len(node["variants"]) == 5:
                return node["slug"]
        if not page["pageInfo"]["hasNextPage"]:
            fail("no product of five variants")
        after = page["pageInfo"]["endCursor"]


def searches(souk, full=False):
    """Searches that have a second page, if need be a full one, in an order that is always the same."""
    categories = souk.ask("{ categories(first: 100) { nodes { slug } } }")["categories"]["nodes"]
    every = [{"text": text, "category": category["slug"], "direction": direction}
             for text in WORDS for category in sorted(categories, key=lambda one: one["slug"]) for direction in ("ASC", "DESC")]
    random.Random(1).shuffle(every)
    found = []
    for one in every:
        if len(found) == SEARCHES:
            return found
        page = souk.ask(DOCUMENTS["w5"], **one)["products"]["pageInfo"]
        if full and page["hasNextPage"]:
            page = souk.ask(DOCUMENTS["w5"], **one, after=page["endCursor"])["products"]["pageInfo"]
        if page["hasNextPage"]:
            found.append(one)
    if len(found) < (50 if full else 200):
        fail(f"only {len(found)} searches have a second page: the catalog is too small")
    return found


def second_pages(port, path, searches):
    """The same searches with the cursor that this server gives to the end of the first page."""
    pages = []
    for one in searches:
        page = ask(port, path, DOCUMENTS["w5"], one)[1]["data"]["products"]["pageInfo"]
        pages.append({**one, "after": page["endCursor"]})
    return pages
