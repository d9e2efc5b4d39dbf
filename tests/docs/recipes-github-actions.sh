# The folder of a build, a cache in another registry, and one in a folder of a runner.
cp -a "$WHY/web/context/." .
cp "$WHY/web/Dockerfile" .
printf '%s\n' web web-two web-command > "$STATE/builds"
cp -a "$WHY/web/cache" cache
bkcache -q copy ./cache registry.example.com/app:cache
