cp -a "$WHY/raw/cache" cache
cp "$WHY/raw/dockerbuild" build.dockerbuild
