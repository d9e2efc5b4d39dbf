# The folder of a build. The last build is another one of the same Dockerfile.
cp -a "$WHY/web/context/." .
cp "$WHY/web/Dockerfile" .
printf '%s\n' web web web-file web web-file > "$STATE/builds"
