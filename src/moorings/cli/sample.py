"""Creates the sample database: a small shop's customers, orders and order items, the same on every machine.

Run as `python -m moorings.cli.sample FILE MEMORY THREADS`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TABLES = """
CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    country VARCHAR NOT NULL,
    signed_up DATE NOT NULL
);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers,
    ordered_at TIMESTAMP NOT NULL,
    status VARCHAR NOT NULL,
    total DECIMAL(12, 2) NOT NULL
);
CREATE TABLE order_items (
    order_id INTEGER NOT NULL REFERENCES orders,
    line INTEGER NOT NULL,
    product VARCHAR NOT NULL,
    quantity INTEGER NOT NULL,
    price DECIMAL(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);
"""

# `draw(n, salt)` is a pseudorandom number from 0 to 999,999 that is the same on every machine. The sequence of DuckDB's
# own generator could change between versions, and the documentation shows results of these tables.
ROWS = """
CREATE TEMP MACRO draw(n, salt) AS ('0x' || left(md5(n || '/' || salt), 8))::BIGINT % 1000000;
CREATE TEMP MACRO pick(names, n, salt) AS names[1 + draw(n, salt) % len(names)];

INSERT INTO customers
SELECT n,
    pick(['Ada', 'Bo', 'Chidi', 'Dana', 'Eino', 'Farah', 'Goro', 'Hana', 'Ines', 'Jun'], n, 1) || ' ' ||
    pick(['Abara', 'Berg', 'Costa', 'Dahl', 'Endo', 'Fischer', 'Garcia', 'Hoang', 'Ivanov', 'Jensen'], n, 2),
    pick(['Brazil', 'Canada', 'France', 'Germany', 'Japan', 'Kenya', 'Norway', 'Portugal'], n, 3),
    DATE '2022-01-01' + (draw(n, 4) % 730)::INTEGER
FROM range(1, 1001) AS numbers(n);

CREATE TEMP TABLE items AS
SELECT order_id, line,
    pick(['Anchor', 'Bilge pump', 'Buoy', 'Chart', 'Cleat', 'Compass', 'Fender', 'Flare', 'Lantern', 'Rope'],
        order_id * 4 + line, 5) AS product,
    1 + draw(order_id * 4 + line, 6) % 5 AS quantity,
    (500 + draw(order_id * 4 + line, 7) % 20000)::DECIMAL(10, 2) / 100 AS price
FROM range(1, 5001) AS numbers(order_id), range(1, 5) AS lines(line)
WHERE line <= 1 + draw(order_id, 8) % 4;

INSERT INTO orders
SELECT order_id, 1 + draw(order_id, 9) % 1000,
    TIMESTAMP '2024-01-01' + INTERVAL 1 MINUTE * (draw(order_id, 10) % 525600),
    pick(['delivered', 'delivered', 'delivered', 'shipped', 'returned'], order_id, 11),
    (SELECT sum(quantity * price) FROM items WHERE items.order_id = numbers.order_id)
FROM range(1, 5001) AS numbers(order_id)
ORDER BY order_id;

INSERT INTO order_items SELECT order_id, line, product, quantity, price FROM items ORDER BY order_id, line;
"""


def make(path: Path, memory: str, threads: str) -> None:
    """Write the database to `path` atomically; an existing file is replaced.

    `memory` and `threads` are DuckDB's limits, as its options are written.
    """
    import duckdb

    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with duckdb.connect(str(draft), config={"memory_limit": memory, "threads": threads}) as connection:
            connection.execute(TABLES)
            connection.execute(ROWS)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]), *sys.argv[2:])
