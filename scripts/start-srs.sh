#!/usr/bin/env bash
# Starts SRS, a real RTMP server, on this machine: with Docker (ossrs/srs:6) or, if no Docker engine answers, with an
# `srs` program in the PATH ($SRS_BIN sets another). Settings: scripts/srs.conf. Waits until SRS answers, then prints
# the addresses for publishing and watching. scripts/stop-srs.sh stops it.
#
#   scripts/start-srs.sh            RTMP 1935, API 1985, HLS and FLV 8080, on 127.0.0.1 only
#
# SRS_RTMP_PORT, SRS_API_PORT, SRS_HTTP_PORT set other ports; SRS_RUN_DIR sets the folder for its pid, log and HLS
# files; SRS_IMAGE sets another image; SRS_USE=docker or SRS_USE=binary selects one of the two ways.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/srs-run.sh
. "$ROOT/scripts/srs-run.sh"

case ${1:-} in '') ;; -h | --help) usage && exit 0 ;; *) die "unknown argument '$1'" ;; esac

RTMP_PORT=${SRS_RTMP_PORT:-1935}
API_PORT=${SRS_API_PORT:-1985}
HTTP_PORT=${SRS_HTTP_PORT:-8080}
# Seconds until SRS must answer; at the first start, Docker pulls the image before that.
READY_WITHIN=30

docker_answers() { have docker && docker info >/dev/null 2>&1; }

srs_program() {
  if [ -n "${SRS_BIN:-}" ]; then
    [ -x "$SRS_BIN" ] || die "SRS_BIN is $SRS_BIN, which is not a program"
    echo "$SRS_BIN"
  else
    command -v srs
  fi
}

# settings ADDRESS RUN: scripts/srs.conf with its placeholders filled.
settings() {
  sed -e "s|127\.0\.0\.1:1935;|$1:$RTMP_PORT;|" -e "s|127\.0\.0\.1:1985;|$1:$API_PORT;|" \
    -e "s|127\.0\.0\.1:8080;|$1:$HTTP_PORT;|" -e "s|@RUN@|$2|" "$ROOT/scripts/srs.conf"
}

answers() { http_get 127.0.0.1 "$API_PORT" /api/v1/versions >/dev/null; }

start_docker() {
  # In the container: all of its addresses, and its own files.
  settings 0.0.0.0 /usr/local/srs/objs/outboard >"$SRS_RUN_DIR/srs.conf"
  local id
  id=$(docker run --detach --rm --init \
    --publish "127.0.0.1:$RTMP_PORT:$RTMP_PORT" \
    --publish "127.0.0.1:$API_PORT:$API_PORT" \
    --publish "127.0.0.1:$HTTP_PORT:$HTTP_PORT" \
    --volume "$SRS_RUN_DIR/srs.conf:/usr/local/srs/conf/outboard.conf:ro" \
    "$SRS_IMAGE" sh -c 'mkdir -p objs/outboard/html && exec ./objs/srs -c conf/outboard.conf')
  echo "$id" >"$SRS_CONTAINER_FILE"
}

start_program() {
  mkdir -p "$SRS_RUN_DIR/html"
  settings 127.0.0.1 "$SRS_RUN_DIR" >"$SRS_RUN_DIR/srs.conf"
  # In its run folder, because SRS always creates ./objs there. In its own session, so that Ctrl-C here does not end it.
  (
    cd "$SRS_RUN_DIR"
    mkdir -p objs
    exec nohup "$1" -c "$SRS_RUN_DIR/srs.conf" >"$SRS_LOG" 2>&1 </dev/null
  ) &
  echo $! >"$SRS_PID_FILE"
}

if srs_running; then
  say "SRS is running already ($(srs_running)). scripts/stop-srs.sh stops it."
  exit 0
fi
for port in "$RTMP_PORT" "$API_PORT" "$HTTP_PORT"; do
  ! port_taken "$port" ||
    die "port $port on 127.0.0.1 is taken by another program; choose others with SRS_RTMP_PORT, SRS_API_PORT, SRS_HTTP_PORT"
done

mkdir -p "$SRS_RUN_DIR"
[ -O "$SRS_RUN_DIR" ] || die "$SRS_RUN_DIR belongs to another user; choose another with SRS_RUN_DIR"

if [ "${SRS_USE:-docker}" = docker ] && docker_answers; then
  say "Starting SRS with Docker ($SRS_IMAGE)"
  start_docker
elif [ "${SRS_USE:-binary}" = binary ] && program=$(srs_program); then
  say "Starting SRS ($program)"
  start_program "$program"
else
  die "SRS cannot be started: no Docker engine answers (docker info), and there is no 'srs' program on the PATH (or in
SRS_BIN). Install Docker, or build SRS 6 from its source (https://github.com/ossrs/srs). For a first look without SRS:
./scripts/demo brings a receiver of its own."
fi

answers_or_ended() { answers || ! srs_running >/dev/null; }
wait_until "$READY_WITHIN" answers_or_ended || true
if ! answers; then
  fail "SRS does not answer on http://127.0.0.1:$API_PORT/api/v1/versions ($READY_WITHIN s at most). Its last words:"
  srs_log 20 >&2
  "$ROOT/scripts/stop-srs.sh" || true
  exit 1
fi

cat <<TEXT
SRS is ready.
  publish to   rtmp://127.0.0.1:$RTMP_PORT/live/<key>
  watch HLS    http://127.0.0.1:$HTTP_PORT/live/<key>.m3u8
  watch FLV    http://127.0.0.1:$HTTP_PORT/live/<key>.flv
  API          http://127.0.0.1:$API_PORT/api/v1/streams/
  stop         scripts/stop-srs.sh
TEXT
