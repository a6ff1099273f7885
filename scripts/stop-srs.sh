#!/usr/bin/env bash
# Stops the SRS that scripts/start-srs.sh started, and nothing else. Prints a message if there is none.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/srs-run.sh
. "$ROOT/scripts/srs-run.sh"

case ${1:-} in '') ;; -h | --help) usage && exit 0 ;; *) die "unknown argument '$1'" ;; esac

gone() { ! srs_running >/dev/null; }

if id=$(srs_container); then
  docker stop --time 5 "$id" >/dev/null
elif pid=$(srs_pid); then
  kill -TERM "$pid"
  if ! wait_until 10 gone; then
    warn "SRS (pid $pid) did not end within 10 s of SIGTERM: killing it"
    kill -KILL "$pid"
    wait_until 5 gone || die "SRS (pid $pid) cannot be killed"
  fi
else
  say "No SRS of ours is running."
  rm -f "$SRS_PID_FILE" "$SRS_CONTAINER_FILE"
  exit 0
fi
rm -f "$SRS_PID_FILE" "$SRS_CONTAINER_FILE"
say "SRS is stopped."
