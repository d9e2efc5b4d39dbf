# A repository that has a cache.
bkcache copy -q "$FIXTURES/app-max-manifest-oci-gzip" registry.example.com/app:cache
echo secret >token
