-- The tables that PostGraphile makes its API of, filled from Souk's, with an index for every list that the loads ask for.
CREATE SCHEMA peer;
CREATE TABLE peer.category (id uuid PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE);
CREATE TABLE peer.product (
    id uuid PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, description text NOT NULL,
    price_min bigint NOT NULL, price_max bigint NOT NULL, currency text NOT NULL, name_key text COLLATE "C" NOT NULL,
    category_id uuid REFERENCES peer.category (id));
CREATE TABLE peer.image (
    id uuid PRIMARY KEY, product_id uuid NOT NULL REFERENCES peer.product (id), position int NOT NULL, url text NOT NULL);
CREATE TABLE peer.variant (
    id uuid PRIMARY KEY, product_id uuid NOT NULL REFERENCES peer.product (id), position int NOT NULL, title text NOT NULL,
    sku text, price bigint NOT NULL);
CREATE TABLE peer.placed (
    id uuid PRIMARY KEY, user_id uuid, number text NOT NULL, status text NOT NULL, total bigint NOT NULL,
    currency text NOT NULL, placed_at timestamptz NOT NULL);
CREATE TABLE peer.order_item (
    id uuid PRIMARY KEY, order_id uuid NOT NULL REFERENCES peer.placed (id), position int NOT NULL, quantity int NOT NULL,
    variant_id uuid REFERENCES peer.variant (id));
CREATE TABLE peer.payment (
    id uuid PRIMARY KEY, order_id uuid NOT NULL REFERENCES peer.placed (id), status text NOT NULL, amount bigint NOT NULL,
    currency text NOT NULL);

INSERT INTO peer.category SELECT id, name, slug FROM public.category;
INSERT INTO peer.product
    SELECT id, name, slug, description, price_min, price_max, currency, name_key, category_id
    FROM public.product WHERE status = 'ACTIVE';
INSERT INTO peer.image
    SELECT i.id, i.product_id, i.position, i.url FROM public.product_image i JOIN peer.product p ON p.id = i.product_id;
INSERT INTO peer.variant
    SELECT v.id, v.product_id, v.position, v.title, v.sku, v.price
    FROM public.product_variant v JOIN peer.product p ON p.id = v.product_id;
INSERT INTO peer.placed SELECT id, user_id, number, status, total, currency, placed_at FROM public.shop_order;
INSERT INTO peer.order_item SELECT id, order_id, position, quantity, variant_id FROM public.order_line;
INSERT INTO peer.payment SELECT id, order_id, status, amount, currency FROM public.payment;

CREATE INDEX ON peer.product (name_key, id);
CREATE INDEX ON peer.product (category_id);
CREATE INDEX ON peer.image (product_id, position);
CREATE INDEX ON peer.variant (product_id, position);
CREATE INDEX ON peer.placed (user_id, placed_at);
CREATE INDEX ON peer.order_item (order_id, position);
CREATE INDEX ON peer.payment (order_id);

-- The search, by the index and the lists that Souk keeps; inlined by PostgreSQL.
CREATE FUNCTION peer.cheapest(word text, category text, price bigint, beyond uuid) RETURNS SETOF peer.product
    LANGUAGE sql STABLE AS $$
    SELECT p.* FROM public.product_listing l JOIN peer.product p ON p.id = l.product_id
    WHERE l.category_id = (SELECT c.id FROM peer.category c WHERE c.slug = $2) AND l.status = 'ACTIVE'
        AND l.product_id IN (SELECT s.product_id FROM public.product_search s WHERE s.document @@ $1::tsquery)
        AND (l.price_min, l.product_id) > ($3, $4)
    ORDER BY l.price_min, l.product_id $$;
CREATE FUNCTION peer.dearest(word text, category text, price bigint, beyond uuid) RETURNS SETOF peer.product
    LANGUAGE sql STABLE AS $$
    SELECT p.* FROM public.product_listing l JOIN peer.product p ON p.id = l.product_id
    WHERE l.category_id = (SELECT c.id FROM peer.category c WHERE c.slug = $2) AND l.status = 'ACTIVE'
        AND l.product_id IN (SELECT s.product_id FROM public.product_search s WHERE s.document @@ $1::tsquery)
        AND (l.price_min, l.product_id) < ($3, $4)
    ORDER BY l.price_min DESC, l.product_id DESC $$;
ANALYZE;
