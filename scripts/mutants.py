"""Mutate a room, or the lines of a change, in a copy of the checkout; run the narrowest tests; list what survives.

Run by `make mutants`, in Cosmic Ray's own environment.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".mutants"
TREE = WORK / "tree"
SOURCE = Path("src/moorings")

TESTS = {
    "access": "tests/http/test_sources_of_rights.py tests/conformance/test_model_roles.py"
    " tests/conformance/test_keys.py tests/conformance/test_attributes.py tests/http/test_repeats.py"
    " tests/http/keys/test_keys.py tests/http/test_roles.py tests/http/scim/test_scim.py",
    "connections": "tests/http/test_patch.py tests/http/test_list.py tests/conformance/test_create.py",
    "engine": "tests/unit/engine src/moorings/testing/suite/test_pool.py tests/warehouses/test_unread.py",
    "environments": "tests/unit/environments tests/conformance/test_environments.py tests/http/test_environments.py"
    " tests/http/test_routes.py tests/conformance/test_attributes.py",
    "jobs": "tests/unit/jobs tests/http/test_jobs.py",
    "queries": "tests/unit/queries tests/http/test_queries.py tests/http/test_fair_share.py"
    " tests/conformance/test_query_jobs.py tests/security/test_lost_rights.py tests/processes/test_small_queries.py"
    " tests/processes/test_replicas.py",
    "schedules": "tests/unit/schedules tests/conformance/test_schedules.py tests/http/test_schedules.py",
    "secrets": "tests/unit/test_secrets.py",
}
"""Room → the tests that must notice its mutants, fastest first. Of another room, those of the same name."""

OPERATORS = re.compile(
    "core/(AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBreakWithContinue"
    "|ReplaceContinueWithBreak|ExceptionReplacer|NumberReplacer|ZeroIterationForLoop|RemoveDecorator"
    "|ReplaceUnaryOperator_(Delete_Not|USub_UAdd)"
    "|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul)"
    "|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Is_IsNot|IsNot_Is))"
)
"""The mistakes of a tired developer. Cosmic Ray has 150 more, such as `<<` for `+`, which any test notices."""

CONFIG = """\
[cosmic-ray]
module-path = {modules}
timeout = {timeout}
excluded-modules = []
test-command = {command}

[cosmic-ray.distributor]
name = "local"
"""


def git(*arguments: str, where: Path = ROOT) -> str:
    return subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, text=True).stdout


def copy_checkout() -> None:
    """Copy what is committed and what is not: mutants are written over the files."""
    shutil.rmtree(TREE, ignore_errors=True)
    WORK.mkdir(exist_ok=True)
    for name in git("ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)
    if (ROOT / ".engines").exists():
        (TREE / ".engines").symlink_to(ROOT / ".engines")


def changed_lines(since: str) -> dict[str, set[int]]:
    """The lines of the source that differ from a commit, by file."""
    lines: dict[str, set[int]] = {}
    path = ""
    for line in git("diff", "-U0", since, "--", str(SOURCE)).splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
        elif found := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, number = int(found[1]), int(found[2] or 1)
            lines.setdefault(path, set()).update(range(first, first + number))
    return {path: numbers for path, numbers in lines.items() if path.endswith(".py") and numbers}


def tests_of(paths: list[str]) -> list[str]:
    """The tests of the rooms that the paths are in."""
    rooms = dict.fromkeys(Path(path).relative_to(SOURCE).with_suffix("").parts[0] for path in paths)
    found = [test for room in rooms for test in TESTS.get(room, f"tests/unit/{room}").split()]
    return [test for test in found if (ROOT / test).exists()] or ["tests/unit"]


def command(tests: list[str]) -> str:
    """Run tests on SQLite and DuckDB until one fails; other engines start too slowly to do so for each mutant."""
    python = ROOT / ".venv" / "bin" / "python"
    off = [f"-pno:{plugin}" for plugin in ("schemathesis", "xdist", "cacheprovider", "hypothesispytest")]
    return shlex.join([str(python), "-m", "pytest", "-x", *off, "-k", "not postgres", *tests])


def choose(db: WorkDB, lines: dict[str, set[int]] | None, most: int) -> None:
    """Skip what is no mistake that somebody makes, lines that did not change, and what is more than so many."""
    skipped, kept = [], []
    for item in db.pending_work_items:
        (kept if _matters(item, lines) else skipped).append(item.job_id)
    random.Random(0).shuffle(kept)  # noqa: S311  # the same ones each time
    skipped += kept[most:]
    db.set_multiple_results(skipped, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
    print(f"{min(len(kept), most)} of {len(kept)} mutants", flush=True)


def _matters(item: WorkItem, lines: dict[str, set[int]] | None) -> bool:
    (mutation,) = item.mutations
    row, column = mutation.start_pos
    line = (TREE / mutation.module_path).read_text().splitlines()[row - 1]
    if line[column:].startswith("*,"):
        return False  # the mark of keyword-only parameters, which Cosmic Ray takes for a product
    if line.startswith("@dataclass("):
        return False  # nothing assigns to frozen objects: the type checker refuses it
    here = range(mutation.start_pos[0], mutation.end_pos[0] + 1)
    changed = lines is None or not lines[str(mutation.module_path)].isdisjoint(here)
    return changed and OPERATORS.fullmatch(mutation.operator_name) is not None


def report(db: WorkDB) -> None:
    """Print what survived, and the share that did not."""
    results = [(job, result) for job, result in db.results if result.worker_outcome != WorkerOutcome.SKIPPED]
    survivors = [(job, each) for job, each in results if each.test_outcome == TestOutcome.SURVIVED]
    for _, result in survivors:
        lines = [line for line in (result.diff or "").splitlines() if line[:1] in "+-" and line[:4] != "--- "]
        print("\n".join(lines), end="\n\n")
    noticed = len(results) - len(survivors)
    print(f"{noticed} of {len(results)} mutants noticed ({100 * noticed // max(1, len(results))}%)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--room", help="a folder or file of src/moorings; without it, the lines that changed")
    parser.add_argument("--since", default="origin/main", help="the commit that the lines differ from (%(default)s)")
    parser.add_argument("--most", type=int, default=200, help="how many mutants to try at most (%(default)s)")
    parser.add_argument("--tests", nargs="+", help="the tests to run, in place of those of the room")
    given = parser.parse_args()
    lines = None if given.room else changed_lines(given.since)
    if lines is not None and not lines:
        sys.exit(f"No line of {SOURCE} differs from {given.since}.")
    room = SOURCE / (given.room or "")
    paths = [str(room if (ROOT / room).is_dir() else room.with_suffix(".py"))] if lines is None else list(lines)

    copy_checkout()
    tests = command(given.tests or tests_of(paths))
    os.environ["PYTHONPATH"] = str(TREE / "src")
    os.chdir(TREE)
    print(tests, flush=True)
    began = time.monotonic()
    without = subprocess.run(shlex.split(tests), capture_output=True, text=True, check=False)
    if without.returncode:
        sys.exit(f"These tests fail without any mutant:\n{without.stdout[-3000:]}")
    timeout = 30 + 2 * (time.monotonic() - began)
    session, config = WORK / "session.sqlite", WORK / "config.toml"
    session.unlink(missing_ok=True)
    config.write_text(CONFIG.format(modules=paths, timeout=timeout, command=repr(tests)))
    cosmic_ray = [str(Path(sys.executable).with_name("cosmic-ray"))]
    subprocess.run([*cosmic_ray, "init", str(config), str(session)], check=True)
    with use_db(session, WorkDB.Mode.open) as db:
        choose(db, lines, given.most)
    try:
        subprocess.run([*cosmic_ray, "exec", str(config), str(session)], check=True)
    finally:
        with use_db(session, WorkDB.Mode.open) as db:
            report(db)


if __name__ == "__main__":
    main()
