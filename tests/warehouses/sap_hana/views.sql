-- What Moorings asks of SAP HANA's system views, over DuckDB's own catalog.
CREATE TABLE dummy AS SELECT 'X' AS dummy;
CREATE SCHEMA app;
CREATE SCHEMA closed;
CREATE SCHEMA sys;

CREATE TABLE sys.explain_plan_table (
    statement_name VARCHAR, operator_id INTEGER, operator_name VARCHAR, operator_details VARCHAR,
    table_name VARCHAR, output_size DOUBLE, subtree_cost DOUBLE
);

CREATE VIEW sys.schemas AS
SELECT schema_name, 'SYSTEM' AS schema_owner,
    CASE WHEN schema_name = getvariable('barred') THEN 'FALSE' ELSE 'TRUE' END AS has_privileges
FROM duckdb_schemas() WHERE database_name = 'memory';

CREATE VIEW sys.tables AS
SELECT schema_name, table_name, comment AS comments, 'COLUMN' AS table_type, temporary
FROM duckdb_tables() WHERE schema_name NOT IN ('sys') AND table_name <> 'dummy' AND NOT temporary;

CREATE VIEW sys.m_tables AS
SELECT schema_name, table_name, estimated_size AS record_count, estimated_size * 8 AS table_size FROM duckdb_tables();

CREATE VIEW sys.views AS
SELECT schema_name, view_name, comment AS comments, 'ROW' AS view_type
FROM duckdb_views() WHERE NOT internal AND schema_name NOT IN ('sys');

CREATE VIEW sys.all_columns AS
SELECT schema_name, table_oid, table_name, column_name, column_index AS position,
    CASE WHEN data_type LIKE 'DECIMAL%' THEN 'DECIMAL' WHEN data_type = 'VARCHAR' THEN 'NVARCHAR'
        WHEN data_type = 'BLOB' THEN 'VARBINARY' WHEN data_type = 'FLOAT' THEN 'REAL'
        WHEN data_type = 'TIMESTAMP_S' THEN 'SECONDDATE' WHEN data_type = 'UTINYINT' THEN 'TINYINT'
        ELSE data_type END AS data_type_name,
    CASE WHEN data_type IN ('VARCHAR', 'BLOB') THEN 5000 ELSE numeric_precision END AS length,
    CASE WHEN data_type LIKE 'DECIMAL%' THEN numeric_scale END AS scale,
    CASE WHEN is_nullable THEN 'TRUE' ELSE 'FALSE' END AS is_nullable, comment AS comments
FROM duckdb_columns();

CREATE VIEW sys.table_columns AS
SELECT * FROM sys.all_columns WHERE table_oid IN (SELECT table_oid FROM duckdb_tables());

CREATE VIEW sys.view_columns AS
SELECT *, table_name AS view_name FROM sys.all_columns WHERE table_oid IN (SELECT view_oid FROM duckdb_views());

CREATE VIEW sys.constraints AS
SELECT schema_name, table_name, unnest(constraint_column_names) AS column_name,
    generate_subscripts(constraint_column_names, 1) AS position, constraint_name,
    CASE WHEN constraint_type = 'PRIMARY KEY' THEN 'TRUE' ELSE 'FALSE' END AS is_primary_key
FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE');

CREATE VIEW sys.referential_constraints AS
SELECT schema_name, table_name, unnest(constraint_column_names) AS column_name,
    generate_subscripts(constraint_column_names, 1) AS position, constraint_name,
    schema_name AS referenced_schema_name, referenced_table AS referenced_table_name,
    unnest(referenced_column_names) AS referenced_column_name
FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY';
