# The folder of a build. Each job's build is another one.
cp -a "$WHY/plat/context/." .
printf '%s\n' plat plat-386 plat-386 > "$STATE/builds"
cp -a "$WHY/plat/cache" shared
