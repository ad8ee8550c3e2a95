#!/bin/sh
# Installs Debian's programs that some tests start themselves, named as arguments; `make services` calls this.
# The copies that these packages would start for the machine stay off: during the installation nothing is started, and
# what is new here is not enabled. What keeps it so is taken away again. A program that was there before stays as it was.
# ROOT is for tests: where /usr/sbin and /etc are.
set -eu
root=${ROOT:-}

command -v apt-get >/dev/null || { echo "no apt-get here: install $* yourself; tests that need them skip"; exit 0; }
missing=
for program in "$@"; do
  dpkg -s "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "neither root nor sudo: install$missing yourself; tests that need them skip"; exit 0; }
  sudo=sudo
fi

policy=$root/usr/sbin/policy-rc.d
common=$root/etc/postgresql-common
cluster=$common/createcluster.d/no-main-cluster.conf
kept=

put_back() {
  if [ -n "$kept" ]; then $sudo mv "$kept" "$policy"; else $sudo rm -f "$policy"; fi
  $sudo rm -f "$cluster"
  $sudo rmdir "$common/createcluster.d" "$common" 2>/dev/null || :
}

if [ -e "$policy" ]; then
  kept=$policy.before-cultureops
  $sudo mv "$policy" "$kept"
fi
trap put_back EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
$sudo chmod 755 "$policy"
$sudo mkdir -p "$common/createcluster.d"
printf 'create_main_cluster = false\n' | $sudo tee "$cluster" >/dev/null

$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null

if command -v systemctl >/dev/null; then
  for program in $missing; do
    case $program in
      nginx-light) service=nginx ;;
      *) service=$program ;;
    esac
    for folder in lib usr/lib; do
      if [ -e "$root/$folder/systemd/system/$service.service" ]; then
        $sudo systemctl --quiet disable "$service.service" >/dev/null 2>&1 || :
      fi
    done
  done
fi
