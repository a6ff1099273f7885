#!/usr/bin/env bash
# Removes what finished batches left in Outboard's storage, and says what it freed. Only while no host runs on it.
#
#   scripts/clean-storage.sh                    keeps the newest 5 batches of each stream
#   scripts/clean-storage.sh --keep N           keeps the newest N (0: none)
#   scripts/clean-storage.sh --stream ID        only this stream
#   scripts/clean-storage.sh --storage DIR      another folder than ./storage (or OUTBOARD_STORAGE__DIR)
#   scripts/clean-storage.sh --dry-run          only says what it would remove
#   scripts/clean-storage.sh --all              the streams' batches and segments altogether, also what is not yet on
#                                               air: a pipeline that starts again then begins at the live edge
#
# Without --all, a batch that is not yet on air is never removed, nor a segment that the journal still needs. The
# database, stage components and their cache always stay.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

keep=5
storage=${OUTBOARD_STORAGE__DIR:-storage}
stream=''
dry=''
all=''
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=${2:?--keep needs a number} && shift ;;
    --storage) storage=${2:?--storage needs a folder} && shift ;;
    --stream) stream=${2:?--stream needs an id} && shift ;;
    --dry-run) dry=yes ;;
    --all) all=yes ;;
    -h | --help) usage && exit 0 ;;
    *) die "unknown argument '$1' (--help tells)" ;;
  esac
  shift
done
[[ $keep =~ ^[0-9]{1,6}$ ]] || die "--keep: '$keep' is not a number of batches"
[[ $stream =~ ^[A-Za-z0-9._-]*$ ]] || die "--stream: '$stream' is not a stream id (letters, digits, '.', '_', '-')"
[ -d "$storage" ] || die "there is no folder $storage"
storage=$(cd "$storage" && pwd)
# Nothing is removed in a folder that does not look like ours.
[ -e "$storage/outboard.db" ] || [ -e "$storage/outboard.lock" ] ||
  die "$storage has neither outboard.db nor outboard.lock: not a storage folder of Outboard"
have python3 || die "python3 is needed to read the journal (storage/outboard.db)"

exec python3 "$ROOT/scripts/clean-storage.py" "$storage" --keep "$keep" \
  ${stream:+--stream "$stream"} ${dry:+--dry-run} ${all:+--all}
