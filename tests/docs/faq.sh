# One build, exported with mode=max and with mode=min.
cp -a "$FIXTURES/app-max-manifest-oci-gzip" cache
cp -a "$FIXTURES/app-min-manifest-oci-gzip" min
