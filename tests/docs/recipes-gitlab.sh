# The folder of a build, and a cache in a folder of a runner.
cp -a "$WHY/plat/context/." .
cp "$WHY/plat/Dockerfile" .
printf '%s\n' plat plat-386 plat > "$STATE/builds"
cp -a "$WHY/plat/cache" folder
