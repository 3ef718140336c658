// Mercurius with its JIT and loaders, on Souk's own tables: the loads' documents as they are.
// usage: node mercurius.mjs PORT DATABASE_URL CUSTOMER
import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';

const [port, connectionString, customer] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 10 });

// Prepared under a name, once for each connection.
const names = new Map();
const rows = async (text, values) => {
  if (!names.has(text)) names.set(text, `statement${names.size}`);
  return (await pool.query({ name: names.get(text), text, values })).rows;
};

const schema = `
  input ProductBy { slug: String! }
  input CategoryBy { slug: String! }
  input ProductFilter { text: String!, category: CategoryBy! }
  enum ProductSortField { NAME PRICE }
  enum SortDirection { ASC DESC }
  input ProductSort { field: ProductSortField!, direction: SortDirection = ASC }
  type Money { amount: String!, currencyCode: String! }
  type MoneyRange { min: Money!, max: Money! }
  type Category { name: String!, slug: String! }
  type Image { url: String! }
  type Variant { title: String!, sku: String, price: Money!, product: Product! }
  type Product {
    name: String!, slug: String!, description: String!, priceRange: MoneyRange!
    category: Category, featuredImage: Image, variants(first: Int = 100): [Variant!]!
  }
  type PageInfo { hasNextPage: Boolean!, endCursor: String }
  type ProductConnection { nodes: [Product!]!, pageInfo: PageInfo! }
  type OrderLine { quantity: Int!, variant: Variant }
  type Payment { status: String!, amount: Money! }
  type Order { number: String!, status: String!, total: Money!, lines: [OrderLine!]!, payments: [Payment!]! }
  type OrderConnection { nodes: [Order!]! }
  type User { orders(first: Int = 20): OrderConnection! }
  type Query {
    products(first: Int = 20, after: String, filter: ProductFilter, sort: ProductSort!): ProductConnection!
    product(by: ProductBy!): Product
    me: User
  }
`;

const money = (cents, currencyCode) => ({ amount: (cents / 100).toFixed(2), currencyCode });
const product = (row) => ({
  id: row.id, name: row.name, slug: row.slug, description: row.description, categoryId: row.category_id,
  priceRange: { min: money(row.price_min, row.currency), max: money(row.price_max, row.currency) },
});
const variant = (row) => ({ productId: row.product_id, title: row.title, sku: row.sku, price: money(row.price, row.currency) });

const PRODUCT = 'SELECT p.id, p.name, p.slug, p.description, p.price_min, p.price_max, p.currency, p.category_id FROM product p';
const VARIANT = 'SELECT v.id, v.product_id, v.title, v.sku, v.price, p.currency FROM product_variant v JOIN product p ON p.id = v.product_id';
const search = (beyond, order) => `${PRODUCT} JOIN product_listing l ON l.product_id = p.id
  WHERE l.category_id = (SELECT id FROM category WHERE slug = $1) AND l.status = 'ACTIVE'
    AND p.id IN (SELECT product_id FROM product_search WHERE document @@ $2::tsquery)
    AND (l.price_min, l.product_id) ${beyond} ($3, $4) ORDER BY l.price_min ${order}, l.product_id ${order} LIMIT $5`;
const SEARCH = { ASC: search('>', 'ASC'), DESC: search('<', 'DESC') };
const START = {
  ASC: ['-1', '00000000-0000-0000-0000-000000000000'],
  DESC: ['9223372036854775807', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
};

const resolvers = {
  Query: {
    async products(_, { first, after, filter, sort }) {
      const found = filter
        ? await rows(SEARCH[sort.direction],
          [filter.category.slug, filter.text, ...(after ? after.split('.') : START[sort.direction]), first + 1])
        : await rows(`${PRODUCT} WHERE p.status = 'ACTIVE' ORDER BY p.name_key, p.id LIMIT $1`, [first + 1]);
      const page = found.slice(0, first);
      const last = page.at(-1);
      const endCursor = last ? `${last.price_min}.${last.id}` : null;
      return { nodes: page.map(product), pageInfo: { hasNextPage: found.length > first, endCursor } };
    },
    async product(_, { by }) {
      const [row] = await rows(`${PRODUCT} WHERE p.slug = $1 AND p.status = 'ACTIVE'`, [by.slug]);
      return row ? product(row) : null;
    },
    me: () => ({ id: customer }),
  },
  User: {
    async orders(user, { first }) {
      const found = await rows('SELECT id, number, status, total, currency FROM shop_order WHERE user_id = $1 ORDER BY placed_at DESC, id DESC LIMIT $2', [user.id, first]);
      return { nodes: found.map((row) => ({ ...row, total: money(row.total, row.currency) })) };
    },
  },
};

// One row, or all rows, of each key.
const one = (found, key, ids, make) => {
  const by = new Map(found.map((row) => [row[key], make(row)]));
  return ids.map((id) => by.get(id) ?? null);
};
const many = (found, key, ids, make) => {
  const by = new Map();
  for (const row of found) {
    if (!by.has(row[key])) by.set(row[key], []);
    by.get(row[key]).push(make(row));
  }
  return ids.map((id) => by.get(id) ?? []);
};
// What a request has read is not read again in it, and nothing beyond it: otherwise answers would never change.
const loader = (key, sql, pick) => async (queries) => {
  const ids = queries.map(({ obj }) => obj[key]);
  return pick(await rows(sql, [[...new Set(ids)]]), ids, queries);
};

const loaders = {
  Product: {
    category: loader('categoryId', 'SELECT id, name, slug FROM category WHERE id = ANY($1)', (found, ids) => one(found, 'id', ids, (row) => row)),
    featuredImage: loader('id', 'SELECT DISTINCT ON (product_id) product_id, url FROM product_image WHERE product_id = ANY($1) ORDER BY product_id, position, id',
      (found, ids) => one(found, 'product_id', ids, (row) => row)),
    variants: loader('id', `${VARIANT} WHERE v.product_id = ANY($1) ORDER BY v.position, v.id`,
      (found, ids, queries) => many(found, 'product_id', ids, variant).map((list, i) => list.slice(0, queries[i].params.first))),
  },
  Variant: {
    product: loader('productId', `${PRODUCT} WHERE p.status = 'ACTIVE' AND p.id = ANY($1)`, (found, ids) => one(found, 'id', ids, product)),
  },
  Order: {
    lines: loader('id', 'SELECT order_id, quantity, variant_id FROM order_line WHERE order_id = ANY($1) ORDER BY position',
      (found, ids) => many(found, 'order_id', ids, (row) => ({ quantity: row.quantity, variantId: row.variant_id }))),
    payments: loader('id', 'SELECT order_id, status, amount, currency FROM payment WHERE order_id = ANY($1) ORDER BY created_at, id',
      (found, ids) => many(found, 'order_id', ids, (row) => ({ status: row.status, amount: money(row.amount, row.currency) }))),
  },
  OrderLine: {
    variant: loader('variantId', `${VARIANT} WHERE v.id = ANY($1)`, (found, ids) => one(found, 'id', ids, variant)),
  },
};

const app = Fastify();
app.register(mercurius, { schema, resolvers, loaders, jit: 1 });
await app.listen({ port: Number(port), host: '127.0.0.1' });
