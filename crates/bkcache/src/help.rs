//! The longer texts of `--help`: how caches are named, explanations, examples.
//!
//! Prose has no line breaks, so that it is wrapped to the terminal. Examples are at most 80 columns wide.

/// The page about errors and findings, as it was when this version was released.
const TROUBLESHOOTING: &str = concat!(
    "https://github.com/bkcache/bkcache/blob/v",
    env!("CARGO_PKG_VERSION"),
    "/docs/troubleshooting.md"
);

/// The address of what the documentation says about a kind of error or finding.
pub(crate) fn help_address(kind: &str) -> String {
    format!("{TROUBLESHOOTING}#{kind}")
}

/// The end of `bkcache -h`.
pub(crate) const MORE: &str = "\
Run `bkcache --help` for the names of caches, examples and exit codes, and `bkcache COMMAND --help` for a command.";

/// The end of `-h` of a command.
pub(crate) const MORE_OF_A_COMMAND: &str = "Run it with --help for explanations and examples.";

/// The end of `bkcache --help`.
pub(crate) const NAMES_AND_EXAMPLES: &str = "\
A cache is named by a folder, by a repository with its host, or by attributes:
  ./cache  ./cache:TAG  ./cache@sha256:…  a folder (an OCI layout)
  HOST/REPOSITORY:TAG                     a repository, always with its host
  type=local,src=./cache,tag=main         a folder to read from
  type=local,dest=./cache,tag=main        a folder to write to
  type=registry,ref=user/app:cache        docker.io/user/app:cache

Without a tag, `latest` is meant; of a folder that has only one cache, that one is read.

Examples:
  bkcache ls registry.example.com/app     list the tags, and which are caches
  bkcache inspect ./cache                 summarize a cache
  bkcache inspect --tree ./cache          show its records as a tree
  bkcache verify ./cache && echo sound    check that it is complete and correct
  bkcache copy ./cache ./other:main       copy it byte for byte
  bkcache copy registry.example.com/app:cache ./cache
  bkcache copy --form manifest ./cache ./oci
                                          in BuildKit's default form
  bkcache merge ./amd64 ./arm64 ./cache   one cache of the jobs of a matrix
  bkcache prune --in-place --older-than 14d registry.example.com/app:cache
  bkcache why ./new --was ./old --record new.dockerbuild
                                          why the new build missed the old cache
  bkcache predict ./cache --record last.dockerbuild --context .
                                          which steps the next build will run
  bkcache gc --dry-run ./cache            the blobs that no tag leads to

Credentials come from docker login (config.json in DOCKER_CONFIG, credential helpers), from DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE or Podman's auth.json, or from --username.

Exit codes: 0 done, 1 failed (with `--exit-code`: or `diff` found a difference, `why` or `predict` a miss), 2 bad usage, 3 verification found problems, 130 interrupted (143 by SIGTERM).";

pub(crate) const PROGRESS: &str = "\
Show progress on standard error in this way:
  auto   a bar on a terminal, lines elsewhere
  bar    a bar
  plain  a line for each blob written, and one every few seconds
  json   a JSON object per line, for errors and warnings too
  none   no progress";

pub(crate) const FORM: &str = "\
Write the cache in this form:
  manifest  an OCI image manifest; most registries accept it
  index     an OCI image index; some registries refuse it
  docker    a Docker manifest list; some registries refuse it
  inline    an OCI image with a cache inside; every registry accepts it

BuildKit imports each of them. It refuses a config above 1 MiB, except in the form inline. Old versions, such as that of Docker 20.10, read from an inline cache only the results whose layers stand on one another.";

pub(crate) const SORT: &str = "\
Sort the list:
  name  by name
  size  the largest first
  age   the newest first";

pub(crate) const LS: &str = "\
The age of a cache is that of its newest result, the age of an image that of its last step. Only manifests and configs are read, no layers.

Examples:
  bkcache ls registry.example.com/team/app
  bkcache ls --caches --sort size ./cache
  bkcache ls ./cache:main
  bkcache ls --json docker.io/user/app | jq -r '.[] | .name'";

pub(crate) const INSPECT: &str = "\
With the record of a build (--record), records have names: the line and the instruction of a step, the paths of a content, the image or download of a source. A name whose digest cannot be computed from what is given is marked \"by place\": nothing else can hang there. --context and --read compute more of them.

Examples:
  bkcache inspect ./cache
  bkcache inspect --tree ./cache:main
  bkcache inspect --tree --record build.dockerbuild --context . ./cache
  bkcache inspect --json ./cache | jq '.caches[0].records | length'";

pub(crate) const LAYERS: &str = "\
Reads every layer, and lists them from the largest: what it holds and where, what it hides of the layers below, and its largest files. With the record of the build (--record), each layer has the line of the Dockerfile that made it. Nothing is unpacked to the disk.

Examples:
  bkcache layers ./cache
  bkcache layers --files 10 --record last.dockerbuild ./cache:main
  bkcache layers --json ./cache | jq -r '.layers[] | .size, .steps[]'";

pub(crate) const MANIFEST: &str = "\
Examples:
  bkcache manifest ./cache | jq .
  bkcache manifest ./cache | sha256sum";

pub(crate) const CONFIG: &str = "\
Examples:
  bkcache config ./cache | jq '.records | length'
  bkcache config --canonical ./cache | sha256sum";

pub(crate) const COPY: &str = "\
Without options, every byte is kept. The attributes of the destination can set the form too: image-manifest=false gives an index, oci-mediatypes=false a Docker manifest list. A cache inside an image becomes a cache of its own, unless --form inline is given.

Examples:
  bkcache copy ./cache ./backup
  bkcache copy --form index ./cache ./other:main
  bkcache copy ./cache type=local,dest=./other,image-manifest=false,tag=main
  bkcache copy ./cache registry.example.com/app:cache
  bkcache copy registry.example.com/app:main registry.example.com/app:backup
  bkcache copy --form inline ./cache registry.example.com/app:cache
  bkcache copy --canonical ./image ./cache";

pub(crate) const MERGE_USAGE: &str = "\
bkcache merge [OPTIONS] SRC... DST
       bkcache merge [OPTIONS] --print-config SRC...";

pub(crate) const PREFER: &str = "\
Let this source win if sources have different results of a step:
  newest  the source with the newest result
  first   the source given first; with --append, the destination

Results of the other sources that clash with it are left out.";

pub(crate) const MERGE: &str = "\
A build that imports the merged cache hits what it would hit with any of the sources. Where two sources ran a step that gives other files in each run, only results that fit the run of one of them are kept, so that no build mixes files of two runs; the summary says how many results each source lost. Blobs are copied once, and mounted where the registry can.

Without --form, the form is that of the destination with --append, else that of the sources if they all have one, else manifest.

Examples, for a matrix with a job for each platform, whose last job merges:
  bkcache merge registry.example.com/app:cache-amd64 \\
    registry.example.com/app:cache-arm64 registry.example.com/app:cache
  bkcache merge --append ./job-cache registry.example.com/app:cache
                                          from each of several parallel jobs
  bkcache merge --append --prefer first ./pull-request ./main
                                          where main is the cache to trust
  bkcache merge --dry-run --json ./a ./b ./merged | jq .contested
  bkcache merge --print-config ./a ./b | jq '.records | length'";

pub(crate) const VERIFY: &str = "\
Reads every blob and checks its size, its digest, and that it unpacks to its diff ID. Prints a line for each finding. The exit code is 3 if there are errors; warnings and notes alone leave it at 0.

With --content it also checks that the layers of COPY, ADD and WORKDIR hold what their keys name, and nothing else. BuildKit does not: it takes a cache in which a file was planted. The record has to come from the build, not from where the cache is. Layers of RUN cannot be checked. With --record alone, findings say what their records stand for.

Examples:
  bkcache verify ./cache
  bkcache verify --json ./cache | jq '.findings[]'
  bkcache verify --content --record app.dockerbuild --context . ./cache";

pub(crate) const DOCTOR: &str = "\
A line for each point, with the command that mends it: the manifest, the size of the config, the records, the blobs, the layers, which registries take the form, the age and the size. Manifests and configs are read; blobs are looked up, many at once, and not read (bkcache verify reads them). The exit code is 3 if BuildKit will not import the cache, or cannot use a part of it.

Examples:
  bkcache doctor ./cache
  bkcache doctor registry.example.com/app:cache
  bkcache doctor --json ./cache | jq -r '.points[].command // empty'";

pub(crate) const PRUNE_USAGE: &str = "\
bkcache prune [OPTIONS] SRC... DST
       bkcache prune [OPTIONS] --in-place CACHE
       bkcache prune [OPTIONS] --print-config SRC...";

pub(crate) const PRUNE: &str = "\
Keeps the results that are of use, and drops the others with the records that lead to no result then. A result is as fresh as the newest result that was made from it, so an old base of today's build is kept. With several limits, each chooses among the results that the one before keeps: --older-than, then --keep-bytes, then --fit. Without a limit, only records go that lead to no result.

Several caches are merged first. No blob is deleted: `bkcache gc DIR` does that in a folder; a registry has a collector of its own. SOURCE_DATE_EPOCH, if it is set, is the time from which an age counts back.

Examples:
  bkcache prune --in-place --older-than 14d registry.example.com/app:cache
  bkcache prune --in-place --keep-bytes 5GB ./cache && bkcache gc --yes ./cache
  bkcache prune --fit buildkit ./cache registry.example.com/app:cache
  bkcache prune --dry-run --older-than 2026-11-01 --in-place ./cache
  bkcache prune --dry-run --json --older-than 30d --in-place ./cache |
    jq '.dropped[:5]'";

pub(crate) const OLDER_THAN: &str = "\
Drop results that were of no use since then: an age with a unit (s, m, h, d, w), such as 14d, a date, or an instant (RFC 3339)";

pub(crate) const KEEP_BYTES: &str = "\
Keep results whose blobs have this size together, such as 5GB

Fresh results come first. A result that does not fit is passed over. Each blob counts once; config and manifest do not count.";

pub(crate) const FIT: &str = "\
Keep as many results as fit into a config of this size

`buildkit` is the limit of BuildKit, 1MiB, above which it ignores a cache. Fresh results come first.";

pub(crate) const IN_PLACE: &str = "\
Replace the tag that is read

There is one cache then, and no destination. The tag is replaced only if it still stands for what was read. If another process has changed it meanwhile, what it stands for now is read and edited.";

pub(crate) const REPAIR_USAGE: &str = "\
bkcache repair [OPTIONS] SRC... DST
       bkcache repair [OPTIONS] --in-place CACHE
       bkcache repair [OPTIONS] --print-config SRC...";

pub(crate) const REPAIR: &str = "\
A build that uses a result whose blob is lost fails. From a repaired cache it gets no result, and runs the step again. Each blob is looked up, and results whose blobs are missing or have another size are dropped, with the records that lead to no result then. --read finds blobs of the right size with other content, too. A registry is believed when it says that it has a blob; one that keeps descriptors in memory may be wrong until it is restarted.

Nothing is dropped on a guess: if a store cannot say whether it has a blob, the command fails and changes nothing.

Examples:
  bkcache verify --no-read ./cache || bkcache repair --in-place ./cache
  bkcache repair --in-place --read registry.example.com/app:cache
  bkcache repair --dry-run --json --in-place ./cache | jq '.damaged'
  bkcache repair --in-place --missing sha256:… registry.example.com/app:cache";

pub(crate) const DIFF: &str = "\
Compares the newest results of the records of two caches. Blobs count by their digests; a layer that was compressed in another way is recompressed, not changed.

With --exit-code the exit code is 1 if the caches differ, as that of `git diff`. A command that fails exits with 1 too, but prints an error.

Examples:
  bkcache diff registry.example.com/app:main registry.example.com/app:pr-7
                                          what this branch added
  bkcache diff --exit-code ./before ./after && echo unchanged
  bkcache diff --json ./a ./b | jq '.records[] | select(.in == \"b\")'";

pub(crate) const WHY: &str = "\
Says why a build had to run steps that an older cache did not give it: the first causes, the most expensive first, with the files or fields that changed. Steps that only follow from a cause are counted, not listed.

The two caches alone tell which layers and files differ. The record of the newer build (--record) tells the lines of the Dockerfile, that of the older one (--was-record) what a changed line was before. The folders of the builds (--context, --was-context) name files that no layer keeps, such as those that a RUN only mounts.

Without NEW, --record and --context explain a build before it is made: the record is that of a build of the same Dockerfile, the folder is as it is now. What only building can tell is called unknown.

BuildKit writes a record of each build: `docker buildx history export -o F.dockerbuild`, or the artifact that docker/build-push-action uploads. `docker buildx build --metadata-file F` has it with BUILDX_METADATA_PROVENANCE=max, an image with --provenance mode=max.

The exit code is 0 whatever the answer is; with --exit-code it is 1 if a step missed.

Examples:
  bkcache why ./new --was ./old           from two caches alone
  bkcache why ./new --was ./old --record new.dockerbuild \\
    --was-record old.dockerbuild --context .
  bkcache why --was registry.example.com/app:cache --record last.dockerbuild \\
    --context . --context docs=../docs    before the build is made
  bkcache why ./new --was ./old --record new.dockerbuild --sarif > why.sarif
  bkcache why ./new --was ./old --json | jq '.causes[] | {line, files}'";

pub(crate) const PREDICT: &str = "\
Says for each step whether a build will find it in caches: hit, miss or unknown, with the reason. The record (--record) is that of an earlier build with the same Dockerfile, the folder (--context) is as it is now. Nothing is built.

What cannot be known is called unknown and never guessed: files that a step has yet to make, an image whose layers neither the record nor a cache tells, an instruction that changed in the folder's Dockerfile after the record was written. A step without inputs runs in every build. A record of several platforms gives the steps of each, and --platform those of one.

The exit code is 0 whatever the answer is. With --exit-code it is 1 if a step will miss, with --fail-on 'line N' if a step of that line will.

Examples:
  bkcache predict ./cache --record last.dockerbuild --context .
  bkcache predict registry.example.com/app:main registry.example.com/app:pr-7 \\
    --record last.dockerbuild --context . --context docs=../docs
  bkcache predict ./cache --record last.dockerbuild --context . \\
    --fail-on 'line 4' || echo 'dependencies will be installed again'
  bkcache predict ./cache --record last.dockerbuild --context . --json |
    jq '.steps[] | {line, outcome}'";

pub(crate) const LABEL: &str = "\
A label has what `why` needs of the older of two caches: the builds that made it, the names of its records, and the files of its copies, and of the folders that --context names, with their digests: about 80 bytes a file. With it, `why` needs neither the record of that build nor its layers. It is an OCI artifact that refers to the manifest of the cache. `copy` takes it along. In a folder it goes with the last tag of the cache.

Values of variables, build arguments and inline documents, and commands, are stored as digests, never as they are. A short or common value can be guessed from its digest by anyone who can read the label. Paths, users, image references and the names of variables are stored as they are.

Examples:
  bkcache label ./cache --record app.dockerbuild --context .
  bkcache label ghcr.io/user/app:cache --record build.json
  bkcache why ./new --was ./cache --record new.dockerbuild";

pub(crate) const EXPORT: &str = "\
The file of records has one record per line, as a JSON object, after the records it depends on. Its members, here on several lines:
  {\"digest\":\"sha256:…\",
   \"inputs\":[[{\"record\":0,\"selector\":\"/src\"}]],
   \"results\":[{\"createdAt\":\"2026-01-02T03:04:05Z\",\"layers\":[
     {\"mediaType\":\"…\",\"digest\":\"…\",\"size\":1}]}]}

`record` is the position of an earlier line, counted from 0. `digest` is the SHA-256 of `<digest of the step>@<output>`, as BuildKit looks records up by it; the bare digest of a step is never found. `bkcache export --schema` prints the JSON schema.

Examples:
  bkcache export --records build.ndjson --blobs ./layers --to ./cache
  my-builder --records | bkcache export --records - --print-config";

pub(crate) const TAG: &str = "\
No blob is copied or sent: in a folder, index.json gets another entry; in a registry, the same manifest gets another tag. For another folder or repository, use `bkcache copy`.

Examples:
  bkcache tag registry.example.com/app:build-1234 stable
  bkcache tag ./cache:main release-1.2 ./cache:release
  bkcache tag registry.example.com/app@sha256:… main";

pub(crate) const RM: &str = "\
No blob is deleted: `bkcache gc` deletes those of a folder that no tag leads to, a registry's own collector those of a registry. Not every registry lets users delete. Some, such as docker-registry 2, delete manifests by digest only, with all of their tags: then the tag goes if no other tag has the same manifest, or with --yes.

Examples:
  bkcache rm ./cache:feature-x            after its branch was merged
  bkcache rm registry.example.com/app:pr-17 registry.example.com/app:pr-18
  bkcache rm --dry-run registry.example.com/app@sha256:…";

pub(crate) const GC: &str = "\
Every blob that a tag leads to stays, through manifests, indexes and configs, whatever wrote them. If one of these cannot be read, nothing is deleted. Uploads that were interrupted are deleted, too. Manifests, indexes and configs count as blobs here, since they are stored as blobs.

Exports may write to the folder meanwhile. Those of bkcache are safe in any case. For BuildKit and others, whatever is younger than --older-than stays, with everything that it names, and no blob is deleted while an upload of theirs is that young. A layout with a folder that is a symbolic link is refused.

Without a terminal, as in CI, it deletes without asking.

Examples:
  bkcache gc --dry-run ./cache
  bkcache gc --yes ./cache
  bkcache gc --yes --older-than 6h /srv/cache
  17 3 * * * bkcache gc --quiet --yes /srv/cache    each night, as a cron job";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  bkcache completions bash > /etc/bash_completion.d/bkcache
  bkcache completions fish > ~/.config/fish/completions/bkcache.fish";
