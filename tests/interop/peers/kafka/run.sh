#!/bin/sh
# Builds and runs the Apache Kafka peers in Java. README.md tells the options.
#
#   run.sh build
#   run.sh server [--line 3|4] --port P [options]      prints READY when it serves
#   run.sh client [--line 0.11|3|4] --port P --scenario NAME [options]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
usage() {
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

build() {
    # The stamp spares Maven's start-up when nothing changed.
    stamp=$here/target/built
    if [ -e "$stamp" ] && [ -z "$(find "$here/pom.xml" "$here/shared" "$here/src" "$here"/line-* -newer "$stamp" -type f)" ]; then
        return
    fi
    mvn --quiet --batch-mode -Dstyle.color=never --file "$here/pom.xml" process-classes >&2
    # The TLS listener's key and, for the clients, its certificate.
    rm -f "$here/target/broker.p12" "$here/target/broker.pem"
    keytool -genkeypair -alias broker -keyalg EC -groupname secp256r1 -validity 3650 -dname CN=localhost \
        -ext san=dns:localhost,ip:127.0.0.1 -ext bc:c \
        -storetype PKCS12 -keystore "$here/target/broker.p12" -storepass wonderland >&2
    keytool -exportcert -rfc -alias broker -keystore "$here/target/broker.p12" -storepass wonderland \
        -file "$here/target/broker.pem" 2>/dev/null
    touch "$stamp"
}

[ $# -gt 0 ] || usage
command=$1
shift
line=4
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
case $line in 0.11 | 3 | 4) ;; *) usage ;; esac

case $command in
    build) build; exit ;;
    server) main=Broker; set -- --keystore "$here/target/broker.p12" "$@" ;;
    client) main=Client; set -- --certificate "$here/target/broker.pem" "$@" ;;
    *) usage ;;
esac
build

exec java -XX:TieredStopAtLevel=1 -Xshare:auto -Xmx512m -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 \
    -Djava.util.logging.config.file="$here/logging.properties" -Djava.net.preferIPv4Stack=true \
    -cp "$here/target/$line/classes:$here/target/$line/lib/*" "metaprotocol.peer.$main" "$@"
