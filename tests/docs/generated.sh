# The caches of the picture.
cp -a "$WHY/web/cache" old
cp "$WHY/web/dockerbuild" old.dockerbuild
cp -a "$WHY/web-command/cache" new
cp "$WHY/web-command/dockerbuild" new.dockerbuild
cp -a "$WHY/raw/cache" cache
cp "$WHY/raw/dockerbuild" build.dockerbuild
