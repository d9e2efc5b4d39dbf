# A cache that docker buildx exported.
cp -a "$FIXTURES/app-max-manifest-oci-gzip" cache
