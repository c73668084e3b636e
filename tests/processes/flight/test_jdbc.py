"""The official JDBC driver, which DBeaver, Tableau and others use."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.processes.conftest import TOKEN
from tests.warehouses.servers.process import unavailable

VERSION = "18.3.0"
DRIVER = f"org/apache/arrow/flight-sql-jdbc-driver/{VERSION}/flight-sql-jdbc-driver-{VERSION}.jar"
PROGRAM = Path(__file__).with_name("Jdbc.java")
EXPECTED = """\
query: Ada 2020-01-01, Grace null
prepared: Grace
fault: true
product: Moorings
catalogs: shop
schemas: public
tables: customer TABLE, everyone VIEW, purchase TABLE
columns: id bigint, customer_id integer, total numeric(12,2)
primary key: id
foreign key: customer_id
types:\x20
lacking:
login: refused
"""


def test_reads_rows_and_catalogs(door: Any):
    jar = Path.home() / ".m2" / "repository" / DRIVER
    if shutil.which("java") is None or not jar.is_file():
        remedy = f"mvn dependency:get -Dartifact=org.apache.arrow:flight-sql-jdbc-driver:{VERSION}"
        unavailable("The JDBC driver of Flight SQL (or Java)", remedy)
    url = f"jdbc:arrow-flight-sql://127.0.0.1:{door.port}/?useEncryption=false&database=Shop"
    command = ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-XX:TieredStopAtLevel=1", "-cp", str(jar)]
    ran = subprocess.run([*command, str(PROGRAM), url, TOKEN], capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout == EXPECTED, ran.stderr
