# The folder of a build, and a cache in a folder of a runner.
cp -a "$WHY/web/context/." .
cp "$WHY/web/Dockerfile" .
printf '%s\n' web web-two web-command > "$STATE/builds"
cp -a "$WHY/web/cache" folder
