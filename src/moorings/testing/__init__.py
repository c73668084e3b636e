"""The suite that every dialect passes, for packages that bring one; the service loads nothing of it.

A package describes its engine in a row (`moorings.testing.engines.Under`), hands it over by the hook
`pytest_moorings_engines` of a pytest plugin of its own, and runs
`pytest -p its.plugin --pyargs moorings.testing.suite`.
"""
