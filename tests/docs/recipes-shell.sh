# The folder of a build, the cache (also in a registry) and the record of the build before it, and a folder that jobs share.
cp -a "$WHY/web/context/." .
cp "$WHY/web/Dockerfile" .
cp -a "$WHY/web/cache" cache
cp "$WHY/web/dockerbuild" build.dockerbuild
bkcache -q copy ./cache registry.example.com/app:cache
cp -a "$WHY/web/cache" shared
printf '%s\n' plat plat-386 web web web-file > "$STATE/builds"
