# shellcheck shell=bash
# Where scripts/start-srs.sh stores what scripts/stop-srs.sh needs: one SRS per run folder, by pid or by container id.
# shellcheck disable=SC2034 # used by the scripts that source it

# Outside storage/, because cleaning that must not affect a running SRS.
SRS_RUN_DIR=${SRS_RUN_DIR:-${TMPDIR:-/tmp}/outboard-srs-$(id -u)}
SRS_PID_FILE=$SRS_RUN_DIR/outboard-srs.pid
SRS_CONTAINER_FILE=$SRS_RUN_DIR/outboard-srs.container
SRS_LOG=$SRS_RUN_DIR/srs.log

# The pid may have been reused: only a program with our settings counts.
srs_pid() {
  local pid
  pid=$(cat "$SRS_PID_FILE" 2>/dev/null) && [ -n "$pid" ] || return 1
  ps -o args= -p "$pid" 2>/dev/null | grep -qF -- "$SRS_RUN_DIR/srs.conf" || return 1
  echo "$pid"
}

srs_container() {
  local id
  id=$(cat "$SRS_CONTAINER_FILE" 2>/dev/null) && [ -n "$id" ] || return 1
  [ "$(docker inspect --format '{{.State.Running}}' "$id" 2>/dev/null)" = true ] || return 1
  echo "$id"
}

# Prints what runs; fails if nothing does.
srs_running() {
  local it
  if it=$(srs_pid); then
    echo "pid $it"
  elif it=$(srs_container); then
    echo "container ${it:0:12}"
  else
    return 1
  fi
}

# srs_log LINES
srs_log() {
  local id
  if id=$(cat "$SRS_CONTAINER_FILE" 2>/dev/null) && [ -n "$id" ]; then
    docker logs --tail "$1" "$id" 2>&1 || true
  else
    tail -n "$1" "$SRS_LOG" 2>/dev/null || true
  fi
}
