# The folder of a build, a cache in another registry, and one in a folder of a runner.
cp -a "$WHY/plat/context/." .
cp "$WHY/plat/Dockerfile" .
printf '%s\n' plat plat-386 plat-386 > "$STATE/builds"
cp -a "$WHY/plat/cache" cache
bkcache -q copy ./cache registry.example.com/app:cache
