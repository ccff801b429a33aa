#!/usr/bin/env bash
# Fuzzes every target, or the one named, for some seconds each.
#
# usage: tests/fuzz/run.sh SECONDS [TARGET]
#
# Needs a C++ compiler. Installs cargo-fuzz if it is missing. Without a sanitizer no nightly toolchain is needed: the code
# has no `unsafe`, and what it allocates is counted by the targets themselves. SANITIZER=address turns one on; it takes an
# installed nightly, or else the default toolchain with its unstable flags unlocked.
#
# RUNS=n makes every target try n inputs, the same ones in every run that begins without a corpus: SECONDS then only bound
# it. So what CI finds can be found again.
#
# What is learnt stays in tests/fuzz/corpus, what is found in tests/fuzz/artifacts, the fuzzer's own words in
# tests/fuzz/logs. Exits with 1 if anything was found, and tells how to see it again; also if a run was cut
# short.
set -euo pipefail

usage() {
	sed -n 's/^# usage: /usage: /p' "$0" >&2
	exit 2
}
(($# == 1 || $# == 2)) && [[ $1 =~ ^[1-9][0-9]*$ ]] || usage
seconds=$1
cd "$(dirname "$0")"
all=(
	brpc_stream dubbo_stream kafka_stream redis_stream thrift_stream trpc_stream
	brpc_verbs dubbo_verbs kafka_verbs redis_verbs thrift_verbs trpc_verbs
	thrift_walk hessian capture spec_compile spec_stream
)
targets=("${all[@]}")
if (($# == 2)); then targets=("$2"); fi
if [[ " ${all[*]} " != *" ${targets[0]} "* ]]; then
	echo "no target ${targets[0]}; there are: ${all[*]}" >&2
	exit 2
fi

sanitizer=${SANITIZER:-none}
if [[ $sanitizer != none ]]; then
	nightly=$(rustup toolchain list 2>/dev/null | awk '/^nightly/ { print $1; exit }' || true)
	if [[ -n $nightly ]]; then
		export RUSTUP_TOOLCHAIN=$nightly
	else
		export RUSTC_BOOTSTRAP=1
	fi
fi

command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
mkdir -p corpus artifacts logs
cargo run --quiet --locked -p metaprotocol-fuzz-seed -- ../.. corpus

target_dir=${CARGO_TARGET_DIR:-$PWD/target}
options=(--fuzz-dir . --target-dir "$target_dir" --sanitizer "$sanitizer" --release --debug-assertions)
cargo fuzz build "${options[@]}" ${2:+"$2"}
triple=$(rustc -vV | sed -n 's/^host: //p')

declare -A max_len=([capture]=16384 [hessian]=2048 [thrift_walk]=2048)
declare -A dictionary=(
	[brpc_stream]=brpc [brpc_verbs]=brpc [dubbo_stream]=dubbo [dubbo_verbs]=dubbo [hessian]=hessian [kafka_stream]=kafka [kafka_verbs]=kafka
	[redis_stream]=redis [redis_verbs]=redis [thrift_stream]=thrift [thrift_verbs]=thrift [thrift_walk]=thrift
	[trpc_stream]=trpc [trpc_verbs]=trpc [capture]=capture [spec_compile]=spec [spec_stream]=spec
)
found=0 # or interrupted
printf '%-14s %8s %12s %8s %8s  %s\n' target seconds executions cov corpus result
for target in "${targets[@]}"; do
	log=logs/$target.log
	mkdir -p "artifacts/$target"
	arguments=(
		"-max_len=${max_len[$target]:-4096}" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512
		"-dict=dictionaries/${dictionary[$target]}.dict" "-artifact_prefix=artifacts/$target/"
	)
	if [[ -n ${RUNS:-} ]]; then arguments+=(-seed=1 "-runs=$RUNS"); fi
	result=clean
	"$target_dir/$triple/release/$target" "${arguments[@]}" "-max_total_time=$seconds" -print_final_stats=1 \
		"corpus/$target" >"$log" 2>&1 || case $? in
	72) result=interrupted ;; # libFuzzer's code for a signal from outside: nothing was found, but not all was tried
	*) result=FOUND ;;
	esac
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
	coverage=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d ' ' -f 2 || true)
	printf '%-14s %8s %12s %8s %8s  %s\n' "$target" "$seconds" "${executions:--}" "${coverage:--}" \
		"$(find "corpus/$target" -type f | wc -l)" "$result"
	if [[ $result != clean ]]; then found=1; fi
	if [[ $result == FOUND ]]; then
		{
			grep -A 4 -m 1 -E 'panicked at|ERROR: libFuzzer|ERROR: AddressSanitizer' "$log" || tail -n 5 "$log"
			artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
			if [[ -n $artifact ]]; then
				echo "see it again: (cd tests/fuzz && cargo fuzz run --fuzz-dir . --sanitizer $sanitizer $target $artifact)"
			fi
		} | cut -c 1-500 | sed 's/^/    /' >&2
	fi
done
exit "$found"
