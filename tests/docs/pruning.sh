# A cache, one of a build with another source file, and one that lost a blob.
cp -r "$FIXTURES/app-max-manifest-oci-gzip" cache
cp -r "$FIXTURES/changed-source" other
cp -r "$FIXTURES/app-max-manifest-oci-gzip" lost
rm lost/blobs/sha256/2d8e0f4f7ab80e41eb7ecd327341f550c33778be7dc4bd878ed04fcfcd42b545
