# A cache that BuildKit writes in several orders.
cp -a "$FIXTURES/matrix-two" .
