# shellcheck shell=bash
# Shared functions of the scripts in this folder: messages, pinned versions, finding programs, ports and files. Sourced,
# never executed. Sets ROOT (the clone) and adds the folder of pinned tools to PATH; does not change the directory.
# shellcheck disable=SC2034 # variables set here are used by the scripts that source it

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# === versions ===

# Tools that are built from source by scripts/setup, once per machine.
CARGO_LLVM_COV_VERSION=0.9.1
CARGO_DENY_VERSION=0.20.2
# The oldest supported versions.
NODE_MIN=20.19
PYTHON_MIN=3.11
FFMPEG_MIN=5.0
# The RTMP server of scripts/start-srs.sh.
SRS_IMAGE=${SRS_IMAGE:-ossrs/srs:6}

# The toolchain of rust-toolchain.toml, which is the only place that names it.
RUST_CHANNEL=$(sed -n 's/^channel *= *"\(.*\)".*/\1/p' "$ROOT/rust-toolchain.toml")
WASM_TARGET=wasm32-wasip2

# Outside the clone, so that another clone on the same machine finds the tools.
TOOLS_DIR=${OUTBOARD_TOOLS_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/outboard/tools}
PATH="$TOOLS_DIR/bin:$PATH"
export PATH

# cargo's target folder; scripts/test stores its logs there too.
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
case $TARGET_DIR in /*) ;; *) TARGET_DIR=$ROOT/$TARGET_DIR ;; esac

# === messages (all to stderr: stdout belongs to results) ===

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' YELLOW=$'\e[33m' PLAIN=$'\e[0m'
else
  BOLD='' RED='' GREEN='' YELLOW='' PLAIN=''
fi

say() { printf '%s\n' "$*" >&2; }
warn() { printf '%s%s%s\n' "$YELLOW" "$*" "$PLAIN" >&2; }
fail() { printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2; }
die() {
  fail "$*"
  exit 1
}

# Prints the comment block at the top of the calling script, as its help text.
usage() { sed -n '2,/^$/{s/^# \{0,1\}//p;}' "$0"; }

# "75" -> "1 min 15 s"
duration() {
  if [ "$1" -ge 60 ]; then printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi
}

# === steps ===

STEP=0
STEPS=0
FAILED_STEPS=()

# Sets the number of steps, for "[2/9]".
steps_planned() { STEPS=$1; }

# try_step TITLE COMMAND...: runs a step in a subshell, prints its number, duration and result, and remembers the title
# of a failed step. Always returns 0: after `||` or `if`, bash would ignore `set -e` inside the step, and the step would
# continue after its first failure.
try_step() {
  local title=$1 started=$SECONDS rc
  shift
  STEP=$((STEP + 1))
  say "${BOLD}[$STEP/$STEPS] $title${PLAIN}"
  set +e
  (
    set -e
    "$@"
  )
  rc=$?
  set -e
  if [ "$rc" -eq 0 ]; then
    say "${GREEN}[$STEP/$STEPS] $title: done in $(duration $((SECONDS - started)))${PLAIN}"
  else
    fail "[$STEP/$STEPS] $title: FAILED after $(duration $((SECONDS - started)))"
    FAILED_STEPS+=("$title")
  fi
}

# need_step TITLE COMMAND...: try_step for a required step: its failure ends the script.
need_step() {
  local failures=${#FAILED_STEPS[@]}
  try_step "$@"
  [ "${#FAILED_STEPS[@]}" -eq "$failures" ] || exit 1
}

# === programs and versions ===

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANTED, compared by numbers: 10.2 is newer than 9.9.
version_at_least() {
  local i
  local -a have wanted
  IFS=. read -ra have <<<"${1%%[!0-9.]*}"
  IFS=. read -ra wanted <<<"$2"
  for i in "${!wanted[@]}"; do
    [ "${have[i]:-0}" -gt "${wanted[i]}" ] && return 0
    [ "${have[i]:-0}" -lt "${wanted[i]}" ] && return 1
  done
  return 0
}

# The RTMP module is either built in or in one of the modules' folders.
have_nginx_rtmp() {
  local nginx dir
  nginx=$(nginx_program) || return 1
  "$nginx" -V 2>&1 | grep -q 'rtmp' && return 0
  for dir in /usr/lib/nginx/modules /usr/lib64/nginx/modules /usr/share/nginx/modules /usr/local/lib/nginx/modules; do
    [ -e "$dir/ngx_rtmp_module.so" ] && return 0
  done
  return 1
}

# Debian installs nginx in /usr/sbin, which is not in every user's PATH.
nginx_program() {
  command -v nginx && return
  [ -x /usr/sbin/nginx ] && echo /usr/sbin/nginx
}

# The same number for the same content: shows whether a lock file has changed since an install.
fingerprint() { cksum <"$1" | tr ' ' '-'; }

# === ports and HTTP, without curl ===

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port [FIRST]: FIRST if nothing listens there on loopback, else a free port above 20000.
free_port() {
  local port=${1:-0} try
  if [ "$port" -gt 0 ] && ! port_taken "$port"; then
    echo "$port"
    return
  fi
  for try in {1..100}; do
    port=$((20000 + (RANDOM * 7 + try) % 12000))
    port_taken "$port" || {
      echo "$port"
      return
    }
  done
  die "no free TCP port found on 127.0.0.1 in 100 tries"
}

# http_get HOST PORT PATH: prints the response's head and body; fails without a response with status 200. At most two
# seconds.
http_get() {
  local answer
  answer=$(
    { exec 3<>"/dev/tcp/$1/$2"; } 2>/dev/null || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: %s:%s\r\nConnection: close\r\n\r\n' "$3" "$1" "$2" >&3
    while IFS= read -r -t 2 line <&3 || [ -n "${line:-}" ]; do
      printf '%s\n' "$line"
      line=''
    done
  ) || return 1
  [[ $answer == HTTP/1.?' 200'* ]] || return 1
  printf '%s\n' "$answer"
}

# wait_until SECONDS COMMAND...: runs COMMAND four times per second until it succeeds; fails after SECONDS.
wait_until() {
  local left=$(($1 * 4))
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.25
  done
}
