# The reader is in a fresh clone.
mkdir tests
cp -a "$FIXTURES" tests/fixtures
