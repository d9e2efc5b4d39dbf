#!/usr/bin/env bash
# Runs a command of bkcache, writes its output to the summary of the job, and ends with its exit code.
# Reads BKCACHE_ARGS, BKCACHE_SUMMARY, RUNNER_TEMP, GITHUB_STEP_SUMMARY and GITHUB_OUTPUT.
set -euo pipefail

# xargs takes quotes as a shell does, and neither variables nor substitutions: the arguments are data.
if ! list=$(xargs -n 1 printf '%s\n' <<<"$BKCACHE_ARGS"); then
    echo "::error title=bkcache::args cannot be read: a quote has no end"
    exit 2
fi
words=()
while IFS= read -r word; do
    words+=("$word")
done <<<"$list"

output=$(mktemp "$RUNNER_TEMP/bkcache-output.XXXXXX")
code=0
bkcache "${words[@]}" 2>&1 | tee "$output" || code=${PIPESTATUS[0]}
echo "exit-code=$code" >>"$GITHUB_OUTPUT"

if [ "$BKCACHE_SUMMARY" = true ]; then
    {
        printf '<details open><summary><code>bkcache'
        printf ' %q' "${words[@]}" | sed 's/&/\&amp;/g; s/</\&lt;/g'
        printf '</code>: exit code %s</summary>\n\n<pre>\n' "$code"
        # The output has names of files, which others have chosen: they are text here. A summary is at most 1 MiB.
        head -c 500000 "$output" | sed 's/&/\&amp;/g; s/</\&lt;/g'
        printf '</pre>\n</details>\n'
    } >>"$GITHUB_STEP_SUMMARY"
fi
rm "$output"
exit "$code"
