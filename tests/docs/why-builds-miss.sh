# The page's reader is in tests/why. Git keeps no modes of the contexts; $WHY has them.
cp -a "$WHY/." .
echo stamp-note > "$STATE/builds"
# What a reader has of builds of their own.
cp -a stamp-note/context/. .
cp -a stamp/cache cache
cp -a stamp-note/cache new
cp stamp/dockerbuild build.dockerbuild
cp stamp-note/dockerbuild new.dockerbuild
cp -a new cache-new
cp -a cache cache-old
