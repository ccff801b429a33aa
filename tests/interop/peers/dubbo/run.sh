#!/bin/sh
# Builds and runs the Apache Dubbo peers. README.md tells the options.
#
#   run.sh build
#   run.sh server  [--line 2.7|3] --port P [options]      prints READY when it listens
#   run.sh client  [--line 2.7|3] --port P --scenario NAME [options]
#   run.sh vectors [--line 2.7|3]                         Hessian 2 values as JSON lines
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# Dubbo and its Hessian reach into the JDK by reflection.
opens=""
for package in java.lang java.lang.reflect java.io java.math java.net java.nio java.text java.time java.util \
    java.util.concurrent java.util.concurrent.atomic java.util.regex sun.net; do
    opens="$opens --add-opens=java.base/$package=ALL-UNNAMED"
done

build() {
    # The stamp spares Maven's start-up when nothing changed.
    stamp=$here/target/built
    if [ -e "$stamp" ] && [ -z "$(find "$here/pom.xml" "$here/src" "$here"/line-* -newer "$stamp" -type f)" ]; then
        return
    fi
    mvn --quiet --batch-mode -Dstyle.color=never --file "$here/pom.xml" process-classes >&2
    touch "$stamp"
}

[ $# -gt 0 ] || usage
command=$1
shift
line=3
# Takes --line out of the arguments, wherever it stands.
left=$#
while [ "$left" -gt 0 ]; do
    argument=$1
    shift
    left=$((left - 1))
    if [ "$argument" = --line ] && [ "$left" -gt 0 ]; then
        line=$1
        shift
        left=$((left - 1))
    else
        set -- "$@" "$argument"
    fi
done
case $line in 2.7 | 3) ;; *) usage ;; esac

case $command in
    build) build; exit ;;
    server) main=Server ;;
    client) main=Client ;;
    vectors) main=HessianVectors ;;
    *) usage ;;
esac
build

# Dubbo replaces 127.0.0.1 by the machine's own address; a name for it, told in the file hosts, it takes as it is.
export DUBBO_IP_TO_BIND=loopback DUBBO_IP_TO_REGISTRY=loopback
# shellcheck disable=SC2086
exec java $opens -XX:TieredStopAtLevel=1 -Xshare:auto -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 \
    -Djdk.net.hosts.file="$here/target/$line/classes/hosts" -Ddubbo.application.logger=jdk \
    -Ddubbo.service.shutdown.wait=1000 -Djava.net.preferIPv4Stack=true \
    -cp "$here/target/$line/classes:$here/target/$line/lib/*" "metaprotocol.peer.$main" "$@"
