#!/bin/sh
# Builds and runs the brpc-java peers. README.md tells the options.
#
#   run.sh build
#   run.sh server --protocol NAME --port P [--log FILE]           prints READY when it listens
#   run.sh client --protocol NAME --port P [--scenario NAME]      a JSON line a call
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
usage() {
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

build() {
    # The stamp spares Maven's start-up when nothing changed.
    stamp=$here/target/built
    if [ -e "$stamp" ] && [ -z "$(find "$here/pom.xml" "$here/src" -newer "$stamp" -type f)" ]; then
        return
    fi
    mvn --quiet --batch-mode -Dstyle.color=never --file "$here/pom.xml" process-classes >&2
    touch "$stamp"
}

[ $# -gt 0 ] || usage
command=$1
shift
case $command in
    build) build; exit ;;
    server) main=Server ;;
    client) main=Client ;;
    *) usage ;;
esac
build

# brpc-java makes proxies and codecs at run time, and asks the machine for its own name.
exec java --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED \
    -XX:TieredStopAtLevel=1 -Xshare:auto -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 \
    -Djava.net.preferIPv4Stack=true -cp "$here/target/classes:$here/target/lib/*" "metaprotocol.peer.$main" "$@"
