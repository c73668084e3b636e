"""Addresses of repositories, branches and paths: what git takes."""

from __future__ import annotations

import re

import pytest

from moorings.dbt.names import PATH_PATTERN, is_address, is_branch


@pytest.mark.parametrize(
    "address",
    [
        "git@github.com:org/repo.git",
        "git@[2001:db8::1]:group/repo.git",
        "ssh://git@[2001:db8::1]:22/group/repo.git",
        "ssh://git@[::1]/x",
        "github.com:org/repo.git",
        "work-github:org/repo.git",
        "my_alias:repo",
        "ssh://host/x",
        "ssh://git@host:65535/x",
        "git@ssh.dev.azure.com:v3/org/project/repo",
    ],
)
def test_addresses(address):
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *("ssh://git@host:99999/x", "ssh://git@host:0/x", "ssh://git@host:/x", "ssh://git@host", "ssh://-x/y"),
        *(
            "https://github.com/org/repo",
            "git@host",
            "git@host:",
            "git@host:-x",
            "git@[::g]:x",
            "git@[::1:x",
            "/srv/git",
        ),
        *("git@host: x", "git@host:a b", "", "file:///x", "-oProxyCommand=x:y"),
    ],
)
def test_no_addresses(address):
    assert not is_address(address)


@pytest.mark.parametrize("branch", ["main", "feature/a-b", "a.b/c", "données", "v1.0", "a@b", "HEAD-1", "a/HEAD"])
def test_branches(branch):
    assert is_branch(branch)


@pytest.mark.parametrize(
    "branch",
    [
        *("a/.b", ".a", "a..b", "a/", "/a", "a//b", "a.lock", "a.lock/b", "a/b.lock", "a.", "@", "a@{b", "-a", "HEAD"),
        *("a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\tb", "a\x7fb", ""),
    ],
)
def test_no_branches(branch):
    assert not is_branch(branch)


@pytest.mark.parametrize("path", ["données", "pkgs/@scope/x", "a b/c", "проект", "a+b", "./a", "a/.hidden", "a&b"])
def test_paths(path):
    assert re.fullmatch(PATH_PATTERN, path)


@pytest.mark.parametrize("path", ["/a", "..", "../a", "a/../b", "a..b", "a\\b", "C:/a", "a\nb", "a\0b", ""])
def test_no_paths(path):
    assert not re.fullmatch(PATH_PATTERN, path)
