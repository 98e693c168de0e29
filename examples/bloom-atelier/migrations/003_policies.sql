-- Customers see their own orders only; the shop's own service sees all.
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;

ALTER TABLE customers ADD COLUMN user_id uuid;

CREATE POLICY own_orders ON orders FOR SELECT TO authenticated
    USING (customer_id IN (SELECT id FROM customers WHERE user_id = auth.uid()));

CREATE POLICY shop ON orders TO service_role USING (true) WITH CHECK (true);

GRANT SELECT ON orders, customers TO authenticated;
GRANT SELECT ON bouquets TO anon, authenticated;

CREATE VIEW turnover AS
SELECT date_trunc('month', o.placed_at) AS month, sum(l.total) AS amount
FROM orders o JOIN order_lines l ON l.order_id = o.id
WHERE o.state <> 'cancelled'
GROUP BY 1;

CREATE FUNCTION touch_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.joined_at := coalesce(NEW.joined_at, now());
    RETURN NEW;
END
$$;

CREATE TRIGGER customers_joined BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION touch_joined();
