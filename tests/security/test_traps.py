"""What a shell or a home would tell drivers: a process that serves has none of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TRAPS = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CA_BUNDLE", "PGSERVICEFILE", "PGPASSFILE", "PGHOST", "PGSSLROOTCERT"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST", "HTTPS_PROXY", "https_proxy"),
    *("ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "TNS_ADMIN"),
    *("SNOWFLAKE_HOME", "SNOWFLAKE_PASSWORD", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_FILE", "ODBCINI", "MYSQL_HOME"),
    *("MOTHERDUCK_TOKEN", "motherduck_token", "KRB5_CONFIG", "KRB5CCNAME", "NETRC", "XDG_CONFIG_HOME"),
)
SCRIPT = """
import json, os
from moorings.settings import Settings, leave_environment
leave_environment(Settings(_env_file=None))
print(json.dumps(dict(os.environ)))
"""


def test_nothing_is_left_for_drivers(tmp_path: Path) -> None:
    given = os.environ | dict.fromkeys(TRAPS, "/a/canary") | {"MOORINGS_DATA_DIR": str(tmp_path), "HOME": "/a/home"}
    answer = subprocess.run([sys.executable, "-c", SCRIPT], env=given, capture_output=True, check=True, timeout=60)
    left = json.loads(answer.stdout)
    assert set(TRAPS) & set(left) == set()
    assert left["HOME"] == str(tmp_path / "home")
    assert left["PATH"] == os.environ["PATH"]
