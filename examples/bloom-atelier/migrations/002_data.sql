INSERT INTO customers (email, name, joined_at, preferences)
SELECT 'customer' || n || '@example.com', 'Customer ' || n, timestamptz '2026-01-01' + n * interval '1 hour',
       jsonb_build_object('newsletter', n % 3 = 0, 'colours', jsonb_build_array('red', 'white'))
FROM generate_series(1, 2000) AS n;

INSERT INTO bouquets (name, price, season)
SELECT 'Bouquet No. ' || n, 9.90 + n, daterange(date '2026-03-01' + n, date '2026-09-01' + n)
FROM generate_series(1, 40) AS n;

INSERT INTO orders (customer_id, state, placed_at)
SELECT 1 + n % 2000, (ARRAY['placed', 'paid', 'delivered', 'cancelled']::order_state[])[1 + n % 4], timestamptz '2026-02-01' + n * interval '7 minutes'
FROM generate_series(1, 10000) AS n;

INSERT INTO order_lines (order_id, bouquet_id, quantity, unit_price)
SELECT o, 1 + (o * 7 + l) % 40, 1 + (o + l) % 5, 9.90 + (o + l) % 40
FROM generate_series(1, 10000) AS o, generate_series(1, 3) AS l;
