"""Servers of others, from npm: Mercurius on Souk's own tables, and PostGraphile on a copy of what it needs."""
import json
import shutil
import subprocess

from . import shop, wrk
from .machine import Postgres, Process, free_port, note

FILES = shop.ROOT / "benches" / "peers"
CARD = """name slug priceMin priceMax currency categoryByCategoryId { name }
    imagesByProductId(first: 1, orderBy: POSITION_ASC) { nodes { url } }"""
HITS = f"nodes {{ {CARD} }} pageInfo {{ hasNextPage endCursor }}"
# What the loads ask for, in the words that PostGraphile makes of tables.
DOCUMENTS = {
    "W1": f"query {{ allProducts(first: 20, orderBy: [NAME_KEY_ASC, PRIMARY_KEY_ASC]) {{ nodes {{ {CARD} }} }} }}",
    "W2": """query($slug: String!) { productBySlug(slug: $slug) {
        name slug description priceMin priceMax currency categoryByCategoryId { name slug }
        variantsByProductId(first: 5, orderBy: POSITION_ASC) { nodes { title sku price } } } }""",
    "W3": """query($customer: UUID!) { allPlaceds(first: 20, condition: {userId: $customer}, orderBy: PLACED_AT_DESC) { nodes {
        number status total currency
        orderItemsByOrderId(orderBy: POSITION_ASC) { nodes {
            quantity variantByVariantId { title productByProductId { name categoryByCategoryId { name } } } } }
        paymentsByOrderId { nodes { status amount currency } } } } }""",
    "W5": {direction: f"""query($text: String!, $category: String!, $price: BigInt!, $beyond: UUID!) {{
        {function}(word: $text, category: $category, price: $price, beyond: $beyond, first: 20) {{ {HITS} }} }}"""
           for direction, function in (("ASC", "cheapest"), ("DESC", "dearest"))},
}


def install(folder):
    note("fetching the peers from npm")
    shutil.copytree(FILES, folder)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)


def start(setting, loads, core, bench_port):
    """Each peer with each load that it is asked for; none on SQLite."""
    if not isinstance(setting.database, Postgres):
        return []
    folder = setting.folder / "peers"
    install(folder)
    setting.database.run("souk", (FILES / "postgraphile.sql").read_text())
    ports = {}
    for name, more in (("mercurius", [setting.customer]), ("postgraphile", [])):
        ports[name] = free_port()
        server = Process(core, ["node", folder / f"{name}.mjs", ports[name], setting.url, *more],
                         setting.folder / f"{name}.log", cwd=folder, env={**shop.environment(setting.url, 1), "NODE_ENV": "production"})
        setting.servers.append(server)
        server.until_it_listens(ports[name])
        ports[name] = (server.pid, ports[name])
    names = {name: f"{title} {version(folder, name)}" for name, title in (("mercurius", "Mercurius"), ("postgraphile", "PostGraphile"))}
    found = [(load, setting.target(names["mercurius"], load, *ports["mercurius"], "/graphql")) for load in loads]
    return found + [(load, postgraphile(names["postgraphile"], setting, load, *ports["postgraphile"], bench_port)) for load in loads]


def version(folder, name):
    return json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]


def postgraphile(name, setting, load, pid, port, bench_port):
    """With documents of its own, so that its answers are looked at for errors alone, and for as many rows."""
    document, variables = DOCUMENTS[load], setting.variables[load]
    if load == "W3":
        variables = [{"customer": str(setting.customer)}]
    pairs = [(document, each) for each in variables]
    if load == "W5":
        # The bare server's cursor says what it stands for.
        pairs = []
        for each in shop.second_pages(bench_port, "/bare/w5", variables):
            price, beyond = each["after"].split(".")
            pairs.append((document[each["direction"]], {"text": each["text"], "category": each["category"], "price": price, "beyond": beyond}))
    answer = shop.ask(port, "/graphql", *pairs[0])[1]["data"]
    (found,) = answer.values()
    rows = found["nodes"] if "nodes" in found else found["variantsByProductId"]["nodes"]
    expected = {"W1": 20, "W2": 5, "W3": 20}.get(load, 1)
    if len(rows) < expected:
        raise SystemExit(f"bench: PostGraphile answers {load} with {len(rows)} rows: {answer}")
    file = setting.folder / f"{load}-postgraphile.lua"
    return wrk.Target(name, pid, port, "/graphql", file, [body for pair in pairs for body in wrk.bodies(pair[0], [pair[1]])])
